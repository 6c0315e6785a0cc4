#include "gray_video.h"

#include "common/packets.h"

#include <libavcodec/codec_par.h>
#include <libavutil/pixfmt.h>

#include <stdlib.h>

enum { SIDE = 16 };

AVPacket *gray_video_frame(uint32_t slot, int64_t pts, int step, int rate)
{
    Wire__Rational tb = WIRE__RATIONAL__INIT, frame_rate = WIRE__RATIONAL__INIT, aspect = WIRE__RATIONAL__INIT;
    Wire__Frame wire = WIRE__FRAME__INIT;
    size_t crop[4] = {0};
    AVPacket *packet = av_packet_alloc();

    tb.num = 1;
    tb.den = rate * step;
    frame_rate.num = rate;
    frame_rate.den = aspect.den = 1;
    wire.slot = slot;
    wire.width = wire.height = SIDE;
    wire.format = AV_PIX_FMT_GRAY8;
    wire.pts = pts;
    wire.time_base = wire.own_time_base = &tb;
    wire.frame_rate = &frame_rate;
    wire.sample_aspect_ratio = &aspect;
    wire.crop = crop;
    wire.n_crop = 4;
    if (!packet || av_new_packet(packet, (int)wire__frame__get_packed_size(&wire)) < 0)
        abort();
    wire__frame__pack(&wire, packet->data);
    packet->pts = pts;
    packet->pos = slot;
    return packet;
}

void gray_video_probed(Wire__Probed *probed, int step, int rate)
{
    static Wire__FirstFrame first = WIRE__FIRST_FRAME__INIT;
    AVCodecParameters *par = avcodec_parameters_alloc();

    if (!par)
        abort();
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_H264;
    par->format = AV_PIX_FMT_GRAY8;
    par->width = par->height = SIDE;
    packets_parameters_to_wire(&probed->output, par);
    avcodec_parameters_free(&par);
    probed->output_time_base = packets_rational_to_wire((AVRational){1, rate * step});
    probed->output_frame_rate = packets_rational_to_wire((AVRational){rate, 1});
    probed->first_frame = &first;
}

void gray_video_probed_clear(Wire__Probed *probed)
{
    wire__codec_parameters__free_unpacked(probed->output, NULL);
    wire__rational__free_unpacked(probed->output_time_base, NULL);
    wire__rational__free_unpacked(probed->output_frame_rate, NULL);
}
