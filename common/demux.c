#include "demux.h"

enum { MAX_AGAIN = 100000 };

int demux_open(AVFormatContext **input, const char *path)
{
    AVDictionary *options = NULL;
    int err;

    // So that the streams of a later program map are there from the start; formats other than MPEG-TS leave it untouched.
    av_dict_set(&options, "scan_all_pmts", "1", 0);
    err = avformat_open_input(input, path, NULL, &options);
    av_dict_free(&options);
    return err;
}

int demux_read(AVFormatContext *input, AVPacket *packet)
{
    int err, again = 0;

    do
        err = av_read_frame(input, packet);
    while (err == AVERROR(EAGAIN) && again++ < MAX_AGAIN);
    return err;
}
