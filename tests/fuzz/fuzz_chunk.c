// A chunk from a peer, its message and its payloads: packets out of it, and the frames that they may describe. Input: the message as one part, then
// the payloads as parts.
#include "fuzz.h"

#include "common/frames.h"
#include "common/protocol.h"

#include <libavcodec/packet.h>

static void close_all(zmq_msg_t *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        zmq_msg_close(&parts[i]);
}

static void look_at(struct chunk *chunk)
{
    zmq_msg_t parts[CHUNK_MAX_PACKETS + 1];
    int count;

    for (size_t i = 0; i < chunk->packet_count; i++) {
        Wire__Frame *frame = frames_describe(chunk->packets[i]);

        if (frame)
            wire__frame__free_unpacked(frame, NULL);
    }
    count = protocol_chunk_to_parts(parts, chunk, 1, 1);
    if (count < 1 || count > (int)chunk->packet_count + 1)
        abort();
    close_all(parts, (size_t)count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t part_size, count = 0;
    uint8_t *bytes = fuzz_part(&in, &part_size);
    const char *why;
    Wire__Message *message = protocol_unpack(bytes, part_size, &why);
    zmq_msg_t payloads[64];
    struct chunk *chunk = NULL;

    free(bytes);
    while (in.left > 0 && count < sizeof(payloads) / sizeof(*payloads)) {
        bytes = fuzz_part(&in, &part_size);
        zmq_msg_init_size(&payloads[count], part_size);
        memcpy(zmq_msg_data(&payloads[count++]), bytes, part_size);
        free(bytes);
    }
    if (message && message->body_case == WIRE__MESSAGE__BODY_CHUNK && protocol_chunk_from_parts(&chunk, message->chunk, payloads, count) == 0)
        look_at(chunk);
    chunk_free(&chunk);
    close_all(payloads, count);
    if (message)
        wire__message__free_unpacked(message, NULL);
    return 0;
}
