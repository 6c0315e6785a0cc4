#include "source.h"

#include "bitstream.h"
#include "cutter.h"
#include "input_file.h"
#include "packet_queue.h"
#include "source_facts.h"
#include "source_gop.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/retime.h"

#include <libavutil/mathematics.h>

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MAX_AGAIN = 100000,
};

struct source {
    char *path;
    struct input_file file;
    struct pictures *pictures; // NULL: the input reads its packets itself
    int64_t picture;           // the next one's number, from 0
    char *why;                 // an error in the words of whoever reads
    AVFormatContext *input;
    AVStream *video;
    struct retime retime;
    bool read_any;
    bool ended; // nothing more can be read

    struct packet_queue ahead; // read for the head, not yet given out
    struct bitstream *bitstream;
    struct cutter cutter;
    bool cut;

    // Packets leave in the order flow (the running segment's), then held (the next segment's, or not yet known), by way of the chunk.
    struct packet_queue flow, next_flow, held;
    bool segment_ends; // behind flow; next_flow goes on
    bool all_cut;      // the cutter knows of the end
    int64_t next_keep_from;
    struct chunk *chunk;
    uint64_t chunk_frames;
    int64_t chunk_last_pts;
    uint32_t segment, sequence;
    int64_t keep_from;

    // Where something is left out, packets leave the flow by way of their GOP.
    struct source_gop gop;

    // Damage.
    int read_error;
    int64_t last_raw_ts, last_pts; // of the video; raw: as the file has it
    uint64_t corrupt_count;
    char *damage;
    const char *note; // the cutter's
};

// ---- Opening ----

static int check_file(const char *path, char **why)
{
    struct stat st;

    if (strcmp(path, "-") == 0 || strncmp(path, "pipe:", 5) == 0 || strncmp(path, "fd:", 3) == 0)
        return err_why(why, -EINVAL, "%s is a pipe; the input is read more than once, so save it to a file first", path);
    // Anything else that cannot be looked at may be a pattern or an address, which the library knows how to open, or else says why not.
    if (stat(path, &st) < 0)
        return errno == ENOENT && !strpbrk(path, ":%") ? err_why(why, -ENOENT, "%s: there is no such file", path) : 0;
    if (S_ISDIR(st.st_mode))
        return err_why(why, -EISDIR, "%s is a directory", path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_why(why, -EINVAL, "%s is no regular file; the input is read more than once, so save it to a file first", path);
    if (S_ISREG(st.st_mode) && !st.st_size)
        return err_why(why, AVERROR_INVALIDDATA, "%s is empty", path);
    return 0;
}

// By its name alone, anything is taken for an mp4: only one that begins like one can have lost something.
static bool begins_as_mp4(const char *path)
{
    static const char boxes[] = "ftyp styp mdat free skip wide pnot";
    char head[9] = "";
    FILE *file = fopen(path, "rbe");
    bool yes = file && fread(head, 1, 8, file) == 8 && strlen(head + 4) == 4 && strstr(boxes, head + 4);

    if (file)
        fclose(file);
    return yes;
}

static int open_error(const char *path, int err, char **why)
{
    if (err == AVERROR_INVALIDDATA && strstr(avx_log_error(), "moov atom not found") && begins_as_mp4(path))
        return err_why(why, err, "%s has lost its index (the moov box): it was cut off, or its recording never finished", path);
    if (err == AVERROR_INVALIDDATA)
        return err_why(why, err, "%s is no video that can be read: its format is not known or it is damaged from the start", path);
    if (err == AVERROR(EACCES))
        return err_why(why, err, "%s may not be read: %s", path, err_text(err));
    if (err == AVERROR(ENOENT))
        return err_why(why, err, "%s: there is no such file", path);
    return err_why(why, err, "%s cannot be opened: %s", path, err_text(err));
}

// The library would draw any text as if on a terminal.
static bool is_text(const AVFormatContext *input, const AVStream *video)
{
    switch (video->codecpar->codec_id) {
    case AV_CODEC_ID_ANSI:
    case AV_CODEC_ID_BINTEXT:
    case AV_CODEC_ID_XBIN:
    case AV_CODEC_ID_IDF:
        return true;
    default:
        return !strcmp(input->iformat->name, "tty");
    }
}

// Formats whose times may jump start where the stream that is wanted starts, as the ffmpeg program has it; others where their first stream does.
static int64_t start_us(const AVFormatContext *input, const AVStream *video)
{
    int64_t start = input->start_time == AV_NOPTS_VALUE ? 0 : input->start_time, video_start;

    if (input->start_time == AV_NOPTS_VALUE || !retime_may_jump(input) || video->start_time == AV_NOPTS_VALUE || video->pts_wrap_bits >= 64)
        return start;
    video_start = av_rescale_q(video->start_time, video->time_base, AV_TIME_BASE_Q);
    return video_start > start ? video_start : start;
}

static int open_input(struct source *s, char **why)
{
    AVDictionary *options = NULL;
    int err;

    // As the ffmpeg program does; formats other than MPEG-TS leave it untouched.
    av_dict_set(&options, "scan_all_pmts", "1", 0);
    avx_log_forget();
    err = avformat_open_input(&s->input, s->path, NULL, &options);
    av_dict_free(&options);
    if (err < 0)
        return open_error(s->path, err, why);
    err = avformat_find_stream_info(s->input, NULL);
    if (err < 0 && !s->input->nb_streams)
        return open_error(s->path, err, why);
    return 0;
}

static int choose_streams(struct source *s, char **why)
{
    int main = avx_main_video(s->input);

    s->video = main >= 0 ? s->input->streams[main] : NULL;
    if (s->video && is_text(s->input, s->video))
        return err_why(why, AVERROR_INVALIDDATA, "%s is text, not video", s->path);
    if (!s->video)
        return err_why(why, AVERROR_STREAM_NOT_FOUND, "%s has no video stream", s->path);
    if (s->video->codecpar->codec_id == AV_CODEC_ID_NONE)
        return err_why(why, AVERROR_DECODER_NOT_FOUND, "%s: the codec of its video, stream %d, is not known", s->path, s->video->index);
    for (unsigned i = 0; i < s->input->nb_streams; i++)
        s->input->streams[i]->discard = s->input->streams[i] == s->video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    return 0;
}

static struct source *new_source(const char *path)
{
    struct source *s = mem_zalloc(sizeof(*s));

    s->path = mem_dup(path);
    s->keep_from = INT64_MIN;
    s->last_raw_ts = s->last_pts = s->chunk_last_pts = AV_NOPTS_VALUE;
    return s;
}

static int read_packet(struct source *s, AVPacket **result);

// Before 6.1 the ffmpeg program guesses the frame rate when the first frame is there, which may be otherwise than when the file was opened: the
// library has looked at more packets then, and goes back to the first.
static int read_first(struct source *s)
{
    AVPacket *packet;
    int err = AVX_FFTOOLS_6_1 || s->pictures ? AVERROR_EOF : read_packet(s, &packet);

    if (err >= 0)
        packet_queue_put(&s->ahead, &packet);
    return err == AVERROR_EOF ? 0 : err;
}

// The input is open.
static int look_at_streams(struct source *s, struct source_facts *facts, char **why)
{
    const AVCodecParameters *par;
    int64_t start;
    int err = choose_streams(s, why);

    if (err < 0)
        return err;
    start = start_us(s->input, s->video);
    retime_init(&s->retime, s->input, start);
    par = s->video->codecpar;
    s->bitstream = bitstream_new(source_facts_codec(par), par->extradata, par->extradata_size > 0 ? (size_t)par->extradata_size : 0, par->height);
    err = read_first(s);
    if (err < 0)
        return err_why(why, err, "%s: %s", s->path, err_text(err));
    source_facts_fill(facts, s->input, s->video, start);
    return 0;
}

int source_open(struct source **source, const char *path, struct source_facts *facts, char **why)
{
    struct source *s;
    int err = check_file(path, why);

    if (err < 0)
        return err;
    s = new_source(path);
    input_file_note(&s->file, path);
    err = open_input(s, why);
    if (err >= 0)
        err = look_at_streams(s, facts, why);
    if (err < 0)
        source_close(&s);
    else
        *source = s;
    return err;
}

// The library looks at the first picture, as if there were no others: what it finds is what it would find in all of them.
static int open_first_picture(struct source *s, AVRational rate, char **why)
{
    AVDictionary *options = NULL;
    const char *first = pictures_first(s->pictures);
    char *text = mem_format("%d/%d", rate.num, rate.den);
    int err;

    av_dict_set(&options, "framerate", text, 0);
    av_dict_set(&options, "pattern_type", "none", 0);
    free(text);
    avx_log_forget();
    err = avformat_open_input(&s->input, first, av_find_input_format("image2"), &options);
    av_dict_free(&options);
    if (err < 0)
        return open_error(first, err, why);
    err = avformat_find_stream_info(s->input, NULL);
    if (err < 0 || s->input->nb_streams != 1 || s->input->streams[0]->codecpar->codec_id != AV_CODEC_ID_PNG ||
        s->input->streams[0]->codecpar->format == AV_PIX_FMT_NONE)
        return err_why(why, AVERROR_INVALIDDATA, "%s is no PNG that can be read", first);
    return 0;
}

int source_open_pictures(struct source **source, const char *path, const struct pictures_setup *setup, struct source_facts *facts, char **why)
{
    struct source *s = new_source(path);
    AVRational rate = setup->framerate.num > 0 ? setup->framerate : (AVRational){25, 1};
    int err = pictures_open(&s->pictures, path, setup, why);

    if (!err)
        err = open_first_picture(s, rate, why);
    if (!err)
        err = look_at_streams(s, facts, why);
    if (err < 0) {
        source_close(&s);
        return err;
    }
    facts->pictures = true;
    facts->pictures_missing = setup->missing;
    facts->frames = pictures_count(s->pictures);
    facts->duration_s = (double)facts->frames * av_q2d(av_inv_q(rate));
    facts->keyframe_gap_s = av_q2d(av_inv_q(rate));
    *source = s;
    return 0;
}

// ---- Reading ----

static double seconds(const struct source *s, int64_t ts)
{
    return ts == AV_NOPTS_VALUE ? 0 : (double)ts * av_q2d(s->video->time_base);
}

// Where the video ends by the file's own word, in the stream's ticks as the file has them; AV_NOPTS_VALUE if it does not say or only guesses.
static int64_t promised_end(const struct source *s)
{
    AVStream *video = s->video;
    const AVDictionaryEntry *tag = av_dict_get(video->metadata, "DURATION", NULL, 0);
    int entries = avformat_index_get_entries_count(video), hours, minutes;
    int64_t end = AV_NOPTS_VALUE, begin = video->start_time == AV_NOPTS_VALUE ? 0 : video->start_time;
    double rest;

    // The sample table of mp4 is whole from the start; other formats' indexes may lack entries, but promise nothing that is not there.
    if (entries > 0)
        end = avformat_index_get_entry(video, entries - 1)->timestamp;
    // Matroska's, of the stream; the one of the file may be a longer stream's.
    if (tag && sscanf(tag->value, "%d:%d:%lf", &hours, &minutes, &rest) == 3) {
        int64_t tagged = llrint((hours * 3600.0 + minutes * 60.0 + rest) / av_q2d(video->time_base));

        if (end == AV_NOPTS_VALUE || tagged > end)
            end = tagged;
    } else if (!strcmp(s->input->iformat->name, "avi") && video->duration > 0 && begin + video->duration > end) {
        end = begin + video->duration;
    } else if (s->input->nb_streams == 1 && s->input->duration > 0 && s->input->duration_estimation_method == AVFMT_DURATION_FROM_STREAM &&
               video->duration > 0 && !video->nb_frames && begin + video->duration > end) {
        end = begin + video->duration;
    }
    return end;
}

static void note_end(struct source *s)
{
    int64_t end = s->pictures ? AV_NOPTS_VALUE : promised_end(s);
    double promised_s = seconds(s, end), seen_s = seconds(s, s->last_raw_ts), missing_s = promised_s - seen_s;

    if (s->damage)
        return;
    // A last frame may be shown for long: up to a second or two in a hundred is no damage.
    if (end != AV_NOPTS_VALUE && s->last_raw_ts != AV_NOPTS_VALUE && missing_s > fmax(1.0, 0.02 * promised_s))
        s->damage = mem_format("%s ends early: its video goes to %.1f s of %.1f s%s%s", s->path, seen_s, promised_s, s->read_error ? ": " : "",
                               s->read_error ? err_text(s->read_error) : "");
    else if (s->read_error)
        s->damage =
            mem_format("%s cannot be read to its end; its video stops at %.1f s: %s", s->path, seconds(s, s->last_pts), err_text(s->read_error));
    else if (s->corrupt_count)
        s->damage = mem_format("%s is damaged: %llu packet%s of its video %s marked as broken", s->path, (unsigned long long)s->corrupt_count,
                               s->corrupt_count == 1 ? "" : "s", s->corrupt_count == 1 ? "is" : "are");
}

// Before 6.1 the ffmpeg program hangs what it knows of the stream on the stream's first packet, but for its rotation.
static int add_side_data(const struct source *s, AVPacket *packet)
{
    for (int i = 0; i < avx_stream_side_count(s->video); i++) {
        enum AVPacketSideDataType type;
        const uint8_t *data;
        uint8_t *copy;
        size_t size;

        avx_stream_side_at(s->video, i, &type, &data, &size);
        if (type == AV_PKT_DATA_DISPLAYMATRIX || av_packet_get_side_data(packet, type, NULL))
            continue;
        copy = av_packet_new_side_data(packet, type, size);
        if (!copy)
            return AVERROR(ENOMEM);
        if (size)
            memcpy(copy, data, size);
    }
    return 0;
}

// Before 6.1 the ffmpeg program asks the parser for the length of a packet that has none.
static void add_ticks(const struct source *s, AVPacket *packet)
{
    if (!AVX_FFTOOLS_6_1 && !packet->duration)
        packet->duration = -avx_parsed_ticks(s->video);
}

static void note_packet(struct source *s, const AVPacket *packet)
{
    int64_t ts = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;

    if (packet->flags & AV_PKT_FLAG_CORRUPT)
        s->corrupt_count++;
    if (ts != AV_NOPTS_VALUE && (s->last_raw_ts == AV_NOPTS_VALUE || ts > s->last_raw_ts))
        s->last_raw_ts = ts;
    if (packet->pts != AV_NOPTS_VALUE && packet->pts > s->last_raw_ts)
        s->last_raw_ts = packet->pts;
}

// What the library's reader would have given, with the times that it gives.
static int read_picture(struct source *s, AVPacket **result)
{
    int err = pictures_next(s->pictures, result, &s->why);

    if (err < 0)
        return err;
    (*result)->stream_index = s->video->index;
    (*result)->pts = (*result)->dts = s->picture++;
    (*result)->duration = 1;
    (*result)->flags |= AV_PKT_FLAG_KEY;
    retime_packet(&s->retime, *result);
    s->last_pts = (*result)->pts;
    s->read_any = true;
    return 0;
}

char *source_picture_path(const struct source *s, int64_t pts)
{
    return s->pictures ? pictures_path(s->pictures, pts) : NULL;
}

// The next packet of the video. 0, AVERROR_EOF, or ENOMEM; a read error is an end that is remembered.
static int read_packet(struct source *s, AVPacket **result)
{
    AVPacket *packet;
    int err = 0, again = 0, read_error;

    if (s->ended)
        return AVERROR_EOF;
    if (s->pictures) {
        err = read_picture(s, result);
        s->ended = err == AVERROR_EOF;
        return err;
    }
    packet = av_packet_alloc();
    if (!packet)
        return AVERROR(ENOMEM);
    for (;;) {
        err = av_read_frame(s->input, packet);
        // Some demuxers say "again" where they give up one packet.
        if (err == AVERROR(EAGAIN) && again++ < MAX_AGAIN)
            continue;
        if (err < 0)
            break;
        again = 0;
        if (packet->stream_index == s->video->index)
            note_packet(s, packet);
        if (retime_packet(&s->retime, packet) && packet->stream_index == s->video->index)
            break;
        av_packet_unref(packet);
    }
    // Demuxers say that there is no memory for sizes which make no sense as well.
    read_error = err < 0 ? err : 0;
    if (err >= 0 && !s->read_any && !AVX_FFTOOLS_6_1)
        err = add_side_data(s, packet);
    if (err >= 0) {
        s->read_any = true;
        add_ticks(s, packet);
        if (packet->pts != AV_NOPTS_VALUE && packet->pts > s->last_pts)
            s->last_pts = packet->pts;
        *result = packet;
        return 0;
    }
    av_packet_free(&packet);
    if (!read_error)
        return err;
    s->ended = true;
    if (err != AVERROR_EOF)
        s->read_error = err;
    else if (s->input->pb && s->input->pb->error < 0 && s->input->pb->error != AVERROR_EOF)
        s->read_error = s->input->pb->error;
    note_end(s);
    return AVERROR_EOF;
}

static int tell_error(struct source *s, int err, char **why)
{
    if (!s->why)
        return err_why(why, err, "%s: %s", s->path, err_text(err));
    *why = s->why;
    s->why = NULL;
    return err;
}

int source_head(struct source *s, size_t min_packets, size_t min_bytes, struct chunk_list *head, bool *eof, char **why)
{
    struct packet_queue *q = &s->ahead;
    struct chunk *chunk = NULL;
    size_t bytes = 0;
    uint32_t sequence = 0;
    AVPacket *packet;
    int err = 0;

    for (size_t i = q->first; i < q->count; i++)
        bytes += (size_t)q->packets[i]->size;
    while (q->count - q->first < min_packets || bytes < min_bytes) {
        err = read_packet(s, &packet);
        if (err == AVERROR_EOF)
            break;
        if (err < 0)
            return tell_error(s, err, why);
        bytes += (size_t)packet->size;
        packet_queue_put(q, &packet);
    }
    if (packet_queue_empty(q))
        return err_why(why, s->read_error ? s->read_error : AVERROR_INVALIDDATA, "%s: its video stream is empty%s%s", s->path,
                       s->read_error ? ": " : "", s->read_error ? err_text(s->read_error) : "");
    for (size_t i = q->first; i < q->count; i++) {
        packet = av_packet_clone(q->packets[i]);
        if (!packet) {
            chunk_free(&chunk);
            return err_why(why, AVERROR(ENOMEM), "%s: %s", s->path, err_text(AVERROR(ENOMEM)));
        }
        if (!chunk)
            chunk = chunk_new(sequence++);
        chunk_take(chunk, &packet);
        if (chunk_full(chunk))
            chunk_list_put(head, &chunk);
    }
    if (chunk)
        chunk_list_put(head, &chunk);
    *eof = s->ended;
    return 0;
}

// ---- Cutting ----

void source_start(struct source *s, bool cut, double segment_s)
{
    double tick_s = av_q2d(s->video->time_base), ticks = tick_s > 0 ? segment_s / tick_s : 0;

    s->cut = cut && segment_s > 0 && ticks < 1e18;
    cutter_init(&s->cutter, s->cut ? llrint(ticks) : INT64_MAX, source_facts_reorder(s->video->codecpar), tick_s);
}

void source_leave_out(struct source *s, const struct gaps *gaps)
{
    source_gop_init(&s->gop, gaps);
    cutter_init(&s->cutter, 1, source_facts_reorder(s->video->codecpar), av_q2d(s->video->time_base));
}

static void put_in_chunk(struct source *s, AVPacket **packet)
{
    if (!s->chunk)
        s->chunk = chunk_new(s->sequence);
    if ((*packet)->pts != AV_NOPTS_VALUE && (*packet)->pts > s->chunk_last_pts)
        s->chunk_last_pts = (*packet)->pts;
    // Counted when it was looked at; opaque is of no other use on the way.
    s->chunk_frames += (uint64_t)(uintptr_t)(*packet)->opaque;
    (*packet)->opaque = NULL;
    chunk_take(s->chunk, packet);
}

static void give_chunk(struct source *s, struct source_run *run, bool last)
{
    *run = (struct source_run){
        .segment = s->segment,
        .first = s->sequence == 0,
        .keep_from = s->keep_from,
        .keep_to = INT64_MAX, // cuts are proven: nothing of a segment is shown behind the next one's start
        .chunk = s->chunk,
        .frames_hint = s->chunk_frames,
        .last_pts = s->chunk_last_pts,
    };
    if (run->first)
        source_gop_tell(&s->gop, run);
    s->chunk->last = last;
    s->chunk = NULL;
    s->chunk_frames = 0;
    s->chunk_last_pts = AV_NOPTS_VALUE;
    s->sequence++;
}

static void follow(struct source *s, struct cutter_step step)
{
    if (step.held == CUTTER_JOIN)
        packet_queue_move(&s->flow, &s->held);
    if (step.held == CUTTER_CUT) {
        packet_queue_move(&s->next_flow, &s->held);
        s->segment_ends = true;
        s->next_keep_from = step.cut_pts;
    }
}

static bool has_side_data(const AVPacket *packet, enum AVPacketSideDataType type)
{
    return av_packet_get_side_data(packet, type, NULL) != NULL;
}

// Some demuxers repeat the extradata with the first packet.
static bool changes_parameters(const struct source *s, const AVPacket *packet)
{
    const AVCodecParameters *par = s->video->codecpar;
    size_t size = 0;
    const uint8_t *extradata = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);

    if (extradata && (par->extradata_size < 0 || size != (size_t)par->extradata_size || (size && memcmp(extradata, par->extradata, size) != 0)))
        return true;
    return has_side_data(packet, AV_PKT_DATA_PARAM_CHANGE);
}

// Takes the packet to the queue that it belongs to.
static int sort_in(struct source *s, AVPacket **packet, char **why)
{
    struct bitstream_facts look = bitstream_look(s->bitstream, (*packet)->data, (size_t)(*packet)->size);
    struct cutter_packet p = {
        .pts = (*packet)->pts == AV_NOPTS_VALUE ? CUTTER_NO_TIME : (*packet)->pts,
        .dts = (*packet)->dts == AV_NOPTS_VALUE ? CUTTER_NO_TIME : (*packet)->dts,
        .size_bytes = (size_t)(*packet)->size,
        .has_order = look.has_order,
        .order = look.order,
        .key = (*packet)->flags & AV_PKT_FLAG_KEY,
        .random_access = look.random_access,
        .discard = (*packet)->flags & AV_PKT_FLAG_DISCARD,
        .corrupt = (*packet)->flags & AV_PKT_FLAG_CORRUPT,
        .palette = has_side_data(*packet, AV_PKT_DATA_PALETTE),
        .changed = look.changed || changes_parameters(s, *packet),
    };
    struct cutter_step step = {.held = CUTTER_WAIT};

    if (s->cut || s->gop.gaps) {
        step = cutter_put(&s->cutter, &p);
        if (s->cutter.late && s->gop.gaps)
            return err_why(why, ERR_AGAIN_DECODING_ALL, "timestamps go back");
        if (s->cutter.late)
            return err_why(why, ERR_AGAIN_ONE_SEGMENT, "%s: timestamps go back from %.2f s to %.2f s", s->path, seconds(s, s->cutter.max_pts),
                           seconds(s, p.pts));
        follow(s, step);
    }
    (*packet)->opaque = (void *)(uintptr_t)(p.discard ? 0 : look.frames);
    packet_queue_put(step.hold ? &s->held : s->segment_ends ? &s->next_flow : &s->flow, packet);
    return 0;
}

static int take_in(struct source *s, char **why)
{
    AVPacket *packet = packet_queue_take(&s->ahead);
    int err = packet ? 0 : read_packet(s, &packet);

    if (err >= 0) {
        err = sort_in(s, &packet, why);
        av_packet_free(&packet);
        return err;
    }
    if (err != AVERROR_EOF)
        return tell_error(s, err, why);
    err = input_file_check(&s->file, s->path, s->input->pb ? s->input->pb->error : 0, why);
    if (err < 0)
        return err;
    if ((s->cut || s->gop.gaps) && !s->all_cut) {
        follow(s, cutter_end(&s->cutter));
        s->note = s->cut ? cutter_note(&s->cutter) : NULL;
    }
    s->all_cut = true;
    return 0;
}

static void next_segment(struct source *s, int64_t keep_from)
{
    s->segment++;
    s->sequence = 0;
    s->keep_from = keep_from;
}

// Moves what is certain into the chunk. True when a run is complete.
static bool fill_chunk(struct source *s, struct packet_queue *certain, struct source_run *run)
{
    while (!packet_queue_empty(certain)) {
        AVPacket *packet;

        // Not before there is more: the last chunk of a segment has to be known as such.
        if (s->chunk && chunk_full(s->chunk)) {
            give_chunk(s, run, false);
            return true;
        }
        packet = packet_queue_take(certain);
        put_in_chunk(s, &packet);
    }
    return false;
}

// The last one of the video.
static bool end_chunk(struct source *s, struct source_run *run)
{
    if (!s->all_cut || !s->chunk)
        return false;
    give_chunk(s, run, true);
    return true;
}

static bool fill_run(struct source *s, struct source_run *run)
{
    if (fill_chunk(s, &s->flow, run))
        return true;
    if (s->segment_ends) {
        give_chunk(s, run, true);
        s->segment_ends = false;
        next_segment(s, s->next_keep_from);
        packet_queue_move(&s->flow, &s->next_flow);
        return true;
    }
    return end_chunk(s, run);
}

// Behind the GOP comes the next one, or the end of the video.
static void end_gop(struct source *s)
{
    s->segment_ends = false;
    packet_queue_move(&s->flow, &s->next_flow);
    source_gop_next(&s->gop);
}

// fill_run, for a video that is not cut: a segment ends where something is left out.
static bool fill_run_with_gaps(struct source *s, struct source_run *run)
{
    struct source_gop *gop = &s->gop;

    for (;;) {
        bool whole = s->segment_ends || s->all_cut;
        struct gaps_jump jump;

        source_gop_fill(gop, &s->flow, s->cutter.stopped);
        if (whole && source_gop_needless(gop, s->segment_ends ? s->next_keep_from : GAPS_NO_TIME, &jump)) {
            if (s->chunk) {
                give_chunk(s, run, true);
                next_segment(s, INT64_MIN);
            } else {
                run->frames_hint = source_gop_leave_out(gop, &jump);
                s->keep_from = jump.keep_from;
                end_gop(s);
            }
            return true;
        }
        if (gop->wanted && fill_chunk(s, &gop->packets, run))
            return true;
        if (!s->segment_ends)
            return gop->wanted && end_chunk(s, run);
        end_gop(s);
    }
}

int source_next(struct source *s, struct source_run *run, char **why)
{
    int err;

    memset(run, 0, sizeof(*run));
    while (s->gop.gaps ? !fill_run_with_gaps(s, run) : !fill_run(s, run)) {
        if (s->all_cut) {
            run->eof = true;
            source_gop_tell(&s->gop, run);
            return 0;
        }
        err = take_in(s, why);
        if (err < 0)
            return err;
    }
    return 0;
}

const char *source_damage(const struct source *s)
{
    return s->damage;
}

const char *source_cut_note(const struct source *s)
{
    return s->note;
}

void source_close(struct source **source)
{
    struct source *s = *source;

    if (!s)
        return;
    *source = NULL;
    packet_queue_clear(&s->ahead);
    packet_queue_clear(&s->flow);
    packet_queue_clear(&s->next_flow);
    packet_queue_clear(&s->held);
    source_gop_clear(&s->gop);
    chunk_free(&s->chunk);
    bitstream_free(&s->bitstream);
    retime_clear(&s->retime);
    avformat_close_input(&s->input);
    pictures_close(&s->pictures);
    free(s->why);
    free(s->damage);
    free(s->path);
    free(s);
}
