#include "avx.h"

#include "log.h"
#include "mem.h"

#include <libavfilter/version.h>
#include <libavutil/cpu.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/mathematics.h>
#include <libavutil/pixdesc.h>

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define SIDE_DATA_IN_PARAMETERS (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 0))
#define SUPPORTED_CONFIG (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 19, 0))
#define DECODED_SIDE_DATA (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 19, 0))
#define EXACT_CROPPING (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 19, 0))
#define FRAME_FLAGS_FOR_FIELDS (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 0))
#define FRAME_DURATION (LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 0))
#define COLOURS_IN_FILTERS (LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(10, 0, 0))

const char *avx_libraries(void)
{
    static char text[4096];

    if (!text[0]) {
        unsigned v[] = {avutil_version(), avcodec_version(), avformat_version()};
        const char *name[] = {"avutil", "avcodec", "avformat"};
        int length = 0;

        for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
            length += snprintf(text + length, sizeof(text) - (size_t)length, "%s %u.%u.%u ", name[i], AV_VERSION_MAJOR(v[i]), AV_VERSION_MINOR(v[i]),
                               AV_VERSION_MICRO(v[i]));
        snprintf(text + length, sizeof(text) - (size_t)length, "%s %s", av_version_info(), avcodec_configuration());
    }
    return text;
}

const char *avx_cpu(void)
{
    static char text[96];
    struct utsname machine;

    if (!text[0])
        snprintf(text, sizeof(text), "%.32s %#x", uname(&machine) == 0 ? machine.machine : "unknown", (unsigned)av_get_cpu_flags());
    return text;
}

static _Thread_local struct {
    char line[512];
    size_t length;
    bool whole;
} first_error;

static atomic_uint decoder_complaints;

// A line may come in pieces.
static void keep_first_error(const char *text)
{
    for (; *text && !first_error.whole; text++) {
        if (*text == '\n')
            first_error.whole = first_error.length > 0;
        else if (first_error.length + 1 < sizeof(first_error.line))
            first_error.line[first_error.length++] = *text;
    }
    first_error.line[first_error.length] = '\0';
}

static void on_log(void *context, int level, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

static bool is_decoder(void *context)
{
    const AVClass *class = context ? *(const AVClass **)context : NULL;

    return class && (class->get_category ? class->get_category(context) : class->category) == AV_CLASS_CATEGORY_DECODER;
}

static void on_log(void *context, int level, const char *format, va_list args)
{
    char line[512];
    size_t length;

    if (level <= AV_LOG_WARNING && is_decoder(context))
        atomic_fetch_add(&decoder_complaints, 1);
    if (level > AV_LOG_ERROR && log_level() < LOG_DEBUG)
        return;
    if (level > AV_LOG_INFO)
        return;
    if (level <= AV_LOG_ERROR) {
        vsnprintf(line, sizeof(line), format, args);
    } else {
        int prefix = 1;

        av_log_format_line2(context, level, format, args, line, sizeof(line), &prefix);
    }
    if (level <= AV_LOG_ERROR)
        keep_first_error(line);
    length = strlen(line);
    while (length && line[length - 1] == '\n')
        line[--length] = '\0';
    if (length)
        log_debug("libav: %s", line);
}

static bool is_hdr(int transfer)
{
    return transfer == AVCOL_TRC_SMPTE2084 || transfer == AVCOL_TRC_ARIB_STD_B67;
}

bool avx_is_tone_mapped(int input_transfer, int output_transfer)
{
    return is_hdr(input_transfer) && !is_hdr(output_transfer);
}

void avx_log_install(void)
{
    av_log_set_callback(on_log);
}

void avx_log_forget(void)
{
    first_error.line[0] = '\0';
    first_error.length = 0;
    first_error.whole = false;
}

const char *avx_log_error(void)
{
    size_t length = first_error.length;

    while (length && strchr(". ", first_error.line[length - 1]))
        first_error.line[--length] = '\0';
    return first_error.line;
}

unsigned avx_decoder_complaints(void)
{
    return atomic_load(&decoder_complaints);
}

#if SIDE_DATA_IN_PARAMETERS

const uint8_t *avx_stream_side(const AVStream *stream, enum AVPacketSideDataType type, size_t *size)
{
    const AVPacketSideData *side = av_packet_side_data_get(stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data, type);

    if (size)
        *size = side ? side->size : 0;
    return side ? side->data : NULL;
}

int avx_stream_side_count(const AVStream *stream)
{
    return stream->codecpar->nb_coded_side_data;
}

void avx_stream_side_at(const AVStream *stream, int i, enum AVPacketSideDataType *type, const uint8_t **data, size_t *size)
{
    const AVPacketSideData *side = &stream->codecpar->coded_side_data[i];

    *type = side->type;
    *data = side->data;
    *size = side->size;
}

int avx_stream_side_add(AVStream *stream, enum AVPacketSideDataType type, const void *data, size_t size)
{
    return avx_parameters_side_add(stream->codecpar, type, data, size);
}

void avx_inject_side_data(AVFormatContext *input)
{
    (void)input;
}

int avx_parameters_side_add(AVCodecParameters *par, enum AVPacketSideDataType type, const void *data, size_t size)
{
    AVPacketSideData *side = av_packet_side_data_new(&par->coded_side_data, &par->nb_coded_side_data, type, size, 0);

    if (!side)
        return AVERROR(ENOMEM);
    if (size)
        memcpy(side->data, data, size);
    return 0;
}

#else

const uint8_t *avx_stream_side(const AVStream *stream, enum AVPacketSideDataType type, size_t *size)
{
    return av_stream_get_side_data(stream, type, size);
}

int avx_stream_side_count(const AVStream *stream)
{
    return stream->nb_side_data;
}

void avx_stream_side_at(const AVStream *stream, int i, enum AVPacketSideDataType *type, const uint8_t **data, size_t *size)
{
    const AVPacketSideData *side = &stream->side_data[i];

    *type = side->type;
    *data = side->data;
    *size = side->size;
}

int avx_stream_side_add(AVStream *stream, enum AVPacketSideDataType type, const void *data, size_t size)
{
    uint8_t *side = av_stream_new_side_data(stream, type, size);

    if (!side)
        return AVERROR(ENOMEM);
    if (size)
        memcpy(side, data, size);
    return 0;
}

void avx_inject_side_data(AVFormatContext *input)
{
    av_format_inject_global_side_data(input);
}

int avx_parameters_side_add(AVCodecParameters *par, enum AVPacketSideDataType type, const void *data, size_t size)
{
    (void)par;
    (void)type;
    (void)data;
    (void)size;
    return 0;
}

#endif

#if EXACT_CROPPING

bool avx_container_crop(enum AVPacketSideDataType type, const uint8_t *data, size_t size, uint32_t crop[4])
{
    if (type != AV_PKT_DATA_FRAME_CROPPING || size < 16)
        return false;
    for (int i = 0; i < 4; i++)
        crop[i] = AV_RL32(data + 4 * i);
    return crop[0] || crop[1] || crop[2] || crop[3];
}

void avx_decoder_prepare(AVCodecContext *decoder)
{
    decoder->apply_cropping = 0;
}

int avx_frame_crop(AVFrame *frame)
{
    return av_frame_apply_cropping(frame, AV_FRAME_CROP_UNALIGNED);
}

#else

bool avx_container_crop(enum AVPacketSideDataType type, const uint8_t *data, size_t size, uint32_t crop[4])
{
    (void)type;
    (void)data;
    (void)size;
    (void)crop;
    return false;
}

void avx_decoder_prepare(AVCodecContext *decoder)
{
    (void)decoder;
}

int avx_frame_crop(AVFrame *frame)
{
    (void)frame;
    return 0;
}

#endif

#if SUPPORTED_CONFIG

static const void *supported(const AVCodecContext *context, const AVCodec *encoder, enum AVCodecConfig config)
{
    const void *list = NULL;

    return avcodec_get_supported_config(context, encoder, config, 0, &list, NULL) < 0 ? NULL : list;
}

const enum AVPixelFormat *avx_encoder_pixel_formats(const AVCodec *encoder)
{
    return supported(NULL, encoder, AV_CODEC_CONFIG_PIX_FORMAT);
}

const enum AVPixelFormat *avx_context_pixel_formats(const AVCodecContext *encoder)
{
    return supported(encoder, NULL, AV_CODEC_CONFIG_PIX_FORMAT);
}

const AVRational *avx_encoder_frame_rates(const AVCodec *encoder)
{
    return supported(NULL, encoder, AV_CODEC_CONFIG_FRAME_RATE);
}

const enum AVSampleFormat *avx_encoder_sample_formats(const AVCodec *encoder)
{
    return supported(NULL, encoder, AV_CODEC_CONFIG_SAMPLE_FORMAT);
}

const int *avx_encoder_sample_rates(const AVCodec *encoder)
{
    return supported(NULL, encoder, AV_CODEC_CONFIG_SAMPLE_RATE);
}

char *avx_context_colours(const AVCodecContext *encoder)
{
    const enum AVColorSpace *spaces = supported(encoder, NULL, AV_CODEC_CONFIG_COLOR_SPACE);
    const enum AVColorRange *ranges = supported(encoder, NULL, AV_CODEC_CONFIG_COLOR_RANGE);
    char text[1024] = "";
    size_t length = 0;

    for (int i = 0; spaces && spaces[i] != AVCOL_SPC_UNSPECIFIED && length < sizeof(text) - 64; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s", i ? "|" : ":color_spaces=", av_color_space_name(spaces[i]));
    for (int i = 0; ranges && ranges[i] != AVCOL_RANGE_UNSPECIFIED && length < sizeof(text) - 64; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s", i ? "|" : ":color_ranges=", av_color_range_name(ranges[i]));
    return mem_dup(text);
}

#else

// MJPEG says that it takes limited-range formats but refuses them unless asked to be lax.
static const enum AVPixelFormat *pixel_formats(const AVCodec *encoder, int strictness)
{
    static const enum AVPixelFormat full_range[] = {AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_NONE};

    return encoder->pix_fmts && !strcmp(encoder->name, "mjpeg") && strictness > FF_COMPLIANCE_UNOFFICIAL ? full_range : encoder->pix_fmts;
}

const enum AVPixelFormat *avx_encoder_pixel_formats(const AVCodec *encoder)
{
    return pixel_formats(encoder, FF_COMPLIANCE_NORMAL);
}

const enum AVPixelFormat *avx_context_pixel_formats(const AVCodecContext *encoder)
{
    return pixel_formats(encoder->codec, encoder->strict_std_compliance);
}

const AVRational *avx_encoder_frame_rates(const AVCodec *encoder)
{
    return encoder->supported_framerates;
}

const enum AVSampleFormat *avx_encoder_sample_formats(const AVCodec *encoder)
{
    return encoder->sample_fmts;
}

const int *avx_encoder_sample_rates(const AVCodec *encoder)
{
    return encoder->supported_samplerates;
}

char *avx_context_colours(const AVCodecContext *encoder)
{
    (void)encoder;
    return mem_dup("");
}

#endif

// The nearest of the allowed rates, as ffmpeg has it; but a slower one would put two frames on one tick, and the encoder refuse the second.
static AVRational allowed_rate(AVRational rate, const AVRational *allowed)
{
    AVRational best = allowed[av_find_nearest_q_idx(rate, allowed)];
    bool slower = av_q2d(best) < 0.999 * av_q2d(rate);

    for (const AVRational *r = allowed; slower && r->num; r++)
        if (av_cmp_q(*r, rate) >= 0 && (av_cmp_q(best, rate) < 0 || av_cmp_q(*r, best) < 0))
            best = *r;
    return best;
}

void avx_encoder_timing(const AVCodec *encoder, AVRational filter_rate, AVRational filter_time_base, AVRational *rate, AVRational *time_base)
{
    const AVRational *allowed = avx_encoder_frame_rates(encoder);
    AVRational r = filter_rate;

    // Before 6.1 the ffmpeg program takes 25 for a rate that is not known, but a varying one (1/0) is known.
    if (r.num <= 0 || r.den <= 0)
        r = AVX_FFTOOLS_6_1 || r.num > 0 ? (AVRational){0, 1} : (AVRational){25, 1};
    if (r.num > 0 && allowed)
        r = allowed_rate(r, allowed);
    // MPEG-4 counts a second in at most 65535 steps.
    if (r.num > 0 && encoder->id == AV_CODEC_ID_MPEG4)
        av_reduce(&r.num, &r.den, r.num, r.den, 65535);
    *rate = r;
    *time_base = r.num > 0 ? av_inv_q(r) : filter_time_base;
}

#if DECODED_SIDE_DATA

bool avx_encoder_side_works(void)
{
    return true;
}

int avx_encoder_side_add(AVCodecContext *encoder, enum AVFrameSideDataType type, const void *data, size_t size)
{
    AVFrameSideData *side =
        av_frame_side_data_new(&encoder->decoded_side_data, &encoder->nb_decoded_side_data, type, size, AV_FRAME_SIDE_DATA_FLAG_UNIQUE);

    if (!side)
        return AVERROR(ENOMEM);
    memcpy(side->data, data, size);
    return 0;
}

#else

bool avx_encoder_side_works(void)
{
    return false;
}

int avx_encoder_side_add(AVCodecContext *encoder, enum AVFrameSideDataType type, const void *data, size_t size)
{
    (void)encoder;
    (void)type;
    (void)data;
    (void)size;
    return 0;
}

#endif

#if FRAME_FLAGS_FOR_FIELDS

bool avx_frame_interlaced(const AVFrame *frame)
{
    return frame->flags & AV_FRAME_FLAG_INTERLACED;
}

bool avx_frame_top_field_first(const AVFrame *frame)
{
    return frame->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST;
}

bool avx_frame_key(const AVFrame *frame)
{
    return frame->flags & AV_FRAME_FLAG_KEY;
}

void avx_frame_set_fields(AVFrame *frame, bool key, bool interlaced, bool top_field_first)
{
    frame->flags &= ~(AV_FRAME_FLAG_KEY | AV_FRAME_FLAG_INTERLACED | AV_FRAME_FLAG_TOP_FIELD_FIRST);
    frame->flags |=
        (key ? AV_FRAME_FLAG_KEY : 0) | (interlaced ? AV_FRAME_FLAG_INTERLACED : 0) | (top_field_first ? AV_FRAME_FLAG_TOP_FIELD_FIRST : 0);
}

void avx_frame_origin(const AVFrame *frame, int64_t *pos, int *size)
{
    (void)frame;
    *pos = -1;
    *size = 0;
}

void avx_frame_set_origin(AVFrame *frame, int64_t pos, int size)
{
    (void)frame;
    (void)pos;
    (void)size;
}

#else

bool avx_frame_interlaced(const AVFrame *frame)
{
    return frame->interlaced_frame;
}

bool avx_frame_top_field_first(const AVFrame *frame)
{
    return frame->top_field_first;
}

bool avx_frame_key(const AVFrame *frame)
{
    return frame->key_frame;
}

void avx_frame_set_fields(AVFrame *frame, bool key, bool interlaced, bool top_field_first)
{
    frame->key_frame = key;
    frame->interlaced_frame = interlaced;
    frame->top_field_first = top_field_first;
}

void avx_frame_origin(const AVFrame *frame, int64_t *pos, int *size)
{
    *pos = frame->pkt_pos;
    *size = frame->pkt_size;
}

void avx_frame_set_origin(AVFrame *frame, int64_t pos, int size)
{
    frame->pkt_pos = pos;
    frame->pkt_size = size;
}

#endif

#if FRAME_DURATION

int64_t avx_frame_duration(const AVFrame *frame)
{
    return frame->duration;
}

void avx_frame_set_duration(AVFrame *frame, int64_t duration)
{
    frame->duration = duration;
}

#else

int64_t avx_frame_duration(const AVFrame *frame)
{
    return frame->pkt_duration;
}

void avx_frame_set_duration(AVFrame *frame, int64_t duration)
{
    frame->pkt_duration = duration;
}

#endif

int avx_main_video(const AVFormatContext *input)
{
    int cover = -1;

    for (unsigned i = 0; i < input->nb_streams; i++) {
        const AVStream *st = input->streams[i];

        if (st->codecpar->codec_type != AVMEDIA_TYPE_VIDEO)
            continue;
        if (!(st->disposition & AV_DISPOSITION_ATTACHED_PIC))
            return (int)i;
        if (cover < 0)
            cover = (int)i;
    }
    return cover;
}

int avx_parsed_ticks(const AVStream *stream)
{
    const AVCodecParserContext *parser = av_stream_get_parser(stream);

    return parser ? parser->repeat_pict + 1 : 0;
}

int avx_ticks_per_frame(const AVCodecContext *decoder)
{
#if AVX_FFTOOLS_6_1
    (void)decoder;
    return 1;
#else
    return decoder->ticks_per_frame > 0 ? decoder->ticks_per_frame : 1;
#endif
}

bool avx_field_order_always(const AVCodecContext *encoder)
{
    return AVX_FFTOOLS_6_1 && encoder->flags & (AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME);
}

void avx_buffer_colours(const AVFrame *frame, char *text, size_t size)
{
    text[0] = '\0';
    if (COLOURS_IN_FILTERS)
        snprintf(text, size, ":colorspace=%d:range=%d", (int)frame->colorspace, (int)frame->color_range);
}

bool avx_colours_matter(enum AVColorSpace space_a, enum AVColorRange range_a, enum AVColorSpace space_b, enum AVColorRange range_b)
{
    return COLOURS_IN_FILTERS && (space_a != space_b || range_a != range_b);
}
