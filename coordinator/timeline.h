// Decode timestamps for the whole output, rebuilt from its presentation timestamps. Every segment's encoder starts its own count (with its own
// negative beginning), so their decode timestamps do not join; the presentation timestamps do.
//
// With a constant reorder delay of D packets (the decoder's, ITU-T H.264 C.4.5.3 and H.265 C.5.2.2 bump frames the same way) packet i decodes at the
// time that the (i - D)th smallest timestamp shows, and the first D packets one frame's length apart before the first. No packet behind packet i is
// among the i - D smallest (it would have to be held back by more than D), so D + 1 timestamps have to be remembered and no more. Pure, one thread at
// a time. Times are in the encoder's time base.
#ifndef RENDERFARM_TIMELINE_H
#define RENDERFARM_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMELINE_MAX_DELAY = 64 };

struct timeline {
    size_t delay;
    int64_t step;                            // a frame's length
    int64_t pending[TIMELINE_MAX_DELAY + 1]; // presentation times not yet used as decode times, sorted
    size_t pending_count;
    uint64_t count; // packets put
    int64_t last_dts;
};

// step >= 1.
void timeline_init(struct timeline *timeline, size_t delay, int64_t step);

// The next packet in decode order. Fills dts[] for the packets whose time is certain now, from the oldest that had none: none for the first `delay`
// packets, then delay + 1 at once, then one for each. dts has room for delay + 1 entries. Returns 0, or -ERANGE if decode times would run backwards:
// a packet was held back by more than the delay.
int timeline_put(struct timeline *timeline, int64_t pts, int64_t *dts, size_t *certain);

// The end: the times of packets still uncertain (a video with no more packets than the delay).
void timeline_end(struct timeline *timeline, int64_t *dts, size_t *certain);

#endif
