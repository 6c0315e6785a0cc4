// Trials of jobs that are ended and go on (trial.h): two workers, segments of half a second, the output out.mp4 in the trial's folder. What is asked
// for and fails ends the test. One thread.
#ifndef TESTS_SUPPORT_RESUME_H
#define TESTS_SUPPORT_RESUME_H

#include "command.h"
#include "trial.h"

#include <stdbool.h>

const char *resume_clip(void); // some 24 segments
// Of 12 s, 24 segments, with a keyframe every so many frames.
const char *resume_gop_clip(const char *name, const char *codec, const char *gop, const char *more, const char *value);

// The job, started and not waited for; wish: one more argument.
struct command *resume_start(const char *input, const char *filter, const char *wish);
// The hash of what a job makes that nobody disturbs and that keeps nothing.
const char *resume_undisturbed(const char *input, const char *filter);
// Waits until the running job has said the text so many times; false when it ended before.
bool resume_wait_for(struct command *command, const char *text, int times);
// Runs to its end; returns how many segments were there already.
long resume_finish(struct command *command);
// Frames that it did not decode, as it says.
long resume_left_out(const struct command *command);
// Ends it by SIGKILL when so many segments are on disk.
void resume_kill_when_kept(struct command *command, int segments);
int resume_count_entries(const char *where); // segments in a folder

void resume_assert_told(const char *said, const char *text);

#endif
