// A renderer's socket to its coordinator: says hello, takes jobs, tasks and chunks to the desk, and sends what comes off it as far as credit reaches.
// Loop thread only.
#ifndef RENDERFARM_UPLINK_H
#define RENDERFARM_UPLINK_H

#include <uv.h>

#include <stdint.h>

struct uplink;

// Connects and says hello. Runs the render thread. Ends the process when told to (bye), refused, or when the coordinator talks nonsense.
int uplink_open(struct uplink **uplink, uv_loop_t *loop, const char *endpoint, uint32_t slot, int threads);

#endif
