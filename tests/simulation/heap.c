// malloc and the rest of it for this program, which has one thread: what was freed is taken again by the next who needs as much. A million jobs spend
// a third of their time in the C library's. What is freed twice, or was never given out, ends the program, and what is used after it was freed is not
// what it was. With a sanitizer the heap is the sanitizer's.
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#ifndef SANITIZED

enum {
    ALIGNMENT = 16,
    SMALLEST = 32, // sizes are its powers of two times 4, 5, 6 and 7 quarters
    STEPS = 4,
    CLASSES = 140, // more than there is memory for
    CHUNK_BYTES = 4 << 20,
    FREED = 0xdd, // what is freed begins with that many bytes of it
    FREED_BYTES = 64,
};

#define USED UINT32_C(0x5ed0b10c)
#define UNUSED UINT32_C(0xdead0b10)

// In front of what is given out.
struct head {
    uint32_t state, class;
    uint64_t offset; // from the block's beginning to what is given out
};

struct free_block {
    struct head head;
    struct free_block *next;
};

static_assert(sizeof(struct head) == ALIGNMENT, "what comes behind it is aligned");
static_assert(sizeof(struct free_block) <= SMALLEST, "it fits");

static struct free_block *free_blocks[CLASSES];
static char *chunk;
static size_t chunk_left;

static size_t class_bytes(unsigned class)
{
    size_t power = (size_t)SMALLEST << class / STEPS;

    return power + power / STEPS * (class % STEPS);
}

static unsigned class_of(size_t bytes)
{
    unsigned power, class;

    if (bytes <= SMALLEST)
        return 0;
    power = 63 - (unsigned)__builtin_clzll(bytes);
    class = (power - 5) * STEPS + (unsigned)(bytes >> (power - 2) & (STEPS - 1));
    return class_bytes(class) < bytes ? class + 1 : class;
}

static void *from_system(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

// Never given back to the system.
static void *new_block(size_t bytes)
{
    void *block;

    if (bytes > CHUNK_BYTES / 8)
        return from_system(bytes);
    if (bytes > chunk_left) {
        chunk = from_system(CHUNK_BYTES);
        chunk_left = chunk ? CHUNK_BYTES : 0;
    }
    if (bytes > chunk_left)
        return NULL;
    block = chunk;
    chunk += bytes;
    chunk_left -= bytes;
    return block;
}

static void *allocate(size_t alignment, size_t size)
{
    size_t padding = alignment > ALIGNMENT ? alignment : 0;
    char *block = NULL, *memory;
    unsigned class = 0;

    if (size <= PTRDIFF_MAX / 2 && alignment <= PTRDIFF_MAX / 2) {
        class = class_of(sizeof(struct head) + size + padding);
        block = (char *)free_blocks[class];
        if (block)
            free_blocks[class] = free_blocks[class]->next;
        else
            block = new_block(class_bytes(class));
    }
    if (!block) {
        errno = ENOMEM;
        return NULL;
    }
    memory = block + sizeof(struct head);
    if (padding)
        memory = (char *)(((uintptr_t)memory + alignment - 1) & ~(uintptr_t)(alignment - 1));
    ((struct head *)(void *)memory)[-1] = (struct head){USED, class, (uint64_t)(memory - block)};
    return memory;
}

static struct head *head_of(void *memory)
{
    struct head *head = (struct head *)memory - 1;

    if (head->state != USED)
        abort();
    return head;
}

static size_t room_of(void *memory)
{
    const struct head *head = head_of(memory);

    return class_bytes(head->class) - head->offset;
}

void *malloc(size_t size)
{
    return allocate(ALIGNMENT, size);
}

void free(void *memory)
{
    struct free_block *block;
    struct head *head;
    size_t room;

    if (!memory)
        return;
    head = head_of(memory);
    room = room_of(memory);
    block = (struct free_block *)(void *)((char *)memory - head->offset);
    memset(memory, FREED, room < FREED_BYTES ? room : FREED_BYTES);
    head->state = UNUSED;
    block->next = free_blocks[head->class];
    free_blocks[head->class] = block;
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    void *memory = __builtin_mul_overflow(count, size, &bytes) ? allocate(ALIGNMENT, SIZE_MAX) : allocate(ALIGNMENT, bytes);

    return memory ? memset(memory, 0, bytes) : NULL;
}

void *realloc(void *old, size_t size)
{
    void *memory;

    if (old && size > 0 && size <= room_of(old))
        return old;
    memory = allocate(ALIGNMENT, size);
    if (memory && old) {
        memcpy(memory, old, size < room_of(old) ? size : room_of(old));
        free(old);
    }
    return memory;
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;

    return realloc(old, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = allocate(alignment, size);
    return *memory ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}

size_t malloc_usable_size(void *memory);
size_t malloc_usable_size(void *memory)
{
    return memory ? room_of(memory) : 0;
}

#endif
