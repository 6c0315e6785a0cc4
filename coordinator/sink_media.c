#include "sink_kinds.h"

#include "bare.h"
#include "container.h"
#include "converted.h"
#include "header.h"
#include "input_file.h"
#include "others.h"
#include "output_file.h"
#include "streams.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"

#include <libavutil/common.h>
#include <libavutil/mathematics.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct media {
    struct sink sink;
    struct output_file file;
    struct input_file input;
    char *input_path;
    const AVOutputFormat *format;
    const AVCodec *encoder;
    bool autorotate;
    const struct finished *finished;
    struct others *others;
    struct converted *converted; // NULL: nothing is
    struct streams streams;
    struct header_track *tracks; // one per input stream
    int64_t *last_dts;           // of each, given to the muxer, in its time base
    AVFormatContext *output;
    _Atomic uint64_t bytes;
};

static const struct sink_kind media_kind;
static void media_close(struct sink *sink);

static struct media *media_of(struct sink *sink)
{
    return (struct media *)(void *)sink; // its first member
}

// ---- Opening: all decisions, nothing on disk yet ----

// NULL where they come from another file.
static const struct stat *noted_of_others(const struct sink_setup *setup)
{
    return strcmp(sink_others(setup), setup->input) == 0 ? setup->noted : NULL;
}

static int start_conversion(struct media *s, const struct sink_setup *setup, int64_t start_us, char **why)
{
    struct converted_wish *wishes = mem_zalloc(s->streams.count * sizeof(*wishes));
    const struct converted_setup how = {
        .renderer = setup->renderer,
        .input = sink_others(setup),
        .noted = noted_of_others(setup),
        .start_us = start_us,
        .stall_s = setup->stall_s,
        .hurry = setup->hurry,
    };
    size_t count = 0;
    int err = 0;

    for (unsigned i = 0; i < s->streams.count; i++)
        if (s->streams.choices[i].fate == STREAM_CONVERTED)
            wishes[count++] = (struct converted_wish){i, s->streams.choices[i].encoder->name};
    if (count > 0)
        err = converted_open(&s->converted, &how, wishes, count, why);
    free(wishes);
    return err;
}

static int open_others(struct media *s, const struct sink_setup *setup, char **why)
{
    struct streams_wish wish = {s->format, setup->output, setup->no_audio, setup->no_subtitles, setup->no_other_video};
    int64_t start_us = setup->start_s ? llrint(*setup->start_s * AV_TIME_BASE) : AV_NOPTS_VALUE;
    bool *wanted;
    int err;

    err = others_open(&s->others, sink_others(setup), start_us, why);
    if (err >= 0)
        err = input_file_expect(noted_of_others(setup), sink_others(setup), why);
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
    s->finished = setup->finished;
    err = container_choose(&s->format, setup->output, why);
    if (!err)
        err = output_file_check(&s->file, setup->output, setup->input, setup->overwrite, why);
    if (!err)
        err = container_choose_encoder(&s->encoder, s->format, setup->output, setup->codec, why);
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

static bool has_other_video(const struct media *s)
{
    for (unsigned i = 0; i < s->streams.count; i++) {
        const AVStream *st = others_input(s->others)->streams[i];

        if (s->streams.choices[i].fate == STREAM_COPIED && st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
            !(st->disposition & AV_DISPOSITION_ATTACHED_PIC))
            return true;
    }
    return false;
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
    struct header header;
    int err = avformat_alloc_output_context2(&s->output, s->format, NULL, s->file.path);

    if (err < 0)
        goto fail;
    s->tracks = mem_zalloc(s->streams.count * sizeof(*s->tracks));
    s->last_dts = mem_zalloc(s->streams.count * sizeof(*s->last_dts));
    for (unsigned i = 0; i < s->streams.count; i++)
        s->last_dts[i] = AV_NOPTS_VALUE;
    header = (struct header){
        .output = s->output,
        .video = video,
        .encoder = s->encoder->name,
        .autorotate = s->autorotate,
        .others = s->others,
        .converted = s->converted,
        .streams = &s->streams,
        .tracks = s->tracks,
    };
    err = header_fill(&header);
    if (err < 0)
        goto fail;
    err = open_output(s, why);
    if (err < 0)
        goto fail;
    avx_log_forget();
    err = avformat_write_header(s->output, NULL);
    if (err < 0) {
        const char *detail = avx_log_error();

        return err_why(why, err, "%s: the %s header cannot be written: %s%s", s->file.path, s->format->name, *detail ? detail : err_text(err),
                       has_other_video(s) ? " (--no-other-video leaves out all video streams but the first)" : "");
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
static void mend_times(const struct media *s, int64_t last_dts, enum AVMediaType type, AVPacket *packet)
{
    if (s->format->flags & AVFMT_NOTIMESTAMPS)
        return;
    if (packet->dts != AV_NOPTS_VALUE && packet->pts != AV_NOPTS_VALUE && packet->dts > packet->pts) {
        int64_t next = last_dts == AV_NOPTS_VALUE ? packet->pts : av_sat_add64(last_dts, 1);

        packet->pts = packet->dts = between(packet->pts, packet->dts, next);
    }
    if (type != AVMEDIA_TYPE_AUDIO && type != AVMEDIA_TYPE_VIDEO && type != AVMEDIA_TYPE_SUBTITLE)
        return;
    if (packet->dts != AV_NOPTS_VALUE && last_dts != AV_NOPTS_VALUE) {
        int64_t least = av_sat_add64(last_dts, !(s->format->flags & AVFMT_TS_NONSTRICT));

        if (packet->dts < least) {
            if (packet->pts >= packet->dts && packet->pts < least)
                packet->pts = least;
            packet->dts = least;
        }
    }
}

static int write_packet(struct media *s, unsigned stream, AVPacket *packet, char **why)
{
    const struct header_track *track = &s->tracks[stream];
    AVStream *out = s->output->streams[track->output];
    int err;

    if (packet->pts != AV_NOPTS_VALUE)
        packet->pts = av_sat_add64(packet->pts, track->delay);
    if (packet->dts != AV_NOPTS_VALUE)
        packet->dts = av_sat_add64(packet->dts, track->delay);
    av_packet_rescale_ts(packet, track->time_base, out->time_base);
    mend_times(s, s->last_dts[stream], out->codecpar->codec_type, packet);
    s->last_dts[stream] = packet->dts;
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
        const AVPacket *copied = NULL, *converted = NULL;
        int64_t copied_us, converted_us;
        AVPacket *packet;
        int err = others_peek(s->others, &copied, why);

        if (err >= 0 && s->converted)
            err = converted_peek(s->converted, &converted, why);
        if (err < 0)
            return err;
        copied_us = copied ? time_us(copied, s->tracks[copied->stream_index].time_base) : INT64_MAX;
        converted_us = converted ? time_us(converted, s->tracks[converted->stream_index].time_base) : INT64_MAX;
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
    return output_file_publish(&s->file, s->finished, why);
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
    free(s->last_dts);
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
