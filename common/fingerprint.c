#include "fingerprint.h"

#include <libavutil/imgutils.h>
#include <libavutil/mem.h>
#include <libavutil/murmur3.h>
#include <libavutil/pixdesc.h>

#include <stdbool.h>

static void add_plane(struct AVMurMur3 *hash, const uint8_t *line, ptrdiff_t linesize, int width_bytes, int lines)
{
    for (int y = 0; y < lines; y++, line += linesize)
        av_murmur3_update(hash, line, (size_t)width_bytes);
}

int fingerprint_frame(const AVFrame *frame, uint8_t fingerprint[FINGERPRINT_BYTES])
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    const int64_t head[] = {frame->format, frame->width, frame->height, frame->pts};
    struct AVMurMur3 *hash;

    if (!format || format->flags & AV_PIX_FMT_FLAG_HWACCEL)
        return AVERROR(EINVAL);
    hash = av_murmur3_alloc();
    if (!hash)
        return AVERROR(ENOMEM);
    av_murmur3_init(hash);
    av_murmur3_update(hash, (const uint8_t *)head, sizeof(head));
    for (int plane = 0; plane < 4 && frame->data[plane]; plane++) {
        int width_bytes = av_image_get_linesize(frame->format, frame->width, plane);
        bool chroma = plane == 1 || plane == 2;

        if (format->flags & AV_PIX_FMT_FLAG_PAL && plane == 1)
            av_murmur3_update(hash, frame->data[1], AVPALETTE_SIZE);
        else if (width_bytes > 0)
            add_plane(hash, frame->data[plane], frame->linesize[plane], width_bytes,
                      chroma ? AV_CEIL_RSHIFT(frame->height, format->log2_chroma_h) : frame->height);
    }
    av_murmur3_final(hash, fingerprint);
    av_free(hash);
    return 0;
}
