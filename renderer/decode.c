#include "decode.h"

#include "png_decode.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"
#include "common/protocol.h"

#include <libavutil/mathematics.h>

#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 4 }; // where much is missing here and there, many renderers decode so at a time

// How the ffmpeg program of 5.1 and 6.0 keeps time: in microseconds.
struct old_clock {
    bool started;
    int64_t dts_us, next_dts_us, next_pts_us;
    int64_t packet_duration; // of the packet in work, 0 for none
    int packet_ticks;        // what lasts as long as it by its parser, 0 for no parser
    bool counted;            // the packet's length is in next_dts_us
    int64_t *left;           // decode times for frames that come out at the end without any other time
    size_t left_first, left_count, left_room;
};

// And since 6.1: in the stream's time base.
struct new_clock {
    int64_t last_pts, last_duration;
};

struct decode {
    AVCodecContext *context;
    bool pictures;    // packets are whole PNGs for libpng: the context only tells of formats and times
    AVFrame *picture; // that came of one
    AVRational time_base, rate, average_rate, aspect_ratio;
    struct old_clock old_clock;
    struct new_clock new_clock;
    bool seen_packet;
    bool no_times; // the packets carry none, as in elementary streams
    bool flushing;
    bool side_by_side;   // several threads
    bool unclean;        // a packet was without its times
    unsigned complaints; // that there had been when it began
    int64_t packet_pts;
    uint64_t error_count;
    char *first_error;
    int64_t first_error_pts;
};

static const AVRational microseconds = {1, AV_TIME_BASE};

static const AVCodec *find_decoder(const Wire__Job *job)
{
    return avcodec_find_decoder((enum AVCodecID)job->input->codec_id);
}

int decode_check(const Wire__Job *job, char **why)
{
    if (!find_decoder(job))
        return err_why(why, AVERROR_DECODER_NOT_FOUND, "there is no decoder for the codec %s",
                       avcodec_get_name((enum AVCodecID)job->input->codec_id));
    return 0;
}

const char *decode_name(const Wire__Job *job)
{
    const AVCodec *decoder = find_decoder(job);

    return job->pictures ? PROTOCOL_LIBPNG : decoder ? decoder->name : "none";
}

static int set_parameters(struct decode *d, const Wire__Job *job, const void *extradata, size_t extradata_size)
{
    AVCodecParameters *par = avcodec_parameters_alloc();
    int err = AVERROR(ENOMEM);

    if (!par)
        return err;
    err = packets_parameters_from_wire(par, job->input);
    if (err < 0)
        goto done;
    if (extradata) {
        av_freep(&par->extradata);
        par->extradata_size = 0;
        par->extradata = av_mallocz(extradata_size + AV_INPUT_BUFFER_PADDING_SIZE);
        err = AVERROR(ENOMEM);
        if (!par->extradata)
            goto done;
        memcpy(par->extradata, extradata, extradata_size);
        par->extradata_size = (int)extradata_size;
    }
    for (size_t i = 0; i < job->n_input_side_data; i++) {
        const Wire__SideData *side = job->input_side_data[i];

        err = avx_parameters_side_add(par, (enum AVPacketSideDataType)side->type, side->data.data, side->data.len);
        if (err < 0)
            goto done;
    }
    err = avcodec_parameters_to_context(d->context, par);

done:
    avcodec_parameters_free(&par);
    return err;
}

// Those that have long runs of frames without a keyframe, and whose threads are held to the same frames by FFmpeg's own tests.
static bool goes_side_by_side(const AVCodec *decoder)
{
    return (decoder->id == AV_CODEC_ID_H264 || decoder->id == AV_CODEC_ID_HEVC) && (decoder->capabilities & AV_CODEC_CAP_FRAME_THREADS);
}

int decode_new(struct decode **result, const Wire__Job *job, const void *extradata, size_t extradata_size, unsigned threads, char **why)
{
    const AVCodec *decoder = find_decoder(job);
    struct decode *d;
    int err = decode_check(job, why);

    if (err < 0)
        return err;
    d = mem_zalloc(sizeof(*d));
    d->pictures = job->pictures;
    d->time_base = packets_rational_from_wire(job->input_time_base);
    d->rate = packets_rational_from_wire(job->input_frame_rate);
    if (job->input_average_rate)
        d->average_rate = packets_rational_from_wire(job->input_average_rate);
    d->aspect_ratio = packets_rational_from_wire(job->input->sample_aspect_ratio);
    d->new_clock.last_pts = d->first_error_pts = AV_NOPTS_VALUE;
    d->context = avcodec_alloc_context3(decoder);
    err = AVERROR(ENOMEM);
    if (!d->context)
        goto fail;
    err = set_parameters(d, job, extradata, extradata_size);
    if (err < 0)
        goto fail;
    d->context->pkt_timebase = d->time_base;
    d->context->framerate = d->average_rate;
    d->side_by_side = threads > 1 && goes_side_by_side(decoder);
    d->complaints = avx_decoder_complaints();
    d->context->thread_type = FF_THREAD_FRAME;
    d->context->thread_count = d->side_by_side ? (int)FFMIN(threads, MOST_THREADS) : 1;
    avx_decoder_prepare(d->context);
    avx_log_forget();
    err = avcodec_open2(d->context, decoder, NULL);
    if (err < 0)
        goto fail;
    *result = d;
    return 0;

fail:
    err_why(why, err, "the decoder %s could not be opened: %s", decoder->name, *avx_log_error() ? avx_log_error() : err_text(err));
    decode_free(&d);
    return err;
}

// A packet whose length nobody knows brings what its parser says.
static int take_ticks(AVPacket *packet)
{
    int ticks = packet->duration < 0 ? (int)FFMIN(-(packet->duration + 1), PACKETS_MAX_TICKS - 1) + 1 : 0;

    if (ticks)
        packet->duration = 0;
    return ticks;
}

// Asks the decoder once more, with the next packet or at the end without one.
static void old_clock_turn(struct old_clock *c)
{
    if (c->next_dts_us == AV_NOPTS_VALUE)
        c->next_dts_us = c->dts_us;
    c->dts_us = c->next_dts_us;
    c->counted = false;
}

// Before 6.1, packets without a decode time got an estimated one, and those with one a time rounded to microseconds.
static void old_clock_packet(struct decode *d, AVPacket *packet, int ticks)
{
    struct old_clock *c = &d->old_clock;

    if (!c->started) {
        c->started = true;
        c->next_dts_us =
            d->average_rate.num > 0 && d->average_rate.den > 0 ? (int64_t)(-d->context->has_b_frames * AV_TIME_BASE / av_q2d(d->average_rate)) : 0;
    }
    if (packet && packet->dts != AV_NOPTS_VALUE)
        c->next_dts_us = av_rescale_q(packet->dts, d->time_base, microseconds);
    old_clock_turn(c);
    c->packet_duration = packet ? packet->duration : 0;
    c->packet_ticks = ticks;
    if (packet)
        packet->dts = c->dts_us == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : av_rescale_q(c->dts_us, microseconds, d->time_base);
}

static int64_t old_clock_step(const struct decode *d)
{
    const AVRational rate = d->context->framerate;
    int per_frame = avx_ticks_per_frame(d->context);

    if (d->old_clock.packet_duration)
        return av_rescale_q(d->old_clock.packet_duration, d->time_base, microseconds);
    if (rate.num && rate.den)
        return (int64_t)AV_TIME_BASE * rate.den * (d->old_clock.packet_ticks ? d->old_clock.packet_ticks : per_frame) / rate.num / per_frame;
    return 0;
}

// A decoder was asked for a frame: the decode clock goes on once for every packet, and for every further frame.
static void old_clock_asked(struct decode *d, bool got_frame)
{
    struct old_clock *c = &d->old_clock;
    int64_t step = old_clock_step(d);

    if (c->counted && !got_frame)
        return;
    c->counted = true;
    c->next_dts_us = c->dts_us != AV_NOPTS_VALUE && step ? c->next_dts_us + step : AV_NOPTS_VALUE;
    if (d->flushing)
        old_clock_turn(c);
    else if (got_frame)
        c->dts_us = c->next_dts_us;
}

static void old_clock_frame(struct decode *d, AVFrame *frame)
{
    struct old_clock *c = &d->old_clock;
    int64_t pts = frame->best_effort_timestamp;
    int64_t duration = avx_frame_duration(frame);

    if (d->flushing && pts == AV_NOPTS_VALUE && c->left_first < c->left_count)
        pts = c->left[c->left_first++];
    if (pts != AV_NOPTS_VALUE) {
        frame->pts = pts;
        c->next_pts_us = av_rescale_q(pts, d->time_base, microseconds);
    }
    c->next_pts_us += duration > 0 ? av_rescale_q(duration, d->time_base, microseconds) : old_clock_step(d);
}

static void old_clock_flush(struct decode *d)
{
    struct old_clock *c = &d->old_clock;

    if (c->left_count == c->left_room) {
        c->left_room = c->left_room ? 2 * c->left_room : 16;
        c->left = mem_grow(c->left, c->left_room, sizeof(*c->left));
    }
    c->left[c->left_count++] = c->dts_us == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : av_rescale_q(c->dts_us, microseconds, d->time_base);
}

static int64_t new_clock_duration(const struct decode *d, const AVFrame *frame)
{
    const AVRational rate = d->context->framerate;
    int64_t difference = frame->pts != AV_NOPTS_VALUE && d->new_clock.last_pts != AV_NOPTS_VALUE ? frame->pts - d->new_clock.last_pts : -1;
    int64_t by_codec = 0, by_rate;

    // Durations of packets without timestamps are guessed by the demuxer; the codec knows better.
    if (avx_frame_duration(frame) > 0 && !d->no_times)
        return avx_frame_duration(frame);
    if (rate.num && rate.den)
        by_codec = av_rescale_q(frame->repeat_pict + 2, av_inv_q(av_mul_q(rate, (AVRational){2, 1})), d->time_base);
    if (by_codec > 0 && d->no_times)
        return by_codec;
    if (difference > 0)
        return difference;
    if (avx_frame_duration(frame) > 0)
        return avx_frame_duration(frame);
    if (by_codec > 0)
        return by_codec;
    if (d->rate.num > 0 && d->rate.den > 0) {
        by_rate = av_rescale_q(1, av_inv_q(d->rate), d->time_base);
        if (by_rate > 0)
            return by_rate;
    }
    return d->new_clock.last_duration > 1 ? d->new_clock.last_duration : 1;
}

static void new_clock_frame(struct decode *d, AVFrame *frame)
{
    struct new_clock *c = &d->new_clock;

    frame->pts = frame->best_effort_timestamp;
    if (frame->pts == AV_NOPTS_VALUE)
        frame->pts = c->last_pts == AV_NOPTS_VALUE ? 0 : c->last_pts + c->last_duration;
    c->last_duration = new_clock_duration(d, frame);
    c->last_pts = frame->pts;
}

static void note_error(struct decode *d, int err)
{
    if (d->error_count++)
        return;
    d->first_error = mem_format("%s: %s", d->context->codec->name, *avx_log_error() ? avx_log_error() : err_text(err));
    d->first_error_pts = d->packet_pts;
}

// The decoder made a picture, but not out of what the packet should have held. It is used all the same, as ffmpeg does.
static void note_patched(struct decode *d, const AVFrame *frame)
{
    if (!frame->decode_error_flags && !(frame->flags & AV_FRAME_FLAG_CORRUPT))
        return;
    if (d->error_count++ == 0) {
        d->first_error_pts = frame->best_effort_timestamp;
        d->first_error = mem_format("%s: a picture was patched up from damaged data", d->context->codec->name);
    }
}

// What libavcodec would have set beside the picture.
static void set_times(AVFrame *frame, const AVPacket *packet)
{
    frame->pts = frame->best_effort_timestamp = packet->pts;
    frame->pkt_dts = packet->dts;
    frame->pict_type = AV_PICTURE_TYPE_I;
    avx_frame_set_duration(frame, packet->duration);
    avx_frame_set_fields(frame, true, false, false);
}

static int decode_picture(struct decode *d, const AVPacket *packet)
{
    char reason[PNG_DECODE_REASON_BYTES];
    int err;

    d->picture = av_frame_alloc();
    if (!d->picture)
        return AVERROR(ENOMEM);
    err = png_decode_packet(packet, d->picture, reason);
    if (err >= 0) {
        set_times(d->picture, packet);
        return 0;
    }
    av_frame_free(&d->picture);
    if (err == AVERROR_INVALIDDATA && d->error_count++ == 0) {
        d->first_error = mem_format("%s: %s", PROTOCOL_LIBPNG, reason);
        d->first_error_pts = d->packet_pts;
    }
    return err;
}

static int send_packet(struct decode *d, const AVPacket *packet)
{
    int err;

    if (!d->pictures)
        return avcodec_send_packet(d->context, packet);
    err = packet ? decode_picture(d, packet) : 0;
    return err == AVERROR_INVALIDDATA ? 0 : err; // it is counted
}

static int receive_frame(struct decode *d, AVFrame *frame)
{
    if (!d->pictures)
        return avcodec_receive_frame(d->context, frame);
    if (!d->picture)
        return d->flushing ? AVERROR_EOF : AVERROR(EAGAIN);
    av_frame_move_ref(frame, d->picture);
    av_frame_free(&d->picture);
    return 0;
}

// Damage is patched up from what is there at that moment, which with several threads is not the same.
static bool is_clean(const struct decode *d)
{
    return !d->unclean && d->error_count == 0 && avx_decoder_complaints() == d->complaints;
}

int decode_send(struct decode *d, AVPacket *packet)
{
    int ticks = packet ? take_ticks(packet) : 0, err;

    d->flushing = !packet;
    if (packet) {
        if (!d->seen_packet)
            d->no_times = packet->pts == AV_NOPTS_VALUE && packet->dts == AV_NOPTS_VALUE;
        d->seen_packet = true;
        // Times that are missing are guessed from what came before.
        d->unclean |= packet->pts == AV_NOPTS_VALUE || packet->dts == AV_NOPTS_VALUE;
        d->packet_pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    }
    if (!AVX_FFTOOLS_6_1)
        old_clock_packet(d, packet, ticks);
    // A packet without payload would mean the end of the stream.
    if (packet && !packet->size) {
        if (!AVX_FFTOOLS_6_1)
            old_clock_asked(d, false);
        return 0;
    }
    avx_log_forget();
    err = send_packet(d, packet);
    if (err == AVERROR(ENOMEM))
        return err;
    if (err < 0 && err != AVERROR_EOF) {
        note_error(d, err);
        if (!AVX_FFTOOLS_6_1)
            old_clock_asked(d, false);
    }
    return 0;
}

int decode_receive(struct decode *d, AVFrame *frame)
{
    int err;

    for (;;) {
        if (!AVX_FFTOOLS_6_1 && d->flushing)
            old_clock_flush(d);
        avx_log_forget();
        err = receive_frame(d, frame);
        if (!AVX_FFTOOLS_6_1 && err != AVERROR_EOF && err >= 0)
            old_clock_frame(d, frame);
        if (!AVX_FFTOOLS_6_1 && err != AVERROR_EOF)
            old_clock_asked(d, err >= 0);
        if (err >= 0 || err == AVERROR(EAGAIN) || err == AVERROR_EOF || err == AVERROR(ENOMEM))
            break;
        note_error(d, err);
    }
    if (err < 0)
        return err;
    note_patched(d, frame);
    if (d->side_by_side && !is_clean(d)) {
        av_frame_unref(frame);
        return ERR_AGAIN_DECODING_ALL;
    }
    if (AVX_FFTOOLS_6_1)
        new_clock_frame(d, frame);
    if (d->aspect_ratio.num)
        frame->sample_aspect_ratio = d->aspect_ratio;
    err = avx_frame_crop(frame);
    if (err < 0)
        av_frame_unref(frame);
    return err;
}

int64_t decode_end_pts(const struct decode *d)
{
    if (!AVX_FFTOOLS_6_1)
        return av_rescale_q_rnd(d->old_clock.next_pts_us, microseconds, d->time_base, AV_ROUND_NEAR_INF | AV_ROUND_PASS_MINMAX);
    return d->new_clock.last_pts == AV_NOPTS_VALUE ? AV_NOPTS_VALUE : d->new_clock.last_pts + d->new_clock.last_duration;
}

int decode_bits_per_raw_sample(const struct decode *d)
{
    return d->context->bits_per_raw_sample;
}

struct decode_damage decode_damage(const struct decode *d)
{
    return (struct decode_damage){.count = d->error_count, .first = d->first_error, .first_pts = d->first_error_pts};
}

void decode_free(struct decode **decode)
{
    struct decode *d = *decode;

    if (!d)
        return;
    *decode = NULL;
    avcodec_free_context(&d->context);
    av_frame_free(&d->picture);
    free(d->old_clock.left);
    free(d->first_error);
    free(d);
}
