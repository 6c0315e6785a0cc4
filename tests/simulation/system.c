// What the coordinator asks of the system and of libraries, as cheap as it can be: a million jobs take what one of them takes. None of it decides
// anything; what does is the coordinator's own.
#include "world.h"

#include "common/mem.h"
#include "common/zsock.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <uv.h>
#include <zmq.h>

// ---- Memory of the machine: the same wherever this runs, or a seed would not be worth much ----

uint64_t uv_get_total_memory(void)
{
    return UINT64_C(8) << 30;
}

uint64_t uv_get_constrained_memory(void)
{
    return 0;
}

// ---- mmap of common/arena.c: memory that stays from job to job ----

enum { MOST_BLOCKS = MOST_VIDEOS, PAGE = 4096, HEADER_BYTES = 64 << 10, FRAME_BYTES = 64 };

static struct block {
    void *memory;
    size_t room;
    bool used;
} blocks[MOST_BLOCKS];

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if ((flags & MAP_SHARED) == 0)
        return __real_mmap(address, size, protection, flags, fd, offset);
    for (size_t i = 0; i < MOST_BLOCKS; i++) {
        struct block *block = &blocks[i];

        if (block->used)
            continue;
        if (block->room < size) {
            free(block->memory);
            block->room = size;
            block->memory = aligned_alloc(PAGE, size);
            if (!block->memory)
                abort();
        }
        block->used = true;
        // As the kernel would give it, as far as anybody looks: the arena's header, and the beginnings of pages, where renderers put their frames.
        memset(block->memory, 0, size < HEADER_BYTES ? size : HEADER_BYTES);
        for (size_t at = HEADER_BYTES; at < size; at += PAGE)
            memset((char *)block->memory + at, 0, FRAME_BYTES);
        return block->memory;
    }
    abort();
}

int __wrap_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size)
{
    (void)size;
    for (size_t i = 0; i < MOST_BLOCKS; i++)
        if (blocks[i].used && blocks[i].memory == address) {
            blocks[i].used = false;
            return 0;
        }
    abort();
}

// ---- ZeroMQ's context, of which zsock makes nothing here ----

static int no_context;

void *zmq_ctx_new(void)
{
    return &no_context;
}

bool zsock_end_context(void *context, int linger_ms)
{
    (void)context;
    (void)linger_ms;
    return true;
}

// ---- libsodium's hash, for keys and checksums of the cache: nobody forges any here. ----

enum { LANES = 4, BLOCK = LANES * 8 };

struct hash {
    uint64_t lanes[LANES], size;
    uint8_t waiting[BLOCK];
};

static_assert(sizeof(struct hash) <= sizeof(crypto_generichash_state), "it lives in the other's state");

// Each step maps a lane one to one for a given word, so that a difference does not go away by what is equal behind it.
static void add_block(struct hash *hash, const uint8_t *bytes)
{
    uint64_t words[LANES];

    memcpy(words, bytes, sizeof(words));
    for (size_t i = 0; i < LANES; i++) {
        uint64_t z = (hash->lanes[i] ^ words[i]) * 0x9e3779b97f4a7c15;

        hash->lanes[i] = z ^ z >> 29;
    }
}

int crypto_generichash_init(crypto_generichash_state *state, const unsigned char *key, size_t key_size, size_t size)
{
    struct hash *hash = (struct hash *)(void *)state;

    (void)key;
    (void)key_size;
    *hash = (struct hash){.lanes = {size, 1, 2, 3}};
    return 0;
}

int crypto_generichash_update(crypto_generichash_state *state, const unsigned char *data, unsigned long long size)
{
    struct hash *hash = (struct hash *)(void *)state;
    size_t waiting = hash->size % BLOCK;

    hash->size += size;
    if (waiting > 0) {
        size_t more = size < BLOCK - waiting ? size : BLOCK - waiting;

        memcpy(hash->waiting + waiting, data, more);
        if (waiting + more < BLOCK)
            return 0;
        add_block(hash, hash->waiting);
        data += more;
        size -= more;
    }
    for (; size >= BLOCK; size -= BLOCK, data += BLOCK)
        add_block(hash, data);
    memcpy(hash->waiting, data, size);
    return 0;
}

int crypto_generichash_final(crypto_generichash_state *state, unsigned char *out, size_t size)
{
    struct hash *hash = (struct hash *)(void *)state;
    size_t waiting = hash->size % BLOCK;
    uint64_t words[LANES];

    memset(hash->waiting + waiting, 0, BLOCK - waiting);
    add_block(hash, hash->waiting);
    for (size_t i = 0; i < LANES; i++)
        words[i] = media_mix(hash->lanes[i], hash->size + i);
    // Shorter ones have all lanes in them too.
    for (size_t i = 0; size < sizeof(words) && i < LANES; i++)
        words[i % 2] = media_mix(words[i % 2], words[i]);
    memcpy(out, words, size);
    return 0;
}

int crypto_generichash(unsigned char *out, size_t out_size, const unsigned char *data, unsigned long long size, const unsigned char *key,
                       size_t key_size)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, key, key_size, out_size);
    crypto_generichash_update(&state, data, size);
    return crypto_generichash_final(&state, out, out_size);
}
