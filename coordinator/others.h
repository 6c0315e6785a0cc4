// The input, opened a second time for its other streams: their packets in file order, with the times that the video's packets have had taken off too.
// Blocks; inside the mux lane.
#ifndef RENDERFARM_OTHERS_H
#define RENDERFARM_OTHERS_H

#include <libavformat/avformat.h>

#include <stdbool.h>
#include <stdint.h>

struct others;

// On failure *why is one sentence.
int others_open(struct others **others, const char *path, int64_t start_us, char **why);
const AVFormatContext *others_input(const struct others *others);
int64_t others_offset_us(const struct others *others); // that is added to all times at the beginning

// Which streams to give out, one flag each; once, before the first packet. None: nothing is read at all.
void others_want(struct others *others, const bool *wanted);
// The next packet of a wanted stream, in its stream's time base, with a decode time; *packet is NULL at the end. It stays the same until others_take.
// A read error in mid-file ends the streams there, as ffmpeg has it, and is logged.
int others_peek(struct others *others, const AVPacket **packet, char **why);
AVPacket *others_take(struct others *others); // the caller owns it

void others_close(struct others **others);

#endif
