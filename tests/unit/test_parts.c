#include "coordinator/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void parts_lie_beside_each_other(void **state)
{
    struct parts parts = {0};

    (void)state;
    assert_int_equal(parts_take(&parts, 100), 0);
    assert_int_equal(parts_take(&parts, 20), 100);
    assert_int_equal(parts_take(&parts, 7), 120);
    assert_int_equal(parts.bytes, 127);
    parts_clear(&parts);
}

static void the_first_gap_that_is_large_enough_is_used_again(void **state)
{
    struct parts parts = {0};

    (void)state;
    parts_take(&parts, 100);
    parts_take(&parts, 20);
    parts_take(&parts, 50);
    parts_take(&parts, 1);
    assert_int_equal(parts_give(&parts, 100), 20);
    assert_int_equal(parts_give(&parts, 120), 50);
    assert_int_equal(parts_give(&parts, 120), 0);
    assert_int_equal(parts_take(&parts, 71), 171); // what is free between is one byte less
    assert_int_equal(parts_take(&parts, 60), 100);
    assert_int_equal(parts_take(&parts, 10), 160);
    assert_int_equal(parts_give(&parts, 0), 100);
    assert_int_equal(parts_take(&parts, 3), 0);
    assert_int_equal(parts.bytes, 3 + 60 + 10 + 1 + 71);
    parts_clear(&parts);
}

// As many files, one after the other, as a batch may have.
static void what_is_taken_does_not_grow(void **state)
{
    struct parts parts = {0};
    uint64_t last = parts_take(&parts, 1000);

    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t next = parts_take(&parts, 1000);

        assert_true(next <= 1000);
        assert_int_equal(parts_give(&parts, last), 1000);
        last = next;
    }
    assert_int_equal(parts.count, 1);
    parts_clear(&parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_lie_beside_each_other),
        cmocka_unit_test(the_first_gap_that_is_large_enough_is_used_again),
        cmocka_unit_test(what_is_taken_does_not_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
