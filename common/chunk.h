// A chunk: a few packets in a row, of one segment. Work and results travel as chunks, so that neither end holds a whole segment that may be as long
// as the video. Opaque to the quiet core: the packets are only pointers here. A chunk owns its packets. No locks: one thread at a time.
#ifndef RENDERFARM_CHUNK_H
#define RENDERFARM_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct AVPacket;

enum { CHUNK_MAX_PACKETS = 512, CHUNK_TARGET_BYTES = 1 << 20 }; // one packet may be larger than the target, then it travels alone

struct chunk {
    struct chunk *next; // for the list that the chunk is on
    uint32_t sequence;  // 0, 1, 2... within the segment
    bool last;          // of its segment
    struct AVPacket **packets;
    size_t packet_count, packet_room;
    size_t size_bytes; // of all payloads
};

struct chunk *chunk_new(uint32_t sequence);
// Takes *packet and leaves NULL.
void chunk_take(struct chunk *chunk, struct AVPacket **packet);
bool chunk_full(const struct chunk *chunk);
// The first `packets` of them (1..packet_count - 1) as a chunk of their own, which is returned; the rest stays.
struct chunk *chunk_split(struct chunk *chunk, size_t packets);
void chunk_free(struct chunk **chunk); // frees the packets too; NULL is fine

// First in, first out.
struct chunk_list {
    struct chunk *first, *last;
    size_t count, size_bytes;
};

void chunk_list_put(struct chunk_list *list, struct chunk **chunk); // takes it
struct chunk *chunk_list_take(struct chunk_list *list);             // NULL when empty
void chunk_list_clear(struct chunk_list *list);

#endif
