// Which frames of a video need not be decoded, because the segments that they go into are in the cache. Segments are counted in frames and packets
// know only times, so it takes the times that the frames of these segments had when they were made. Pure. Not thread-safe while it is filled.
//
// A whole run of packets between two places where decoding may start (a GOP, here) is left out when every frame that it promises is known, was
// undamaged and is not wanted by a segment that is missing, neither as its own nor as a neighbour; and when so is the frame behind it, with which
// decoding goes on. Where anything does not fit, it is decoded.
#ifndef RENDERFARM_GAPS_H
#define RENDERFARM_GAPS_H

#include "plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GAPS_NO_TIME INT64_MIN

struct gaps;

// stage: the one whose segments are kept; it lives on.
struct gaps *gaps_new(const struct plan_stage *stage);
void gaps_free(struct gaps **gaps);
// A segment is there, and its frames have these times. Numbers rise. Times that make no sense are of no use, and nothing is left out any more.
void gaps_on_segment(struct gaps *gaps, uint32_t segment, const int64_t *times, size_t count);
// All are told. False: every frame is wanted.
bool gaps_settle(struct gaps *gaps);

// Whether the frame at that time has to be decoded, by what is known of it alone.
bool gaps_wants(const struct gaps *gaps, int64_t pts);

struct gaps_gop {
    int64_t first_pts, last_pts; // in the order shown
    uint64_t frames;             // that its packets promise
};

// Frames [from, until) do not come, and the next one is the first at keep_from or behind it.
struct gaps_jump {
    uint64_t from, until;
    int64_t keep_from;
};

// Whether the GOP may be left out. next_pts: where the next one begins; GAPS_NO_TIME: it is the last.
bool gaps_leave_out(const struct gaps *gaps, const struct gaps_gop *gop, int64_t next_pts, struct gaps_jump *jump);

#endif
