// A farm that works with renderers which others use too: what it asks of the depot, and what others ask about it.
#include "farm_state.h"

#include "common/mem.h"

#include <stdlib.h>

static unsigned wish(void *data, size_t number)
{
    const struct farm *f = data;
    const struct stage *stage;
    uint32_t next;

    if (f->stage_count == 0)
        return f->state == FARM_OPENING && f->intake.opened && f->outlet.state == OUTLET_OPEN && !intake_busy(&f->intake);
    if (f->state != FARM_RUNNING)
        return 0;
    stage = &f->stages[number];
    next = scheduler_next(stage->scheduler);
    return next != SCHEDULER_NONE && stage->job_known && stage_has_room(stage, next) ? (unsigned)scheduler_available(stage->scheduler) : 0;
}

static bool is_dealt(void *data)
{
    return farm_is_dealt(data);
}

static void pump(void *data)
{
    struct farm *f = data;

    // Slots may have been added.
    if (f->crew.roster.count > f->report.stats.renderer_count)
        report_grow(&f->report, f->crew.roster.count);
    farm_pump(f);
}

// What a renderer locks itself in for.
static char *kind_of(const struct options *o)
{
    // A sheet has filters of its own, of which drawtext reads a font.
    char *kind = mem_format("%s\n%s\n%s\n%s", o->filter, o->codec ? o->codec : "", o->pixel_format ? o->pixel_format : "",
                            o->sheet_columns > 0 ? "sheet" : "");

    for (size_t i = 0; i < o->encoder_option_count; i++) {
        char *longer = mem_format("%s\n%s=%s", kind, o->encoder_options[i].key, o->encoder_options[i].value);

        free(kind);
        kind = longer;
    }
    return kind;
}

void farm_borrow(struct farm *f)
{
    depot_lend_to(f->pass->depot, &f->crew);
    f->local_workers = (int)depot_workers(f->pass->depot);
    report_grow(&f->report, f->crew.roster.count);
    f->tenant = (struct depot_tenant){
        .crew = &f->crew,
        .kind = kind_of(f->options),
        .events = &farm_hub_events,
        .on_exit = farm_on_renderer_exit,
        .wish = wish,
        .is_dealt = is_dealt,
        .pump = pump,
        .data = f,
    };
    depot_join(f->pass->depot, &f->tenant);
}

void farm_staff_lent(struct farm *f)
{
    f->works = mem_zalloc(f->stage_count * sizeof(*f->works));
    for (size_t i = 0; i < f->stage_count; i++) {
        f->works[i] = i + 1 == f->stage_count ? DEPOT_FINISH : f->plan.stages[i].parallel ? DEPOT_PREPARE : DEPOT_ORDER;
        // A renderer that has worked for one stage may get the next one's job.
        f->stages[i].job.whole_filters = f->stage_count > 1 ? f->job.filters : NULL;
    }
    f->tenant.works = f->works;
    f->tenant.stage_count = f->stage_count;
}

// No renderer works for it any more.
void farm_give_back(struct farm *f)
{
    depot_leave(f->pass->depot, &f->tenant);
    if (f->arena_size > 0)
        depot_give_memory(f->pass->depot, f->arena_offset, f->arena_size);
    free(f->works);
    free((char *)f->tenant.kind);
}

void farm_stop(struct farm *f, int status)
{
    // An output that is being given its name would be there all the same, under a job that says that it is not.
    if (f->state != FARM_FINISHING)
        farm_start_ending(f, status);
    farm_pump(f);
}

bool farm_is_dealt(const struct farm *f)
{
    const struct stage *first;
    uint32_t next;

    if (f->state == FARM_FINISHING || f->state == FARM_ENDING)
        return true;
    if (f->state != FARM_RUNNING)
        return false;
    first = farm_first_stage(f);
    if (scheduler_waiting(first->scheduler) == 0)
        return f->input_ended || !first->plan->parallel;
    // Those behind it are what it waits for.
    next = scheduler_next(first->scheduler);
    return next != SCHEDULER_NONE && !stage_has_room(first, next);
}

void farm_facts(const struct farm *f, struct progress_facts *facts)
{
    static const struct source_facts unknown; // a lane is at them until the input is open

    report_facts(&f->report, f->intake.opened ? &f->intake.facts : &unknown, f->input_ended ? f->frames_read : 0, facts);
}
