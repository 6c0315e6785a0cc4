// Decode timestamps for the whole output, rebuilt from its presentation timestamps. Every segment's encoder starts its own count (with its own
// negative beginning), so their decode timestamps do not join; the presentation timestamps do.
//
// With a constant reorder delay of D packets (the decoder's, ITU-T H.264 C.4.5.3 and H.265 C.5.2.2 bump frames the same way) packet i decodes at the time
// that the (i - D)th smallest timestamp shows. The first D packets come before the first timestamp by the same steps that the first D frames take. Since
// packet i may not show before it decodes, no timestamp later in decode order is among the i - D smallest: the D + 1 smallest seen are enough.
// Pure, one thread at a time. Times are in the encoder's time base.
#ifndef RENDERFARM_TIMELINE_H
#define RENDERFARM_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMELINE_MAX_DELAY = 64 };

struct timeline {
    size_t delay;
    int64_t pending[TIMELINE_MAX_DELAY + 1]; // presentation times not yet used as decode times, sorted
    size_t pending_count;
    uint64_t count; // packets put
};

void timeline_init(struct timeline *timeline, size_t delay);

// The next packets in decode order with their presentation times. Fills dts[] for all packets that are certain: *certain counts from the oldest packet whose time was not given
// before (the first calls may give fewer than they got, later ones as many as they got). dts has room for delay + 1 entries.
// Returns 0, or -ERANGE if a packet would have to decode after it shows: the delay was too small.
int timeline_put(struct timeline *timeline, int64_t pts, int64_t *dts, size_t *certain);

// The end: the times of packets still uncertain (a video with fewer packets than the delay). step is the length of a frame.
int timeline_end(struct timeline *timeline, int64_t step, int64_t *dts, size_t *certain);

#endif
