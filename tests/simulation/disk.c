// coordinator/cache_folder.h over a disk that is made up: entries are bytes in memory, and outlive the coordinator.
#include "world.h"

#include "common/mem.h"

#include "coordinator/cache_folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char *folder;
    struct cache_key key;
    uint8_t *bytes;
    size_t size;
};

static struct entry *entries;

struct cache_folder {
    char *path;
    bool own;
    struct cache_folder_counts counts;
};

struct cache_store {
    struct cache_key key;
    FILE *file;
    char *bytes;
    size_t size;
};

static struct entry **find(const struct cache_folder *folder, const struct cache_key *key)
{
    struct entry **at = &entries;

    while (*at && (memcmp((*at)->key.bytes, key->bytes, sizeof(key->bytes)) != 0 || strcmp((*at)->folder, folder->path) != 0))
        at = &(*at)->next;
    return at;
}

static void take_away(struct entry **at)
{
    struct entry *entry = *at;

    if (!entry)
        return;
    *at = entry->next;
    free(entry->bytes);
    free(entry->folder);
    free(entry);
}

size_t disk_entries(void)
{
    size_t count = 0;

    for (const struct entry *entry = entries; entry; entry = entry->next)
        count++;
    return count;
}

void disk_format(void)
{
    while (entries)
        take_away(&entries);
}

int cache_folder_open(struct cache_folder **folder, const char *path, uint64_t limit_bytes, bool own)
{
    (void)limit_bytes;
    *folder = NULL;
    if (world_chance(world.faults.store / 4))
        return -EACCES;
    *folder = mem_zalloc(sizeof(**folder));
    (*folder)->path = mem_dup(path);
    (*folder)->own = own;
    return 0;
}

void cache_folder_close(struct cache_folder **folder)
{
    if (*folder)
        free((*folder)->path);
    free(*folder);
    *folder = NULL;
}

static void rot(struct entry *entry)
{
    if (world_random(2) && entry->size > 1)
        entry->size = 1 + world_random(entry->size - 1);
    else
        entry->bytes[world_random(entry->size)] ^= (uint8_t)(1 << world_random(8));
    world.counts.rotten++;
}

FILE *cache_folder_peek(struct cache_folder *folder, const struct cache_key *key)
{
    struct entry *entry = *find(folder, key);

    if (!entry)
        return NULL;
    if (world_chance(world.faults.rot))
        rot(entry);
    return fmemopen(entry->bytes, entry->size, "r");
}

FILE *cache_folder_lookup(struct cache_folder *folder, const struct cache_key *key)
{
    FILE *file = cache_folder_peek(folder, key);

    if (!file) {
        folder->counts.missed++;
        return NULL;
    }
    folder->counts.found++;
    world.counts.found++;
    return file;
}

void cache_folder_drop(struct cache_folder *folder, const struct cache_key *key)
{
    folder->counts.dropped++;
    if (!world.dead)
        take_away(find(folder, key));
}

int cache_folder_begin(struct cache_folder *folder, const struct cache_key *key, struct cache_store **store)
{
    (void)folder;
    *store = NULL;
    if (world_chance(world.faults.store))
        return -ENOSPC;
    *store = mem_zalloc(sizeof(**store));
    (*store)->key = *key;
    (*store)->file = open_memstream(&(*store)->bytes, &(*store)->size);
    return 0;
}

FILE *cache_store_file(struct cache_store *store)
{
    return store->file;
}

int cache_folder_commit(struct cache_folder *folder, struct cache_store **store)
{
    struct entry *entry;

    if (world_chance(world.faults.store) || world.dead) {
        cache_folder_abort(folder, store);
        return -EIO;
    }
    fclose((*store)->file);
    take_away(find(folder, &(*store)->key));
    entry = mem_zalloc(sizeof(*entry));
    *entry = (struct entry){
        .next = entries, .folder = mem_dup(folder->path), .key = (*store)->key, .bytes = (uint8_t *)(*store)->bytes, .size = (*store)->size};
    entries = entry;
    free(*store);
    *store = NULL;
    folder->counts.stored++;
    world.counts.stored++;
    return 0;
}

void cache_folder_abort(struct cache_folder *folder, struct cache_store **store)
{
    (void)folder;
    if (!*store)
        return;
    fclose((*store)->file);
    free((*store)->bytes);
    free(*store);
    *store = NULL;
}

int cache_folder_remove(struct cache_folder *folder)
{
    if (!folder->own || world.dead)
        return 0;
    for (struct entry **at = &entries; *at;) {
        if (strcmp((*at)->folder, folder->path) == 0)
            take_away(at);
        else
            at = &(*at)->next;
    }
    return 0;
}

// There are no folders here, only what is in them.
int cache_folder_remove_empty(struct cache_folder *folder)
{
    (void)folder;
    return 0;
}

uint64_t cache_folder_entries(const struct cache_folder *folder)
{
    uint64_t count = 0;

    for (const struct entry *entry = entries; entry; entry = entry->next)
        count += strcmp(entry->folder, folder->path) == 0;
    return count;
}

const struct cache_folder_counts *cache_folder_counts(const struct cache_folder *folder)
{
    return &folder->counts;
}
