#include "png_decode.h"

#include <libavutil/error.h>
#include <libavutil/pixdesc.h>
#include <libavutil/pixfmt.h>

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Against pictures that are small in a file and fill the memory.
enum { MOST_SIDE = 1 << 16, MOST_PROFILE_BYTES = 16 << 20, MOST_CHUNKS = 1000 };

struct input {
    const uint8_t *data;
    size_t size, at;
    char *reason;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct input *in = png_get_error_ptr(png);

    snprintf(in->reason, PNG_DECODE_REASON_BYTES, "%s", text);
    png_longjmp(png, 1);
}

// Oddities beside the pixels are no damage to the picture.
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep data, size_t size)
{
    struct input *in = png_get_io_ptr(png);

    if (size > in->size - in->at)
        png_error(png, "it is cut off");
    memcpy(data, in->data + in->at, size);
    in->at += size;
}

// ---- What kind of picture ----

static enum AVPixelFormat format_of(int colour_type, int depth, bool transparent)
{
    switch (colour_type) {
    case PNG_COLOR_TYPE_GRAY:
        if (depth == 1 && !transparent)
            return AV_PIX_FMT_MONOBLACK;
        return depth == 16 ? (transparent ? AV_PIX_FMT_YA16BE : AV_PIX_FMT_GRAY16BE) : transparent ? AV_PIX_FMT_YA8 : AV_PIX_FMT_GRAY8;
    case PNG_COLOR_TYPE_GRAY_ALPHA:
        return depth == 16 ? AV_PIX_FMT_YA16BE : AV_PIX_FMT_YA8;
    case PNG_COLOR_TYPE_RGB:
        return depth == 16 ? (transparent ? AV_PIX_FMT_RGBA64BE : AV_PIX_FMT_RGB48BE) : transparent ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
    case PNG_COLOR_TYPE_RGB_ALPHA:
        return depth == 16 ? AV_PIX_FMT_RGBA64BE : AV_PIX_FMT_RGBA;
    default:
        return AV_PIX_FMT_PAL8;
    }
}

static void set_transforms(png_structp png, enum AVPixelFormat format, int colour_type, int depth, bool transparent)
{
    if (format == AV_PIX_FMT_PAL8)
        png_set_packing(png);
    else if (colour_type == PNG_COLOR_TYPE_GRAY && depth < 8 && format != AV_PIX_FMT_MONOBLACK)
        png_set_expand_gray_1_2_4_to_8(png);
    if (transparent && format != AV_PIX_FMT_PAL8)
        png_set_tRNS_to_alpha(png);
}

// As AV_PIX_FMT_PAL8 has it: 0xAARRGGBB, in the machine's order.
static void take_palette(png_structp png, png_infop info, AVFrame *frame)
{
    uint32_t *entries = (uint32_t *)(void *)frame->data[1];
    png_colorp colours = NULL;
    png_bytep alpha = NULL;
    int count = 0, alphas = 0;

    png_get_PLTE(png, info, &colours, &count);
    png_get_tRNS(png, info, &alpha, &alphas, NULL);
    for (int i = 0; i < 256; i++)
        entries[i] = 0xff000000u;
    for (int i = 0; i < count && i < 256; i++)
        entries[i] = (uint32_t)(alpha && i < alphas ? alpha[i] : 255) << 24 | (uint32_t)colours[i].red << 16 | (uint32_t)colours[i].green << 8 |
                     colours[i].blue;
}

// ---- Colour ----

static enum AVColorPrimaries primaries_of(const png_fixed_point c[8])
{
    static const struct {
        enum AVColorPrimaries primaries;
        png_fixed_point values[8];
    } known[] = {
        {AVCOL_PRI_BT709, {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000}},
        {AVCOL_PRI_BT470M, {31000, 31600, 67000, 33000, 21000, 71000, 14000, 8000}},
        {AVCOL_PRI_BT470BG, {31270, 32900, 64000, 33000, 29000, 60000, 15000, 6000}},
        {AVCOL_PRI_SMPTE170M, {31270, 32900, 63000, 34000, 31000, 59500, 15500, 7000}},
        {AVCOL_PRI_FILM, {31000, 31600, 68100, 31900, 24300, 69200, 14500, 4900}},
        {AVCOL_PRI_BT2020, {31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600}},
        {AVCOL_PRI_SMPTE431, {31400, 35100, 68000, 32000, 26500, 69000, 15000, 6000}},
        {AVCOL_PRI_SMPTE432, {31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000}},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        bool same = true;

        for (int j = 0; j < 8; j++)
            same &= c[j] - known[i].values[j] < 100 && known[i].values[j] - c[j] < 100;
        if (same)
            return known[i].primaries;
    }
    return AVCOL_PRI_UNSPECIFIED;
}

static void take_profile(png_structp png, png_infop info, AVFrame *frame)
{
    png_charp name;
    int method;
    png_bytep profile;
    png_uint_32 size;
    AVFrameSideData *side;

    if (!png_get_iCCP(png, info, &name, &method, &profile, &size))
        return;
    side = av_frame_new_side_data(frame, AV_FRAME_DATA_ICC_PROFILE, size);
    if (!side)
        return;
    memcpy(side->data, profile, size);
    av_dict_set(&side->metadata, "name", name, 0);
}

static void take_chromaticities(png_structp png, png_infop info, AVFrame *frame)
{
    png_fixed_point c[8];
    char text[8 * 12];

    if (!png_get_cHRM_fixed(png, info, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7]))
        return;
    frame->color_primaries = primaries_of(c);
    snprintf(text, sizeof(text), "%d %d %d %d %d %d %d %d", c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]);
    if (frame->color_primaries == AVCOL_PRI_UNSPECIFIED)
        av_dict_set(&frame->metadata, PNG_CHROMATICITIES_KEY, text, 0);
}

// Of powers only 1 has a field of its own here: a video made of pictures that say 1/2.2 would be tagged with a curve that ffmpeg does not give it.
static void take_gamma(png_structp png, png_infop info, AVFrame *frame)
{
    png_fixed_point gamma;

    if (!png_get_gAMA_fixed(png, info, &gamma))
        return;
    if (gamma == PNG_FP_1)
        frame->color_trc = AVCOL_TRC_LINEAR;
    else
        av_dict_set_int(&frame->metadata, PNG_GAMMA_KEY, gamma, 0);
}

// The first that is there is what counts (PNG specification, third edition, section 4.3).
static bool take_cicp(png_structp png, png_infop info, AVFrame *frame)
{
#ifdef PNG_cICP_SUPPORTED
    png_byte primaries, transfer, matrix, full_range;

    if (png_get_cICP(png, info, &primaries, &transfer, &matrix, &full_range) && av_color_primaries_name((enum AVColorPrimaries)primaries) &&
        av_color_transfer_name((enum AVColorTransferCharacteristic)transfer)) {
        frame->color_primaries = (enum AVColorPrimaries)primaries;
        frame->color_trc = (enum AVColorTransferCharacteristic)transfer;
        return true;
    }
#else
    (void)png;
    (void)info;
    (void)frame;
#endif
    return false;
}

static void take_colours(png_structp png, png_infop info, AVFrame *frame)
{
    int intent;
    png_uint_32 x, y;
    int unit;

    take_profile(png, info, frame);
    if (take_cicp(png, info, frame)) {
        // It says all.
    } else if (png_get_sRGB(png, info, &intent)) {
        frame->color_primaries = AVCOL_PRI_BT709;
        frame->color_trc = AVCOL_TRC_IEC61966_2_1;
    } else {
        take_chromaticities(png, info, frame);
        take_gamma(png, info, frame);
    }
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->sample_aspect_ratio = (AVRational){0, 1};
    // As ffmpeg takes it, and writes it: by the standard, which counts pixels to a length, it would be the other way round.
    if (png_get_pHYs(png, info, &x, &y, &unit) && x > 0 && y > 0 && x <= INT32_MAX && y <= INT32_MAX)
        frame->sample_aspect_ratio = (AVRational){(int)x, (int)y};
}

// ---- Reading ----

// Nothing here owns memory but png, info and the frame, so that libpng may jump out of the middle of it.
static int read_all(png_structp png, png_infop info, AVFrame *frame)
{
    png_uint_32 width, height;
    int colour_type, depth, passes;
    bool transparent;

    png_read_info(png, info);
    png_get_IHDR(png, info, &width, &height, &depth, &colour_type, NULL, NULL, NULL);
    transparent = png_get_valid(png, info, PNG_INFO_tRNS) != 0;
    frame->format = format_of(colour_type, depth, transparent);
    frame->width = (int)width;
    frame->height = (int)height;
    if (av_frame_get_buffer(frame, 0) < 0)
        png_error(png, "no memory for the picture");
    // Of a row of single bits the last byte may be filled only in part, and what is behind is not to be by chance: some encoders keep it.
    if (frame->format == AV_PIX_FMT_MONOBLACK)
        memset(frame->data[0], 0, (size_t)frame->linesize[0] * height);
    set_transforms(png, (enum AVPixelFormat)frame->format, colour_type, depth, transparent);
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) > (size_t)frame->linesize[0])
        png_error(png, "its rows are longer than its header says");
    for (int pass = 0; pass < passes; pass++)
        for (png_uint_32 y = 0; y < height; y++)
            png_read_row(png, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], NULL);
    png_read_end(png, NULL);
    if (frame->format == AV_PIX_FMT_PAL8)
        take_palette(png, info, frame);
    take_colours(png, info, frame);
    return 0;
}

int png_decode_packet(const AVPacket *packet, AVFrame *frame, char reason[PNG_DECODE_REASON_BYTES])
{
    struct input in = {.data = packet->data, .size = (size_t)packet->size, .reason = reason};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &in, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;

    snprintf(reason, PNG_DECODE_REASON_BYTES, "no memory");
    if (!info) {
        png_destroy_read_struct(&png, &info, NULL);
        return -ENOMEM;
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        av_frame_unref(frame);
        return AVERROR_INVALIDDATA;
    }
    png_set_read_fn(png, &in, on_read);
    png_set_user_limits(png, MOST_SIDE, MOST_SIDE);
    png_set_chunk_malloc_max(png, MOST_PROFILE_BYTES);
    png_set_chunk_cache_max(png, MOST_CHUNKS);
    read_all(png, info, frame);
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
}
