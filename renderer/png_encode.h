// A frame in, one PNG in memory out, through libpng. Pure: knows no files, no jobs and no codecs. Takes the pixel formats that libavcodec's PNG
// encoder takes, as they are: grey, grey with alpha, RGB and RGBA of 8 and 16 bits, palettes, and 1-bit black and white. One thread.
//
// Colour is written where the frame says what it is: a profile (iCCP), or sRGB, else primaries and transfer (cHRM, gAMA), and cICP where libpng
// knows it; where it does not, but was read from a picture whose chunks did, those chunks' numbers are (see png_decode.h). The shape of a pixel goes
// into pHYs as ffmpeg writes it, the frame's time into a text "Timestamp", in seconds.
#ifndef RENDERFARM_PNG_ENCODE_H
#define RENDERFARM_PNG_ENCODE_H

#include <libavcodec/packet.h>
#include <libavutil/frame.h>
#include <libavutil/rational.h>

#include <stdbool.h>

struct png_encode;

struct png_encode *png_encode_new(void);
void png_encode_free(struct png_encode **encode); // NULL is fine

// "level": 0 (stored) to 9 (small), or auto; "filter": none, sub, up, avg, paeth, mixed (the best for each row, by its sum) or auto. Both are auto at
// first: then samples of every few frames are tried in several ways, and the best for its time is taken. So a frame's bytes depend on where the
// encoder began, too. -ENOENT for another key, -EINVAL for another value; *why is one sentence.
int png_encode_set(struct png_encode *encode, const char *key, const char *value, char **why);

bool png_encode_takes(enum AVPixelFormat format);

// Fills an empty packet with the picture; the packet's times are not touched. time_base is that of the frame's pts. On failure the packet stays
// empty.
int png_encode_frame(struct png_encode *encode, const AVFrame *frame, AVRational time_base, AVPacket *packet, char **why);

#endif
