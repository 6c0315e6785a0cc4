// The passes of a job: once more where one came to nothing, and once more to compare with where --verify asks for it.
#ifndef RENDERFARM_PASSES_H
#define RENDERFARM_PASSES_H

#include "options.h"

// Blocks until the job is done. Returns the exit status, see farm.h.
int passes_run(const struct options *options);

#endif
