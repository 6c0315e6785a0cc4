#include "lane.h"

#include "common/clock.h"
#include "common/mem.h"

#include <stdlib.h>

struct lane_job {
    struct lane_job *next;
    lane_call work, done;
    void *data;
    uint64_t from_ns, to_ns;
};

static void start_next(struct lane *lane);

static void in_pool(uv_work_t *request)
{
    struct lane *lane = request->data;

    lane->first->from_ns = clock_now_ns();
    lane->first->work(lane->first->data);
    lane->first->to_ns = clock_now_ns();
}

static void on_loop(uv_work_t *request, int status)
{
    struct lane *lane = request->data;
    struct lane_job *job = lane->first;
    lane_call done = job->done;
    void *data = job->data;

    if (lane->on_call)
        lane->on_call(lane->on_call_data, job->from_ns, job->to_ns);
    (void)status; // work that has started is never cancelled
    lane->first = job->next;
    if (!lane->first)
        lane->last = NULL;
    free(job);
    lane->busy = false;
    start_next(lane);
    done(data);
}

static void start_next(struct lane *lane)
{
    if (lane->busy || !lane->first)
        return;
    lane->busy = true;
    lane->request.data = lane;
    uv_queue_work(lane->loop, &lane->request, in_pool, on_loop);
}

void lane_init(struct lane *lane, uv_loop_t *loop)
{
    *lane = (struct lane){.loop = loop};
}

void lane_run(struct lane *lane, lane_call work, lane_call done, void *data)
{
    struct lane_job *job = mem_zalloc(sizeof(*job));

    *job = (struct lane_job){.work = work, .done = done, .data = data};
    if (lane->last)
        lane->last->next = job;
    else
        lane->first = job;
    lane->last = job;
    start_next(lane);
}

void lane_watch(struct lane *lane, void (*on_call)(void *data, uint64_t from_ns, uint64_t to_ns), void *data)
{
    lane->on_call = on_call;
    lane->on_call_data = data;
}

bool lane_busy(const struct lane *lane)
{
    return lane->first != NULL;
}
