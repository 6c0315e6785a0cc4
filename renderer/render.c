#include "render.h"

#include "decode.h"
#include "encode.h"
#include "filter.h"
#include "probe.h"
#include "common/avx.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/fingerprint.h"
#include "common/frames.h"
#include "common/mem.h"
#include "common/packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

// Frames that lie in the arena at the same time; a filter or encoder that keeps more of them gets copies, so that it cannot hold up who writes them.
enum { MAX_BORROWED = 4 };

struct render {
    Wire__Job *job;
    struct pool *pool;
    struct arena *arena;   // NULL where no raw frames come or go
    struct filter *filter; // of the last task, where the next one may have it
};

// A task in work. Data flows by pushing: each step hands what it has to the next.
struct run {
    struct render *render;
    const struct render_io *io;
    char **why;
    uint32_t taker;
    int64_t keep_from, keep_to;
    struct decode *decode;
    struct filter *filter;
    struct encode *encode;
    AVFrame *decoded, *filtered;
    AVPacket *packet;
    struct chunk *out;
    uint32_t next_sequence, next_input;
    bool opens_job;       // it is the first
    bool probing, probed; // a probe is over with the first frame
    AVFrame *first;       // that the probe found, without its picture
    bool filters_full;    // the chain wants no more frames
    uint64_t frames_kept, frames_encoded, packets;
    // Of a stage that takes frames: the times of those that this run is to give, in the input's time base.
    int64_t core_from, core_to, end_pts;
    bool core_begun, core_ended;
    uint8_t *fingerprints; // of the frames that were encoded
    size_t fingerprints_size, fingerprints_room;
    uint64_t cpu_ns[3], *cpu_user, cpu_mark_ns;
    uint64_t *helper_marks_ns; // what each of the pool's threads had done before
};

enum { DECODE, FILTER, ENCODE };

// CPU time up to now is booked on whoever had the turn; then it is another's.
static void turn(struct run *run, uint64_t *user)
{
    uint64_t now_ns = clock_thread_cpu_ns() + pool_cpu_ns(run->render->pool);

    if (run->cpu_user)
        *run->cpu_user += now_ns - run->cpu_mark_ns;
    run->cpu_user = user;
    run->cpu_mark_ns = now_ns;
}

static Wire__Job *copy_job(const Wire__Job *job)
{
    size_t size = wire__job__get_packed_size(job);
    uint8_t *bytes = mem_zalloc(size + 1);
    Wire__Job *copy;

    wire__job__pack(job, bytes);
    copy = wire__job__unpack(NULL, size, bytes);
    free(bytes);
    return copy;
}

int render_new(struct render **result, const Wire__Job *job, struct pool *pool, char **why)
{
    struct render *r;
    int err;

    avx_log_install();
    // SVT-AV1 talks to stderr on its own account.
    setenv("SVT_LOG", "1", 0);
    if (job->input_time_base->num <= 0 || job->input_time_base->den <= 0 || job->slices > 1024)
        return err_why(why, AVERROR(EINVAL), "the job makes no sense");
    err = job->takes_frames ? 0 : decode_check(job, why);
    if (err >= 0 && !job->gives_frames)
        err = encode_check(job, why);
    if (err >= 0)
        err = filter_check(job, why);
    if (err < 0)
        return err;
    r = mem_zalloc(sizeof(*r));
    r->pool = pool;
    r->job = copy_job(job);
    if (!r->job) {
        render_free(&r);
        return err_why(why, AVERROR(ENOMEM), "no memory for the job");
    }
    if (job->arena) {
        r->arena = arena_map(ARENA_FD, job->arena->offset, job->arena->slot_bytes, job->arena->slot_count, false);
        if (!r->arena) {
            err = err_why(why, -errno, "the memory for frames cannot be used: %s", err_text(-errno));
            render_free(&r);
            return err;
        }
    } else if (job->gives_frames || (job->takes_frames && !job->lent)) {
        render_free(&r);
        return err_why(why, AVERROR(EINVAL), "the job makes no sense");
    }
    *result = r;
    return 0;
}

void render_free(struct render **render)
{
    struct render *r = *render;

    if (!r)
        return;
    *render = NULL;
    if (r->job)
        wire__job__free_unpacked(r->job, NULL);
    filter_free(&r->filter);
    arena_unmap(&r->arena);
    free(r);
}

static void run_clear(struct run *run)
{
    decode_free(&run->decode);
    filter_free(&run->filter);
    encode_free(&run->encode);
    av_frame_free(&run->decoded);
    av_frame_free(&run->filtered);
    av_frame_free(&run->first);
    av_packet_free(&run->packet);
    chunk_free(&run->out);
    free(run->fingerprints);
    free(run->helper_marks_ns);
}

// A stage whose frames go to another, and that has all filters, ends as if the encoder were here: so its graph negotiates the same formats.
static int next_formats(const Wire__Job *job, char **formats, char **why)
{
    struct encode *encode = NULL;
    int err = encode_new(&encode, job, why);

    if (err >= 0)
        *formats = encode_formats(encode);
    encode_free(&encode);
    return err;
}

static int run_init(struct run *run, struct render *render, const Wire__Task *task, const struct render_io *io, char **why)
{
    char *formats = NULL;
    int err = 0;

    *run = (struct run){.render = render, .io = io, .why = why, .keep_from = task->keep_from, .keep_to = task->keep_to, .taker = task->taker};
    run->decoded = av_frame_alloc();
    run->filtered = av_frame_alloc();
    run->first = av_frame_alloc();
    run->packet = av_packet_alloc();
    run->out = chunk_new(run->next_sequence++);
    run->opens_job = task->segment == 0;
    run->helper_marks_ns = mem_zalloc((size_t)pool_threads(render->pool) * sizeof(*run->helper_marks_ns));
    pool_helpers_cpu_ns(render->pool, run->helper_marks_ns);
    if (!run->decoded || !run->filtered || !run->first || !run->packet)
        return err_why(why, AVERROR(ENOMEM), "no memory for a frame");
    run->core_to = INT64_MAX;
    run->end_pts = AV_NOPTS_VALUE;
    if (!render->job->takes_frames)
        err =
            decode_new(&run->decode, render->job, task->has_extradata ? task->extradata.data : NULL, task->extradata.len, task->decode_threads, why);
    if (err >= 0 && !render->job->gives_frames)
        err = encode_new(&run->encode, render->job, why);
    if (err < 0)
        return err;
    if (run->encode && task->segment > 0)
        encode_count_from_zero(run->encode);
    if (render->job->sink_format)
        formats = mem_format("pix_fmts=%s", render->job->sink_format);
    else if (run->encode)
        formats = encode_formats(run->encode);
    else
        err = next_formats(render->job, &formats, why);
    if (err < 0)
        return err;
    if (render->filter) {
        run->filter = render->filter;
        render->filter = NULL;
        filter_again(run->filter, formats);
    } else {
        err = filter_new(&run->filter, render->job, render->pool, formats);
    }
    free(formats);
    return err;
}

static int put_chunk(struct run *run, bool last)
{
    int err;

    run->out->last = last;
    err = run->io->put(run->io->data, &run->out);
    if (err < 0)
        return err_why(run->why, err, "cancelled");
    run->out = last ? NULL : chunk_new(run->next_sequence++);
    return 0;
}

// run->packet goes to the coordinator, and a new one is there.
static int put_packet(struct run *run)
{
    int err = chunk_full(run->out) ? put_chunk(run, false) : 0;

    if (err < 0)
        return err;
    chunk_take(run->out, &run->packet);
    run->packets++;
    run->packet = av_packet_alloc();
    return run->packet ? 0 : err_why(run->why, AVERROR(ENOMEM), "no memory for a packet");
}

static int drain_encoder(struct run *run)
{
    for (;;) {
        int err = encode_receive(run->encode, run->packet, run->why);

        if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
            return 0;
        if (err >= 0)
            err = put_packet(run);
        if (err < 0)
            return err;
    }
}

static int note_fingerprint(struct run *run)
{
    uint8_t fingerprint[FINGERPRINT_BYTES];
    int err = fingerprint_frame(run->filtered, fingerprint);

    if (err < 0)
        return err_why(run->why, err, "a frame has no fingerprint: %s", err_text(err));
    if (run->render->job->fingerprints == WIRE__FINGERPRINTS__INSTEAD) {
        err = av_new_packet(run->packet, FINGERPRINT_BYTES);
        if (err < 0)
            return err_why(run->why, err, "no memory for a packet");
        memcpy(run->packet->data, fingerprint, FINGERPRINT_BYTES);
        return put_packet(run);
    }
    if (run->fingerprints_size == run->fingerprints_room) {
        run->fingerprints_room = run->fingerprints_room ? run->fingerprints_room * 2 : 64 * FINGERPRINT_BYTES;
        run->fingerprints = mem_grow(run->fingerprints, run->fingerprints_room, 1);
    }
    memcpy(run->fingerprints + run->fingerprints_size, fingerprint, FINGERPRINT_BYTES);
    run->fingerprints_size += FINGERPRINT_BYTES;
    return 0;
}

// The filtered frame's way out of the last stage.
static int encode_frame(struct run *run)
{
    Wire__Fingerprints fingerprints = run->render->job->fingerprints;
    int err = 0;

    if (fingerprints != WIRE__FINGERPRINTS__NONE)
        err = note_fingerprint(run);
    if (err >= 0 && fingerprints != WIRE__FINGERPRINTS__INSTEAD)
        err = encode_send(run->encode, run->filtered, run->why);
    if (err < 0)
        return err;
    run->frames_encoded++;
    return fingerprints != WIRE__FINGERPRINTS__INSTEAD ? drain_encoder(run) : 0;
}

static int bits_per_raw_sample(const struct run *run)
{
    return run->decode ? decode_bits_per_raw_sample(run->decode) : (int)run->render->job->bits_per_raw_sample;
}

static int open_encoder(struct run *run)
{
    struct filter_output output;
    char *formats;
    int err;

    filter_output(run->filter, &output);
    output.untouched = output.untouched && run->render->job->untouched;
    err = encode_open(run->encode, run->filtered, &output, bits_per_raw_sample(run), run->why);
    if (err < 0)
        return err;
    formats = encode_formats(run->encode);
    filter_fix_format(run->filter, formats);
    free(formats);
    return 0;
}

// How many frames are handed on at a time. Where a job begins others have nothing to do yet, so the first goes at once, and then ever more.
static size_t frames_at_a_time(const struct run *run)
{
    const Wire__Arena *slots = run->render->job->arena;
    size_t most = frames_in_chunk(slots->slot_bytes, slots->count);

    return run->opens_job && run->out->sequence < 8 && (size_t)1 << run->out->sequence < most ? (size_t)1 << run->out->sequence : most;
}

// A slot for the next frame. Before a wait for one everything is handed on, because somebody may be waiting for that.
static int take_slot(struct run *run, uint32_t *slot)
{
    enum { ENOUGH = 8 }; // to go on with, of a hop that has four times as many

    const Wire__Arena *slots = run->render->job->arena;
    int err = arena_try(run->render->arena, slots->first, slots->count, run->taker, slot);

    if (err != -EAGAIN)
        return err;
    err = run->out->packet_count > 0 ? put_chunk(run, false) : 0;
    return err < 0 ? err
                   : arena_take(run->render->arena, slots->first, slots->count, slots->count / 4 < ENOUGH ? slots->count / 4 : ENOUGH, run->taker,
                                run->io->cancelled, run->io->data, slot);
}

// Puts the filtered frame into the arena and its descriptor on its way to the next stage.
static int give_frame(struct run *run)
{
    struct filter_output output;
    struct frames_link link;
    uint32_t slot;
    int err;

    err = take_slot(run, &slot);
    if (err < 0)
        return err_why(run->why, err, "cancelled");
    if (run->packets == 0)
        filter_keep_format(run->filter);
    filter_output(run->filter, &output);
    link = (struct frames_link){
        .time_base = output.time_base,
        .frame_rate = output.frame_rate,
        .bits_per_raw_sample = bits_per_raw_sample(run),
        .untouched = output.untouched && run->render->job->untouched,
    };
    av_packet_free(&run->packet);
    err = frames_store(run->render->arena, slot, run->filtered, &link, &run->packet);
    if (err < 0) {
        arena_release(run->render->arena, slot);
        return err_why(run->why, err, "a frame could not be handed on: %s", err_text(err));
    }
    chunk_take(run->out, &run->packet);
    run->packets++;
    run->frames_encoded++;
    return run->out->packet_count >= frames_at_a_time(run) ? put_chunk(run, false) : 0;
}

// Whether the filtered frame is one of those that this run is to give, not one of its neighbours'.
static bool is_core(const struct run *run)
{
    AVRational from = packets_rational_from_wire(run->render->job->input_time_base);
    struct filter_output output;

    if (!run->core_begun && !run->core_ended)
        return true;
    filter_output(run->filter, &output);
    if (run->core_begun && av_compare_ts(run->filtered->pts, output.time_base, run->core_from, from) < 0)
        return false;
    return !run->core_ended || av_compare_ts(run->filtered->pts, output.time_base, run->core_to, from) < 0;
}

static int on_filtered_frame(struct run *run)
{
    int err = 0;

    run->io->alive(run->io->data);
    if (run->io->cancelled(run->io->data))
        return err_why(run->why, -ECANCELED, "cancelled");
    if (run->render->job->takes_frames && !is_core(run))
        return 0;
    if (run->render->job->gives_frames)
        return give_frame(run);
    turn(run, &run->cpu_ns[ENCODE]);
    if (!encode_is_open(run->encode))
        err = open_encoder(run);
    if (err >= 0 && run->probing) {
        run->probed = true;
        return av_frame_copy_props(run->first, run->filtered);
    }
    if (err >= 0)
        err = encode_frame(run);
    turn(run, &run->cpu_ns[FILTER]);
    return err;
}

static int drain_filters(struct run *run)
{
    while (!run->probed) {
        int err = filter_receive(run->filter, run->filtered, run->why);

        if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
            return 0;
        if (err >= 0)
            err = on_filtered_frame(run);
        av_frame_unref(run->filtered);
        if (err < 0)
            return err;
    }
    return 0;
}

// Stages hand on frames of one format: the graph of the whole chain would have started anew here, in all its filters at once. A stage that has all of
// them starts anew, and goes on in the format that the encoder was opened with.
static bool breaks_stages(const struct run *run)
{
    const Wire__Job *job = run->render->job;

    return (job->takes_frames || (job->gives_frames && job->sink_format)) && run->frames_kept > 0 && filter_must_rebuild(run->filter, run->decoded);
}

static int on_decoded_frame(struct run *run)
{
    int err;

    run->io->alive(run->io->data);
    if (run->io->cancelled(run->io->data))
        return err_why(run->why, -ECANCELED, "cancelled");
    if (breaks_stages(run))
        return err_why(run->why, ERR_AGAIN_ONE_GRAPH, "the picture's format changes");
    if (!run->probing && (run->decoded->pts < run->keep_from || run->decoded->pts >= run->keep_to))
        return 0;
    run->frames_kept++;
    // Chains like trim stop early; the frames behind go nowhere, as in ffmpeg.
    if (run->filters_full)
        return 0;
    turn(run, &run->cpu_ns[FILTER]);
    filter_rest(run->filter, run->core_begun && run->decoded->pts < run->core_from);
    err = filter_send(run->filter, run->decoded, run->why);
    if (err == AVERROR_EOF) {
        run->filters_full = true;
        err = 0;
    }
    if (err >= 0)
        err = drain_filters(run);
    turn(run, &run->cpu_ns[DECODE]);
    return err;
}

static int drain_decoder(struct run *run)
{
    while (!run->probed) {
        int err = decode_receive(run->decode, run->decoded);

        if (err == AVERROR(EAGAIN) || err == AVERROR_EOF)
            return 0;
        if (err == ERR_AGAIN_DECODING_ALL)
            return err_why(run->why, err, "what is decoded with several threads is damaged");
        if (err < 0)
            return err_why(run->why, err, "the decoder %s failed: %s", decode_name(run->render->job), err_text(err));
        err = on_decoded_frame(run);
        av_frame_unref(run->decoded);
        if (err < 0)
            return err;
    }
    return 0;
}

static int send_packet(struct run *run, AVPacket *packet)
{
    int err;

    turn(run, &run->cpu_ns[DECODE]);
    err = decode_send(run->decode, packet);
    if (err < 0)
        err_why(run->why, err, "the decoder %s failed: %s", decode_name(run->render->job), err_text(err));
    else
        err = drain_decoder(run);
    turn(run, NULL);
    return err;
}

// Roles of frames in a run, see Task in protocol.proto.
enum { CORE, BEFORE, AFTER };

static void note_role(struct run *run, int role, int64_t pts)
{
    // Everything is core until neighbours come.
    if (role == BEFORE && !run->core_begun) {
        run->core_begun = true;
        run->core_from = INT64_MAX;
    } else if (role == CORE && run->core_begun && run->core_from == INT64_MAX) {
        run->core_from = pts;
    } else if (role == AFTER && !run->core_ended) {
        run->core_ended = true;
        run->core_to = pts;
    }
}

static int send_frame(struct run *run, const AVPacket *packet)
{
    Wire__Frame *in = frames_describe(packet);
    int err;

    if (!in)
        return err_why(run->why, AVERROR_INVALIDDATA, "a frame was handed over damaged");
    turn(run, &run->cpu_ns[FILTER]);
    note_role(run, packet->flags, in->pts);
    run->end_pts = in->pts == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : in->pts + in->duration;
    err = frames_load(run->render->arena, in,
                      run->render->job->lent                               ? FRAMES_LOOK
                      : arena_borrowed(run->render->arena) >= MAX_BORROWED ? FRAMES_COPY
                                                                           : FRAMES_BORROW,
                      run->decoded);
    wire__frame__free_unpacked(in, NULL);
    if (err < 0)
        return err_why(run->why, err, "a frame could not be taken over: %s", err_text(err));
    err = on_decoded_frame(run);
    av_frame_unref(run->decoded);
    turn(run, NULL);
    return err;
}

static int send_chunk(struct run *run, const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->packet_count && !run->probed; i++) {
        int err = run->io->cancelled(run->io->data) ? err_why(run->why, -ECANCELED, "cancelled")
                  : run->render->job->takes_frames  ? send_frame(run, chunk->packets[i])
                                                    : send_packet(run, chunk->packets[i]);

        if (err < 0)
            return err;
    }
    return 0;
}

// No more packets: empties the decoder, then the filters.
static int end_input(struct run *run)
{
    int err = run->decode ? send_packet(run, NULL) : 0;

    if (err < 0 || run->probed)
        return err;
    if (run->render->job->keeps_graph && filter_is_even(run->filter))
        return 0;
    turn(run, &run->cpu_ns[FILTER]);
    err = filter_end(run->filter, run->decode ? decode_end_pts(run->decode) : run->end_pts, run->why);
    if (err >= 0)
        err = drain_filters(run);
    turn(run, NULL);
    return err;
}

static int end_encoder(struct run *run)
{
    int err = 0;

    if (run->encode && encode_is_open(run->encode) && run->render->job->fingerprints != WIRE__FINGERPRINTS__INSTEAD) {
        turn(run, &run->cpu_ns[ENCODE]);
        err = encode_send(run->encode, NULL, run->why);
        if (err >= 0)
            err = drain_encoder(run);
        turn(run, NULL);
    }
    return err < 0 ? err : put_chunk(run, true);
}

static int take_chunk(struct run *run, struct chunk **chunk)
{
    int err = run->io->take(run->io->data, chunk);

    if (err < 0)
        return err_why(run->why, err, "cancelled");
    // Over a network that breaks and heals, messages can get lost.
    if ((*chunk)->sequence == run->next_input++)
        return 0;
    chunk_free(chunk);
    return err_why(run->why, -EPROTO, "a part of its work did not arrive");
}

// What each of the pool's threads has done since then.
static void tell_helpers(struct run *run, Wire__Done *done)
{
    size_t count = (size_t)pool_threads(run->render->pool) - 1;

    if (count == 0)
        return;
    done->n_helper_cpu_ns = count;
    done->helper_cpu_ns = mem_zalloc(count * sizeof(*done->helper_cpu_ns));
    pool_helpers_cpu_ns(run->render->pool, done->helper_cpu_ns);
    for (size_t i = 0; i < count; i++)
        done->helper_cpu_ns[i] -= run->helper_marks_ns[i];
}

static void fill_done(struct run *run, uint64_t start_ns, Wire__Done *done)
{
    struct decode_damage damage = run->decode ? decode_damage(run->decode) : (struct decode_damage){0};
    const AVCodecContext *c = run->encode ? encode_context(run->encode) : NULL;
    struct rusage usage;

    done->frames_decoded = run->frames_kept;
    done->frames_encoded = run->encode ? run->frames_encoded : 0;
    done->packets = run->packets;
    done->decode_errors = damage.count;
    if (damage.first) {
        done->first_error = mem_dup(damage.first);
        done->has_first_error_pts = 1;
        done->first_error_pts = damage.first_pts;
    }
    if (c && encode_is_open(run->encode) && c->extradata_size > 0) {
        done->extradata.len = (size_t)c->extradata_size;
        done->extradata.data = mem_copy(c->extradata, (size_t)c->extradata_size);
    }
    if (run->fingerprints_size > 0) {
        done->has_fingerprints = 1;
        done->fingerprints = (ProtobufCBinaryData){.len = run->fingerprints_size, .data = run->fingerprints};
        run->fingerprints = NULL;
    }
    done->decode_cpu_ns = run->cpu_ns[DECODE];
    done->filter_cpu_ns = run->cpu_ns[FILTER];
    done->encode_cpu_ns = run->cpu_ns[ENCODE];
    tell_helpers(run, done);
    done->wall_ns = clock_now_ns() - start_ns;
    if (!getrusage(RUSAGE_SELF, &usage))
        done->peak_memory_bytes = (uint64_t)usage.ru_maxrss * 1024;
}

int render_segment(struct render *render, const Wire__Task *task, const struct render_io *io, Wire__Done *done, char **why)
{
    uint64_t start_ns = clock_now_ns();
    struct chunk *chunk = NULL;
    struct run run;
    bool last = false;
    int err = run_init(&run, render, task, io, why);

    while (err >= 0 && !last) {
        err = take_chunk(&run, &chunk);
        if (err < 0)
            break;
        last = chunk->last;
        err = send_chunk(&run, chunk);
        chunk_free(&chunk);
    }
    if (err >= 0)
        err = end_input(&run);
    if (err >= 0)
        err = end_encoder(&run);
    if (err >= 0)
        fill_done(&run, start_ns, done);
    if (err >= 0 && render->job->keeps_graph) {
        render->filter = run.filter;
        run.filter = NULL;
    }
    run_clear(&run);
    return err < 0 ? err : 0;
}

static int take_all(struct run *run, struct chunk_list *list)
{
    bool last = false;

    while (!last) {
        struct chunk *chunk = NULL;
        int err = take_chunk(run, &chunk);

        if (err < 0)
            return err;
        last = chunk->last;
        chunk_list_put(list, &chunk);
    }
    return 0;
}

int render_probe(struct render *render, const Wire__Task *task, const struct render_io *io, Wire__Probed *probed, char **why)
{
    struct chunk_list list = {0};
    struct chunk *chunk;
    struct run run;
    bool whole = task->keep_to == INT64_MIN;
    int err = run_init(&run, render, task, io, why);

    run.probing = true;
    if (err >= 0)
        err = take_all(&run, &list);
    while (err >= 0 && !run.probed && (chunk = chunk_list_take(&list))) {
        err = send_chunk(&run, chunk);
        chunk_free(&chunk);
    }
    if (err >= 0 && !run.probed && whole)
        err = end_input(&run);
    if (err >= 0 && run.probed)
        err = probe_describe(render->job, run.encode, run.filter, run.first, probed, why);
    else if (err >= 0 && !whole)
        probed->need_more = 1;
    else if (err >= 0 && run.frames_kept)
        err = err_why(why, AVERROR_INVALIDDATA, "no frame came out of the filter chain '%s'", render->job->filters);
    else if (err >= 0)
        err = err_why(why, AVERROR_INVALIDDATA, "no frame could be decoded%s%s", decode_damage(run.decode).count ? ": " : "",
                      decode_damage(run.decode).count ? decode_damage(run.decode).first : "");
    chunk_list_clear(&list);
    run_clear(&run);
    return err < 0 ? err : 0;
}
