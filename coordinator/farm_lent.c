// A farm that works with renderers which others use too: what it asks of the depot, and what others ask about it.
#include "farm_state.h"

#include "common/mem.h"

#include <stdlib.h>

// The first stage is the only one.
static bool can_deal(const struct farm *f)
{
    const struct stage *stage = &f->stages[0];
    uint32_t number = scheduler_next(stage->scheduler);

    return number != SCHEDULER_NONE && stage->job_known && stage_has_room(stage, number);
}

static enum depot_wish wish(void *data)
{
    const struct farm *f = data;

    if (f->state == FARM_OPENING && f->intake.opened && f->outlet.state == OUTLET_OPEN && !intake_busy(&f->intake))
        return DEPOT_ONE;
    return f->state == FARM_RUNNING && can_deal(f) ? DEPOT_ANY : DEPOT_NOTHING;
}

static void pump(void *data)
{
    farm_pump(data);
}

// What a renderer locks itself in for.
static char *kind_of(const struct options *o)
{
    char *kind = mem_format("%s\n%s\n%s", o->filter, o->codec ? o->codec : "", o->pixel_format ? o->pixel_format : "");

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
    f->local_workers = (int)f->crew.roster.count;
    report_grow(&f->report, f->crew.roster.count);
    f->tenant = (struct depot_tenant){
        .crew = &f->crew,
        .kind = kind_of(f->options),
        .events = &farm_hub_events,
        .on_exit = farm_on_renderer_exit,
        .wish = wish,
        .pump = pump,
        .data = f,
    };
    depot_join(f->pass->depot, &f->tenant);
}

void farm_give_back(struct farm *f)
{
    depot_leave(f->pass->depot, &f->tenant);
    free((char *)f->tenant.kind);
}

void farm_stop(struct farm *f, int status)
{
    farm_start_ending(f, status);
    farm_pump(f);
}

bool farm_is_dealt(const struct farm *f)
{
    if (f->state == FARM_FINISHING || f->state == FARM_ENDING)
        return true;
    if (f->state != FARM_RUNNING || !f->input_ended)
        return false;
    for (size_t i = 0; i < f->stage_count; i++)
        if (scheduler_waiting(f->stages[i].scheduler) > 0 || (i > 0 && !f->stages[i].input_ended))
            return false;
    return true;
}

void farm_facts(const struct farm *f, struct progress_facts *facts)
{
    report_facts(&f->report, &f->intake.facts, f->input_ended ? f->frames_read : 0, facts);
}
