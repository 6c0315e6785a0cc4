// The plan: facts about the input, what the filters depend on and the user's options in; stages out. Pure: no files, no decoders. Today a plan has one
// stage [decode filters encode], parallel over segments where that is proven exact, else over one single segment; more stages will be added here.
#ifndef RENDERFARM_PLAN_H
#define RENDERFARM_PLAN_H

#include "common/protocol.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

struct plan_input {
    bool cuttable;                // of the stream, see source_facts
    const char *why_not_cuttable; // clause
    double duration_s;            // 0: unknown
    double segment_s;             // the user's wish; 0: none
    bool one_segment;             // the user's wish
    Wire__FilterFacts *const *filters;
    size_t filter_count;
};

struct plan {
    bool parallel;    // false: one segment
    double segment_s; // length aimed at, when parallel
    char *reason;     // why serial, one clause naming the filter or codec ("the filter hqdn3d carries state from frame to frame"); NULL when parallel
};

void plan_make(struct plan *plan, const struct plan_input *input);
void plan_clear(struct plan *plan);

#endif
