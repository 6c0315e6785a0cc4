// Raw frames in memory that all processes of one host share: slots of one size in a part of a memfd, each with a count of those who need it. Files
// that are rendered at the same time by the same processes have a part each. A producer takes a free slot of its hop (waits while there is none: that
// is the flow control), writes a frame and sends a descriptor; whoever is done with the frame releases the slot. Until the coordinator has the
// descriptor (arena_accept) a slot carries its taker's name, so that what a lost one had in the making is found (arena_reclaim). The processes are
// ours and trusted with each other's pictures, not with each other's numbers: slots out of range are refused. Any thread.
#ifndef RENDERFARM_ARENA_H
#define RENDERFARM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ARENA_FD = 3, // where a renderer finds the memfd
    ARENA_MAX_TAKER = 0xfffe,
};

struct arena;

// A memfd of no size yet, to be inherited; a negative code on failure.
int arena_create(void);
// Whether this is one of those, whoever made it.
bool arena_is(int fd);
// What an arena takes of the memfd, whole pages; 0: there is no such arena.
size_t arena_bytes(size_t slot_bytes, uint32_t slot_count);
// Maps what begins at offset; the first to do so also makes the memfd large enough (resize), where all slots are free. NULL on failure, errno tells
// why. The descriptor stays the caller's, and open for as long as slots are touched.
struct arena *arena_map(int fd, uint64_t offset, size_t slot_bytes, uint32_t slot_count, bool resize);
void arena_unmap(struct arena **arena);
// Nobody uses that part of the memfd any more: its memory goes back, and it reads as zeros, which is an arena with free slots.
void arena_forget(int fd, uint64_t offset, size_t size);

size_t arena_slot_bytes(const struct arena *arena);
// Before so many bytes are written into it for the first time: gets all of their pages at once, which takes the kernel less time than one by one.
// What was in them is lost. One thread of a process.
void arena_touch(struct arena *arena, uint32_t slot, size_t size_bytes);
// The slot's bytes, aligned to 4096; NULL for a number that is none.
uint8_t *arena_slot(const struct arena *arena, uint32_t slot);

// Takes a free slot out of [first, first + count), with one holder; -EAGAIN when there is none. taker: 0..ARENA_MAX_TAKER, who it is in the hands of.
int arena_try(struct arena *arena, uint32_t first, uint32_t count, uint32_t taker, uint32_t *slot);
// The same, but waits for one; -ECANCELED when cancelled(data) says so meanwhile. Who has to wait does so until there are enough to go on with for
// a while, because each wait is dear; not for long, for those who have the rest may have nothing to do without this one.
int arena_take(struct arena *arena, uint32_t first, uint32_t count, uint32_t enough, uint32_t taker, bool (*cancelled)(void *data), void *data,
               uint32_t *slot);
// One more holder of a slot that is held.
void arena_hold(struct arena *arena, uint32_t slot);
void arena_release(struct arena *arena, uint32_t slot);
// The two halves of that, for several at a time: each word to who waits may put it in the place of the one who says it. True: nobody holds it now.
bool arena_let_go(struct arena *arena, uint32_t slot);
void arena_tell(struct arena *arena);
// It is in nobody's hands any more: whoever holds it will release it.
void arena_accept(struct arena *arena, uint32_t slot);
// The taker is gone: what was still in its hands is free.
void arena_reclaim(struct arena *arena, uint32_t taker);
// Slots that this process has frames in right now.
int arena_borrowed(const struct arena *arena);
void arena_on_borrowed(struct arena *arena);
void arena_on_returned(struct arena *arena);
uint32_t arena_free_count(const struct arena *arena, uint32_t first, uint32_t count);

#endif
