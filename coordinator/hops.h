// The shared memory between the stages of a plan: how many frames fit between each two. Loop thread only.
#ifndef RENDERFARM_HOPS_H
#define RENDERFARM_HOPS_H

#include "stage.h"

// Maps the memory behind fd with room for frames of frame_bytes, and tells every stage's job which slots are its own. workers: renderers of a
// parallel stage. Takes what makes all of them busy, up to half of the memory that there is. NULL on failure, errno tells why.
struct arena *hops_make(int fd, struct stage *stages, size_t stage_count, size_t frame_bytes, unsigned workers);

#endif
