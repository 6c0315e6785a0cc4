#include "common/protocol.h"
#include "common/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static AVPacket *packet_of(const char *text, int64_t pts)
{
    AVPacket *packet = av_packet_alloc();
    size_t size = strlen(text);

    assert_int_equal(av_new_packet(packet, (int)size), 0);
    memcpy(packet->data, text, size);
    packet->pts = pts;
    packet->dts = AV_NOPTS_VALUE;
    packet->duration = 3;
    packet->flags = AV_PKT_FLAG_KEY;
    return packet;
}

// Packs, unpacks, and gives the message back, NULL if it is refused.
static Wire__Message *there_and_back(const Wire__Message *message, const char **why)
{
    zmq_msg_t part;
    Wire__Message *out;

    protocol_pack(&part, message);
    out = protocol_unpack(zmq_msg_data(&part), zmq_msg_size(&part), why);
    zmq_msg_close(&part);
    return out;
}

static void a_chunk_arrives_as_it_was_sent(void **state)
{
    struct chunk *chunk = chunk_new(7), *arrived = NULL;
    AVPacket *first = packet_of("hello", -5), *second = packet_of("", INT64_MAX), *large = packet_of("", 8), *last = packet_of("bye", 9);
    const uint8_t palette[4] = {1, 2, 3, 4};
    zmq_msg_t parts[4];
    Wire__Message *message;
    const char *why;

    (void)state;
    assert_int_equal(av_grow_packet(large, 5000), 0);
    memset(large->data, 'x', 5000);
    memcpy(av_packet_new_side_data(first, AV_PKT_DATA_PALETTE, sizeof(palette)), palette, sizeof(palette));
    chunk_take(chunk, &first);
    chunk_take(chunk, &second);
    chunk_take(chunk, &large);
    chunk_take(chunk, &last);
    chunk->last = true;
    assert_int_equal(protocol_chunk_to_parts(parts, chunk, 3, 2), 3);
    assert_int_equal(zmq_msg_size(&parts[1]), 8); // the small ones
    assert_int_equal(zmq_msg_size(&parts[2]), 5000);
    chunk_free(&chunk); // the parts live on
    message = protocol_unpack(zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0]), &why);
    assert_non_null(message);
    assert_int_equal(message->body_case, WIRE__MESSAGE__BODY_CHUNK);
    assert_int_equal(message->chunk->segment, 3);
    assert_int_equal(message->chunk->attempt, 2);
    assert_int_equal(protocol_chunk_from_parts(&arrived, message->chunk, parts + 1, 2), 0);
    assert_int_equal(arrived->sequence, 7);
    assert_true(arrived->last);
    assert_int_equal(arrived->packet_count, 4);
    assert_int_equal(arrived->size_bytes, 5008);
    assert_memory_equal(arrived->packets[0]->data, "hello", 5);
    assert_int_equal(arrived->packets[0]->pts, -5);
    assert_true(arrived->packets[0]->dts == AV_NOPTS_VALUE);
    assert_int_equal(arrived->packets[0]->flags, AV_PKT_FLAG_KEY);
    assert_int_equal(arrived->packets[0]->side_data_elems, 1);
    assert_memory_equal(arrived->packets[0]->side_data[0].data, palette, 4);
    assert_true(arrived->packets[1]->pts == INT64_MAX);
    assert_int_equal(arrived->packets[2]->size, 5000);
    assert_int_equal(arrived->packets[2]->data[4999], 'x');
    assert_memory_equal(arrived->packets[3]->data, "bye", 3);
    chunk_free(&arrived);
    wire__message__free_unpacked(message, NULL);
    for (int i = 0; i < 3; i++)
        zmq_msg_close(&parts[i]);
}

static void a_chunk_whose_payloads_do_not_fit_is_refused(void **state)
{
    struct chunk *chunk = chunk_new(0), *arrived = NULL;
    AVPacket *packet = packet_of("hello", 0);
    zmq_msg_t parts[2];
    Wire__Message *message;
    const char *why;

    (void)state;
    chunk_take(chunk, &packet);
    assert_int_equal(protocol_chunk_to_parts(parts, chunk, 0, 1), 2);
    chunk_free(&chunk);
    message = protocol_unpack(zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0]), &why);
    assert_int_equal(protocol_chunk_from_parts(&arrived, message->chunk, parts + 1, 0), AVERROR_INVALIDDATA);
    for (uint32_t size = 4; size <= 6; size += 2) { // too much is there, and too little
        message->chunk->packets[0]->size = size;
        assert_int_equal(protocol_chunk_from_parts(&arrived, message->chunk, parts + 1, 1), AVERROR_INVALIDDATA);
    }
    message->chunk->packets[0]->size = 5000; // in a part of its own
    assert_int_equal(protocol_chunk_from_parts(&arrived, message->chunk, parts + 1, 1), AVERROR_INVALIDDATA);
    message->chunk->packets[0]->size = UINT32_MAX;
    assert_int_equal(protocol_chunk_from_parts(&arrived, message->chunk, parts + 1, 1), AVERROR_INVALIDDATA);
    wire__message__free_unpacked(message, NULL);
    zmq_msg_close(&parts[0]);
    zmq_msg_close(&parts[1]);
}

static void no_prefix_and_no_garbage_is_taken_for_a_message_or_read_past_its_end(void **state)
{
    Wire__Message message = WIRE__MESSAGE__INIT;
    Wire__Hello hello = WIRE__HELLO__INIT;
    const char *why;
    uint8_t bytes[256];
    uint32_t seed = 1;
    size_t size;

    (void)state;
    hello.protocol = PROTOCOL_VERSION;
    hello.libraries = (char *)"libav";
    hello.threads = 1;
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &hello;
    size = wire__message__pack(&message, bytes);
    for (size_t n = 0; n < size; n++) {
        uint8_t *exact = malloc(n ? n : 1); // so that a sanitizer sees a read past the end

        memcpy(exact, bytes, n);
        assert_null(protocol_unpack(exact, n, &why));
        assert_non_null(why);
        free(exact);
    }
    for (int round = 0; round < 20000; round++) {
        size_t length = (seed >> 8) % sizeof(bytes);
        Wire__Message *out;

        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)(seed >> 24);
        }
        seed = seed * 1664525u + 1013904223u;
        out = protocol_unpack(bytes, length, &why);
        if (out)
            wire__message__free_unpacked(out, NULL);
    }
}

static void messages_that_make_no_sense_are_refused_with_a_reason(void **state)
{
    Wire__Message message = WIRE__MESSAGE__INIT;
    Wire__Hello hello = WIRE__HELLO__INIT;
    Wire__Task task = WIRE__TASK__INIT;
    Wire__Credit credit = WIRE__CREDIT__INIT;
    Wire__Probed probed = WIRE__PROBED__INIT;
    const char *why;

    (void)state;
    assert_null(there_and_back(&message, &why));
    hello.libraries = (char *)"";
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &hello; // no threads
    assert_null(there_and_back(&message, &why));
    assert_non_null(why);
    message.body_case = WIRE__MESSAGE__BODY_TASK;
    task.kind = WIRE__TASK_KIND__RENDER; // keeps nothing
    message.task = &task;
    assert_null(there_and_back(&message, &why));
    message.body_case = WIRE__MESSAGE__BODY_CREDIT;
    credit.chunks = 1 << 17;
    message.credit = &credit; // of too many
    assert_null(there_and_back(&message, &why));
    message.body_case = WIRE__MESSAGE__BODY_PROBED;
    message.probed = &probed; // nothing in it
    assert_null(there_and_back(&message, &why));
}

static void codec_parameters_survive_the_wire(void **state)
{
    AVCodecParameters *in = avcodec_parameters_alloc(), *out = avcodec_parameters_alloc();
    Wire__CodecParameters *wire;

    (void)state;
    in->codec_type = AVMEDIA_TYPE_VIDEO;
    in->codec_id = AV_CODEC_ID_H264;
    in->width = 854;
    in->height = 480;
    in->video_delay = 2;
    in->color_trc = AVCOL_TRC_SMPTE2084;
    in->sample_aspect_ratio = (AVRational){4, 3};
    in->extradata = av_mallocz(3 + AV_INPUT_BUFFER_PADDING_SIZE);
    memcpy(in->extradata, "abc", 3);
    in->extradata_size = 3;
    packets_parameters_to_wire(&wire, in);
    assert_int_equal(packets_parameters_from_wire(out, wire), 0);
    assert_int_equal(out->codec_id, AV_CODEC_ID_H264);
    assert_int_equal(out->width, 854);
    assert_int_equal(out->video_delay, 2);
    assert_int_equal(out->color_trc, AVCOL_TRC_SMPTE2084);
    assert_int_equal(out->sample_aspect_ratio.num, 4);
    assert_int_equal(out->extradata_size, 3);
    assert_memory_equal(out->extradata, "abc", 3);
    wire->width = -1;
    assert_int_equal(packets_parameters_from_wire(out, wire), AVERROR_INVALIDDATA);
    wire__codec_parameters__free_unpacked(wire, NULL);
    avcodec_parameters_free(&in);
    avcodec_parameters_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_arrives_as_it_was_sent),
        cmocka_unit_test(a_chunk_whose_payloads_do_not_fit_is_refused),
        cmocka_unit_test(no_prefix_and_no_garbage_is_taken_for_a_message_or_read_past_its_end),
        cmocka_unit_test(messages_that_make_no_sense_are_refused_with_a_reason),
        cmocka_unit_test(codec_parameters_survive_the_wire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
