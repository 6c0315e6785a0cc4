#include "png_encode.h"

#include "png_decode.h"
#include "png_rows.h"

#include "common/err.h"
#include "common/mem.h"

#include <libavcodec/avcodec.h>

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    AUTO = -1,
    SAMPLE_EVERY = 24,      // frames
    SAMPLE_BANDS = 3,       // of rows, spread over the picture,
    BAND_BYTES = 32 << 10,  // as far as the compression looks back
    PART_BYTES = 128 << 10, // of a data chunk
    FIRST_ROOM = 256 << 10,
};

// A way to compress.
struct way {
    int filters, level; // of png_rows.h
    unsigned price;     // per mille that a larger result may cost to be taken for its speed: its size counts so much
};

// What is tried when nothing is asked for. The last is what ffmpeg does by default, and no other is taken whose samples get larger. Prices are
// measured: real footage is compressed best by its upper neighbour, and there is hardly anything in it that repeats, so that looking for more is not
// worth the time.
static const struct way ways[] = {
    {PNG_ROWS_UP, 1, 1000}, {PNG_ROWS_SUB, 1, 1000}, {PNG_ROWS_NONE, 1, 1000}, {PNG_ROWS_PAETH, 1, 1060}, {PNG_ROWS_NONE, 6, 1200},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static const struct {
    const char *name;
    int filters;
} filter_names[] = {
    {"auto", AUTO},          {"none", PNG_ROWS_NONE},   {"sub", PNG_ROWS_SUB},
    {"up", PNG_ROWS_UP},     {"avg", PNG_ROWS_AVERAGE}, {"paeth", PNG_ROWS_PAETH},
    {"mixed", PNG_ROWS_ALL},
};

static const struct kind {
    enum AVPixelFormat format;
    int colour_type, depth, pixel_bits;
} kinds[] = {
    {AV_PIX_FMT_RGB24, PNG_COLOR_TYPE_RGB, 8, 24},          {AV_PIX_FMT_RGBA, PNG_COLOR_TYPE_RGB_ALPHA, 8, 32},
    {AV_PIX_FMT_RGB48BE, PNG_COLOR_TYPE_RGB, 16, 48},       {AV_PIX_FMT_RGBA64BE, PNG_COLOR_TYPE_RGB_ALPHA, 16, 64},
    {AV_PIX_FMT_PAL8, PNG_COLOR_TYPE_PALETTE, 8, 8},        {AV_PIX_FMT_GRAY8, PNG_COLOR_TYPE_GRAY, 8, 8},
    {AV_PIX_FMT_GRAY8A, PNG_COLOR_TYPE_GRAY_ALPHA, 8, 16},  {AV_PIX_FMT_GRAY16BE, PNG_COLOR_TYPE_GRAY, 16, 16},
    {AV_PIX_FMT_YA16BE, PNG_COLOR_TYPE_GRAY_ALPHA, 16, 32}, {AV_PIX_FMT_MONOBLACK, PNG_COLOR_TYPE_GRAY, 1, 1},
};

struct png_encode {
    int filters, level; // or AUTO
    uint64_t frames;
    struct way way; // for the frames up to the next sample
    struct png_rows *rows;

    // While libpng runs.
    uint8_t *data;
    size_t size, room;
    char error[160];
};

static const struct kind *kind_of(enum AVPixelFormat format)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].format == format)
            return &kinds[i];
    return NULL;
}

bool png_encode_takes(enum AVPixelFormat format)
{
    return kind_of(format) != NULL;
}

struct png_encode *png_encode_new(void)
{
    struct png_encode *e = mem_zalloc(sizeof(*e));

    e->filters = e->level = AUTO;
    e->rows = png_rows_new();
    return e;
}

void png_encode_free(struct png_encode **encode)
{
    struct png_encode *e = *encode;

    if (!e)
        return;
    *encode = NULL;
    png_rows_free(&e->rows);
    free(e->data);
    free(e);
}

int png_encode_set(struct png_encode *e, const char *key, const char *value, char **why)
{
    if (strcmp(key, "level") == 0) {
        if (strcmp(value, "auto") != 0 && (value[0] < '0' || value[0] > '9' || value[1]))
            return err_why(why, -EINVAL, "the level of a PNG must be 0 to 9 or auto, not '%s'", value);
        e->level = value[0] == 'a' ? AUTO : value[0] - '0';
        return 0;
    }
    if (strcmp(key, "filter") == 0) {
        for (size_t i = 0; i < sizeof(filter_names) / sizeof(filter_names[0]); i++) {
            if (strcmp(value, filter_names[i].name) == 0) {
                e->filters = filter_names[i].filters;
                return 0;
            }
        }
        return err_why(why, -EINVAL, "the filter of a PNG must be none, sub, up, avg, paeth, mixed or auto, not '%s'", value);
    }
    return err_why(why, -ENOENT, "PNG has no option %s; level and filter are what it has", key);
}

// ---- libpng's side ----

static void on_error(png_structp png, png_const_charp message)
{
    struct png_encode *e = png_get_error_ptr(png);

    snprintf(e->error, sizeof(e->error), "%s", message);
    png_longjmp(png, 1);
}

// A profile that it does not like is left out; there is nothing to say that the picture does not show.
static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_data(png_structp png, png_bytep data, size_t size)
{
    struct png_encode *e = png_get_io_ptr(png);

    if (size > e->room - e->size) {
        size_t room = e->room ? e->room : FIRST_ROOM;
        uint8_t *grown;

        while (room - e->size < size)
            room *= 2;
        grown = realloc(e->data, room);
        if (!grown)
            png_error(png, "no memory");
        e->data = grown;
        e->room = room;
    }
    memcpy(e->data + e->size, data, size);
    e->size += size;
}

static void on_flush(png_structp png)
{
    (void)png;
}

// ---- What is said of the picture ----

static void put_palette(png_structp png, png_infop info, const AVFrame *frame)
{
    const uint32_t *argb = (const uint32_t *)(const void *)frame->data[1];
    png_color colours[256];
    png_byte alphas[256];
    int last_alpha = -1;

    for (int i = 0; i < 256; i++) {
        colours[i] = (png_color){.red = argb[i] >> 16 & 0xff, .green = argb[i] >> 8 & 0xff, .blue = argb[i] & 0xff};
        alphas[i] = (png_byte)(argb[i] >> 24);
        if (alphas[i] != 0xff)
            last_alpha = i;
    }
    png_set_PLTE(png, info, colours, 256);
    if (last_alpha >= 0)
        png_set_tRNS(png, info, alphas, last_alpha + 1, NULL);
}

// Chromaticities in units of 1/100000: white, red, green, blue; from ITU-T H.273, table 2.
static const png_fixed_point *chromaticities(enum AVColorPrimaries primaries)
{
    static const png_fixed_point bt709[] = {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000};
    static const png_fixed_point bt470m[] = {31000, 31600, 67000, 33000, 21000, 71000, 14000, 8000};
    static const png_fixed_point bt470bg[] = {31270, 32900, 64000, 33000, 29000, 60000, 15000, 6000};
    static const png_fixed_point smpte170m[] = {31270, 32900, 63000, 34000, 31000, 59500, 15500, 7000};
    static const png_fixed_point film[] = {31000, 31600, 68100, 31900, 24300, 69200, 14500, 4900};
    static const png_fixed_point bt2020[] = {31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600};
    static const png_fixed_point smpte431[] = {31400, 35100, 68000, 32000, 26500, 69000, 15000, 6000};
    static const png_fixed_point smpte432[] = {31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000};

    switch (primaries) {
    case AVCOL_PRI_BT709:
        return bt709;
    case AVCOL_PRI_BT470M:
        return bt470m;
    case AVCOL_PRI_BT470BG:
        return bt470bg;
    case AVCOL_PRI_SMPTE170M:
    case AVCOL_PRI_SMPTE240M:
        return smpte170m;
    case AVCOL_PRI_FILM:
        return film;
    case AVCOL_PRI_BT2020:
        return bt2020;
    case AVCOL_PRI_SMPTE431:
        return smpte431;
    case AVCOL_PRI_SMPTE432:
        return smpte432;
    default:
        return NULL;
    }
}

// In units of 1/100000; 0 where one number cannot say it. The curves of television are taken for a power of 1.961, as ffmpeg does.
static png_fixed_point gamma_of(enum AVColorTransferCharacteristic transfer)
{
    switch (transfer) {
    case AVCOL_TRC_BT709:
    case AVCOL_TRC_SMPTE170M:
    case AVCOL_TRC_SMPTE240M:
    case AVCOL_TRC_BT1361_ECG:
    case AVCOL_TRC_BT2020_10:
    case AVCOL_TRC_BT2020_12:
        return 50994;
    case AVCOL_TRC_GAMMA22:
    case AVCOL_TRC_IEC61966_2_1:
        return 45455;
    case AVCOL_TRC_GAMMA28:
        return 35714;
    case AVCOL_TRC_LINEAR:
        return 100000;
    default:
        return 0;
    }
}

static void put_profile(png_structp png, png_infop info, const AVFrameSideData *profile)
{
    const AVDictionaryEntry *name = av_dict_get(profile->metadata, "name", NULL, 0);

    png_set_iCCP(png, info, name && *name->value ? name->value : "ICC profile", PNG_COMPRESSION_TYPE_BASE, profile->data, (png_uint_32)profile->size);
}

// Numbers out of the frame's metadata; false, and nothing changed, unless there are so many.
static bool read_numbers(const AVFrame *frame, const char *key, png_fixed_point *numbers, int count)
{
    const AVDictionaryEntry *entry = av_dict_get(frame->metadata, key, NULL, 0);
    const char *at = entry ? entry->value : "";
    png_fixed_point found[8];

    for (int i = 0; i < count; i++) {
        char *end;
        long number = strtol(at, &end, 10);

        if (end == at || number < 0 || number > PNG_UINT_31_MAX)
            return false;
        found[i] = (png_fixed_point)number;
        at = end;
    }
    memcpy(numbers, found, (size_t)count * sizeof(*found));
    return true;
}

static void put_colours(png_structp png, png_infop info, const AVFrame *frame)
{
    const AVFrameSideData *profile = av_frame_get_side_data(frame, AV_FRAME_DATA_ICC_PROFILE);
    const png_fixed_point *c = chromaticities(frame->color_primaries);
    png_fixed_point gamma = gamma_of(frame->color_trc), read[8];

    // What the picture said that it was read from, as long as no filter says better.
    if (frame->color_primaries == AVCOL_PRI_UNSPECIFIED && read_numbers(frame, PNG_CHROMATICITIES_KEY, read, 8))
        c = read;
    if (frame->color_trc == AVCOL_TRC_UNSPECIFIED)
        read_numbers(frame, PNG_GAMMA_KEY, &gamma, 1);

    if (profile && profile->size <= INT32_MAX)
        put_profile(png, info, profile);
    else if (frame->color_primaries == AVCOL_PRI_BT709 && frame->color_trc == AVCOL_TRC_IEC61966_2_1)
        png_set_sRGB(png, info, PNG_sRGB_INTENT_RELATIVE);
    if (c)
        png_set_cHRM_fixed(png, info, c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]);
    if (gamma)
        png_set_gAMA_fixed(png, info, gamma);
#ifdef PNG_cICP_SUPPORTED
    if (frame->color_primaries != AVCOL_PRI_UNSPECIFIED && frame->color_trc != AVCOL_TRC_UNSPECIFIED)
        png_set_cICP(png, info, (png_byte)frame->color_primaries, (png_byte)frame->color_trc, 0, 1);
#endif
}

static void put_facts(png_structp png, png_infop info, const AVFrame *frame, AVRational time_base)
{
    AVRational aspect = frame->sample_aspect_ratio;
    char seconds[64];
    png_text text = {.compression = PNG_TEXT_COMPRESSION_NONE, .key = (char *)"Timestamp", .text = seconds};

    put_colours(png, info, frame);
    if (frame->format == AV_PIX_FMT_PAL8)
        put_palette(png, info, frame);
    if (aspect.num > 0 && aspect.den > 0)
        png_set_pHYs(png, info, (png_uint_32)aspect.num, (png_uint_32)aspect.den, PNG_RESOLUTION_UNKNOWN);
    if (frame->pts != AV_NOPTS_VALUE && time_base.den > 0) {
        snprintf(seconds, sizeof(seconds), "%.6f", (double)frame->pts * av_q2d(time_base));
        png_set_text(png, info, &text, 1);
    }
}

// ---- Pictures ----

static size_t pack(struct png_encode *e, const AVFrame *frame, const struct kind *kind, const struct way *way, int from, int count,
                   const uint8_t **data)
{
    size_t row_bytes = ((size_t)frame->width * (size_t)kind->pixel_bits + 7) / 8, pixel_bytes = (size_t)(kind->pixel_bits + 7) / 8;

    return png_rows_pack(e->rows, frame->data[0] + (ptrdiff_t)from * frame->linesize[0], frame->linesize[0], row_bytes, (size_t)count, pixel_bytes,
                         way->filters, way->level, data);
}

// Nothing here owns memory, so that libpng may jump out of the middle of it. Its own compression is left out, and so is its count of what comes
// after what: the chunks of the packed rows and the end are written one by one.
static int write_picture(struct png_encode *e, const AVFrame *frame, const struct kind *kind, AVRational time_base, const uint8_t *data, size_t size)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, e, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int err = -ENOMEM;

    snprintf(e->error, sizeof(e->error), "no memory");
    if (!info)
        goto done;
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return -EINVAL;
    }
    png_set_benign_errors(png, 1);
    png_set_write_fn(png, e, on_data, on_flush);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png, info, (png_uint_32)frame->width, (png_uint_32)frame->height, kind->depth, kind->colour_type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    put_facts(png, info, frame, time_base);
    png_write_info(png, info);
    for (size_t at = 0; at < size; at += PART_BYTES)
        png_write_chunk(png, (png_const_bytep) "IDAT", data + at, size - at < PART_BYTES ? size - at : PART_BYTES);
    png_write_chunk(png, (png_const_bytep) "IEND", NULL, 0);
    err = 0;

done:
    png_destroy_write_struct(&png, &info);
    return err;
}

// What the samples would take this way.
static size_t try_way(struct png_encode *e, const AVFrame *frame, const struct kind *kind, const struct way *way)
{
    int row_bytes = (int)(((int64_t)frame->width * kind->pixel_bits + 7) / 8), rows = BAND_BYTES / row_bytes + 2;
    int bands = SAMPLE_BANDS;
    size_t size = 0;

    if (rows * bands > frame->height) {
        rows = frame->height;
        bands = 1;
    }
    for (int i = 0; i < bands; i++) {
        const uint8_t *data;
        size_t packed = pack(e, frame, kind, way, (int)((int64_t)(frame->height - rows) * (2 * i + 1) / (2 * bands)), rows, &data);

        if (packed == 0)
            return SIZE_MAX / 2;
        size += packed;
    }
    return size;
}

// With what is asked for in its place.
static struct way as_asked(const struct png_encode *e, struct way way)
{
    if (e->filters != AUTO)
        way.filters = e->filters;
    if (e->level != AUTO)
        way.level = e->level;
    return way;
}

static void choose_way(struct png_encode *e, const AVFrame *frame, const struct kind *kind)
{
    size_t sizes[WAYS];
    double least = 0;

    if (e->filters != AUTO && e->level != AUTO) {
        e->way = as_asked(e, ways[0]);
        return;
    }
    if (e->frames++ % SAMPLE_EVERY != 0)
        return;
    for (int i = WAYS - 1; i >= 0; i--) {
        struct way way = as_asked(e, ways[i]);
        double price;

        sizes[i] = try_way(e, frame, kind, &way);
        price = (double)sizes[i] * way.price;
        if (i == WAYS - 1 || (sizes[i] <= sizes[WAYS - 1] && price <= least)) {
            least = price;
            e->way = way;
        }
    }
}

int png_encode_frame(struct png_encode *e, const AVFrame *frame, AVRational time_base, AVPacket *packet, char **why)
{
    const struct kind *kind = kind_of(frame->format);
    const uint8_t *data;
    size_t size;
    int err;

    if (!kind)
        return err_why(why, -EINVAL, "a frame is of a pixel format that PNG cannot hold");
    choose_way(e, frame, kind);
    e->size = 0;
    size = pack(e, frame, kind, &e->way, 0, frame->height, &data);
    if (size == 0)
        return err_why(why, -ENOMEM, "no memory to compress a frame of %dx%d", frame->width, frame->height);
    err = write_picture(e, frame, kind, time_base, data, size);
    if (err < 0)
        return err_why(why, err, "a frame of %dx%d could not be written as PNG: %s", frame->width, frame->height, e->error);
    if (e->size > INT32_MAX - AV_INPUT_BUFFER_PADDING_SIZE || av_new_packet(packet, (int)e->size) < 0)
        return err_why(why, -ENOMEM, "no memory for a PNG of %zu bytes", e->size);
    memcpy(packet->data, e->data, e->size);
    packet->flags |= AV_PKT_FLAG_KEY;
    return 0;
}
