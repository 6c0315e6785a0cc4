#include "convert.h"

#include "jail.h"

#include "common/avx.h"
#include "common/clock.h"
#include "common/demux.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"
#include "common/protocol.pb-c.h"
#include "common/retime.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MAX_SUBTITLE_BYTES = 1 << 20 }; // of one encoded subtitle

#define ALIVE_NS UINT64_C(250000000) // how often a sign of life goes out, see --stall-timeout for how long it may be missed

struct track {
    unsigned stream;
    AVStream *in;
    AVCodecContext *decoder, *encoder;
    // Sound only: from decoded frames to frames that the encoder takes; made at the first frame and anew when the sound changes.
    AVFilterGraph *graph;
    AVFilterContext *source, *drain;
    int graph_rate, graph_format;
    AVChannelLayout graph_layout;
    int64_t rescale_last, last_pts, next_pts; // next_pts in samples, for frames without a time
};

struct conversion {
    AVFormatContext *input;
    struct retime retime;
    struct track *tracks;
    size_t track_count;
    AVPacket *packet;
    AVFrame *frame;
    uint8_t *text;
    uint64_t alive_ns; // when all went out that was there
};

// ---- To the coordinator ----

static int put(const Wire__Converted *message, const void *payload, size_t size)
{
    size_t length = wire__converted__get_packed_size(message);
    uint8_t head[4] = {length & 0xff, length >> 8 & 0xff, length >> 16 & 0xff, length >> 24 & 0xff};
    uint8_t *bytes = mem_zalloc(length);
    bool written;

    wire__converted__pack(message, bytes);
    written = fwrite(head, sizeof(head), 1, stdout) == 1 && (!length || fwrite(bytes, length, 1, stdout) == 1) &&
              (!size || fwrite(payload, size, 1, stdout) == 1);
    free(bytes);
    return written ? 0 : -EPIPE;
}

static int put_stream(const struct track *t)
{
    Wire__Converted message = WIRE__CONVERTED__INIT;
    Wire__ConvertedStream *stream = mem_zalloc(sizeof(*stream));
    AVCodecParameters *par = avcodec_parameters_alloc();
    int err;

    if (!par)
        return AVERROR(ENOMEM);
    wire__converted_stream__init(stream);
    err = avcodec_parameters_from_context(par, t->encoder);
    if (err >= 0) {
        packets_parameters_to_wire(&stream->parameters, par);
        stream->stream = t->stream;
        stream->time_base = packets_rational_to_wire(t->encoder->time_base);
        stream->encoder = mem_dup(t->encoder->codec->name);
        message.body_case = WIRE__CONVERTED__BODY_STREAM;
        message.stream = stream;
        err = put(&message, NULL, 0);
    }
    wire__converted_stream__free_unpacked(stream, NULL);
    avcodec_parameters_free(&par);
    return err;
}

static int put_packet(const struct track *t, const AVPacket *packet)
{
    Wire__Converted message = WIRE__CONVERTED__INIT;
    Wire__ConvertedPacket body = WIRE__CONVERTED_PACKET__INIT;
    int err;

    body.stream = t->stream;
    body.packet = packets_packet_to_wire(packet);
    message.body_case = WIRE__CONVERTED__BODY_PACKET;
    message.packet = &body;
    err = put(&message, packet->data, (size_t)packet->size);
    wire__packet__free_unpacked(body.packet, NULL);
    return err;
}

// read_error: 0 where the input has ended.
static void put_end(int read_error)
{
    Wire__Converted message = WIRE__CONVERTED__INIT;
    Wire__Empty empty = WIRE__EMPTY__INIT;

    message.body_case = WIRE__CONVERTED__BODY_END;
    message.end = &empty;
    message.has_read_error = read_error < 0;
    message.read_error = read_error;
    put(&message, NULL, 0);
}

static void put_failed(char *why)
{
    Wire__Converted message = WIRE__CONVERTED__INIT;

    message.body_case = WIRE__CONVERTED__BODY_FAILED;
    message.failed = why;
    put(&message, NULL, 0);
}

// The library calls it whenever it reads from the file: subtitles may be minutes apart, and a disk slow.
static int tell_alive(void *data)
{
    struct conversion *c = data;
    uint64_t now_ns = clock_now_ns();

    if (now_ns - c->alive_ns >= ALIVE_NS) {
        Wire__Converted message = WIRE__CONVERTED__INIT;
        Wire__Empty empty = WIRE__EMPTY__INIT;

        message.body_case = WIRE__CONVERTED__BODY_ALIVE;
        message.alive = &empty;
        put(&message, NULL, 0);
        fflush(stdout);
        c->alive_ns = now_ns;
    }
    return 0;
}

// ---- Encoders ----

// The lowest rate that loses nothing, else the highest there is.
static int nearest_rate(const AVCodec *codec, int wish)
{
    const int *rates = avx_encoder_sample_rates(codec);
    int best = 0;

    if (!rates || !*rates)
        return wish;
    for (; *rates; rates++)
        if (best == 0 || (best < wish ? *rates > best : *rates >= wish && *rates < best))
            best = *rates;
    return best;
}

static enum AVSampleFormat nearest_format(const AVCodec *codec, enum AVSampleFormat wish)
{
    const enum AVSampleFormat *formats = avx_encoder_sample_formats(codec);
    enum AVSampleFormat best;

    if (!formats || *formats == AV_SAMPLE_FMT_NONE)
        return wish == AV_SAMPLE_FMT_NONE ? AV_SAMPLE_FMT_FLTP : wish;
    best = *formats;
    for (const enum AVSampleFormat *f = formats; *f != AV_SAMPLE_FMT_NONE; f++)
        if (*f == wish || av_get_packed_sample_fmt(*f) == av_get_packed_sample_fmt(wish))
            return *f;
    for (const enum AVSampleFormat *f = formats; *f != AV_SAMPLE_FMT_NONE; f++)
        if (av_get_bytes_per_sample(*f) > av_get_bytes_per_sample(best) && av_get_bytes_per_sample(best) < av_get_bytes_per_sample(wish))
            best = *f;
    return best;
}

static int try_audio_encoder(struct track *t, const AVCodec *codec, const AVChannelLayout *layout)
{
    const AVCodecParameters *par = t->in->codecpar;
    int err;

    t->encoder = avcodec_alloc_context3(codec);
    if (!t->encoder)
        return AVERROR(ENOMEM);
    t->encoder->sample_rate = nearest_rate(codec, par->sample_rate);
    t->encoder->sample_fmt = nearest_format(codec, (enum AVSampleFormat)par->format);
    t->encoder->time_base = (AVRational){1, t->encoder->sample_rate};
    t->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER; // containers that want parameters in the packets take them from here too
    t->encoder->thread_count = 1;                     // the same bytes on every machine
    if (av_get_bytes_per_sample(t->encoder->sample_fmt) == 4 && par->bits_per_raw_sample > 16 && t->encoder->sample_fmt == AV_SAMPLE_FMT_S32)
        t->encoder->bits_per_raw_sample = par->bits_per_raw_sample;
    err = av_channel_layout_copy(&t->encoder->ch_layout, layout);
    if (err >= 0)
        err = avcodec_open2(t->encoder, codec, NULL);
    if (err < 0)
        avcodec_free_context(&t->encoder);
    return err;
}

// Which channels an encoder takes, only opening it tells for all of them: the input's own, the usual ones of that number, then fewer.
static int open_audio_encoder(struct track *t, const AVCodec *codec)
{
    const AVChannelLayout *own = &t->in->codecpar->ch_layout;
    AVChannelLayout usual = {0};
    int err = AVERROR(EINVAL);

    if (own->order != AV_CHANNEL_ORDER_UNSPEC)
        err = try_audio_encoder(t, codec, own);
    for (int channels = own->nb_channels; err < 0 && channels > 0; channels--) {
        av_channel_layout_default(&usual, channels);
        err = try_audio_encoder(t, codec, &usual);
    }
    return err;
}

static int open_subtitle_encoder(struct track *t, const AVCodec *codec)
{
    t->encoder = avcodec_alloc_context3(codec);
    if (!t->encoder)
        return AVERROR(ENOMEM);
    t->encoder->time_base = AV_TIME_BASE_Q;
    t->encoder->width = t->in->codecpar->width;
    t->encoder->height = t->in->codecpar->height;
    if (t->decoder->subtitle_header) {
        // Its readers take it for a string.
        t->encoder->subtitle_header = av_mallocz((size_t)t->decoder->subtitle_header_size + 1);
        if (!t->encoder->subtitle_header)
            return AVERROR(ENOMEM);
        memcpy(t->encoder->subtitle_header, t->decoder->subtitle_header, (size_t)t->decoder->subtitle_header_size);
        t->encoder->subtitle_header_size = t->decoder->subtitle_header_size;
    }
    return avcodec_open2(t->encoder, codec, NULL);
}

static int open_decoder(struct track *t)
{
    const AVCodec *codec = avcodec_find_decoder(t->in->codecpar->codec_id);
    int err;

    if (!codec)
        return AVERROR_DECODER_NOT_FOUND;
    t->decoder = avcodec_alloc_context3(codec);
    if (!t->decoder)
        return AVERROR(ENOMEM);
    err = avcodec_parameters_to_context(t->decoder, t->in->codecpar);
    if (err < 0)
        return err;
    t->decoder->pkt_timebase = t->in->time_base;
    t->decoder->thread_count = 1;
    return avcodec_open2(t->decoder, codec, NULL);
}

static int open_track(struct track *t, const char *encoder, char **why)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(encoder);
    int err;

    if (!codec)
        return err_why(why, AVERROR_ENCODER_NOT_FOUND, "unknown encoder '%s'", encoder);
    err = open_decoder(t);
    if (err < 0)
        return err_why(why, err, "stream %u: no decoder for %s: %s", t->stream, avcodec_get_name(t->in->codecpar->codec_id), err_text(err));
    if (codec->type == AVMEDIA_TYPE_AUDIO && t->in->codecpar->codec_type == AVMEDIA_TYPE_AUDIO && t->in->codecpar->sample_rate > 0)
        err = open_audio_encoder(t, codec);
    else if (codec->type == AVMEDIA_TYPE_SUBTITLE && t->in->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE)
        err = open_subtitle_encoder(t, codec);
    else
        err = AVERROR(EINVAL);
    if (err < 0)
        return err_why(why, err, "stream %u cannot be converted with %s: %s", t->stream, encoder, err_text(err));
    return 0;
}

// ---- Sound ----

static int drain_encoder(struct track *t)
{
    AVPacket *out = av_packet_alloc();
    int err = AVERROR(ENOMEM);

    while (out && (err = avcodec_receive_packet(t->encoder, out)) >= 0) {
        err = put_packet(t, out);
        av_packet_unref(out);
        if (err < 0)
            break;
    }
    av_packet_free(&out);
    return err == AVERROR(EAGAIN) || err == AVERROR_EOF ? 0 : err;
}

// Others take a frame that is shorter than theirs for the last one.
static bool goes_on_behind_short(const AVCodec *encoder)
{
    return encoder->capabilities & (AV_CODEC_CAP_VARIABLE_FRAME_SIZE | AV_CODEC_CAP_SMALL_LAST_FRAME);
}

// goes_on: another graph follows. What is too little for a frame is left out then where it would be the encoder's last, as ffmpeg leaves it out.
static int drain_graph(struct track *t, bool goes_on)
{
    AVFrame *frame = av_frame_alloc();
    int err = AVERROR(ENOMEM);

    while (frame && (err = av_buffersink_get_frame(t->drain, frame)) >= 0) {
        if (goes_on && frame->nb_samples < t->encoder->frame_size && !goes_on_behind_short(t->encoder->codec)) {
            av_frame_unref(frame);
            continue;
        }
        if (frame->pts != AV_NOPTS_VALUE)
            frame->pts = av_rescale_q(frame->pts, av_buffersink_get_time_base(t->drain), t->encoder->time_base);
        err = avcodec_send_frame(t->encoder, frame);
        av_frame_unref(frame);
        if (err >= 0)
            err = drain_encoder(t);
        if (err < 0)
            break;
    }
    av_frame_free(&frame);
    return err == AVERROR(EAGAIN) || err == AVERROR_EOF ? 0 : err;
}

static int make_graph(struct track *t, const AVFrame *frame)
{
    char source[512], format[512], in_layout[128], out_layout[128];
    AVFilterContext *convert;
    int err;

    t->graph = avfilter_graph_alloc();
    if (!t->graph)
        return AVERROR(ENOMEM);
    t->graph->nb_threads = 1;
    t->graph_rate = frame->sample_rate;
    t->graph_format = frame->format;
    av_channel_layout_uninit(&t->graph_layout);
    err = av_channel_layout_copy(&t->graph_layout, &frame->ch_layout);
    if (err < 0)
        return err;
    // A file that does not say which channels it has, has the usual ones of that number.
    if (t->graph_layout.order == AV_CHANNEL_ORDER_UNSPEC)
        av_channel_layout_default(&t->graph_layout, frame->ch_layout.nb_channels);
    av_channel_layout_describe(&t->graph_layout, in_layout, sizeof(in_layout));
    av_channel_layout_describe(&t->encoder->ch_layout, out_layout, sizeof(out_layout));
    snprintf(source, sizeof(source), "time_base=1/%d:sample_rate=%d:sample_fmt=%s:channel_layout=%s", frame->sample_rate, frame->sample_rate,
             av_get_sample_fmt_name((enum AVSampleFormat)frame->format), in_layout);
    snprintf(format, sizeof(format), "sample_fmts=%s:sample_rates=%d:channel_layouts=%s", av_get_sample_fmt_name(t->encoder->sample_fmt),
             t->encoder->sample_rate, out_layout);
    err = avfilter_graph_create_filter(&t->source, avfilter_get_by_name("abuffer"), "in", source, NULL, t->graph);
    if (err >= 0)
        err = avfilter_graph_create_filter(&convert, avfilter_get_by_name("aformat"), "convert", format, NULL, t->graph);
    if (err >= 0)
        err = avfilter_graph_create_filter(&t->drain, avfilter_get_by_name("abuffersink"), "out", NULL, NULL, t->graph);
    if (err >= 0)
        err = avfilter_link(t->source, 0, convert, 0);
    if (err >= 0)
        err = avfilter_link(convert, 0, t->drain, 0);
    if (err >= 0)
        err = avfilter_graph_config(t->graph, NULL);
    if (err >= 0 && !(t->encoder->codec->capabilities & AV_CODEC_CAP_VARIABLE_FRAME_SIZE) && t->encoder->frame_size > 0)
        av_buffersink_set_frame_size(t->drain, (unsigned)t->encoder->frame_size);
    return err;
}

static int end_graph(struct track *t, bool goes_on)
{
    int err = 0;

    if (t->graph) {
        err = av_buffersrc_add_frame(t->source, NULL);
        if (err >= 0)
            err = drain_graph(t, goes_on);
    }
    avfilter_graph_free(&t->graph);
    return err;
}

static bool sound_changed(const struct track *t, const AVFrame *frame)
{
    if (frame->sample_rate != t->graph_rate || frame->format != t->graph_format || frame->ch_layout.nb_channels != t->graph_layout.nb_channels)
        return true;
    return frame->ch_layout.order != AV_CHANNEL_ORDER_UNSPEC && av_channel_layout_compare(&frame->ch_layout, &t->graph_layout) != 0;
}

static void set_time(struct track *t, AVFrame *frame)
{
    AVRational samples = {1, frame->sample_rate};

    if (frame->pts != AV_NOPTS_VALUE)
        frame->pts = av_rescale_delta(t->in->time_base, frame->pts, samples, frame->nb_samples, &t->rescale_last, samples);
    else
        frame->pts = t->next_pts;
    t->next_pts = frame->pts + frame->nb_samples;
}

static int filter_frame(struct track *t, AVFrame *frame)
{
    int err = 0;

    if (frame->sample_rate <= 0 || frame->nb_samples <= 0)
        return 0;
    set_time(t, frame);
    if (t->graph && sound_changed(t, frame))
        err = end_graph(t, true);
    if (err >= 0 && !t->graph)
        err = make_graph(t, frame);
    if (err < 0)
        return err;
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
        err = av_channel_layout_copy(&frame->ch_layout, &t->graph_layout);
        if (err < 0)
            return err;
    }
    err = av_buffersrc_add_frame(t->source, frame);
    return err < 0 ? err : drain_graph(t, false);
}

// packet NULL: the end. What does not decode is passed over, as ffmpeg does.
static int convert_sound(struct conversion *c, struct track *t, AVPacket *packet)
{
    int err;

    if (packet) {
        // A gap ends the run of exact steps from one time to the next.
        if (packet->duration && t->last_pts != AV_NOPTS_VALUE && packet->pts != AV_NOPTS_VALUE && packet->pts - t->last_pts > packet->duration)
            t->rescale_last = AV_NOPTS_VALUE;
        t->last_pts = packet->pts;
    }
    err = avcodec_send_packet(t->decoder, packet);
    if (err == AVERROR(ENOMEM))
        return err;
    while ((err = avcodec_receive_frame(t->decoder, c->frame)) != AVERROR(EAGAIN) && err != AVERROR_EOF) {
        if (err == AVERROR(ENOMEM))
            return err;
        if (err < 0)
            break;
        err = filter_frame(t, c->frame);
        av_frame_unref(c->frame);
        if (err < 0)
            return err;
    }
    if (packet)
        return 0;
    err = end_graph(t, false);
    if (err < 0)
        return err;
    err = avcodec_send_frame(t->encoder, NULL);
    return err < 0 ? err : drain_encoder(t);
}

// ---- Subtitles ----

static int encode_subtitle(struct conversion *c, struct track *t, AVSubtitle *subtitle)
{
    AVPacket *out;
    int64_t start_us, length_ms = 0;
    int size, err;

    if (subtitle->pts == AV_NOPTS_VALUE || subtitle->num_rects == 0)
        return 0;
    start_us = subtitle->pts + 1000 * (int64_t)subtitle->start_display_time;
    if (subtitle->end_display_time != UINT32_MAX && subtitle->end_display_time > subtitle->start_display_time)
        length_ms = (int64_t)subtitle->end_display_time - subtitle->start_display_time;
    // Encoders want these from zero.
    subtitle->pts = start_us;
    subtitle->start_display_time = 0;
    subtitle->end_display_time = (uint32_t)length_ms;
    size = avcodec_encode_subtitle(t->encoder, c->text, MAX_SUBTITLE_BYTES, subtitle);
    if (size <= 0)
        return size;
    out = av_packet_alloc();
    if (!out)
        return AVERROR(ENOMEM);
    err = av_new_packet(out, size);
    if (err >= 0) {
        memcpy(out->data, c->text, (size_t)size);
        out->pts = out->dts = av_rescale_q(start_us, AV_TIME_BASE_Q, t->encoder->time_base);
        out->duration = av_rescale_q(length_ms, (AVRational){1, 1000}, t->encoder->time_base);
        out->flags |= AV_PKT_FLAG_KEY;
        err = put_packet(t, out);
    }
    av_packet_free(&out);
    return err;
}

// packet NULL: the end. Decoders of closed captions give one when they see the next, so they are asked for the last with an empty packet.
static int convert_subtitle(struct conversion *c, struct track *t, AVPacket *packet)
{
    AVSubtitle subtitle = {0};
    int got = 0, err = 0;

    if (avcodec_decode_subtitle2(t->decoder, &subtitle, &got, packet ? packet : c->packet) >= 0 && got)
        err = encode_subtitle(c, t, &subtitle);
    avsubtitle_free(&subtitle);
    return err;
}

// ---- The whole ----

static int convert_packet(struct conversion *c, struct track *t, AVPacket *packet, char **why)
{
    int err = t->encoder->codec_type == AVMEDIA_TYPE_AUDIO ? convert_sound(c, t, packet) : convert_subtitle(c, t, packet);

    return err < 0 ? err_why(why, err, "stream %u cannot be converted to %s: %s", t->stream, t->encoder->codec->name, err_text(err)) : 0;
}

static struct track *track_of(struct conversion *c, int stream)
{
    for (size_t i = 0; i < c->track_count; i++)
        if ((int)c->tracks[i].stream == stream)
            return &c->tracks[i];
    return NULL;
}

// "1:libopus,3:webvtt"
static int open_tracks(struct conversion *c, const char *list, char **why)
{
    char *words = mem_dup(list), *rest = NULL;
    int err = 0;

    for (char *word = strtok_r(words, ",", &rest); word && !err; word = strtok_r(NULL, ",", &rest)) {
        char *end;
        unsigned long stream = strtoul(word, &end, 10);
        struct track *t;

        if (end == word || *end != ':' || stream >= c->input->nb_streams) {
            err = err_why(why, AVERROR(EINVAL), "'%s' names no stream and encoder", word);
            break;
        }
        c->tracks = mem_grow(c->tracks, c->track_count + 1, sizeof(*c->tracks));
        t = &c->tracks[c->track_count++];
        memset(t, 0, sizeof(*t));
        t->stream = (unsigned)stream;
        t->in = c->input->streams[stream];
        t->rescale_last = t->last_pts = AV_NOPTS_VALUE;
        err = open_track(t, end + 1, why);
        if (!err)
            err = put_stream(t);
    }
    free(words);
    return err;
}

static int open_input(struct conversion *c, const char *path, const char *list, const char *start, char **why)
{
    int err;

    c->input = avformat_alloc_context();
    if (!c->input)
        return err_why(why, AVERROR(ENOMEM), "%s", err_text(AVERROR(ENOMEM)));
    c->input->interrupt_callback = (AVIOInterruptCB){.callback = tell_alive, .opaque = c};
    err = demux_open(&c->input, path);
    if (err >= 0)
        err = avformat_find_stream_info(c->input, NULL);
    if (err < 0)
        return err_why(why, err, "cannot be opened: %s", err_text(err));
    retime_init(&c->retime, c->input, start ? strtoll(start, NULL, 10) : AV_NOPTS_VALUE);
    c->packet = av_packet_alloc();
    c->frame = av_frame_alloc();
    c->text = av_malloc(MAX_SUBTITLE_BYTES);
    if (!c->packet || !c->frame || !c->text)
        return err_why(why, AVERROR(ENOMEM), "%s", err_text(AVERROR(ENOMEM)));
    err = open_tracks(c, list, why);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < c->input->nb_streams; i++)
        c->input->streams[i]->discard = track_of(c, (int)i) || retime_needs(&c->retime, i) ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    return 0;
}

// A damaged input ends where it cannot be read further, like every reader of it has it; *read_error tells so.
static int convert_all(struct conversion *c, int *read_error, char **why)
{
    const AVIOContext *file = c->input->pb;
    int err = 0, end = 0;

    while (err >= 0 && (end = demux_read(c->input, c->packet)) >= 0) {
        if (retime_packet(&c->retime, c->packet)) {
            struct track *t = track_of(c, c->packet->stream_index);

            if (t)
                err = convert_packet(c, t, c->packet, why);
        }
        av_packet_unref(c->packet);
        tell_alive(c);
    }
    // Not the file is damaged here but what it lies on, which may be whole again later.
    if (err >= 0 && file && file->error < 0 && file->error != AVERROR_EOF)
        err = err_why(why, file->error, "cannot be read to its end: %s; the same command goes on when it can", err_text(file->error));
    *read_error = end == AVERROR_EOF ? 0 : end;
    for (size_t i = 0; i < c->track_count && err >= 0; i++)
        err = convert_packet(c, &c->tracks[i], NULL, why);
    return err;
}

static void close_all(struct conversion *c)
{
    for (size_t i = 0; i < c->track_count; i++) {
        struct track *t = &c->tracks[i];

        avfilter_graph_free(&t->graph);
        av_channel_layout_uninit(&t->graph_layout);
        avcodec_free_context(&t->decoder);
        avcodec_free_context(&t->encoder);
    }
    free(c->tracks);
    av_packet_free(&c->packet);
    av_frame_free(&c->frame);
    av_free(c->text);
    retime_clear(&c->retime);
    avformat_close_input(&c->input);
}

int convert_main(int argc, char **argv)
{
    struct conversion c = {0};
    char *why = NULL;
    int err, read_error = 0;

    if (argc < 4 || argc > 5) {
        fputs("Usage: renderfarm-renderer --convert INPUT STREAM:ENCODER[,STREAM:ENCODER...] [START_US]\n", stderr);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    av_log_set_level(AV_LOG_QUIET);
    jail_begin();
    // A file may name others that lie beside it, so all may be read.
    jail_enter(&(struct jail){.files = JAIL_FILES_READ, .network = strstr(argv[2], "//") != NULL});
    err = open_input(&c, argv[2], argv[3], argc > 4 ? argv[4] : NULL, &why);
    if (err >= 0)
        err = convert_all(&c, &read_error, &why);
    if (err >= 0) {
        put_end(read_error);
    } else if (err != -EPIPE) { // else nobody listens
        err_why(&why, err, "%s", err_text(err));
        put_failed(why);
    }
    close_all(&c);
    free(why);
    return fflush(stdout) == 0 && err >= 0 ? 0 : 1;
}
