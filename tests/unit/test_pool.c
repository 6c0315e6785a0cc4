#include "renderer/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

enum { JOBS = 1000 };

struct tally {
    struct pool *pool;
    atomic_int calls[JOBS];
    atomic_int inner, wrong_count;
    int expected;
};

static void count_call(void *data, int index, int count)
{
    struct tally *tally = data;

    atomic_fetch_add(&tally->calls[index], 1);
    if (count != tally->expected)
        atomic_fetch_add(&tally->wrong_count, 1);
}

static void count_inner(void *data, int index, int count)
{
    struct tally *tally = data;

    (void)index;
    (void)count;
    atomic_fetch_add(&tally->inner, 1);
}

static void run_inner(void *data, int index, int count)
{
    struct tally *tally = data;

    count_call(data, index, count);
    pool_run(tally->pool, 7, count_inner, tally);
}

static void check_batches(int threads)
{
    static struct tally tally;

    memset(&tally, 0, sizeof(tally));
    tally.pool = pool_new(threads);
    assert_non_null(tally.pool);
    assert_int_equal(pool_threads(tally.pool), threads);
    for (int count = 0; count <= JOBS; count += 1 + count / 2) {
        memset(tally.calls, 0, sizeof(tally.calls));
        tally.expected = count;
        assert_int_equal(pool_run(tally.pool, count, count_call, &tally), 0);
        for (int i = 0; i < JOBS; i++)
            assert_int_equal(atomic_load(&tally.calls[i]), i < count);
    }
    assert_int_equal(atomic_load(&tally.wrong_count), 0);
    pool_free(&tally.pool);
    assert_null(tally.pool);
}

static void every_job_runs_once_without_helpers(void **state)
{
    (void)state;
    check_batches(1);
}

static void every_job_runs_once_with_four_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        check_batches(4);
}

static void a_job_may_run_jobs_itself(void **state)
{
    static struct tally tally;

    (void)state;
    for (int threads = 1; threads <= 4; threads += 3) {
        memset(&tally, 0, sizeof(tally));
        tally.pool = pool_new(threads);
        tally.expected = 64;
        pool_run(tally.pool, 64, run_inner, &tally);
        assert_int_equal(atomic_load(&tally.inner), 64 * 7);
        assert_int_equal(atomic_load(&tally.wrong_count), 0);
        pool_free(&tally.pool);
    }
}

static void a_pool_that_never_worked_can_be_freed(void **state)
{
    struct pool *pool = pool_new(4);

    (void)state;
    assert_int_equal(pool_cpu_ns(pool), 0);
    pool_free(&pool);
    pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once_without_helpers),
        cmocka_unit_test(every_job_runs_once_with_four_threads),
        cmocka_unit_test(a_job_may_run_jobs_itself),
        cmocka_unit_test(a_pool_that_never_worked_can_be_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
