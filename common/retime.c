#include "retime.h"

#include "avx.h"
#include "mem.h"

#include <libavutil/mathematics.h>

#include <stdlib.h>
#include <string.h>

// Limits of the ffmpeg program: beyond them a time is a jump (formats that may jump) or an error (others).
#define JUMP_US (10 * (int64_t)AV_TIME_BASE)
#define ERROR_US (30 * 3600 * (int64_t)AV_TIME_BASE)
// Streams of one recording do not begin and end at quite the same time.
#define TOGETHER_US ((int64_t)AV_TIME_BASE)

// How many frames the stream's decoder begins by holding back: what was found when the file was opened, or more where the headers say so.
static unsigned decoder_delay(const AVFormatContext *input, const AVStream *st)
{
    bool matters = !AVX_FFTOOLS_6_1 && retime_may_jump(input);
    const AVCodec *decoder = matters ? avcodec_find_decoder(st->codecpar->codec_id) : NULL;
    AVCodecContext *context = decoder ? avcodec_alloc_context3(decoder) : NULL;
    int delay = st->codecpar->video_delay;

    if (context) {
        context->thread_count = 1;
        if (avcodec_parameters_to_context(context, st->codecpar) >= 0 && avcodec_open2(context, decoder, NULL) >= 0)
            delay = context->has_b_frames;
        avcodec_free_context(&context);
    }
    return (unsigned)av_clip(delay, 0, RETIME_MAX_DELAY);
}

void retime_init(struct retime *r, const AVFormatContext *input, int64_t start_us)
{
    memset(r, 0, sizeof(*r));
    r->input = input;
    r->lead = avx_main_video(input);
    if (start_us == AV_NOPTS_VALUE)
        start_us = input->start_time == AV_NOPTS_VALUE ? 0 : input->start_time;
    r->offset_us = -start_us;
    r->last_ts_us = AV_NOPTS_VALUE;
    r->stream_count = input->nb_streams;
    r->streams = mem_zalloc(r->stream_count * sizeof(*r->streams));
    for (unsigned i = 0; i < r->stream_count; i++) {
        r->streams[i] = (struct retime_stream){.dts_us = AV_NOPTS_VALUE, .next_dts_us = AV_NOPTS_VALUE, .rescale_last = AV_NOPTS_VALUE};
        if (input->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
            r->streams[i].delay = decoder_delay(input, input->streams[i]);
    }
}

void retime_clear(struct retime *r)
{
    free(r->streams);
    memset(r, 0, sizeof(*r));
}

bool retime_may_jump(const AVFormatContext *input)
{
    return input->iformat->flags & AVFMT_TS_DISCONT;
}

bool retime_needs(const struct retime *r, unsigned stream)
{
    return retime_may_jump(r->input) && (int)stream == r->lead;
}

// Times of damaged files may be anything.
static int64_t plus(int64_t a, int64_t b)
{
    return av_sat_add64(a, b);
}

static int64_t minus(int64_t a, int64_t b)
{
    return av_sat_sub64(a, b);
}

static int64_t to_us(int64_t ts, AVRational time_base)
{
    return av_rescale_q_rnd(ts, time_base, AV_TIME_BASE_Q, AV_ROUND_NEAR_INF | AV_ROUND_PASS_MINMAX);
}

static void shift(AVPacket *packet, int64_t delta_us, AVRational time_base)
{
    int64_t delta = av_rescale_q(delta_us, AV_TIME_BASE_Q, time_base);

    if (packet->dts != AV_NOPTS_VALUE)
        packet->dts = plus(packet->dts, delta);
    if (packet->pts != AV_NOPTS_VALUE)
        packet->pts = plus(packet->pts, delta);
}

// Times that lie more than half the clock's range behind the start were before the start: the clock has just wrapped.
static void unwrap(struct retime *r, struct retime_stream *s, const AVStream *st, AVPacket *packet)
{
    int64_t start, half;

    if (s->wrap_checked || r->input->start_time == AV_NOPTS_VALUE || st->pts_wrap_bits >= 63 || st->pts_wrap_bits < 2)
        return;
    start = av_rescale_q(r->input->start_time, AV_TIME_BASE_Q, st->time_base);
    half = INT64_C(1) << (st->pts_wrap_bits - 1);
    s->wrap_checked = true;
    if (packet->dts != AV_NOPTS_VALUE && packet->dts > plus(start, half)) {
        packet->dts = minus(packet->dts, 2 * half);
        s->wrap_checked = false;
    }
    if (packet->pts != AV_NOPTS_VALUE && packet->pts > plus(start, half)) {
        packet->pts = minus(packet->pts, 2 * half);
        s->wrap_checked = false;
    }
}

// Only sound and pictures have times dense enough to tell a jump by.
static bool is_dense(const AVStream *st)
{
    return st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO || st->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
}

static bool leads(const struct retime *r, const struct retime_stream *s)
{
    return s - r->streams == r->lead;
}

// How far a stream is apart from the video until both have come to the jump. Then the sound belongs to its pictures, whatever overlaps or is missing.
static int64_t apart(int64_t distance_us)
{
    return distance_us > -TOGETHER_US && distance_us < TOGETHER_US ? 0 : distance_us;
}

static void jump(struct retime *r, struct retime_stream *s, AVPacket *packet, AVRational time_base, int64_t delta_us)
{
    int64_t before_us = s->apart_us;

    if (!leads(r, s)) {
        s->apart_us = apart(minus(s->apart_us, delta_us));
        shift(packet, minus(s->apart_us, before_us), time_base);
        return;
    }
    shift(packet, minus(0, delta_us), time_base);
    r->offset_us = minus(r->offset_us, delta_us);
    for (unsigned i = 0; i < r->stream_count; i++)
        if (&r->streams[i] != s && r->streams[i].seen && is_dense(r->input->streams[i]))
            r->streams[i].apart_us = apart(plus(r->streams[i].apart_us, delta_us));
}

static void mend(struct retime *r, struct retime_stream *s, const AVStream *st, AVPacket *packet)
{
    int64_t dts_us = to_us(packet->dts, st->time_base), delta;
    bool may_jump = retime_may_jump(r->input);

    if (packet->dts == AV_NOPTS_VALUE)
        return;
    if (s->next_dts_us == AV_NOPTS_VALUE) {
        delta = r->last_ts_us == AV_NOPTS_VALUE ? 0 : minus(dts_us, r->last_ts_us);
        if (may_jump && (delta < -JUMP_US || delta > JUMP_US))
            jump(r, s, packet, st->time_base, delta);
        return;
    }
    delta = minus(dts_us, s->next_dts_us);
    if (may_jump) {
        if (delta < -JUMP_US || delta > JUMP_US || plus(dts_us, AV_TIME_BASE / 10) < s->passed_us)
            jump(r, s, packet, st->time_base, delta);
        return;
    }
    if (delta < -ERROR_US || delta > ERROR_US)
        packet->dts = AV_NOPTS_VALUE;
    if (packet->pts != AV_NOPTS_VALUE) {
        delta = minus(to_us(packet->pts, st->time_base), s->next_dts_us);
        if (delta < -ERROR_US || delta > ERROR_US)
            packet->pts = AV_NOPTS_VALUE;
    }
}

static int64_t length_us(const AVStream *st, const AVPacket *packet)
{
    const AVCodecParameters *par = st->codecpar;

    if (par->codec_type == AVMEDIA_TYPE_AUDIO && par->sample_rate > 0 && par->frame_size > 0)
        return av_rescale(AV_TIME_BASE, par->frame_size, par->sample_rate);
    if (packet->duration > 0)
        return av_rescale_q(packet->duration, st->time_base, AV_TIME_BASE_Q);
    if (par->codec_type == AVMEDIA_TYPE_VIDEO && st->avg_frame_rate.num > 0 && st->avg_frame_rate.den > 0)
        return av_rescale(AV_TIME_BASE, st->avg_frame_rate.den, st->avg_frame_rate.num);
    return 0;
}

// Before 6.1 the ffmpeg program looks at the times of the decoded frames as well, and takes them for 0 until there is one: that makes a jump of what
// comes before the first whole picture of a recording that was cut anywhere. Nobody decodes here, so the decoder is imagined: nothing comes before a
// keyframe, then frames in the order shown, as soon as one more is there than the stream's delay. Returns whether a frame came out.
static bool imagine_decoder(struct retime_stream *s, const AVStream *st, const AVPacket *packet)
{
    int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    unsigned i;

    s->decodes = s->decodes || packet->flags & AV_PKT_FLAG_KEY;
    if (!s->decodes || pts == AV_NOPTS_VALUE)
        return false;
    pts = to_us(pts, st->time_base);
    for (i = s->held++; i > 0 && s->frames[i - 1].pts_us > pts; i--)
        s->frames[i] = s->frames[i - 1];
    s->frames[i] = (struct retime_frame){.pts_us = pts, .length_us = length_us(st, packet)};
    if (s->held <= s->delay)
        return false;
    s->shown_us = plus(s->frames[0].pts_us, s->frames[0].length_us);
    memmove(s->frames, s->frames + 1, --s->held * sizeof(s->frames[0]));
    return true;
}

bool retime_packet(struct retime *r, AVPacket *packet)
{
    const AVStream *st;
    struct retime_stream *s;

    if (packet->stream_index < 0 || (unsigned)packet->stream_index >= r->stream_count)
        return false;
    st = r->input->streams[packet->stream_index];
    s = &r->streams[packet->stream_index];
    unwrap(r, s, st, packet);
    shift(packet, plus(r->offset_us, s->apart_us), st->time_base);
    if (is_dense(st))
        mend(r, s, st, packet);
    if (packet->dts != AV_NOPTS_VALUE && leads(r, s))
        r->last_ts_us = av_rescale_q(packet->dts, st->time_base, AV_TIME_BASE_Q);

    if (!s->seen) {
        s->dts_us = 0;
        if (st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && st->avg_frame_rate.num > 0 && st->avg_frame_rate.den > 0)
            s->dts_us = -av_rescale(AV_TIME_BASE, (int64_t)s->delay * st->avg_frame_rate.den, st->avg_frame_rate.num);
        if (packet->pts != AV_NOPTS_VALUE && (AVX_FFTOOLS_6_1 || st->codecpar->codec_type != AVMEDIA_TYPE_VIDEO))
            s->dts_us = plus(s->dts_us, av_rescale_q(packet->pts, st->time_base, AV_TIME_BASE_Q));
        s->next_dts_us = s->dts_us;
        s->seen = true;
    }
    s->dts_us = packet->dts != AV_NOPTS_VALUE ? av_rescale_q(packet->dts, st->time_base, AV_TIME_BASE_Q) : s->next_dts_us;
    s->next_dts_us = plus(s->dts_us, length_us(st, packet));
    s->passed_us = s->dts_us;
    if (!AVX_FFTOOLS_6_1 && st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO)
        s->passed_us = FFMAX(imagine_decoder(s, st, packet) ? s->next_dts_us : s->dts_us, s->shown_us);
    return true;
}

void retime_copy(struct retime *r, AVPacket *packet)
{
    const AVStream *st = r->input->streams[packet->stream_index];
    AVCodecParameters *par = st->codecpar;
    struct retime_stream *s = &r->streams[packet->stream_index];

    if (packet->dts == AV_NOPTS_VALUE) {
        packet->dts = av_rescale_q(s->dts_us, AV_TIME_BASE_Q, st->time_base);
    } else if (par->codec_type == AVMEDIA_TYPE_AUDIO && par->sample_rate > 0) {
        int samples = av_get_audio_frame_duration2(par, packet->size);

        // Coarse time bases (Matroska's milliseconds) would otherwise jitter when they become samples again.
        packet->dts = av_rescale_delta(st->time_base, packet->dts, (AVRational){1, par->sample_rate}, samples ? samples : par->frame_size,
                                       &s->rescale_last, st->time_base);
        packet->pts = packet->dts;
    }
}
