// The mux lane and what it takes: opens the sink, writes the header, chunks in order and the trailer. Loop thread; the blocking calls run in the
// lane, one at a time, and each end is told by on_change, after which the fields below are the loop's again. What the sink leaves to be done in any
// order goes to hands.
#ifndef RENDERFARM_OUTLET_H
#define RENDERFARM_OUTLET_H

#include "hands.h"
#include "lane.h"
#include "sink.h"
#include "writer.h"

enum outlet_state { OUTLET_CLOSED, OUTLET_OPEN, OUTLET_STARTED, OUTLET_FINISHED };

struct outlet {
    void (*on_change)(void *data);
    void *data;
    struct sink_setup setup;
    atomic_bool hurry;
    struct lane lane;

    // In the lane's hands while it is busy, else the loop's.
    struct sink *sink;
    struct writer *writer;
    struct sink_facts facts;
    const Wire__Probed *video;
    struct chunk *chunk;
    uint32_t segment;
    struct sink_part *parts;
    int result;
    char *result_why;

    // Loop thread only.
    enum outlet_state state;
    struct hands hands;
    size_t lane_bytes;    // of the chunk in the lane
    size_t written_bytes; // in the lane's call that has ended last
    int err;
    char *why; // one sentence when err < 0
};

void outlet_init(struct outlet *outlet, uv_loop_t *loop, const struct sink_setup *setup, void (*on_change)(void *data), void *data);
bool outlet_busy(const struct outlet *outlet);           // in the lane or in the hands
bool outlet_takes(const struct outlet *outlet);          // outlet_write may be called, though the hands may be busy
size_t outlet_queued_bytes(const struct outlet *outlet); // taken, and not written yet
// Each starts one call and may only be called while it is not busy.
void outlet_open(struct outlet *outlet);
void outlet_start(struct outlet *outlet, const Wire__Probed *video); // video stays the caller's and must live on
void outlet_write(struct outlet *outlet, uint32_t segment, struct chunk **chunk);
void outlet_finish(struct outlet *outlet);
void outlet_hurry(struct outlet *outlet);           // the output is given up: a call that waits for another process ends with an error soon
uint64_t outlet_bytes(const struct outlet *outlet); // written; when not busy
void outlet_clear(struct outlet *outlet);           // when not busy; removes what is unfinished

#endif
