#include "lane.h"

#include "common/mem.h"

#include <stdlib.h>

struct lane_job {
    struct lane_job *next;
    lane_call work, done;
    void *data;
};

static void start_next(struct lane *lane);

static void in_pool(uv_work_t *request)
{
    struct lane *lane = request->data;

    lane->first->work(lane->first->data);
}

static void on_loop(uv_work_t *request, int status)
{
    struct lane *lane = request->data;
    struct lane_job *job = lane->first;
    lane_call done = job->done;
    void *data = job->data;

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

bool lane_busy(const struct lane *lane)
{
    return lane->first != NULL;
}
