// Hands write parts: many at once, within bounds, and of those that fail the first in order is told.
#include "coordinator/hands.h"

#include "common/err.h"
#include "common/mem.h"
#include "tests/support/range.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// What parts do in the pool: each waits until as many as `gate` have been there at once, and those beside the last that fails until the loop has
// heard of it.
static struct {
    uv_mutex_t lock;
    uv_cond_t change;
    unsigned inside, most_inside, gate;
    size_t bytes_inside, most_bytes;
    unsigned written, freed;
    int64_t fails[2]; // they cannot be written
    bool heard;
} pool;

static bool must_wait(const struct sink_part *part)
{
    return pool.most_inside < pool.gate || (pool.fails[1] > 0 && part->order != pool.fails[1] && !pool.heard);
}

static int write_piece(struct sink_part *part, char **why)
{
    bool fails = part->order == pool.fails[0] || part->order == pool.fails[1];

    uv_mutex_lock(&pool.lock);
    pool.inside++;
    pool.bytes_inside += part->bytes;
    pool.most_inside = pool.inside > pool.most_inside ? pool.inside : pool.most_inside;
    pool.most_bytes = pool.bytes_inside > pool.most_bytes ? pool.bytes_inside : pool.most_bytes;
    uv_cond_broadcast(&pool.change);
    while (must_wait(part))
        uv_cond_wait(&pool.change, &pool.lock);
    pool.inside--;
    pool.bytes_inside -= part->bytes;
    pool.written += !fails;
    uv_mutex_unlock(&pool.lock);
    return fails ? err_why(why, -ENOSPC, "part %d", (int)part->order) : 0;
}

static void free_piece(struct sink_part *part)
{
    pool.freed++;
    free(part);
}

static struct sink_part *make_parts(int64_t first, unsigned count, size_t bytes)
{
    struct sink_part *parts = NULL, **end = &parts;

    for (unsigned i = 0; i < count; i++) {
        *end = mem_zalloc(sizeof(**end));
        **end = (struct sink_part){.bytes = bytes, .order = first + i, .write = write_piece, .free = free_piece};
        end = &(*end)->next;
    }
    return parts;
}

static uv_loop_t loop;
static struct hands hands;
static unsigned changes;

static void on_change(void *data)
{
    (void)data;
    changes++;
    uv_mutex_lock(&pool.lock);
    pool.heard = hands.err < 0;
    uv_cond_broadcast(&pool.change);
    uv_mutex_unlock(&pool.lock);
}

static int setup(void **state)
{
    (void)state;
    memset(&pool, 0, sizeof(pool));
    uv_mutex_init(&pool.lock);
    uv_cond_init(&pool.change);
    uv_loop_init(&loop);
    hands_init(&hands, &loop, on_change, NULL);
    changes = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(uv_loop_close(&loop), 0);
    hands_clear(&hands);
    uv_cond_destroy(&pool.change);
    uv_mutex_destroy(&pool.lock);
    return 0;
}

static void the_pool_has_room_for_all_hands_and_the_other_lanes(void **state)
{
    (void)state;
    assert_string_equal(getenv("UV_THREADPOOL_SIZE"), "12");
    assert_int_equal(hands.count, 8);
    hands_widen_pool(64); // what was said before counts
    assert_string_equal(getenv("UV_THREADPOOL_SIZE"), "12");
}

// Ends only if that many files are really written at the same time.
static void large_files_are_written_by_all_hands_at_once(void **state)
{
    (void)state;
    pool.gate = 8;
    hands_write(&hands, make_parts(1, 20, 1 << 20));
    assert_true(hands_full(&hands));
    assert_int_equal(hands_queued_bytes(&hands), 20 << 20);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pool.most_inside, 8);
    assert_int_equal(pool.written, 20);
    assert_int_equal(pool.freed, 20);
    assert_false(hands_busy(&hands));
    assert_int_equal(hands_queued_bytes(&hands), 0);
    assert_int_equal(hands.err, 0);
}

static void small_files_go_several_to_a_hand(void **state)
{
    (void)state;
    hands_write(&hands, make_parts(1, 100, 1000));
    assert_int_equal(hands.busy, 7); // 16 each
    assert_false(hands_full(&hands));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pool.written, 100);
    assert_int_equal(changes, 7);
}

static void bytes_in_the_hands_are_bounded_but_for_one_file(void **state)
{
    (void)state;
    hands_write(&hands, make_parts(1, 6, HANDS_BYTES / 2));
    assert_int_equal(hands.busy, 2);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pool.written, 6);
    assert_int_in_range(pool.most_bytes, 1, HANDS_BYTES);
    hands_write(&hands, make_parts(7, 3, 3 * HANDS_BYTES));
    assert_int_equal(hands.busy, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(pool.written, 9);
    assert_int_equal(pool.freed, 9);
}

static void the_first_in_order_that_fails_is_told_and_nothing_is_begun_behind_it(void **state)
{
    (void)state;
    pool.gate = 8;
    pool.fails[0] = 3;
    pool.fails[1] = 5;
    hands_write(&hands, make_parts(1, 200, 1 << 20));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_false(hands_busy(&hands));
    assert_true(hands_full(&hands)); // takes nothing more
    assert_int_equal(hands.err, -ENOSPC);
    assert_string_equal(hands.why, "part 3");
    assert_int_equal(pool.written, 6); // what was in the hands
    assert_int_equal(pool.freed, 200);
    // What was on its way meanwhile is dropped.
    hands_write(&hands, make_parts(201, 5, 1000));
    assert_false(hands_busy(&hands));
    assert_int_equal(pool.freed, 205);
    assert_int_equal(hands_queued_bytes(&hands), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_pool_has_room_for_all_hands_and_the_other_lanes),
        TEST(large_files_are_written_by_all_hands_at_once),
        TEST(small_files_go_several_to_a_hand),
        TEST(bytes_in_the_hands_are_bounded_but_for_one_file),
        TEST(the_first_in_order_that_fails_is_told_and_nothing_is_begun_behind_it),
    };

    unsetenv("UV_THREADPOOL_SIZE");
    hands_widen_pool(4);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
