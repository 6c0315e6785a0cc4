#include "timeline.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void timeline_init(struct timeline *timeline, size_t delay)
{
    assert(delay <= TIMELINE_MAX_DELAY);
    memset(timeline, 0, sizeof(*timeline));
    timeline->delay = delay;
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

static int64_t take_smallest(struct timeline *t)
{
    int64_t pts = t->pending[0];

    t->pending_count--;
    memmove(t->pending, t->pending + 1, t->pending_count * sizeof(t->pending[0]));
    return pts;
}

// The first packets, once the first delay + 1 timestamps are known: each as far before the first timestamp as the frame `delay` steps on is after it.
static void give_first(struct timeline *t, int64_t *dts, size_t n, int64_t span)
{
    for (size_t i = 0; i < n; i++)
        dts[i] = t->pending[i] - span;
}

int timeline_put(struct timeline *t, int64_t pts, int64_t *dts, size_t *certain)
{
    *certain = 0;
    if (t->pending_count > t->delay)
        take_smallest(t);
    // pending holds the timestamps that packets count - delay and later will take.
    insert(t, pts);
    t->count++;
    if (t->count <= t->delay)
        return 0;
    if (t->count == t->delay + 1) {
        give_first(t, dts, t->delay, t->pending[t->delay] - t->pending[0]);
        dts[t->delay] = t->pending[0];
        *certain = t->delay + 1;
    } else {
        dts[0] = t->pending[0];
        *certain = 1;
    }
    return dts[*certain - 1] > pts ? -ERANGE : 0;
}

int timeline_end(struct timeline *t, int64_t step, int64_t *dts, size_t *certain)
{
    *certain = 0;
    if (t->count > t->delay || t->count == 0)
        return 0;
    give_first(t, dts, t->pending_count, step * (int64_t)t->delay);
    *certain = t->pending_count;
    return 0;
}
