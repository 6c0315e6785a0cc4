// Whether a packet is a safe place to start decoding at, read from its bytes; and whether the picture format stays what it was. Pure byte parsing: no
// decoder, no library. Nothing is trusted: whatever cannot be parsed is not proven. Follows one stream, so every packet has to be shown, in order.
// Not thread-safe.
#ifndef RENDERFARM_BITSTREAM_H
#define RENDERFARM_BITSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bitstream_codec {
    BITSTREAM_UNKNOWN, // never proven
    BITSTREAM_INTRA,   // every packet is a picture of its own, with nothing to look at
    BITSTREAM_H264,
    BITSTREAM_HEVC,
    BITSTREAM_VP8,
    BITSTREAM_VP9,
    BITSTREAM_AV1,
    BITSTREAM_MPEG12,
    BITSTREAM_MJPEG,
    BITSTREAM_FFV1,
    BITSTREAM_PNG,
    BITSTREAM_PRORES,
    BITSTREAM_DNXHD,
    BITSTREAM_DV,
};

struct bitstream_facts {
    bool random_access; // a decoder that starts here shows the same from here on as one that has read everything before
    bool changed;       // the picture format is not the first packet's, or the stream cannot be followed any longer; stays true
    unsigned frames;    // that the packet promises to show
    bool has_order;     // the codec shows pictures in another order than it sends them, and
    int64_t order;      // this rises in the order shown
};

struct bitstream;

// extradata may be NULL; it is not kept. height: of the coded picture as the container says, 0 if unknown.
struct bitstream *bitstream_new(enum bitstream_codec codec, const uint8_t *extradata, size_t extradata_size, int height);
struct bitstream_facts bitstream_look(struct bitstream *bitstream, const uint8_t *data, size_t size);
void bitstream_free(struct bitstream **bitstream);

#endif
