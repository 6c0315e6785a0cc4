#include "shelf.h"

#include "common/mem.h"

#include <stdlib.h>

struct shelf_segment *shelf_add(struct shelf *shelf, uint32_t number)
{
    struct shelf_segment *segment = mem_zalloc(sizeof(*segment));

    segment->number = number;
    segment->repeatable = true;
    segment->first_pts = INT64_MIN;
    if (shelf->last)
        shelf->last->next = segment;
    else
        shelf->first = segment;
    shelf->last = segment;
    return segment;
}

struct shelf_segment *shelf_find(const struct shelf *shelf, uint32_t number)
{
    for (struct shelf_segment *segment = shelf->first; segment; segment = segment->next)
        if (segment->number == number)
            return segment;
    return NULL;
}

void shelf_put(struct shelf *shelf, struct shelf_segment *segment, struct chunk **chunk)
{
    shelf->size_bytes += (*chunk)->size_bytes;
    if (segment->dealt && segment->repeatable)
        shelf->kept_bytes += (*chunk)->size_bytes;
    segment->complete = (*chunk)->last;
    chunk_list_put(&segment->chunks, chunk);
}

void shelf_sent(struct shelf *shelf, struct shelf_segment *segment, const struct chunk *until)
{
    if (!segment->dealt && segment->repeatable)
        shelf->kept_bytes += segment->chunks.size_bytes;
    segment->dealt = true;
    if (segment->repeatable && segment->chunks.size_bytes <= SHELF_KEEP_BYTES)
        return;
    if (segment->repeatable)
        shelf->kept_bytes -= segment->chunks.size_bytes;
    segment->repeatable = false;
    while (segment->chunks.first && segment->chunks.first != until) {
        struct chunk *chunk = chunk_list_take(&segment->chunks);

        shelf->size_bytes -= chunk->size_bytes;
        chunk_free(&chunk);
    }
}

void shelf_lost(struct shelf *shelf, struct shelf_segment *segment)
{
    if (segment->dealt && segment->repeatable)
        shelf->kept_bytes -= segment->chunks.size_bytes;
    segment->dealt = false;
}

void shelf_drop(struct shelf *shelf, struct shelf_segment *segment)
{
    shelf_lost(shelf, segment);
    shelf->size_bytes -= segment->chunks.size_bytes;
    chunk_list_clear(&segment->chunks);
}

void shelf_remove(struct shelf *shelf, uint32_t number)
{
    struct shelf_segment *before = NULL;

    for (struct shelf_segment *segment = shelf->first; segment; before = segment, segment = segment->next) {
        if (segment->number != number)
            continue;
        if (before)
            before->next = segment->next;
        else
            shelf->first = segment->next;
        if (shelf->last == segment)
            shelf->last = before;
        shelf_drop(shelf, segment);
        free(segment->extradata);
        free(segment->times);
        free(segment);
        return;
    }
}

void shelf_clear(struct shelf *shelf)
{
    while (shelf->first)
        shelf_remove(shelf, shelf->first->number);
}
