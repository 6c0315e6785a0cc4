// What becomes of frames in a renderer: decoded or taken from memory between stages, filtered, and encoded or put into such memory. A frame is a
// number, and so is all that is in it.
#include "renderers.h"

#include "common/arena.h"
#include "common/mem.h"

#include "coordinator/simulate/gray_video.h"

#include <stdlib.h>
#include <string.h>

enum { FRAMES_IN_CHUNK = 4 };

static struct frame *add_frame(struct renderer_process *r)
{
    if (r->frame_count == r->frame_room) {
        r->frame_room = r->frame_room ? 2 * r->frame_room : 64;
        r->frames = mem_grow(r->frames, r->frame_room, sizeof(*r->frames));
    }
    return &r->frames[r->frame_count++];
}

void frames_take(struct renderer_process *r, const AVPacket *packet)
{
    struct frame *frame = add_frame(r);

    frame->number = (unsigned)(packet->pts / PTS_STEP);
    frame->core = r->job.takes ? packet->flags == STAGE_CORE : packet->pts >= r->keep_from && packet->pts < r->keep_to;
    if (!r->job.takes) {
        frame->value = media_decoded(&r->job.video->shape, frame->number);
        return;
    }
    const uint64_t *slot = (const uint64_t *)(const void *)arena_slot(r->job.video->farm->arena, (uint32_t)packet->pos);

    if (!slot || slot[0] != frame->number)
        world_violated("renderer %u gets frame %u, and the slot holds another", r->slot, frame->number);
    frame->value = slot[1];
    if (!r->job.lent)
        arena_release(r->job.video->farm->arena, (uint32_t)packet->pos);
}

// As media.c expects it, but over the frames that are here.
void frames_filter(struct renderer_process *r)
{
    size_t from = r->job.windows ? 0 : r->filtered, count = r->frame_count;
    uint64_t *out;

    if (r->filtered == count)
        return;
    out = mem_zalloc(count * sizeof(*out));
    for (unsigned f = 0; f < r->job.filter_count; f++) {
        const struct filter *filter = &r->job.filters[f];

        for (size_t i = from; i < count; i++) {
            out[i] = media_mix(r->frames[i].value, filter->id);
            if (filter->kind == FILTER_STATE)
                out[i] = r->states[f] = media_mix(r->states[f], out[i]);
            for (size_t j = i > filter->before ? i - filter->before : 0; filter->kind == FILTER_WINDOW && j <= i + filter->after && j < count; j++)
                out[i] = media_mix(out[i], r->frames[j].value);
            if (filter->kind != FILTER_WINDOW)
                out[i] = media_mix(out[i], r->frames[i].value);
        }
        for (size_t i = from; i < count; i++)
            r->frames[i].value = out[i];
    }
    free(out);
    r->filtered = count;
}

static AVPacket *encoded_packet(const struct shape *shape, const struct frame *frame)
{
    AVPacket *packet = av_packet_alloc();
    uint64_t head[2] = {frame->number, frame->value};

    if (!packet || av_new_packet(packet, (int)media_packet_bytes(shape, frame->number, true)) < 0)
        abort();
    memset(packet->data, 0, (size_t)packet->size);
    memcpy(packet->data, head, sizeof(head));
    packet->pts = packet->dts = (int64_t)frame->number * PTS_STEP;
    packet->flags = AV_PKT_FLAG_KEY;
    return packet;
}

// NULL: there is no free slot.
static AVPacket *raw_packet(const struct renderer_process *r, const struct frame *frame)
{
    uint64_t *pixels;
    uint32_t slot;

    if (arena_try(r->job.video->farm->arena, r->job.first, r->job.count, r->taker, &slot) < 0)
        return NULL;
    pixels = (uint64_t *)(void *)arena_slot(r->job.video->farm->arena, slot);
    pixels[0] = frame->number;
    pixels[1] = frame->value;
    return gray_video_frame(slot, (int64_t)frame->number * PTS_STEP, PTS_STEP, 24);
}

bool frames_give(struct renderer_process *r)
{
    size_t ready = r->job.windows && !r->input_ended ? 0 : r->filtered;
    struct chunk *chunk;
    bool ends;

    if (r->credit == 0 || r->last_sent || (r->given == ready && !(r->input_ended && r->filtered == r->frame_count)))
        return false;
    chunk = chunk_new(r->out_sequence);
    while (r->given < ready && chunk->packet_count < FRAMES_IN_CHUNK) {
        const struct frame *frame = &r->frames[r->given];
        AVPacket *packet;

        if (frame->core) {
            packet = r->job.gives ? raw_packet(r, frame) : encoded_packet(&r->job.video->shape, frame);
            if (!packet)
                break;
            chunk_take(chunk, &packet);
        }
        r->given++;
    }
    ends = r->input_ended && r->given == r->frame_count;
    if (chunk->packet_count == 0 && !ends) {
        chunk_free(&chunk);
        return false;
    }
    chunk->last = r->last_sent = ends;
    r->out_sequence++;
    r->credit--;
    r->packets += chunk->packet_count;
    network_say_chunk(r, chunk);
    chunk_free(&chunk);
    return true;
}
