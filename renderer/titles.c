#include "titles.h"

#include "common/demux.h"
#include "common/mem.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find_stream(AVFormatContext *file, int number)
{
    if (number < 0)
        return av_find_best_stream(file, AVMEDIA_TYPE_SUBTITLE, -1, -1, NULL, 0);
    for (unsigned i = 0; i < file->nb_streams; i++)
        if (file->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE && number-- == 0)
            return (int)i;
    return AVERROR_STREAM_NOT_FOUND;
}

// In the milliseconds that libass is given.
static int64_t milliseconds(int64_t time, AVRational unit)
{
    return av_rescale_q(time, unit, (AVRational){1, 1000});
}

// Those that are there at the same time stand behind each other in the file.
static bool any_overlap(AVFormatContext *file, const AVStream *stream)
{
    AVPacket *packet = av_packet_alloc();
    int64_t from = INT64_MIN, to = INT64_MIN; // of the last one
    bool seen = false, overlap = !packet;

    while (!overlap && demux_read(file, packet) >= 0) {
        if (packet->stream_index == stream->index && packet->duration != 0) { // those of no length are never seen
            int64_t begin = packet->pts == AV_NOPTS_VALUE ? INT64_MIN : milliseconds(packet->pts, stream->time_base);
            int64_t end = packet->duration < 0 ? INT64_MAX : begin + milliseconds(packet->duration, stream->time_base);

            overlap = begin == INT64_MIN || (begin < to && (begin != from || end != to));
            from = begin;
            to = end;
            seen = true;
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return overlap || !seen;
}

// A script's titles that libass finds elsewhere: libavformat passes over those that are indented or whose times it cannot read, and leaves them in
// the header, and does not ask in which order their fields are.
static bool any_read_otherwise(const AVCodecParameters *par)
{
    char *header = par->extradata_size > 0 ? mem_format("%.*s", par->extradata_size, (const char *)par->extradata) : mem_dup("");
    bool otherwise = strstr(header, "Dialogue:");
    const char *events = strcasestr(header, "[Events]");

    for (const char *at = events; !otherwise && at && (at = strstr(at, "Format:"));) {
        int end = 0;

        sscanf(at, "Format: %*[^,\r\n], Start , End%n", &end);
        otherwise = end == 0;
        at += end;
    }
    free(header);
    return otherwise;
}

bool titles_overlap(const char *url, int number)
{
    AVFormatContext *file = NULL;
    bool overlap = true;
    int at;

    if (avformat_open_input(&file, url, NULL, NULL) < 0)
        return true;
    if (avformat_find_stream_info(file, NULL) >= 0 && (at = find_stream(file, number)) >= 0) {
        const AVStream *stream = file->streams[at];

        for (unsigned i = 0; i < file->nb_streams; i++)
            file->streams[i]->discard = (int)i == at ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
        // How long closed captions are to be seen only their decoder knows.
        overlap = stream->codecpar->codec_id == AV_CODEC_ID_EIA_608 || any_read_otherwise(stream->codecpar) || any_overlap(file, stream);
    }
    avformat_close_input(&file);
    return overlap;
}
