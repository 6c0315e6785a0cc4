// Reading packets, for all that read an input: the video's reader and those of the other streams must go as far as each other.
#ifndef RENDERFARM_DEMUX_H
#define RENDERFARM_DEMUX_H

#include <libavformat/avformat.h>

// av_read_frame, which goes on where a demuxer gives up one packet and says "again".
int demux_read(AVFormatContext *input, AVPacket *packet);

#endif
