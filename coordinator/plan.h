// The plan: facts about the input, what the filters depend on and the user's options in; stages out. Pure: no files, no decoders.
//
// Where the stream and the chain allow it there is one stage [decode filters encode], parallel over segments that are cut in the packets. Else the
// frames go from stage to stage: serial stages take them in order in one process, parallel ones take runs of them on any. How long the runs of the
// encoding stage are follows from the input and the options alone, because it shapes the output.
#ifndef RENDERFARM_PLAN_H
#define RENDERFARM_PLAN_H

#include "common/protocol.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

struct plan_input {
    bool cuttable;                // of the stream, see source_facts
    const char *why_not_cuttable; // clause
    double duration_s;            // 0: unknown
    double keyframe_gap_s;        // the longest; 0: unknown
    double frame_rate;            // that leaves the filters, frames per second; 0: unknown
    size_t frame_bytes;           // of a raw frame
    double segment_s;             // the user's wish; 0: none
    bool one_graph;               // the filters may not be taken apart, for the graph starts anew on the way
    bool one_segment;             // the user's wish, or all that was left
    const char *why_one_segment;  // clause; NULL: the user's wish
    bool encode_stream;           // one encoder over the whole video
    const char *why_one_encoder;  // clause; NULL: the user's wish
    const char *chain;            // as the user wrote it
    const char *decoder_format;   // pixel format that the filters get; NULL: unknown
    const char *encoder_format;   // and that the encoder gets
    Wire__FilterFacts *const *filters;
    size_t filter_count;
    char *const *vouched; // names of filters, or of their plugins, that the user calls frame by frame
    size_t vouched_count;
};

// Seconds; the shortest segment that is aimed at, but near the end of the video.
#define PLAN_SHORTEST_S 2.0

struct plan_stage {
    bool decode, encode, parallel;
    char *filters;          // of this stage; NULL: the user's chain as it is
    char *sink_format;      // pixel format that leaves its filters; NULL: what the encoder, of this stage or behind it, and the filters agree on
    unsigned before, after; // parallel: frames that the filters want to see on either side of a run
    double rate;            // parallel and behind another stage: frames that come to it, a second; 0: unknown
    unsigned run_frames;    // parallel and behind another stage: the length of a run, at most; see plan_run_length
    uint64_t frames;        // about how many frames will come, for the length of the last runs; 0: unknown
    unsigned brief_frames;  // a run of so many frames is a short one; see taper.h
    bool keeps_graph;       // parallel: no frame depends on another, so filters may go from run to run as they are
    bool rests;             // parallel: one filter looks at neighbours, and no other does: see Job
    char *why;              // serial: a clause ("the filter hqdn3d carries state from frame to frame"); NULL when parallel
};

struct plan {
    struct plan_stage *stages; // the first decodes, the last encodes
    size_t stage_count;
    double segment_s; // length aimed at
    double taper_s;   // cut packets: length of the video, towards whose end segments get shorter; 0: all are alike
    char *chain;      // as the user wrote it
    char *reason;     // why it is not one parallel stage, one clause; NULL if it is
    bool limited;     // that reason limits the speed-up
    bool differs;     // two runs give different pictures: filters go by the clock, or draw lots
    bool slices_free; // no picture depends on the number of slices that filters work on
};

void plan_make(struct plan *plan, const struct plan_input *input);
// How many frames the run has that begins with frame number `from`: shorter ones towards the end, so that all cores end at about the same time.
unsigned plan_run_length(const struct plan_stage *stage, uint64_t from);
// Whether decoding may begin anywhere that the decoder can: no stage in order but the decoder knows of what was before.
bool plan_may_leave_out(const struct plan *plan);
// The names of the stage's filters, "scale,unsharp", without what was put between them; "filters" for a graph that branches. free().
char *plan_filter_names(const struct plan *plan, const struct plan_stage *stage);
// One line for people: "decode | nlmeans (parallel) | hqdn3d | unsharp, encode (parallel)"; free().
char *plan_describe(const struct plan *plan);
void plan_clear(struct plan *plan);

#endif
