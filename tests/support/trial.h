// One whole-program test: a folder of its own, runs of renderfarm and of ffmpeg, and a look at what was left behind. trial_setup and trial_teardown
// are cmocka fixtures; teardown removes the folder and fails the test when a process or a file of ours is still there. Strings that functions return
// live until teardown. What is asked for and fails ends the test. One thread, one trial at a time.
//
// Environment: BUILD (build) where the programs are; RENDERFARM_TEST_WORKERS (2) renderers where a test does not care; RENDERFARM_CLIPS
// (../shared/clips) real footage, tests that want it are skipped without.
#ifndef TESTS_SUPPORT_TRIAL_H
#define TESTS_SUPPORT_TRIAL_H

#include "command.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int trial_setup(void **state);
int trial_teardown(void **state);

#define TRIAL(test) cmocka_unit_test_setup_teardown(test, trial_setup, trial_teardown)

const char *trial_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *trial_path(const char *name);   // in the trial's folder
const char *trial_sample(const char *name); // a clip of samples/make; made once per build folder
const char *trial_real(const char *name);   // a clip of real footage; skips the test where there is none
void trial_needs_true_memory(void);         // skips the test where a sanitizer's own memory is counted too
const char *trial_workers(void);            // "--workers=N" for tests that do not care how many
void trial_write(const char *path, const void *data, size_t size);
void *trial_read(const char *path, size_t *size); // with a 0 behind

// ffmpeg, quiet and without questions; it has to succeed. Arguments end with NULL.
void trial_ffmpeg(const char *first, ...) __attribute__((sentinel));
// Runs a program that has to succeed, and returns what it wrote to standard output.
const char *trial_output(const char *const *arguments);

// Runs `renderfarm INPUT OUTPUT --progress=off ...`; the further arguments end with NULL. The command lives until the next run or teardown.
struct command *trial_run(const char *input, const char *output, ...) __attribute__((sentinel));
// The same, and it has to succeed; returns what it said on standard error.
const char *trial_render(const char *input, const char *output, ...) __attribute__((sentinel));
// renderfarm with just these arguments (without its own name), started and not waited for.
struct command *trial_start(const char *const *arguments);
// The same for another program, which comes first.
struct command *trial_start_program(const char *const *arguments);
const char *trial_program(void); // path of renderfarm
// What is started from here on gets this library, of the build folder, before the C library; unsetenv("LD_PRELOAD").
void trial_preload(const char *built);

// The frames of the video stream and their timestamps, as ffmpeg's framemd5 lists them.
const char *trial_frames(const char *path);
// Fails unless both files' videos have the same frames at the same times.
void trial_assert_same_frames(const char *actual, const char *expected);
// A hash of the packets of the streams that specifier chooses ("a", "s:0"), one line a stream.
const char *trial_packets(const char *path, const char *specifier);
const char *trial_sha256(const char *path);
// ffprobe's answer: entries as its -show_entries takes them, for the streams that specifier chooses (NULL: all), one "key=value" a line.
const char *trial_probe(const char *path, const char *specifier, const char *entries);

// Fails unless the folder holds just these names (any order; the list ends with NULL).
void trial_assert_only(const char *folder, ...) __attribute__((sentinel));
// Fails when a process of this test's commands still runs, or anything is left in the folder for temporary files.
void trial_assert_nothing_left(void);

#endif
