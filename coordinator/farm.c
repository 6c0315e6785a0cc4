#include "farm.h"

#include "assembler.h"
#include "classes.h"
#include "crew.h"
#include "explain.h"
#include "hops.h"
#include "intake.h"
#include "outlet.h"
#include "plan.h"
#include "report.h"
#include "stage.h"
#include "verify.h"
#include "watch.h"

#include "common/avx.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/frames.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <libavutil/pixdesc.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICES = 8,                // of a frame, for filters; the same for every --threads, because a few filters' pixels depend on it
    SHELF_BYTES = 20 << 20,    // input packets read ahead
    ASSEMBLY_BYTES = 16 << 20, // results that wait for their turn; renderers keep what goes beyond
    WRITE_BYTES = 4 << 20,     // results on their way to the disk
    MAX_FAILED_STARTS = 3,
    PROGRESS_MS = 200,
    LEAVE_MS = 2000, // renderers that were told to leave
};

enum farm_state {
    FARM_OPENING,    // input and output are being opened, renderers start
    FARM_PROBING,    // a renderer is looking at the first frames
    FARM_EXPLAINING, // the input is read for its cuts, and nothing is rendered
    FARM_STARTING,   // the output's header is being written
    FARM_RUNNING,
    FARM_FINISHING, // all is rendered; the trailer is being written
    FARM_ENDING,    // done or failed: renderers leave, lanes run empty
};

// Whether the job is to be done once more from the start, and how.
enum again { AGAIN_NO, AGAIN_SAME, AGAIN_ONE_SEGMENT };

// One run through the job, from start to end.
struct pass {
    enum again again;      // in: how to go about it; out: whether it was in vain
    uint64_t retries;      // passes before this one that were
    struct verify *verify; // NULL without --verify
    bool second;           // nothing is written: the frames are compared with those of the first pass
};

struct farm {
    const struct options *options;
    struct pass *pass;
    uv_loop_t loop;
    enum farm_state state;
    int exit_status;
    bool one_segment; // by the user's wish or because stages did not work out

    // Events come from these.
    struct crew crew;
    struct watch watch;
    uv_signal_t signals[3];
    uv_timer_t progress_timer, leave_timer;
    uv_prepare_t turn_end;
    struct intake intake;
    struct outlet outlet;

    // The probe.
    uint32_t probe_attempt;
    Wire__Message *probed; // what the probe said, the Message's owner

    // The job.
    Wire__Job job;
    struct plan plan;
    struct stage *stages; // one for each of the plan's; none before the plan is made
    size_t stage_count;
    struct arena *arena; // frames between stages; NULL with one stage
    bool input_ended;
    uint64_t frames_read;

    // What is told.
    struct report report;
    struct explain_cuts cuts;
};

static void pump(struct farm *f);

// ---- Ending ----

static void start_ending(struct farm *f, int status)
{
    if (f->state == FARM_ENDING)
        return;
    f->state = FARM_ENDING;
    f->exit_status = status;
    if (status == 0) {
        crew_say_bye(&f->crew);
    } else {
        crew_kill(&f->crew);
    }
}

static void fail(struct farm *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct farm *f, int status, const char *format, ...)
{
    char text[1800];
    va_list args;

    if (f->state == FARM_ENDING)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_error("%s", text);
    start_ending(f, status);
}

// What is done so far is of no use: all of it once more.
static void start_over(struct farm *f, enum again again)
{
    f->pass->again = again;
    start_ending(f, 1);
}

static struct stage *first_stage(const struct farm *f)
{
    return &f->stages[0];
}

static struct stage *last_stage(const struct farm *f)
{
    return &f->stages[f->stage_count - 1];
}

// A mistake in the command line rather than in a file?
static int status_of(int err)
{
    return err == -EINVAL || err == AVERROR_FILTER_NOT_FOUND || err == AVERROR_ENCODER_NOT_FOUND || err == AVERROR_OPTION_NOT_FOUND ? 2 : 1;
}

static double seconds(const struct farm *f, int64_t pts)
{
    const Wire__Rational *tb = f->job.input_time_base;

    return pts == INT64_MIN || pts == INT64_MAX || !tb ? 0 : (double)pts * tb->num / tb->den;
}

// ---- Renderers: starting and dealing ----

// A task for a segment of the renderer's stage; NULL for a probe.
static void send_task(struct farm *f, struct renderer *renderer, const struct shelf_segment *segment, uint32_t attempt)
{
    const Wire__Job *job = segment ? &f->stages[renderer->stage].job : &f->job;
    Wire__Task task = WIRE__TASK__INIT;

    task.job = job->id;
    task.kind = segment ? WIRE__TASK_KIND__RENDER : WIRE__TASK_KIND__PROBE;
    task.attempt = attempt;
    if (segment) {
        task.segment = segment->number;
        task.keep_from = segment->keep_from;
        task.keep_to = segment->keep_to;
        if (segment->extradata) {
            task.has_extradata = 1;
            task.extradata = (ProtobufCBinaryData){.len = segment->extradata_size, .data = segment->extradata};
        }
    } else {
        // The empty end of a probe's range says that there is no more than this.
        task.keep_from = INT64_MIN;
        task.keep_to = f->intake.head_is_all ? INT64_MIN : INT64_MAX;
    }
    renderer->heard_ns = clock_now_ns();
    crew_send_task(&f->crew, renderer, job, &task, renderer->heard_ns);
}

// Frames that the stage's running tasks may still give.
static uint64_t promised_frames(const struct farm *f, const struct stage *stage)
{
    uint64_t promised = 0;

    for (size_t i = 0; i < f->crew.roster.count; i++) {
        const struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->state == RENDERER_BUSY && &f->stages[renderer->stage] == stage && renderer->received < stage->plan->run_frames)
            promised += stage->plan->run_frames - renderer->received;
    }
    return promised;
}

static void deal_task(struct farm *f, struct renderer *renderer)
{
    struct stage *stage = &f->stages[renderer->stage];
    uint32_t number = scheduler_next(stage->scheduler), attempt;

    if (number == SCHEDULER_NONE || !stage->job_known || (f->arena && !stage_has_room(stage, f->arena, promised_frames(f, stage))))
        return;
    attempt = scheduler_on_sent(stage->scheduler, number, renderer->slot);
    log_debug("stage %u: segment %u goes to renderer %u (attempt %u)", renderer->stage, number, renderer->slot, attempt);
    send_task(f, renderer, shelf_find(&stage->shelf, number), attempt);
}

static void deal(struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->state == RENDERER_READY && f->state == FARM_RUNNING && renderer->stage < f->stage_count)
            deal_task(f, renderer);
        if (renderer->state != RENDERER_BUSY)
            continue;
        if (renderer->probing) {
            crew_send_chunks(&f->crew, renderer, &f->intake.head);
        } else {
            struct shelf *shelf = &f->stages[renderer->stage].shelf;
            struct shelf_segment *segment = shelf_find(shelf, renderer->segment);

            if (!segment)
                continue;
            crew_send_chunks(&f->crew, renderer, &segment->chunks);
            // The cursor's own chunk stays: it is what the next one hangs on.
            if (renderer->cursor)
                shelf_sent(shelf, segment, renderer->cursor);
        }
    }
}

// Credit for results: always for the segment whose turn it is, for others while there is room to keep what they send. Between stages it is the slots
// that run out.
static void pay_credit(struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];
        const struct stage *stage;
        bool first;

        if (renderer->state != RENDERER_BUSY || renderer->owed == 0 || f->state != FARM_RUNNING)
            continue;
        stage = &f->stages[renderer->stage];
        first = renderer->segment == assembler_head(stage->assembler);
        // What the first one sends drains by itself; it never waits for the others.
        if (stage == last_stage(f) && (first ? f->outlet.queued_bytes + assembler_head_bytes(stage->assembler) > WRITE_BYTES
                                             : assembler_held_bytes(stage->assembler) > ASSEMBLY_BYTES))
            continue;
        crew_pay(&f->crew, renderer);
    }
}

// ---- Input ----

static bool intake_failed(struct farm *f)
{
    if (f->intake.err < 0)
        fail(f, 1, "%s", f->intake.why ? f->intake.why : err_text(f->intake.err));
    return f->intake.err < 0;
}

// A run that was read goes on the shelf, and the scheduler hears of it.
static void shelve_run(struct farm *f)
{
    struct source_run *run = &f->intake.run;
    struct stage *stage = first_stage(f);

    if (run->chunk) {
        struct shelf_segment *segment;
        bool ready;

        if (run->first) {
            scheduler_on_segment(stage->scheduler, run->segment);
            segment = shelf_add(&stage->shelf, run->segment);
            segment->keep_from = run->keep_from;
            segment->keep_to = run->keep_to;
            segment->extradata = run->extradata;
            segment->extradata_size = run->extradata_size;
            run->extradata = NULL;
        } else {
            segment = shelf_find(&stage->shelf, run->segment);
        }
        segment->last_pts = run->last_pts;
        f->frames_read += run->frames_hint;
        shelf_put(&stage->shelf, segment, &run->chunk);
        // A serial job starts on what is there; cut segments are read in no time, and are dealt by their length.
        ready = segment->complete || !stage->plan->parallel || segment->chunks.size_bytes > SHELF_KEEP_BYTES / 2;
        scheduler_on_frames(stage->scheduler, run->segment, run->frames_hint, ready);
    }
    if (run->eof && !f->input_ended) {
        f->input_ended = true;
        scheduler_on_input_end(stage->scheduler);
        if (source_damage(f->intake.source))
            log_warn("%s", source_damage(f->intake.source));
    }
    *run = (struct source_run){0};
}

// --explain: only the cuts are of interest.
static void explain_run(struct farm *f)
{
    struct source_run *run = &f->intake.run;

    if (run->first)
        explain_cut(stdout, &f->cuts, run->segment == 0 ? 0 : seconds(f, run->keep_from));
    if (run->eof) {
        explain_end(stdout, &f->cuts, &f->plan, f->intake.facts.duration_s, source_cut_note(f->intake.source));
        start_ending(f, 0);
    }
    free(run->extradata);
    chunk_free(&run->chunk);
    *run = (struct source_run){0};
}

static void on_intake(void *data)
{
    struct farm *f = data;

    if (!intake_failed(f) && f->state == FARM_RUNNING)
        shelve_run(f);
    else if (f->state == FARM_EXPLAINING)
        explain_run(f);
    pump(f);
}

static void read_ahead(struct farm *f)
{
    const struct stage *stage = first_stage(f);
    size_t waiting = scheduler_waiting(stage->scheduler);
    uint32_t ahead = scheduler_total(stage->scheduler) - scheduler_first(stage->scheduler);

    if (f->input_ended || intake_busy(&f->intake) || stage->shelf.size_bytes > SHELF_BYTES)
        return;
    // The last segment is still being read, so it does not count as waiting.
    if (waiting > f->crew.roster.count * 2 + 2 || ahead > f->crew.roster.count * 4 + 8)
        return;
    intake_read(&f->intake);
}

// ---- Output ----

static void on_outlet(void *data)
{
    struct farm *f = data;

    if (f->outlet.err < 0)
        fail(f, f->outlet.state == OUTLET_CLOSED ? status_of(f->outlet.err) : 1, "%s", f->outlet.why ? f->outlet.why : err_text(f->outlet.err));
    else if (f->outlet.state == OUTLET_OPEN && f->state == FARM_OPENING)
        for (size_t i = 0; i < f->outlet.facts.note_count; i++)
            log_warn("%s", f->outlet.facts.notes[i]);
    pump(f);
}

// What has come out of a stage and whose turn it is goes to the next one.
static void hand_on(struct farm *f, struct stage *from, struct stage *to)
{
    struct chunk *chunk;
    uint32_t number;
    int err = 0;

    while (err >= 0 && (chunk = assembler_next(from->assembler)))
        err = stage_feed(to, f->arena, &chunk);
    if (err < 0) {
        log_debug("frames between stages: %s", err_text(err));
        start_over(f, AGAIN_ONE_SEGMENT);
        return;
    }
    while (assembler_finished(from->assembler, &number))
        scheduler_on_written(from->scheduler, number);
    if (stage_finished(from))
        stage_feed_end(to);
}

// The second pass: frames as fingerprints.
static void compare_chunk(struct farm *f, struct chunk **chunk)
{
    for (size_t i = 0; i < (*chunk)->packet_count; i++)
        verify_on_frame(f->pass->verify, (*chunk)->packets[i]->data, (size_t)(*chunk)->packets[i]->size);
    chunk_free(chunk);
}

static void write_next(struct farm *f)
{
    struct stage *stage = last_stage(f);
    struct chunk *chunk;
    uint32_t number;

    for (size_t i = 0; i + 1 < f->stage_count && f->state == FARM_RUNNING; i++)
        hand_on(f, &f->stages[i], &f->stages[i + 1]);
    if (f->state != FARM_RUNNING)
        return;
    // First, because the segment behind a finished one may have chunks that nothing else will ask for.
    while (assembler_finished(stage->assembler, &number)) {
        scheduler_on_written(stage->scheduler, number);
        log_debug("segment %u is written", number);
    }
    if (outlet_busy(&f->outlet))
        return;
    chunk = assembler_next(stage->assembler);
    if (chunk && f->pass->second)
        compare_chunk(f, &chunk);
    else if (chunk)
        outlet_write(&f->outlet, assembler_head(stage->assembler), &chunk);
}

// ---- What renderers say ----

static void on_hello(void *data, uint32_t peer, const Wire__Hello *hello)
{
    struct farm *f = data;
    struct renderer *renderer = hello->slot < f->crew.roster.count ? &f->crew.roster.renderers[hello->slot] : NULL;

    if (!renderer || renderer->state != RENDERER_STARTING || renderer->pid != hello->pid) {
        log_warn("somebody who is none of our renderers said hello; ignored");
        hub_forget(f->crew.hub, peer);
        return;
    }
    renderer->peer = peer;
    renderer->failed_starts = 0;
    roster_set_state(renderer, RENDERER_READY);
    log_info("renderer %u is ready (process %u)", renderer->slot, renderer->pid);
    pump(f);
}

static void on_chunk(void *data, uint32_t peer, uint32_t segment, uint32_t attempt, struct chunk **chunk)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    size_t packets = (*chunk)->packet_count;
    struct stage *stage;

    if (!renderer || f->state != FARM_RUNNING || renderer->stage >= f->stage_count)
        return;
    stage = &f->stages[renderer->stage];
    if (!scheduler_is_running(stage->scheduler, segment, attempt, renderer->slot))
        return; // of an attempt that was given up
    watch_on_sign(&f->watch, renderer, clock_now_ns());
    if (assembler_put(stage->assembler, segment, chunk) < 0) {
        fail(f, 1, "segment %u: renderer %u sent its packets out of order", segment, renderer->slot);
        return;
    }
    renderer->owed++;
    renderer->received += packets;
    if (stage == last_stage(f)) {
        f->report.frames_done += packets;
        f->report.stats.renderers[renderer->slot].frames += packets;
    }
    pump(f);
}

// Of the largest frame that any stage hands on.
static size_t slot_bytes(const struct farm *f)
{
    const Wire__Probed *probed = f->probed->probed;
    size_t bytes = frames_bytes(probed->output->format, probed->output->width, probed->output->height);

    for (size_t i = 0; i < probed->n_filters; i++)
        if (probed->filters[i]->frame_bytes > bytes)
            bytes = (size_t)probed->filters[i]->frame_bytes;
    return bytes;
}

// Each stage has renderers of its own: as many as there are workers for a parallel one, and one for a serial one, which mostly waits. So no stage can
// wait for a core that another one sits on.
static int staff_stages(struct farm *f)
{
    size_t needed = 0, slot = 0;
    int err = 0;

    for (size_t i = 0; i < f->stage_count; i++)
        needed += f->plan.stages[i].parallel ? (size_t)f->options->workers : 1;
    for (size_t i = 0; i < f->crew.roster.count; i++)
        f->crew.roster.renderers[i].stage = UINT32_MAX;
    crew_grow(&f->crew, needed);
    report_grow(&f->report, f->crew.roster.count);
    for (size_t i = 0; i < f->stage_count; i++)
        for (int j = 0; j < (f->plan.stages[i].parallel ? f->options->workers : 1); j++)
            f->crew.roster.renderers[slot++].stage = (uint32_t)i;
    for (size_t i = 0; i < f->crew.roster.count && err >= 0; i++)
        if (f->crew.roster.renderers[i].state == RENDERER_GONE)
            err = crew_start(&f->crew, &f->crew.roster.renderers[i]);
    return err;
}

// A name that fits nothing is a slip of the pen.
static void say_vouched(const struct farm *f)
{
    const Wire__Probed *probed = f->probed->probed;

    for (size_t i = 0; i < f->options->vouched_count; i++) {
        size_t at = 0;

        while (at < probed->n_filters && !classes_is_called(probed->filters[at], f->options->vouched[i]))
            at++;
        if (at == probed->n_filters)
            log_warn("--parallel-safe=%s: there is no such filter in the chain", f->options->vouched[i]);
    }
}

static int make_plan(struct farm *f)
{
    const Wire__Probed *probed = f->probed->probed;
    const Wire__Rational *rate = probed->output_frame_rate;
    struct plan_input input = {
        .cuttable = f->intake.facts.cuttable,
        .why_not_cuttable = f->intake.facts.why_not_cuttable,
        .duration_s = f->intake.facts.duration_s,
        .keyframe_gap_s = f->intake.facts.keyframe_gap_s,
        .frame_rate = rate && rate->num > 0 && rate->den > 0 ? (double)rate->num / rate->den : 0,
        .frame_bytes = slot_bytes(f),
        .segment_s = f->options->segment_s,
        .one_segment = f->one_segment,
        .encode_stream = f->options->encode_stream,
        .chain = f->job.filters,
        .encoder_format = av_get_pix_fmt_name(probed->output->format),
        .filters = probed->filters,
        .filter_count = probed->n_filters,
        .vouched = f->options->vouched,
        .vouched_count = f->options->vouched_count,
    };

    if (f->pass->retries == 0 && !f->pass->second)
        say_vouched(f);
    plan_make(&f->plan, &input);
    if (f->options->explain)
        return 0;
    f->stages = mem_zalloc(f->plan.stage_count * sizeof(*f->stages));
    for (; f->stage_count < f->plan.stage_count; f->stage_count++)
        stage_init(&f->stages[f->stage_count], &f->plan.stages[f->stage_count], &f->job);
    if (f->stage_count == 1)
        return 0;
    f->arena = hops_make(f->crew.frames_fd, f->stages, f->stage_count, input.frame_bytes, (unsigned)f->options->workers);
    if (!f->arena) {
        fail(f, 1, "no memory for frames between stages: %s", strerror(errno));
        return -ENOMEM;
    }
    return staff_stages(f);
}

static void say_plan(struct farm *f)
{
    char *text = plan_describe(&f->plan);

    if (f->stage_count > 1 && f->plan.limited && f->pass->retries == 0)
        log_warn("rendering in stages, because %s: %s", f->plan.reason, text);
    else if (f->stage_count > 1)
        log_info("rendering in stages, because %s: %s", f->plan.reason, text);
    else if (f->plan.limited && !f->options->one_segment)
        log_warn("rendering as one segment on one core: %s", f->plan.reason);
    log_info("encoding with %s, %s", f->probed->probed->encoder_name ? f->probed->probed->encoder_name : f->job.encoder,
             f->plan.stages[f->stage_count - 1].parallel ? "in segments" : "in one segment");
    f->report.stats.serial_reason = f->plan.reason;
    free(text);
}

static void on_probed(void *data, uint32_t peer, const Wire__Probed *probed)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    uint8_t *bytes;
    size_t size;

    if (!renderer || !renderer->probing || f->state != FARM_PROBING || probed->attempt != f->probe_attempt)
        return;
    watch_on_probe(&f->watch, clock_now_ns() - renderer->since_ns);
    roster_set_state(renderer, RENDERER_READY);
    if (probed->need_more && !f->intake.head_is_all && f->intake.head_bytes < INTAKE_HEAD_MAX_BYTES) {
        f->state = FARM_OPENING;
        intake_read_head(&f->intake);
        return;
    }
    chunk_list_clear(&f->intake.head);
    if (probed->need_more) {
        fail(f, 1, "%s: no frame came out of the filters for the first %d MB of video", f->options->input, INTAKE_HEAD_MAX_BYTES >> 20);
        return;
    }
    // A copy that outlives the hub's message.
    size = wire__probed__get_packed_size(probed);
    bytes = mem_zalloc(size);
    wire__probed__pack(probed, bytes);
    f->probed = mem_zalloc(sizeof(*f->probed));
    wire__message__init(f->probed);
    f->probed->body_case = WIRE__MESSAGE__BODY_PROBED;
    f->probed->probed = wire__probed__unpack(NULL, size, bytes);
    free(bytes);
    f->job.first_frame = f->probed->probed->first_frame;

    if (make_plan(f) < 0) {
        start_ending(f, 1);
        pump(f);
        return;
    }
    source_start(f->intake.source, f->plan.stages[0].parallel, f->plan.segment_s);
    if (f->options->explain) {
        f->state = FARM_EXPLAINING;
        explain_plan(stdout, &f->plan, f->options->input, &f->intake.facts);
        pump(f);
        return;
    }
    if (f->pass->second) {
        f->state = FARM_RUNNING;
    } else {
        say_plan(f);
        f->state = FARM_STARTING;
        outlet_start(&f->outlet, f->probed->probed);
    }
    pump(f);
}

// Time that the segment covers, for people.
static void segment_times(const struct farm *f, const struct stage *stage, uint32_t number, char *text, size_t size)
{
    const struct shelf_segment *segment = shelf_find(&stage->shelf, number);

    if (segment && segment->keep_from == INT64_MIN && stage->plan->parallel && f->stage_count > 1)
        snprintf(text, size, "to %.2f s", (double)segment->last_pts * stage->job.input_time_base->num / stage->job.input_time_base->den);
    else if (segment)
        snprintf(text, size, "%.2f s to %.2f s", seconds(f, segment->keep_from), seconds(f, segment->last_pts));
    else
        snprintf(text, size, "?");
}

static void on_done(void *data, uint32_t peer, const Wire__Done *done)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    const Wire__CodecParameters *output;
    struct stage *stage;
    uint64_t busy_ns;

    if (!renderer || renderer->state != RENDERER_BUSY || renderer->segment != done->segment || renderer->attempt != done->attempt)
        return;
    watch_on_sign(&f->watch, renderer, clock_now_ns());
    busy_ns = clock_now_ns() - renderer->since_ns;
    roster_set_state(renderer, RENDERER_READY);
    stage = f->state == FARM_RUNNING ? &f->stages[renderer->stage] : NULL;
    if (!stage || !scheduler_on_done(stage->scheduler, done->segment, done->attempt, renderer->slot)) {
        pump(f);
        return;
    }
    output = f->probed->probed->output;
    if (done->extradata.len > 0 &&
        (done->extradata.len != output->extradata.len || memcmp(done->extradata.data, output->extradata.data, output->extradata.len) != 0)) {
        fail(f, 1, "segment %u: the encoder's parameters differ from the first segment's, so the pieces would not play as one; try --segment=0",
             done->segment);
        return;
    }
    if (assembler_end(stage->assembler, done->segment, done->packets) < 0) {
        fail(f, 1, "segment %u: renderer %u lost packets on the way", done->segment, renderer->slot);
        return;
    }
    if (f->pass->verify && !f->pass->second && stage == last_stage(f) &&
        verify_on_segment(f->pass->verify, done->segment, done->fingerprints.data, done->fingerprints.len) < 0) {
        fail(f, 1, "segment %u: renderer %u told of its frames in no sense", done->segment, renderer->slot);
        return;
    }
    report_done(&f->report, renderer->slot, done, stage == last_stage(f), busy_ns, done->has_first_error_pts ? seconds(f, done->first_error_pts) : 0);
    shelf_remove(&stage->shelf, done->segment);
    pump(f);
}

static void on_failed(void *data, uint32_t peer, const Wire__Failed *failed)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    char times[64];
    bool probing;

    if (!renderer || renderer->state != RENDERER_BUSY || renderer->segment != failed->segment || renderer->attempt != failed->attempt)
        return;
    probing = renderer->probing;
    roster_set_state(renderer, RENDERER_READY);
    if (probing && f->state == FARM_PROBING) {
        fail(f, status_of(failed->code), "%s: %s", f->options->input, failed->reason);
    } else if (f->state == FARM_RUNNING &&
               scheduler_is_running(f->stages[renderer->stage].scheduler, failed->segment, failed->attempt, renderer->slot)) {
        if (failed->code == -ESTALE || failed->code == -EMSGSIZE) {
            log_info("%s; starting over, as one segment", failed->reason);
            start_over(f, AGAIN_ONE_SEGMENT);
            pump(f);
            return;
        }
        // The same work would fail the same way elsewhere.
        segment_times(f, &f->stages[renderer->stage], failed->segment, times, sizeof(times));
        fail(f, 1, "%s: segment %u (%s): %s", f->options->input, failed->segment, times, failed->reason);
    }
    pump(f);
}

static void on_credit(void *data, uint32_t peer, uint32_t chunks)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);

    if (!renderer || renderer->state != RENDERER_BUSY)
        return;
    watch_on_sign(&f->watch, renderer, clock_now_ns());
    // Never more than was given at first: a peer cannot talk itself into a flood.
    renderer->credit += chunks;
    if (renderer->credit > PROTOCOL_FIRST_CREDIT)
        renderer->credit = PROTOCOL_FIRST_CREDIT;
    pump(f);
}

static void on_dropped(void *data, uint32_t peer, const char *why)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);

    log_warn("a renderer was sent away: %s", why);
    if (renderer)
        spawner_kill_one(f->crew.spawner, renderer->slot, SIGKILL); // the rest follows from its exit
}

static const struct hub_events hub_events = {
    .on_hello = on_hello,
    .on_chunk = on_chunk,
    .on_probed = on_probed,
    .on_done = on_done,
    .on_failed = on_failed,
    .on_credit = on_credit,
    .on_dropped = on_dropped,
};

static void on_renderer_exit(void *data, const struct spawner_exit *fact)
{
    struct farm *f = data;
    struct renderer *renderer = &f->crew.roster.renderers[fact->slot];
    struct renderer was = *renderer;
    char how[64], times[64];

    if (fact->signal)
        snprintf(how, sizeof(how), "was ended by signal %d (%s)", fact->signal, strsignal(fact->signal));
    else
        snprintf(how, sizeof(how), "exited with status %" PRId64, fact->status);
    roster_set_state(renderer, RENDERER_GONE);
    if (was.peer)
        hub_forget(f->crew.hub, was.peer);
    if (f->state == FARM_ENDING) {
        pump(f);
        return;
    }
    if (was.state == RENDERER_STARTING && ++renderer->failed_starts >= MAX_FAILED_STARTS) {
        fail(f, 1, "%s does not start: it %s", f->crew.program, how);
        pump(f);
        return;
    }
    log_warn("renderer %u %s%s", was.slot, how,
             was.state != RENDERER_BUSY           ? ""
             : f->stage_count > 1 && !was.probing ? "; frames were on their way through it, so the stages start over"
                                                  : "; its work goes to another");
    if (was.state == RENDERER_BUSY && was.probing) {
        if (f->probe_attempt >= SCHEDULER_MAX_ATTEMPTS)
            fail(f, 1, "%s: the first frames end every renderer that looks at them: it %s", f->options->input, how);
        else if (f->state == FARM_PROBING)
            f->state = FARM_OPENING; // probe again
    } else if (was.state == RENDERER_BUSY) {
        struct stage *stage = &f->stages[was.stage];
        const struct shelf_segment *segment = shelf_find(&stage->shelf, was.segment);

        segment_times(f, stage, was.segment, times, sizeof(times));
        if (!scheduler_on_lost(stage->scheduler, was.segment, was.attempt, was.slot))
            fail(f, 1, "%s: segment %u (%s) ended %d renderers, the last %s", f->options->input, was.segment, times, SCHEDULER_MAX_ATTEMPTS, how);
        else if (f->stage_count > 1)
            start_over(f, AGAIN_SAME); // frames that it had taken over, or had in the making, are lost with it
        else if (segment && !segment->repeatable)
            fail(f, 1, "%s: the only renderer %s, and its work cannot be repeated because it is one segment of the whole video", f->options->input,
                 how);
        else
            assembler_restart(stage->assembler, was.segment);
    }
    if (f->state != FARM_ENDING && crew_start(&f->crew, renderer) < 0)
        start_ending(f, 1);
    pump(f);
}

// ---- The pump ----

static void start_probe(struct farm *f)
{
    struct renderer *renderer = roster_idle(&f->crew.roster);

    if (!renderer || !f->intake.opened || f->outlet.state != OUTLET_OPEN || intake_busy(&f->intake))
        return;
    f->job.id = 1;
    f->job.input = f->intake.facts.parameters;
    f->job.input_time_base = f->intake.facts.time_base;
    f->job.input_frame_rate = f->intake.facts.frame_rate;
    f->job.input_side_data = f->intake.facts.side_data;
    f->job.n_input_side_data = f->intake.facts.side_data_count;
    f->job.encoder = f->outlet.facts.encoder;
    f->job.global_header = f->outlet.facts.global_header;
    f->probe_attempt++;
    f->state = FARM_PROBING;
    send_task(f, renderer, NULL, f->probe_attempt);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_leave_timer(uv_timer_t *timer)
{
    struct farm *f = timer->data;

    crew_kill(&f->crew);
}

// Once all renderers have left and both lanes are empty, nothing holds the loop any more.
static void end_when_quiet(struct farm *f)
{
    if (crew_running(&f->crew) > 0) {
        if (!uv_is_active((uv_handle_t *)&f->leave_timer))
            uv_timer_start(&f->leave_timer, on_leave_timer, LEAVE_MS, LEAVE_MS);
        return;
    }
    if (intake_busy(&f->intake) || outlet_busy(&f->outlet))
        return;
    for (size_t i = 0; i < sizeof(f->signals) / sizeof(f->signals[0]); i++)
        close_handle((uv_handle_t *)&f->signals[i]);
    close_handle((uv_handle_t *)&f->progress_timer);
    close_handle((uv_handle_t *)&f->leave_timer);
    close_handle((uv_handle_t *)&f->turn_end);
    crew_close(&f->crew);
}

// Looks at the state and does what is due. May be called at any time, any number of times.
static void pump(struct farm *f)
{
    if (f->state == FARM_OPENING) {
        // After the input: of one that cannot be read, the source has the better word.
        if (f->intake.opened && f->outlet.state == OUTLET_CLOSED && !outlet_busy(&f->outlet))
            outlet_open(&f->outlet);
        start_probe(f);
    }
    if (f->state == FARM_EXPLAINING && !intake_busy(&f->intake))
        intake_read(&f->intake);
    if (f->state == FARM_STARTING && f->outlet.state == OUTLET_STARTED)
        f->state = FARM_RUNNING;
    if (f->state == FARM_RUNNING) {
        write_next(f);
        read_ahead(f);
        if (f->state == FARM_RUNNING && stage_finished(last_stage(f)) && !outlet_busy(&f->outlet)) {
            f->state = FARM_FINISHING;
            if (f->pass->second)
                start_ending(f, 0);
            else
                outlet_finish(&f->outlet);
        }
    }
    if (f->state == FARM_FINISHING && f->outlet.state == OUTLET_FINISHED) {
        f->report.stats.output_bytes = outlet_bytes(&f->outlet);
        start_ending(f, 0);
    }
    if (f->state == FARM_PROBING || f->state == FARM_RUNNING) {
        deal(f);
        pay_credit(f);
    }
    if (f->state == FARM_ENDING)
        end_when_quiet(f);
}

// ---- Start and end of the process ----

static void on_signal(uv_signal_t *handle, int signal)
{
    struct farm *f = handle->data;

    if (f->state == FARM_ENDING && f->exit_status != 0)
        return;
    fail(f, 128 + signal, "ended by %s; %s was not written", signal == SIGINT ? "Ctrl-C" : strsignal(signal), f->options->output);
    pump(f);
}

// The rest follows from its exit.
static void replace_hanging(struct farm *f)
{
    uint64_t now_ns = clock_now_ns();
    struct renderer *renderer = watch_find(&f->watch, &f->crew.roster, now_ns);

    if (!renderer || f->state == FARM_ENDING)
        return;
    log_warn("renderer %u hangs: no sign of life for %.0f s (see --stall-timeout)", renderer->slot, (double)(now_ns - renderer->heard_ns) / 1e9);
    renderer->heard_ns = now_ns;
    spawner_kill_one(f->crew.spawner, renderer->slot, SIGKILL);
}

static void on_progress_timer(uv_timer_t *timer)
{
    struct farm *f = timer->data;

    if (f->state == FARM_RUNNING || f->state == FARM_FINISHING) {
        const struct scheduler *scheduler = last_stage(f)->scheduler;
        bool all_known = f->stage_count == 1 ? f->input_ended : last_stage(f)->input_ended;

        report_show(&f->report, &f->intake.facts, scheduler_done_count(scheduler), all_known ? scheduler_total(scheduler) : 0,
                    f->input_ended ? f->frames_read : 0, (int)roster_count(&f->crew.roster, RENDERER_BUSY));
    }
    replace_hanging(f);
    // The slots of frames are given back in silence.
    if (f->arena)
        pump(f);
}

static void on_turn_end(uv_prepare_t *handle)
{
    struct farm *f = handle->data;

    report_turn(&f->report, uv_hrtime(), uv_metrics_idle_time(&f->loop));
}

static void init_job(struct farm *f)
{
    const struct options *o = f->options;

    wire__job__init(&f->job);
    f->job.filters = o->filter ? o->filter : (char *)"";
    f->job.autorotate = !o->no_autorotate;
    f->job.pixel_format = o->pixel_format;
    f->job.slices = SLICES;
    f->job.has_fingerprints = f->pass->verify != NULL;
    f->job.fingerprints = !f->pass->verify ? WIRE__FINGERPRINTS__NONE : f->pass->second ? WIRE__FINGERPRINTS__INSTEAD : WIRE__FINGERPRINTS__BESIDE;
    f->job.n_encoder_options = o->encoder_option_count;
    f->job.encoder_options = mem_zalloc((o->encoder_option_count + 1) * sizeof(*f->job.encoder_options));
    for (size_t i = 0; i < o->encoder_option_count; i++) {
        Wire__Option *option = mem_zalloc(sizeof(*option));

        wire__option__init(option);
        option->key = o->encoder_options[i].key;
        option->value = o->encoder_options[i].value;
        f->job.encoder_options[i] = option;
    }
}

static void clear_job(struct farm *f)
{
    for (size_t i = 0; i < f->job.n_encoder_options; i++)
        free(f->job.encoder_options[i]);
    free(f->job.encoder_options);
    // The rest is borrowed from options, facts and probe.
}

static int start(struct farm *f)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    int err;

    err = crew_init(&f->crew, &f->loop, f->options->workers, f->options->threads, f->options->verbosity, &hub_events, on_renderer_exit, f);
    if (err < 0)
        return err;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        uv_signal_start(&f->signals[i], on_signal, numbers[i]);
    uv_timer_start(&f->progress_timer, on_progress_timer, PROGRESS_MS, PROGRESS_MS);
    struct sink_setup setup = {
        .input = f->options->input,
        .output = f->options->output,
        .codec = f->options->codec,
        .overwrite = f->options->overwrite || f->options->explain || f->pass->second,
        .no_audio = f->options->no_audio,
        .no_subtitles = f->options->no_subtitles,
        .autorotate = !f->options->no_autorotate,
        .renderer = f->crew.program,
        .start_s = &f->intake.facts.start_s,
    };

    outlet_init(&f->outlet, &f->loop, &setup, on_outlet, f);
    intake_open(&f->intake);
    for (size_t i = 0; i < f->crew.roster.count && !err; i++)
        err = crew_start(&f->crew, &f->crew.roster.renderers[i]);
    return err;
}

static void init_loop(struct farm *f)
{
    uv_loop_init(&f->loop);
    uv_loop_configure(&f->loop, UV_METRICS_IDLE_TIME);
    intake_init(&f->intake, &f->loop, f->options->input, on_intake, f);
    uv_timer_init(&f->loop, &f->progress_timer);
    uv_timer_init(&f->loop, &f->leave_timer);
    uv_prepare_init(&f->loop, &f->turn_end);
    f->progress_timer.data = f->leave_timer.data = f->turn_end.data = f;
    uv_prepare_start(&f->turn_end, on_turn_end);
    for (size_t i = 0; i < sizeof(f->signals) / sizeof(f->signals[0]); i++) {
        uv_signal_init(&f->loop, &f->signals[i]);
        f->signals[i].data = f;
    }
}

// What a pass that went well leaves to say.
static void tell_end(struct farm *f)
{
    if (f->options->explain || f->pass->second)
        return;
    f->report.stats.retries = f->pass->retries;
    for (size_t i = 0; i < f->stage_count; i++) {
        f->report.stats.retries += scheduler_retries(f->stages[i].scheduler);
        if (f->pass->verify && i + 1 < f->stage_count && scheduler_total(f->stages[i].scheduler) > 1)
            verify_on_hidden_seams(f->pass->verify, scheduler_total(f->stages[i].scheduler) - 1);
    }
    f->report.stats.codec = f->job.encoder;
    report_finish(&f->report, f->options, &f->intake.facts);
    if (f->plan.stages[0].parallel && source_cut_note(f->intake.source))
        log_info("%s", source_cut_note(f->intake.source));
}

static int run_once(const struct options *options, struct pass *pass)
{
    struct farm *f = mem_zalloc(sizeof(*f));
    int status;

    f->options = options;
    f->pass = pass;
    f->one_segment = options->one_segment || pass->again == AGAIN_ONE_SEGMENT;
    pass->again = AGAIN_NO;
    report_init(&f->report, options);
    // A pass that came to nothing may have done so because renderers were taken for hanging that were only slow.
    watch_init(&f->watch, options->stall_s * pow(4, (double)pass->retries));
    init_job(f);
    init_loop(f);

    if (start(f) < 0)
        start_ending(f, 1);
    pump(f);
    uv_run(&f->loop, UV_RUN_DEFAULT);

    if (f->exit_status == 0)
        tell_end(f);
    report_clear(&f->report);
    outlet_clear(&f->outlet);
    intake_clear(&f->intake);
    crew_clear(&f->crew);
    uv_run(&f->loop, UV_RUN_NOWAIT); // handles that spawner_free closed
    uv_loop_close(&f->loop);
    for (size_t i = 0; i < f->stage_count; i++)
        stage_clear(&f->stages[i]);
    free(f->stages);
    arena_unmap(&f->arena);
    if (f->probed)
        wire__message__free_unpacked(f->probed, NULL);
    clear_job(f);
    chunk_list_clear(&f->intake.head);
    plan_clear(&f->plan);
    status = f->exit_status;
    free(f);
    return status;
}

// Until it works out or has failed for good.
static int run_until_done(const struct options *options, struct pass *pass)
{
    bool one_segment = pass->again == AGAIN_ONE_SEGMENT;
    int status;

    for (int attempt = 1;; attempt++) {
        if (options->verify && !pass->second) {
            verify_free(&pass->verify);
            pass->verify = verify_new();
        }
        if (one_segment)
            pass->again = AGAIN_ONE_SEGMENT;
        pass->retries = (uint64_t)attempt - 1;
        status = run_once(options, pass);
        if (pass->again == AGAIN_NO)
            return status;
        one_segment |= pass->again == AGAIN_ONE_SEGMENT;
        if (attempt > SCHEDULER_MAX_ATTEMPTS) {
            log_error("%s: renderers were lost %d times; giving up", options->input, attempt);
            return 1;
        }
    }
}

static int tell_verified(const struct options *options, const struct verify *verify)
{
    struct verify_result result = verify_result(verify);

    if (result.same) {
        log_warn("%s: %" PRIu64 " of %" PRIu64 " seams identical; all %" PRIu64 " frames are those of a render in one piece", options->output,
                 result.same_seams, result.seams, result.frames);
        return 0;
    }
    log_error("%s: %" PRIu64 " of %" PRIu64 " seams identical; of %" PRIu64 " frames %" PRIu64
              " differ from a render in one piece (which has %" PRIu64 "), the first is number %" PRIu64
              "; do not use it, render again with --segment=0",
              options->output, result.same_seams, result.seams, result.frames, result.other_frames, result.second_frames, result.first_other);
    return 1;
}

// --verify: the whole video once more in one piece, by one renderer, without encoding.
static int run_second_pass(const struct options *options, struct verify *verify)
{
    struct options second_options = *options;
    struct pass second = {.again = AGAIN_ONE_SEGMENT, .verify = verify, .second = true};
    int status;

    second_options.workers = 1;
    second_options.encode_stream = false;
    status = run_until_done(&second_options, &second);
    return status != 0 ? status : tell_verified(options, verify);
}

int farm_run(const struct options *options)
{
    struct pass first = {.again = AGAIN_NO};
    int status = run_until_done(options, &first);

    if (status == 0 && options->verify && !options->explain)
        status = run_second_pass(options, first.verify);
    verify_free(&first.verify);
    return status;
}
