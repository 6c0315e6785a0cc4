// The last segments are not waited for: one that a slow renderer is at goes to a second one that has nothing else to do, and whoever is done first
// has done it; the other is told to stop. What the second one sends is kept apart until then, because a part of what the first one sent may be in
// the output already. Only the last stage: before it frames are in order, and nobody is far behind. Where it takes frames only those that went to
// another host are done twice, because what somebody here is at lies in slots that are used again as soon as it is done.
#include "farm_state.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#include <stdlib.h>

bool farm_has_work(const struct renderer *renderer)
{
    return renderer->state == RENDERER_BUSY && !renderer->second && !renderer->cancelled;
}

static bool may_help(const struct farm *f, const struct renderer *renderer)
{
    return renderer->state == RENDERER_READY && renderer->stage + 1 == f->stage_count && !renderer->dismissed && !renderer->condemned &&
           farm_may_work(f, renderer) && (!renderer->remote || (farm_freight_room(f) > 0 && farm_link_takes(f, renderer)));
}

static struct renderer *first_of(struct farm *f, uint32_t segment)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (farm_has_work(renderer) && !renderer->probing && renderer->stage + 1 == f->stage_count && renderer->task.segment == segment)
            return renderer;
    }
    return NULL;
}

static bool is_second(const struct renderer *renderer)
{
    return renderer->state == RENDERER_BUSY && renderer->second && !renderer->cancelled;
}

struct renderer *farm_second_of(struct farm *f, const struct stage *stage, uint32_t segment)
{
    for (size_t i = 0; i < f->crew.roster.count && stage == farm_last_stage(f); i++)
        if (is_second(&f->crew.roster.renderers[i]) && f->crew.roster.renderers[i].task.segment == segment)
            return &f->crew.roster.renderers[i];
    return NULL;
}

// A segment that could go to another as well, and who renders it.
struct candidate {
    struct renderer *first;
    uint64_t frames;
    double left_ns;
};

static bool may_be_helped(const struct farm *f, const struct renderer *renderer)
{
    const struct stage *stage = farm_last_stage(f);
    const struct shelf_segment *segment;

    if (!farm_has_work(renderer) || renderer->probing || renderer->stage + 1 != f->stage_count || (f->stage_count > 1 && !renderer->remote) ||
        !scheduler_can_second(stage->scheduler, renderer->task.segment))
        return false;
    segment = shelf_find(&stage->shelf, renderer->task.segment);
    return segment && segment->complete && segment->repeatable && segment->dealt;
}

static size_t find_candidates(struct farm *f, const struct pace *all, struct candidate *candidates)
{
    uint64_t now_ns = clock_now_ns();
    size_t count = 0;

    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *first = &f->crew.roster.renderers[i];
        uint64_t frames;

        if (!may_be_helped(f, first))
            continue;
        frames = scheduler_frames(farm_last_stage(f)->scheduler, first->task.segment);
        candidates[count++] =
            (struct candidate){first, frames, pace_left_ns(pace_expect_ns(&first->pace, all, frames), (double)(now_ns - first->since_ns))};
    }
    // But for those that have help already.
    for (size_t i = 0; i < f->crew.roster.count && count > 0; i++)
        for (size_t j = 0; is_second(&f->crew.roster.renderers[i]) && j < count; j++)
            if (candidates[j].first->task.segment == f->crew.roster.renderers[i].task.segment)
                candidates[j--] = candidates[--count];
    return count;
}

static struct renderer *fastest_idle(const struct farm *f, const struct pace *all)
{
    struct renderer *fastest = NULL;

    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (may_help(f, renderer) && (!fastest || pace_expect_ns(&renderer->pace, all, 1) < pace_expect_ns(&fastest->pace, all, 1)))
            fastest = renderer;
    }
    return fastest;
}

// NULL: nothing would be gained.
static struct candidate *most_gain(const struct farm *f, const struct renderer *second, const struct pace *all, struct candidate *candidates,
                                   size_t count)
{
    struct candidate *best = NULL;
    double best_ns = 0;

    for (size_t i = 0; i < count; i++) {
        double gain_ns = pace_gain_ns(candidates[i].left_ns, pace_expect_ns(&second->pace, all, candidates[i].frames));

        if (gain_ns > best_ns && !farm_failed_there(f, second, second->stage, candidates[i].first->task.segment)) {
            best = &candidates[i];
            best_ns = gain_ns;
        }
    }
    return best;
}

static void begin_too(struct farm *f, struct renderer *second, const struct renderer *first)
{
    struct stage *stage = farm_last_stage(f);
    uint32_t number = first->task.segment;

    log_info("segment %u is taking renderer %u long; renderer %u begins it too", number, first->slot, second->slot);
    farm_send_task(f, second, shelf_find(&stage->shelf, number), scheduler_on_second(stage->scheduler, number));
    second->task.faults = scheduler_faults(stage->scheduler, number);
    second->task.whole = true;
    second->second = true;
}

void farm_deal_seconds(struct farm *f)
{
    struct candidate *candidates, *best;
    struct renderer *second;
    struct pace all = {0};
    size_t count;

    // Renderers that are lent have other files to go to.
    if (f->state != FARM_RUNNING || f->stage_count == 0 || !f->plan.stages[f->stage_count - 1].parallel || f->crew.borrowed ||
        scheduler_next(farm_last_stage(f)->scheduler) != SCHEDULER_NONE || !fastest_idle(f, &all))
        return;
    for (size_t i = 0; i < f->crew.roster.count; i++)
        if (f->crew.roster.renderers[i].stage + 1 == f->stage_count)
            pace_add(&all, f->crew.roster.renderers[i].pace.worked_ns, f->crew.roster.renderers[i].pace.frames);
    if (all.frames == 0)
        return;
    candidates = mem_zalloc(f->crew.roster.count * sizeof(*candidates));
    count = find_candidates(f, &all, candidates);
    // Who is slower than the fastest gains less.
    while ((second = fastest_idle(f, &all)) && (best = most_gain(f, second, &all, candidates, count))) {
        begin_too(f, second, best->first);
        *best = candidates[--count];
    }
    free(candidates);
    farm_deal(f);
}

// What it did is of no use.
static void count_lost(struct farm *f, const struct renderer *renderer)
{
    f->report.stats.lost_ns += clock_now_ns() - renderer->since_ns;
    trace_task(f->trace, &(struct trace_task){.slot = renderer->slot,
                                              .stage = renderer->stage,
                                              .segment = renderer->task.segment,
                                              .attempt = renderer->task.attempt,
                                              .from_ns = renderer->since_ns,
                                              .to_ns = clock_now_ns()});
}

// It stays busy until it has said that it stopped.
static void cancel(struct farm *f, struct renderer *renderer)
{
    count_lost(f, renderer);
    crew_cancel(&f->crew, renderer);
}

void farm_lose_second(struct farm *f, const struct renderer *was)
{
    if (!was->cancelled)
        count_lost(f, was);
}

void farm_take_over(struct farm *f, struct renderer *second)
{
    struct stage *stage = farm_last_stage(f);
    struct renderer *first = first_of(f, second->task.segment);
    struct chunk *chunk;

    if (first) {
        farm_count_lost(f, first->stage, first->received);
        assembler_restart(stage->assembler, second->task.segment);
        farm_lose_kept(f, stage, second->task.segment);
        cancel(f, first);
    }
    log_info("segment %u is renderer %u's now", second->task.segment, second->slot);
    scheduler_on_taken_over(stage->scheduler, second->task.segment, second->task.attempt, second->slot);
    second->second = false;
    f->report.frames_done += second->received;
    f->report.stats.renderers[second->slot].frames += second->received;
    while ((chunk = chunk_list_take(&second->spare))) {
        farm_keep(f, stage, second->task.segment, chunk);
        if (assembler_put(stage->assembler, second->task.segment, &chunk) < 0)
            chunk_free(&chunk);
    }
}

void farm_end_seconds(struct farm *f, const struct stage *stage, uint32_t segment)
{
    struct renderer *second = farm_second_of(f, stage, segment);

    if (second)
        cancel(f, second);
}

bool farm_has_spare_room(struct farm *f, struct renderer *second)
{
    const struct renderer *first = first_of(f, second->task.segment);
    size_t bytes = 0;

    for (size_t i = 0; i < f->crew.roster.count; i++)
        bytes += f->crew.roster.renderers[i].spare.size_bytes;
    if (bytes <= room()->spare)
        return true;
    // Both cannot be kept; who is ahead goes on.
    if (!first || second->received <= first->received)
        return false;
    farm_take_over(f, second);
    return true;
}
