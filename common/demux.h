// Opening an input and reading its packets, for all that do: the video's reader and those of the other streams must see the same streams, and go as
// far as each other.
#ifndef RENDERFARM_DEMUX_H
#define RENDERFARM_DEMUX_H

#include <libavformat/avformat.h>

// avformat_open_input, with the options that the ffmpeg program gives. *input may be allocated, and is freed on failure.
int demux_open(AVFormatContext **input, const char *path);

// av_read_frame, which goes on where a demuxer gives up one packet and says "again".
int demux_read(AVFormatContext *input, AVPacket *packet);

#endif
