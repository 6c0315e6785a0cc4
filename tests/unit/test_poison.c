#include "coordinator/poison.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void stop_is_not_remembered(void **state)
{
    struct poison poison = {0};

    (void)state;
    assert_int_equal(poison_add(&poison, 0, 3, POISON_STOP, 1, "segment 3"), POISON_STOP);
    assert_null(poison_find(&poison, 0, 3));
}

static void what_cannot_be_copied_is_left_out(void **state)
{
    struct poison poison = {0};

    (void)state;
    assert_int_equal(poison_add(&poison, 0, 3, POISON_COPY, 1, "segment 3"), POISON_COPY);
    assert_int_equal(poison_add(&poison, 1, 3, POISON_COPY, 0, "segment 3"), POISON_SKIP);
    assert_int_equal(poison_find(&poison, 0, 3)->way, POISON_COPY);
    assert_int_equal(poison_add(&poison, 0, 3, POISON_COPY, 1, "segment 3"), POISON_SKIP); // and the copy ended them too
    assert_int_equal(poison_find(&poison, 0, 3)->way, POISON_SKIP);
    assert_null(poison_find(&poison, 0, 4));
    assert_int_equal(poison.count, 2);
    poison_clear(&poison);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_is_not_remembered),
        cmocka_unit_test(what_cannot_be_copied_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
