// One task, start to end, on the render thread: packets of a segment in, through decoder, filters and encoder, packets out. Knows no sockets and no
// other segments. Every function returns 0 or a negative code with one sentence in *why (free()).
#ifndef RENDERFARM_RENDER_H
#define RENDERFARM_RENDER_H

#include "pool.h"
#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <stdbool.h>

// Calls made on the render thread.
struct render_io {
    // Blocks for the next chunk of the running task: 0 and a chunk that the caller owns, or -ECANCELED when the task was taken back or the
    // coordinator is gone.
    int (*take)(void *data, struct chunk **chunk);
    // Takes a chunk of encoded packets on success; blocks while there is no room. 0 or -ECANCELED.
    int (*put)(void *data, struct chunk **chunk);
    // Cheap; asked between frames, and while waiting.
    bool (*cancelled)(void *data);
    // Cheap; told of each frame that comes out of the decoder or of the filters: there is progress.
    void (*alive)(void *data);
    void *data;
};

struct render;

// One job's setting. Checks that there are such a decoder, filters and encoder and that the options are right; copies the job. The pool must outlive
// it. Calls avx_log_install().
int render_new(struct render **render, const Wire__Job *job, struct pool *pool, char **why);

// Runs one RENDER task: takes chunks up to the last one, keeps frames with keep_from <= pts < keep_to, puts chunks numbered from 0, the last one
// marked and perhaps empty. Fills done, which the caller has initialised, but for segment and attempt; its strings and bytes are from malloc.
int render_segment(struct render *render, const Wire__Task *task, const struct render_io *io, Wire__Done *done, char **why);

// Runs a PROBE task: takes all chunks, then decodes until a frame leaves the filters and opens the encoder with it. need_more is set if none came;
// task->keep_to == INT64_MIN says that these packets are the whole video: then decoder and filters are drained, and no frame is an error.
int render_probe(struct render *render, const Wire__Task *task, const struct render_io *io, Wire__Probed *probed, char **why);

void render_free(struct render **render); // NULL is fine

#endif
