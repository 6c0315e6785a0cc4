#include "source.h"

#include "bitstream.h"
#include "cutter.h"
#include "packet_queue.h"
#include "plan.h"
#include "source_facts.h"
#include "source_gop.h"
#include "source_reader.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TICKS 1e18
// Of a segment, towards the end of the video.
#define SHORTEST_S 0.5

struct source {
    struct source_reader reader;
    struct packet_queue ahead; // read for the head, not yet given out
    struct bitstream *bitstream;
    struct cutter cutter;
    bool cut;

    // Packets leave in the order flow (the running segment's), then held (the next segment's, or not yet known), by way of the chunk.
    struct packet_queue flow, next_flow, held;
    bool segment_ends; // behind flow; next_flow goes on
    bool all_cut;      // the cutter knows of the end
    int64_t next_keep_from;
    struct chunk *chunk;
    uint64_t chunk_frames;
    int64_t chunk_last_pts;
    uint32_t segment, sequence;
    int64_t keep_from;

    // Where something is left out, packets leave the flow by way of their GOP.
    struct source_gop gop;

    const char *note; // the cutter's
};

// ---- Opening ----

static struct source *new_source(void)
{
    struct source *s = mem_zalloc(sizeof(*s));

    s->keep_from = INT64_MIN;
    s->chunk_last_pts = AV_NOPTS_VALUE;
    return s;
}

// Before 6.1 the ffmpeg program guesses the frame rate when the first frame is there, which may be otherwise than when the file was opened: the
// library has looked at more packets then, and goes back to the first.
static int read_first(struct source *s, char **why)
{
    AVPacket *packet;
    int err = AVX_FFTOOLS_6_1 || s->reader.pictures ? AVERROR_EOF : source_reader_next(&s->reader, &packet, why);

    if (err >= 0)
        packet_queue_put(&s->ahead, &packet);
    return err == AVERROR_EOF ? 0 : err;
}

// The reader is open, unless err says that it could not be.
static int finish_open(struct source *s, int err, struct source_facts *facts, char **why)
{
    const AVCodecParameters *par;

    if (err < 0)
        return err;
    par = s->reader.video->codecpar;
    s->bitstream = bitstream_new(source_facts_codec(par), par->extradata, par->extradata_size > 0 ? (size_t)par->extradata_size : 0, par->height);
    err = read_first(s, why);
    if (err >= 0)
        source_facts_fill(facts, s->reader.input, s->reader.video, s->reader.start_us);
    return err;
}

int source_open(struct source **source, const char *path, struct source_facts *facts, char **why)
{
    struct source *s = new_source();
    int err = source_reader_open(&s->reader, path, why);

    err = finish_open(s, err, facts, why);
    if (err < 0)
        source_close(&s);
    else
        *source = s;
    return err;
}

int source_open_pictures(struct source **source, const char *path, const struct pictures_setup *setup, struct source_facts *facts, char **why)
{
    struct source *s = new_source();
    const struct source_reader *reader = &s->reader;
    int err = source_reader_open_pictures(&s->reader, path, setup, why);

    err = finish_open(s, err, facts, why);
    if (err < 0) {
        source_close(&s);
        return err;
    }
    facts->pictures = true;
    facts->pictures_missing = setup->missing;
    facts->frames = pictures_count(reader->pictures);
    facts->keyframe_gap_s = av_q2d(av_inv_q(reader->picture_rate));
    facts->duration_s = (double)facts->frames * facts->keyframe_gap_s;
    *source = s;
    return 0;
}

char *source_picture_path(const struct source *s, int64_t pts)
{
    return s->reader.pictures ? pictures_path(s->reader.pictures, pts) : NULL;
}

// ---- The head ----

int source_head(struct source *s, size_t min_packets, size_t min_bytes, struct chunk_list *head, bool *eof, char **why)
{
    const struct source_reader *reader = &s->reader;
    struct packet_queue *q = &s->ahead;
    struct chunk *chunk = NULL;
    size_t bytes = 0;
    uint32_t sequence = 0;
    AVPacket *packet;
    int err = 0;

    for (size_t i = q->first; i < q->count; i++)
        bytes += (size_t)q->packets[i]->size;
    while (q->count - q->first < min_packets || bytes < min_bytes) {
        err = source_reader_next(&s->reader, &packet, why);
        if (err == AVERROR_EOF)
            break;
        if (err < 0)
            return err;
        bytes += (size_t)packet->size;
        packet_queue_put(q, &packet);
    }
    if (packet_queue_empty(q))
        return err_why(why, reader->read_error ? reader->read_error : AVERROR_INVALIDDATA, "%s: its video stream is empty%s%s", reader->path,
                       reader->read_error ? ": " : "", reader->read_error ? err_text(reader->read_error) : "");
    for (size_t i = q->first; i < q->count; i++) {
        packet = av_packet_clone(q->packets[i]);
        if (!packet) {
            chunk_free(&chunk);
            return err_why(why, AVERROR(ENOMEM), "%s: %s", reader->path, err_text(AVERROR(ENOMEM)));
        }
        if (!chunk)
            chunk = chunk_new(sequence++);
        chunk_take(chunk, &packet);
        if (chunk_full(chunk))
            chunk_list_put(head, &chunk);
    }
    if (chunk)
        chunk_list_put(head, &chunk);
    *eof = reader->ended;
    return 0;
}

// ---- Cutting ----

void source_start(struct source *s, bool cut, double segment_s, double taper_s)
{
    double tick_s = av_q2d(s->reader.video->time_base), ticks = tick_s > 0 ? segment_s / tick_s : 0;

    s->cut = cut && segment_s > 0 && ticks < MOST_TICKS;
    cutter_init(&s->cutter, s->cut ? llrint(ticks) : INT64_MAX, source_facts_reorder(s->reader.video->codecpar), tick_s);
    if (s->cut && taper_s / tick_s < MOST_TICKS)
        cutter_taper(&s->cutter, llrint(taper_s / tick_s), llrint(PLAN_SHORTEST_S / tick_s), llrint(SHORTEST_S / tick_s));
}

void source_leave_out(struct source *s, const struct gaps *gaps)
{
    source_gop_init(&s->gop, gaps);
    cutter_init(&s->cutter, 1, source_facts_reorder(s->reader.video->codecpar), av_q2d(s->reader.video->time_base));
}

static void put_in_chunk(struct source *s, AVPacket **packet)
{
    if (!s->chunk)
        s->chunk = chunk_new(s->sequence);
    if ((*packet)->pts != AV_NOPTS_VALUE && (*packet)->pts > s->chunk_last_pts)
        s->chunk_last_pts = (*packet)->pts;
    // Counted when it was looked at; opaque is of no other use on the way.
    s->chunk_frames += (uint64_t)(uintptr_t)(*packet)->opaque;
    (*packet)->opaque = NULL;
    chunk_take(s->chunk, packet);
}

static void give_chunk(struct source *s, struct source_run *run, bool last)
{
    *run = (struct source_run){
        .segment = s->segment,
        .first = s->sequence == 0,
        .keep_from = s->keep_from,
        .keep_to = INT64_MAX, // cuts are proven: nothing of a segment is shown behind the next one's start
        .chunk = s->chunk,
        .frames_hint = s->chunk_frames,
        .last_pts = s->chunk_last_pts,
    };
    if (run->first)
        source_gop_tell(&s->gop, run);
    s->chunk->last = last;
    s->chunk = NULL;
    s->chunk_frames = 0;
    s->chunk_last_pts = AV_NOPTS_VALUE;
    s->sequence++;
}

static void follow(struct source *s, struct cutter_step step)
{
    if (step.held == CUTTER_JOIN)
        packet_queue_move(&s->flow, &s->held);
    if (step.held == CUTTER_CUT) {
        packet_queue_move(&s->next_flow, &s->held);
        s->segment_ends = true;
        s->next_keep_from = step.cut_pts;
    }
}

static bool has_side_data(const AVPacket *packet, enum AVPacketSideDataType type)
{
    return av_packet_get_side_data(packet, type, NULL) != NULL;
}

// Some demuxers repeat the extradata with the first packet.
static bool changes_parameters(const struct source *s, const AVPacket *packet)
{
    const AVCodecParameters *par = s->reader.video->codecpar;
    size_t size = 0;
    const uint8_t *extradata = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);

    if (extradata && (par->extradata_size < 0 || size != (size_t)par->extradata_size || (size && memcmp(extradata, par->extradata, size) != 0)))
        return true;
    return has_side_data(packet, AV_PKT_DATA_PARAM_CHANGE);
}

// Takes the packet to the queue that it belongs to.
static int sort_in(struct source *s, AVPacket **packet, char **why)
{
    struct bitstream_facts look = bitstream_look(s->bitstream, (*packet)->data, (size_t)(*packet)->size);
    struct cutter_packet p = {
        .pts = (*packet)->pts == AV_NOPTS_VALUE ? CUTTER_NO_TIME : (*packet)->pts,
        .dts = (*packet)->dts == AV_NOPTS_VALUE ? CUTTER_NO_TIME : (*packet)->dts,
        .size_bytes = (size_t)(*packet)->size,
        .has_order = look.has_order,
        .order = look.order,
        .key = (*packet)->flags & AV_PKT_FLAG_KEY,
        .random_access = look.random_access,
        .discard = (*packet)->flags & AV_PKT_FLAG_DISCARD,
        .corrupt = (*packet)->flags & AV_PKT_FLAG_CORRUPT,
        .palette = has_side_data(*packet, AV_PKT_DATA_PALETTE),
        .changed = look.changed || changes_parameters(s, *packet),
    };
    struct cutter_step step = {.held = CUTTER_WAIT};

    if (s->cut || s->gop.gaps) {
        step = cutter_put(&s->cutter, &p);
        if (s->cutter.late && s->gop.gaps)
            return err_why(why, ERR_AGAIN_DECODING_ALL, "timestamps go back");
        if (s->cutter.late)
            return err_why(why, ERR_AGAIN_ONE_SEGMENT, "%s: timestamps go back from %.2f s to %.2f s", s->reader.path,
                           source_reader_seconds(&s->reader, s->cutter.max_pts), source_reader_seconds(&s->reader, p.pts));
        follow(s, step);
    }
    (*packet)->opaque = (void *)(uintptr_t)(p.discard ? 0 : look.frames);
    packet_queue_put(step.hold ? &s->held : s->segment_ends ? &s->next_flow : &s->flow, packet);
    return 0;
}

static int take_in(struct source *s, char **why)
{
    AVPacket *packet = packet_queue_take(&s->ahead);
    int err = packet ? 0 : source_reader_next(&s->reader, &packet, why);

    if (err >= 0) {
        err = sort_in(s, &packet, why);
        av_packet_free(&packet);
        return err;
    }
    if (err != AVERROR_EOF)
        return err;
    err = source_reader_check(&s->reader, why);
    if (err < 0)
        return err;
    if ((s->cut || s->gop.gaps) && !s->all_cut) {
        follow(s, cutter_end(&s->cutter));
        s->note = s->cut ? cutter_note(&s->cutter) : NULL;
    }
    s->all_cut = true;
    return 0;
}

static void next_segment(struct source *s, int64_t keep_from)
{
    s->segment++;
    s->sequence = 0;
    s->keep_from = keep_from;
}

// Moves what is certain into the chunk. True when a run is complete.
static bool fill_chunk(struct source *s, struct packet_queue *certain, struct source_run *run)
{
    while (!packet_queue_empty(certain)) {
        AVPacket *packet;

        // Not before there is more: the last chunk of a segment has to be known as such.
        if (s->chunk && chunk_full(s->chunk)) {
            give_chunk(s, run, false);
            return true;
        }
        packet = packet_queue_take(certain);
        put_in_chunk(s, &packet);
    }
    return false;
}

// The last one of the video.
static bool end_chunk(struct source *s, struct source_run *run)
{
    if (!s->all_cut || !s->chunk)
        return false;
    give_chunk(s, run, true);
    return true;
}

static bool fill_run(struct source *s, struct source_run *run)
{
    if (fill_chunk(s, &s->flow, run))
        return true;
    if (s->segment_ends) {
        give_chunk(s, run, true);
        s->segment_ends = false;
        next_segment(s, s->next_keep_from);
        packet_queue_move(&s->flow, &s->next_flow);
        return true;
    }
    return end_chunk(s, run);
}

// Behind the GOP comes the next one, or the end of the video.
static void end_gop(struct source *s)
{
    s->segment_ends = false;
    packet_queue_move(&s->flow, &s->next_flow);
    source_gop_next(&s->gop);
}

// fill_run, for a video that is not cut: a segment ends where something is left out.
static bool fill_run_with_gaps(struct source *s, struct source_run *run)
{
    struct source_gop *gop = &s->gop;

    for (;;) {
        bool whole = s->segment_ends || s->all_cut;
        struct gaps_jump jump;

        source_gop_fill(gop, &s->flow, s->cutter.stopped);
        if (whole && source_gop_needless(gop, s->segment_ends ? s->next_keep_from : GAPS_NO_TIME, &jump)) {
            if (s->chunk) {
                give_chunk(s, run, true);
                next_segment(s, INT64_MIN);
            } else {
                run->frames_hint = source_gop_leave_out(gop, &jump);
                s->keep_from = jump.keep_from;
                end_gop(s);
            }
            return true;
        }
        if (gop->wanted && fill_chunk(s, &gop->packets, run))
            return true;
        if (!s->segment_ends)
            return gop->wanted && end_chunk(s, run);
        end_gop(s);
    }
}

int source_next(struct source *s, struct source_run *run, char **why)
{
    int err;

    memset(run, 0, sizeof(*run));
    while (s->gop.gaps ? !fill_run_with_gaps(s, run) : !fill_run(s, run)) {
        if (s->all_cut) {
            run->eof = true;
            source_gop_tell(&s->gop, run);
            return 0;
        }
        err = take_in(s, why);
        if (err < 0)
            return err;
    }
    return 0;
}

const char *source_damage(const struct source *s)
{
    return s->reader.damage;
}

const char *source_cut_note(const struct source *s)
{
    return s->note;
}

void source_close(struct source **source)
{
    struct source *s = *source;

    if (!s)
        return;
    *source = NULL;
    packet_queue_clear(&s->ahead);
    packet_queue_clear(&s->flow);
    packet_queue_clear(&s->next_flow);
    packet_queue_clear(&s->held);
    source_gop_clear(&s->gop);
    chunk_free(&s->chunk);
    bitstream_free(&s->bitstream);
    source_reader_close(&s->reader);
    free(s);
}
