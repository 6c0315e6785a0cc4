// The filter graph of a job: the frames of the decoder in, through the rotation that the file asks for and the user's chain, into a pixel format that
// the encoder takes. Rebuilt when the frames' size or format changes, as the ffmpeg program does; the first graph's output size is kept for good. The
// slices of a frame run on the pool. One thread calls; libavfilter calls back on the pool's threads.
#ifndef RENDERFARM_FILTER_H
#define RENDERFARM_FILTER_H

#include "pool.h"
#include "common/protocol.pb-c.h"

#include <libavutil/frame.h>
#include <libavutil/rational.h>

#include <stdbool.h>

struct filter;

// What leaves the graph.
struct filter_output {
    AVRational time_base, frame_rate, aspect_ratio;
    int width, height, format;
    bool untouched; // no filter changes pixels
};

// Parses the job's chain: 0, or an error with one sentence in *why that names the chain.
int filter_check(const Wire__Job *job, char **why);
// The same, and appends the facts of each of the user's filters, in the order of the graph.
int filter_facts(const Wire__Job *job, Wire__FilterFacts ***facts, size_t *count, char **why);

// Fills in the formats of the links of the user's filters, as the graph has them now; valid after the first filter_send. facts as filter_facts gave
// them.
void filter_links(const struct filter *filter, Wire__FilterFacts **facts, size_t count);

// The job must outlive the filter. formats is an argument list for the filter "format", "" for any; it is copied.
int filter_new(struct filter **filter, const Wire__Job *job, struct pool *pool, const char *formats);

// For another run of frames. The graph stays where it cannot make a difference that it was not built for them: it owes no frame, and the run begins
// with a frame that is like the one it was built for. Only for chains whose frames depend on nothing but themselves.
void filter_again(struct filter *filter, const char *formats);
// True when a frame came out for each that went in, so that there is nothing to end.
bool filter_is_even(const struct filter *filter);

// From now on the output has this pixel format, whatever the input becomes (the encoder is open).
void filter_fix_format(struct filter *filter, const char *formats);
// The one that it has, where the encoder is somewhere else.
void filter_keep_format(struct filter *filter);

// Whether the frames that follow are only there for those behind them: what comes out for them is thrown away. The job's one filter that looks at
// neighbours may rest then. It does not change what comes out later.
void filter_rest(struct filter *filter, bool rest);
// Hands in a decoded frame, which is emptied. Every frame that can come out must have been taken out before. AVERROR_EOF: the chain wants no more.
int filter_send(struct filter *filter, AVFrame *frame, char **why);
// True when the next frame would rebuild the graph.
bool filter_must_rebuild(const struct filter *filter, const AVFrame *frame);
// No more frames; pts is the end of the last one.
int filter_end(struct filter *filter, int64_t pts, char **why);
// 0 and a frame, AVERROR(EAGAIN) or AVERROR_EOF; times are in filter_output's time base.
int filter_receive(struct filter *filter, AVFrame *frame, char **why);
// Valid after the first filter_send.
void filter_output(const struct filter *filter, struct filter_output *output);

void filter_free(struct filter **filter);

#endif
