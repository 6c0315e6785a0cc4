#include "timeline.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void timeline_init(struct timeline *timeline, size_t delay, int64_t step)
{
    assert(delay <= TIMELINE_MAX_DELAY && step >= 1);
    memset(timeline, 0, sizeof(*timeline));
    timeline->delay = delay;
    timeline->step = step;
}

static void insert(struct timeline *t, int64_t pts)
{
    size_t i = t->pending_count++;

    while (i > 0 && t->pending[i - 1] > pts) {
        t->pending[i] = t->pending[i - 1];
        i--;
    }
    t->pending[i] = pts;
}

static void drop_smallest(struct timeline *t)
{
    t->pending_count--;
    memmove(t->pending, t->pending + 1, t->pending_count * sizeof(t->pending[0]));
}

// The first packets have nobody's time to take.
static void give_first(const struct timeline *t, int64_t *dts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dts[i] = t->pending[0] - (int64_t)(t->delay - i) * t->step;
}

int timeline_put(struct timeline *t, int64_t pts, int64_t *dts, size_t *certain)
{
    *certain = 0;
    if (t->pending_count > t->delay)
        drop_smallest(t); // the last packet took it
    insert(t, pts);
    t->count++;
    if (t->count <= t->delay)
        return 0;
    if (t->count == t->delay + 1) {
        give_first(t, dts, t->delay);
        *certain = t->delay;
    }
    if (t->count > t->delay + 1 && t->pending[0] < t->last_dts)
        return -ERANGE;
    t->last_dts = dts[(*certain)++] = t->pending[0];
    return 0;
}

void timeline_end(struct timeline *t, int64_t *dts, size_t *certain)
{
    *certain = 0;
    if (t->count > t->delay || t->count == 0)
        return;
    give_first(t, dts, t->pending_count);
    *certain = t->pending_count;
}
