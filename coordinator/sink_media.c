#include "sink_kinds.h"

#include "bare.h"
#include "converted.h"
#include "input_file.h"
#include "others.h"
#include "output_file.h"
#include "streams.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"

#include <libavutil/avstring.h>
#include <libavutil/mathematics.h>

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct track {
    int output;           // its stream in the output, -1 for none
    AVRational time_base; // of the packets that come in
    int64_t last_dts;     // given to the muxer, in its time base
    int64_t delay;        // added to all times, in time_base
};

struct media {
    struct sink sink;
    struct output_file file;
    struct input_file input;
    char *input_path;
    const AVOutputFormat *format;
    const AVCodec *encoder;
    bool autorotate;
    struct others *others;
    struct converted *converted; // NULL: nothing is
    struct streams streams;
    struct track *tracks; // one per input stream
    AVFormatContext *output;
    _Atomic uint64_t bytes;
};

// By how much the clock of MPEG streams is ahead, so that players have something in their buffers: the ffmpeg program's.
enum { MUX_DELAY_US = 700000 };

static const struct sink_kind media_kind;
static void media_close(struct sink *sink);

static struct media *media_of(struct sink *sink)
{
    return (struct media *)(void *)sink; // its first member
}

// ---- Opening: all decisions, nothing on disk yet ----

static int choose_encoder(struct media *s, const char *output, const char *codec, char **why)
{
    const AVCodecDescriptor *descriptor;
    const char *container = s->format->name;

    if (codec) {
        s->encoder = avcodec_find_encoder_by_name(codec);
        descriptor = s->encoder ? NULL : avcodec_descriptor_get_by_name(codec);
        if (descriptor)
            s->encoder = avcodec_find_encoder(descriptor->id);
        if (descriptor && !s->encoder)
            return err_why(why, -EINVAL, "the libraries here have no encoder for the codec '%s'", codec);
        if (!s->encoder)
            return err_why(why, -EINVAL, "unknown encoder or codec '%s'", codec);
        if (s->encoder->type != AVMEDIA_TYPE_VIDEO)
            return err_why(why, -EINVAL, "'%s' is no video encoder", codec);
    } else {
        enum AVCodecID preferred = bare_takes(s->format) ? AV_CODEC_ID_RAWVIDEO : av_guess_codec(s->format, NULL, output, NULL, AVMEDIA_TYPE_VIDEO);

        if (preferred == AV_CODEC_ID_NONE)
            return err_why(why, -EINVAL, "%s: %s holds no video; choose another ending, .mp4 or .mkv for example", output, container);
        s->encoder = avcodec_find_encoder(preferred);
        if (!s->encoder)
            return err_why(why, -EINVAL, "%s: the libraries here have no encoder for %s, which %s prefers; name one with --codec", output,
                           avcodec_get_name(preferred), container);
    }
    // Its packets are pointers to frames, which mean nothing in another process.
    if (s->encoder->id == AV_CODEC_ID_WRAPPED_AVFRAME)
        return err_why(why, -EINVAL, "the encoder '%s' hands frames on as they are; choose rawvideo or ffv1", codec);
    if (bare_takes(s->format) ? s->encoder->id != AV_CODEC_ID_RAWVIDEO : !streams_takes_encoded(s->format, output, s->encoder->id))
        return err_why(why, -EINVAL, "%s: %s cannot hold %s video (%s); choose another --codec or .mkv", output, container,
                       avcodec_get_name(s->encoder->id), s->encoder->name);
    return 0;
}

static int choose_format(struct media *s, const char *output, char **why)
{
    struct stat about;
    size_t length = strlen(output);

    if (strcmp(output, "-") == 0 || strncmp(output, "pipe:", 5) == 0 ||
        (stat(output, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)))
        return err_why(why, -EINVAL, "%s: the output must be an ordinary file, which appears when it is whole", output);
    s->format = av_guess_format(NULL, output, NULL);
    if (!s->format && stat(output, &about) == 0 && S_ISDIR(about.st_mode))
        return err_why(why, -EINVAL, "%s is a folder; the output is a file in it, or numbered pictures: %s%s%%06d.png", output, output,
                       output[length - 1] == '/' ? "" : "/");
    if (!s->format)
        return err_why(why, -EINVAL, "%s: the ending of the name says no container; .mp4, .mov, .mkv, .webm, .avi and .ts are known ones", output);
    if (strcmp(s->format->name, "image2") == 0)
        return err_why(why, -EINVAL,
                       "%s: pictures are PNG, with a number in their name, such as frames/%%06d.png, or one with --poster or --contact-sheet",
                       output);
    if (s->format->flags & AVFMT_NOFILE || av_match_name(s->format->name, "hls,dash,segment,null,tee"))
        return err_why(why, -EINVAL, "%s: %s is not one file; choose .mp4, .mov, .mkv, .webm, .avi or .ts", output, s->format->name);
    return 0;
}

static int start_conversion(struct media *s, const struct sink_setup *setup, int64_t start_us, char **why)
{
    struct converted_wish *wishes = mem_zalloc(s->streams.count * sizeof(*wishes));
    size_t count = 0;
    int err = 0;

    for (unsigned i = 0; i < s->streams.count; i++)
        if (s->streams.choices[i].fate == STREAM_CONVERTED)
            wishes[count++] = (struct converted_wish){i, s->streams.choices[i].encoder->name};
    if (count > 0)
        err = converted_open(&s->converted, setup->renderer, sink_others(setup), start_us, wishes, count, why);
    free(wishes);
    return err;
}

static int open_others(struct media *s, const struct sink_setup *setup, char **why)
{
    struct streams_wish wish = {s->format, setup->output, setup->no_audio, setup->no_subtitles};
    int64_t start_us = setup->start_s ? llrint(*setup->start_s * AV_TIME_BASE) : AV_NOPTS_VALUE;
    bool *wanted;
    int err;

    err = others_open(&s->others, sink_others(setup), start_us, why);
    if (err < 0)
        return err;
    err = streams_decide(&s->streams, others_input(s->others), &wish, why);
    if (err < 0)
        return err;
    wanted = mem_zalloc(s->streams.count * sizeof(*wanted));
    for (unsigned i = 0; i < s->streams.count; i++)
        wanted[i] = s->streams.choices[i].fate == STREAM_COPIED && !s->streams.choices[i].attached;
    others_want(s->others, wanted);
    free(wanted);
    return start_conversion(s, setup, start_us, why);
}

int sink_media_open(struct sink **result, const struct sink_setup *setup, struct sink_facts *facts, char **why)
{
    struct media *s = mem_zalloc(sizeof(*s));
    int err;

    s->sink.kind = &media_kind;
    s->file.fd = -1;
    s->input_path = mem_dup(setup->input);
    input_file_note(&s->input, setup->input);
    s->autorotate = setup->autorotate;
    err = choose_format(s, setup->output, why);
    if (!err)
        err = output_file_check(&s->file, setup->output, setup->input, setup->overwrite, why);
    if (!err)
        err = choose_encoder(s, setup->output, setup->codec, why);
    if (!err)
        err = open_others(s, setup, why);
    if (err < 0) {
        media_close(&s->sink);
        return err;
    }
    facts->encoder = mem_dup(s->encoder->name);
    facts->global_header = s->format->flags & AVFMT_GLOBALHEADER;
    facts->notes = s->streams.notes;
    facts->note_count = s->streams.note_count;
    s->streams.notes = NULL;
    s->streams.note_count = 0;
    *result = &s->sink;
    return 0;
}

// ---- The header ----

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

// What the renderers said of the video, and what the input said of the whole stream that the encoder cannot know.
static int video_side_data(const struct media *s, AVStream *out, const AVStream *in, const Wire__Probed *video)
{
    static const enum AVPacketSideDataType kept[] = {
        AV_PKT_DATA_DISPLAYMATRIX,       AV_PKT_DATA_STEREO3D, AV_PKT_DATA_SPHERICAL, AV_PKT_DATA_MASTERING_DISPLAY_METADATA,
        AV_PKT_DATA_CONTENT_LIGHT_LEVEL,
    };
    int err;

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        size_t size;
        const uint8_t *data = avx_stream_side(in, kept[i], &size);

        if (!data || (s->autorotate && kept[i] == AV_PKT_DATA_DISPLAYMATRIX))
            continue;
        err = avx_stream_side_add(out, kept[i], data, size);
        if (err < 0)
            return err;
    }
    for (size_t i = 0; i < video->n_output_side_data; i++) {
        const Wire__SideData *side = video->output_side_data[i];

        if (side->type < 0 || side->type >= AV_PKT_DATA_NB)
            return AVERROR_INVALIDDATA;
        err = avx_stream_side_add(out, (enum AVPacketSideDataType)side->type, side->data.data, side->data.len);
        if (err < 0)
            return err;
    }
    return 0;
}

static int set_video(const struct media *s, struct track *track, AVStream *out, const AVStream *in, const Wire__Probed *video)
{
    int err = packets_parameters_from_wire(out->codecpar, video->output);

    if (err < 0)
        return err;
    // The encoder's tag stays, as with ffmpeg: where a codec has several they say which kind of picture it is (ProRes, Ut Video, raw pictures).
    if (bare_takes(s->format))
        bare_describe(out->codecpar);
    track->time_base = out->time_base = packets_rational_from_wire(video->output_time_base);
    if (track->time_base.num <= 0 || track->time_base.den <= 0)
        return AVERROR_INVALIDDATA;
    out->avg_frame_rate = packets_rational_from_wire(video->output_frame_rate);
    out->sample_aspect_ratio = out->codecpar->sample_aspect_ratio;
    if (in->duration > 0)
        out->duration = av_rescale_q(in->duration, in->time_base, out->time_base);
    out->disposition &= ~AV_DISPOSITION_ATTACHED_PIC; // a cover that is rendered as the video is one
    err = video_side_data(s, out, in, video);
    return err < 0 ? err : set_encoder_tag(out, video->encoder_name ? video->encoder_name : s->encoder->name);
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

static int set_copied(const struct media *s, struct track *track, AVStream *out, const AVStream *in)
{
    int err = avcodec_parameters_copy(out->codecpar, in->codecpar);
    AVCodecParameters *par = out->codecpar;

    if (err < 0)
        return err;
    par->codec_tag = streams_copied_tag(s->format, in->codecpar);
    track->time_base = out->time_base = in->time_base;
    out->avg_frame_rate = in->avg_frame_rate;
    if (in->duration > 0)
        out->duration = in->duration;
    if (par->codec_type == AVMEDIA_TYPE_VIDEO) {
        out->sample_aspect_ratio = par->sample_aspect_ratio =
            in->sample_aspect_ratio.num ? in->sample_aspect_ratio : in->codecpar->sample_aspect_ratio;
        out->r_frame_rate = in->r_frame_rate;
        if (av_match_name(s->format->name, "avi") && in->avg_frame_rate.num > 0 && in->avg_frame_rate.den > 0)
            out->time_base = av_inv_q(in->avg_frame_rate); // AVI counts frames
    }
    if (s->streams.choices[in->index].attached && par->codec_type == AVMEDIA_TYPE_VIDEO)
        return attach_cover(out, in);
    // The sizes that some demuxers give for these are no block sizes, and AVI would write them as such.
    if (par->codec_id == AV_CODEC_ID_AC3 ||
        (par->codec_id == AV_CODEC_ID_MP3 && (par->block_align == 1 || par->block_align == 576 || par->block_align == 1152)))
        par->block_align = 0;
    return copy_side_data(out, in);
}

static int set_converted(const struct media *s, struct track *track, AVStream *out, unsigned stream)
{
    const Wire__ConvertedStream *converted = converted_stream(s->converted, stream);
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

static int add_stream(struct media *s, unsigned i, const Wire__Probed *video)
{
    const AVStream *in = others_input(s->others)->streams[i];
    struct track *track = &s->tracks[i];
    enum stream_fate fate = s->streams.choices[i].fate;
    AVStream *out;
    int err;

    track->output = -1;
    track->last_dts = AV_NOPTS_VALUE;
    if (fate == STREAM_LEFT_OUT)
        return 0;
    out = avformat_new_stream(s->output, NULL);
    if (!out)
        return AVERROR(ENOMEM);
    track->output = out->index;
    out->disposition = in->disposition;
    err = av_dict_copy(&out->metadata, in->metadata, 0);
    if (err < 0)
        return err;
    if (fate == STREAM_MAIN)
        err = set_video(s, track, out, in, video);
    else if (fate == STREAM_CONVERTED)
        err = set_converted(s, track, out, i);
    else
        err = set_copied(s, track, out, in);
    // Matroska's times of Opus are those behind the encoder's delay, which its demuxers take off; the muxer does not add it.
    if (err >= 0 && out->codecpar->codec_id == AV_CODEC_ID_OPUS && out->codecpar->initial_padding > 0 &&
        av_match_name(s->format->name, "matroska,webm"))
        track->delay = av_rescale_q(out->codecpar->initial_padding, (AVRational){1, 48000}, track->time_base);
    return err;
}

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

static int copy_chapters(struct media *s)
{
    const AVFormatContext *in = others_input(s->others);

    if (in->nb_chapters == 0)
        return 0;
    s->output->chapters = av_calloc(in->nb_chapters, sizeof(AVChapter *));
    if (!s->output->chapters)
        return AVERROR(ENOMEM);
    for (unsigned i = 0; i < in->nb_chapters; i++) {
        const AVChapter *from = in->chapters[i];
        int64_t offset = av_rescale_q(others_offset_us(s->others), AV_TIME_BASE_Q, from->time_base);
        AVChapter *to;
        int err;

        if (from->end + offset < 0)
            continue;
        to = av_mallocz(sizeof(*to));
        if (!to)
            return AVERROR(ENOMEM);
        s->output->chapters[s->output->nb_chapters++] = to;
        to->id = from->id;
        to->time_base = from->time_base;
        to->start = from->start + offset > 0 ? from->start + offset : 0;
        to->end = from->end + offset;
        err = av_dict_copy(&to->metadata, from->metadata, 0);
        if (err < 0)
            return err;
    }
    return 0;
}

// The programs of a broadcast stream stay when it becomes one again.
static int copy_programs(struct media *s)
{
    const AVFormatContext *in = others_input(s->others);

    if (!av_match_name(s->format->name, "mpegts"))
        return 0;
    for (unsigned i = 0; i < in->nb_programs; i++) {
        const AVProgram *from = in->programs[i];
        AVProgram *to = NULL;

        for (unsigned j = 0; j < from->nb_stream_indexes; j++) {
            int output = s->tracks[from->stream_index[j]].output;

            if (output < 0)
                continue;
            if (!to) {
                to = av_new_program(s->output, from->id);
                if (!to || av_dict_copy(&to->metadata, from->metadata, 0) < 0)
                    return AVERROR(ENOMEM);
            }
            av_program_add_stream_index(s->output, from->id, (unsigned)output);
        }
    }
    return 0;
}

static int copy_metadata(struct media *s)
{
    static const char *const of_the_file[] = {"creation_time", "company_name", "product_name", "product_version", "encoder"};
    int err = av_dict_copy(&s->output->metadata, others_input(s->others)->metadata, 0);

    // These tell of the file that was, not of what is shown; ffmpeg leaves them behind too.
    for (size_t i = 0; i < sizeof(of_the_file) / sizeof(of_the_file[0]) && err >= 0; i++)
        err = av_dict_set(&s->output->metadata, of_the_file[i], NULL, 0);
    return err;
}

// Where sound begins before the picture (an AAC encoder's priming, say), Matroska's muxer would shift everything until the first time is zero, and no
// frame would keep its time. Its blocks can hold small negative times; but who reads them has to guess those, so the video has to have none itself.
static bool keeps_negative_times(const struct media *s, const Wire__Probed *video)
{
    const AVFormatContext *in = others_input(s->others);

    if (!av_match_name(s->format->name, "matroska,webm") || (video->has_first_pts && video->first_pts < 0))
        return false;
    for (unsigned i = 0; i < in->nb_streams; i++) {
        const AVStream *st = in->streams[i];

        if (st->start_time != AV_NOPTS_VALUE &&
            av_rescale_q(st->start_time, st->time_base, AV_TIME_BASE_Q) + others_offset_us(s->others) < -10 * AV_TIME_BASE)
            return false;
    }
    return true;
}

static int open_output(struct media *s, char **why)
{
    char url[64];
    int err = output_file_create(&s->file, why);

    if (err < 0)
        return err;
    // libavformat opens the same file again: its callbacks for one's own I/O are not the same in all versions.
    snprintf(url, sizeof(url), "file:/proc/self/fd/%d", s->file.fd);
    return avio_open(&s->output->pb, url, AVIO_FLAG_READ_WRITE);
}

static int media_start(struct sink *sink, const Wire__Probed *video, char **why)
{
    struct media *s = media_of(sink);
    int err = avformat_alloc_output_context2(&s->output, s->format, NULL, s->file.path);

    if (err < 0)
        goto fail;
    // The same input gives the same bytes: no random numbers, no library versions in the file.
    s->output->flags |= AVFMT_FLAG_BITEXACT;
    s->output->max_delay = MUX_DELAY_US;
    s->tracks = mem_zalloc(s->streams.count * sizeof(*s->tracks));
    for (unsigned i = 0; i < s->streams.count; i++) {
        err = add_stream(s, i, video);
        if (err < 0)
            goto fail;
    }
    set_default_streams(s->output);
    if (keeps_negative_times(s, video))
        s->output->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    if ((err = copy_metadata(s)) < 0 || (err = copy_chapters(s)) < 0 || (err = copy_programs(s)) < 0)
        goto fail;
    err = open_output(s, why);
    if (err < 0)
        goto fail;
    avx_log_forget();
    err = avformat_write_header(s->output, NULL);
    if (err < 0) {
        const char *detail = avx_log_error();

        return err_why(why, err, "%s: the %s header cannot be written: %s", s->file.path, s->format->name, *detail ? detail : err_text(err));
    }
    return 0;

fail:
    return err_why(why, err, "%s: %s", s->file.path, err_text(err));
}

// ---- Packets ----

static int64_t between(int64_t a, int64_t b, int64_t c)
{
    int64_t least = a < b ? a : b, most = a < b ? b : a;

    return c < least ? least : c > most ? most : c;
}

// Muxers insist on decode times that rise and do not lie behind presentation times; what the input has is mended as the ffmpeg program mends it.
static void mend_times(const struct media *s, struct track *track, enum AVMediaType type, AVPacket *packet)
{
    if (s->format->flags & AVFMT_NOTIMESTAMPS)
        return;
    if (packet->dts != AV_NOPTS_VALUE && packet->pts != AV_NOPTS_VALUE && packet->dts > packet->pts) {
        int64_t next = track->last_dts == AV_NOPTS_VALUE ? packet->pts : track->last_dts + 1;

        packet->pts = packet->dts = between(packet->pts, packet->dts, next);
    }
    if (type != AVMEDIA_TYPE_AUDIO && type != AVMEDIA_TYPE_VIDEO && type != AVMEDIA_TYPE_SUBTITLE)
        return;
    if (packet->dts != AV_NOPTS_VALUE && track->last_dts != AV_NOPTS_VALUE) {
        int64_t least = track->last_dts + !(s->format->flags & AVFMT_TS_NONSTRICT);

        if (packet->dts < least) {
            if (packet->pts >= packet->dts && packet->pts < least)
                packet->pts = least;
            packet->dts = least;
        }
    }
}

static int write_packet(struct media *s, unsigned stream, AVPacket *packet, char **why)
{
    struct track *track = &s->tracks[stream];
    AVStream *out = s->output->streams[track->output];
    int err;

    if (packet->pts != AV_NOPTS_VALUE)
        packet->pts += track->delay;
    if (packet->dts != AV_NOPTS_VALUE)
        packet->dts += track->delay;
    av_packet_rescale_ts(packet, track->time_base, out->time_base);
    mend_times(s, track, out->codecpar->codec_type, packet);
    track->last_dts = packet->dts;
    packet->stream_index = track->output;
    packet->pos = -1;
    avx_log_forget();
    err = av_interleaved_write_frame(s->output, packet);
    if (err >= 0 && s->output->pb->error < 0)
        err = s->output->pb->error;
    if (err < 0) {
        const char *detail = avx_log_error(); // not necessarily of this stream: the muxer holds packets back to interleave them

        err_why(why, err, "%s: cannot write: %s%s%s", s->file.path, err_text(err), *detail ? ": " : "", detail);
    }
    return err;
}

static int64_t time_us(const AVPacket *packet, AVRational time_base)
{
    int64_t time = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;

    return time == AV_NOPTS_VALUE ? INT64_MIN : av_rescale_q(time, time_base, AV_TIME_BASE_Q);
}

// Writes the packets of the other streams that come before until_us, copied and converted ones merged by time.
static int write_others(struct media *s, int64_t until_us, char **why)
{
    for (;;) {
        const AVPacket *copied = others_peek(s->others), *converted = NULL;
        int64_t copied_us = copied ? time_us(copied, s->tracks[copied->stream_index].time_base) : INT64_MAX, converted_us = INT64_MAX;
        AVPacket *packet;
        int err;

        if (s->converted) {
            err = converted_peek(s->converted, &converted, why);
            if (err < 0)
                return err;
            if (converted)
                converted_us = time_us(converted, s->tracks[converted->stream_index].time_base);
        }
        if (copied && (!converted || copied_us <= converted_us)) {
            if (copied_us > until_us)
                return 0;
            packet = others_take(s->others);
        } else if (converted && converted_us <= until_us) {
            packet = converted_take(s->converted);
        } else {
            return 0;
        }
        err = write_packet(s, (unsigned)packet->stream_index, packet, why);
        av_packet_free(&packet);
        if (err < 0)
            return err;
    }
}

static void count_bytes(struct media *s)
{
    int64_t size = avio_tell(s->output->pb);

    // The trailer goes back to fill in sizes; the count does not.
    if (size > 0 && (uint64_t)size > atomic_load(&s->bytes))
        atomic_store(&s->bytes, (uint64_t)size);
}

static int write_main(struct media *s, AVPacket *packet, char **why)
{
    const AVStream *out = s->output->streams[s->tracks[s->streams.main].output];
    int err = bare_takes(s->format) ? bare_wrap(packet, out->codecpar) : 0;

    if (err < 0)
        return err_why(why, err, "%s: cannot write: %s", s->file.path, err_text(err));
    return write_packet(s, s->streams.main, packet, why);
}

static int media_write(struct sink *sink, struct chunk **chunk, char **why)
{
    struct media *s = media_of(sink);
    int err = 0;

    for (size_t i = 0; i < (*chunk)->packet_count && !err; i++) {
        AVPacket *packet = (*chunk)->packets[i];

        err = write_others(s, time_us(packet, s->tracks[s->streams.main].time_base), why);
        if (!err)
            err = write_main(s, packet, why);
    }
    count_bytes(s);
    chunk_free(chunk);
    return err;
}

static int media_finish(struct sink *sink, char **why)
{
    struct media *s = media_of(sink);
    int err = write_others(s, INT64_MAX, why), closed;
    const AVIOContext *input = others_input(s->others)->pb;

    if (err >= 0)
        err = input_file_check(&s->input, s->input_path, input ? input->error : 0, why);
    if (err < 0)
        return err;
    err = av_write_trailer(s->output);
    count_bytes(s);
    closed = avio_closep(&s->output->pb);
    if (err >= 0)
        err = closed;
    if (err < 0)
        return err_why(why, err, "%s: cannot write the end: %s", s->file.path, err_text(err));
    return output_file_publish(&s->file, why);
}

static uint64_t media_bytes(const struct sink *sink)
{
    return atomic_load(&((const struct media *)(const void *)sink)->bytes);
}

static void media_close(struct sink *sink)
{
    struct media *s = media_of(sink);

    converted_close(&s->converted);
    if (s->output)
        avio_closep(&s->output->pb);
    avformat_free_context(s->output);
    others_close(&s->others);
    streams_clear(&s->streams);
    output_file_clear(&s->file);
    free(s->tracks);
    free(s->input_path);
    free(s);
}

static const struct sink_kind media_kind = {
    .start = media_start,
    .write = media_write,
    .finish = media_finish,
    .bytes = media_bytes,
    .close = media_close,
};
