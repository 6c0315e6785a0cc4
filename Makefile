# renderfarm: every core renders one video.
#
#   make                 build/renderfarm and its programs: -coordinator, -renderer, -keygen, -simulate
#   make check           install what the tests need, build, run every test
#   make demo            install what is missing, build, make a clip, render it with all cores
#   make filter-classes  what each filter of the installed FFmpeg depends on, measured, against the table (5 minutes)
#   make check-suite     frames and times of many odd files against ffmpeg (../shared/clips/suite, or FOLDER with scripts/check-suite)
#   make soak            SOAK=1000000 simulated jobs with new seeds (half an hour on two cores); SEED=N for known ones
#   make check-damaged   renders COUNT=1000 damaged clips: the coordinator must not crash, hang, talk too much or leave anything; SEED=N for others (scripts/check-damaged)
#   make fuzz            hostile bytes for all that reads what a peer or a user wrote: clang's libFuzzer, FUZZ_SECONDS=60 for each target (tests/fuzz)
#   make bench           speed against ffmpeg, in ratios (takes a while)
#   make bundle          a tarball that runs on another Linux with nothing installed (scripts/bundle)
#   make install         into $(DESTDIR)$(PREFIX); make uninstall takes it away again
#   make format          clang-format over all sources
#   make clean
#
# Knobs: CC=gcc|clang  SANITIZE=address,undefined|thread  PREFIX=/usr/local  DESTDIR=  V=1 (show commands)  B=build  WERROR=1
#        TESTS=word (make check: only tests whose program name has it)  FUZZ="name name" (make fuzz: only these targets)

PREFIX ?= /usr/local
DESTDIR ?=
SANITIZE ?=
V ?=
WERROR ?=
TESTS ?=
COUNT ?= 1000
SOAK ?= 1000000
SEED ?=
FUZZ ?=
FUZZ_SECONDS ?= 60
B ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
comma := ,

VERSION := 0.1.0
PACKAGES := libavformat libavcodec libavfilter libavutil libswscale libzmq libuv libprotobuf-c libsodium json-c libseccomp libpng libdeflate

CC ?= cc
ifeq ($(origin CC),default)
CC := gcc
endif
WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -DRENDERFARM_VERSION='"$(VERSION)"' $(WARN) $(if $(WERROR),-Werror) $(CFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
ALL_LDFLAGS := $(LDFLAGS) -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE))
# Parsed only when something is built, so that `make check` can install them first.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES) | sed 's/-I/-isystem /g')
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES)) -lm -pthread
TEST_LIBS = $(shell pkg-config --libs cmocka)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

PROTO_C := $(B)/common/protocol.pb-c.c
sources = $(wildcard $(1)/*.c)
objects = $(patsubst %.c,$(B)/%.o,$(1))
COMMON := $(call objects,$(call sources,common)) $(B)/common/protocol.pb-c.o
COORDINATOR := $(filter-out $(B)/coordinator/main.o,$(call objects,$(call sources,coordinator)))
RENDERER := $(filter-out $(B)/renderer/main.o,$(call objects,$(call sources,renderer)))
SUPPORT := $(call objects,$(call sources,tests/support))
TEST_PROGRAMS := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c tests/farm/farm_*.c))

PROGRAMS := $(B)/renderfarm $(B)/renderfarm-coordinator $(B)/renderfarm-renderer $(B)/renderfarm-keygen $(B)/renderfarm-simulate

all: $(PROGRAMS)

# It becomes the coordinator at once: of the libraries it needs none.
$(B)/renderfarm: $(B)/coordinator/start/main.o $(B)/coordinator.a $(B)/common.a
$(B)/renderfarm: PKG_LIBS :=
$(B)/renderfarm-coordinator: $(B)/coordinator/main.o $(B)/coordinator.a $(B)/common.a
$(B)/renderfarm-renderer: $(B)/renderer/main.o $(B)/renderer.a $(B)/common.a
$(B)/renderfarm-keygen: $(B)/coordinator/keygen/main.o $(B)/common.a
# The coordinator in virtual time: what it puts in place of the coordinator's own comes first, so the archive's is not taken.
$(B)/renderfarm-simulate: $(call objects,$(call sources,coordinator/simulate)) $(B)/coordinator.a $(B)/common.a
$(B)/renderfarm-simulate: LINK_FLAGS := -Wl,--wrap=plan_make
$(PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LINK_FLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/common.a: $(COMMON)
$(B)/coordinator.a: $(COORDINATOR)
$(B)/renderer.a: $(RENDERER)
$(B)/support.a: $(SUPPORT)
$(B)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/%.o: %.c $(PROTO_C)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MMD -MP -I. -I$(B) -I$(dir $<) $(PKG_CFLAGS) -c -o $@ $<

$(B)/coordinator/page.o: coordinator/page.html

# Generated code is not ours to warn about.
$(B)/common/protocol.pb-c.o: $(PROTO_C)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -w -I$(B) $(PKG_CFLAGS) -c -o $@ $<

$(PROTO_C): common/protocol.proto
	$(call say,PROTOC,$<)
	$(Q)mkdir -p $(@D) && protoc-c --c_out=$(B) common/protocol.proto

$(filter $(B)/tests/unit/%,$(TEST_PROGRAMS)): %: %.o $(B)/support.a $(B)/coordinator.a $(B)/renderer.a $(B)/common.a
$(filter $(B)/tests/farm/%,$(TEST_PROGRAMS)): %: %.o $(B)/support.a $(B)/common.a
$(TEST_PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(TEST_LIBS)

# The farm in a world that is made up: what it puts in place of the coordinator's own comes first, so the archive's is not taken.
SIMULATE := $(B)/tests/simulation/simulate
$(SIMULATE): $(call objects,$(call sources,tests/simulation)) $(addprefix $(B)/coordinator/simulate/,no_processes.o gray_video.o) $(B)/coordinator.a $(B)/common.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--wrap=memory_kills,--wrap=mmap,--wrap=munmap -o $@ $^ $(PKG_LIBS)

# The coordinator with renderers that do nothing, over an input and an output that are made up.
NULL_RENDER := $(B)/tests/bench/null_render
$(NULL_RENDER): $(call objects,$(call sources,tests/bench)) $(B)/coordinator/simulate/gray_video.o $(B)/coordinator.a $(B)/common.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# A link that takes its time, for the tests.
RELAY := $(B)/tests/relay/relay
$(RELAY): $(call objects,$(call sources,tests/relay)) $(B)/common.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# Filter plugins for the tests, and to see how one is written.
PLUGINS := $(patsubst %.c,$(B)/%.so,$(wildcard samples/frei0r/*.c))
$(B)/samples/frei0r/%.so: samples/frei0r/%.c samples/frei0r/plugin.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=c17 -D_GNU_SOURCE $(WARN) -Wno-missing-prototypes $(CFLAGS) $(shell pkg-config --cflags frei0r | sed 's/-I/-isystem /g') -fPIC -shared -o $@ $<

# What tests put before the C library, to make something happen at a certain moment.
PRELOADS := $(patsubst %.c,$(B)/%.so,$(wildcard tests/preload/*.c))
$(B)/tests/preload/%.so: tests/preload/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=c17 -D_GNU_SOURCE $(WARN) $(CFLAGS) -fPIC -shared -o $@ $<

tests: all plugins $(PRELOADS) $(TEST_PROGRAMS) $(SIMULATE) $(NULL_RENDER) $(RELAY)
plugins: $(PLUGINS)

# A new file tests/fuzz/fuzz_NAME.c is a new target. They are built by clang, into a folder of their own.
FUZZ_PROGRAMS := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SANITIZE := fuzzer-no-link,address,undefined
$(FUZZ_PROGRAMS) $(B)/tests/fuzz/make_seeds: %: %.o $(B)/coordinator.a $(B)/renderer.a $(B)/common.a
$(B)/tests/fuzz/make_seeds:
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(FUZZ_PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

fuzz-programs: $(FUZZ_PROGRAMS) $(B)/tests/fuzz/make_seeds

fuzz:
	$(Q)scripts/install-deps --fuzz
	$(Q)$(MAKE) --no-print-directory $(JOBS) fuzz-programs CC=clang SANITIZE=$(FUZZ_SANITIZE) CFLAGS="-O1 -g -fno-sanitize-recover=all" B=build-fuzz
	$(Q)BUILD=build-fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ)

# The two commands of the README install first and build in a second make, which then finds the libraries; with all cores unless told otherwise.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
check:
	$(Q)scripts/install-deps --tests
	$(Q)$(MAKE) --no-print-directory $(JOBS) tests
	$(Q)BUILD=$(B) tests/run $(TESTS)
	$(if $(TESTS),,$(Q)$(SIMULATE) --jobs=10000 --processes=$(shell nproc))

# In worlds that are made up, and that nobody has seen before.
soak: all $(SIMULATE)
	$(Q)$(SIMULATE) --jobs=$(SOAK) --seed=$(or $(SEED),$(shell date +%s)000000) --processes=$(shell nproc)

demo:
	$(Q)scripts/install-deps
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)BUILD=$(B) scripts/demo

bench:
	$(Q)scripts/install-deps --bench
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(NULL_RENDER)
	$(Q)BUILD=$(B) scripts/bench

filter-classes: all
	$(Q)BUILD=$(B) scripts/filter-classes

$(B)/tests/damaged/damage: $(B)/tests/damaged/damage.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

check-damaged: all $(B)/tests/damaged/damage
	$(Q)BUILD=$(B) scripts/check-damaged $(COUNT) $(if $(SEED),--seed=$(SEED))

check-suite: all
	$(Q)BUILD=$(B) scripts/check-suite

MEASURE := $(DESTDIR)$(PREFIX)/share/renderfarm/measure

install: all
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(MEASURE)"
	install -m 755 $(PROGRAMS) "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 scripts/speedup "$(DESTDIR)$(PREFIX)/bin/renderfarm-speedup"
	install -m 644 scripts/measure/* "$(MEASURE)"

uninstall:
	rm -f $(foreach name,$(notdir $(PROGRAMS)) renderfarm-speedup,"$(DESTDIR)$(PREFIX)/bin/$(name)")
	rm -f $(foreach name,$(notdir $(wildcard scripts/measure/*)),"$(MEASURE)/$(name)")
	-rmdir "$(MEASURE)" "$(DESTDIR)$(PREFIX)/share/renderfarm" 2>/dev/null

bundle: all
	$(Q)scripts/bundle $(B)/renderfarm-$(VERSION)-$(shell uname -m).tar.gz $(PROGRAMS)

format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

clean:
	rm -rf build build-*

-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: all tests plugins check soak demo fuzz fuzz-programs bench filter-classes check-damaged check-suite install uninstall bundle format clean
.SECONDARY:
