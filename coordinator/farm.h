// One job from start to end: builds every part, turns events into calls, pumps, and closes in reverse order. No part knows the farm.
#ifndef RENDERFARM_FARM_H
#define RENDERFARM_FARM_H

#include "options.h"

// Blocks until the job is done. Returns the exit status: 0 done, 1 failed, 2 the command line asks for what does not exist, 128+n ended by signal n.
int farm_run(const struct options *options);

#endif
