// Messages to and from ZeroMQ parts: bytes are checked by protobuf-c, meaning is checked here. Any thread; the callers own what they get.
#ifndef RENDERFARM_PROTOCOL_H
#define RENDERFARM_PROTOCOL_H

#include "chunk.h"
#include "common/protocol.pb-c.h"

#include <zmq.h>

enum {
    PROTOCOL_VERSION = 7,
    // Chunks that either side may send before it must wait for a Credit, per attempt.
    PROTOCOL_FIRST_CREDIT = 4,
};

// Between hosts: how often the coordinator asks for a sign of life, and when either end takes the other for lost. A host or a link that is dead shows
// in the connection: there is always something on the way (the question), and nobody acknowledges it for PROTOCOL_DEAD_MS. Silence over one that
// lives may last longer: answers wait behind whatever else a slow link carries.
#define PROTOCOL_PING_NS UINT64_C(4000000000)
#define PROTOCOL_DEAD_MS 12000
#define PROTOCOL_WELCOME_NS UINT64_C(15000000000) // for the first answer
#define PROTOCOL_LOST_NS UINT64_C(60000000000)

// Names that a job gives to codecs that are ours, beside those of the libraries: pictures through libpng, each packet one PNG.
#define PROTOCOL_LIBPNG "libpng"

// Unpacks one message. NULL, and *why names what is wrong, for bytes that are no message or one that makes no sense in itself.
// Freed with wire__message__free_unpacked(message, NULL).
Wire__Message *protocol_unpack(const void *data, size_t size, const char **why);

// Packs into an uninitialised part.
void protocol_pack(zmq_msg_t *part, const Wire__Message *message);

// Fills parts[0] with a Chunk message and parts[1..] with the payloads: the small ones, where there are any, as they follow each other in one part,
// because a part costs more than to copy them; then each of the others in its own, which shares the packet's buffer and is not copied. The chunk may
// be freed before ZeroMQ is done. parts has room for chunk->packet_count + 1. Returns the number of parts or a negative code (then nothing is left
// to close).
int protocol_chunk_to_parts(zmq_msg_t *parts, const struct chunk *chunk, uint32_t segment, uint32_t attempt);

// Payload parts to a chunk (copied once, into padded buffers). Returns 0 or AVERROR_INVALIDDATA.
int protocol_chunk_from_parts(struct chunk **chunk, const Wire__Chunk *message, zmq_msg_t *payloads, size_t payload_count);

#endif
