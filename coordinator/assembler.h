// Finished pieces until their turn: encoded chunks arrive per segment, in order within a segment, segments in any order; they leave in the one order
// of the output. Pure: chunks are opaque here. Not thread-safe. A segment's attempt that is lost may be repeated: what has already left is skipped
// the second time (the same work gives the same packets, if perhaps in other chunks), the rest is dropped and comes again.
#ifndef RENDERFARM_ASSEMBLER_H
#define RENDERFARM_ASSEMBLER_H

#include "common/chunk.h"

#include <stdbool.h>
#include <stdint.h>

struct assembler;

struct assembler *assembler_new(void);
// Chunks that are not wanted any more go to drop(data, &chunk), which frees them; without it they are just freed.
void assembler_set_drop(struct assembler *a, void (*drop)(void *data, struct chunk **chunk), void *data);
void assembler_free(struct assembler **assembler);

// Whether a chunk of that number may come next, and whether the segment may end after so many packets.
bool assembler_expects(const struct assembler *a, uint32_t segment, uint32_t sequence);
bool assembler_can_end(const struct assembler *a, uint32_t segment, uint64_t packets);
// A chunk of a segment. On success the assembler owns it and *chunk is NULL; -EPROTO if it does not follow the one before it (the caller still owns
// it then).
int assembler_put(struct assembler *a, uint32_t segment, struct chunk **chunk);
// All chunks of the segment are in, packets is what the renderer counted. -EPROTO if that is not what arrived.
int assembler_end(struct assembler *a, uint32_t segment, uint64_t packets);
// The attempt is lost: forget what has not left yet.
void assembler_restart(struct assembler *a, uint32_t segment);

// No more will come of the segment than what is here.
void assembler_settle(struct assembler *a, uint32_t segment);
// Whether something of it has left already.
bool assembler_begun(const struct assembler *a, uint32_t segment);

// The next chunk of the output, or NULL while it is not here. The caller owns it.
struct chunk *assembler_next(struct assembler *a);
// True once for each segment that has left completely, in order.
bool assembler_finished(struct assembler *a, uint32_t *segment);

uint32_t assembler_head(const struct assembler *a); // the segment whose turn it is
size_t assembler_held_bytes(const struct assembler *a);
size_t assembler_head_bytes(const struct assembler *a); // of those, the head's
bool assembler_empty(const struct assembler *a);

#endif
