#include "coordinator/stage.h"

#include "common/arena.h"

#include <libavcodec/packet.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { RUNS = 20000 };

static struct arena *arena;
static atomic_uint watched; // number of the run, from 1, whose last frame is in slot 0; 0: that slot may be free
static atomic_bool over;
static atomic_int stolen;

// As a decoder that waits for a slot: takes one that is free, and gives it back.
static void *steal(void *data)
{
    (void)data;
    while (!atomic_load(&over)) {
        unsigned before = atomic_load(&watched);
        uint32_t slot;

        if (before == 0 || arena_try(arena, 0, 1, 1, &slot) < 0)
            continue;
        atomic_fetch_add(&stolen, atomic_load(&watched) == before);
        arena_release(arena, slot);
    }
    return NULL;
}

static void take(uint32_t slot)
{
    uint32_t taken;

    while (arena_try(arena, slot, 1, 2, &taken) < 0)
        ; // the other thread gives it back at once
    arena_accept(arena, taken);
}

static void feed(struct stage *stage, uint32_t slot, int64_t pts)
{
    struct chunk *chunk = chunk_new(0);
    AVPacket *packet = av_packet_alloc();

    packet->pos = slot;
    packet->pts = pts;
    chunk_take(chunk, &packet);
    assert_int_equal(stage_feed(stage, &chunk), 0);
}

// What the cache has of a run may be known before all of its frames are here; those that still come are let go. But the last one is a neighbour of
// the next run, and nobody may write over it in between.
static void a_frame_that_is_a_neighbour_is_never_free(void **state)
{
    const struct plan_stage plan = {.parallel = true, .encode = true, .before = 1, .run_frames = 2};
    const Wire__Job job = WIRE__JOB__INIT;
    struct stage stage;
    pthread_t thief;
    int fd = arena_create();

    (void)state;
    arena = arena_map(fd, 0, 4096, 2, true);
    assert_non_null(arena);
    stage_init(&stage, 0, &plan, &job);
    stage.job_known = stage.holds_back = true;
    stage_set_arena(&stage, arena);
    assert_int_equal(pthread_create(&thief, NULL, steal, NULL), 0);
    for (uint32_t run = 0; run < RUNS; run++) {
        take(1);
        atomic_store(&watched, 0);
        feed(&stage, 1, 2 * run);
        stage_settle(&stage, run);
        take(0);
        atomic_store(&watched, run + 1);
        feed(&stage, 0, 2 * run + 1);
    }
    atomic_store(&over, true);
    pthread_join(thief, NULL);
    assert_int_equal(atomic_load(&stolen), 0);
    stage_clear(&stage);
    arena_unmap(&arena);
    close(fd);
}

// All that a window looks back at comes at once, with the run's first frame.
static void a_wide_window_comes_in_several_chunks(void **state)
{
    enum { BEFORE = CHUNK_MAX_PACKETS + 100, RUN = BEFORE + 50, FRAMES = RUN + 1 };
    const struct plan_stage plan = {.parallel = true, .encode = true, .before = BEFORE, .run_frames = RUN};
    const Wire__Job job = WIRE__JOB__INIT;
    const struct shelf_segment *second;
    size_t count = 0;
    struct stage stage;
    int fd = arena_create();

    (void)state;
    arena = arena_map(fd, 0, 4096, FRAMES, true);
    assert_non_null(arena);
    stage_init(&stage, 0, &plan, &job);
    stage.job_known = true;
    stage_set_arena(&stage, arena);
    for (uint32_t i = 0; i < FRAMES; i++) {
        take(i);
        feed(&stage, i, i);
    }
    second = shelf_find(&stage.shelf, 1);
    assert_non_null(second);
    for (const struct chunk *chunk = second->chunks.first; chunk; chunk = chunk->next) {
        assert_in_range(chunk->packet_count, 1, CHUNK_MAX_PACKETS);
        for (size_t i = 0; i < chunk->packet_count; i++, count++) {
            assert_int_equal(chunk->packets[i]->pts, FRAMES - 1 - BEFORE + count);
            assert_int_equal(chunk->packets[i]->flags, count < BEFORE ? STAGE_BEFORE : STAGE_CORE);
        }
    }
    assert_int_equal(count, BEFORE + 1);
    stage_clear(&stage);
    arena_unmap(&arena);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_that_is_a_neighbour_is_never_free),
        cmocka_unit_test(a_wide_window_comes_in_several_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
