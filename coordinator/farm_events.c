#include "farm_state.h"

#include "common/clock.h"
#include "common/credit.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_hello(void *data, uint32_t peer, const Wire__Hello *hello)
{
    struct farm *f = data;
    struct renderer *renderer = hello->slot < f->crew.roster.count ? &f->crew.roster.renderers[hello->slot] : NULL;

    if (hub_is_remote(f->crew.hub, peer)) {
        farm_on_remote_hello(f, peer, hello);
        return;
    }
    if (!crew_awaits(&f->crew, renderer, hello->pid)) {
        hub_forget(f->crew.hub, peer);
        return;
    }
    renderer->peer = peer;
    renderer->failed_starts = 0;
    trace_started(f->trace, renderer->slot, renderer->heard_ns, clock_now_ns(), renderer->spawn_ns);
    roster_set_state(renderer, RENDERER_READY);
    if (renderer->dismissed)
        crew_dismiss(&f->crew, renderer);
    log_info("renderer %u is ready (process %u)", renderer->slot, renderer->pid);
    farm_pump(f);
}

// One that breaks the rules is not obeyed; its work goes to another.
static void send_away(struct farm *f, struct renderer *renderer, const char *why)
{
    log_warn("renderer %u was sent away: %s", renderer->slot, why);
    crew_condemn(&f->crew, renderer, why);
}

static bool is_at(const struct renderer *renderer, uint32_t segment, uint32_t attempt)
{
    return renderer->state == RENDERER_BUSY && renderer->task.segment == segment && renderer->task.attempt == attempt;
}

// The same, and the attempt was not given up.
static bool counts(const struct farm *f, const struct renderer *renderer, uint32_t segment, uint32_t attempt)
{
    if (!is_at(renderer, segment, attempt))
        return false;
    if (renderer->second)
        return !renderer->cancelled;
    return scheduler_is_running(f->stages[renderer->stage].scheduler, segment, attempt, renderer->slot);
}

static bool expects(const struct stage *stage, const struct renderer *renderer, const struct chunk *chunk)
{
    return renderer->second ? chunk->sequence == renderer->spare.count : assembler_expects(stage->assembler, renderer->task.segment, chunk->sequence);
}

static void on_chunk(void *data, uint32_t peer, uint32_t segment, uint32_t attempt, struct chunk **chunk)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    size_t packets = (*chunk)->packet_count, bytes = (*chunk)->size_bytes;
    struct stage *stage;

    if (!renderer || f->state != FARM_RUNNING || renderer->stage >= f->stage_count || renderer->condemned)
        return;
    stage = &f->stages[renderer->stage];
    if (!counts(f, renderer, segment, attempt))
        return; // of an attempt that was given up
    watch_on_sign(&f->watch, renderer, clock_now_ns());
    if (renderer->owed >= PROTOCOL_FIRST_CREDIT || !expects(stage, renderer, *chunk)) {
        send_away(f, renderer, renderer->owed >= PROTOCOL_FIRST_CREDIT ? "it sent more than it was granted" : "it sent its packets out of order");
        return;
    }
    renderer->owed++;
    renderer->received += packets;
    renderer->received_bytes += bytes;
    if (renderer->second) {
        chunk_list_put(&renderer->spare, chunk);
        farm_pump(f);
        return;
    }
    stage_accept(stage, *chunk);
    farm_keep(f, stage, segment, *chunk);
    assembler_put(stage->assembler, segment, chunk);
    if (stage == farm_last_stage(f)) {
        f->report.frames_done += packets;
        f->report.stats.renderers[renderer->slot].frames += packets;
    }
    // What comes before its turn sets nothing in motion, until it is time for credit.
    if (segment == assembler_head(stage->assembler) || renderer->owed >= CREDIT_AT_ONCE)
        farm_pump(f);
}

static void on_probed(void *data, uint32_t peer, const Wire__Probed *probed)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    uint8_t *bytes;
    size_t size;

    if (!renderer || renderer->condemned || !renderer->probing || f->state != FARM_PROBING || probed->attempt != f->probe_attempt)
        return;
    watch_on_probe(&f->watch, clock_now_ns() - renderer->since_ns);
    trace_probed(f->trace, renderer->slot, renderer->since_ns, clock_now_ns());
    roster_set_state(renderer, RENDERER_READY);
    if (probed->need_more && !f->intake.head_is_all && f->intake.head_bytes < INTAKE_HEAD_MAX_BYTES) {
        f->state = FARM_OPENING;
        intake_read_head(&f->intake);
        return;
    }
    chunk_list_clear(&f->intake.head);
    if (probed->need_more) {
        farm_fail(f, 1, "%s: no frame came out of the filters for the first %d MB of video", f->options->input, INTAKE_HEAD_MAX_BYTES >> 20);
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

    if (farm_make_plan(f) < 0) {
        farm_start_ending(f, 1);
        farm_pump(f);
        return;
    }
    crew_settle(&f->crew);
    farm_plan_remote(f);
    source_start(f->intake.source, f->plan.stages[0].parallel, f->plan.segment_s, f->plan.taper_s);
    if (f->options->explain) {
        f->state = FARM_EXPLAINING;
        explain_plan(stdout, &f->plan, f->options->input, &f->intake.facts);
        if (f->options->listen || f->options->launch)
            explain_remote(stdout, &f->plan, farm_frame_bytes(f), f->options->workers, f->options->launch != NULL);
        farm_pump(f);
        return;
    }
    if (f->pass->second) {
        f->state = FARM_RUNNING;
    } else {
        farm_say_plan(f);
        farm_start_cache(f);
        f->state = FARM_STARTING;
        outlet_start(&f->outlet, f->probed->probed);
    }
    farm_pump(f);
}

// NULL: it fits to what its renderer has sent.
static const char *nonsense_in(const struct farm *f, const struct renderer *renderer, const struct stage *stage, const Wire__Done *done)
{
    if (!renderer->task.all_sent)
        return "it was done before it had all of its work";
    if (!assembler_can_end(stage->assembler, done->segment, done->packets))
        return "it lost packets on the way";
    if (f->pass->verify && !f->pass->second && stage == farm_last_stage(f) && !verify_fits(done->fingerprints.len))
        return "it told of its frames in no sense";
    return NULL;
}

static void trace_done(struct farm *f, const struct renderer *renderer, const struct stage *stage, uint64_t busy_ns, uint64_t bytes,
                       const Wire__Done *done)
{
    const struct shelf_segment *segment = shelf_find(&stage->shelf, done->segment);
    struct trace_task task = {.slot = renderer->slot,
                              .stage = renderer->stage,
                              .segment = done->segment,
                              .attempt = done->attempt,
                              .from_ns = clock_now_ns() - busy_ns,
                              .to_ns = clock_now_ns(),
                              .received_bytes = segment ? segment->chunks.size_bytes : 0,
                              .bytes = bytes,
                              .done = done};
    double to_s;

    if (!f->trace)
        return;
    farm_segment_span(f, stage, done->segment, &task.video_s, &to_s);
    trace_task(f->trace, &task);
}

// A picture may be whole by its checksums, and its pixels make no sense all the same: that shows when it is decoded.
static bool has_spoilt_picture(const struct farm *f, const Wire__Done *done)
{
    return f->intake.facts.pictures && done->decode_errors > 0;
}

static void stop_at_picture(struct farm *f, const Wire__Done *done)
{
    char *path = done->has_first_error_pts ? source_picture_path(f->intake.source, done->first_error_pts) : NULL;

    farm_fail(f, 1, "%s cannot be decoded: %s; with --missing=skip it is left out", path ? path : f->options->input,
              done->first_error ? done->first_error : "its data is damaged");
    free(path);
}

static void on_done(void *data, uint32_t peer, const Wire__Done *done)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    const Wire__CodecParameters *output;
    struct stage *stage;
    const char *nonsense;
    uint64_t busy_ns, bytes;

    if (!renderer || renderer->condemned || !is_at(renderer, done->segment, done->attempt))
        return;
    if (renderer->probing) {
        send_away(f, renderer, "it was asked for something else");
        return;
    }
    watch_on_sign(&f->watch, renderer, clock_now_ns());
    busy_ns = clock_now_ns() - renderer->since_ns;
    stage = f->state == FARM_RUNNING ? &f->stages[renderer->stage] : NULL;
    if (stage && renderer->second && !renderer->cancelled && renderer->task.all_sent && renderer->received == done->packets)
        farm_take_over(f, renderer);
    nonsense = stage && counts(f, renderer, done->segment, done->attempt) ? nonsense_in(f, renderer, stage, done) : NULL;
    if (nonsense) {
        send_away(f, renderer, nonsense);
        return;
    }
    bytes = renderer->received_bytes;
    if (stage)
        farm_freight_done(f, renderer, done);
    farm_end_task(f, renderer);
    if (!stage || !scheduler_on_done(stage->scheduler, done->segment, done->attempt, renderer->slot)) {
        farm_pump(f);
        return;
    }
    output = f->probed->probed->output;
    if (done->extradata.len > 0 &&
        (done->extradata.len != output->extradata.len || memcmp(done->extradata.data, output->extradata.data, output->extradata.len) != 0)) {
        farm_fail(f, 1, "segment %u: the encoder's parameters differ from the first segment's, so the pieces would not play as one; try --segment=0",
                  done->segment);
        return;
    }
    if (has_spoilt_picture(f, done) && f->intake.facts.pictures_missing == PICTURES_STOP) {
        stop_at_picture(f, done);
        farm_pump(f);
        return;
    }
    farm_end_seconds(f, stage, done->segment);
    assembler_end(stage->assembler, done->segment, done->packets);
    if (f->pass->verify && !f->pass->second && stage == farm_last_stage(f))
        verify_on_segment(f->pass->verify, done->segment, done->fingerprints.data, done->fingerprints.len);
    report_done(&f->report, renderer->slot, done, stage == farm_last_stage(f), busy_ns,
                done->has_first_error_pts ? farm_seconds(f, done->first_error_pts) : 0);
    f->report.stats.remote_cpu_ns += renderer->remote ? done->process_cpu_ns : 0;
    trace_done(f, renderer, stage, busy_ns, bytes, done);
    if (stage == farm_last_stage(f))
        trace_finished(f->trace, done->segment, clock_now_ns());
    // What --missing made good is not kept: the same command without it has to stop here.
    if (has_spoilt_picture(f, done))
        farm_lose_kept(f, stage, done->segment);
    else
        farm_keep_done(f, stage, done);
    stage->given += done->packets;
    pace_add(&renderer->pace, busy_ns, scheduler_frames(stage->scheduler, done->segment));
    stage_on_done(stage, done->segment);
    renderer->losses = 0;
    if (!renderer->remote)
        farm_limit_by_memory(f, done->peak_memory_bytes);
    farm_pump(f);
}

// The same work would fail the same way elsewhere, unless it was memory that it lacked.
static void fail_segment(struct farm *f, const struct renderer *renderer, const Wire__Failed *failed, uint64_t received)
{
    struct stage *stage = &f->stages[renderer->stage];
    char *cause;
    bool again = scheduler_on_lost(stage->scheduler, failed->segment, failed->attempt, renderer->slot, true, received);

    farm_count_lost(f, renderer->stage, received);
    if (stage_can_repeat(stage, failed->segment))
        stage_on_lost(stage, failed->segment, renderer->slot);
    farm_lose_kept(f, stage, failed->segment);
    if (again && failed->code == -ENOMEM && stage_can_repeat(stage, failed->segment)) {
        if (farm_second_of(f, stage, failed->segment))
            farm_take_over(f, farm_second_of(f, stage, failed->segment));
        return;
    }
    farm_end_seconds(f, stage, failed->segment);
    scheduler_on_failed(stage->scheduler, failed->segment);
    cause = mem_format(": %s", failed->reason);
    farm_give_up_segment(f, stage, failed->segment, cause);
    free(cause);
}

static void on_failed(void *data, uint32_t peer, const Wire__Failed *failed)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);
    uint64_t received;
    bool probing;

    if (!renderer || renderer->condemned || !is_at(renderer, failed->segment, failed->attempt))
        return;
    if (failed->code == -EPROTO) {
        send_away(f, renderer, failed->reason);
        return;
    }
    probing = renderer->probing;
    if (farm_may_be_hosts_fault(renderer, failed->code) &&
        (probing ? f->state == FARM_PROBING : f->state == FARM_RUNNING && counts(f, renderer, failed->segment, failed->attempt))) {
        farm_on_mishap(f, renderer, failed);
        return;
    }
    received = renderer->received;
    farm_end_task(f, renderer);
    if (probing && f->state == FARM_PROBING) {
        farm_fail(f, farm_status_of(failed->code), "%s: %s", f->options->input, failed->reason);
    } else if (f->state == FARM_RUNNING &&
               scheduler_is_running(f->stages[renderer->stage].scheduler, failed->segment, failed->attempt, renderer->slot)) {
        if (failed->code == ERR_AGAIN_ONE_GRAPH || failed->code == -EMSGSIZE) {
            bool one_graph = failed->code == ERR_AGAIN_ONE_GRAPH && !f->one_graph && !f->options->encode_stream && !f->why_one_encoder;

            farm_change_way(f, one_graph ? AGAIN_ONE_GRAPH : AGAIN_ONE_SEGMENT, failed->reason);
            farm_pump(f);
            return;
        }
        if (failed->code == ERR_AGAIN_DECODING_ALL && !f->pass->decodes_all) {
            farm_decode_all(f, failed->reason);
            farm_pump(f);
            return;
        }
        fail_segment(f, renderer, failed, received);
    }
    farm_pump(f);
}

static void on_credit(void *data, uint32_t peer, const Wire__Credit *credit)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);

    if (!renderer || !is_at(renderer, credit->segment, credit->attempt))
        return; // of what it was sent ahead it has taken nothing before it is at that
    watch_on_sign(&f->watch, renderer, clock_now_ns());
    // Never more than was given at first: a peer cannot talk itself into a flood.
    renderer->task.credit += credit->chunks;
    if (renderer->task.credit > renderer->task.most_credit)
        renderer->task.credit = renderer->task.most_credit;
    if (!renderer->task.all_sent)
        farm_pump(f);
}

static void on_bye(void *data, uint32_t peer)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);

    if (renderer)
        farm_on_remote_bye(f, renderer);
    else
        hub_forget(f->crew.hub, peer);
}

static void on_dropped(void *data, uint32_t peer, const char *why)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);

    if (renderer && renderer->remote)
        farm_lose_remote(f, renderer, why, false);
    else if (renderer)
        send_away(f, renderer, why);
    else if (f->pass->remote && hub_is_remote(f->crew.hub, peer))
        farm_on_remote_refused(f, peer, why);
    else
        log_warn("a renderer was sent away: %s", why);
}

const struct hub_events farm_hub_events = {
    .on_hello = on_hello,
    .on_chunk = on_chunk,
    .on_probed = on_probed,
    .on_done = on_done,
    .on_failed = on_failed,
    .on_credit = on_credit,
    .on_bye = on_bye,
    .on_dropped = on_dropped,
};
