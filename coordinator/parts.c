#include "parts.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

uint64_t parts_take(struct parts *p, uint64_t size)
{
    uint64_t offset = 0;
    size_t at = 0;

    for (; at < p->count && p->in_use[at].offset - offset < size; at++)
        offset = p->in_use[at].offset + p->in_use[at].size;
    p->in_use = mem_grow(p->in_use, p->count + 1, sizeof(*p->in_use));
    memmove(&p->in_use[at + 1], &p->in_use[at], (p->count - at) * sizeof(*p->in_use));
    p->in_use[at] = (struct part){offset, size};
    p->count++;
    p->bytes += size;
    return offset;
}

uint64_t parts_give(struct parts *p, uint64_t offset)
{
    for (size_t at = 0; at < p->count; at++) {
        uint64_t size = p->in_use[at].size;

        if (p->in_use[at].offset != offset)
            continue;
        memmove(&p->in_use[at], &p->in_use[at + 1], (--p->count - at) * sizeof(*p->in_use));
        p->bytes -= size;
        return size;
    }
    return 0;
}

void parts_clear(struct parts *p)
{
    free(p->in_use);
    *p = (struct parts){0};
}
