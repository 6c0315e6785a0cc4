#include "poison.h"

#include "common/mem.h"

#include <stdlib.h>

static struct poison_entry *find(const struct poison *p, uint32_t stage, uint32_t segment)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].stage == stage && p->entries[i].segment == segment)
            return &p->entries[i];
    return NULL;
}

const struct poison_entry *poison_find(const struct poison *p, uint32_t stage, uint32_t segment)
{
    return find(p, stage, segment);
}

enum poison_way poison_add(struct poison *p, uint32_t stage, uint32_t segment, enum poison_way wish, int can_copy, const char *text)
{
    struct poison_entry *entry = find(p, stage, segment);

    if (wish == POISON_STOP)
        return POISON_STOP;
    if (entry)
        return entry->way = POISON_SKIP;
    p->entries = mem_grow(p->entries, p->count + 1, sizeof(*p->entries));
    entry = &p->entries[p->count++];
    *entry = (struct poison_entry){.stage = stage, .segment = segment, .way = can_copy ? wish : POISON_SKIP, .text = mem_dup(text)};
    return entry->way;
}

bool poison_before(const struct poison *p, uint32_t stage)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].stage < stage)
            return true;
    return false;
}

void poison_clear(struct poison *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->entries[i].text);
    free(p->entries);
    *p = (struct poison){0};
}
