// A lane: blocking calls on libuv's pool, one at a time, in the order given; each result comes back on the loop. Two lanes, demux and mux, keep the
// two FFmpeg contexts each on one thread at a time. Loop thread only, but for the work callback itself.
#ifndef RENDERFARM_LANE_H
#define RENDERFARM_LANE_H

#include <uv.h>

#include <stdbool.h>
#include <stdint.h>

typedef void (*lane_call)(void *data);

struct lane {
    uv_loop_t *loop;
    uv_work_t request;
    bool busy;
    struct lane_job *first, *last;
    void (*on_call)(void *data, uint64_t from_ns, uint64_t to_ns);
    void *on_call_data;
};

void lane_init(struct lane *lane, uv_loop_t *loop);
// work(data) runs in the pool, then done(data) on the loop. data belongs to the caller until done returns.
void lane_run(struct lane *lane, lane_call work, lane_call done, void *data);
// From now on each call's beginning and end are told (clock_now_ns), on the loop, before its done(data).
void lane_watch(struct lane *lane, void (*on_call)(void *data, uint64_t from_ns, uint64_t to_ns), void *data);
bool lane_busy(const struct lane *lane);

#endif
