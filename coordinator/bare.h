// Containers of pictures that no encoder has touched (YUV4MPEG): libavformat's muxers for them want a frame in memory where others want bytes.
// Renderers give the pictures' bytes, as the encoder rawvideo makes them, and here they become such frames. Any thread.
#ifndef RENDERFARM_BARE_H
#define RENDERFARM_BARE_H

#include <libavcodec/packet.h>
#include <libavformat/avformat.h>

#include <stdbool.h>

// Whether a container is one of those.
bool bare_takes(const AVOutputFormat *format);

// What the muxer is to be told of a stream of raw pictures.
void bare_describe(AVCodecParameters *par);

// Makes the packet with the bytes of one picture one with a frame, which holds on to these bytes. Returns 0, AVERROR_INVALIDDATA when there are not
// as many bytes as such a picture has, or AVERROR(ENOMEM).
int bare_wrap(AVPacket *packet, const AVCodecParameters *par);

#endif
