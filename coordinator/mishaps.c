#include "mishaps.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_of(const struct mishap *entry, uint32_t stage, uint32_t segment)
{
    return entry->stage == stage && entry->segment == segment;
}

static bool is_host(const struct mishap_host *host, const struct mishap_host *other)
{
    return strcmp(host->name, other->name) == 0 && strcmp(host->address, other->address) == 0;
}

static struct mishap *find(const struct mishaps *m, uint32_t stage, uint32_t segment, const struct mishap_host *host)
{
    for (size_t i = 0; i < m->count; i++)
        if (is_of(&m->entries[i], stage, segment) && is_host(&m->entries[i].host, host))
            return &m->entries[i];
    return NULL;
}

unsigned mishaps_add(struct mishaps *m, const struct mishap *mishap)
{
    struct mishap *entry = find(m, mishap->stage, mishap->segment, &mishap->host);
    unsigned hosts = 0;

    if (!entry) {
        m->entries = mem_grow(m->entries, m->count + 1, sizeof(*m->entries));
        entry = &m->entries[m->count++];
    }
    *entry = *mishap;
    for (size_t i = 0; i < m->count; i++)
        hosts += is_of(&m->entries[i], mishap->stage, mishap->segment);
    return hosts;
}

static struct mishap_record *record_of(const struct mishaps *m, const struct mishap_host *host)
{
    for (size_t i = 0; i < m->host_count; i++)
        if (is_host(&m->hosts[i].host, host))
            return &m->hosts[i];
    return NULL;
}

bool mishaps_on_host(struct mishaps *m, const struct mishap *mishap, uint64_t joined_ns)
{
    struct mishap_record *record = record_of(m, &mishap->host);

    if (record) {
        record->returns += joined_ns > record->since_ns;
        return false;
    }
    m->hosts = mem_grow(m->hosts, m->host_count + 1, sizeof(*m->hosts));
    record = &m->hosts[m->host_count++];
    *record = (struct mishap_record){.host = mishap->host, .since_ns = mishap->at_ns};
    memcpy(record->reason, mishap->reason, sizeof(record->reason));
    return true;
}

const char *mishaps_unwelcome(const struct mishaps *m, const struct mishap_host *host)
{
    const struct mishap_record *record = record_of(m, host);

    return record && record->returns >= MISHAPS_MOST_RETURNS ? record->reason : NULL;
}

bool mishaps_at(const struct mishaps *m, uint32_t stage, uint32_t segment, const struct mishap_host *host, uint64_t joined_ns)
{
    const struct mishap *entry = find(m, stage, segment, host);

    return entry && joined_ns <= entry->at_ns;
}

bool mishaps_anywhere(const struct mishaps *m, uint32_t stage, uint32_t segment)
{
    for (size_t i = 0; i < m->count; i++)
        if (is_of(&m->entries[i], stage, segment))
            return true;
    return false;
}

void mishaps_end(struct mishaps *m, uint32_t stage, uint32_t segment)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->count; i++)
        if (!is_of(&m->entries[i], stage, segment))
            m->entries[kept++] = m->entries[i];
    m->count = kept;
}

void mishaps_forget_work(struct mishaps *m)
{
    free(m->entries);
    m->entries = NULL;
    m->count = 0;
}

void mishaps_clear(struct mishaps *m)
{
    mishaps_forget_work(m);
    free(m->hosts);
    *m = (struct mishaps){0};
}
