#include "source.h"

#include "bitstream.h"
#include "cutter.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"
#include "common/retime.h"

#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct packet_queue {
    AVPacket **packets;
    size_t count, room, first;
};

struct source {
    char *path;
    AVFormatContext *input;
    AVStream *stream;
    struct retime retime;
    struct bitstream *bitstream;
    struct cutter cutter;
    double segment_s;

    struct packet_queue ahead;   // read for the probe, not yet given out
    struct packet_queue waiting; // for the cutter's verdict
    struct chunk *chunk;         // being filled
    struct source_run *runs;     // ready to be given out
    size_t run_count, run_room;
    uint32_t segment, sequence;
    bool segment_opened, ended, finished;
    int64_t segment_from; // keep_from of the open segment
    int64_t last_pts;
    uint64_t frames_hint;

    // What went wrong on the way.
    uint64_t corrupt_packets;
    int read_err;
    int64_t end_pts; // of the last packet in time
    char *damage, *cut_note;
};

static void queue_put(struct packet_queue *q, AVPacket *packet)
{
    if (q->count == q->room) {
        q->room = q->room ? q->room * 2 : 64;
        q->packets = mem_grow(q->packets, q->room, sizeof(AVPacket *));
    }
    q->packets[q->count++] = packet;
}

static AVPacket *queue_take(struct packet_queue *q)
{
    AVPacket *packet;

    if (q->first == q->count) {
        q->first = q->count = 0;
        return NULL;
    }
    packet = q->packets[q->first];
    q->packets[q->first++] = NULL;
    return packet;
}

static void queue_clear(struct packet_queue *q)
{
    AVPacket *packet;

    while ((packet = queue_take(q)))
        av_packet_free(&packet);
    free(q->packets);
    *q = (struct packet_queue){0};
}

void source_facts_clear(struct source_facts *facts)
{
    if (facts->parameters)
        wire__codec_parameters__free_unpacked(facts->parameters, NULL);
    if (facts->time_base)
        wire__rational__free_unpacked(facts->time_base, NULL);
    if (facts->frame_rate)
        wire__rational__free_unpacked(facts->frame_rate, NULL);
    for (size_t i = 0; i < facts->side_data_count; i++)
        wire__side_data__free_unpacked(facts->side_data[i], NULL);
    free(facts->side_data);
    free(facts->codec_name);
    free(facts->format_name);
    free(facts->why_not_cuttable);
    *facts = (struct source_facts){0};
}

// What libavformat would say less clearly.
static int check_file(const char *path, char **why)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return strstr(path, "://") ? 0 : err_why(why, -errno, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_why(why, -EISDIR, "%s: it is a directory, not a video", path);
    if (S_ISREG(st.st_mode) && st.st_size == 0)
        return err_why(why, AVERROR_INVALIDDATA, "%s: the file is empty", path);
    return 0;
}

static int open_input(struct source *s, char **why)
{
    int err = avformat_open_input(&s->input, s->path, NULL, NULL);

    if (err < 0)
        return err_why(why, err, "%s: %s", s->path,
                       err == AVERROR_INVALIDDATA ? "it is no media file that can be read, or its beginning or index is damaged or missing"
                                                  : err_text(err));
    // Text files "play" as terminal art; nobody means that.
    if (strcmp(s->input->iformat->name, "tty") == 0)
        return err_why(why, AVERROR_INVALIDDATA, "%s: it is a text file, not a video", s->path);
    err = avformat_find_stream_info(s->input, NULL);
    if (err < 0)
        return err_why(why, err, "%s: its streams cannot be understood: %s", s->path, err_text(err));
    return 0;
}

// The first video stream that is no cover picture, or else the cover picture.
static AVStream *find_video(AVFormatContext *input)
{
    AVStream *cover = NULL;

    for (unsigned i = 0; i < input->nb_streams; i++) {
        AVStream *st = input->streams[i];

        if (st->codecpar->codec_type != AVMEDIA_TYPE_VIDEO)
            continue;
        if (!(st->disposition & AV_DISPOSITION_ATTACHED_PIC))
            return st;
        if (!cover)
            cover = st;
    }
    return cover;
}

static int64_t guess_frames(const struct source *s, double duration_s, AVRational rate)
{
    if (s->stream->nb_frames > 0)
        return s->stream->nb_frames;
    return duration_s > 0 && rate.num > 0 && rate.den > 0 ? (int64_t)(duration_s * av_q2d(rate) + 0.5) : 0;
}

static void fill_facts(struct source *s, struct source_facts *facts)
{
    const AVStream *st = s->stream;
    AVRational rate = av_guess_frame_rate(s->input, s->stream, NULL);

    packets_parameters_to_wire(&facts->parameters, st->codecpar);
    facts->time_base = packets_rational_to_wire(st->time_base);
    facts->frame_rate = packets_rational_to_wire(rate.num > 0 && rate.den > 0 ? rate : (AVRational){0, 1});
    for (int i = 0; i < avx_stream_side_count(st); i++) {
        enum AVPacketSideDataType type;
        const uint8_t *data;
        size_t size;

        avx_stream_side_at(st, i, &type, &data, &size);
        packets_side_data_append(&facts->side_data, &facts->side_data_count, (int)type, data, size);
    }
    facts->codec_name = mem_dup(avcodec_get_name(st->codecpar->codec_id));
    facts->format_name = mem_dup(s->input->iformat->name);
    if (st->duration > 0)
        facts->duration_s = (double)st->duration * av_q2d(st->time_base);
    else if (s->input->duration > 0)
        facts->duration_s = (double)s->input->duration / AV_TIME_BASE;
    facts->frames = guess_frames(s, facts->duration_s, rate);
    facts->start_s = s->input->start_time == AV_NOPTS_VALUE ? 0 : (double)s->input->start_time / AV_TIME_BASE;
    facts->width = st->codecpar->width;
    facts->height = st->codecpar->height;
    facts->cuttable = bitstream_codec_of(facts->codec_name) != BITSTREAM_OTHER;
    if (!facts->cuttable)
        facts->why_not_cuttable = mem_format("the codec %s is not known to restart exactly at its keyframes", facts->codec_name);
    else if (st->disposition & AV_DISPOSITION_ATTACHED_PIC) {
        facts->cuttable = false;
        facts->why_not_cuttable = mem_dup("it is one picture");
    }
}

int source_open(struct source **result, const char *path, struct source_facts *facts, char **why)
{
    struct source *s = mem_zalloc(sizeof(*s));
    const AVCodecParameters *par;
    int err;

    s->path = mem_dup(path);
    s->end_pts = INT64_MIN;
    err = check_file(path, why);
    if (!err)
        err = open_input(s, why);
    if (err < 0)
        goto fail;
    s->stream = find_video(s->input);
    if (!s->stream) {
        err = err_why(why, AVERROR_STREAM_NOT_FOUND, "%s: there is no video in it", path);
        goto fail;
    }
    par = s->stream->codecpar;
    if (par->codec_id == AV_CODEC_ID_NONE) {
        err = err_why(why, AVERROR_DECODER_NOT_FOUND, "%s: the video's codec is unknown", path);
        goto fail;
    }
    for (unsigned i = 0; i < s->input->nb_streams; i++)
        if (s->input->streams[i] != s->stream && !retime_needs_all(s->input))
            s->input->streams[i]->discard = AVDISCARD_ALL;
    retime_init(&s->retime, s->input, AV_NOPTS_VALUE);
    fill_facts(s, facts);
    s->bitstream = bitstream_new(bitstream_codec_of(facts->codec_name), par->extradata, par->extradata_size > 0 ? (size_t)par->extradata_size : 0);
    *result = s;
    return 0;

fail:
    source_close(&s);
    return err;
}

// The next packet of the video as a decoder would get it; NULL at the end.
static AVPacket *read_packet(struct source *s)
{
    while (!s->ended) {
        AVPacket *packet = av_packet_alloc();
        int err = packet ? av_read_frame(s->input, packet) : AVERROR(ENOMEM);

        if (err == AVERROR(EAGAIN)) {
            av_packet_free(&packet);
            continue;
        }
        if (err < 0) {
            av_packet_free(&packet);
            s->ended = true;
            s->read_err = err == AVERROR_EOF ? (s->input->pb ? s->input->pb->error : 0) : err;
            break;
        }
        if (retime_packet(&s->retime, packet) && packet->stream_index == s->stream->index) {
            if (packet->flags & AV_PKT_FLAG_CORRUPT)
                s->corrupt_packets++;
            if (packet->pts != AV_NOPTS_VALUE && packet->pts + packet->duration > s->end_pts)
                s->end_pts = packet->pts + packet->duration;
            return packet;
        }
        av_packet_free(&packet);
    }
    return NULL;
}

int source_head(struct source *s, size_t min_packets, size_t min_bytes, struct chunk_list *head, bool *eof, char **why)
{
    size_t bytes = 0;
    struct chunk *chunk = NULL;
    uint32_t sequence = 0;

    for (size_t i = s->ahead.first; i < s->ahead.count; i++)
        bytes += (size_t)s->ahead.packets[i]->size;
    while (s->ahead.count - s->ahead.first < min_packets && bytes < min_bytes) {
        AVPacket *packet = read_packet(s);

        if (!packet)
            break;
        bytes += (size_t)packet->size;
        queue_put(&s->ahead, packet);
    }
    *eof = s->ended;
    for (size_t i = s->ahead.first; i < s->ahead.count; i++) {
        AVPacket *copy = av_packet_clone(s->ahead.packets[i]);

        if (!copy) {
            chunk_free(&chunk);
            return err_why(why, AVERROR(ENOMEM), "%s: out of memory", s->path);
        }
        if (!chunk)
            chunk = chunk_new(sequence++);
        chunk_take(chunk, &copy);
        if (chunk_full(chunk))
            chunk_list_put(head, &chunk);
    }
    if (chunk)
        chunk_list_put(head, &chunk);
    return 0;
}

void source_start(struct source *s, bool cut, double segment_s)
{
    double target = segment_s / av_q2d(s->stream->time_base);

    s->segment_s = segment_s;
    cutter_init(&s->cutter, cut && segment_s > 0, target < 1e15 ? (int64_t)(target + 0.5) : INT64_MAX);
    s->segment_from = INT64_MIN;
    s->last_pts = INT64_MIN;
}

static struct cutter_packet facts_of(struct source *s, const AVPacket *packet)
{
    struct cutter_packet facts = {
        .pts = packet->pts,
        .dts = packet->dts,
        .discard = packet->flags & AV_PKT_FLAG_DISCARD,
        .start = bitstream_is_start(s->bitstream, packet->data, packet->size > 0 ? (size_t)packet->size : 0, packet->flags & AV_PKT_FLAG_KEY),
    };

    for (int i = 0; i < packet->side_data_elems; i++) {
        enum AVPacketSideDataType type = packet->side_data[i].type;

        facts.odd |= type == AV_PKT_DATA_PALETTE || type == AV_PKT_DATA_NEW_EXTRADATA || type == AV_PKT_DATA_PARAM_CHANGE;
    }
    return facts;
}

static struct source_run *new_run(struct source *s)
{
    if (s->run_count == s->run_room) {
        s->run_room = s->run_room ? s->run_room * 2 : 4;
        s->runs = mem_grow(s->runs, s->run_room, sizeof(*s->runs));
    }
    s->runs[s->run_count] = (struct source_run){0};
    return &s->runs[s->run_count++];
}

static void emit_chunk(struct source *s, bool last)
{
    struct source_run *run = new_run(s);

    if (!s->chunk)
        s->chunk = chunk_new(s->sequence++);
    s->chunk->last = last;
    *run = (struct source_run){
        .segment = s->segment,
        .first = !s->segment_opened,
        .keep_from = s->segment_from,
        .keep_to = INT64_MAX, // a proven cut leaks nothing
        .chunk = s->chunk,
        .frames_hint = s->frames_hint,
        .last_pts = s->last_pts,
    };
    s->chunk = NULL;
    s->frames_hint = 0;
    s->segment_opened = true;
    if (last) {
        s->segment++;
        s->sequence = 0;
        s->segment_opened = false;
    }
}

static void append(struct source *s, AVPacket *packet)
{
    if (!s->chunk)
        s->chunk = chunk_new(s->sequence++);
    if (!(packet->flags & AV_PKT_FLAG_DISCARD))
        s->frames_hint++;
    if (packet->pts != AV_NOPTS_VALUE && packet->pts > s->last_pts)
        s->last_pts = packet->pts;
    chunk_take(s->chunk, &packet);
    if (chunk_full(s->chunk))
        emit_chunk(s, false);
}

// Moves waiting packets to the open segment until a run is ready. More may be left.
static void append_waiting(struct source *s)
{
    AVPacket *packet;

    while (s->run_count == 0 && (packet = queue_take(&s->waiting)))
        append(s, packet);
}

static void begin_segment(struct source *s)
{
    emit_chunk(s, true);
    s->segment_from = s->waiting.packets[s->waiting.first]->pts;
}

// Reads one packet and does what the cutter says of it. Whatever is not waiting for a verdict has left `waiting` before the next one is read.
static void advance(struct source *s)
{
    AVPacket *packet = queue_take(&s->ahead);
    struct cutter_packet facts;

    if (!packet)
        packet = read_packet(s);
    if (!packet) {
        if (cutter_end(&s->cutter))
            begin_segment(s);
        s->finished = true;
        return;
    }
    facts = facts_of(s, packet);
    switch (cutter_put(&s->cutter, &facts)) {
    case CUTTER_PASS:
    case CUTTER_WAIT:
        queue_put(&s->waiting, packet);
        break;
    case CUTTER_CUT:
        begin_segment(s);
        queue_put(&s->waiting, packet);
        break;
    case CUTTER_REFUSE_WAIT:
        while (s->waiting.first < s->waiting.count)
            append(s, queue_take(&s->waiting));
        queue_take(&s->waiting); // resets the empty queue
        queue_put(&s->waiting, packet);
        break;
    }
}

static void look_for_damage(struct source *s)
{
    double tb = av_q2d(s->stream->time_base), seen_s = (double)s->end_pts * tb, promised_s = 0;

    if (s->stream->duration > 0 && s->stream->start_time != AV_NOPTS_VALUE)
        promised_s = (double)(s->stream->start_time + s->stream->duration) * tb -
                     (s->input->start_time == AV_NOPTS_VALUE ? 0 : (double)s->input->start_time / AV_TIME_BASE);
    free(s->damage);
    s->damage = NULL;
    if (s->read_err < 0)
        s->damage = mem_format("%s: reading stopped at %.2f s: %s; what was read is rendered", s->path, s->end_pts == INT64_MIN ? 0 : seen_s,
                               err_text(s->read_err));
    else if (promised_s > 0 && s->end_pts != INT64_MIN && promised_s - seen_s > 1 && promised_s - seen_s > promised_s * 0.02 &&
             !(s->input->iformat->flags & AVFMT_TS_DISCONT))
        s->damage = mem_format("%s: the video ends at %.2f s, but the file promises %.2f s; it seems to be cut off, what is there is rendered", s->path,
                               seen_s, promised_s);
    else if (s->corrupt_packets > 0)
        s->damage = mem_format("%s: %" PRIu64 " packets are damaged", s->path, s->corrupt_packets);
}

int source_next(struct source *s, struct source_run *run, char **why)
{
    (void)why;
    while (s->run_count == 0) {
        // What waits for a verdict stays; all else goes on first.
        if (!s->cutter.waiting && s->waiting.first < s->waiting.count) {
            append_waiting(s);
            continue;
        }
        if (s->finished) {
            if (s->chunk || s->segment_opened || s->segment == 0)
                emit_chunk(s, true);
            else
                new_run(s);
            s->runs[s->run_count - 1].eof = true;
            look_for_damage(s);
            break;
        }
        advance(s);
    }
    *run = s->runs[0];
    s->run_count--;
    memmove(s->runs, s->runs + 1, s->run_count * sizeof(s->runs[0]));
    return 0;
}

const char *source_damage(const struct source *s)
{
    return s->damage;
}

const char *source_cut_note(const struct source *s)
{
    if (s->segment < 2 && s->cutter.stopped)
        return s->cutter.stopped;
    return NULL;
}

void source_close(struct source **source)
{
    struct source *s = *source;

    if (!s)
        return;
    *source = NULL;
    queue_clear(&s->ahead);
    queue_clear(&s->waiting);
    chunk_free(&s->chunk);
    for (size_t i = 0; i < s->run_count; i++)
        chunk_free(&s->runs[i].chunk);
    free(s->runs);
    retime_clear(&s->retime);
    bitstream_free(&s->bitstream);
    avformat_close_input(&s->input);
    free(s->path);
    free(s->damage);
    free(s->cut_note);
    free(s);
}
