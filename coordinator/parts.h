// Which parts of a memfd are in use, so that files that are rendered at the same time have their frames beside each other. Numbers only: who maps the
// memory and gives it back is the caller's business. Pure. Not thread-safe.
#ifndef RENDERFARM_PARTS_H
#define RENDERFARM_PARTS_H

#include <stddef.h>
#include <stdint.h>

struct part {
    uint64_t offset, size;
};

struct parts {
    struct part *in_use; // by offset
    size_t count;
    uint64_t bytes; // of all of them
};

// The first place with room for size bytes, more than none; where that begins.
uint64_t parts_take(struct parts *parts, uint64_t size);
// It is free again. Returns its size, or 0 where none begins.
uint64_t parts_give(struct parts *parts, uint64_t offset);
void parts_clear(struct parts *parts);

#endif
