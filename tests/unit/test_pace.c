#include "coordinator/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void paces_come_from_what_was_done(void **state)
{
    struct pace one = {0}, none = {0}, all = {0};

    (void)state;
    assert_true(pace_expect_ns(&none, &all, 100) == 0);
    pace_add(&one, 1000, 10);
    pace_add(&one, 3000, 10);
    assert_true(pace_expect_ns(&one, &all, 5) == 1000);
    pace_add(&all, 500, 10);
    assert_true(pace_expect_ns(&none, &all, 5) == 250); // like the others
    assert_true(pace_expect_ns(&one, &all, 0) == 0);
}

static void only_slow_ones_get_help(void **state)
{
    (void)state;
    // All alike: whoever is at it is done first.
    assert_true(pace_gain_ns(pace_left_ns(100, 0), 100) == 0);
    assert_true(pace_gain_ns(pace_left_ns(100, 50), 100) == 0);
    assert_true(pace_gain_ns(pace_left_ns(100, 200), 100) == 0);
    // Four times as slow, and it has just begun.
    assert_true(pace_gain_ns(pace_left_ns(400, 10), 100) == 290);
    // Nearly done.
    assert_true(pace_gain_ns(pace_left_ns(400, 290), 100) == 0);
    // Much later than it should be: nobody knows why.
    assert_true(pace_gain_ns(pace_left_ns(100, 230), 100) == 30);
    // A gain that a guess may be wrong by is none.
    assert_true(pace_gain_ns(pace_left_ns(400, 280), 100) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paces_come_from_what_was_done),
        cmocka_unit_test(only_slow_ones_get_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
