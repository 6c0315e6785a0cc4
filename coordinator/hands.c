#include "hands.h"

#include "common/mem.h"

#include <stdlib.h>

// What libuv makes by itself; the other lanes (reading, writing, the cache, the trace) never have to wait for a hand.
enum { OTHER_LANES = 4, HANDS_FEWEST = 4 };

static const char pool_variable[] = "UV_THREADPOOL_SIZE";

// On a disk of this host what files cost is CPU time of the kernel, and more hands than this take it from the loop and the renderers; on one that is
// far away they wait most of the time, and cost nothing.
void hands_widen_pool(int cores)
{
    int hands = cores < HANDS_FEWEST / 2 ? HANDS_FEWEST : cores > HANDS_MOST / 2 ? HANDS_MOST : 2 * cores;
    char *size = mem_format("%d", OTHER_LANES + hands);

    setenv(pool_variable, size, 0);
    free(size);
}

static unsigned count_hands(void)
{
    const char *size = getenv(pool_variable);
    long threads = size ? strtol(size, NULL, 10) : OTHER_LANES;

    return threads <= OTHER_LANES + 1 ? 1 : threads - OTHER_LANES < HANDS_MOST ? (unsigned)(threads - OTHER_LANES) : HANDS_MOST;
}

void hands_init(struct hands *h, uv_loop_t *loop, void (*on_change)(void *data), void *data)
{
    *h = (struct hands){.on_change = on_change, .data = data, .count = count_hands()};
    for (unsigned i = 0; i < h->count; i++) {
        h->hands[i].hands = h;
        lane_init(&h->hands[i].lane, loop);
    }
}

static void free_parts(struct sink_part **parts)
{
    struct sink_part *part;

    while ((part = *parts)) {
        *parts = part->next;
        part->free(part);
    }
}

static void write_in_lane(void *data)
{
    struct hand *hand = data;

    for (struct sink_part *part = hand->parts; part && hand->err >= 0; part = part->next) {
        hand->err = part->write(part, &hand->why);
        hand->failed = part->order;
    }
}

// Only the first one in order is told: those that failed beside it, and later, did so for the same reason.
static void note_failure(struct hands *h, struct hand *hand)
{
    if (hand->err < 0 && (h->err >= 0 || hand->failed < h->failed)) {
        free(h->why);
        h->err = hand->err;
        h->why = hand->why;
        h->failed = hand->failed;
        hand->why = NULL;
    }
    free(hand->why);
    hand->why = NULL;
    hand->err = 0;
}

static void put_to_work(struct hands *h);

static void on_written(void *data)
{
    struct hand *hand = data;
    struct hands *h = hand->hands;

    h->busy--;
    h->bytes -= hand->bytes;
    free_parts(&hand->parts);
    note_failure(h, hand);
    put_to_work(h);
    h->on_change(h->data);
}

// Some of those that wait, from the first on.
static void fill(struct hands *h, struct hand *hand)
{
    struct sink_part **end = &h->waiting;

    hand->parts = h->waiting;
    hand->bytes = hand->files = 0;
    do {
        hand->bytes += (*end)->bytes;
        hand->files++;
        end = &(*end)->next;
    } while (*end && hand->files < HAND_FILES && hand->bytes + (*end)->bytes <= HAND_BYTES);
    h->waiting = *end;
    *end = NULL;
    h->waiting_bytes -= hand->bytes;
    h->bytes += hand->bytes;
}

static void put_to_work(struct hands *h)
{
    if (h->err < 0) {
        free_parts(&h->waiting);
        h->waiting_bytes = 0;
    }
    for (unsigned i = 0; i < h->count && h->waiting && (h->busy == 0 || h->bytes + h->waiting->bytes <= HANDS_BYTES); i++) {
        if (h->hands[i].parts)
            continue;
        fill(h, &h->hands[i]);
        h->busy++;
        lane_run(&h->hands[i].lane, write_in_lane, on_written, &h->hands[i]);
    }
}

void hands_write(struct hands *h, struct sink_part *parts)
{
    struct sink_part **end = &h->waiting;

    while (*end)
        end = &(*end)->next;
    *end = parts;
    for (; parts; parts = parts->next)
        h->waiting_bytes += parts->bytes;
    put_to_work(h);
}

bool hands_full(const struct hands *h)
{
    return h->waiting || h->err < 0;
}

bool hands_busy(const struct hands *h)
{
    return h->waiting || h->busy > 0;
}

size_t hands_queued_bytes(const struct hands *h)
{
    return h->bytes + h->waiting_bytes;
}

void hands_clear(struct hands *h)
{
    free(h->why);
    h->why = NULL;
}
