#include "writer.h"

#include "timeline.h"

#include "common/err.h"
#include "common/mem.h"

#include <libavcodec/packet.h>
#include <libavutil/avutil.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    struct sink *sink;
    struct timeline timeline;
    AVPacket *held[TIMELINE_MAX_DELAY + 1]; // packets whose decode time is not certain yet
    size_t held_count;
    uint32_t segment;     // that is being written
    int64_t past_pts;     // greatest of the segments before
    int64_t greatest_pts; // greatest so far
};

struct writer *writer_new(struct sink *sink, unsigned reorder_delay, int64_t frame_step)
{
    struct writer *w = mem_zalloc(sizeof(*w));

    w->sink = sink;
    w->past_pts = w->greatest_pts = INT64_MIN;
    timeline_init(&w->timeline, reorder_delay < TIMELINE_MAX_DELAY ? reorder_delay : TIMELINE_MAX_DELAY, frame_step);
    return w;
}

static void release(struct writer *w, struct chunk *out, const int64_t *dts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        w->held[i]->dts = dts[i];
        chunk_take(out, &w->held[i]);
    }
    w->held_count -= count;
    memmove(w->held, w->held + count, w->held_count * sizeof(w->held[0]));
}

// Damaged video may have frames without a time, or go back in time. Where the encoder holds nothing back that is seen here, and ends like in ffmpeg:
// the frame is shown with the one before it.
static void lift(const struct writer *w, AVPacket *packet)
{
    bool seen_in_segment = w->greatest_pts != INT64_MIN && w->greatest_pts != w->past_pts;

    if (w->timeline.delay == 0 && seen_in_segment && (packet->pts == AV_NOPTS_VALUE || packet->pts < w->greatest_pts))
        packet->pts = w->greatest_pts;
}

int writer_write(struct writer *w, uint32_t segment, struct chunk **chunk, char **why)
{
    struct chunk *out = chunk_new(0);
    int64_t dts[TIMELINE_MAX_DELAY + 1];
    size_t certain;
    int err = 0;

    if (segment != w->segment) {
        w->segment = segment;
        w->past_pts = w->greatest_pts;
    }
    for (size_t i = 0; i < (*chunk)->packet_count; i++) {
        AVPacket **packet = &(*chunk)->packets[i];
        int64_t pts;

        lift(w, *packet);
        pts = (*packet)->pts;
        // Nothing in the whole video has had a time yet (a filter such as repeatfields forgets it): the muxer counts, as it does for ffmpeg.
        if (pts == AV_NOPTS_VALUE && w->timeline.delay == 0 && w->greatest_pts == INT64_MIN) {
            chunk_take(out, packet);
            continue;
        }
        if (pts == AV_NOPTS_VALUE) {
            err = err_why(why, -ERANGE, "segment %u: the encoder gave a packet without a timestamp", segment);
            goto done;
        }
        if (w->past_pts != INT64_MIN && pts < w->past_pts) {
            err = err_why(why, ERR_AGAIN_ONE_SEGMENT, "segment %u does not begin where the one before it ended (its frames overlap)", segment);
            goto done;
        }
        if (pts > w->greatest_pts)
            w->greatest_pts = pts;
        w->held[w->held_count++] = *packet;
        *packet = NULL;
        err = timeline_put(&w->timeline, pts, dts, &certain);
        if (err < 0) {
            err_why(why, err, "segment %u: the encoder holds frames back by more than %zu, which it did not announce", segment, w->timeline.delay);
            goto done;
        }
        release(w, out, dts, certain);
    }
    if (out->packet_count > 0)
        err = sink_write(w->sink, &out, why);

done:
    // chunk_free skips the packets that moved on.
    chunk_free(&out);
    chunk_free(chunk);
    return err;
}

int writer_finish(struct writer *w, char **why)
{
    struct chunk *out = chunk_new(0);
    int64_t dts[TIMELINE_MAX_DELAY + 1];
    size_t certain;
    int err = 0;

    timeline_end(&w->timeline, dts, &certain);
    release(w, out, dts, certain);
    if (out->packet_count > 0)
        err = sink_write(w->sink, &out, why);
    chunk_free(&out);
    if (!err)
        err = sink_finish(w->sink, why);
    return err;
}

void writer_free(struct writer **writer)
{
    struct writer *w = *writer;

    if (!w)
        return;
    for (size_t i = 0; i < w->held_count; i++)
        av_packet_free(&w->held[i]);
    free(w);
    *writer = NULL;
}
