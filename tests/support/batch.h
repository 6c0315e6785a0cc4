// Trials of a batch (trial.h): what it is made of, ways to run it, and what has come of it. What is asked for and fails ends the test. One thread.
#ifndef TESTS_SUPPORT_BATCH_H
#define TESTS_SUPPORT_BATCH_H

#include "command.h"
#include "trial.h"

#define BATCH_CHEAP "--preset=ultrafast"

// Names are in the trial's folder; what is returned is the path.
const char *batch_folder(const char *name); // a new one
// A second of video, 25 frames, at a path whose folder has to be there; number makes it another one.
const char *batch_clip(const char *name, int number);
const char *batch_long_clip(const char *name, int number, int seconds);
// in/a.mp4, in/b.mkv, in/more/c.mp4.
void batch_prepare(void);

// The batch of in and out, with further arguments; what it said is in the command.
#define batch(...) trial_run(trial_path("in"), trial_path("out"), BATCH_CHEAP, trial_workers(), __VA_ARGS__, NULL)
// The same, started and not waited for: files of four segments, that take a while.
struct command *batch_start_slow(void);
// What a list comes to.
const struct command *batch_run_list(const char *text, const char *option);

void batch_assert_status(const struct command *command, int status);
// That the output is what a job of its own makes.
void batch_assert_as_alone(const char *name, const char *filter);
// How often the text is there.
unsigned batch_count_told(const char *said, const char *text);

#endif
