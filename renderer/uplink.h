// A renderer's socket to its coordinator: says hello, takes jobs, tasks and chunks to the desk, and sends what comes off it as far as credit reaches.
// To a coordinator on another host it calls again when the connection is lost, or nothing was heard for PROTOCOL_LOST_NS; what it was working on goes
// to another one meanwhile. Loop thread only.
#ifndef RENDERFARM_UPLINK_H
#define RENDERFARM_UPLINK_H

#include "common/curve.h"

#include <uv.h>

#include <stdbool.h>
#include <stdint.h>

struct uplink;

struct uplink_setup {
    const char *endpoint;
    uint32_t slot;
    int threads;
    // For another host only.
    const struct curve_key *key;
    double wait_s;     // how long to wait for a coordinator, at first and when it is lost
    uint64_t place;    // see Hello
    const char *ended; // of the one before; NULL: none
    bool killed;
    bool *welcomed; // set when a coordinator has welcomed us
};

bool uplink_is_remote(const char *endpoint); // not on this host

// Connects and says hello. Runs the render thread. Ends the process when told to (bye, or a signal where the coordinator is elsewhere), refused, or
// when the coordinator talks nonsense; with the keeper's statuses. setup lives as long.
int uplink_open(struct uplink **uplink, uv_loop_t *loop, const struct uplink_setup *setup);

#endif
