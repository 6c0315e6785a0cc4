// Raw frames on their way to other hosts: how many runs go there at a time, by freight.h's rules and by what runs were seen to take.
#include "farm_state.h"

#include "hops.h"

#include "common/curve.h"
#include "common/log.h"

#include <string.h>

// What sending takes in all, of what encrypting does: frames are copied too, into messages and by the kernel. Measured with frames of 1920x1080 over
// the loopback: 1.35 ns for a byte, where encrypting it takes 0.58.
#define IN_ALL 2.3

void farm_plan_freight(struct farm *f, size_t frame_bytes)
{
    size_t last = f->stage_count - 1;

    // Where nobody here can do it there is no choice.
    if (!farm_remote_takes_frames(f) || f->local_workers == 0)
        return;
    f->own_slots = hops_wanted(f->stages[last - 1].plan, f->stages[last].plan, (unsigned)f->local_workers);
    f->sending_ns = IN_ALL * curve_cost_ns() * (double)frame_bytes;
}

uint64_t farm_freight_room(const struct farm *f)
{
    uint64_t most, away = 0;
    const struct stage *last;

    if (f->own_slots == 0)
        return UINT64_MAX;
    if (!freight_pays(&f->here, f->sending_ns))
        return 0;
    last = farm_last_stage(f);
    most = freight_most_runs(f->stages[f->stage_count - 2].slots.count, f->own_slots, last->plan->run_frames);
    for (size_t i = 0; i < f->crew.roster.count; i++)
        away += f->crew.roster.renderers[i].remote && f->crew.roster.renderers[i].state == RENDERER_BUSY;
    return most > away ? most - away : 0;
}

static bool is_neighbour(const struct renderer *renderer, const struct renderer *other)
{
    return other->remote && other->state != RENDERER_GONE && strcmp(other->host, renderer->host) == 0;
}

// What is known of the way to a host is kept with the first of its renderers. busy, all: how many of them work, how many there are.
static struct freight *freight_to(const struct farm *f, const struct renderer *renderer, size_t *busy, size_t *all)
{
    struct freight *freight = NULL;

    *busy = *all = 0;
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *other = &f->crew.roster.renderers[i];

        if (!is_neighbour(renderer, other))
            continue;
        ++*all;
        *busy += other->state == RENDERER_BUSY;
        freight = freight ? freight : &other->freight;
    }
    return freight;
}

bool farm_link_takes(const struct farm *f, const struct renderer *renderer)
{
    const struct freight *freight;
    size_t busy, all;

    if (f->stage_count <= 1)
        return true;
    freight = freight_to(f, renderer, &busy, &all);
    return busy < freight_enough(freight);
}

// What its work costs here, and what comes of that.
static void on_done_here(struct farm *f, const Wire__Done *done, uint64_t frames)
{
    pace_add(&f->here, done->process_cpu_ns, frames);
    if (f->own_slots == 0 || f->freight_told || freight_pays(&f->here, f->sending_ns))
        return;
    f->freight_told = true;
    log_info("frames stay on this host: one takes %.2f ms of CPU time to send, and %.2f ms to render", f->sending_ns / 1e6,
             pace_expect_ns(&f->here, &f->here, 1) / 1e6);
}

static void on_done_there(struct farm *f, const struct renderer *renderer, const Wire__Done *done)
{
    size_t busy, all;
    struct freight *freight = freight_to(f, renderer, &busy, &all);
    size_t before = freight_enough(freight);

    freight_on_run(freight, done->wall_ns, done->waited_ns, busy);
    if (before >= all && freight_enough(freight) < all)
        log_info("frames come to %s too slowly for %zu renderers: %zu work at a time", renderer->host, all, freight_enough(freight));
}

void farm_freight_done(struct farm *f, const struct renderer *renderer, const Wire__Done *done)
{
    const struct stage *stage = &f->stages[renderer->stage];

    if (!stage->job.takes_frames || stage != farm_last_stage(f))
        return;
    if (!renderer->remote)
        on_done_here(f, done, scheduler_frames(stage->scheduler, done->segment));
    else if (renderer->task.whole && done->has_waited_ns)
        on_done_there(f, renderer, done);
}
