#include "assembler.h"

#include "common/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pile {
    bool begun; // something has come of the segment, or was said of it
    struct chunk_list chunks;
    uint32_t next_sequence;
    uint64_t packets;       // arrived in this attempt
    uint64_t packets_gone;  // left in this or an earlier attempt
    uint64_t packets_again; // of those, how many are still to come again and be skipped
    bool ended;
};

struct assembler {
    struct pile *piles; // of head and those behind it, as far as anything has come
    size_t count, room;
    size_t begun; // of these
    uint32_t head;
    size_t held_bytes;
    void (*drop)(void *data, struct chunk **chunk);
    void *drop_data;
};

static void free_chunk(void *data, struct chunk **chunk)
{
    (void)data;
    chunk_free(chunk);
}

struct assembler *assembler_new(void)
{
    struct assembler *a = mem_zalloc(sizeof(*a));

    a->drop = free_chunk;
    return a;
}

void assembler_set_drop(struct assembler *a, void (*drop)(void *data, struct chunk **chunk), void *data)
{
    a->drop = drop;
    a->drop_data = data;
}

static void drop_all(struct assembler *a, struct pile *pile)
{
    struct chunk *chunk;

    a->held_bytes -= pile->chunks.size_bytes;
    while ((chunk = chunk_list_take(&pile->chunks)))
        a->drop(a->drop_data, &chunk);
}

void assembler_free(struct assembler **assembler)
{
    if (!*assembler)
        return;
    for (size_t i = 0; i < (*assembler)->count; i++)
        drop_all(*assembler, &(*assembler)->piles[i]);
    free((*assembler)->piles);
    free(*assembler);
    *assembler = NULL;
}

// Not of one that has left.
static struct pile *pile_of(struct assembler *a, uint32_t segment)
{
    size_t i = segment - a->head;

    if (i >= a->room) {
        a->room = 2 * i + 32;
        a->piles = mem_grow(a->piles, a->room, sizeof(*a->piles));
    }
    while (a->count <= i)
        a->piles[a->count++] = (struct pile){0};
    a->begun += !a->piles[i].begun;
    a->piles[i].begun = true;
    return &a->piles[i];
}

// Takes off what has left in an earlier attempt.
static void skip(struct assembler *a, struct pile *pile, struct chunk **chunk)
{
    struct chunk *head;

    if ((*chunk)->packet_count <= pile->packets_again) {
        pile->packets_again -= (*chunk)->packet_count;
        a->drop(a->drop_data, chunk);
        return;
    }
    head = chunk_split(*chunk, (size_t)pile->packets_again);
    pile->packets_again = 0;
    a->drop(a->drop_data, &head);
}

// NULL: nothing has come of it.
static struct pile *find(const struct assembler *a, uint32_t segment)
{
    return segment >= a->head && segment - a->head < a->count && a->piles[segment - a->head].begun ? &a->piles[segment - a->head] : NULL;
}

bool assembler_expects(const struct assembler *a, uint32_t segment, uint32_t sequence)
{
    const struct pile *pile = find(a, segment);

    return segment >= a->head && (pile ? !pile->ended && pile->next_sequence == sequence : sequence == 0);
}

bool assembler_can_end(const struct assembler *a, uint32_t segment, uint64_t packets)
{
    const struct pile *pile = find(a, segment);

    return segment >= a->head && (pile ? !pile->ended && pile->packets == packets && pile->packets_again == 0 : packets == 0);
}

int assembler_put(struct assembler *a, uint32_t segment, struct chunk **chunk)
{
    struct pile *pile;

    if (!assembler_expects(a, segment, (*chunk)->sequence))
        return -EPROTO;
    pile = pile_of(a, segment);
    pile->next_sequence++;
    pile->packets += (*chunk)->packet_count;
    if (pile->packets_again > 0) {
        skip(a, pile, chunk);
        if (!*chunk)
            return 0;
    }
    a->held_bytes += (*chunk)->size_bytes;
    chunk_list_put(&pile->chunks, chunk);
    return 0;
}

int assembler_end(struct assembler *a, uint32_t segment, uint64_t packets)
{
    if (!assembler_can_end(a, segment, packets))
        return -EPROTO;
    pile_of(a, segment)->ended = true;
    return 0;
}

void assembler_restart(struct assembler *a, uint32_t segment)
{
    struct pile *pile;

    if (segment < a->head)
        return;
    pile = pile_of(a, segment);
    drop_all(a, pile);
    pile->next_sequence = 0;
    pile->packets = 0;
    pile->packets_again = pile->packets_gone;
    pile->ended = false;
}

void assembler_settle(struct assembler *a, uint32_t segment)
{
    if (segment >= a->head)
        pile_of(a, segment)->ended = true;
}

bool assembler_begun(const struct assembler *a, uint32_t segment)
{
    const struct pile *pile = find(a, segment);

    return pile ? pile->packets_gone > 0 : segment < a->head;
}

struct chunk *assembler_next(struct assembler *a)
{
    struct pile *pile = find(a, a->head);
    struct chunk *chunk = pile ? chunk_list_take(&pile->chunks) : NULL;

    // A finished pile stays at the front until assembler_finished has told of it.
    if (!chunk)
        return NULL;
    a->held_bytes -= chunk->size_bytes;
    pile->packets_gone += chunk->packet_count;
    return chunk;
}

bool assembler_finished(struct assembler *a, uint32_t *segment)
{
    const struct pile *pile = find(a, a->head);

    if (!pile || !pile->ended || pile->chunks.first)
        return false;
    *segment = a->head++;
    a->begun--;
    a->count--;
    memmove(a->piles, a->piles + 1, a->count * sizeof(*a->piles));
    return true;
}

uint32_t assembler_head(const struct assembler *a)
{
    return a->head;
}

size_t assembler_held_bytes(const struct assembler *a)
{
    return a->held_bytes;
}

size_t assembler_head_bytes(const struct assembler *a)
{
    return a->count > 0 ? a->piles[0].chunks.size_bytes : 0;
}

bool assembler_empty(const struct assembler *a)
{
    return a->begun == 0;
}
