// A short name for what a frame shows and when: two frames have the same one if format, size, time and every visible pixel are the same, and
// otherwise, but for odds of 2^-128 where nobody tries, they have not. Murmur3, 128 bits, as libavutil has it. Any thread.
#ifndef RENDERFARM_FINGERPRINT_H
#define RENDERFARM_FINGERPRINT_H

#include <libavutil/frame.h>

enum { FINGERPRINT_BYTES = 16 };

// Returns 0, or a negative code for a frame whose pixels are not in memory or of no known layout.
int fingerprint_frame(const AVFrame *frame, uint8_t fingerprint[FINGERPRINT_BYTES]);

#endif
