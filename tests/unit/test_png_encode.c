// Whatever the format, the filter and the level: the picture that is read back is the one that was written.
#include "renderer/png_encode.h"

#include "renderer/png_decode.h"

#include <libavutil/imgutils.h>
#include <libavutil/log.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t state_of_noise = 1;

static uint8_t noise(void)
{
    state_of_noise = state_of_noise * 1664525 + 1013904223;
    return (uint8_t)(state_of_noise >> 24);
}

// Noise, slopes and flat parts, so that each filter is the best one somewhere.
static AVFrame *make_frame(enum AVPixelFormat format, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    int bytes = av_image_get_linesize(format, width, 0);

    frame->format = format;
    frame->width = width;
    frame->height = height;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < bytes; x++)
            frame->data[0][y * frame->linesize[0] + x] = (uint8_t)(y % 5 == 0   ? noise()
                                                                   : y % 5 == 1 ? 3 * x
                                                                   : y % 5 == 2 ? 7 * y
                                                                   : y % 5 == 3 ? x + y
                                                                                : 9);
    for (int i = 0; format == AV_PIX_FMT_PAL8 && i < 256; i++)
        ((uint32_t *)(void *)frame->data[1])[i] = 0xff000000u | (uint32_t)i << 16 | (uint32_t)noise() << 8 | noise();
    return frame;
}

// Bits of the last byte of a row that no pixel has are nobody's.
static void assert_same(const AVFrame *a, const AVFrame *b)
{
    int bytes = av_image_get_linesize(a->format, a->width, 0), spare = a->format == AV_PIX_FMT_MONOBLACK ? (8 - a->width % 8) % 8 : 0;

    assert_int_equal(a->format, b->format);
    assert_true(a->width == b->width && a->height == b->height);
    for (int y = 0; y < a->height; y++) {
        const uint8_t *row = a->data[0] + y * a->linesize[0], *other = b->data[0] + y * b->linesize[0];

        assert_memory_equal(row, other, (size_t)bytes - 1);
        assert_int_equal(row[bytes - 1] >> spare, other[bytes - 1] >> spare);
    }
    if (a->format == AV_PIX_FMT_PAL8)
        assert_memory_equal(a->data[1], b->data[1], 1024);
}

static void write_and_read(const AVFrame *frame, const char *filter, const char *level)
{
    struct png_encode *encode = png_encode_new();
    AVPacket *packet = av_packet_alloc();
    AVFrame *again = av_frame_alloc();
    char reason[PNG_DECODE_REASON_BYTES], *why = NULL;

    assert_int_equal(png_encode_set(encode, "filter", filter, &why), 0);
    assert_int_equal(png_encode_set(encode, "level", level, &why), 0);
    // Twice: what the first one left must not show in the second.
    for (int i = 0; i < 2; i++) {
        if (png_encode_frame(encode, frame, (AVRational){1, 25}, packet, &why) < 0)
            fail_msg("%s", why);
        if (png_decode_packet(packet, again, reason) < 0)
            fail_msg("filter %s, level %s: %s", filter, level, reason);
        assert_same(frame, again);
        av_frame_unref(again);
        av_packet_unref(packet);
    }
    av_frame_free(&again);
    av_packet_free(&packet);
    png_encode_free(&encode);
}

static void pictures_come_back_as_they_were(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_RGB24, AV_PIX_FMT_RGBA,   AV_PIX_FMT_RGB48BE,  AV_PIX_FMT_RGBA64BE, AV_PIX_FMT_PAL8,
                                                 AV_PIX_FMT_GRAY8, AV_PIX_FMT_GRAY8A, AV_PIX_FMT_GRAY16BE, AV_PIX_FMT_YA16BE,   AV_PIX_FMT_MONOBLACK};
    static const char *const filters[] = {"auto", "none", "sub", "up", "avg", "paeth", "mixed"};
    static const char *const levels[] = {"auto", "0", "1", "6", "9"};
    static const int sizes[][2] = {{1, 1}, {3, 7}, {61, 40}, {400, 150}};

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            AVFrame *frame = make_frame(formats[i], sizes[s][0], sizes[s][1]);

            assert_true(png_encode_takes(formats[i]));
            for (size_t f = 0; f < sizeof(filters) / sizeof(filters[0]); f++)
                for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
                    write_and_read(frame, filters[f], levels[l]);
            av_frame_free(&frame);
        }
    }
    assert_false(png_encode_takes(AV_PIX_FMT_YUV420P));
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const wrong[][2] = {{"level", "10"}, {"level", ""}, {"level", "-1"}, {"filter", "best"}, {"filter", ""}, {"speed", "1"}};
    struct png_encode *encode = png_encode_new();

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *why = NULL;

        assert_true(png_encode_set(encode, wrong[i][0], wrong[i][1], &why) < 0);
        assert_non_null(why);
        free(why);
    }
    png_encode_free(&encode);
}

// Of all that is tried the smallest, or one that is nearly as small and takes less time.
static void what_is_chosen_is_small(void **state)
{
    AVFrame *frame = make_frame(AV_PIX_FMT_GRAY8, 800, 400);
    AVPacket *packet = av_packet_alloc();
    char *why = NULL;
    int sizes[2];

    (void)state;
    // A slope: only differences from the left are small.
    for (int y = 0; y < 400; y++)
        for (int x = 0; x < 800; x++)
            frame->data[0][y * frame->linesize[0] + x] = (uint8_t)(x * (1 + y % 7) + (noise() & 1));
    for (int i = 0; i < 2; i++) {
        struct png_encode *encode = png_encode_new();

        assert_int_equal(png_encode_set(encode, "filter", i ? "auto" : "up", &why), 0);
        assert_int_equal(png_encode_frame(encode, frame, (AVRational){1, 25}, packet, &why), 0);
        sizes[i] = packet->size;
        av_packet_unref(packet);
        png_encode_free(&encode);
    }
    assert_true(sizes[1] * 2 < sizes[0]);
    av_packet_free(&packet);
    av_frame_free(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_come_back_as_they_were),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(what_is_chosen_is_small),
    };

    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
