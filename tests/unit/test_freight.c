#include "coordinator/freight.h"

#include "tests/support/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MS = 1000000 };

// So many renderers over a link that keeps `carried` of them busy, each for work_ms, until it settles.
static size_t settle(struct freight *freight, size_t renderers, double carried, uint64_t work_ms)
{
    size_t at_once = renderers;

    for (int i = 0; i < 100; i++) {
        uint64_t wall_ns = work_ms * MS;

        at_once = freight_enough(freight) < renderers ? freight_enough(freight) : renderers;
        if ((double)at_once > carried)
            wall_ns = (uint64_t)((double)wall_ns * (double)at_once / carried);
        freight_on_run(freight, wall_ns, wall_ns - work_ms * MS, at_once);
    }
    return at_once;
}

static void a_link_nobody_knows_takes_all(void **state)
{
    struct freight freight = {0};

    (void)state;
    assert_true(freight_enough(&freight) == SIZE_MAX);
    freight_on_run(&freight, 0, 0, 4); // says nothing
    assert_true(freight_enough(&freight) == SIZE_MAX);
}

static void a_wide_link_takes_all(void **state)
{
    (void)state;
    for (size_t renderers = 1; renderers <= 64; renderers *= 4) {
        struct freight freight = {0};

        // Each waits a little for its first frame, whatever the link carries.
        for (int i = 0; i < 50; i++) {
            freight_on_run(&freight, 100 * MS, 10 * MS, renderers);
            assert_true(freight_enough(&freight) >= renderers);
        }
    }
}

static void a_narrow_link_takes_as_many_as_it_keeps_busy(void **state)
{
    struct freight one = {0}, half = {0}, many = {0};

    (void)state;
    assert_int_equal(settle(&half, 8, 0.1, 100), 1); // never none: its part is done all the same
    assert_int_equal(settle(&one, 8, 1, 100), 2);
    assert_int_in_range(settle(&many, 16, 5, 100), 5, 7);
    assert_int_in_range(settle(&many, 4, 5, 100), 4, 4);
}

static void a_link_that_becomes_wider_is_found_out(void **state)
{
    struct freight freight = {0};

    (void)state;
    assert_int_equal(settle(&freight, 8, 0.5, 100), 1);
    assert_int_equal(settle(&freight, 8, 100, 100), 8);
    assert_int_equal(settle(&freight, 8, 0.5, 100), 1);
}

// It is another process on another clock, and may say what it likes.
static void more_waiting_than_time_is_all_of_it(void **state)
{
    struct freight freight = {0};

    (void)state;
    freight_on_run(&freight, 100, UINT64_MAX, 1000);
    assert_int_equal(freight_enough(&freight), 1);
}

static void work_that_is_cheaper_than_its_frames_stays(void **state)
{
    struct pace here = {0};

    (void)state;
    assert_true(freight_pays(&here, 1e9)); // nobody knows
    pace_add(&here, 200, 10);
    assert_true(freight_pays(&here, 19));
    assert_false(freight_pays(&here, 20));
    assert_false(freight_pays(&here, 1000));
}

static void memory_is_for_those_here_first(void **state)
{
    (void)state;
    assert_true(freight_most_runs(100, 40, 25) == 2);
    assert_true(freight_most_runs(64, 40, 25) == 0);
    assert_true(freight_most_runs(40, 40, 25) == 0);
    assert_true(freight_most_runs(10, 40, 25) == 0);
    assert_true(freight_most_runs(100, 40, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_nobody_knows_takes_all),
        cmocka_unit_test(a_wide_link_takes_all),
        cmocka_unit_test(a_narrow_link_takes_as_many_as_it_keeps_busy),
        cmocka_unit_test(a_link_that_becomes_wider_is_found_out),
        cmocka_unit_test(more_waiting_than_time_is_all_of_it),
        cmocka_unit_test(work_that_is_cheaper_than_its_frames_stays),
        cmocka_unit_test(memory_is_for_those_here_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
