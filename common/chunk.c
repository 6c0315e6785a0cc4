#include "chunk.h"

#include "mem.h"

#include <libavcodec/packet.h>

#include <assert.h>
#include <stdlib.h>

struct chunk *chunk_new(uint32_t sequence)
{
    struct chunk *chunk = mem_zalloc(sizeof(*chunk));

    chunk->sequence = sequence;
    return chunk;
}

void chunk_take(struct chunk *chunk, AVPacket **packet)
{
    assert(*packet);
    if (chunk->packet_count == chunk->packet_room) {
        chunk->packet_room = chunk->packet_room ? chunk->packet_room * 2 : 16;
        chunk->packets = mem_grow(chunk->packets, chunk->packet_room, sizeof(*chunk->packets));
    }
    chunk->packets[chunk->packet_count++] = *packet;
    chunk->size_bytes += (size_t)(*packet)->size;
    *packet = NULL;
}

bool chunk_full(const struct chunk *chunk)
{
    return chunk->packet_count >= CHUNK_MAX_PACKETS || chunk->size_bytes >= CHUNK_TARGET_BYTES;
}

struct chunk *chunk_split(struct chunk *chunk, size_t packets)
{
    struct chunk *head = chunk_new(chunk->sequence);

    assert(packets > 0 && packets < chunk->packet_count);
    for (size_t i = 0; i < packets; i++) {
        chunk->size_bytes -= (size_t)chunk->packets[i]->size;
        chunk_take(head, &chunk->packets[i]);
    }
    chunk->packet_count -= packets;
    for (size_t i = 0; i < chunk->packet_count; i++)
        chunk->packets[i] = chunk->packets[i + packets];
    return head;
}

void chunk_free(struct chunk **chunk)
{
    if (!*chunk)
        return;
    for (size_t i = 0; i < (*chunk)->packet_count; i++)
        av_packet_free(&(*chunk)->packets[i]);
    free((*chunk)->packets);
    free(*chunk);
    *chunk = NULL;
}

void chunk_list_put(struct chunk_list *list, struct chunk **chunk)
{
    (*chunk)->next = NULL;
    if (list->last)
        list->last->next = *chunk;
    else
        list->first = *chunk;
    list->last = *chunk;
    list->count++;
    list->size_bytes += (*chunk)->size_bytes;
    *chunk = NULL;
}

struct chunk *chunk_list_take(struct chunk_list *list)
{
    struct chunk *chunk = list->first;

    if (!chunk)
        return NULL;
    list->first = chunk->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    list->size_bytes -= chunk->size_bytes;
    chunk->next = NULL;
    return chunk;
}

void chunk_list_clear(struct chunk_list *list)
{
    struct chunk *chunk;

    while ((chunk = chunk_list_take(list)))
        chunk_free(&chunk);
}
