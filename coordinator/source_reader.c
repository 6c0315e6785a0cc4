#include "source_reader.h"

#include "streams.h"

#include "common/avx.h"
#include "common/demux.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    if (err == AVERROR(EACCES) && access(path, R_OK) < 0)
        return err_why(why, err, "%s may not be read: %s", path, err_text(err));
    if (err == AVERROR(ENOENT) && access(path, F_OK) < 0)
        return err_why(why, err, "%s: there is no such file", path);
    // Else it is of a file that this one names, as a list of files does.
    return err_why(why, err, "%s cannot be opened: %s", path, *avx_log_error() ? avx_log_error() : err_text(err));
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

static int open_input(struct source_reader *r, char **why)
{
    int err;

    avx_log_forget();
    err = demux_open(&r->input, r->path);
    if (err < 0)
        return open_error(r->path, err, why);
    err = avformat_find_stream_info(r->input, NULL);
    if (err < 0 && !r->input->nb_streams)
        return open_error(r->path, err, why);
    return 0;
}

static int choose_streams(struct source_reader *r, char **why)
{
    int main = avx_main_video(r->input);

    r->video = main >= 0 ? r->input->streams[main] : NULL;
    if (r->video && is_text(r->input, r->video))
        return err_why(why, AVERROR_INVALIDDATA, "%s is text, not video", r->path);
    if (!r->video)
        return err_why(why, AVERROR_STREAM_NOT_FOUND, "%s has no video stream", r->path);
    if (r->video->codecpar->codec_id == AV_CODEC_ID_NONE)
        return err_why(why, AVERROR_DECODER_NOT_FOUND, "%s: the codec of its video, stream %d, is not known", r->path, r->video->index);
    for (unsigned i = 0; i < r->input->nb_streams; i++)
        r->input->streams[i]->discard = r->input->streams[i] == r->video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    return 0;
}

// The library looks at the first picture, as if there were no others: what it finds is what it would find in all of them.
static int open_first_picture(struct source_reader *r, char **why)
{
    AVDictionary *options = NULL;
    const char *first = pictures_first(r->pictures);
    char *text = mem_format("%d/%d", r->picture_rate.num, r->picture_rate.den);
    int err;

    av_dict_set(&options, "framerate", text, 0);
    av_dict_set(&options, "pattern_type", "none", 0);
    free(text);
    avx_log_forget();
    err = avformat_open_input(&r->input, first, av_find_input_format("image2"), &options);
    av_dict_free(&options);
    if (err < 0)
        return open_error(first, err, why);
    err = avformat_find_stream_info(r->input, NULL);
    if (err < 0 || r->input->nb_streams != 1 || r->input->streams[0]->codecpar->codec_id != AV_CODEC_ID_PNG ||
        r->input->streams[0]->codecpar->format == AV_PIX_FMT_NONE)
        return err_why(why, AVERROR_INVALIDDATA, "%s is no PNG that can be read", first);
    return 0;
}

// The input is open.
static int look_at_streams(struct source_reader *r, char **why)
{
    int err = choose_streams(r, why);

    if (err < 0)
        return err;
    r->start_us = start_us(r->input, r->video);
    retime_init(&r->retime, r->input, r->start_us);
    return 0;
}

static void init(struct source_reader *r, const char *path)
{
    *r = (struct source_reader){.path = mem_dup(path), .last_raw_ts = AV_NOPTS_VALUE, .last_pts = AV_NOPTS_VALUE};
}

int source_reader_open(struct source_reader *r, const char *path, char **why)
{
    int err = check_file(path, why);

    init(r, path);
    if (err < 0)
        return err;
    input_file_note(&r->file, path);
    err = open_input(r, why);
    return err < 0 ? err : look_at_streams(r, why);
}

int source_reader_open_pictures(struct source_reader *r, const char *path, const struct pictures_setup *setup, char **why)
{
    int err;

    init(r, path);
    r->picture_rate = setup->framerate.num > 0 ? setup->framerate : (AVRational){25, 1};
    err = pictures_open(&r->pictures, path, setup, why);
    if (err >= 0)
        err = open_first_picture(r, why);
    return err < 0 ? err : look_at_streams(r, why);
}

// ---- Reading ----

double source_reader_seconds(const struct source_reader *r, int64_t ts)
{
    return ts == AV_NOPTS_VALUE ? 0 : (double)ts * av_q2d(r->video->time_base);
}

// Where the video ends by the file's own word, in the stream's ticks as the file has them; AV_NOPTS_VALUE if it does not say or only guesses.
static int64_t promised_end(const struct source_reader *r)
{
    AVStream *video = r->video;
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
    } else if (!strcmp(r->input->iformat->name, "avi") && video->duration > 0 && begin + video->duration > end) {
        end = begin + video->duration;
    } else if (r->input->nb_streams == 1 && r->input->duration > 0 && r->input->duration_estimation_method == AVFMT_DURATION_FROM_STREAM &&
               video->duration > 0 && !video->nb_frames && begin + video->duration > end) {
        end = begin + video->duration;
    }
    return end;
}

static void note_end(struct source_reader *r)
{
    int64_t end = r->pictures ? AV_NOPTS_VALUE : promised_end(r);
    double promised_s = source_reader_seconds(r, end), seen_s = source_reader_seconds(r, r->last_raw_ts), missing_s = promised_s - seen_s;

    if (r->damage)
        return;
    // A last frame may be shown for long: up to a second or two in a hundred is no damage.
    if (end != AV_NOPTS_VALUE && r->last_raw_ts != AV_NOPTS_VALUE && missing_s > fmax(1.0, 0.02 * promised_s))
        r->damage = mem_format("%s ends early: its video goes to %.1f s of %.1f s%s%s", r->path, seen_s, promised_s, r->read_error ? ": " : "",
                               r->read_error ? err_text(r->read_error) : "");
    else if (r->read_error)
        r->damage = mem_format("%s cannot be read to its end; its video stops at %.1f s: %s", r->path, source_reader_seconds(r, r->last_pts),
                               err_text(r->read_error));
    else if (r->corrupt_count)
        r->damage = mem_format("%s is damaged: %llu packet%s of its video %s marked as broken", r->path, (unsigned long long)r->corrupt_count,
                               r->corrupt_count == 1 ? "" : "s", r->corrupt_count == 1 ? "is" : "are");
}

// Before 6.1 the ffmpeg program hangs what it knows of the stream on the stream's first packet, but for its rotation.
static int add_side_data(const struct source_reader *r, AVPacket *packet)
{
    for (int i = 0; i < avx_stream_side_count(r->video); i++) {
        enum AVPacketSideDataType type;
        const uint8_t *data;
        uint8_t *copy;
        size_t size;

        avx_stream_side_at(r->video, i, &type, &data, &size);
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
static void add_ticks(const struct source_reader *r, AVPacket *packet)
{
    if (!AVX_FFTOOLS_6_1 && !packet->duration)
        packet->duration = -avx_parsed_ticks(r->video);
}

static void note_packet(struct source_reader *r, const AVPacket *packet)
{
    int64_t ts = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;

    if (packet->flags & AV_PKT_FLAG_CORRUPT)
        r->corrupt_count++;
    if (ts != AV_NOPTS_VALUE && (r->last_raw_ts == AV_NOPTS_VALUE || ts > r->last_raw_ts))
        r->last_raw_ts = ts;
    if (packet->pts != AV_NOPTS_VALUE && packet->pts > r->last_raw_ts)
        r->last_raw_ts = packet->pts;
}

// A stream that comes up in the middle, when outputs have their headers already, is in none of them.
static void note_late_stream(struct source_reader *r, const AVPacket *packet)
{
    char *what;

    if (r->late_told || packet->stream_index < (int)r->retime.stream_count)
        return;
    r->late_told = true;
    what = streams_describe(r->input, (unsigned)packet->stream_index);
    log_warn("%s: %s is left out: it comes up behind %.1f s of the video", r->path, what, source_reader_seconds(r, r->last_pts));
    free(what);
}

// What the library's reader would have given, with the times that it gives.
static int read_picture(struct source_reader *r, AVPacket **result, char **why)
{
    int err = pictures_next(r->pictures, result, why);

    r->ended = err == AVERROR_EOF;
    if (err < 0)
        return err;
    (*result)->stream_index = r->video->index;
    (*result)->pts = (*result)->dts = r->picture++;
    (*result)->duration = 1;
    (*result)->flags |= AV_PKT_FLAG_KEY;
    retime_packet(&r->retime, *result);
    r->last_pts = (*result)->pts;
    r->read_any = true;
    return 0;
}

// 0, AVERROR_EOF, or ENOMEM.
static int read_packet(struct source_reader *r, AVPacket **result)
{
    AVPacket *packet = av_packet_alloc();
    int err = 0, read_error;

    if (!packet)
        return AVERROR(ENOMEM);
    for (;;) {
        err = demux_read(r->input, packet);
        if (err < 0)
            break;
        if (packet->stream_index == r->video->index)
            note_packet(r, packet);
        note_late_stream(r, packet);
        if (retime_packet(&r->retime, packet) && packet->stream_index == r->video->index)
            break;
        av_packet_unref(packet);
    }
    // Demuxers say that there is no memory for sizes which make no sense as well.
    read_error = err < 0 ? err : 0;
    if (err >= 0 && !r->read_any && !AVX_FFTOOLS_6_1)
        err = add_side_data(r, packet);
    if (err >= 0) {
        r->read_any = true;
        add_ticks(r, packet);
        if (packet->pts != AV_NOPTS_VALUE && packet->pts > r->last_pts)
            r->last_pts = packet->pts;
        *result = packet;
        return 0;
    }
    av_packet_free(&packet);
    if (!read_error)
        return err;
    r->ended = true;
    if (err != AVERROR_EOF)
        r->read_error = err;
    else if (r->input->pb && r->input->pb->error < 0 && r->input->pb->error != AVERROR_EOF)
        r->read_error = r->input->pb->error;
    note_end(r);
    return AVERROR_EOF;
}

int source_reader_next(struct source_reader *r, AVPacket **packet, char **why)
{
    int err = r->ended ? AVERROR_EOF : r->pictures ? read_picture(r, packet, why) : read_packet(r, packet);

    return err < 0 && err != AVERROR_EOF ? err_why(why, err, "%s: %s", r->path, err_text(err)) : err;
}

int source_reader_check(const struct source_reader *r, char **why)
{
    return input_file_check(&r->file, r->path, r->input->pb ? r->input->pb->error : 0, why);
}

void source_reader_close(struct source_reader *r)
{
    retime_clear(&r->retime);
    avformat_close_input(&r->input);
    pictures_close(&r->pictures);
    free(r->damage);
    free(r->path);
}
