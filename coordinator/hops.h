// The shared memory between the stages of a plan: how many frames fit between each two. Loop thread only.
#ifndef RENDERFARM_HOPS_H
#define RENDERFARM_HOPS_H

#include "stage.h"

// Deals slots for frames of frame_bytes to the stages: what makes all renderers of a parallel stage (workers) busy, up to half of the memory that
// there is, of which others have some bytes already; but never less than it takes to go on at all. Returns how many slots there are; 0: too many.
uint32_t hops_deal(struct stage *stages, size_t stage_count, size_t frame_bytes, unsigned workers, uint64_t others);
// Of the slots behind a stage, what so many renderers of the next one need, so that none of them ever waits for memory.
uint64_t hops_wanted(const struct plan_stage *from, const struct plan_stage *to, uint64_t workers);
// Maps them, from offset on in the memory behind fd, and tells every stage's job which are its own. NULL on failure, errno tells why.
struct arena *hops_map(int fd, uint64_t offset, struct stage *stages, size_t stage_count, size_t frame_bytes, uint32_t slot_count);

#endif
