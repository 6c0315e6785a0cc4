// Which packets decoding may start at, on bytes made by hand.
#include "coordinator/bitstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOOK(s, ...) look(s, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// From a block of just this size, so that a sanitizer sees every byte too far.
static struct bitstream_facts look(struct bitstream *s, const void *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    struct bitstream_facts facts;

    memcpy(copy, data, size);
    facts = bitstream_look(s, copy, size);
    free(copy);
    return facts;
}

// H.264, baseline, 16x16, one SPS and one PPS: id 0 each.
#define SPS 0x67, 0x42, 0x00, 0x0a, 0xda, 0x79
#define SPS_OTHER 0x67, 0x42, 0x00, 0x0b, 0xda, 0x79
#define PPS 0x68, 0xce, 0x38, 0x80
#define PPS_OTHER 0x68, 0xce, 0x3c, 0x80
#define CODE 0, 0, 0, 1
#define IDR 0x65, 0x88, 0x84, 0x11 // first_mb 0, slice type 7 (I), PPS 0
#define IDR_P 0x65, 0x9a, 0x04, 0x11
#define SLICE 0x41, 0x9a, 0x02, 0x11

static const uint8_t avcc[] = {1, 0x42, 0, 0x0a, 0xff, 0xe1, 0, 6, SPS, 1, 0, 4, PPS};
// The same with an order of 4 lower bits, and 4 bits of frame numbers.
static const uint8_t ordered_avcc[] = {1, 0x42, 0, 0x0a, 0xff, 0xe1, 0, 6, 0x67, 0x42, 0x00, 0x0a, 0xf4, 0xf2, 1, 0, 4, PPS};
static const uint8_t annex_b[] = {CODE, SPS, CODE, PPS};

static void an_idr_picture_is_found_behind_lengths_and_behind_start_codes(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_H264, avcc, sizeof(avcc), 16);
    struct bitstream_facts facts = LOOK(s, 0, 0, 0, 4, IDR);

    (void)state;
    assert_true(facts.random_access);
    assert_int_equal(facts.frames, 1);
    assert_false(facts.changed);
    facts = LOOK(s, 0, 0, 0, 4, SLICE);
    assert_false(facts.random_access);
    assert_int_equal(facts.frames, 1);
    // A delimiter before it.
    assert_true(LOOK(s, 0, 0, 0, 2, 9, 0x10, 0, 0, 0, 4, IDR).random_access);
    assert_false(LOOK(s, 0, 0, 0, 4, IDR_P).random_access);
    bitstream_free(&s);
    s = bitstream_new(BITSTREAM_H264, annex_b, sizeof(annex_b), 16);
    assert_true(LOOK(s, CODE, IDR).random_access);
    assert_true(LOOK(s, 0, 0, 1, 9, 0x10, 0, 0, 1, IDR, 0, 0).random_access);
    assert_false(LOOK(s, CODE, SLICE).random_access);
    assert_false(LOOK(s, CODE, SLICE, CODE, IDR).random_access);
    bitstream_free(&s);
}

static void parameter_sets_that_only_came_along_the_way_must_come_again(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_H264, NULL, 0, 16);

    (void)state;
    assert_false(LOOK(s, CODE, IDR).random_access); // sets unknown
    assert_true(LOOK(s, CODE, SPS, CODE, PPS, CODE, IDR).random_access);
    assert_false(LOOK(s, CODE, IDR).random_access);
    assert_false(LOOK(s, CODE, PPS, CODE, IDR).random_access);
    assert_true(LOOK(s, CODE, SPS, CODE, PPS, CODE, IDR).random_access);
    bitstream_free(&s);
    // The same as in the extradata does not count as a change.
    s = bitstream_new(BITSTREAM_H264, annex_b, sizeof(annex_b), 16);
    assert_true(LOOK(s, CODE, SPS, CODE, PPS, CODE, IDR).random_access);
    assert_true(LOOK(s, CODE, IDR).random_access);
    // Another PPS does, until the old one is back.
    assert_false(LOOK(s, CODE, PPS_OTHER, CODE, IDR).random_access);
    assert_true(LOOK(s, CODE, SPS, CODE, PPS_OTHER, CODE, IDR).random_access);
    assert_false(LOOK(s, CODE, IDR).random_access);
    assert_true(LOOK(s, CODE, PPS, CODE, IDR).random_access);
    bitstream_free(&s);
}

static void a_new_picture_format_is_a_change_for_good(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_H264, annex_b, sizeof(annex_b), 16);
    struct bitstream_facts facts;

    (void)state;
    assert_true(LOOK(s, CODE, IDR).random_access);
    facts = LOOK(s, CODE, SPS_OTHER, CODE, PPS, CODE, IDR);
    assert_true(facts.changed);
    assert_false(facts.random_access);
    assert_true(LOOK(s, CODE, SPS, CODE, PPS, CODE, IDR).changed);
    bitstream_free(&s);
}

static void lengths_that_do_not_fit_are_a_change_for_good(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_H264, avcc, sizeof(avcc), 16);

    (void)state;
    assert_true(LOOK(s, 0, 0, 0, 5, IDR).changed);
    assert_true(LOOK(s, 0, 0, 0, 4, IDR).changed);
    bitstream_free(&s);
}

static void two_pictures_in_a_packet_are_no_place_to_start(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_H264, avcc, sizeof(avcc), 16);

    (void)state;
    assert_false(LOOK(s, 0, 0, 0, 4, IDR, 0, 0, 0, 4, SLICE).random_access);
    // A second slice of the same picture is fine.
    assert_true(LOOK(s, 0, 0, 0, 4, IDR, 0, 0, 0, 4, 0x65, 0x42, 0x21, 0x11).random_access);
    bitstream_free(&s);
}

static void messages_that_last_must_come_again(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_H264, avcc, sizeof(avcc), 16);

    (void)state;
    assert_true(LOOK(s, 0, 0, 0, 4, IDR).random_access);
    // Content light level.
    assert_true(LOOK(s, 0, 0, 0, 8, 6, 144, 4, 1, 2, 3, 4, 0x80, 0, 0, 0, 4, IDR).random_access);
    assert_false(LOOK(s, 0, 0, 0, 4, IDR).random_access);
    assert_true(LOOK(s, 0, 0, 0, 8, 6, 144, 4, 1, 2, 3, 4, 0x80, 0, 0, 0, 4, IDR).random_access);
    // A recovery point does not last.
    assert_true(LOOK(s, 0, 0, 0, 12, 6, 144, 4, 1, 2, 3, 4, 6, 1, 0x84, 0x80, 0x80, 0, 0, 0, 4, IDR).random_access);
    bitstream_free(&s);
}

static void old_builds_of_x264_are_known_from_the_first_packet_alone(void **state)
{
    static const char text[] = "0123456789abcdefx264 - core 40 r1";
    uint8_t packet[64] = {0, 0, 0, 0, 6, 5, sizeof(text)};
    size_t size = 7 + sizeof(text);
    struct bitstream *s = bitstream_new(BITSTREAM_H264, avcc, sizeof(avcc), 16);

    (void)state;
    memcpy(packet + 7, text, sizeof(text));
    packet[size++] = 0x80;
    packet[3] = (uint8_t)(size - 4);
    look(s, packet, size);
    assert_false(LOOK(s, 0, 0, 0, 4, IDR).random_access);
    bitstream_free(&s);
    s = bitstream_new(BITSTREAM_H264, avcc, sizeof(avcc), 16);
    memcpy(packet + 7 + 28, "164", 3);
    look(s, packet, size);
    assert_true(LOOK(s, 0, 0, 0, 4, IDR).random_access);
    bitstream_free(&s);
}

// HEVC, sets with id 0 each.
#define HEVC_VPS 0x40, 0x01, 0x0c, 0x01
#define HEVC_SPS 0x42, 0x01, 0x01, 1, 0x60, 0, 0, 0x90, 0, 0x55, 0x55, 0x55, 0x55, 0x55, 0x1e, 0xa0, 0x88, 0x45, 0x97
#define HEVC_PPS 0x44, 0x01, 0xc1, 0x72
#define HEVC_IDR 0x26, 0x01, 0xac, 0x11 // first slice, nothing dropped, PPS 0
#define HEVC_IDR_DROPS 0x26, 0x01, 0xec, 0x11
#define HEVC_CRA 0x2a, 0x01, 0xac, 0x11
#define HEVC_TRAIL 0x02, 0x01, 0xd0, 0x11

static void hevc_starts_at_pictures_made_for_it(void **state)
{
    static const uint8_t sets[] = {CODE, HEVC_VPS, CODE, HEVC_SPS, CODE, HEVC_PPS};
    struct bitstream *s = bitstream_new(BITSTREAM_HEVC, sets, sizeof(sets), 16);

    (void)state;
    assert_true(LOOK(s, CODE, HEVC_IDR).random_access);
    assert_true(LOOK(s, CODE, HEVC_CRA).random_access);
    assert_false(LOOK(s, CODE, HEVC_TRAIL).random_access);
    assert_false(LOOK(s, CODE, HEVC_IDR_DROPS).random_access);
    assert_false(LOOK(s, CODE, HEVC_IDR, CODE, HEVC_TRAIL).random_access);
    // Of another layer.
    assert_false(LOOK(s, CODE, 0x26, 0x09, 0xac, 0x11).random_access);
    // Behind the end of a sequence.
    assert_false(LOOK(s, CODE, HEVC_TRAIL, CODE, 0x48, 0x01, 0x80).random_access);
    assert_false(LOOK(s, CODE, HEVC_CRA).random_access);
    assert_true(LOOK(s, CODE, HEVC_CRA).random_access);
    bitstream_free(&s);
}

static void the_order_of_showing_is_followed_over_its_lower_bits(void **state)
{
    // 16 values of lower bits: IDR 0, P 6, B 3, P 12, P 2 (that is 18), and a new sequence.
    struct bitstream *s = bitstream_new(BITSTREAM_H264, ordered_avcc, sizeof(ordered_avcc), 16);
    struct bitstream_facts idr = LOOK(s, 0, 0, 0, 4, 0x65, 0x88, 0x84, 0x16), p = LOOK(s, 0, 0, 0, 4, 0x41, 0x9a, 0x2c, 0xb0);
    struct bitstream_facts b = LOOK(s, 0, 0, 0, 4, 0x01, 0x9e, 0x46, 0xb0), later = LOOK(s, 0, 0, 0, 4, 0x41, 0x9a, 0x58, 0xb0);
    struct bitstream_facts wrapped = LOOK(s, 0, 0, 0, 4, 0x41, 0x9a, 0x64, 0xb0), next = LOOK(s, 0, 0, 0, 4, 0x65, 0x88, 0x84, 0x16);

    (void)state;
    assert_true(idr.random_access && idr.has_order && p.has_order && b.has_order && later.has_order && wrapped.has_order && next.has_order);
    assert_int_equal(p.order - idr.order, 6);
    assert_int_equal(b.order - idr.order, 3);
    assert_int_equal(later.order - idr.order, 12);
    assert_int_equal(wrapped.order - idr.order, 18);
    assert_true(next.order > wrapped.order);
    bitstream_free(&s);
}

static void vp8_keyframes_are_told_by_their_first_bytes(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_VP8, NULL, 0, 16);

    (void)state;
    assert_true(LOOK(s, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0).random_access);
    assert_int_equal(LOOK(s, 0x11, 0, 0, 0, 0).frames, 1);
    assert_int_equal(LOOK(s, 0x01, 0, 0, 0, 0).frames, 0); // hidden
    assert_false(LOOK(s, 0x11, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0).random_access);
    assert_false(LOOK(s, 0x10, 0, 0, 0x9d, 0x01, 0x2b, 16, 0, 16, 0).random_access);
    assert_true(LOOK(s, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 32, 0, 16, 0).changed);
    bitstream_free(&s);
}

// Profile 0, keyframe, shown, 352x288.
#define VP9_KEY 0x82, 0x49, 0x83, 0x42, 0x00, 0x15, 0xf0, 0x11, 0xf0
#define VP9_INTER 0x86, 0x00
#define VP9_HIDDEN 0x84, 0x00
#define VP9_AGAIN 0x88

static void vp9_keyframes_are_found_in_superframes_too(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_VP9, NULL, 0, 288);
    struct bitstream_facts facts;

    (void)state;
    assert_true(LOOK(s, VP9_KEY).random_access);
    assert_false(LOOK(s, VP9_INTER).random_access);
    assert_int_equal(LOOK(s, VP9_HIDDEN).frames, 0);
    facts = LOOK(s, VP9_AGAIN);
    assert_false(facts.random_access);
    assert_int_equal(facts.frames, 1);
    facts = LOOK(s, VP9_KEY, VP9_HIDDEN, 0xc1, 9, 2, 0xc1);
    assert_true(facts.random_access);
    assert_int_equal(facts.frames, 1);
    facts = LOOK(s, VP9_HIDDEN, VP9_KEY, 0xc1, 2, 9, 0xc1);
    assert_false(facts.random_access);
    assert_int_equal(facts.frames, 1);
    assert_false(LOOK(s, VP9_KEY, 0xc1, 200, 9, 0xc1).random_access);
    assert_true(LOOK(s, 0x82, 0x49, 0x83, 0x42, 0x00, 0x25, 0xf0, 0x11, 0xf0).changed);
    bitstream_free(&s);
}

static void av1_needs_its_sequence_header_and_a_shown_keyframe(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_AV1, NULL, 0, 16);

    (void)state;
    // Delimiter, sequence header, frame: not old, key, shown.
    assert_true(LOOK(s, 0x12, 0, 0x0a, 2, 0x00, 0x55, 0x32, 1, 0x10).random_access);
    assert_false(LOOK(s, 0x12, 0, 0x32, 1, 0x10).random_access);
    assert_false(LOOK(s, 0x12, 0, 0x0a, 2, 0x00, 0x55, 0x32, 1, 0x00).random_access); // hidden
    assert_false(LOOK(s, 0x12, 0, 0x0a, 2, 0x00, 0x55, 0x32, 1, 0x30).random_access); // inter
    assert_false(LOOK(s, 0x12, 0, 0x0a, 2, 0x00, 0x55, 0x1a, 1, 0x80).random_access); // old
    assert_int_equal(LOOK(s, 0x12, 0, 0x32, 1, 0x20, 0x1a, 1, 0x80).frames, 1);
    assert_true(LOOK(s, 0x12, 0, 0x0a, 9, 0x00, 0x55).changed);
    bitstream_free(&s);
}

static void mpeg2_needs_a_sequence_header_and_an_i_picture(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_MPEG12, NULL, 0, 16);

    (void)state;
#define SEQUENCE 0, 0, 1, 0xb3, 0x01, 0x00, 0x10, 0x13, 0xff, 0xff, 0xe0, 0x18
#define DISPLAY 0, 0, 1, 0xb5, 0x23, 5, 5, 5
#define PICTURE(type) 0, 0, 1, 0, 0, (type) << 3, 0xff, 0xf8, 0, 0, 1, 1, 0x11
    assert_true(LOOK(s, SEQUENCE, PICTURE(1)).random_access);
    assert_false(LOOK(s, PICTURE(1)).random_access);
    assert_false(LOOK(s, SEQUENCE, PICTURE(2)).random_access);
    assert_int_equal(LOOK(s, PICTURE(3)).frames, 1);
    // Colours said once would be unknown later on.
    assert_true(LOOK(s, SEQUENCE, DISPLAY, PICTURE(1)).random_access);
    assert_false(LOOK(s, SEQUENCE, PICTURE(1)).random_access);
    assert_true(LOOK(s, 0, 0, 1, 0xb3, 0x02, 0x00, 0x10, 0x13, 0xff, 0xff, 0xe0, 0x18, PICTURE(1)).changed);
    bitstream_free(&s);
}

#define JPEG_SOF 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0
#define JPEG_SOS 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x12, 0xff, 0xd9
#define JPEG_DQT 0xff, 0xdb, 0, 4, 0, 1
#define JPEG_DHT 0xff, 0xc4, 0, 4, 0, 1

static void jpegs_bring_their_own_tables(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_MJPEG, NULL, 0, 16);

    (void)state;
    assert_true(LOOK(s, 0xff, 0xd8, JPEG_DQT, JPEG_DHT, JPEG_SOF, JPEG_SOS).random_access);
    assert_true(LOOK(s, 0xff, 0xd8, JPEG_DQT, JPEG_DHT, JPEG_SOF, JPEG_SOS).random_access);
    assert_false(LOOK(s, 0xff, 0xd8, JPEG_DQT, JPEG_DHT, JPEG_SOF, JPEG_SOS, 0xff, 0xd8, JPEG_SOF, JPEG_SOS).random_access);
    assert_false(LOOK(s, 0xff, 0xd8, JPEG_DQT, JPEG_SOF, JPEG_SOS).random_access);
    assert_false(LOOK(s, 0xff, 0xd8, JPEG_DQT, JPEG_DHT, JPEG_SOF, JPEG_SOS).random_access);
    bitstream_free(&s);
    s = bitstream_new(BITSTREAM_MJPEG, NULL, 0, 32); // this would be one field
    assert_false(LOOK(s, 0xff, 0xd8, JPEG_DQT, JPEG_DHT, JPEG_SOF, JPEG_SOS).random_access);
    bitstream_free(&s);
}

static void ffv1_says_so_in_its_first_bit(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_FFV1, NULL, 0, 16);

    (void)state;
    assert_true(LOOK(s, 0x80, 0x00, 0).random_access);
    assert_false(LOOK(s, 0x7f, 0x00, 0).random_access);
    assert_false(LOOK(s, 0x80).random_access);
    bitstream_free(&s);
}

static void an_empty_packet_is_never_a_place_to_start(void **state)
{
    (void)state;
    for (int codec = BITSTREAM_UNKNOWN; codec <= BITSTREAM_DV; codec++) {
        struct bitstream *s = bitstream_new((enum bitstream_codec)codec, NULL, 0, 16);

        assert_false(bitstream_look(s, NULL, 0).random_access);
        assert_int_equal(bitstream_look(s, (const uint8_t *)"", 0).frames, 0);
        bitstream_free(&s);
    }
}

static void unknown_codecs_are_never_proven(void **state)
{
    struct bitstream *s = bitstream_new(BITSTREAM_UNKNOWN, NULL, 0, 16);

    (void)state;
    assert_false(LOOK(s, CODE, IDR).random_access);
    bitstream_free(&s);
}

// Every beginning of every packet, then every byte changed in turn: nothing but an answer may come of it.
static void broken_bytes_do_no_harm(void **state)
{
    static const struct {
        enum bitstream_codec codec;
        size_t size;
        uint8_t data[64];
    } packets[] = {
        {BITSTREAM_H264, 26, {CODE, SPS, CODE, PPS, CODE, IDR}},
        {BITSTREAM_H264, 24, {0, 0, 0, 8, 6, 144, 4, 1, 2, 3, 4, 0x80, 0, 0, 0, 4, IDR, 0, 0, 0, 0}},
        {BITSTREAM_HEVC, 47, {CODE, HEVC_VPS, CODE, HEVC_SPS, CODE, HEVC_PPS, CODE, HEVC_IDR}},
        {BITSTREAM_VP8, 10, {0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0}},
        {BITSTREAM_VP9, 15, {VP9_KEY, VP9_HIDDEN, 0xc1, 9, 2, 0xc1}},
        {BITSTREAM_AV1, 9, {0x12, 0, 0x0a, 2, 0x00, 0x55, 0x32, 1, 0x10}},
        {BITSTREAM_MPEG12, 33, {SEQUENCE, DISPLAY, PICTURE(1)}},
        {BITSTREAM_MJPEG, 40, {0xff, 0xd8, JPEG_DQT, JPEG_DHT, JPEG_SOF, JPEG_SOS}},
        {BITSTREAM_FFV1, 3, {0x80, 0, 0}},
        {BITSTREAM_PNG, 33, {0x89, 'P', 'N', 'G'}},
        {BITSTREAM_PRORES, 28, {0, 0, 0, 28, 'i', 'c', 'p', 'f'}},
        {BITSTREAM_DNXHD, 44, {0}},
        {BITSTREAM_DV, 8, {0}},
        {BITSTREAM_INTRA, 8, {0}},
    };
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        for (size_t size = 0; size <= packets[i].size; size++) {
            // As a packet, and as extradata of both kinds.
            struct bitstream *s = bitstream_new(packets[i].codec, packets[i].data, size, 16);

            look(s, packets[i].data, size);
            bitstream_free(&s);
            s = bitstream_new(packets[i].codec, avcc, size < sizeof(avcc) ? size : sizeof(avcc), 16);
            look(s, packets[i].data, size);
            bitstream_free(&s);
        }
        for (size_t at = 0; at < packets[i].size; at++) {
            struct bitstream *s = bitstream_new(packets[i].codec, NULL, 0, 16);

            for (int value = 0; value < 256; value += 5) {
                uint8_t data[64];

                memcpy(data, packets[i].data, sizeof(data));
                data[at] = (uint8_t)value;
                look(s, data, packets[i].size);
            }
            bitstream_free(&s);
        }
        for (int round = 0; round < 2000; round++) {
            uint8_t data[64];
            struct bitstream *s;

            for (size_t j = 0; j < sizeof(data); j++) {
                random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
                data[j] = random >> 62 ? (uint8_t)(random >> 50) & 3 : (uint8_t)(random >> 40);
            }
            memcpy(data, packets[i].data, (size_t)round % 8);
            s = bitstream_new(packets[i].codec, data, (size_t)round % 64, 16);
            look(s, data, sizeof(data) - (size_t)round % 50);
            bitstream_free(&s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idr_picture_is_found_behind_lengths_and_behind_start_codes),
        cmocka_unit_test(parameter_sets_that_only_came_along_the_way_must_come_again),
        cmocka_unit_test(a_new_picture_format_is_a_change_for_good),
        cmocka_unit_test(lengths_that_do_not_fit_are_a_change_for_good),
        cmocka_unit_test(two_pictures_in_a_packet_are_no_place_to_start),
        cmocka_unit_test(messages_that_last_must_come_again),
        cmocka_unit_test(old_builds_of_x264_are_known_from_the_first_packet_alone),
        cmocka_unit_test(hevc_starts_at_pictures_made_for_it),
        cmocka_unit_test(the_order_of_showing_is_followed_over_its_lower_bits),
        cmocka_unit_test(vp8_keyframes_are_told_by_their_first_bytes),
        cmocka_unit_test(vp9_keyframes_are_found_in_superframes_too),
        cmocka_unit_test(av1_needs_its_sequence_header_and_a_shown_keyframe),
        cmocka_unit_test(mpeg2_needs_a_sequence_header_and_an_i_picture),
        cmocka_unit_test(jpegs_bring_their_own_tables),
        cmocka_unit_test(ffv1_says_so_in_its_first_bit),
        cmocka_unit_test(an_empty_packet_is_never_a_place_to_start),
        cmocka_unit_test(unknown_codecs_are_never_proven),
        cmocka_unit_test(broken_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
