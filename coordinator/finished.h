// A word left in the job's own cache folder just before the output gets its name: a process that is killed between that and the folder's removal has
// done its work, and the same command finds that out, where it would else find an output in its way. The folder is the job's, see cache_folder.h; the
// word goes with it, last. Blocks on the disk; any thread, one call at a time for each job.
#ifndef RENDERFARM_FINISHED_H
#define RENDERFARM_FINISHED_H

#include "options.h"

#include <stdbool.h>

struct finished {
    char *path; // of the word; NULL: none is left
    char *job;  // what stands for the input and for all options that the output depends on
    const struct options *options;
};

// Leaves both NULL for jobs that have no cache of their own, whose input or output is no single file, or that are not done when the output is there.
// The options live as long.
void finished_init(struct finished *finished, const struct options *options);
// fd is the whole output, and about to get its name. Does nothing where there is no such folder, and where the input or a file that a filter reads is
// a list of others, because it does not tell when they change; what goes wrong costs no more than the word.
void finished_note(const struct finished *finished, int fd);
// Whether the output that is there is the one that an earlier run of this job made whole.
bool finished_is(const struct finished *finished, const char *output);
void finished_clear(struct finished *finished);

#endif
