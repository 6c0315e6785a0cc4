// One pass of the farm in virtual time: coordinator/farm_run.c over events that only cost time.
#include "virtual.h"

#include "common/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS 200e6
#define MOST_NS 1e17 // three years

// The ends of renderers that do not leave by themselves are no matter here: all do.
void farm_hurry(struct farm *f)
{
    (void)f;
}

void farm_close(struct farm *f)
{
    if (virtual.closed)
        return;
    virtual.closed = true;
    crew_close(&f->crew);
}

// Since when nothing has come to the loop, as far as ticks tell.
static struct {
    uint64_t posts, since_ns;
} quiet;

// A long wait has fewer ticks, so that days of it are over in no time; what follows from one is late by a thousandth of the wait at most. Without
// stages nothing but the end of a job needs them, so that a long job has fewer too.
static double tick_ns(const struct farm *f)
{
    double waited_ns = (double)(virtual.now_ns - quiet.since_ns), passed_ns = f->stage_count > 1 ? 0 : (double)virtual.now_ns;

    return fmax(TICK_NS, fmax(waited_ns / 1000, passed_ns / 2000));
}

static void on_tick(void *data)
{
    struct farm *f = data;

    if (virtual.closed)
        return;
    farm_tick(f);
    if (virtual.posts != quiet.posts) {
        quiet.posts = virtual.posts;
        quiet.since_ns = virtual.now_ns;
    }
    virtual_after(tick_ns(f), on_tick, f);
}

static const char *what_is_too_much(const struct farm *f)
{
    for (size_t i = 0; i < f->stage_count; i++)
        if (scheduler_total(f->stages[i].scheduler) > MOST_SEGMENTS)
            return "it has more than 50000 segments (--segment, --repeat, --length)";
    return (double)virtual.now_ns > MOST_NS ? "it takes more than three years" : NULL;
}

static void give_up_what_is_too_much(struct farm *f)
{
    struct prediction *p = virtual.prediction;

    if (p->too_much)
        return;
    p->too_much = what_is_too_much(f);
    if (!p->too_much)
        return;
    farm_start_ending(f, 1);
    farm_pump(f);
}

static void note_most(struct prediction *p, const struct farm *f)
{
    uint64_t shelf = 0, held = 0;

    for (size_t i = 0; i < f->stage_count; i++) {
        shelf += f->stages[i].shelf.size_bytes;
        held += assembler_held_bytes(f->stages[i].assembler);
    }
    p->most_shelf_bytes = shelf > p->most_shelf_bytes ? shelf : p->most_shelf_bytes;
    p->most_held_bytes = held > p->most_held_bytes ? held : p->most_held_bytes;
}

static void tell(struct prediction *p, const struct farm *f, uint64_t start_ns)
{
    double longest = 0;

    p->status = f->exit_status;
    p->wall_ns = virtual.now_ns - start_ns;
    if (f->stage_count > 0)
        p->segments = scheduler_total(farm_last_stage(f)->scheduler);
    for (size_t i = 0; i < f->stage_count; i++) {
        const struct recorded_stage *stage = &virtual.machine->recording->stages[i];
        double cost = media_cost(i, 0, i == 0 ? media_input_frames() : f->stages[i].frames);

        if (stage->parallel || cost <= longest)
            continue;
        longest = cost;
        p->serial = stage->decode && *stage->filters    ? stage->filters
                    : stage->decode                     ? "decode"
                    : stage->encode && !*stage->filters ? "encode"
                                                        : stage->filters;
    }
}

int farm_run(const struct options *options, struct pass *pass)
{
    struct farm *f = mem_zalloc(sizeof(*f));
    uint64_t start_ns = virtual.now_ns;
    int status;

    virtual.farm = f;
    virtual.closed = false;
    farm_init(f, options, pass);
    if (farm_start(f) < 0)
        farm_start_ending(f, 1);
    quiet.posts = virtual.posts;
    quiet.since_ns = virtual.now_ns;
    virtual_after(TICK_NS, on_tick, f);
    farm_pump(f);
    while (!virtual.closed && virtual_step()) {
        note_most(virtual.prediction, f);
        give_up_what_is_too_much(f);
    }
    status = virtual.closed ? f->exit_status : 1;
    tell(virtual.prediction, f, start_ns);
    // Messages that are still on their way come to nobody.
    while (virtual_step())
        continue;
    farm_clear(f);
    free(f);
    virtual.farm = NULL;
    return status;
}

int virtual_run(const struct machine *machine, struct prediction *prediction)
{
    struct options options = {
        .input = machine->recording->input,
        .output = (char *)(uintptr_t) "virtual.mkv",
        .progress = PROGRESS_OFF,
        .verbosity = -1,
        .workers = (int)machine->workers,
        .threads = machine->recording->threads,
        .filter = machine->recording->filters,
        .stall_s = 1e9, // nobody hangs here
        .memory_bytes = UINT64_MAX,
        .no_cache = true,
    };
    struct pass pass = {.again = AGAIN_NO};

    *prediction = (struct prediction){.workers = machine->workers};
    virtual.machine = machine;
    virtual.prediction = prediction;
    virtual.serial_stage = UINT32_MAX;
    virtual_start(machine->hosts, machine->cores);
    prediction->status = farm_run(&options, &pass);
    poison_clear(&pass.poison);
    renderers_end();
    virtual_end();
    return prediction->too_much ? 1 : prediction->status;
}
