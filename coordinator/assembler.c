#include "assembler.h"

#include "common/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct pile {
    struct pile *next;
    uint32_t segment;
    struct chunk_list chunks;
    uint32_t next_sequence;
    uint64_t packets;       // arrived in this attempt
    uint64_t packets_gone;  // left in this or an earlier attempt
    uint64_t packets_again; // of those, how many are still to come again and be skipped
    bool ended;
};

struct assembler {
    struct pile *piles; // ordered by segment; all are >= head
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
    while ((*assembler)->piles) {
        struct pile *pile = (*assembler)->piles;

        (*assembler)->piles = pile->next;
        drop_all(*assembler, pile);
        free(pile);
    }
    free(*assembler);
    *assembler = NULL;
}

static struct pile *pile_of(struct assembler *a, uint32_t segment)
{
    struct pile **at = &a->piles, *pile;

    while (*at && (*at)->segment < segment)
        at = &(*at)->next;
    if (*at && (*at)->segment == segment)
        return *at;
    pile = mem_zalloc(sizeof(*pile));
    pile->segment = segment;
    pile->next = *at;
    *at = pile;
    return pile;
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
static const struct pile *find(const struct assembler *a, uint32_t segment)
{
    const struct pile *pile = a->piles;

    while (pile && pile->segment != segment)
        pile = pile->next;
    return pile;
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
    struct pile *pile = a->piles;
    struct chunk *chunk;

    // A finished pile stays at the front until assembler_finished has told of it.
    if (!pile || pile->segment != a->head)
        return NULL;
    chunk = chunk_list_take(&pile->chunks);
    if (!chunk)
        return NULL;
    a->held_bytes -= chunk->size_bytes;
    pile->packets_gone += chunk->packet_count;
    return chunk;
}

bool assembler_finished(struct assembler *a, uint32_t *segment)
{
    struct pile *pile = a->piles;

    if (!pile || pile->segment != a->head || !pile->ended || pile->chunks.first)
        return false;
    *segment = pile->segment;
    a->piles = pile->next;
    free(pile);
    a->head++;
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
    return a->piles && a->piles->segment == a->head ? a->piles->chunks.size_bytes : 0;
}

bool assembler_empty(const struct assembler *a)
{
    return !a->piles;
}
