#include "stage.h"

#include "common/err.h"
#include "common/frames.h"
#include "common/mem.h"
#include "common/packets.h"

#include <libavcodec/packet.h>
#include <libavutil/pixdesc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void stage_init(struct stage *s, uint32_t number, const struct plan_stage *plan, const Wire__Job *job)
{
    *s = (struct stage){.plan = plan, .job = *job, .last_pts = INT64_MIN};
    s->scheduler = scheduler_new();
    s->assembler = assembler_new();
    s->history = mem_zalloc((plan->before + 1) * sizeof(*s->history));
    if (plan->filters)
        s->job.filters = plan->filters;
    s->job.id = STAGE_JOB_FIRST + 2 * number;
    s->job.sink_format = plan->sink_format;
    s->job.has_takes_frames = s->job.has_gives_frames = 1;
    s->job.takes_frames = !plan->decode;
    s->job.gives_frames = !plan->encode;
    s->job.has_lent = s->job.lent = !plan->decode && plan->parallel;
    s->job.has_keeps_graph = s->job.keeps_graph = plan->keeps_graph;
    s->job.has_rests = s->job.rests = plan->rests;
    s->job_known = plan->decode;
    wire__arena__init(&s->slots);
}

// True: there is somebody to tell of it.
static bool let_go_all(struct stage *s, const struct chunk *chunk)
{
    bool free_now = false;

    for (size_t i = 0; i < chunk->packet_count; i++)
        if (chunk->packets[i]->pos >= 0)
            free_now |= arena_let_go(s->arena, (uint32_t)chunk->packets[i]->pos);
    return free_now;
}

static void drop_frames(void *data, struct chunk **chunk)
{
    struct stage *s = data;

    if (let_go_all(s, *chunk))
        arena_tell(s->arena);
    chunk_free(chunk);
}

void stage_set_arena(struct stage *s, struct arena *arena)
{
    s->arena = arena;
    if (s->job.gives_frames)
        assembler_set_drop(s->assembler, drop_frames, s);
}

void stage_accept(struct stage *s, const struct chunk *chunk)
{
    for (size_t i = 0; s->job.gives_frames && i < chunk->packet_count; i++)
        if (chunk->packets[i]->pos >= 0)
            arena_accept(s->arena, (uint32_t)chunk->packets[i]->pos);
}

Wire__Job stage_copy_job(struct stage *s, const Wire__CodecParameters *encoded)
{
    const Wire__Rational *aspect = encoded->sample_aspect_ratio;
    Wire__Job job = s->job;

    free(s->copy_filters);
    s->copy_filters =
        mem_format("scale=%d:%d,setsar=%d/%d:max=2147483647", encoded->width, encoded->height, aspect->num, aspect->den > 0 ? aspect->den : 1);
    job.id++;
    // A renderer that begins with this one gets others with the filters.
    if (!job.whole_filters)
        job.whole_filters = job.filters;
    job.filters = s->copy_filters;
    job.sink_format = (char *)(uintptr_t)av_get_pix_fmt_name((enum AVPixelFormat)encoded->format); // packing only reads
    return job;
}

void stage_on_frames(struct stage *s, struct shelf_segment *segment, uint64_t frames, bool ready)
{
    segment->ready |= ready;
    if (!segment->settled)
        scheduler_on_frames(s->scheduler, segment->number, frames, segment->ready && !segment->held_back);
}

void stage_let_go(struct stage *s, uint32_t number)
{
    struct shelf_segment *segment = shelf_find(&s->shelf, number);

    if (!segment)
        return;
    segment->held_back = false;
    stage_on_frames(s, segment, 0, false);
}

static void release_frames(struct stage *s, const struct chunk_list *chunks)
{
    bool free_now = false;

    for (const struct chunk *chunk = chunks->first; s->job.lent && chunk; chunk = chunk->next)
        free_now |= let_go_all(s, chunk);
    if (free_now)
        arena_tell(s->arena);
}

void stage_settle(struct stage *s, uint32_t number)
{
    struct shelf_segment *segment = shelf_find(&s->shelf, number);

    scheduler_on_settled(s->scheduler, number);
    if (!segment)
        return;
    release_frames(s, &segment->chunks);
    if (segment->complete) {
        shelf_remove(&s->shelf, number);
    } else {
        segment->settled = true;
        shelf_drop(&s->shelf, segment);
    }
}

void stage_skip(struct stage *s, uint32_t number)
{
    stage_settle(s, number);
    assembler_settle(s->assembler, number);
}

void stage_on_done(struct stage *s, uint32_t number)
{
    const struct shelf_segment *segment = shelf_find(&s->shelf, number);

    if (segment)
        release_frames(s, &segment->chunks);
    shelf_remove(&s->shelf, number);
}

void stage_on_lost(struct stage *s, uint32_t number, uint32_t renderer)
{
    struct shelf_segment *segment = shelf_find(&s->shelf, number);

    if (segment)
        shelf_lost(&s->shelf, segment);
    assembler_restart(s->assembler, number);
    if (s->job.gives_frames)
        arena_reclaim(s->arena, renderer);
}

bool stage_can_repeat(const struct stage *s, uint32_t number)
{
    const struct shelf_segment *segment = shelf_find(&s->shelf, number);

    return segment && segment->repeatable && (s->plan->decode || s->job.lent);
}

void stage_clear(struct stage *s)
{
    if (s->job_known && !s->plan->decode) {
        free(s->job.input_time_base);
        free(s->job.input_frame_rate);
    }
    scheduler_free(&s->scheduler);
    assembler_free(&s->assembler);
    shelf_clear(&s->shelf);
    chunk_free(&s->open);
    for (size_t i = 0; i < s->history_count; i++)
        av_packet_free(&s->history[i]);
    free(s->history);
    free(s->gaps);
    free(s->copy_filters);
}

// The link's facts come with every frame; those of the first hold.
static int take_link(struct stage *s, const AVPacket *packet)
{
    Wire__Frame *frame = frames_describe(packet);

    if (!frame)
        return -EPROTO;
    s->job.input_time_base = packets_rational_to_wire(packets_rational_from_wire(frame->time_base));
    s->job.input_frame_rate = packets_rational_to_wire(packets_rational_from_wire(frame->frame_rate));
    s->job.has_bits_per_raw_sample = s->job.has_untouched = 1;
    s->job.bits_per_raw_sample = frame->bits_per_raw_sample;
    s->job.untouched = frame->untouched;
    s->job_known = true;
    wire__frame__free_unpacked(frame, NULL);
    return 0;
}

static struct shelf_segment *segment_of(struct stage *s, uint32_t run)
{
    struct shelf_segment *segment = shelf_find(&s->shelf, run);

    if (!segment) {
        scheduler_on_segment(s->scheduler, run);
        segment = shelf_add(&s->shelf, run);
        segment->keep_from = INT64_MIN;
        segment->keep_to = INT64_MAX;
        segment->held_back = s->holds_back;
    }
    return segment;
}

static void flush(struct stage *s)
{
    struct shelf_segment *segment;

    if (!s->open)
        return;
    segment = segment_of(s, s->open_run);
    s->open->sequence = segment->next_sequence++;
    if (segment->settled) {
        bool last = s->open->last;

        drop_frames(s, &s->open);
        if (last)
            shelf_remove(&s->shelf, s->open_run);
        return;
    }
    shelf_put(&s->shelf, segment, &s->open);
    stage_on_frames(s, segment, 0, true);
}

static void note_time(struct shelf_segment *segment, const AVPacket *packet)
{
    if (segment->time_count == segment->time_room) {
        segment->time_room = segment->time_room ? 2 * segment->time_room : 64;
        segment->times = mem_grow(segment->times, segment->time_room, sizeof(*segment->times));
    }
    segment->times[segment->time_count++] = packet->pts;
    segment->damaged |= (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
}

// packet is copied (its bytes are shared); NULL only ends the run.
static void put(struct stage *s, uint32_t run, const AVPacket *packet, int role, bool last)
{
    // At a run's beginning what a wide window looks back at is more than one chunk.
    if (s->open && (s->open_run != run || s->open->packet_count == CHUNK_MAX_PACKETS))
        flush(s);
    if (!s->open) {
        s->open = chunk_new(0);
        s->open_run = run;
    }
    if (packet) {
        AVPacket *copy = av_packet_clone(packet);

        if (!copy)
            abort(); // small allocations succeed or the process ends, see mem.h
        copy->flags = role;
        chunk_take(s->open, &copy);
        segment_of(s, run)->last_pts = packet->pts;
        if (role == STAGE_CORE && segment_of(s, run)->first_pts == INT64_MIN)
            segment_of(s, run)->first_pts = packet->pts;
        if (role == STAGE_CORE && s->notes_times)
            note_time(segment_of(s, run), packet);
        stage_on_frames(s, segment_of(s, run), role == STAGE_CORE, false);
    }
    s->open->last = last;
    if (last)
        flush(s);
}

// It is held for that already, where frames are remembered at all.
static void remember(struct stage *s, AVPacket **packet)
{
    if (s->plan->before == 0) {
        av_packet_free(packet);
        return;
    }
    if (s->history_count == s->plan->before) {
        arena_release(s->arena, (uint32_t)s->history[0]->pos);
        av_packet_free(&s->history[0]);
        memmove(s->history, s->history + 1, --s->history_count * sizeof(*s->history));
    }
    s->history[s->history_count++] = *packet;
    *packet = NULL;
}

static bool has_neighbours(const struct stage *s)
{
    return s->plan->before + s->plan->after > 0;
}

// The run that the next frame belongs to.
static void next_frame(struct stage *s)
{
    if (!s->plan->parallel)
        return;
    if (s->run_length == 0 || s->in_run == s->run_length) {
        s->run += s->run_length > 0;
        s->in_run = 0;
        s->run_length = plan_run_length(s->plan, s->frames);
    }
}

// It will lack frames. False when it is to be rendered: what was in the cache is not there any more.
static bool can_lack_frames(struct stage *s, uint32_t run)
{
    struct shelf_segment *segment = segment_of(s, run);

    segment->lacks_frames = true;
    return segment->held_back || segment->settled;
}

// Where a run begins: whether frames before it are missing that it is to see, because they were passed over.
static bool lacks_history(const struct stage *s)
{
    return s->left_out > 0 && s->history_count < s->plan->before && s->history_count < s->frames;
}

// One frame; it may be part of up to three runs. Returns 0 or ERR_AGAIN_DECODING_ALL.
static int deal_frame(struct stage *s, AVPacket **packet)
{
    unsigned after = s->plan->after;
    bool first;

    next_frame(s);
    first = s->in_run == 0;
    if (first && lacks_history(s) && !can_lack_frames(s, s->run))
        return ERR_AGAIN_DECODING_ALL;
    s->frames++;
    s->in_run++;
    if (s->run > s->closed && s->in_run <= after) {
        arena_hold(s->arena, (uint32_t)(*packet)->pos);
        put(s, s->run - 1, *packet, STAGE_AFTER, s->in_run == after);
    }
    for (size_t i = 0; s->plan->parallel && first && i < s->history_count; i++) {
        arena_hold(s->arena, (uint32_t)s->history[i]->pos);
        put(s, s->run, s->history[i], STAGE_BEFORE, false);
    }
    // Before it is dealt: of a run that the cache has it is let go at once, and whoever makes frames takes what nobody holds.
    if (s->plan->before > 0)
        arena_hold(s->arena, (uint32_t)(*packet)->pos);
    put(s, s->run, *packet, STAGE_CORE, s->plan->parallel && after == 0 && s->in_run == s->run_length);
    remember(s, packet);
    return 0;
}

int stage_feed(struct stage *s, struct chunk **chunk)
{
    int err = 0;

    for (size_t i = 0; i < (*chunk)->packet_count && !err; i++) {
        AVPacket **packet = &(*chunk)->packets[i];

        if ((*packet)->pos < 0 || !arena_slot(s->arena, (uint32_t)(*packet)->pos))
            err = -EPROTO;
        else if (!s->job_known)
            err = take_link(s, *packet);
        if (!err && has_neighbours(s) && (*packet)->pts <= s->last_pts)
            err = -ERANGE;
        if (err)
            break;
        s->last_pts = (*packet)->pts;
        err = deal_frame(s, packet);
    }
    flush(s);
    chunk_free(chunk);
    return err;
}

void stage_on_gap(struct stage *s, uint32_t segment, uint64_t from, uint64_t until)
{
    s->gaps = mem_grow(s->gaps, s->gap_count + 1, sizeof(*s->gaps));
    s->gaps[s->gap_count++] = (struct stage_gap){segment, from, until};
}

static void close_run(struct stage *s, uint32_t run)
{
    put(s, run, NULL, STAGE_CORE, true);
    s->closed = run + 1;
}

static void forget_history(struct stage *s)
{
    for (size_t i = 0; i < s->history_count; i++) {
        arena_release(s->arena, (uint32_t)s->history[i]->pos);
        av_packet_free(&s->history[i]);
    }
    s->history_count = 0;
}

// As deal_frame, for so many frames that are not there.
static int pass_over(struct stage *s, uint64_t until)
{
    forget_history(s);
    while (s->frames < until) {
        uint64_t left = until - s->frames, step;

        next_frame(s);
        if (s->run > s->closed && s->in_run < s->plan->after) {
            if (!can_lack_frames(s, s->run - 1))
                return ERR_AGAIN_DECODING_ALL;
            close_run(s, s->run - 1);
        }
        if (!can_lack_frames(s, s->run))
            return ERR_AGAIN_DECODING_ALL;
        step = s->run_length - s->in_run < left ? s->run_length - s->in_run : left;
        s->frames += step;
        s->left_out += step;
        s->in_run += step;
        if (s->in_run == s->run_length)
            close_run(s, s->run);
    }
    return 0;
}

int stage_reach(struct stage *s, uint32_t segment)
{
    size_t reached = 0;

    for (; reached < s->gap_count && s->gaps[reached].segment <= segment; reached++)
        if (s->frames != s->gaps[reached].from || pass_over(s, s->gaps[reached].until) < 0)
            return ERR_AGAIN_DECODING_ALL;
    s->gap_count -= reached;
    if (reached > 0)
        memmove(s->gaps, s->gaps + reached, s->gap_count * sizeof(*s->gaps));
    return 0;
}

void stage_feed_end(struct stage *s)
{
    if (s->input_ended)
        return;
    s->input_ended = true;
    if (!s->plan->parallel) {
        put(s, 0, NULL, STAGE_CORE, true);
    } else if (s->frames > 0) {
        // The run before still waits for neighbours that will not come.
        if (s->run > s->closed && s->in_run < s->plan->after)
            put(s, s->run - 1, NULL, STAGE_CORE, true);
        if (s->run >= s->closed && (s->in_run < s->run_length || s->plan->after > 0))
            put(s, s->run, NULL, STAGE_CORE, true);
    }
    scheduler_on_input_end(s->scheduler);
}

bool stage_finished(const struct stage *s)
{
    return scheduler_finished(s->scheduler) && assembler_empty(s->assembler);
}

bool stage_has_room(const struct stage *s, uint32_t number)
{
    uint32_t head = assembler_head(s->assembler);
    uint64_t runs;

    if (!s->job.gives_frames || !s->plan->parallel || number == head)
        return true;
    runs = scheduler_outstanding(s->scheduler) + scheduler_is_waiting(s->scheduler, head) + 1;
    return runs * s->plan->run_frames + s->reserve <= s->slots.count;
}
