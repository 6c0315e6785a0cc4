#include "freight.h"

#define BUSY_ENOUGH 0.75 // of its time that a renderer works: the rest may be the way of the first frame, which more bandwidth would not shorten
#define WEIGHT 0.25      // of the latest run: a link may become another one

void freight_on_run(struct freight *f, uint64_t wall_ns, uint64_t waited_ns, size_t at_once)
{
    double worked, kept_busy;

    if (wall_ns == 0)
        return;
    worked = waited_ns < wall_ns ? (double)(wall_ns - waited_ns) / (double)wall_ns : 0;
    kept_busy = worked / BUSY_ENOUGH * (double)at_once;
    f->kept_busy = f->runs++ == 0 ? kept_busy : WEIGHT * kept_busy + (1 - WEIGHT) * f->kept_busy;
}

// One more than it keeps busy for sure, so that the link is full, and that it shows when it has become wider.
size_t freight_enough(const struct freight *f)
{
    return f->runs == 0 ? SIZE_MAX : (size_t)f->kept_busy + 1;
}

bool freight_pays(const struct pace *here, double sending_ns)
{
    return here->frames == 0 || sending_ns * (double)here->frames < (double)here->worked_ns;
}

uint64_t freight_most_runs(uint64_t slots, uint64_t own, unsigned run_frames)
{
    return slots > own && run_frames > 0 ? (slots - own) / run_frames : 0;
}
