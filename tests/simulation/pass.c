// One pass of the farm in the world, and what it promises at every moment: memory is bounded, what is due is what is written next, nobody and nothing
// is left behind. coordinator/farm_run.c over events that are made up.
#include "world.h"

#include "common/arena.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include "coordinator/memory.h"

#include <signal.h>
#include <stdlib.h>

enum { MOST_STEPS = 3000000 }; // of a pass

#define HURRY_NS UINT64_C(2000000000)

// ---- What the farm promises at every moment ----

// What a renderer was sent ahead is its alone, and behind what it is at.
static void check_ahead(const struct farm *f)
{
    size_t sent_ahead = 0;

    for (size_t i = 0; i < f->crew.roster.count; i++) {
        const struct renderer *r = &f->crew.roster.renderers[i];

        if (!r->has_ahead || r->called_back)
            continue;
        sent_ahead++;
        if (r->state != RENDERER_BUSY || r->ahead.segment <= r->task.segment)
            world_violated("renderer %u is %s at segment %u and was sent %u ahead", r->slot, renderer_state_name(r->state), r->task.segment,
                           r->ahead.segment);
        if (!scheduler_is_running(f->stages[r->stage].scheduler, r->ahead.segment, r->ahead.attempt, r->slot))
            world_violated("renderer %u was sent segment %u ahead, which is not its own", r->slot, r->ahead.segment);
        for (size_t j = 0; j < f->crew.roster.count; j++)
            if (f->crew.roster.renderers[j].state == RENDERER_READY && farm_may_work(f, &f->crew.roster.renderers[j]) && f->state == FARM_RUNNING)
                world_violated("renderer %zu has nothing to do, and segment %u waits behind another's", j, r->ahead.segment);
    }
    if (sent_ahead != f->sent_ahead)
        world_violated("%zu tasks were sent ahead, and %zu are known", sent_ahead, f->sent_ahead);
}

void pass_check(const struct video *video)
{
    const struct farm *f = video->farm;
    uint64_t most_chunk_bytes = (uint64_t)(video->shape.packet_bytes + 64) * 20;
    uint64_t crew = f->crew.roster.count, spare_bytes = 0, finished_bytes;

    for (size_t i = 0; i < crew; i++)
        spare_bytes += f->crew.roster.renderers[i].spare.size_bytes;
    check_ahead(f);
    if (spare_bytes > world.room.spare + crew * PROTOCOL_FIRST_CREDIT * most_chunk_bytes)
        world_violated("second renderers have sent %zu bytes that nobody may take yet", (size_t)spare_bytes);

    for (size_t i = 0; i < f->stage_count; i++) {
        const struct stage *stage = &f->stages[i];

        // What is read ahead, and what one more call of the lane brings.
        if (stage->shelf.size_bytes > world.room.shelf + most_chunk_bytes &&
            stage->shelf.size_bytes - stage->shelf.kept_bytes >
                world.room.ahead + most_chunk_bytes + crew * SHELF_KEEP_BYTES) // what lost renderers had waits again
            world_violated("%zu bytes wait in stage %zu", stage->shelf.size_bytes - stage->shelf.kept_bytes, i);
        if (stage->shelf.kept_bytes > stage->shelf.size_bytes || stage->shelf.kept_bytes > 2 * crew * (SHELF_KEEP_BYTES + 2 * most_chunk_bytes))
            world_violated("%zu bytes are kept in stage %zu", stage->shelf.kept_bytes, i);
        finished_bytes = world.room.assembly + world.room.write + crew * PROTOCOL_FIRST_CREDIT * most_chunk_bytes;
        // Who is to stand in for a lost one brings the rest of what it is at.
        if (scheduler_retries(stage->scheduler) > 0)
            finished_bytes += (uint64_t)video->shape.frames * most_chunk_bytes;
        if (assembler_held_bytes(stage->assembler) > finished_bytes)
            world_violated("%zu finished bytes wait in stage %zu", assembler_held_bytes(stage->assembler), i);
        if (assembler_head(stage->assembler) != scheduler_first(stage->scheduler))
            world_violated("stage %zu: segment %u is due, and %u is written next", i, scheduler_first(stage->scheduler),
                           assembler_head(stage->assembler));
    }
}

const struct room *room(void)
{
    return &world.room;
}

// As if some of them were on other hosts.
static void place(struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count; i++)
        f->crew.roster.renderers[i].far = world.far >> (i % 64) & 1;
}

static void check_end(const struct video *video)
{
    const struct farm *f = video->farm;

    if (video->finished && f->exit_status != 0 && f->exit_status != KILLED)
        world_violated("%s: status %d, and the output is finished", video->output, f->exit_status);
    if (f->outlet.err < 0)
        files_check_trouble(video, f->outlet.why);
    if (f->exit_status != 0 || !f->arena)
        return;
    for (size_t i = 0; i + 1 < f->stage_count; i++) {
        const Wire__Arena *slots = &f->stages[i].slots;
        uint32_t free_slots = arena_free_count(f->arena, slots->first, slots->count);

        // What the next run would have had as its neighbours is still held.
        if (free_slots + f->stages[i + 1].history_count != slots->count)
            world_violated("%u of %u slots behind stage %zu are free at the end", free_slots, slots->count, i);
    }
}

// ---- coordinator/farm_run.c ----

static void kill_crew(void *data)
{
    struct video *video = data;

    if (video->farm && !video->closed && video->hurry_ns > 0 && world.now_ns >= video->hurry_ns + HURRY_NS)
        crew_kill(&video->farm->crew);
}

void farm_hurry(struct farm *f)
{
    struct video *video = world_video_of(f);

    if (video->hurry_ns > 0)
        return;
    video->hurry_ns = world.now_ns;
    world_after(HURRY_NS, kill_crew, NULL, video);
}

void farm_close(struct farm *f)
{
    struct video *video = world_video_of(f);

    if (video->closed)
        return;
    video->closed = true;
    crew_close(&f->crew);
}

void pass_die(void)
{
    world_say("the coordinator is killed");
    world.counts.kills++;
    world.dead = true;
    for (unsigned i = 0; i < world.video_count; i++) {
        struct farm *f = world.videos[i].farm;

        if (!f || world.videos[i].closed)
            continue;
        farm_start_ending(f, KILLED);
        f->pass->again = AGAIN_NO;
        farm_pump(f);
    }
}

uint64_t pass_pause(void)
{
    uint64_t pause_ns;

    if (!world_chance(world.faults.stop))
        return 0;
    // With all that belongs to it, as a shell does: time goes by, and nobody sees it.
    pause_ns = world_random(100) * 1000000000;
    world_say("stopped for %llu s", (unsigned long long)(pause_ns / 1000000000));
    return pause_ns;
}

static void on_tick(void *data)
{
    struct video *video = data;
    struct farm *f = video->farm;
    uint64_t pause_ns = 0;

    if (video->closed)
        return;
    if (world_chance(world.faults.kill) && f->state != FARM_ENDING) {
        pass_die();
    } else if (world_chance(world.faults.interrupt)) {
        world_say("Ctrl-C");
        farm_stop(f, 130);
    } else {
        pause_ns = pass_pause();
    }
    if (video->closed)
        return;
    farm_tick(f);
    world_after(TICK_NS + pause_ns, on_tick, NULL, video);
}

// For whoever looks into a violation.
void pass_say(const struct video *video)
{
    const struct farm *f = video->farm;

    for (size_t i = 0; i < f->crew.roster.count; i++) {
        const struct renderer *r = &f->crew.roster.renderers[i];

        world_say("renderer %u of stage %u: %s%s, segment %u attempt %u, credit %u, owed %u, %s, silent for %.3f s", r->slot, r->stage,
                  renderer_state_name(r->state), r->condemned ? " (condemned)" : "", r->task.segment, r->task.attempt, r->task.credit, r->owed,
                  r->task.all_sent ? "has all" : "lacks input", (double)(world.now_ns - r->heard_ns) / 1e9);
    }
    for (size_t i = 0; i < f->stage_count; i++)
        world_say("stage %zu: %u segments, %u written, %zu waiting, next %u, head %u, %s; slots %u free of %u", i,
                  scheduler_total(f->stages[i].scheduler), scheduler_first(f->stages[i].scheduler), scheduler_waiting(f->stages[i].scheduler),
                  scheduler_next(f->stages[i].scheduler), assembler_head(f->stages[i].assembler),
                  f->stages[i].input_ended ? "input ended" : "more to come",
                  f->arena ? arena_free_count(f->arena, f->stages[i].slots.first, f->stages[i].slots.count) : 0, f->stages[i].slots.count);
}

void pass_begin(struct video *video, const struct options *options, struct pass *pass)
{
    const struct shape *shape = &video->shape;
    struct farm *f = video->farm = mem_zalloc(sizeof(*f));

    video->closed = false;
    video->hurry_ns = 0;
    video->finished = false;
    world.counts.lives++;
    world_say("a pass begins: %u frames, %s, chain '%s', %d workers", shape->frames, shape->cuttable ? "can be cut" : "cannot be cut", shape->chain,
              options->workers);
    farm_init(f, options, pass);
    if (farm_start(f) < 0)
        farm_start_ending(f, 1);
}

int pass_end(struct video *video)
{
    struct farm *f = video->farm;
    const struct pass *pass = f->pass;
    int status = f->exit_status;

    world.counts.staged += f->stage_count > 1;
    check_end(video);
    world_say("the pass is over: status %d%s, %u frames written", status, pass->again ? ", once more" : "", video->next_frame);
    if (lane_busy(&f->intake.lane) || outlet_busy(&f->outlet))
        world_violated("the pass is over, and a lane is at work");
    if (!pass->depot)
        world_forget_all();
    farm_clear(f);
    free(f);
    video->farm = NULL;
    return status;
}

int farm_run(const struct options *options, struct pass *pass)
{
    struct video *video = world_video_named(options->output);
    uint64_t last_step = world.steps + MOST_STEPS;
    int status;

    pass_begin(video, options, pass);
    place(video->farm);
    world_after(TICK_NS, on_tick, NULL, video);
    farm_pump(video->farm);
    while (!video->closed) {
        if (!world_step())
            world_violated("nothing happens any more, and the pass is not over");
        if (world.steps > last_step) {
            pass_say(video);
            world_violated("no end after %d steps", MOST_STEPS);
        }
        if (!video->closed && video->farm->state != FARM_ENDING)
            pass_check(video);
    }
    status = pass_end(video);
    renderers_check_none_left();
    return status;
}

// The kernel's count, which farm_lost.c looks at.
uint64_t __wrap_memory_kills(void);
uint64_t __wrap_memory_kills(void)
{
    return world.memory_kills;
}
