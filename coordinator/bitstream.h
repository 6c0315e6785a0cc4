// Whether a decoder can start at a packet, read from the packet's own bytes: containers flag keyframes where decoders cannot start. Pure parsing of bytes
// that come from outside: nothing is read past the end, and what is not understood is no start. Also keeps an eye on parameter sets: a decoder that starts
// at a later packet knows those of the stream's extradata, so once others came in the stream, nothing is a start any more.
//
// Sources: ITU-T H.264 7.3.1 and Annex B, H.265 7.3.1 and Annex B, ISO/IEC 14496-15 5.2.4 and 8.3.3 (avcC, hvcC), RFC 6386 9.1 (VP8), the VP9
// bitstream specification 6.2, the AV1 bitstream specification 5.3 and 5.9.2, ISO/IEC 13818-2 6.2 (MPEG-2) and 11172-2 2.4.2 (MPEG-1).
#ifndef RENDERFARM_BITSTREAM_H
#define RENDERFARM_BITSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bitstream_codec {
    BITSTREAM_OTHER,      // never a start
    BITSTREAM_INTRA_ONLY, // every packet is one
    BITSTREAM_FLAGGED,    // whatever the container flags as keyframe is one (FFV1)
    BITSTREAM_H264,
    BITSTREAM_HEVC,
    BITSTREAM_VP8,
    BITSTREAM_VP9,
    BITSTREAM_AV1,
    BITSTREAM_MPEG12,
};

struct bitstream;

// name as FFmpeg names the codec ("h264").
enum bitstream_codec bitstream_codec_of(const char *name);
struct bitstream *bitstream_new(enum bitstream_codec codec, const uint8_t *extradata, size_t extradata_size);
void bitstream_free(struct bitstream **bitstream);

// Every packet of the stream has to pass, in order. True if a decoder that knows the extradata can start here, given that the container flags it (key).
bool bitstream_is_start(struct bitstream *bitstream, const uint8_t *data, size_t size, bool key);
// Parameter sets that the extradata lacks have come.
bool bitstream_changed(const struct bitstream *bitstream);

#endif
