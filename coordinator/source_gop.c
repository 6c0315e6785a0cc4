#include "source_gop.h"

#include <libavutil/avutil.h>

enum { MOST_HELD_BYTES = 64 << 20 }; // a larger one is decoded

void source_gop_init(struct source_gop *gop, const struct gaps *gaps)
{
    *gop = (struct source_gop){.gaps = gaps};
    source_gop_next(gop);
}

void source_gop_next(struct source_gop *gop)
{
    gop->about = (struct gaps_gop){.first_pts = INT64_MAX, .last_pts = INT64_MIN};
    gop->size_bytes = 0;
    gop->wanted = false;
}

static void note(struct source_gop *gop, const AVPacket *packet)
{
    if (packet->pts == AV_NOPTS_VALUE || (packet->flags & (AV_PKT_FLAG_CORRUPT | AV_PKT_FLAG_DISCARD)) || gaps_wants(gop->gaps, packet->pts)) {
        gop->wanted = true;
        return;
    }
    if (packet->pts < gop->about.first_pts)
        gop->about.first_pts = packet->pts;
    if (packet->pts > gop->about.last_pts)
        gop->about.last_pts = packet->pts;
    gop->about.frames += (uint64_t)(uintptr_t)packet->opaque;
    gop->size_bytes += (size_t)packet->size;
    gop->wanted = gop->size_bytes > MOST_HELD_BYTES;
}

void source_gop_fill(struct source_gop *gop, struct packet_queue *from, bool endless)
{
    AVPacket *packet;

    gop->wanted |= endless;
    while ((packet = packet_queue_take(from))) {
        if (!gop->wanted)
            note(gop, packet);
        packet_queue_put(&gop->packets, &packet);
    }
}

bool source_gop_needless(struct source_gop *gop, int64_t next_pts, struct gaps_jump *jump)
{
    if (gop->wanted || packet_queue_empty(&gop->packets))
        return false;
    gop->wanted = !gaps_leave_out(gop->gaps, &gop->about, next_pts, jump);
    return !gop->wanted;
}

uint64_t source_gop_leave_out(struct source_gop *gop, const struct gaps_jump *jump)
{
    packet_queue_clear(&gop->packets);
    // The segment before may have begun at a later frame than its first GOP did.
    if (gop->out_until == 0)
        gop->out_from = jump->from > gop->begun_at ? jump->from : gop->begun_at;
    gop->out_until = gop->begun_at = jump->until;
    return gop->about.frames;
}

void source_gop_tell(struct source_gop *gop, struct source_run *run)
{
    run->gap_from = gop->out_from;
    run->gap_until = gop->out_until;
    gop->out_from = gop->out_until = 0;
}

void source_gop_clear(struct source_gop *gop)
{
    packet_queue_clear(&gop->packets);
}
