// A nursery that loads its libraries while the coordinator loads its own: renderfarm (coordinator/start) starts it before it becomes the coordinator,
// and leaves word of it in the environment: "PID:SOCKET:FRAMES", three decimal numbers. The first to need renderers claims it; a coordinator that
// ends without takes it along. Nothing in the environment is believed that is not seen to be so. Of the C library alone. Before there are threads,
// but for early_claim, which is the loop thread's.
#ifndef RENDERFARM_EARLY_H
#define RENDERFARM_EARLY_H

#include "nursery_process.h"

#include <stdbool.h>

#define EARLY_VARIABLE "RENDERFARM_NURSERY"

struct early {
    struct nursery_process nursery;
    int frames_fd; // the shared memory for frames of those who are born of it
};

// Before exec: both descriptors stay open, and the variable says what they are. Returns 0 or a negative code.
int early_hand_over(const struct early *early);

// After exec: what was handed over, if anything was, can be claimed. The variable is gone, and programs that are started do not get the descriptors.
void early_receive(void);
// False: there is none, or no more. Both are the caller's then.
bool early_claim(struct early *early);
// What nobody has claimed is no more when this returns.
void early_end(void);

#endif
