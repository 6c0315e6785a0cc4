#include "bare.h"

#include <libavutil/frame.h>
#include <libavutil/imgutils.h>

bool bare_takes(const AVOutputFormat *format)
{
    return format->video_codec == AV_CODEC_ID_WRAPPED_AVFRAME;
}

void bare_describe(AVCodecParameters *par)
{
    par->codec_id = AV_CODEC_ID_WRAPPED_AVFRAME;
}

static void free_frame(void *opaque, uint8_t *data)
{
    AVFrame *frame = (AVFrame *)(void *)data;

    (void)opaque;
    av_frame_free(&frame);
}

// The picture's bytes, without gaps, are the frame's.
static int fill(AVFrame *frame, const AVPacket *packet, const AVCodecParameters *par)
{
    int size = av_image_get_buffer_size(par->format, par->width, par->height, 1);

    if (size < 0 || packet->size < size || !packet->buf)
        return AVERROR_INVALIDDATA;
    frame->format = par->format;
    frame->width = par->width;
    frame->height = par->height;
    frame->sample_aspect_ratio = par->sample_aspect_ratio;
    frame->pts = packet->pts;
    size = av_image_fill_arrays(frame->data, frame->linesize, packet->data, par->format, par->width, par->height, 1);
    if (size < 0)
        return size;
    frame->buf[0] = av_buffer_ref(packet->buf);
    return frame->buf[0] ? 0 : AVERROR(ENOMEM);
}

int bare_wrap(AVPacket *packet, const AVCodecParameters *par)
{
    AVFrame *frame = av_frame_alloc();
    int err = frame ? fill(frame, packet, par) : AVERROR(ENOMEM);
    AVBufferRef *wrapped = err < 0 ? NULL : av_buffer_create((uint8_t *)frame, sizeof(*frame), free_frame, NULL, AV_BUFFER_FLAG_READONLY);

    if (!wrapped) {
        av_frame_free(&frame);
        return err < 0 ? err : AVERROR(ENOMEM);
    }
    av_buffer_unref(&packet->buf);
    packet->buf = wrapped;
    packet->data = wrapped->data;
    packet->size = (int)sizeof(*frame);
    return 0;
}
