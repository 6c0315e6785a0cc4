// A PNG in memory in, one frame out, through libpng. The pixel formats are those of libavcodec's PNG decoder: grey (8 bits from 2, 4 and 8; 16),
// 1-bit black and white, grey with alpha, RGB and RGBA of 8 and 16 bits, palettes; a transparent colour
// becomes alpha, also in grey of less than 8 bits, where ffmpeg 5.1 takes the wrong pixels for transparent or none. Colour is what iCCP, cICP (where
// libpng knows it), sRGB, gAMA and cHRM say. Bytes are believed in nothing. One thread.
#ifndef RENDERFARM_PNG_DECODE_H
#define RENDERFARM_PNG_DECODE_H

#include <libavcodec/packet.h>
#include <libavutil/frame.h>

// Metadata of a frame for what no field of it can say: the chunk's numbers in units of 1/100000, as text (gAMA: one; cHRM: eight, white, red, green
// and blue, x before y, with blanks between). png_encode writes them back. Only where the field that would say it is unspecified.
#define PNG_GAMMA_KEY "png:gAMA"
#define PNG_CHROMATICITIES_KEY "png:cHRM"

enum { PNG_DECODE_REASON_BYTES = 160 };

// Fills an empty frame: picture and colour, no times. On failure AVERROR_INVALIDDATA or -ENOMEM, the frame stays empty, and reason is a clause.
int png_decode_packet(const AVPacket *packet, AVFrame *frame, char reason[PNG_DECODE_REASON_BYTES]);

#endif
