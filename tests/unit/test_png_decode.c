// Every kind of PNG there is, made here with libpng, against what libavcodec makes of it.
#include "renderer/png_decode.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>

#include <png.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bytes {
    uint8_t *data;
    size_t size, room;
};

static void on_write(png_structp png, png_bytep data, size_t size)
{
    struct bytes *out = png_get_io_ptr(png);

    if (out->size + size > out->room) {
        out->room = 2 * (out->size + size);
        out->data = realloc(out->data, out->room);
        assert_non_null(out->data);
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

struct kind {
    int colour_type, depth;
    bool interlaced, transparent;
    unsigned width, height;
};

static uint32_t random_state = 1;

static uint8_t random_byte(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint8_t)(random_state >> 24);
}

static void put_transparency(png_structp png, png_infop info, const struct kind *k)
{
    png_color_16 colour = {.gray = 1, .red = 3, .green = 3, .blue = 3};
    png_byte alpha[5] = {0, 64, 128, 255, 7};

    if (k->colour_type == PNG_COLOR_TYPE_PALETTE)
        png_set_tRNS(png, info, alpha, k->depth == 1 ? 2 : k->depth == 2 ? 4 : 5, NULL);
    else
        png_set_tRNS(png, info, NULL, 0, &colour);
}

// A picture of noise, in which the transparent colour comes up.
static struct bytes make(const struct kind *k)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[256];
    struct bytes out = {0};
    size_t row_bytes;
    int passes;

    png_set_write_fn(png, &out, on_write, NULL);
    png_set_IHDR(png, info, k->width, k->height, k->depth, k->colour_type, k->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    for (int i = 0; i < 256; i++)
        palette[i] = (png_color){(png_byte)(i * 7), (png_byte)(255 - i), (png_byte)(i * 31)};
    if (k->colour_type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 1 << k->depth);
    if (k->transparent)
        put_transparency(png, info, k);
    png_write_info(png, info);
    passes = png_set_interlace_handling(png);
    row_bytes = png_get_rowbytes(png, info);
    for (int pass = 0; pass < passes; pass++) {
        random_state = 1;
        for (unsigned y = 0; y < k->height; y++) {
            uint8_t row[1024];

            for (size_t x = 0; x < row_bytes; x++)
                row[x] = y == 0 && k->depth >= 8 ? (uint8_t)(k->depth == 16 ? (x & 1) * 3 : 3) : random_byte();
            png_write_row(png, row);
        }
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return out;
}

static AVPacket *packet_of(const uint8_t *data, size_t size)
{
    AVPacket *packet = av_packet_alloc();

    assert_int_equal(av_new_packet(packet, (int)size), 0);
    memcpy(packet->data, data, size);
    return packet;
}

// NULL: it could not.
static AVFrame *by_libavcodec(const AVPacket *packet)
{
    AVCodecContext *context = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_PNG));
    AVFrame *frame = av_frame_alloc();

    assert_int_equal(avcodec_open2(context, NULL, NULL), 0);
    if (avcodec_send_packet(context, packet) < 0 || avcodec_receive_frame(context, frame) < 0)
        av_frame_free(&frame);
    avcodec_free_context(&context);
    return frame;
}

static void assert_same(const AVFrame *a, const AVFrame *b, const char *name)
{
    int bytes = av_image_get_linesize((enum AVPixelFormat)a->format, a->width, 0);

    if (a->format != b->format || a->width != b->width || a->height != b->height)
        fail_msg("%s: format %d, %d x %d instead of %d, %d x %d", name, a->format, a->width, a->height, b->format, b->width, b->height);
    // What lies behind the last pixel of a row of bits is nobody's.
    for (int y = 0; y < a->height; y++) {
        const uint8_t *row_a = a->data[0] + y * a->linesize[0], *row_b = b->data[0] + y * b->linesize[0];
        int whole = a->format == AV_PIX_FMT_MONOBLACK ? a->width / 8 : bytes, rest = a->format == AV_PIX_FMT_MONOBLACK ? a->width % 8 : 0;

        if (memcmp(row_a, row_b, (size_t)whole) != 0 || (rest && (row_a[whole] ^ row_b[whole]) >> (8 - rest)))
            fail_msg("%s: row %d differs", name, y);
    }
    if (a->format == AV_PIX_FMT_PAL8 && memcmp(a->data[1], b->data[1], AVPALETTE_SIZE) != 0)
        fail_msg("%s: the palette differs", name);
}

static bool exists(const struct kind *k)
{
    switch (k->colour_type) {
    case PNG_COLOR_TYPE_GRAY:
        return true;
    case PNG_COLOR_TYPE_PALETTE:
        return k->depth <= 8;
    case PNG_COLOR_TYPE_RGB:
        return k->depth >= 8;
    default:
        return k->depth >= 8 && !k->transparent;
    }
}

static void every_kind_is_read_right(void **state)
{
    static const int types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_PALETTE, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB_ALPHA};
    static const unsigned sizes[][2] = {{1, 1}, {7, 5}, {33, 9}, {64, 3}};
    unsigned compared = 0;

    (void)state;
    for (size_t t = 0; t < 5 * 5 * 2 * 2 * 4; t++) {
        const struct kind k = {types[t % 5], 1 << t / 5 % 5, t / 25 % 2, t / 50 % 2, sizes[t / 100][0], sizes[t / 100][1]};
        char name[100], reason[PNG_DECODE_REASON_BYTES];
        AVFrame *ours = av_frame_alloc(), *theirs = NULL;
        AVPacket *packet;
        struct bytes png;

        if (!exists(&k)) {
            av_frame_free(&ours);
            continue;
        }
        snprintf(name, sizeof(name), "type %d, depth %d%s%s, %u x %u", k.colour_type, k.depth, k.interlaced ? ", interlaced" : "",
                 k.transparent ? ", transparent" : "", k.width, k.height);
        png = make(&k);
        packet = packet_of(png.data, png.size);
        if (png_decode_packet(packet, ours, reason) < 0)
            fail_msg("%s: %s", name, reason);
        theirs = by_libavcodec(packet);
        // It compares the transparent colour with what the sample has become.
        if (k.transparent && k.colour_type == PNG_COLOR_TYPE_GRAY && k.depth < 8)
            av_frame_free(&theirs);
        if (theirs) {
            assert_same(ours, theirs, name);
            compared++;
        }
        av_frame_free(&ours);
        av_frame_free(&theirs);
        av_packet_free(&packet);
        free(png.data);
    }
    assert_int_equal(compared, 184);
}

static void nothing_that_is_damaged_does_harm(void **state)
{
    static const struct kind kinds[] = {{PNG_COLOR_TYPE_RGB, 8, true, true, 33, 9}, {PNG_COLOR_TYPE_PALETTE, 4, false, true, 33, 9}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bytes png = make(&kinds[i]);
        char reason[PNG_DECODE_REASON_BYTES];

        for (size_t size = 0; size < png.size; size++) {
            AVFrame *frame = av_frame_alloc();
            AVPacket *packet = packet_of(png.data, size);

            if (size < png.size - 12)
                assert_true(png_decode_packet(packet, frame, reason) < 0);
            av_frame_free(&frame);
            av_packet_free(&packet);
        }
        random_state = 7;
        for (int change = 0; change < 3000; change++) {
            AVFrame *frame = av_frame_alloc();
            AVPacket *packet = packet_of(png.data, png.size);

            packet->data[(random_byte() << 8 | random_byte()) % png.size] = random_byte();
            if (png_decode_packet(packet, frame, reason) < 0)
                assert_null(frame->data[0]);
            av_frame_free(&frame);
            av_packet_free(&packet);
        }
        free(png.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_right),
        cmocka_unit_test(nothing_that_is_damaged_does_harm),
    };

    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
