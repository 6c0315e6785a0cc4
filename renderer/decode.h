// A decoder, from packets of one segment to frames with timestamps as the ffmpeg program would give them, in the job's input time base. A damaged
// packet is counted and passed over, as ffmpeg does. One thread; no lock; the caller owns the frames it receives.
#ifndef RENDERFARM_DECODE_H
#define RENDERFARM_DECODE_H

#include "common/protocol.pb-c.h"

#include <libavcodec/avcodec.h>

struct decode;

struct decode_damage {
    uint64_t count;
    const char *first; // owned by the decoder; NULL if all is well
    int64_t first_pts;
};

// Whether there is a decoder for the job's input. On failure *why is one sentence.
int decode_check(const Wire__Job *job, char **why);
const char *decode_name(const Wire__Job *job);

// extradata (with its size) takes the place of the job's when not NULL. threads: to decode with, where the codec's frames can be decoded side by
// side; 1 for most. Of a clean stream they make the same frames as one does.
int decode_new(struct decode **decode, const Wire__Job *job, const void *extradata, size_t extradata_size, unsigned threads, char **why);

// NULL: no more packets. Call decode_receive until it has nothing left before the next one. Fails only for lack of memory. May change the packet's
// times.
int decode_send(struct decode *decode, AVPacket *packet);
// 0, AVERROR(EAGAIN) when the decoder wants a packet, AVERROR_EOF, or -ENOMEM. With several threads also ERR_AGAIN_DECODING_ALL: the stream is not
// clean, and one thread may make other frames of what comes now.
int decode_receive(struct decode *decode, AVFrame *frame);

// When the last frame ends, which the filters are told at the end.
int64_t decode_end_pts(const struct decode *decode);
int decode_bits_per_raw_sample(const struct decode *decode);
struct decode_damage decode_damage(const struct decode *decode);
void decode_free(struct decode **decode);

#endif
