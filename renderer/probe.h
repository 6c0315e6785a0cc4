// What a probe found, for the coordinator: what comes out of the filters and the encoder, and what the output file says of the video. Knows nothing
// of how the first frame came about.
#ifndef RENDERFARM_PROBE_H
#define RENDERFARM_PROBE_H

#include "encode.h"
#include "filter.h"
#include "common/protocol.pb-c.h"

// first: the first frame out of the filters, with or without its picture; the encoder was opened with it. 0 or a negative code with one sentence in
// *why (free()).
int probe_describe(const Wire__Job *job, const struct encode *encode, const struct filter *filter, const AVFrame *first, Wire__Probed *probed,
                   char **why);

#endif
