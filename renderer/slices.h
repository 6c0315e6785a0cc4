// In how many slices the filters of a graph take a frame. The number belongs to the job, because some filters' pixels depend on it; where none do, it
// may follow the threads. Graphs run their slices on the pool.
#ifndef RENDERFARM_SLICES_H
#define RENDERFARM_SLICES_H

#include "pool.h"
#include "common/protocol.pb-c.h"

#include <libavfilter/avfilter.h>

#include <stdbool.h>

// An empty graph; NULL: there is no memory. pool: NULL for one that no frame goes through; it outlives the graph. scaling_shows: the pictures depend
// on how many slices swscale makes of them, so that it gets the job's number.
AVFilterGraph *slices_new_graph(const Wire__Job *job, struct pool *pool, bool scaling_shows);
// For the filters of a graph that is not configured yet, where they need another number than the graph's.
void slices_limit(AVFilterGraph *graph, const struct pool *pool, bool scaling_shows);
// Of a graph that is configured: whether scaling_shows was to be set.
bool slices_show_in_scaling(const AVFilterGraph *graph);

#endif
