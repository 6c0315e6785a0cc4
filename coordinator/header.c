#include "header.h"

#include "bare.h"

#include "common/avx.h"
#include "common/packets.h"

#include <libavutil/avstring.h>
#include <libavutil/channel_layout.h>
#include <libavutil/common.h>
#include <libavutil/mathematics.h>

#include <stdio.h>
#include <string.h>

// By how much the clock of MPEG streams is ahead, so that players have something in their buffers: the ffmpeg program's.
enum { MUX_DELAY_US = 700000 };

// ---- Streams ----

static int set_encoder_tag(AVStream *out, const char *encoder)
{
    char text[256];
    unsigned version = avcodec_version();

    snprintf(text, sizeof(text), "Lavc%u.%u.%u %s", AV_VERSION_MAJOR(version), AV_VERSION_MINOR(version), AV_VERSION_MICRO(version), encoder);
    return av_dict_set(&out->metadata, "encoder", text, 0);
}

static int copy_side_data(AVStream *out, const AVStream *in)
{
    for (int i = 0; i < avx_stream_side_count(in); i++) {
        enum AVPacketSideDataType type;
        const uint8_t *data;
        size_t size;
        int err;

        avx_stream_side_at(in, i, &type, &data, &size);
        err = avx_stream_side_add(out, type, data, size);
        if (err < 0)
            return err;
    }
    return 0;
}

static bool is_brightness(enum AVPacketSideDataType type)
{
    return type == AV_PKT_DATA_MASTERING_DISPLAY_METADATA || type == AV_PKT_DATA_CONTENT_LIGHT_LEVEL;
}

// What the renderers said of the video, and what the input said of the whole stream that the encoder cannot know.
static int video_side_data(const struct header *h, AVStream *out, const AVStream *in)
{
    static const enum AVPacketSideDataType kept[] = {
        AV_PKT_DATA_DISPLAYMATRIX,       AV_PKT_DATA_STEREO3D, AV_PKT_DATA_SPHERICAL, AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
        AV_PKT_DATA_CONTENT_LIGHT_LEVEL,
    };
    bool tone_mapped = avx_is_tone_mapped(in->codecpar->color_trc, out->codecpar->color_trc);
    int err;

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        size_t size;
        const uint8_t *data = avx_stream_side(in, kept[i], &size);

        if (!data || (h->autorotate && kept[i] == AV_PKT_DATA_DISPLAYMATRIX) || (tone_mapped && is_brightness(kept[i])))
            continue;
        err = avx_stream_side_add(out, kept[i], data, size);
        if (err < 0)
            return err;
    }
    for (size_t i = 0; i < h->video->n_output_side_data; i++) {
        const Wire__SideData *side = h->video->output_side_data[i];

        if (side->type < 0 || side->type >= AV_PKT_DATA_NB)
            return AVERROR_INVALIDDATA;
        if (tone_mapped && is_brightness((enum AVPacketSideDataType)side->type))
            continue;
        err = avx_stream_side_add(out, (enum AVPacketSideDataType)side->type, side->data.data, side->data.len);
        if (err < 0)
            return err;
    }
    return 0;
}

static int set_video(const struct header *h, struct header_track *track, AVStream *out, const AVStream *in)
{
    int err = packets_parameters_from_wire(out->codecpar, h->video->output);

    if (err < 0)
        return err;
    // The encoder's tag stays, as with ffmpeg: where a codec has several they say which kind of picture it is (ProRes, Ut Video, raw pictures).
    if (bare_takes(h->output->oformat))
        bare_describe(out->codecpar);
    track->time_base = out->time_base = packets_rational_from_wire(h->video->output_time_base);
    if (track->time_base.num <= 0 || track->time_base.den <= 0)
        return AVERROR_INVALIDDATA;
    out->avg_frame_rate = packets_rational_from_wire(h->video->output_frame_rate);
    out->sample_aspect_ratio = out->codecpar->sample_aspect_ratio;
    if (in->duration > 0)
        out->duration = av_rescale_q(in->duration, in->time_base, out->time_base);
    out->disposition &= ~AV_DISPOSITION_ATTACHED_PIC; // a cover that is rendered as the video is one
    err = video_side_data(h, out, in);
    return err < 0 ? err : set_encoder_tag(out, h->video->encoder_name ? h->video->encoder_name : h->encoder);
}

// Matroska keeps a cover picture as an attached file with a certain name.
static int attach_cover(AVStream *out, const AVStream *in)
{
    const char *kind = streams_cover_kind(in->codecpar->codec_id);
    char text[64];
    int err;

    out->codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
    out->disposition = 0;
    av_freep(&out->codecpar->extradata);
    out->codecpar->extradata_size = 0;
    out->codecpar->extradata = av_mallocz((size_t)in->attached_pic.size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!out->codecpar->extradata)
        return AVERROR(ENOMEM);
    memcpy(out->codecpar->extradata, in->attached_pic.data, (size_t)in->attached_pic.size);
    out->codecpar->extradata_size = in->attached_pic.size;
    snprintf(text, sizeof(text), "cover.%s", strcmp(kind, "jpeg") == 0 ? "jpg" : kind);
    err = av_dict_set(&out->metadata, "filename", text, AV_DICT_DONT_OVERWRITE);
    if (err < 0)
        return err;
    snprintf(text, sizeof(text), "image/%s", kind);
    return av_dict_set(&out->metadata, "mimetype", text, AV_DICT_DONT_OVERWRITE);
}

// Containers such as AVI and Matroska say how many channels there are, but not always which. The usual ones of that number, as ffmpeg guesses, or
// QuickTime would say of each that it is not used.
static void guess_channels(AVCodecParameters *par)
{
    AVChannelLayout usual = {0};

    if (par->codec_type != AVMEDIA_TYPE_AUDIO || par->ch_layout.order != AV_CHANNEL_ORDER_UNSPEC || par->ch_layout.nb_channels <= 0)
        return;
    av_channel_layout_default(&usual, par->ch_layout.nb_channels);
    av_channel_layout_uninit(&par->ch_layout);
    par->ch_layout = usual; // of the native order or unspecified again, so it owns nothing
}

static int set_copied(const struct header *h, struct header_track *track, AVStream *out, const AVStream *in)
{
    int err = avcodec_parameters_copy(out->codecpar, in->codecpar);
    AVCodecParameters *par = out->codecpar;

    if (err < 0)
        return err;
    par->codec_tag = streams_copied_tag(h->output->oformat, in->codecpar);
    guess_channels(par);
    track->time_base = out->time_base = in->time_base;
    out->avg_frame_rate = in->avg_frame_rate;
    if (in->duration > 0)
        out->duration = in->duration;
    if (par->codec_type == AVMEDIA_TYPE_VIDEO) {
        out->sample_aspect_ratio = par->sample_aspect_ratio =
            in->sample_aspect_ratio.num ? in->sample_aspect_ratio : in->codecpar->sample_aspect_ratio;
        out->r_frame_rate = in->r_frame_rate;
        if (av_match_name(h->output->oformat->name, "avi") && in->avg_frame_rate.num > 0 && in->avg_frame_rate.den > 0)
            out->time_base = av_inv_q(in->avg_frame_rate); // AVI counts frames
    }
    if (h->streams->choices[in->index].attached && par->codec_type == AVMEDIA_TYPE_VIDEO)
        return attach_cover(out, in);
    // The sizes that some demuxers give for these are no block sizes, and AVI would write them as such.
    if (par->codec_id == AV_CODEC_ID_AC3 ||
        (par->codec_id == AV_CODEC_ID_MP3 && (par->block_align == 1 || par->block_align == 576 || par->block_align == 1152)))
        par->block_align = 0;
    return copy_side_data(out, in);
}

static int set_converted(const struct header *h, struct header_track *track, AVStream *out, unsigned stream)
{
    const Wire__ConvertedStream *converted = converted_stream(h->converted, stream);
    int err = packets_parameters_from_wire(out->codecpar, converted->parameters);

    for (size_t i = 0; i < converted->n_side_data && !err; i++) {
        const Wire__SideData *side = converted->side_data[i];

        err = side->type < 0 || side->type >= AV_PKT_DATA_NB
                  ? AVERROR_INVALIDDATA
                  : avx_stream_side_add(out, (enum AVPacketSideDataType)side->type, side->data.data, side->data.len);
    }
    if (err < 0)
        return err;
    out->codecpar->codec_tag = 0;
    track->time_base = out->time_base = packets_rational_from_wire(converted->time_base);
    if (track->time_base.num <= 0 || track->time_base.den <= 0)
        return AVERROR_INVALIDDATA;
    return set_encoder_tag(out, converted->encoder);
}

static int add_stream(const struct header *h, unsigned i)
{
    const AVStream *in = others_input(h->others)->streams[i];
    struct header_track *track = &h->tracks[i];
    enum stream_fate fate = h->streams->choices[i].fate;
    AVStream *out;
    int err;

    track->output = -1;
    if (fate == STREAM_LEFT_OUT)
        return 0;
    out = avformat_new_stream(h->output, NULL);
    if (!out)
        return AVERROR(ENOMEM);
    track->output = out->index;
    out->disposition = in->disposition;
    err = av_dict_copy(&out->metadata, in->metadata, 0);
    if (err < 0)
        return err;
    if (fate == STREAM_MAIN)
        err = set_video(h, track, out, in);
    else if (fate == STREAM_CONVERTED)
        err = set_converted(h, track, out, i);
    else
        err = set_copied(h, track, out, in);
    // Matroska's times of Opus are those behind the encoder's delay, which its demuxers take off; the muxer does not add it.
    if (err >= 0 && out->codecpar->codec_id == AV_CODEC_ID_OPUS && out->codecpar->initial_padding > 0 &&
        av_match_name(h->output->oformat->name, "matroska,webm"))
        track->delay = av_rescale_q(out->codecpar->initial_padding, (AVRational){1, 48000}, track->time_base);
    return err;
}

// ---- The file as a whole ----

// Of several streams of a kind one is the default; the first if the input names none.
static void set_default_streams(AVFormatContext *output)
{
    for (int type = 0; type < AVMEDIA_TYPE_NB; type++) {
        AVStream *first = NULL;
        unsigned count = 0;
        bool has_default = false;

        for (unsigned i = 0; i < output->nb_streams; i++) {
            AVStream *st = output->streams[i];

            if ((int)st->codecpar->codec_type != type)
                continue;
            count++;
            if (st->disposition & AV_DISPOSITION_DEFAULT)
                has_default = true;
            if (!first && !(st->disposition & AV_DISPOSITION_ATTACHED_PIC))
                first = st;
        }
        if (count > 1 && !has_default && first)
            first->disposition |= AV_DISPOSITION_DEFAULT;
    }
}

static int copy_chapters(const struct header *h)
{
    const AVFormatContext *in = others_input(h->others);

    if (in->nb_chapters == 0)
        return 0;
    h->output->chapters = av_calloc(in->nb_chapters, sizeof(AVChapter *));
    if (!h->output->chapters)
        return AVERROR(ENOMEM);
    for (unsigned i = 0; i < in->nb_chapters; i++) {
        const AVChapter *from = in->chapters[i];
        int64_t offset = av_rescale_q(others_offset_us(h->others), AV_TIME_BASE_Q, from->time_base);
        // What a damaged file says may be near the ends of all numbers.
        int64_t start = av_sat_add64(from->start, offset), end = av_sat_add64(from->end, offset);
        AVChapter *to;
        int err;

        if (end < 0)
            continue;
        to = av_mallocz(sizeof(*to));
        if (!to)
            return AVERROR(ENOMEM);
        h->output->chapters[h->output->nb_chapters++] = to;
        to->id = from->id;
        to->time_base = from->time_base;
        to->start = start > 0 ? start : 0;
        to->end = end;
        err = av_dict_copy(&to->metadata, from->metadata, 0);
        if (err < 0)
            return err;
    }
    return 0;
}

// The programs of a broadcast stream stay when it becomes one again.
static int copy_programs(const struct header *h)
{
    const AVFormatContext *in = others_input(h->others);

    if (!av_match_name(h->output->oformat->name, "mpegts"))
        return 0;
    for (unsigned i = 0; i < in->nb_programs; i++) {
        const AVProgram *from = in->programs[i];
        AVProgram *to = NULL;

        for (unsigned j = 0; j < from->nb_stream_indexes; j++) {
            int output = h->tracks[from->stream_index[j]].output;

            if (output < 0)
                continue;
            if (!to) {
                to = av_new_program(h->output, from->id);
                if (!to || av_dict_copy(&to->metadata, from->metadata, 0) < 0)
                    return AVERROR(ENOMEM);
            }
            av_program_add_stream_index(h->output, from->id, (unsigned)output);
        }
    }
    return 0;
}

static int copy_metadata(const struct header *h)
{
    static const char *const of_the_file[] = {"creation_time", "company_name", "product_name", "product_version", "encoder"};
    int err = av_dict_copy(&h->output->metadata, others_input(h->others)->metadata, 0);

    // These tell of the file that was, not of what is shown; ffmpeg leaves them behind too.
    for (size_t i = 0; i < sizeof(of_the_file) / sizeof(of_the_file[0]) && err >= 0; i++)
        err = av_dict_set(&h->output->metadata, of_the_file[i], NULL, 0);
    return err;
}

// Where sound begins before the picture (an AAC encoder's priming, say), Matroska's muxer would shift everything until the first time is zero, and no
// frame would keep its time. Its blocks can hold small negative times; but who reads them has to guess those, so the video has to have none itself.
static bool keeps_negative_times(const struct header *h)
{
    const AVFormatContext *in = others_input(h->others);

    if (!av_match_name(h->output->oformat->name, "matroska,webm") || (h->video->has_first_pts && h->video->first_pts < 0))
        return false;
    for (unsigned i = 0; i < in->nb_streams; i++) {
        const AVStream *st = in->streams[i];

        if (st->start_time != AV_NOPTS_VALUE &&
            av_sat_add64(av_rescale_q(st->start_time, st->time_base, AV_TIME_BASE_Q), others_offset_us(h->others)) < -10 * AV_TIME_BASE)
            return false;
    }
    return true;
}

// In the order of the input; MXF's muxer insists on the video in front.
static int add_streams(const struct header *h)
{
    bool video_first = av_match_name(h->output->oformat->name, "mxf");
    int err = video_first ? add_stream(h, h->streams->main) : 0;

    for (unsigned i = 0; i < h->streams->count && err >= 0; i++)
        if (!video_first || i != h->streams->main)
            err = add_stream(h, i);
    return err;
}

int header_fill(const struct header *h)
{
    int err;

    // The same input gives the same bytes: no random numbers, no library versions in the file.
    h->output->flags |= AVFMT_FLAG_BITEXACT;
    h->output->max_delay = MUX_DELAY_US;
    err = add_streams(h);
    if (err < 0)
        return err;
    set_default_streams(h->output);
    if (keeps_negative_times(h))
        h->output->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    if ((err = copy_metadata(h)) < 0 || (err = copy_chapters(h)) < 0)
        return err;
    return copy_programs(h);
}
