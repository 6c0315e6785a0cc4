#include "encode.h"

#include "filter.h"
#include "png_encode.h"
#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"
#include "common/protocol.h"

#include <libavutil/avutil.h>
#include <libavutil/common.h>
#include <libavutil/cpu.h>
#include <libavutil/dict.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct encode {
    const Wire__Job *job;
    const AVCodec *codec; // the context forgets it when it cannot be opened
    AVCodecContext *context;
    AVRational filter_time_base, filter_rate;
    bool own_times;          // see encode_count_from_zero
    int64_t last_pts;        // of the frames that went in
    int64_t zero;            // with these: what the encoder takes for 0
    bool opened, fed, ended; // fed: a frame went in
    struct png_encode *png;  // PROTOCOL_LIBPNG: the context is never opened then, and only tells of formats and times
    AVPacket *picture;       // that it has made
};

static bool is_libpng(const Wire__Job *job)
{
    return strcmp(job->encoder, PROTOCOL_LIBPNG) == 0;
}

static const AVCodec *find_encoder(const Wire__Job *job)
{
    const AVCodec *encoder = is_libpng(job) ? avcodec_find_encoder(AV_CODEC_ID_PNG) : avcodec_find_encoder_by_name(job->encoder);
    const AVCodecDescriptor *descriptor;

    if (!encoder) {
        descriptor = avcodec_descriptor_get_by_name(job->encoder);
        encoder = descriptor ? avcodec_find_encoder(descriptor->id) : NULL;
    }
    return encoder && encoder->type == AVMEDIA_TYPE_VIDEO ? encoder : NULL;
}

const char *encode_name(const Wire__Job *job)
{
    const AVCodec *encoder = find_encoder(job);

    return is_libpng(job) ? PROTOCOL_LIBPNG : encoder ? encoder->name : "none";
}

// Of an option that was given more than once, the last.
static const char *user_option(const Wire__Job *job, const char *key)
{
    for (size_t i = job->n_encoder_options; i-- > 0;)
        if (!strcmp(job->encoder_options[i]->key, key))
            return job->encoder_options[i]->value;
    return NULL;
}

// libx264 tells of a wrong preset on stderr by itself, past every log.
static int check_x264_preset(const char *encoder, const char *key, const char *value, char **why)
{
    const char *presets[] = {"ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"};
    char *end;
    long number = strtol(value, &end, 10);

    if (strncmp(encoder, "libx264", 7) || strcmp(key, "preset") || (!*end && number >= 0 && number < (long)(sizeof(presets) / sizeof(presets[0]))))
        return 0;
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
        if (!strcasecmp(value, presets[i]))
            return 0;
    return err_why(why, AVERROR(EINVAL), "the encoder %s has no preset %s", encoder, value);
}

// Sets one option to see whether the encoder takes it, so that a mistake is found before any work is done.
static int try_option(AVCodecContext *context, const char *key, const char *value, char **why)
{
    const char *encoder = context->codec->name;
    const AVOption *option = av_opt_find(context, key, NULL, 0, AV_OPT_SEARCH_CHILDREN);
    int err;

    if (!option || !(option->flags & AV_OPT_FLAG_ENCODING_PARAM))
        return err_why(why, AVERROR_OPTION_NOT_FOUND, "the encoder %s has no option %s", encoder, key);
    if (check_x264_preset(encoder, key, value, why) < 0)
        return AVERROR(EINVAL);
    avx_log_forget();
    err = av_opt_set(context, key, value, AV_OPT_SEARCH_CHILDREN);
    if (err < 0)
        return err_why(why, err, "the encoder %s refuses %s=%s: %s", encoder, key, value, *avx_log_error() ? avx_log_error() : err_text(err));
    return 0;
}

static int set_png_options(struct encode *e, char **why)
{
    int err = 0;

    for (size_t i = 0; i < e->job->n_encoder_options && err >= 0; i++)
        err = png_encode_set(e->png, e->job->encoder_options[i]->key, e->job->encoder_options[i]->value, why);
    return err < 0 ? AVERROR(EINVAL) : 0;
}

static int set_pixel_format(struct encode *e, char **why)
{
    const char *name = e->job->pixel_format;

    if (!name || !*name)
        return 0;
    e->context->pix_fmt = av_get_pix_fmt(name);
    if (e->context->pix_fmt == AV_PIX_FMT_NONE)
        return err_why(why, AVERROR(EINVAL), "there is no pixel format %s", name);
    return 0;
}

int encode_check(const Wire__Job *job, char **why)
{
    struct encode *e = NULL;
    int err = encode_new(&e, job, why);

    for (size_t i = 0; err >= 0 && !is_libpng(job) && i < job->n_encoder_options; i++)
        err = try_option(e->context, job->encoder_options[i]->key, job->encoder_options[i]->value, why);
    encode_free(&e);
    return err;
}

int encode_new(struct encode **result, const Wire__Job *job, char **why)
{
    const AVCodec *encoder = find_encoder(job);
    const char *strict = user_option(job, "strict");
    struct encode *e;
    int err;

    if (!encoder)
        return err_why(why, AVERROR_ENCODER_NOT_FOUND, "there is no video encoder %s", job->encoder);
    e = mem_zalloc(sizeof(*e));
    e->job = job;
    e->codec = encoder;
    e->context = avcodec_alloc_context3(encoder);
    if (!e->context) {
        encode_free(&e);
        return err_why(why, AVERROR(ENOMEM), "no memory for the encoder %s", encoder->name);
    }
    err = set_pixel_format(e, why);
    if (err >= 0 && is_libpng(job)) {
        e->png = png_encode_new();
        err = set_png_options(e, why);
    }
    if (err < 0) {
        encode_free(&e);
        return err;
    }
    // Decides which pixel formats MJPEG takes. A wrong value is refused when all options are set.
    if (strict)
        av_opt_set(e->context, "strict", strict, 0);
    *result = e;
    return 0;
}

// The user's format if the encoder takes it, or the one next to it, as ffmpeg picks it.
static enum AVPixelFormat nearest_format(const enum AVPixelFormat *formats, enum AVPixelFormat wanted)
{
    const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(wanted);
    int has_alpha = descriptor ? descriptor->nb_components % 2 == 0 : 0;
    enum AVPixelFormat best = AV_PIX_FMT_NONE;

    for (; *formats != AV_PIX_FMT_NONE; formats++) {
        best = av_find_best_pix_fmt_of_2(best, *formats, wanted, has_alpha, NULL);
        if (*formats == wanted)
            return wanted;
    }
    return best;
}

char *encode_formats(const struct encode *e)
{
    const enum AVPixelFormat *formats = avx_context_pixel_formats(e->context);
    enum AVPixelFormat one[] = {e->context->pix_fmt, AV_PIX_FMT_NONE};
    char *colours = avx_context_colours(e->context);
    char *text = mem_dup("");

    if (one[0] != AV_PIX_FMT_NONE) {
        if (formats)
            one[0] = nearest_format(formats, one[0]);
        formats = one;
    }
    for (int i = 0; formats && formats[i] != AV_PIX_FMT_NONE; i++) {
        char *longer = mem_format("%s%s%s", text, i ? "|" : "pix_fmts=", av_get_pix_fmt_name(formats[i]));

        free(text);
        text = longer;
    }
    if (*colours) {
        char *longer = mem_format("%s%s", text, *text ? colours : colours + 1);

        free(text);
        text = longer;
    }
    free(colours);
    return text;
}

static void copy_side(const Wire__Job *job, const AVFrame *frame, enum AVFrameSideDataType in_frame, enum AVPacketSideDataType in_stream,
                      protobuf_c_boolean *has, ProtobufCBinaryData *out)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, in_frame);
    const Wire__SideData *stream_side = packets_side_data_find(job->input_side_data, job->n_input_side_data, (int)in_stream);

    if ((!side && !stream_side) || avx_is_tone_mapped(job->input->color_trc, (int)frame->color_trc))
        return;
    *has = 1;
    out->len = side ? side->size : stream_side->data.len;
    out->data = mem_copy(side ? side->data : stream_side->data.data, out->len);
}

Wire__FirstFrame *encode_first_frame(const Wire__Job *job, const AVFrame *frame)
{
    Wire__FirstFrame *first = mem_zalloc(sizeof(*first));

    wire__first_frame__init(first);
    first->color_range = (int32_t)frame->color_range;
    first->color_primaries = (int32_t)frame->color_primaries;
    first->color_trc = (int32_t)frame->color_trc;
    first->color_space = (int32_t)frame->colorspace;
    first->chroma_location = (int32_t)frame->chroma_location;
    first->interlaced = avx_frame_interlaced(frame);
    first->top_field_first = avx_frame_top_field_first(frame);
    copy_side(job, frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, &first->has_mastering_display,
              &first->mastering_display);
    copy_side(job, frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &first->has_content_light_level,
              &first->content_light_level);
    return first;
}

static void set_colours_and_fields(AVCodecContext *c, const Wire__FirstFrame *first)
{
    c->color_range = (enum AVColorRange)first->color_range;
    c->color_primaries = (enum AVColorPrimaries)first->color_primaries;
    c->color_trc = (enum AVColorTransferCharacteristic)first->color_trc;
    c->colorspace = (enum AVColorSpace)first->color_space;
    c->chroma_sample_location = (enum AVChromaLocation)first->chroma_location;
    if (!first->interlaced && !avx_field_order_always(c))
        c->field_order = AV_FIELD_PROGRESSIVE;
    else if (c->codec_id == AV_CODEC_ID_MJPEG)
        c->field_order = first->top_field_first ? AV_FIELD_TT : AV_FIELD_BB;
    else
        c->field_order = first->top_field_first ? AV_FIELD_TB : AV_FIELD_BT;
}

static const AVMasteringDisplayMetadata *mastering_of(const Wire__FirstFrame *first)
{
    return first->has_mastering_display && first->mastering_display.len >= sizeof(AVMasteringDisplayMetadata)
               ? (const AVMasteringDisplayMetadata *)(const void *)first->mastering_display.data
               : NULL;
}

static const AVContentLightMetadata *light_of(const Wire__FirstFrame *first)
{
    return first->has_content_light_level && first->content_light_level.len >= sizeof(AVContentLightMetadata)
               ? (const AVContentLightMetadata *)(const void *)first->content_light_level.data
               : NULL;
}

static bool has_parameter(const char *parameters, const char *key)
{
    size_t length = strlen(key);

    for (const char *at = parameters; (at = strstr(at, key)); at += length)
        if ((at == parameters || at[-1] == ':') && (at[length] == '=' || at[length] == ':' || at[length] == '\0'))
            return true;
    return false;
}

// Adds key=value to a list of an encoder library's own parameters, unless the user gave that key.
static void add_parameter(char **parameters, const char *key, const char *value)
{
    char *longer;

    if (has_parameter(*parameters, key))
        return;
    longer = mem_format("%s%s%s%s%s", *parameters, **parameters ? ":" : "", key, *value ? "=" : "", value);
    free(*parameters);
    *parameters = longer;
}

static long scaled(AVRational value, double unit)
{
    return lrint(av_q2d(value) * unit);
}

// SMPTE ST 2086 in x265's units: 0.00002 for chromaticity, 0.0001 cd/m2 for luminance. Primaries are stored red, green, blue.
static void add_x265_hdr(char **parameters, const Wire__FirstFrame *first)
{
    const AVMasteringDisplayMetadata *m = mastering_of(first);
    const AVContentLightMetadata *light = light_of(first);
    char text[256];

    if (m && m->has_primaries && m->has_luminance) {
        snprintf(text, sizeof(text), "G(%ld,%ld)B(%ld,%ld)R(%ld,%ld)WP(%ld,%ld)L(%ld,%ld)", scaled(m->display_primaries[1][0], 50000),
                 scaled(m->display_primaries[1][1], 50000), scaled(m->display_primaries[2][0], 50000), scaled(m->display_primaries[2][1], 50000),
                 scaled(m->display_primaries[0][0], 50000), scaled(m->display_primaries[0][1], 50000), scaled(m->white_point[0], 50000),
                 scaled(m->white_point[1], 50000), scaled(m->max_luminance, 10000), scaled(m->min_luminance, 10000));
        add_parameter(parameters, "master-display", text);
        add_parameter(parameters, "hdr10", "1");
    }
    if (light && (light->MaxCLL || light->MaxFALL)) {
        snprintf(text, sizeof(text), "%u,%u", light->MaxCLL, light->MaxFALL);
        add_parameter(parameters, "max-cll", text);
    }
}

static void add_svtav1_hdr(char **parameters, const Wire__FirstFrame *first)
{
    const AVMasteringDisplayMetadata *m = mastering_of(first);
    const AVContentLightMetadata *light = light_of(first);
    char text[256];

    if (m && m->has_primaries && m->has_luminance) {
        snprintf(text, sizeof(text), "G(%.5f,%.5f)B(%.5f,%.5f)R(%.5f,%.5f)WP(%.5f,%.5f)L(%.4f,%.4f)", av_q2d(m->display_primaries[1][0]),
                 av_q2d(m->display_primaries[1][1]), av_q2d(m->display_primaries[2][0]), av_q2d(m->display_primaries[2][1]),
                 av_q2d(m->display_primaries[0][0]), av_q2d(m->display_primaries[0][1]), av_q2d(m->white_point[0]), av_q2d(m->white_point[1]),
                 av_q2d(m->max_luminance), av_q2d(m->min_luminance));
        add_parameter(parameters, "mastering-display", text);
    }
    if (light && (light->MaxCLL || light->MaxFALL)) {
        snprintf(text, sizeof(text), "%u,%u", light->MaxCLL, light->MaxFALL);
        add_parameter(parameters, "content-light", text);
    }
}

static void set_x264_parameters(char **parameters)
{
    // With AVX-512, x264 (seen in 164) reads memory that nobody has written when it spreads costs over the macroblock tree of a picture that is not a
    // multiple of 128 pixels wide: the bytes differ from run to run. The code below it is exact, and nearly as fast.
    if (av_get_cpu_flags() & AV_CPU_FLAG_AVX512)
        add_parameter(parameters, "asm", "avx2,fma3,bmi2,lzcnt");
}

// Libraries with thread pools of their own get one thread unless the user asks, so that neither the machine's load nor its number of cores shows in
// the bytes.
static void set_x265_parameters(char **parameters, bool one_thread, const Wire__FirstFrame *first)
{
    if (one_thread) {
        add_parameter(parameters, "pools", "none");
        add_parameter(parameters, "frame-threads", "1");
    }
    add_parameter(parameters, "log-level", "0");
    if (!avx_encoder_side_works())
        add_x265_hdr(parameters, first);
}

static void set_svtav1_parameters(char **parameters, bool one_thread, const Wire__FirstFrame *first)
{
    if (one_thread)
        add_parameter(parameters, "lp", "1");
    if (!avx_encoder_side_works())
        add_svtav1_hdr(parameters, first);
}

static void set_library_parameters(const struct encode *e, AVDictionary **options, const Wire__FirstFrame *first)
{
    const char *keys[][2] = {{"libx264", "x264-params"}, {"libx264rgb", "x264-params"}, {"libx265", "x265-params"}, {"libsvtav1", "svtav1-params"}};
    bool one_thread = !user_option(e->job, "threads");

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const AVDictionaryEntry *entry = av_dict_get(*options, keys[i][1], NULL, 0);
        char *parameters;

        if (strcmp(e->codec->name, keys[i][0]))
            continue;
        parameters = mem_dup(entry ? entry->value : "");
        if (i < 2)
            set_x264_parameters(&parameters);
        else if (i == 2)
            set_x265_parameters(&parameters, one_thread, first);
        else
            set_svtav1_parameters(&parameters, one_thread, first);
        if (*parameters)
            av_dict_set(options, keys[i][1], parameters, 0);
        free(parameters);
    }
}

static int set_side_data(AVCodecContext *c, const Wire__FirstFrame *first)
{
    int err = 0;

    if (mastering_of(first))
        err = avx_encoder_side_add(c, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA, first->mastering_display.data, first->mastering_display.len);
    if (err >= 0 && light_of(first))
        err = avx_encoder_side_add(c, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL, first->content_light_level.data, first->content_light_level.len);
    return err;
}

// As the ffmpeg program has it: what is given later takes the place of what was given before, but flags with a sign are added to it.
static void add_user_option(const struct encode *e, AVDictionary **options, const Wire__Option *given)
{
    const AVOption *option = av_opt_find(e->context, given->key, NULL, 0, AV_OPT_SEARCH_CHILDREN);
    bool adds = option && option->type == AV_OPT_TYPE_FLAGS && (*given->value == '+' || *given->value == '-');

    av_dict_set(options, given->key, given->value, adds ? AV_DICT_APPEND : 0);
}

// By default it is a number of bits, whatever the rate and however long the encoder has to make up for it.
static void set_leeway(const struct encode *e, AVDictionary **options)
{
    const AVDictionaryEntry *rate = av_dict_get(*options, "b", NULL, 0);
    double bits;

    if (e->job->leeway_ms == 0)
        return;
    if (rate)
        av_opt_set(e->context, "b", rate->value, 0);
    bits = (double)e->context->bit_rate * e->job->leeway_ms / 1000;
    av_dict_set_int(options, "bt", (int)fmin(fmax(bits, 1), INT_MAX), 0);
}

static void collect_options(const struct encode *e, AVDictionary **options, const Wire__FirstFrame *first)
{
    const AVDictionaryEntry *given;
    char *flags;

    av_dict_set(options, "threads", "1", 0);
    for (size_t i = 0; i < e->job->n_encoder_options; i++)
        add_user_option(e, options, e->job->encoder_options[i]);
    set_leeway(e, options);
    given = av_dict_get(*options, "flags", NULL, 0);
    flags = mem_format("%s%s%s", given ? given->value : "", e->job->global_header ? "+global_header" : "", AVX_FFTOOLS_6_1 ? "+frame_duration" : "");
    if (*flags)
        av_dict_set(options, "flags", flags, 0);
    free(flags);
    set_library_parameters(e, options, first);
}

int encode_open(struct encode *e, const AVFrame *frame, const struct filter_output *output, int bits_per_raw_sample, char **why)
{
    AVCodecContext *c = e->context;
    const AVPixFmtDescriptor *descriptor = av_pix_fmt_desc_get(output->format);
    Wire__FirstFrame *of_frame = e->job->first_frame ? NULL : encode_first_frame(e->job, frame);
    const Wire__FirstFrame *first = of_frame ? of_frame : e->job->first_frame;
    AVDictionary *options = NULL;
    const AVDictionaryEntry *left;
    int err;

    e->filter_time_base = output->time_base;
    e->filter_rate = output->frame_rate;
    avx_encoder_timing(e->codec, output->frame_rate, output->time_base, &c->framerate, &c->time_base);
    c->width = output->width;
    c->height = output->height;
    c->pix_fmt = output->format;
    c->sample_aspect_ratio = output->aspect_ratio;
    if (output->untouched && descriptor)
        c->bits_per_raw_sample = FFMIN(bits_per_raw_sample, descriptor->comp[0].depth);
    if (e->png) {
        e->opened = true;
        err = 0;
        goto done;
    }
    collect_options(e, &options, first);
    // The user's flags decide about fields, so they must be known before the encoder opens.
    left = av_dict_get(options, "flags", NULL, 0);
    if (left)
        av_opt_set(c, "flags", left->value, 0);
    set_colours_and_fields(c, first);
    err = set_side_data(c, first);
    if (err < 0)
        goto done;
    avx_log_forget();
    err = avcodec_open2(c, e->codec, &options);
    if (err == AVERROR_EXPERIMENTAL)
        err_why(why, err, "the encoder %s is experimental; strict=experimental allows it", e->codec->name);
    if (err < 0)
        goto done;
    left = av_dict_get(options, "", NULL, AV_DICT_IGNORE_SUFFIX);
    if (left) {
        err = err_why(why, AVERROR_OPTION_NOT_FOUND, "the encoder %s has no option %s", e->codec->name, left->key);
        goto done;
    }
    e->opened = true;
    err = 0;

done:
    if (err < 0)
        err_why(why, err, "the encoder %s could not be opened for %dx%d %s: %s", e->codec->name, c->width, c->height,
                descriptor ? descriptor->name : "frames", *avx_log_error() ? avx_log_error() : err_text(err));
    av_dict_free(&options);
    if (of_frame)
        wire__first_frame__free_unpacked(of_frame, NULL);
    return err;
}

void encode_count_from_zero(struct encode *e)
{
    e->own_times = true;
}

bool encode_is_open(const struct encode *e)
{
    return e->opened;
}

// From the filters' time base to the encoder's. Computed as the ffmpeg program does, through a number with up to 16 more bits and back, so that
// timestamps between two ticks go the same way.
static int64_t encoder_pts(int64_t pts, AVRational from, AVRational to)
{
    AVRational fine = to;
    double value;
    int extra_bits;

    if (pts == AV_NOPTS_VALUE)
        return pts;
    extra_bits = av_clip(29 - av_log2((unsigned)to.den), 0, 16);
    fine.den <<= extra_bits;
    value = (double)av_rescale_q(pts, from, fine) / (1 << extra_bits);
    value += (value > 0 ? 1.0 : -1.0) / (1 << 17);
    return llrint(value);
}

int64_t encode_pts(const struct encode *e, int64_t pts)
{
    return encoder_pts(pts, e->filter_time_base, e->context->time_base);
}

static void set_duration(const struct encode *e, AVFrame *frame)
{
    int64_t duration = avx_frame_duration(frame);

    if (!duration && e->filter_rate.num > 0 && e->filter_rate.den > 0)
        duration = av_rescale_q(1, av_inv_q(e->filter_rate), e->filter_time_base);
    avx_frame_set_duration(frame, llrint((double)duration * av_q2d(e->filter_time_base) / av_q2d(e->context->time_base)));
}

// Damaged video may have frames without a time, or go back in time. An encoder that holds frames back gives packets then whose order nobody can tell:
// such a frame is shown with the one before it, as it is where nothing is held back (writer.c).
static void never_back(struct encode *e, AVFrame *frame)
{
    if (e->fed && frame->pts < e->last_pts && encode_reorder_delay(e) > 0)
        frame->pts = e->last_pts;
    e->last_pts = frame->pts;
}

static void to_own_times(struct encode *e, AVFrame *frame)
{
    if (!e->own_times || frame->pts == AV_NOPTS_VALUE)
        return;
    if (!e->fed)
        e->zero = frame->pts;
    frame->pts -= e->zero;
}

static void from_own_times(const struct encode *e, AVPacket *packet)
{
    if (packet->pts != AV_NOPTS_VALUE)
        packet->pts += e->zero;
    if (packet->dts != AV_NOPTS_VALUE)
        packet->dts += e->zero;
}

static int make_picture(struct encode *e, const AVFrame *frame, char **why)
{
    int err;

    e->picture = av_packet_alloc();
    if (!e->picture)
        return err_why(why, AVERROR(ENOMEM), "no memory for a packet");
    err = png_encode_frame(e->png, frame, e->context->time_base, e->picture, why);
    if (err < 0) {
        av_packet_free(&e->picture);
        return err;
    }
    e->picture->pts = e->picture->dts = frame->pts;
    e->picture->duration = avx_frame_duration(frame);
    return 0;
}

int encode_send(struct encode *e, AVFrame *frame, char **why)
{
    AVCodecContext *c = e->context;
    int err;

    if (frame) {
        frame->pts = encode_pts(e, frame->pts);
        frame->time_base = c->time_base;
        frame->quality = c->global_quality;
        frame->pict_type = AV_PICTURE_TYPE_NONE;
        if (AVX_FFTOOLS_6_1)
            set_duration(e, frame);
        else
            c->sample_aspect_ratio = frame->sample_aspect_ratio;
        if (!e->png) {
            never_back(e, frame);
            to_own_times(e, frame);
        }
    }
    e->fed = e->fed || frame;
    e->ended = !frame;
    if (e->png)
        return frame ? make_picture(e, frame, why) : 0;
    avx_log_forget();
    err = avcodec_send_frame(c, frame);
    if (err < 0 && !(err == AVERROR_EOF && !frame))
        return err_why(why, err, "the encoder %s refused a frame: %s", e->codec->name, *avx_log_error() ? avx_log_error() : err_text(err));
    return 0;
}

int encode_receive(struct encode *e, AVPacket *packet, char **why)
{
    int err;

    if (e->png) {
        if (!e->picture)
            return e->ended ? AVERROR_EOF : AVERROR(EAGAIN);
        av_packet_move_ref(packet, e->picture);
        av_packet_free(&e->picture);
        return 0;
    }
    avx_log_forget();
    err = avcodec_receive_packet(e->context, packet);
    if (err >= 0)
        from_own_times(e, packet);
    if (err >= 0 || err == AVERROR(EAGAIN) || err == AVERROR_EOF)
        return err;
    return err_why(why, err, "the encoder %s failed: %s", e->codec->name, *avx_log_error() ? avx_log_error() : err_text(err));
}

const AVCodecContext *encode_context(const struct encode *e)
{
    return e->context;
}

int encode_reorder_delay(const struct encode *e)
{
    if (e->png)
        return 0;
    // libx265's wrapper does not say; with B-frames that others refer to, x265 holds back two pictures at most.
    if (!strcmp(e->codec->name, "libx265"))
        return e->context->max_b_frames ? 2 : 0;
    if (!e->context->has_b_frames && e->context->max_b_frames > 0)
        return 1;
    return e->context->has_b_frames;
}

static int send_blank(struct encode *e)
{
    AVFrame *frame = av_frame_alloc();
    int err = AVERROR(ENOMEM);

    if (!frame)
        return err;
    frame->width = e->context->width;
    frame->height = e->context->height;
    frame->format = e->context->pix_fmt;
    frame->pts = 0;
    err = av_frame_get_buffer(frame, 0);
    if (err >= 0)
        err = avcodec_send_frame(e->context, frame);
    av_frame_free(&frame);
    return err;
}

// SVT-AV1 (seen in 1.4) hangs when it is closed before it was told of the end, and when it is told so without having seen a frame.
static void end_svtav1(struct encode *e)
{
    AVPacket *packet;

    if (!e->opened || e->ended || strcmp(e->codec->name, "libsvtav1") || (!e->fed && send_blank(e) < 0))
        return;
    packet = av_packet_alloc();
    if (packet && avcodec_send_frame(e->context, NULL) >= 0)
        while (avcodec_receive_packet(e->context, packet) >= 0)
            av_packet_unref(packet);
    av_packet_free(&packet);
}

void encode_free(struct encode **encode)
{
    struct encode *e = *encode;

    if (!e)
        return;
    *encode = NULL;
    end_svtav1(e);
    avcodec_free_context(&e->context);
    png_encode_free(&e->png);
    av_packet_free(&e->picture);
    free(e);
}
