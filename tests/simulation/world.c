#include "world.h"

#include "common/clock.h"
#include "common/mem.h"

#include "coordinator/lane.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

struct event {
    uint64_t at_ns, order;
    void (*happen)(void *data);
    void (*forget)(void *data);
    void *data;
};

// A heap, soonest first; of the same time in the order of their making.
static struct event *events;
static size_t event_count, event_room;

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(size_t a, size_t b)
{
    struct event event = events[a];

    events[a] = events[b];
    events[b] = event;
}

void world_after(uint64_t delay_ns, void (*happen)(void *data), void (*forget)(void *data), void *data)
{
    size_t at = event_count++;

    if (event_count > event_room) {
        event_room = event_room ? 2 * event_room : 256;
        events = mem_grow(events, event_room, sizeof(*events));
    }
    events[at] = (struct event){world.now_ns + delay_ns, world.order++, happen, forget, data};
    for (; at > 0 && sooner(&events[at], &events[(at - 1) / 2]); at = (at - 1) / 2)
        swap(at, (at - 1) / 2);
}

static struct event take_first(void)
{
    struct event first = events[0];

    events[0] = events[--event_count];
    for (size_t at = 0;;) {
        size_t best = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < event_count; child++)
            if (sooner(&events[child], &events[best]))
                best = child;
        if (best == at)
            return first;
        swap(at, best);
        at = best;
    }
}

bool world_step(void)
{
    struct event event;

    if (event_count == 0)
        return false;
    event = take_first();
    if (event.at_ns > world.now_ns)
        world.now_ns = event.at_ns;
    world.steps++;
    event.happen(event.data);
    return true;
}

void world_forget_all(void)
{
    while (event_count > 0) {
        struct event event = take_first();

        if (event.forget)
            event.forget(event.data);
    }
}

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
uint64_t world_random(uint64_t below)
{
    uint64_t z = world.fate += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) % below;
}

bool world_chance(unsigned in_100000)
{
    return in_100000 > 0 && world_random(100000) < in_100000;
}

void world_say(const char *format, ...)
{
    va_list args;

    if (!world.verbose)
        return;
    printf("%12.6f ", (double)world.now_ns / 1e9);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

void world_violated(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "seed %llu: ", (unsigned long long)world.seed);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n(at %.6f s, step %llu; the same again: --seed=%llu -v)\n", (double)world.now_ns / 1e9, (unsigned long long)world.steps,
            (unsigned long long)world.seed);
    exit(1);
}

struct video *world_video_of(const struct farm *farm)
{
    for (unsigned i = 0; i < world.video_count; i++)
        if (world.videos[i].farm == farm)
            return &world.videos[i];
    world_violated("a farm that is not there");
}

struct video *world_video_named(const char *path)
{
    for (unsigned i = 0; i < world.video_count; i++)
        if (strcmp(world.videos[i].input, path) == 0 || strcmp(world.videos[i].output, path) == 0)
            return &world.videos[i];
    world_violated("%s is not there", path);
}

// ---- common/clock.h ----

uint64_t clock_now_ns(void)
{
    return world.now_ns;
}

uint64_t clock_thread_cpu_ns(void)
{
    return world.now_ns;
}

// ---- coordinator/lane.h ----

struct lane_job {
    struct lane_job *next;
    lane_call work, done;
    void *data;
};

static void start_next(struct lane *lane);

static void on_lane(void *data)
{
    struct lane *lane = data;
    struct lane_job *job = lane->first;
    lane_call done = job->done;
    void *with = job->data;

    job->work(with);
    lane->first = job->next;
    if (!lane->first)
        lane->last = NULL;
    free(job);
    lane->busy = false;
    start_next(lane);
    done(with);
}

static void start_next(struct lane *lane)
{
    if (lane->busy || !lane->first)
        return;
    lane->busy = true;
    world_after(world_chance(world.faults.slow_disk) ? world_random(3000000000) : 10000 + world_random(1000000), on_lane, NULL, lane);
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
