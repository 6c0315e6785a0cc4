// What `--explain` prints: the stages of a plan, why each is parallel or in order, where the cuts are, and what limits the speed-up. Pure but for
// printing.
#ifndef RENDERFARM_EXPLAIN_H
#define RENDERFARM_EXPLAIN_H

#include "plan.h"
#include "source.h"

#include <stdio.h>

void explain_plan(FILE *out, const struct plan *plan, const char *input, const struct source_facts *facts);
// Whether renderers on other hosts can help. workers: on this host, to begin with; launched: --launch starts those on others.
void explain_remote(FILE *out, const struct plan *plan, size_t frame_bytes, int workers, bool launched);

// Cuts in the packets, as they are found.
struct explain_cuts {
    double begin_s, longest_s; // of the running segment; of all so far
    unsigned count, column;
};

void explain_cut(FILE *out, struct explain_cuts *cuts, double time_s); // the first is the beginning of the video
// The end of the video. note: why segments are longer than asked for, a clause; NULL if they are not.
void explain_end(FILE *out, struct explain_cuts *cuts, const struct plan *plan, double end_s, const char *note);

#endif
