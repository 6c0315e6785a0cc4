// What the coordinator takes for one more segment, in instructions, which no other program on the machine changes: it must not grow unnoticed.
// tests/pinned-instructions says what it was.
#include "tests/support/trial.h"

#include <inttypes.h>
#include <setjmp.h>
#include <sys/utsname.h>

#include <cmocka.h>

enum { FEW = 100, MANY = 300, GROWTH_PERCENT = 3 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
static const char unfit[] = "a build that is optimised, and without sanitizers";
#else
static const char unfit[] = "";
#endif

#ifdef __clang__
static const char compiler[] = "clang " __clang_version__;
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

static void skip_without(const char *what)
{
    print_message("without %s\n", what);
    skip();
}

static const char *simulation(void)
{
    const char *build = getenv("BUILD");

    return trial_format("%s/tests/simulation/simulate", build && build[0] ? build : "build");
}

// Of all instructions in files of ours, in a job of so many segments.
static int64_t count(int segments)
{
    static const char sum[] = "/^f[ile]=/ { ours = $0 ~ /(=|\\/)(coordinator|common)\\// } /^calls=/ { getline; next } /^[0-9]/ && ours { n += $2 } "
                              "END { printf \"%d\\n\", n }";
    const char *out = trial_path("callgrind");

    trial_preload("tests/preload/no_timer.so");
    trial_output(ARGUMENTS("valgrind", "-q", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no",
                           trial_format("--callgrind-out-file=%s", out), simulation(), trial_format("--segments=%d", segments)));
    unsetenv("LD_PRELOAD");
    return atoll(trial_output(ARGUMENTS("awk", sum, out)));
}

// -1: this compiler has no line.
static int64_t pinned(const char *key)
{
    size_t size;
    const char *text = trial_read("tests/pinned-instructions", &size), *line = strstr(text, trial_format("\n%s ", key));

    return line ? atoll(line + 1 + strlen(key) + 1) : -1;
}

static void a_segment_costs_the_coordinator_no_more_than_it_did(void **state)
{
    const char *key;
    struct utsname machine;
    int64_t before, now;

    (void)state;
    if (unfit[0])
        skip_without(unfit);
    if (system("command -v valgrind >/dev/null") != 0)
        skip_without("valgrind");
    assert_int_equal(uname(&machine), 0);
    // "12.2.0", without what a distribution adds.
    key = trial_format("%.*s %s", (int)(strcspn(compiler, " ") + 1 + strcspn(strchr(compiler, ' ') + 1, " ")), compiler, machine.machine);
    before = pinned(key);
    now = (count(MANY) - count(FEW)) / (MANY - FEW);
    print_message("%s %" PRId64 "\n", key, now);
    if (before < 0)
        skip_without(trial_format("a pinned count for this compiler; the line for tests/pinned-instructions would be \"%s %" PRId64 "\"", key, now));
    if (now * 100 > before * (100 + GROWTH_PERCENT))
        fail_msg("the coordinator takes %" PRId64 " instructions for a segment, and took %" PRId64
                 "; if that is worth it, the new line of tests/pinned-instructions is\n%s %" PRId64,
                 now, before, key, now);
    if (now * 100 < before * (100 - GROWTH_PERCENT))
        print_message("it took %" PRId64 " before; please renew tests/pinned-instructions\n", before);
}

static void the_count_repeats_exactly(void **state)
{
    (void)state;
    if (unfit[0])
        skip_without(unfit);
    if (system("command -v valgrind >/dev/null") != 0)
        skip_without("valgrind");
    assert_true(count(FEW) == count(FEW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(a_segment_costs_the_coordinator_no_more_than_it_did),
        TRIAL(the_count_repeats_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
