// Whether raw frames are worth their way to renderers on other hosts, where renderers on this one have them in shared memory. Three limits:
//
// - What it costs this host. Sending a frame is copying and encrypting it; where that takes more CPU time than its work, it is done here.
// - What the link carries. Renderers of a host that mostly wait for frames get no more work done for being many; they only hold more frames.
// - What the memory holds. Runs that are elsewhere keep their frames here until they are done; those that this host's renderers need come first.
//
// Pure. Which renderer does what changes no byte of the output, so all of it may be guessed from times.
#ifndef RENDERFARM_FREIGHT_H
#define RENDERFARM_FREIGHT_H

#include "pace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The link to a host, by what its renderers said of their runs. Zeroed: nothing is known.
struct freight {
    double kept_busy; // renderers that the link would keep busy
    uint64_t runs;
};

// A run's frames were all here when it was dealt. wall_ns: that the renderer was at it; waited_ns: of it for frames; at_once: renderers of its host
// that were at work, itself included.
void freight_on_run(struct freight *freight, uint64_t wall_ns, uint64_t waited_ns, size_t at_once);

// Renderers of the host that are worth having at work at a time, one at least. SIZE_MAX: nothing is known yet.
size_t freight_enough(const struct freight *freight);

// Whether sending a frame, which takes this host sending_ns of CPU time, is cheaper than its work; here: what that takes, CPU time too. It is taken
// to be while nothing is known.
bool freight_pays(const struct pace *here, double sending_ns);

// Runs of run_frames that may be elsewhere at a time, when there are so many slots for frames and this host's renderers need those of `own`.
uint64_t freight_most_runs(uint64_t slots, uint64_t own, unsigned run_frames);

#endif
