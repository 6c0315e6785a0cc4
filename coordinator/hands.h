// Hands write files that need no order, as numbered pictures are, many at the same time: each takes a few that follow each other to libuv's pool, in
// a lane of its own. Files are begun in the order in which they come. When one cannot be written none behind it is begun any more, and what is told,
// once all hands are empty, is the first of those that could not: all in front of it are there. Loop thread only, but for what a part does.
#ifndef RENDERFARM_HANDS_H
#define RENDERFARM_HANDS_H

#include "lane.h"
#include "sink.h"

enum {
    HANDS_MOST = 16,
    HANDS_BYTES = 16 << 20, // that all of them have at once; one file may always be written
    HAND_BYTES = 256 << 10, // that one takes at once: small files cost less than the way to the pool and back
    HAND_FILES = 16,
};

struct hand {
    struct hands *hands;
    struct lane lane;
    struct sink_part *parts; // NULL: it is empty
    size_t bytes, files;     // of them, or of the last ones
    // In the lane's hands while it is busy.
    int err;
    char *why;
    int64_t failed; // the order of the part that failed
};

struct hands {
    void (*on_change)(void *data);
    void *data;
    struct hand hands[HANDS_MOST];
    unsigned count;            // of them that are used
    unsigned busy;             // of these
    struct sink_part *waiting; // for a hand, in order
    size_t bytes;              // in the hands
    size_t waiting_bytes;
    int err; // of the first part that failed; counts when not busy
    char *why;
    int64_t failed;
};

// Makes libuv's pool large enough for as many hands as are of use with so many cores beside the other lanes, unless the user has said how large it is
// (UV_THREADPOOL_SIZE), which then says how many hands there are. Before any other thread is made, and before the pool is used.
void hands_widen_pool(int cores);

// on_change: some have been written, or could not be.
void hands_init(struct hands *hands, uv_loop_t *loop, void (*on_change)(void *data), void *data);
// Takes all of them. Not while it is full.
void hands_write(struct hands *hands, struct sink_part *parts);
bool hands_full(const struct hands *hands); // some wait, or one has failed
bool hands_busy(const struct hands *hands);
size_t hands_queued_bytes(const struct hands *hands);
void hands_clear(struct hands *hands); // when not busy

#endif
