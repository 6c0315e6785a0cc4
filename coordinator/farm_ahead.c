// The next task for renderers far away, before they are done with the one at hand: that the last word of one comes here, and the first of the next
// goes there, is not waited for. Only where input and output are packets; and only a segment behind the one at hand, so that whatever is next in the
// output never waits for a renderer that waits for its own turn. Nobody stands idle meanwhile: who has nothing else to do takes what another was sent
// ahead.
#include "farm_state.h"

#include "common/clock.h"
#include "common/log.h"

static bool takes_ahead(const struct farm *f, const struct renderer *renderer)
{
    return renderer->far && !renderer->has_ahead && farm_has_work(renderer) && renderer->task.all_sent && !renderer->probing &&
           !renderer->condemned && !renderer->cut_off && !renderer->dismissed && farm_may_work(f, renderer) &&
           renderer->task.faults == 0; // else, for all we know, this is its end, and that should tell of this segment alone
}

// What lies in memory as a whole, and did no harm so far.
static bool may_go_ahead(const struct farm *f, const struct stage *stage, uint32_t number)
{
    const struct shelf_segment *segment = shelf_find(&stage->shelf, number);

    return segment->complete && segment->chunks.size_bytes <= SHELF_KEEP_BYTES && scheduler_faults(stage->scheduler, number) == 0 &&
           !poison_find(&f->pass->poison, (uint32_t)(stage - f->stages), number) &&
           !(f->pass->remote && mishaps_anywhere(&f->pass->remote->mishaps, (uint32_t)(stage - f->stages), number));
}

void farm_deal_ahead(struct farm *f)
{
    uint32_t none_behind = SCHEDULER_NONE; // as was found for another renderer
    struct stage *stage;

    if (f->state != FARM_RUNNING || f->stage_count != 1 || !f->plan.stages[0].parallel || f->crew.borrowed)
        return;
    stage = farm_first_stage(f);
    for (size_t i = 0; i < f->crew.roster.count && scheduler_available(stage->scheduler) > 0; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];
        uint32_t number;

        if (!takes_ahead(f, renderer) || renderer->task.segment >= none_behind)
            continue;
        number = scheduler_next_behind(stage->scheduler, renderer->task.segment);
        if (number == SCHEDULER_NONE) {
            none_behind = renderer->task.segment;
        } else if (may_go_ahead(f, stage, number)) {
            farm_deal_segment(f, renderer, number);
            farm_send_input(f, renderer, &renderer->ahead);
            f->sent_ahead++;
        }
    }
}

// It waits again, and nothing is to be said against it.
static void wait_again(struct farm *f, const struct renderer *renderer)
{
    struct stage *stage = &f->stages[renderer->stage];

    f->sent_ahead--;
    scheduler_on_called_back(stage->scheduler, renderer->ahead.segment, renderer->ahead.attempt, renderer->slot);
    stage_on_lost(stage, renderer->ahead.segment, renderer->slot);
}

uint32_t farm_call_back(struct farm *f)
{
    struct renderer *first = NULL;

    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->has_ahead && !renderer->called_back && (!first || renderer->ahead.segment < first->ahead.segment))
            first = renderer;
    }
    if (!first)
        return SCHEDULER_NONE;
    log_debug("segment %u is called back from renderer %u", first->ahead.segment, first->slot);
    crew_call_back(&f->crew, first);
    wait_again(f, first);
    return first->ahead.segment;
}

void farm_end_task(struct farm *f, struct renderer *renderer)
{
    f->sent_ahead -= renderer->has_ahead && !renderer->called_back;
    roster_end_task(renderer, clock_now_ns());
    if (farm_has_work(renderer))
        farm_trace_dealt(f, renderer);
}

void farm_lose_ahead(struct farm *f, const struct renderer *was)
{
    if (was->has_ahead && !was->called_back)
        wait_again(f, was);
}
