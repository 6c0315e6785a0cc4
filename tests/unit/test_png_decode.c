// Every kind of PNG there is, made here with libpng, against what libavcodec makes of it.
#include "renderer/png_decode.h"

#include "renderer/png_encode.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>

#include <png.h>
#include <malloc.h>
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

// Behind the last pixel of a row of single bits.
static void what_is_no_picture_is_not_by_chance(void **state)
{
    struct bytes png = make(&(struct kind){PNG_COLOR_TYPE_GRAY, 1, false, false, 33, 9});
    AVPacket *packet = packet_of(png.data, png.size);
    AVFrame *frame = av_frame_alloc();
    char reason[PNG_DECODE_REASON_BYTES];

    (void)state;
    mallopt(M_PERTURB, 0x55); // what memory holds before it is written
    assert_int_equal(png_decode_packet(packet, frame, reason), 0);
    mallopt(M_PERTURB, 0);
    assert_int_equal(frame->format, AV_PIX_FMT_MONOBLACK);
    for (int y = 0; y < frame->height; y++)
        assert_int_equal(frame->data[0][y * frame->linesize[0] + 4] & 0x7f, 0);
    av_frame_free(&frame);
    av_packet_free(&packet);
    free(png.data);
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

// ---- Colour ----

static uint32_t big_endian(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

// The data of the first chunk of that type; NULL: there is none.
static const uint8_t *find_chunk(const uint8_t *png, size_t size, const char *type, size_t *length)
{
    for (size_t at = 8; at + 12 <= size; at += *length + 12) {
        *length = big_endian(png + at);
        if (memcmp(png + at + 4, type, 4) == 0)
            return png + at + 8;
    }
    return NULL;
}

static void assert_same_chunk(const AVPacket *a, const AVPacket *b, const char *type)
{
    size_t a_length, b_length;
    const uint8_t *a_data = find_chunk(a->data, (size_t)a->size, type, &a_length);
    const uint8_t *b_data = find_chunk(b->data, (size_t)b->size, type, &b_length);

    if (!a_data != !b_data || (a_data && (a_length != b_length || memcmp(a_data, b_data, a_length) != 0)))
        fail_msg("%s is %s", type, !a_data ? "new" : !b_data ? "lost" : "another");
}

enum { PROFILE_BYTES = 400 };

// A header, and one tag of noise: libpng does not take a profile that it could compress to next to nothing.
static void make_profile(uint8_t profile[PROFILE_BYTES])
{
    static const uint8_t d50[12] = {0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d};
    static const uint8_t tag[16] = {0, 0, 0, 1, 'n', 'o', 's', 'e', 0, 0, 0, 144, 0, 0, (PROFILE_BYTES - 144) >> 8, (PROFILE_BYTES - 144) & 255};

    memset(profile, 0, PROFILE_BYTES);
    profile[2] = PROFILE_BYTES >> 8;
    profile[3] = PROFILE_BYTES & 255;
    profile[8] = 2;
    memcpy(profile + 12, "mntrRGB XYZ ", 12);
    memcpy(profile + 36, "acsp", 4);
    memcpy(profile + 68, d50, sizeof(d50));
    memcpy(profile + 128, tag, sizeof(tag));
    for (int i = 144; i < PROFILE_BYTES; i++)
        profile[i] = random_byte();
}

struct colours {
    png_fixed_point gamma; // 0: none
    const png_fixed_point *c;
    bool profile, srgb;
};

static AVPacket *make_coloured(const struct colours *colours)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    const png_fixed_point *c = colours->c;
    struct bytes out = {0};
    uint8_t row[12] = {0}, profile[PROFILE_BYTES];
    AVPacket *packet;

    make_profile(profile);
    png_set_write_fn(png, &out, on_write, NULL);
    png_set_IHDR(png, info, 4, 4, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    if (colours->gamma)
        png_set_gAMA_fixed(png, info, colours->gamma);
    if (c)
        png_set_cHRM_fixed(png, info, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]);
    if (colours->profile)
        png_set_iCCP(png, info, "some profile", PNG_COMPRESSION_TYPE_BASE, profile, sizeof(profile));
    if (colours->srgb)
        png_set_sRGB(png, info, PNG_sRGB_INTENT_RELATIVE);
    png_write_info(png, info);
    for (int y = 0; y < 4; y++)
        png_write_row(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    packet = packet_of(out.data, out.size);
    free(out.data);
    return packet;
}

static AVPacket *read_and_write(const AVPacket *packet, enum AVColorTransferCharacteristic transfer)
{
    struct png_encode *encode = png_encode_new();
    AVPacket *again = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    char reason[PNG_DECODE_REASON_BYTES], *why = NULL;

    if (png_decode_packet(packet, frame, reason) < 0)
        fail_msg("%s", reason);
    if (transfer != AVCOL_TRC_UNSPECIFIED)
        frame->color_trc = transfer;
    if (png_encode_frame(encode, frame, (AVRational){1, 25}, again, &why) < 0)
        fail_msg("%s", why);
    av_frame_free(&frame);
    png_encode_free(&encode);
    return again;
}

static void colours_come_out_as_they_went_in(void **state)
{
    static const png_fixed_point bt709[] = {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000};
    static const png_fixed_point p3[] = {31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000};
    static const png_fixed_point film[] = {31000, 31600, 68100, 31900, 24300, 69200, 14500, 4900};
    static const png_fixed_point some_camera[] = {31271, 32902, 64001, 33000, 21000, 71000, 15000, 6000};
    static const struct colours all[] = {
        {.gamma = 45455},
        {.gamma = 100000},
        {.gamma = 50994},
        {.gamma = 35714},
        {.gamma = 55556},
        {.c = bt709},
        {.c = p3},
        {.c = film},
        {.c = some_camera},
        {.gamma = 45455, .c = p3},
        {.profile = true},
        {.gamma = 55556, .c = some_camera},
        {0},
    };
    static const struct colours srgb = {.srgb = true};
    AVPacket *in, *out;
    size_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        in = make_coloured(&all[i]);
        out = read_and_write(in, AVCOL_TRC_UNSPECIFIED);
        assert_same_chunk(in, out, "gAMA");
        assert_same_chunk(in, out, "cHRM");
        assert_same_chunk(in, out, "sRGB");
        assert_int_equal(find_chunk(in->data, (size_t)in->size, "iCCP", &length) != NULL, all[i].profile);
        assert_same_chunk(in, out, "iCCP");
        av_packet_free(&in);
        av_packet_free(&out);
    }
    // With the gamma and the chromaticities that go with it, for those that do not know it.
    in = make_coloured(&srgb);
    out = read_and_write(in, AVCOL_TRC_UNSPECIFIED);
    assert_same_chunk(in, out, "sRGB");
    assert_int_equal(big_endian(find_chunk(out->data, (size_t)out->size, "gAMA", &length)), 45455);
    av_packet_free(&in);
    av_packet_free(&out);
    // A filter that says what the curve is now knows better than the picture did.
    in = make_coloured(&all[0]);
    out = read_and_write(in, AVCOL_TRC_LINEAR);
    assert_int_equal(big_endian(find_chunk(out->data, (size_t)out->size, "gAMA", &length)), 100000);
    av_packet_free(&in);
    av_packet_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_right),
        cmocka_unit_test(what_is_no_picture_is_not_by_chance),
        cmocka_unit_test(nothing_that_is_damaged_does_harm),
        cmocka_unit_test(colours_come_out_as_they_went_in),
    };

    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
