// A batch in the world: coordinator/batch.c over events that are made up. Two to four farms share the renderers of a depot; what is promised of that
// is looked after at every moment: each renderer works for one of them at most, and what is lent is what the depot says.
#include "world.h"

#include "coordinator/depot.h"
#include "coordinator/passes.h"

#include <signal.h>
#include <stddef.h>

enum { MOST_STEPS = 6000000 };

#define LEAVE_NS UINT64_C(2000000000)

static struct batch {
    struct depot *depot;
    struct passes passes[MOST_VIDEOS];
    unsigned next; // to be begun
    bool stopping, leaving;
    int workers;
} batch;

static bool runs(const struct video *video)
{
    return video->farm && !video->closed;
}

static unsigned running(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < world.video_count; i++)
        count += world.videos[i].farm != NULL;
    return count;
}

static void stop(int status)
{
    batch.stopping = true;
    for (unsigned i = 0; i < world.video_count; i++)
        if (runs(&world.videos[i]))
            farm_stop(world.videos[i].farm, status);
}

static void on_fail(void *data)
{
    (void)data;
    world_say("renderers do not start");
    stop(1);
}

static void on_tick(void *data)
{
    uint64_t pause_ns = 0;

    if (!batch.depot || batch.leaving)
        return;
    world.ticks++;
    if (world_chance(world.faults.kill)) {
        batch.stopping = true;
        pass_die();
    } else if (world_chance(world.faults.interrupt)) {
        world_say("Ctrl-C");
        stop(130);
    } else {
        pause_ns = pass_pause();
    }
    for (unsigned i = 0; i < world.video_count; i++)
        if (runs(&world.videos[i]))
            farm_tick(world.videos[i].farm);
    world_after(TICK_NS + pause_ns, on_tick, NULL, data);
}

static void begin_pass(struct video *video)
{
    struct passes *passes = &batch.passes[video->shape.number];

    world.counts.shared++;
    pass_begin(video, passes_options(passes), passes_pass(passes));
    farm_pump(video->farm);
}

static void end_pass(struct video *video)
{
    struct passes *passes = &batch.passes[video->shape.number];

    video->status = pass_end(video);
    // Killed before its end was noted: it is done again, however far it was.
    if (world.dead)
        video->status = KILLED;
    if (!passes_go_on(passes, &video->status)) {
        passes_clear(passes);
    } else if (batch.stopping) {
        passes_clear(passes);
        video->status = world.dead ? KILLED : 130;
    } else {
        begin_pass(video);
    }
}

// The farm has it, whatever for.
static bool has(const struct video *video, size_t slot)
{
    return video->farm && slot < video->farm->crew.roster.count && video->farm->crew.roster.renderers[slot].state != RENDERER_GONE;
}

// There may be more slots than a farm knows of, as long as it has had none of those.
static size_t slots(void)
{
    size_t most = 0;

    for (unsigned i = 0; i < world.video_count; i++)
        if (world.videos[i].farm && world.videos[i].farm->crew.roster.count > most)
            most = world.videos[i].farm->crew.roster.count;
    return most;
}

static void check_loans(void)
{
    unsigned lent = 0;

    for (size_t slot = 0; slot < slots(); slot++) {
        unsigned holders = 0;

        for (unsigned i = 0; i < world.video_count; i++)
            holders += has(&world.videos[i], slot);
        if (holders > 1)
            world_violated("renderer %zu is lent to %u farms", slot, holders);
        lent += holders;
    }
    if (lent != (unsigned)depot_busy(batch.depot))
        world_violated("%u renderers are lent, and the depot knows of %d", lent, depot_busy(batch.depot));
}

// For each kind of work there are as many as workers, and one for each stage that would have none.
static void check_staff(void)
{
    unsigned of[DEPOT_WORKS] = {0}, stages = 0;

    for (unsigned i = 0; i < world.video_count; i++) {
        const struct farm *f = world.videos[i].farm;

        for (size_t slot = 0; f && slot < f->crew.roster.count; slot++) {
            const struct renderer *renderer = &f->crew.roster.renderers[slot];

            if (has(&world.videos[i], slot) && !renderer->probing && renderer->stage < f->stage_count)
                of[f->works[renderer->stage]]++;
        }
        stages += f && f->stage_count > 1 ? (unsigned)f->stage_count : 0;
    }
    for (enum depot_work work = 0; work < DEPOT_WORKS; work++)
        if (of[work] > (unsigned)batch.workers + stages)
            world_violated("%u renderers of %d workers do the same kind of work", of[work], batch.workers);
    if (of[DEPOT_ORDER] > stages)
        world_violated("%u renderers work in order in %u stages", of[DEPOT_ORDER], stages);
}

static void check(void)
{
    check_loans();
    check_staff();
    if (!batch.leaving)
        renderers_check_starts(2 * (uint64_t)world.videos[0].options.stall_s * 1000000000 / TICK_NS);
    for (unsigned i = 0; i < world.video_count; i++)
        if (runs(&world.videos[i]) && world.videos[i].farm->state != FARM_ENDING)
            pass_check(&world.videos[i]);
}

static void on_late(void *data)
{
    (void)data;
    if (batch.depot)
        depot_kill(batch.depot);
}

static void leave(void)
{
    if (batch.leaving)
        return;
    batch.leaving = true;
    depot_dismiss(batch.depot);
    world_after(LEAVE_NS, on_late, NULL, NULL);
}

// As in coordinator/batch.c.
static bool may_begin(void)
{
    unsigned hungry = 0;

    if (batch.stopping || batch.next == world.video_count)
        return false;
    for (unsigned i = 0; i < batch.next; i++)
        hungry += world.videos[i].farm && !farm_is_dealt(world.videos[i].farm);
    return hungry < 2 + (unsigned)batch.workers / 4;
}

static void begin_next(void)
{
    struct video *video = &world.videos[batch.next];
    struct passes *passes = &batch.passes[batch.next++];

    if (video->status == 0 || video->status == 3)
        return;
    passes_begin(passes, &video->options);
    passes_pass(passes)->depot = batch.depot;
    begin_pass(video);
}

// As at every turn of the loop.
static void turn(void)
{
    depot_turn(batch.depot);
    for (unsigned i = 0; i < world.video_count; i++)
        if (world.videos[i].farm && world.videos[i].closed)
            end_pass(&world.videos[i]);
    while (may_begin())
        begin_next();
    depot_turn(batch.depot);
    if (running() == 0 && (batch.next == world.video_count || batch.stopping))
        leave();
}

void batch_run(void)
{
    uint64_t last_step = world.steps + MOST_STEPS;
    int err;

    batch = (struct batch){.workers = world.videos[0].options.workers};
    world.counts.batches++;
    err = depot_open(&batch.depot, NULL, batch.workers, 1, world.videos[0].options.stall_s, -1, on_fail, NULL);
    if (err < 0)
        world_violated("renderers cannot be started");
    world_after(TICK_NS, on_tick, NULL, NULL);
    turn();
    while (!batch.leaving || depot_running(batch.depot) > 0) {
        if (!world_step())
            world_violated("nothing happens any more, and the batch is not over");
        if (world.steps > last_step) {
            for (unsigned i = 0; i < world.video_count; i++)
                if (world.videos[i].farm)
                    pass_say(&world.videos[i]);
            world_violated("no end of a batch after %d steps", MOST_STEPS);
        }
        turn();
        check();
    }
    depot_close(batch.depot);
    world_forget_all();
    depot_free(&batch.depot);
    renderers_check_none_left();
}
