// The group of pictures (GOP) that a source is at, of a video that is decoded in order but for what need not be (gaps.h): its packets, held until
// it is known whether they are given out, and which frames were left out last. Knows nothing of segments and chunks. For source.c alone, in the
// demux lane.
#ifndef RENDERFARM_SOURCE_GOP_H
#define RENDERFARM_SOURCE_GOP_H

#include "gaps.h"
#include "packet_queue.h"
#include "source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// All zero: nothing is left out, and nothing comes here.
struct source_gop {
    const struct gaps *gaps;
    struct packet_queue packets;
    bool wanted; // it is decoded: packets may go on
    struct gaps_gop about;
    size_t size_bytes;
    uint64_t out_from, out_until; // frames that were left out, and were not told yet
    uint64_t begun_at;            // number of the first frame behind what was left out last
};

void source_gop_init(struct source_gop *gop, const struct gaps *gaps);
// Takes packets, which have in opaque how many frames they promise. endless: where the next GOP begins will not be known.
void source_gop_fill(struct source_gop *gop, struct packet_queue *from, bool endless);
// Of one that is whole; next_pts: as gaps_leave_out has it. True: it need not be decoded. False: it is wanted from now on, or is empty.
bool source_gop_needless(struct source_gop *gop, int64_t next_pts, struct gaps_jump *jump);
// Frees its packets. Returns how many frames they promised.
uint64_t source_gop_leave_out(struct source_gop *gop, const struct gaps_jump *jump);
void source_gop_next(struct source_gop *gop); // its packets are gone, and others follow
void source_gop_tell(struct source_gop *gop, struct source_run *run);
void source_gop_clear(struct source_gop *gop);

#endif
