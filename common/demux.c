#include "demux.h"

enum { MAX_AGAIN = 100000 };

int demux_read(AVFormatContext *input, AVPacket *packet)
{
    int err, again = 0;

    do
        err = av_read_frame(input, packet);
    while (err == AVERROR(EAGAIN) && again++ < MAX_AGAIN);
    return err;
}
