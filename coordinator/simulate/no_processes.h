// coordinator/spawner.h and private_folder.h where renderers are no processes and have no folder: who makes them up is told to start and to end
// them, and nothing else happens. For renderfarm-simulate and for tests/simulation. One thread, one spawner at a time.
#ifndef RENDERFARM_SIMULATE_NO_PROCESSES_H
#define RENDERFARM_SIMULATE_NO_PROCESSES_H

#include "coordinator/spawner.h"

#include <stdint.h>

// To be called when one has ended, so that the spawner tells of it. Without a spawner nobody is told any more.
void no_processes_ended(const struct spawner_exit *exit);

// renderers.c of either program.
enum { RENDERERS_ALL = UINT32_MAX };            // in place of a slot
uint32_t renderers_start(uint32_t slot);        // its process id
void renderers_kill(uint32_t slot, int signal); // all that there are in that slot

#endif
