#include "gaps.h"

#include "common/mem.h"

#include <stdlib.h>

struct frame {
    int64_t pts;
    uint64_t number;
};

// A run of frames that nobody wants.
struct gap {
    uint64_t first, last;
};

struct gaps {
    const struct plan_stage *stage;
    struct frame *frames; // in the order of their times and numbers, which is the same
    size_t count, room;
    struct gap *gaps;
    size_t gap_count;
    uint32_t segment; // the next one, and
    uint64_t from;    // the number of its first frame
    bool ended;       // a segment was too short for another one to follow
    bool useless;     // what was told makes no sense
};

struct gaps *gaps_new(const struct plan_stage *stage)
{
    struct gaps *g = mem_zalloc(sizeof(*g));

    g->stage = stage;
    return g;
}

void gaps_free(struct gaps **gaps)
{
    if (!*gaps)
        return;
    free((*gaps)->frames);
    free((*gaps)->gaps);
    free(*gaps);
    *gaps = NULL;
}

static void add_frame(struct gaps *g, int64_t pts, uint64_t number)
{
    if (g->count > 0 && pts <= g->frames[g->count - 1].pts)
        g->useless = true;
    if (g->count == g->room) {
        g->room = g->room ? 2 * g->room : 256;
        g->frames = mem_grow(g->frames, g->room, sizeof(*g->frames));
    }
    g->frames[g->count++] = (struct frame){pts, number};
}

void gaps_on_segment(struct gaps *g, uint32_t segment, const int64_t *times, size_t count)
{
    unsigned length;

    if (segment < g->segment || g->ended) {
        g->useless = true;
        return;
    }
    for (; g->segment < segment; g->segment++)
        g->from += plan_run_length(g->stage, g->from);
    length = plan_run_length(g->stage, g->from);
    if (count > length)
        g->useless = true;
    for (size_t i = 0; i < count && !g->useless; i++)
        add_frame(g, times[i], g->from + i);
    g->ended = count < length;
    g->segment++;
    g->from += length;
}

// Frames [begin, end) of the list have numbers one behind the other, and those around them are not known.
static void add_gap(struct gaps *g, size_t begin, size_t end)
{
    uint64_t first = g->frames[begin].number, behind = g->frames[end - 1].number + 1;

    first += first > 0 ? g->stage->after : 0;
    if (first + g->stage->before >= behind)
        return;
    g->gaps = mem_grow(g->gaps, g->gap_count + 1, sizeof(*g->gaps));
    g->gaps[g->gap_count++] = (struct gap){first, behind - g->stage->before - 1};
}

bool gaps_settle(struct gaps *g)
{
    size_t begin = 0;

    for (size_t i = 1; i <= g->count && !g->useless; i++) {
        if (i < g->count && g->frames[i].number == g->frames[i - 1].number + 1)
            continue;
        add_gap(g, begin, i);
        begin = i;
    }
    return g->gap_count > 0;
}

static int by_time(const void *a, const void *b)
{
    const struct frame *x = a, *y = b;

    return (x->pts > y->pts) - (x->pts < y->pts);
}

static const struct frame *frame_at(const struct gaps *g, int64_t pts)
{
    return g->count > 0 ? bsearch(&(struct frame){.pts = pts}, g->frames, g->count, sizeof(*g->frames), by_time) : NULL;
}

static int by_place(const void *key, const void *element)
{
    const uint64_t *number = key;
    const struct gap *gap = element;

    return *number < gap->first ? -1 : *number > gap->last;
}

static const struct gap *gap_around(const struct gaps *g, uint64_t number)
{
    return g->gap_count > 0 ? bsearch(&number, g->gaps, g->gap_count, sizeof(*g->gaps), by_place) : NULL;
}

bool gaps_wants(const struct gaps *g, int64_t pts)
{
    const struct frame *frame = frame_at(g, pts);

    return !frame || !gap_around(g, frame->number);
}

bool gaps_leave_out(const struct gaps *g, const struct gaps_gop *gop, int64_t next_pts, struct gaps_jump *jump)
{
    const struct frame *first = frame_at(g, gop->first_pts), *last = frame_at(g, gop->last_pts), *end = g->frames + g->count;
    const struct gap *gap = first ? gap_around(g, first->number) : NULL;

    if (!gap || !last || last->number > gap->last || last->number - first->number + 1 != gop->frames)
        return false;
    *jump = (struct gaps_jump){.from = first->number, .until = last->number + 1, .keep_from = next_pts};
    if (next_pts == GAPS_NO_TIME)
        return last + 1 == end;
    // A decoder that began with a damaged picture would patch it up in another way than one that has seen those before it.
    if (last + 1 == end || last[1].pts != next_pts || last[1].number != jump->until)
        return false;
    if (jump->until <= gap->last) {
        // What is decoded only on the way to the first frame that is wanted need not be handed on.
        jump->keep_from = last[gap->last - last->number].pts + 1;
        jump->until = gap->last + 1;
    }
    return true;
}
