#include "plan.h"

#include "classes.h"

#include "common/mem.h"

#include <stdlib.h>

// Seconds. Longer segments cost fewer keyframes and seams, shorter ones keep all cores busy to the end: about two dozen, within these bounds.
static const double shortest_s = 2, longest_s = 10, aim = 24;

static double segment_length(const struct plan_input *input)
{
    double length = input->duration_s / aim;

    if (input->segment_s > 0)
        return input->segment_s;
    if (!(input->duration_s > 0) || length > longest_s)
        return longest_s;
    return length < shortest_s ? shortest_s : length;
}

// Why the chain cannot take its frames in pieces, or NULL.
static char *filters_object(const struct plan_input *input)
{
    const char *meta_from = NULL;

    for (size_t i = 0; i < input->filter_count; i++) {
        const Wire__FilterFacts *filter = input->filters[i];
        struct class_result class = classes_of(filter);

        if (class.kind != CLASS_FRAME)
            return mem_format("the filter %s %s", filter->name, class.why);
        if (!class.repeatable)
            return mem_format("the filter %s is not the same from run to run", filter->name);
        if (class.reads_meta && meta_from)
            return mem_format("the filter %s reads what %s gathers over the whole video", filter->name, meta_from);
        if (class.meta_later)
            meta_from = filter->name;
    }
    return NULL;
}

void plan_make(struct plan *plan, const struct plan_input *input)
{
    *plan = (struct plan){0};
    plan->segment_s = segment_length(input);
    if (input->one_segment)
        plan->reason = mem_dup("it was asked for");
    else if (!input->cuttable)
        plan->reason = mem_dup(input->why_not_cuttable ? input->why_not_cuttable : "the video cannot be cut");
    else
        plan->reason = filters_object(input);
    plan->parallel = !plan->reason;
}

void plan_clear(struct plan *plan)
{
    free(plan->reason);
    *plan = (struct plan){0};
}
