#include "farm_state.h"

#include "common/clock.h"
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

enum { MAX_FAILED_STARTS = 3 };

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
    farm_pump(f);
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
        farm_fail(f, 1, "segment %u: renderer %u sent its packets out of order", segment, renderer->slot);
        return;
    }
    renderer->owed++;
    renderer->received += packets;
    if (stage == farm_last_stage(f)) {
        f->report.frames_done += packets;
        f->report.stats.renderers[renderer->slot].frames += packets;
    }
    farm_pump(f);
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
    source_start(f->intake.source, f->plan.stages[0].parallel, f->plan.segment_s);
    if (f->options->explain) {
        f->state = FARM_EXPLAINING;
        explain_plan(stdout, &f->plan, f->options->input, &f->intake.facts);
        farm_pump(f);
        return;
    }
    if (f->pass->second) {
        f->state = FARM_RUNNING;
    } else {
        farm_say_plan(f);
        f->state = FARM_STARTING;
        outlet_start(&f->outlet, f->probed->probed);
    }
    farm_pump(f);
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
    if (assembler_end(stage->assembler, done->segment, done->packets) < 0) {
        farm_fail(f, 1, "segment %u: renderer %u lost packets on the way", done->segment, renderer->slot);
        return;
    }
    if (f->pass->verify && !f->pass->second && stage == farm_last_stage(f) &&
        verify_on_segment(f->pass->verify, done->segment, done->fingerprints.data, done->fingerprints.len) < 0) {
        farm_fail(f, 1, "segment %u: renderer %u told of its frames in no sense", done->segment, renderer->slot);
        return;
    }
    report_done(&f->report, renderer->slot, done, stage == farm_last_stage(f), busy_ns,
                done->has_first_error_pts ? farm_seconds(f, done->first_error_pts) : 0);
    shelf_remove(&stage->shelf, done->segment);
    farm_pump(f);
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
        farm_fail(f, farm_status_of(failed->code), "%s: %s", f->options->input, failed->reason);
    } else if (f->state == FARM_RUNNING &&
               scheduler_is_running(f->stages[renderer->stage].scheduler, failed->segment, failed->attempt, renderer->slot)) {
        if (failed->code == -ESTALE || failed->code == -EMSGSIZE) {
            log_info("%s; starting over, as one segment", failed->reason);
            farm_start_over(f, AGAIN_ONE_SEGMENT);
            farm_pump(f);
            return;
        }
        // The same work would fail the same way elsewhere.
        farm_segment_times(f, &f->stages[renderer->stage], failed->segment, times, sizeof(times));
        farm_fail(f, 1, "%s: segment %u (%s): %s", f->options->input, failed->segment, times, failed->reason);
    }
    farm_pump(f);
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
    farm_pump(f);
}

static void on_dropped(void *data, uint32_t peer, const char *why)
{
    struct farm *f = data;
    struct renderer *renderer = roster_by_peer(&f->crew.roster, peer);

    log_warn("a renderer was sent away: %s", why);
    if (renderer)
        spawner_kill_one(f->crew.spawner, renderer->slot, SIGKILL); // the rest follows from its exit
}

const struct hub_events farm_hub_events = {
    .on_hello = on_hello,
    .on_chunk = on_chunk,
    .on_probed = on_probed,
    .on_done = on_done,
    .on_failed = on_failed,
    .on_credit = on_credit,
    .on_dropped = on_dropped,
};

void farm_on_renderer_exit(void *data, const struct spawner_exit *fact)
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
        farm_pump(f);
        return;
    }
    if (was.state == RENDERER_STARTING && ++renderer->failed_starts >= MAX_FAILED_STARTS) {
        farm_fail(f, 1, "%s does not start: it %s", f->crew.program, how);
        farm_pump(f);
        return;
    }
    log_warn("renderer %u %s%s", was.slot, how,
             was.state != RENDERER_BUSY           ? ""
             : f->stage_count > 1 && !was.probing ? "; frames were on their way through it, so the stages start over"
                                                  : "; its work goes to another");
    if (was.state == RENDERER_BUSY && was.probing) {
        if (f->probe_attempt >= SCHEDULER_MAX_ATTEMPTS)
            farm_fail(f, 1, "%s: the first frames end every renderer that looks at them: it %s", f->options->input, how);
        else if (f->state == FARM_PROBING)
            f->state = FARM_OPENING; // probe again
    } else if (was.state == RENDERER_BUSY) {
        struct stage *stage = &f->stages[was.stage];
        const struct shelf_segment *segment = shelf_find(&stage->shelf, was.segment);

        farm_segment_times(f, stage, was.segment, times, sizeof(times));
        if (!scheduler_on_lost(stage->scheduler, was.segment, was.attempt, was.slot))
            farm_fail(f, 1, "%s: segment %u (%s) ended %d renderers, the last %s", f->options->input, was.segment, times, SCHEDULER_MAX_ATTEMPTS,
                      how);
        else if (f->stage_count > 1)
            farm_start_over(f, AGAIN_SAME); // frames that it had taken over, or had in the making, are lost with it
        else if (segment && !segment->repeatable)
            farm_fail(f, 1, "%s: the only renderer %s, and its work cannot be repeated because it is one segment of the whole video",
                      f->options->input, how);
        else
            assembler_restart(stage->assembler, was.segment);
    }
    if (f->state != FARM_ENDING && crew_start(&f->crew, renderer) < 0)
        farm_start_ending(f, 1);
    farm_pump(f);
}
