#include "protocol.h"

#include "packets.h"

#include <libavutil/buffer.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_MESSAGE_BYTES = 64 << 20,
    SMALL_BYTES = 4096, // of a payload that travels together with others: part of the protocol
};

static const char *rational_problem(const Wire__Rational *r)
{
    return r && r->den == 0 && r->num == 0 ? "a time base of 0/0" : NULL;
}

// NULL, or short and fit to be printed.
static bool is_line(const char *text, size_t most)
{
    if (!text)
        return true;
    if (strlen(text) > most)
        return false;
    while (*text >= ' ' && *text <= '~')
        text++;
    return !*text;
}

// What each message must be in itself; whether it fits the conversation is for the hub and the uplink to see.
static const char *problem(const Wire__Message *m)
{
    switch (m->body_case) {
    case WIRE__MESSAGE__BODY__NOT_SET:
        return "an empty message";
    case WIRE__MESSAGE__BODY_HELLO:
        if (m->hello->threads < 1 || m->hello->threads > 1024)
            return "a thread count out of range";
        if (!is_line(m->hello->host, 64) || !is_line(m->hello->ended, 200) || !is_line(m->hello->cpu, 200))
            return "a name that is none";
        return NULL;
    case WIRE__MESSAGE__BODY_JOB:
        if (m->job->slices < 1 || m->job->slices > 1024)
            return "a slice count out of range";
        if (m->job->input_time_base->num <= 0 || m->job->input_time_base->den <= 0)
            return "a time base out of range";
        return rational_problem(m->job->input_average_rate) ? rational_problem(m->job->input_average_rate)
                                                            : rational_problem(m->job->input_frame_rate);
    case WIRE__MESSAGE__BODY_TASK:
        if (m->task->kind == WIRE__TASK_KIND__RENDER && m->task->keep_from >= m->task->keep_to)
            return "an empty range of frames";
        return NULL;
    case WIRE__MESSAGE__BODY_CHUNK:
        if (m->chunk->n_packets > CHUNK_MAX_PACKETS)
            return "too many packets in a chunk";
        return NULL;
    case WIRE__MESSAGE__BODY_PROBED:
        if (!m->probed->need_more && (!m->probed->output || !m->probed->output_time_base || !m->probed->first_frame))
            return "an incomplete probe";
        if (!m->probed->need_more && (m->probed->output_time_base->num <= 0 || m->probed->output_time_base->den <= 0))
            return "a time base out of range";
        if (m->probed->has_reorder_delay && m->probed->reorder_delay > 64)
            return "a reorder delay out of range";
        return NULL;
    case WIRE__MESSAGE__BODY_CREDIT:
        if (m->credit->chunks > 1 << 16)
            return "a credit out of range";
        return NULL;
    default:
        return NULL;
    }
}

Wire__Message *protocol_unpack(const void *data, size_t size, const char **why)
{
    Wire__Message *message;

    *why = "not a message";
    if (size > MAX_MESSAGE_BYTES)
        return NULL;
    message = wire__message__unpack(NULL, size, data);
    if (!message)
        return NULL;
    *why = problem(message);
    if (*why) {
        wire__message__free_unpacked(message, NULL);
        return NULL;
    }
    return message;
}

void protocol_pack(zmq_msg_t *part, const Wire__Message *message)
{
    zmq_msg_init_size(part, wire__message__get_packed_size(message));
    wire__message__pack(message, zmq_msg_data(part));
}

static void drop_buffer(void *data, void *hint)
{
    AVBufferRef *buffer = hint;

    (void)data;
    av_buffer_unref(&buffer);
}

static bool is_small(size_t size)
{
    return size <= SMALL_BYTES;
}

static int join_small(zmq_msg_t *part, const struct chunk *chunk, size_t size)
{
    uint8_t *at;

    if (zmq_msg_init_size(part, size) < 0)
        return -ENOMEM;
    at = zmq_msg_data(part);
    for (size_t i = 0; i < chunk->packet_count; i++) {
        const AVPacket *packet = chunk->packets[i];

        if (!is_small((size_t)packet->size) || packet->size == 0)
            continue;
        memcpy(at, packet->data, (size_t)packet->size);
        at += packet->size;
    }
    return 0;
}

static int share(zmq_msg_t *part, const AVPacket *packet)
{
    AVBufferRef *buffer = packet->buf ? av_buffer_ref(packet->buf) : NULL;

    if (buffer && zmq_msg_init_data(part, packet->data, (size_t)packet->size, drop_buffer, buffer) == 0)
        return 0;
    av_buffer_unref(&buffer);
    if (packet->buf || zmq_msg_init_size(part, (size_t)packet->size) < 0)
        return -ENOMEM;
    memcpy(zmq_msg_data(part), packet->data, (size_t)packet->size);
    return 0;
}

static void pack_chunk(zmq_msg_t *part, const struct chunk *chunk, uint32_t segment, uint32_t attempt)
{
    Wire__Message message = WIRE__MESSAGE__INIT;
    Wire__Chunk body = WIRE__CHUNK__INIT;

    message.body_case = WIRE__MESSAGE__BODY_CHUNK;
    message.chunk = &body;
    body.segment = segment;
    body.attempt = attempt;
    body.sequence = chunk->sequence;
    body.last = chunk->last;
    body.packets = packets_borrow(chunk->packets, chunk->packet_count);
    body.n_packets = chunk->packet_count;
    protocol_pack(part, &message);
    free(body.packets);
}

int protocol_chunk_to_parts(zmq_msg_t *parts, const struct chunk *chunk, uint32_t segment, uint32_t attempt)
{
    size_t count = 1, small = 0, small_bytes = 0;
    int err = 0;

    if (chunk->packet_count > CHUNK_MAX_PACKETS)
        return -EMSGSIZE;
    for (size_t i = 0; i < chunk->packet_count; i++) {
        size_t size = (size_t)chunk->packets[i]->size;

        small += is_small(size);
        small_bytes += is_small(size) ? size : 0;
    }
    if (small > 0)
        err = join_small(&parts[count++], chunk, small_bytes);
    for (size_t i = 0; i < chunk->packet_count && err >= 0; i++)
        if (!is_small((size_t)chunk->packets[i]->size))
            err = share(&parts[count++], chunk->packets[i]);
    if (err >= 0) {
        pack_chunk(&parts[0], chunk, segment, attempt);
        return (int)count;
    }
    for (size_t i = 1; i + 1 < count; i++) // of the last one there is nothing
        zmq_msg_close(&parts[i]);
    return -ENOMEM;
}

int protocol_chunk_from_parts(struct chunk **result, const Wire__Chunk *message, zmq_msg_t *payloads, size_t payload_count)
{
    struct chunk *chunk;
    size_t small = 0, next = 0, at = 0;
    int err = 0;

    for (size_t i = 0; i < message->n_packets; i++)
        small += is_small(message->packets[i]->size);
    if (message->n_packets > CHUNK_MAX_PACKETS || payload_count != message->n_packets - small + (small > 0))
        return AVERROR_INVALIDDATA;
    if (small > 0)
        next++;
    chunk = chunk_new(message->sequence);
    chunk->last = message->last;
    for (size_t i = 0; i < message->n_packets && !err; i++) {
        const Wire__Packet *wire = message->packets[i];
        AVPacket *packet = NULL;

        if (!is_small(wire->size)) {
            err = packets_packet_from_wire(&packet, wire, zmq_msg_data(&payloads[next]), zmq_msg_size(&payloads[next]));
            next++;
        } else if (wire->size <= zmq_msg_size(&payloads[0]) - at) {
            err = packets_packet_from_wire(&packet, wire, (const uint8_t *)zmq_msg_data(&payloads[0]) + at, wire->size);
            at += wire->size;
        } else {
            err = AVERROR_INVALIDDATA;
        }
        if (!err)
            chunk_take(chunk, &packet);
    }
    if (!err && small > 0 && at != zmq_msg_size(&payloads[0]))
        err = AVERROR_INVALIDDATA;
    if (err)
        chunk_free(&chunk);
    *result = chunk;
    return err;
}
