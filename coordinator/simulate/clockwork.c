// Time, processors, the coordinator's loop and its lanes.
#include "virtual.h"

#include "common/clock.h"
#include "common/mem.h"

#include "coordinator/lane.h"

#include <math.h>
#include <stdlib.h>

struct virtual_farm virtual;

typedef void (*callback)(void *data);

// ---- Heaps: soonest first; of the same time in the order of their making ----

struct event {
    double at; // ns, or for processors what each has served
    uint64_t order;
    callback happen;
    void *data;
    double width; // processors only: how many cores it can use at once
};

struct heap {
    struct event *events;
    size_t count, room;
};

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct heap *heap, size_t a, size_t b)
{
    struct event event = heap->events[a];

    heap->events[a] = heap->events[b];
    heap->events[b] = event;
}

static void heap_put(struct heap *heap, double at, callback happen, void *data, double width)
{
    size_t i = heap->count++;

    if (heap->count > heap->room) {
        heap->room = heap->room ? 2 * heap->room : 256;
        heap->events = mem_grow(heap->events, heap->room, sizeof(*heap->events));
    }
    heap->events[i] = (struct event){at, virtual.order++, happen, data, width};
    for (; i > 0 && sooner(&heap->events[i], &heap->events[(i - 1) / 2]); i = (i - 1) / 2)
        swap(heap, i, (i - 1) / 2);
}

static struct event heap_take(struct heap *heap)
{
    struct event first = heap->events[0];

    heap->events[0] = heap->events[--heap->count];
    for (size_t i = 0;;) {
        size_t best = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < heap->count; child++)
            if (sooner(&heap->events[child], &heap->events[best]))
                best = child;
        if (best == i)
            return first;
        swap(heap, i, best);
        i = best;
    }
}

// ---- Time ----

static struct heap events;
static uint64_t current; // the order of what is happening
static double now;       // exact; virtual.now_ns is what the farm sees

void virtual_after(double delay_ns, callback happen, void *data)
{
    heap_put(&events, now + (delay_ns > 0 ? delay_ns : 0), happen, data, 0);
}

uint64_t clock_now_ns(void)
{
    return virtual.now_ns;
}

uint64_t clock_thread_cpu_ns(void)
{
    return 0;
}

uint64_t clock_process_cpu_ns(void)
{
    return 0;
}

// ---- Processors ----

// Shared evenly: with k threads at work on n cores each gets on at the rate min(1, n / k). So all are served the same amount per time, and who is
// served its work first is done first. Work of many threads is as wide as they are many, on average.
struct host {
    unsigned cores;
    double width;         // of all that is at work
    double served, since; // by each thread, at that time
    uint64_t alarm;       // the order of the last one that was set: only that counts
    struct heap work;
};

static struct host *hosts;
static unsigned host_count;

static double rate(const struct host *host)
{
    return host->width <= host->cores ? 1 : (double)host->cores / host->width;
}

static void bring_up_to_date(struct host *host)
{
    host->served += (now - host->since) * rate(host);
    host->since = now;
}

static void on_alarm(void *data);

static void set_alarm(struct host *host)
{
    host->alarm = virtual.order;
    if (host->work.count > 0)
        virtual_after((host->work.events[0].at - host->served) / rate(host), on_alarm, host);
}

static void on_alarm(void *data)
{
    struct host *host = data;
    struct event first;

    if (current != host->alarm || host->work.count == 0)
        return;
    bring_up_to_date(host);
    first = heap_take(&host->work);
    host->width = host->work.count > 0 ? host->width - first.width : 0; // so that what rounding leaves does not add up
    set_alarm(host);
    first.happen(first.data);
}

void virtual_work_wide(unsigned number, double work_ns, double width, callback done, void *data)
{
    struct host *host = &hosts[number];

    bring_up_to_date(host);
    heap_put(&host->work, host->served + (work_ns > 0 ? work_ns / width : 0), done, data, width);
    host->width += width;
    set_alarm(host);
}

void virtual_work(unsigned number, double work_ns, callback done, void *data)
{
    virtual_work_wide(number, work_ns, 1, done, data);
}

// ---- The loop ----

struct post {
    struct post *next;
    double work_ns;
    callback handle;
    void *data;
};

static struct post *first_post, **last_post = &first_post;
static bool loop_busy;

static void next_post(void);

static void on_handled(void *data)
{
    struct post *post = data;

    virtual.prediction->loop_ns += post->work_ns;
    loop_busy = false;
    post->handle(post->data);
    free(post);
    next_post();
}

static void next_post(void)
{
    struct post *post = first_post;

    if (loop_busy || !post)
        return;
    first_post = post->next;
    if (!first_post)
        last_post = &first_post;
    loop_busy = true;
    virtual_work(0, post->work_ns, on_handled, post);
}

void virtual_post(double work_ns, callback handle, void *data)
{
    struct post *post = mem_zalloc(sizeof(*post));

    virtual.posts++;
    *post = (struct post){NULL, work_ns, handle, data};
    *last_post = post;
    last_post = &post->next;
    next_post();
}

// ---- coordinator/lane.h ----

struct lane_job {
    struct lane_job *next;
    lane_call work, done;
    void *data;
    double work_ns;
};

static void start_next(struct lane *lane);

static void on_loop(void *data)
{
    struct lane *lane = data;
    struct lane_job *job = lane->first;
    lane_call done = job->done;
    void *with = job->data;

    lane->first = job->next;
    if (!lane->first)
        lane->last = NULL;
    free(job);
    lane->busy = false;
    start_next(lane);
    done(with);
}

static void on_lane(void *data)
{
    virtual_post(virtual.machine->recording->message, on_loop, data);
}

// The call is made at once, and what it brings is there after the time that it takes.
static void start_next(struct lane *lane)
{
    struct lane_job *job = lane->first;

    if (lane->busy || !job)
        return;
    lane->busy = true;
    virtual.lane_ns = 0;
    job->work(job->data);
    if (virtual.farm && lane == &virtual.farm->intake.lane)
        virtual.prediction->reader_ns += virtual.lane_ns;
    else
        virtual.prediction->writer_ns += virtual.lane_ns;
    virtual_work(0, virtual.lane_ns, on_lane, lane);
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

// ---- A pass ----

// The share of the time from which on something is taken for what holds up the rest.
#define IS_BUSY 0.8

// What renderers who have nothing to do wait for, as the coordinator's state tells.
static enum idle_cause why_idle(const struct farm *f)
{
    const struct stage *stage = f->stages;
    size_t crew = f->crew.roster.count;

    if (f->state >= FARM_FINISHING)
        return IDLE_END;
    if (f->state != FARM_RUNNING)
        return IDLE_START;
    // What has come to an end waits for it, and what may begin for what has come to an end.
    if (outlet_busy(&f->outlet) && virtual.prediction->writer_ns > IS_BUSY * now)
        return IDLE_WRITER;
    if (scheduler_next(stage->scheduler) != SCHEDULER_NONE)
        return IDLE_LOOP;
    if (f->input_ended)
        return scheduler_total(stage->scheduler) < virtual.machine->workers ? IDLE_FEW : IDLE_TAIL;
    if (intake_busy(&f->intake))
        return virtual.prediction->loop_ns > IS_BUSY * now ? IDLE_LOOP : IDLE_READER;
    return scheduler_total(stage->scheduler) - scheduler_first(stage->scheduler) > crew * 4 + 8 ? IDLE_AHEAD : IDLE_SHELF;
}

static enum idle_cause why_idle_in_stages(const struct farm *f)
{
    const struct stage *last = farm_last_stage(f);

    if (f->state >= FARM_FINISHING)
        return IDLE_END;
    if (f->state != FARM_RUNNING)
        return IDLE_START;
    if (last->input_ended && scheduler_waiting(last->scheduler) == 0 && !virtual.counts.waits_credit)
        return scheduler_total(last->scheduler) < virtual.machine->workers ? IDLE_FEW : IDLE_TAIL;
    if (virtual.serial_stage != UINT32_MAX)
        return IDLE_SERIAL;
    if (virtual.counts.waits_slot > 0)
        return IDLE_SLOTS;
    return virtual.counts.waits_credit > 0 ? IDLE_ASSEMBLY : IDLE_LOOP;
}

// What finished work waits for.
static enum idle_cause why_held(const struct farm *f)
{
    return outlet_busy(&f->outlet) && virtual.prediction->writer_ns > IS_BUSY * now ? IDLE_WRITER : IDLE_ASSEMBLY;
}

static void account(double span_ns)
{
    const struct virtual_counts *c = &virtual.counts;
    double *idle = virtual.prediction->idle_ns, room = virtual.machine->workers;
    const struct farm *f = virtual.farm;

    if (span_ns <= 0 || !f || virtual.closed)
        return;
    if (f->stage_count > 1) {
        if (c->working < room)
            idle[why_idle_in_stages(f)] += (room - c->working) * span_ns;
        return;
    }
    idle[IDLE_START] += c->starting * span_ns;
    idle[IDLE_LOOP] += c->waits_input * span_ns;
    idle[why_held(f)] += c->waits_credit * span_ns;
    idle[why_idle(f)] += c->idle * span_ns;
}

bool virtual_step(void)
{
    struct event event;

    if (events.count == 0)
        return false;
    event = heap_take(&events);
    if (event.at > now) {
        account(event.at - now);
        now = event.at;
        virtual.now_ns = (uint64_t)fmin(now, 1e19);
    }
    current = event.order;
    event.happen(event.data);
    return true;
}

void virtual_start(unsigned count, unsigned cores)
{
    now = 1;
    virtual.now_ns = 1; // 0 means never to the coordinator
    virtual.order = 0;
    host_count = count;
    hosts = mem_zalloc(count * sizeof(*hosts));
    for (unsigned i = 0; i < count; i++) {
        hosts[i].cores = cores / count + (i < cores % count);
        hosts[i].cores += hosts[i].cores == 0;
        hosts[i].since = now;
    }
}

void virtual_end(void)
{
    for (unsigned i = 0; i < host_count; i++)
        free(hosts[i].work.events);
    free(hosts);
    hosts = NULL;
    free(events.events);
    events = (struct heap){0};
}
