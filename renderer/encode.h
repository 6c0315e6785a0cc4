// An encoder for one segment, set up from the job so that all segments' encoders are the same, on any machine: one thread unless the user asks for
// more. Opened with the first frame that leaves the filters. One thread. The encoder PROTOCOL_LIBPNG is none of FFmpeg's: each packet is a PNG by
// itself, see png_encode.h.
#ifndef RENDERFARM_ENCODE_H
#define RENDERFARM_ENCODE_H

#include "common/protocol.pb-c.h"

#include <libavcodec/avcodec.h>

#include <stdbool.h>

struct encode;
struct filter_output;

// Whether there is such an encoder and it has these options. On failure *why is one sentence that names both.
int encode_check(const Wire__Job *job, char **why);
const char *encode_name(const Wire__Job *job);

// The job must outlive the encoder.
int encode_new(struct encode **encode, const Wire__Job *job, char **why);

// What the filter "format" must be told before this encoder: "pix_fmts=yuv420p|yuv444p", or "" if anything will do. After encode_open it is the one
// format that was chosen. Freed with free().
char *encode_formats(const struct encode *encode);

// What the encoder is told of the whole video; freed with wire__first_frame__free_unpacked. side_data of the job stands in for what the frame lacks.
Wire__FirstFrame *encode_first_frame(const Wire__Job *job, const AVFrame *frame);

// Opens the encoder for frames like this one; the job's first_frame, where there is one, goes before the frame's own properties.
int encode_open(struct encode *encode, const AVFrame *frame, const struct filter_output *output, int bits_per_raw_sample, char **why);
bool encode_is_open(const struct encode *encode);

// For a segment that others go before: the encoder is told of times from the segment's beginning. Several (those of mpegvideo) take the time of a
// frame for how long they have been spending bits, and would make up for all that they have not spent on the segments before.
void encode_count_from_zero(struct encode *encode);

// A time of the filters' as the encoder gets it; once it is open.
int64_t encode_pts(const struct encode *encode, int64_t pts);
// Hands in a frame from the filters (its times are changed), or NULL at the end. Take all packets out after each.
int encode_send(struct encode *encode, AVFrame *frame, char **why);
// 0 and a packet in the encoder's time base, AVERROR(EAGAIN), or AVERROR_EOF.
int encode_receive(struct encode *encode, AVPacket *packet, char **why);

const AVCodecContext *encode_context(const struct encode *encode);
// Packets that the encoder may hold back to put them in decoding order.
int encode_reorder_delay(const struct encode *encode);
void encode_free(struct encode **encode);

#endif
