// The timestamps of an input's packets as the ffmpeg program mends them without -copyts: the start time of the file is taken off, wrapped and jumping
// times of formats that may jump (MPEG-TS and the like) are joined, and a stream copy without decode times gets estimated ones. Where there is a
// jump, and how far, the video alone decides, as if nothing else were read; the other streams follow, and bridge the time until they come to the jump
// themselves or the video does. So whoever reads any of them has to read the video too, see retime_needs. One thread at a time. The input must
// outlive it.
#ifndef RENDERFARM_RETIME_H
#define RENDERFARM_RETIME_H

#include <libavformat/avformat.h>

#include <stdbool.h>

enum { RETIME_MAX_DELAY = 16 };

struct retime_stream {
    int64_t dts_us, next_dts_us; // of the last packet and of the next; AV_NOPTS_VALUE before the first
    int64_t rescale_last;        // state of av_rescale_delta
    int64_t apart_us;            // of another stream than the video: added to its times as well, between its jump and that of the video
    bool seen, wrap_checked;
    int64_t passed_us; // what lies well before this goes back in time
    // The decoder that is imagined: how many frames it holds back, where the frame ends that it has given last, 0 before the first, and those that it
    // holds, by their times.
    bool decodes;
    unsigned delay;
    int64_t shown_us;
    struct retime_frame {
        int64_t pts_us, length_us;
    } frames[RETIME_MAX_DELAY + 1];
    unsigned held;
};

struct retime {
    const AVFormatContext *input;
    int lead;           // the video
    int64_t offset_us;  // added to all times
    int64_t last_ts_us; // of the video
    struct retime_stream *streams;
    unsigned stream_count;
};

// start_us is taken off all times; AV_NOPTS_VALUE for the start time of the file.
void retime_init(struct retime *retime, const AVFormatContext *input, int64_t start_us);
void retime_clear(struct retime *retime);

// Whether the format is one of those whose times may jump.
bool retime_may_jump(const AVFormatContext *input);
// Whether the times of the others depend on the packets of this stream.
bool retime_needs(const struct retime *retime, unsigned stream);

// Changes the packet's times, which stay in the stream's time base. False: the packet is of a stream that came up later, and is to be ignored.
bool retime_packet(struct retime *retime, AVPacket *packet);
// Then, for a packet that is copied and not decoded: gives it a decode time if it has none, and audio exact steps.
void retime_copy(struct retime *retime, AVPacket *packet);

#endif
