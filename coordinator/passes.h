// The passes of a job: once more where one came to nothing, and once more to compare with where --verify asks for it. Which pass follows is decided
// here; whoever drives them runs the farm.
#ifndef RENDERFARM_PASSES_H
#define RENDERFARM_PASSES_H

#include "farm.h"
#include "options.h"

#include <stdbool.h>
#include <sys/stat.h>

struct passes {
    const struct options *options; // the job's
    struct options second_options; // those of the pass for --verify; borrows
    struct pass first, second;
    bool verifying;   // the second pass is on
    enum again way;   // the one that is left when others did not work out
    int attempt;      // of this pass, from 1
    bool input_known; // as it was when all began; false for what is no file
    struct stat input;
};

// The first pass is due.
void passes_begin(struct passes *passes, const struct options *options);
// What the pass that is due is run with, until it has ended.
const struct options *passes_options(const struct passes *passes);
struct pass *passes_pass(struct passes *passes);
// A pass has ended with *status. True: another one is due. False: the job is done, *status is its exit status; what is to be said was said.
bool passes_go_on(struct passes *passes, int *status);
void passes_clear(struct passes *passes);

// All passes of one job. Blocks until it is done. Returns the exit status, see farm.h.
int passes_run(const struct options *options);

#endif
