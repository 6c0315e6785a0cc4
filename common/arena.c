#include "arena.h"

#include "clock.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ARENA_NAME "renderfarm-frames"

enum {
    PAGE = 4096,
    WAIT_MS = 100, // how late a cancellation may be seen
    ZEROS_BYTES = 64 << 10,
    GATHER_MS = 5, // how long a slot that is free is left for others to come
};

// At the start of the memory; the slots begin at the next page.
struct header {
    atomic_uint released;  // counts releases; waiters sleep on it
    atomic_uint waiters;   // at least so many: one that is killed stays in the count, and costs calls that wake nobody
    atomic_uint holders[]; // per slot: HOLDER for each who needs it, and in the upper half its taker's number + 1; 0 is free
};

enum { HOLDER = 1, HOLDERS = 0xffff, TAKER_SHIFT = 16 };

struct arena {
    struct header *header;
    uint8_t *slots;
    size_t slot_bytes, size_bytes;
    int fd;
    off_t slots_at; // in the memfd
    uint32_t slot_count;
    atomic_int borrowed; // by this process
    uint8_t *touched;    // per slot: this process has its pages. The render thread's
};

static size_t pages(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

int arena_create(void)
{
    int fd = memfd_create(ARENA_NAME, MFD_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

bool arena_is(int fd)
{
    static const char name[] = "/memfd:" ARENA_NAME " (deleted)";
    char path[64], target[sizeof(name)];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return readlink(path, target, sizeof(target)) == sizeof(name) - 1 && memcmp(target, name, sizeof(name) - 1) == 0;
}

static size_t head_bytes(uint32_t slot_count)
{
    return pages(sizeof(struct header) + slot_count * sizeof(atomic_uint));
}

size_t arena_bytes(size_t slot_bytes, uint32_t slot_count)
{
    size_t head = head_bytes(slot_count), most = SIZE_MAX / 4;

    if (slot_count == 0 || slot_bytes == 0 || slot_bytes > most || pages(slot_bytes) > (most - head) / slot_count)
        return 0;
    return head + pages(slot_bytes) * slot_count;
}

struct arena *arena_map(int fd, uint64_t offset, size_t slot_bytes, uint32_t slot_count, bool resize)
{
    size_t size = arena_bytes(slot_bytes, slot_count);
    struct arena *a;
    void *memory;
    off_t end;

    if (size == 0 || offset % PAGE || offset > SIZE_MAX / 4) {
        errno = EINVAL;
        return NULL;
    }
    // It never shrinks: nobody may take memory away from under those who have it mapped. Nor may less be there than the job says.
    end = lseek(fd, 0, SEEK_END);
    if (resize && end < (off_t)(offset + size)) {
        if (ftruncate(fd, (off_t)(offset + size)) < 0)
            return NULL;
        end = (off_t)(offset + size);
    }
    if (end < (off_t)(offset + size)) {
        errno = EINVAL;
        return NULL;
    }
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (memory == MAP_FAILED)
        return NULL;
    a = mem_zalloc(sizeof(*a));
    a->header = memory;
    a->slots = (uint8_t *)memory + head_bytes(slot_count);
    a->fd = fd;
    a->slots_at = (off_t)(offset + head_bytes(slot_count));
    a->slot_bytes = pages(slot_bytes);
    a->slot_count = slot_count;
    a->size_bytes = size;
    a->touched = mem_zalloc(slot_count);
    return a;
}

void arena_unmap(struct arena **arena)
{
    if (!*arena)
        return;
    munmap((*arena)->header, (*arena)->size_bytes);
    free((*arena)->touched);
    free(*arena);
    *arena = NULL;
}

// Pages that are written whole through the descriptor are not cleared first, and of those that are there a read maps many at a time. Together that
// takes the kernel two thirds of what it takes to populate the mapping.
void arena_touch(struct arena *a, uint32_t slot, size_t size_bytes)
{
    static const uint8_t nothing[ZEROS_BYTES];
    off_t at = a->slots_at + (off_t)(slot * a->slot_bytes);
    const volatile uint8_t *bytes = arena_slot(a, slot);
    size_t size = pages(size_bytes), done = 0;

    if (!bytes || a->touched[slot] || size > a->slot_bytes)
        return;
    a->touched[slot] = 1;
    while (done < size) {
        ssize_t n = pwrite(a->fd, nothing, size - done < ZEROS_BYTES ? size - done : ZEROS_BYTES, at + (off_t)done);

        if (n <= 0)
            return; // there may be a limit to what is written; then each page comes when the frame is
        done += (size_t)n;
    }
    for (size_t i = 0; i < size; i += PAGE)
        (void)bytes[i];
}

void arena_forget(int fd, uint64_t offset, size_t size)
{
    if (size > 0)
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
}

size_t arena_slot_bytes(const struct arena *a)
{
    return a->slot_bytes;
}

uint8_t *arena_slot(const struct arena *a, uint32_t slot)
{
    return slot < a->slot_count ? a->slots + slot * a->slot_bytes : NULL;
}

static void wait_for_release(struct arena *a, unsigned seen, uint64_t most_ns)
{
    struct timespec limit = {.tv_nsec = (long)most_ns};

    syscall(SYS_futex, &a->header->released, FUTEX_WAIT, seen, &limit, NULL, 0);
}

int arena_try(struct arena *a, uint32_t first, uint32_t count, uint32_t taker, uint32_t *slot)
{
    if (count == 0 || taker > ARENA_MAX_TAKER || first >= a->slot_count || count > a->slot_count - first)
        return -EINVAL;
    for (uint32_t i = first; i < first + count; i++) {
        unsigned none = 0;

        if (atomic_compare_exchange_strong(&a->header->holders[i], &none, (taker + 1) << TAKER_SHIFT | HOLDER)) {
            *slot = i;
            return 0;
        }
    }
    return -EAGAIN;
}

// How much longer to wait where so many slots are free, the first of them since known_since_ns; 0: no longer.
static uint64_t patience_ns(uint32_t free_count, uint32_t enough, uint64_t known_since_ns)
{
    uint64_t waited_ns = clock_now_ns() - known_since_ns, most_ns = GATHER_MS * UINT64_C(1000000);

    if (free_count == 0)
        return WAIT_MS * UINT64_C(1000000);
    return free_count >= enough || waited_ns >= most_ns ? 0 : most_ns - waited_ns;
}

int arena_take(struct arena *a, uint32_t first, uint32_t count, uint32_t enough, uint32_t taker, bool (*cancelled)(void *data), void *data,
               uint32_t *slot)
{
    int err = arena_try(a, first, count, taker, slot);
    uint64_t known_since_ns = 0; // that one is free

    if (err != -EAGAIN)
        return err;
    // Whoever releases looks for waiters afterwards; so a waiter counts itself before it looks again.
    atomic_fetch_add(&a->header->waiters, 1);
    while (err == -EAGAIN) {
        unsigned seen = atomic_load(&a->header->released);
        uint32_t free_count = arena_free_count(a, first, count);
        uint64_t wait_ns;

        if (free_count == 0 || known_since_ns == 0)
            known_since_ns = clock_now_ns();
        wait_ns = patience_ns(free_count, enough, known_since_ns);
        if (cancelled(data))
            err = -ECANCELED;
        else if (wait_ns > 0)
            wait_for_release(a, seen, wait_ns);
        else
            err = arena_try(a, first, count, taker, slot); // another one may have been faster
    }
    atomic_fetch_sub(&a->header->waiters, 1);
    return err;
}

void arena_hold(struct arena *a, uint32_t slot)
{
    if (slot < a->slot_count)
        atomic_fetch_add(&a->header->holders[slot], HOLDER);
}

void arena_tell(struct arena *a)
{
    atomic_fetch_add(&a->header->released, 1);
    if (atomic_load(&a->header->waiters) > 0)
        syscall(SYS_futex, &a->header->released, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

bool arena_let_go(struct arena *a, uint32_t slot)
{
    unsigned was, rest;

    if (slot >= a->slot_count)
        return false;
    was = atomic_load(&a->header->holders[slot]);
    do {
        if ((was & HOLDERS) == 0)
            return false;                                    // said twice; nobody's business but that peer's
        rest = (was & HOLDERS) == HOLDER ? 0 : was - HOLDER; // the taker's name goes with the last holder
    } while (!atomic_compare_exchange_weak(&a->header->holders[slot], &was, rest));
    return rest == 0;
}

void arena_release(struct arena *a, uint32_t slot)
{
    if (arena_let_go(a, slot))
        arena_tell(a);
}

void arena_accept(struct arena *a, uint32_t slot)
{
    if (slot < a->slot_count)
        atomic_fetch_and(&a->header->holders[slot], HOLDERS);
}

void arena_reclaim(struct arena *a, uint32_t taker)
{
    for (uint32_t i = 0; i < a->slot_count; i++)
        if (atomic_load(&a->header->holders[i]) >> TAKER_SHIFT == taker + 1)
            atomic_store(&a->header->holders[i], 0);
    arena_tell(a);
}

int arena_borrowed(const struct arena *a)
{
    return atomic_load(&a->borrowed);
}

void arena_on_borrowed(struct arena *a)
{
    atomic_fetch_add(&a->borrowed, 1);
}

void arena_on_returned(struct arena *a)
{
    atomic_fetch_sub(&a->borrowed, 1);
}

uint32_t arena_free_count(const struct arena *a, uint32_t first, uint32_t count)
{
    uint32_t free_count = 0;

    for (uint32_t i = first; i < first + count && i < a->slot_count; i++)
        free_count += atomic_load(&a->header->holders[i]) == 0;
    return free_count;
}
