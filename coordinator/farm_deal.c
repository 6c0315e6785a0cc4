#include "farm_state.h"

#include "common/clock.h"
#include "common/credit.h"
#include "common/log.h"

void farm_send_task(struct farm *f, struct renderer *renderer, const struct shelf_segment *segment, uint32_t attempt)
{
    struct stage *stage = segment ? &f->stages[renderer->stage] : NULL;
    Wire__Job job = stage && poison_find(&f->pass->poison, renderer->stage, segment->number) ? stage_copy_job(stage, f->probed->probed->output)
                    : stage                                                                  ? stage->job
                                                                                             : f->job;
    Wire__Task task = WIRE__TASK__INIT;

    task.job = job.id;
    task.kind = segment ? WIRE__TASK_KIND__RENDER : WIRE__TASK_KIND__PROBE;
    task.attempt = attempt;
    task.has_taker = 1;
    task.taker = renderer->slot;
    if (segment) {
        task.segment = segment->number;
        task.keep_from = segment->keep_from;
        task.keep_to = segment->keep_to;
        // The others wait for the first frame that is kept.
        task.has_decode_threads = segment->behind_gap;
        task.decode_threads = segment->behind_gap ? (uint32_t)f->local_workers : 1;
        if (segment->extradata) {
            task.has_extradata = 1;
            task.extradata = (ProtobufCBinaryData){.len = segment->extradata_size, .data = segment->extradata};
        }
    } else {
        // The empty end of a probe's range says that there is no more than this.
        task.keep_from = INT64_MIN;
        task.keep_to = f->intake.head_is_all ? INT64_MIN : INT64_MAX;
    }
    // What it is to map is on this host; there its frames carry their pixels.
    if (renderer->remote)
        job.arena = NULL;
    if (renderer->state != RENDERER_BUSY)
        renderer->heard_ns = clock_now_ns();
    crew_send_task(&f->crew, renderer, &job, &task, renderer->heard_ns);
}

void farm_trace_dealt(struct farm *f, const struct renderer *renderer)
{
    const struct stage *stage = &f->stages[renderer->stage];

    if (f->trace && stage->plan->decode)
        trace_dealt(f->trace, renderer->task.segment, shelf_find(&stage->shelf, renderer->task.segment)->read_ns, renderer->since_ns);
}

void farm_deal_segment(struct farm *f, struct renderer *renderer, uint32_t number)
{
    struct stage *stage = &f->stages[renderer->stage];
    const struct shelf_segment *segment = shelf_find(&stage->shelf, number);
    bool ahead = renderer->state == RENDERER_BUSY;
    struct roster_task *task = ahead ? &renderer->ahead : &renderer->task;
    uint32_t attempt = scheduler_on_sent(stage->scheduler, number, renderer->slot);

    log_debug("stage %u: segment %u goes to renderer %u (attempt %u%s)", renderer->stage, number, renderer->slot, attempt, ahead ? ", ahead" : "");
    farm_send_task(f, renderer, segment, attempt);
    task->faults = scheduler_faults(stage->scheduler, number);
    task->whole = segment->complete;
}

// But for what has failed on its host.
static uint32_t next_for(const struct farm *f, const struct renderer *renderer)
{
    const struct stage *stage = &f->stages[renderer->stage];
    uint32_t number = scheduler_next(stage->scheduler);

    while (number != SCHEDULER_NONE && farm_failed_there(f, renderer, renderer->stage, number))
        number = scheduler_next_after(stage->scheduler, number);
    return number;
}

static void deal_task(struct farm *f, struct renderer *renderer)
{
    struct stage *stage = &f->stages[renderer->stage];
    uint32_t number = next_for(f, renderer);
    const struct poison_entry *poison;

    if (number == SCHEDULER_NONE && f->sent_ahead > 0)
        number = farm_call_back(f);
    poison = number == SCHEDULER_NONE ? NULL : poison_find(&f->pass->poison, renderer->stage, number);
    if (poison && poison->way == POISON_SKIP)
        return; // until all of it is here, see farm_skip_poison
    if (number == SCHEDULER_NONE || !stage->job_known || !stage_has_room(stage, number))
        return;
    report_first_task(&f->report);
    farm_deal_segment(f, renderer, number);
    farm_trace_dealt(f, renderer);
}

void farm_send_input(struct farm *f, struct renderer *renderer, struct roster_task *task)
{
    struct stage *stage = &f->stages[renderer->stage];
    struct shelf_segment *segment = shelf_find(&stage->shelf, task->segment);

    if (!segment)
        return;
    crew_send_chunks(&f->crew, renderer, task, &segment->chunks, renderer->remote && stage->job.takes_frames ? f->arena : NULL);
    // The cursor's own chunk stays: it is what the next one hangs on.
    if (task->cursor)
        shelf_sent(&stage->shelf, segment, task->cursor);
}

static bool takes_task(const struct farm *f, const struct renderer *renderer)
{
    return renderer->state == RENDERER_READY && f->state == FARM_RUNNING && !f->crew.called_back && farm_may_work(f, renderer) &&
           renderer->stage < f->stage_count;
}

void farm_skip_poison(struct farm *f)
{
    for (size_t i = 0; i < f->pass->poison.count; i++) {
        const struct poison_entry *poison = &f->pass->poison.entries[i];
        struct stage *stage = poison->stage < f->stage_count ? &f->stages[poison->stage] : NULL;
        const struct shelf_segment *segment = stage ? shelf_find(&stage->shelf, poison->segment) : NULL;

        if (poison->way == POISON_SKIP && segment && segment->complete && !segment->held_back &&
            scheduler_is_waiting(stage->scheduler, poison->segment))
            stage_skip(stage, poison->segment);
    }
}

// room: for runs on other hosts. The link is not looked at where there is nothing to give.
static bool is_in_reach(const struct farm *f, const struct renderer *renderer, uint64_t room)
{
    return !renderer->remote ||
           (room > 0 && (scheduler_next(f->stages[renderer->stage].scheduler) == SCHEDULER_NONE || farm_link_takes(f, renderer)));
}

void farm_deal(struct farm *f)
{
    uint64_t room = farm_freight_room(f);
    bool some_far = false;

    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        some_far |= renderer->far;
        if (takes_task(f, renderer) && is_in_reach(f, renderer, room)) {
            deal_task(f, renderer);
            room -= renderer->remote && renderer->state == RENDERER_BUSY;
        }
        if (renderer->state != RENDERER_BUSY || renderer->cancelled || renderer->task.all_sent)
            continue;
        if (renderer->probing)
            crew_send_chunks(&f->crew, renderer, &renderer->task, &f->intake.head, NULL);
        else
            farm_send_input(f, renderer, &renderer->task);
    }
    if (some_far)
        farm_deal_ahead(f);
}

bool farm_head_is_stuck(const struct farm *f)
{
    const struct stage *stage = farm_last_stage(f);

    if (!scheduler_is_waiting(stage->scheduler, assembler_head(stage->assembler)))
        return false;
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        const struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->stage + 1 != f->stage_count || !farm_may_work(f, renderer))
            continue;
        if (renderer->state == RENDERER_BUSY ? renderer->cancelled || !(roster_waits_for_credit(renderer) || roster_waits_for_input(renderer))
                                             : renderer->state != RENDERER_GONE || (!renderer->remote && !renderer->dismissed && !f->crew.borrowed))
            return false;
    }
    return true;
}

// Of those who wait the one that is at the first segment, so that there is somebody for a head that is stuck.
static bool is_to_be_done_first(const struct farm *f, const struct renderer *renderer)
{
    if (!roster_waits_for_credit(renderer) || !farm_head_is_stuck(f))
        return false;
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        const struct renderer *other = &f->crew.roster.renderers[i];

        if (roster_waits_for_credit(other) && farm_has_work(other) && !other->probing && other->stage + 1 == f->stage_count &&
            other->task.segment < renderer->task.segment)
            return false;
    }
    return true;
}

// Credit for results: always for the segment whose turn it is, for others while there is room to keep what they send. Between stages it is the slots
// that run out. Nobody has to wait for it before all is used up, so a message for every second chunk will do.
void farm_pay_credit(struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];
        const struct stage *stage;
        bool first;

        if (renderer->state != RENDERER_BUSY || renderer->owed < CREDIT_AT_ONCE || renderer->cancelled || f->state != FARM_RUNNING)
            continue;
        if (renderer->second && !farm_has_spare_room(f, renderer))
            continue;
        stage = &f->stages[renderer->stage];
        first = renderer->task.segment == assembler_head(stage->assembler);
        // What the first one sends drains by itself; it never waits for the others.
        if (stage == farm_last_stage(f) && !renderer->second &&
            (first ? outlet_queued_bytes(&f->outlet) + assembler_head_bytes(stage->assembler) > room()->write
                   : assembler_held_bytes(stage->assembler) > room()->assembly && !is_to_be_done_first(f, renderer)))
            continue;
        crew_pay(&f->crew, renderer);
    }
}
