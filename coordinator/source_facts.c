#include "source_facts.h"

#include "common/avx.h"
#include "common/mem.h"
#include "common/packets.h"

#include <libavutil/pixfmt.h>
#include <libavutil/rational.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum bitstream_codec source_facts_codec(const AVCodecParameters *par)
{
    switch (par->codec_id) {
    case AV_CODEC_ID_H264:
        return BITSTREAM_H264;
    case AV_CODEC_ID_HEVC:
        return BITSTREAM_HEVC;
    case AV_CODEC_ID_VP8:
        return BITSTREAM_VP8;
    case AV_CODEC_ID_VP9:
        return BITSTREAM_VP9;
    case AV_CODEC_ID_AV1:
        return BITSTREAM_AV1;
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
        return BITSTREAM_MPEG12;
    case AV_CODEC_ID_MJPEG:
        return BITSTREAM_MJPEG;
    case AV_CODEC_ID_FFV1:
        return BITSTREAM_FFV1;
    case AV_CODEC_ID_PNG:
        return BITSTREAM_PNG;
    case AV_CODEC_ID_PRORES:
        return BITSTREAM_PRORES;
    case AV_CODEC_ID_DNXHD:
        return BITSTREAM_DNXHD;
    case AV_CODEC_ID_DVVIDEO:
        return BITSTREAM_DV;
    case AV_CODEC_ID_RAWVIDEO:
        return par->format == AV_PIX_FMT_PAL8 ? BITSTREAM_UNKNOWN : BITSTREAM_INTRA;
    case AV_CODEC_ID_HUFFYUV:
    case AV_CODEC_ID_FFVHUFF:
    case AV_CODEC_ID_UTVIDEO:
    case AV_CODEC_ID_MAGICYUV:
    case AV_CODEC_ID_V210:
    case AV_CODEC_ID_JPEG2000:
        return BITSTREAM_INTRA;
    default:
        // By name, since newer libraries know it as something else.
        return !strcmp(avcodec_get_name(par->codec_id), "v410") ? BITSTREAM_INTRA : BITSTREAM_UNKNOWN;
    }
}

static char *why_not_cuttable(const AVCodecParameters *par)
{
    if (source_facts_codec(par) != BITSTREAM_UNKNOWN)
        return NULL;
    if (par->codec_id == AV_CODEC_ID_RAWVIDEO)
        return mem_dup("raw video with a palette may change it between any two frames");
    return mem_format("the codec %s is not known to restart at its keyframes", avcodec_get_name(par->codec_id));
}

// H.264 does not have to say: a decoder finds out on its way, from what was found when the file was opened.
unsigned source_facts_reorder(const AVCodecParameters *par)
{
    switch (source_facts_codec(par)) {
    case BITSTREAM_H264:
        return (unsigned)(par->video_delay > 0 ? par->video_delay : 0);
    case BITSTREAM_HEVC:
    case BITSTREAM_MPEG12:
        return UINT_MAX;
    default:
        return 0;
    }
}

// The longest time between two keyframes, by the index that the container has of itself; 0 where it has none to speak of.
static double keyframe_gap_s(AVStream *video, double duration_s)
{
    int count = avformat_index_get_entries_count(video);
    int64_t first = AV_NOPTS_VALUE, last = 0, longest = 0;

    for (int i = 0; i < count; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(video, i);

        if (!(entry->flags & AVINDEX_KEYFRAME))
            continue;
        if (first == AV_NOPTS_VALUE)
            first = entry->timestamp;
        else if (entry->timestamp - last > longest)
            longest = entry->timestamp - last;
        last = entry->timestamp;
    }
    if (count < 2 || first == AV_NOPTS_VALUE)
        return 0;
    return fmax((double)longest * av_q2d(video->time_base), duration_s - (double)(last - first) * av_q2d(video->time_base));
}

static double video_duration_s(const AVFormatContext *input, const AVStream *video)
{
    if (video->duration > 0)
        return (double)video->duration * av_q2d(video->time_base);
    return input->duration > 0 ? (double)input->duration / AV_TIME_BASE : 0;
}

void source_facts_fill(struct source_facts *facts, AVFormatContext *input, AVStream *video, int64_t start_us)
{
    const AVCodecParameters *par = video->codecpar;
    AVRational rate = video->avg_frame_rate;

    memset(facts, 0, sizeof(*facts));
    packets_parameters_to_wire(&facts->parameters, par);
    // The container's word on the shape of a pixel; if there is one, ffmpeg takes it before the decoder's.
    facts->parameters->sample_aspect_ratio->num = video->sample_aspect_ratio.num;
    facts->parameters->sample_aspect_ratio->den = video->sample_aspect_ratio.den;
    facts->time_base = packets_rational_to_wire(video->time_base);
    facts->frame_rate = packets_rational_to_wire(av_guess_frame_rate(input, video, NULL));
    if (rate.num > 0 && rate.den > 0)
        facts->average_rate = packets_rational_to_wire(rate);
    for (int i = 0; i < avx_stream_side_count(video); i++) {
        enum AVPacketSideDataType type;
        const uint8_t *data;
        size_t size;

        avx_stream_side_at(video, i, &type, &data, &size);
        packets_side_data_append(&facts->side_data, &facts->side_data_count, (int)type, data, size);
    }
    facts->others_path = mem_dup(input->url);
    facts->codec_name = mem_dup(avcodec_get_name(par->codec_id));
    facts->format_name = mem_dup(input->iformat->name);
    facts->duration_s = video_duration_s(input, video);
    facts->keyframe_gap_s = keyframe_gap_s(video, facts->duration_s);
    facts->frames = video->nb_frames;
    if (facts->frames <= 0 && rate.num > 0 && rate.den > 0)
        facts->frames = llrint(fmin(facts->duration_s * av_q2d(rate), 1e15));
    facts->start_s = (double)start_us / AV_TIME_BASE;
    facts->width = par->width;
    facts->height = par->height;
    facts->why_not_cuttable = why_not_cuttable(par);
    facts->cuttable = !facts->why_not_cuttable;
}

void source_facts_clear(struct source_facts *facts)
{
    if (facts->parameters)
        wire__codec_parameters__free_unpacked(facts->parameters, NULL);
    if (facts->time_base)
        wire__rational__free_unpacked(facts->time_base, NULL);
    if (facts->frame_rate)
        wire__rational__free_unpacked(facts->frame_rate, NULL);
    if (facts->average_rate)
        wire__rational__free_unpacked(facts->average_rate, NULL);
    for (size_t i = 0; i < facts->side_data_count; i++)
        wire__side_data__free_unpacked(facts->side_data[i], NULL);
    free(facts->side_data);
    free(facts->codec_name);
    free(facts->format_name);
    free(facts->others_path);
    free(facts->why_not_cuttable);
    memset(facts, 0, sizeof(*facts));
}
