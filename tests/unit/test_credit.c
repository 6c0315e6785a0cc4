// When it is worth a message that chunks were begun with.
#include "common/credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static void nothing_is_said_of_nothing(void **state)
{
    (void)state;
    assert_false(credit_is_due(0, false, false, SECOND / 10));
}

static void who_has_nothing_left_asks_for_more_at_once(void **state)
{
    (void)state;
    assert_true(credit_is_due(1, false, false, 0));
}

static void who_has_some_left_asks_for_several_at_a_time(void **state)
{
    (void)state;
    assert_false(credit_is_due(CREDIT_AT_ONCE - 1, true, false, 0));
    assert_true(credit_is_due(CREDIT_AT_ONCE, true, false, 0));
}

static void who_has_all_asks_for_nothing(void **state)
{
    (void)state;
    assert_false(credit_is_due(4, true, true, 0));
    assert_false(credit_is_due(1, false, true, SECOND / 10));
}

static void a_sign_of_life_is_given_in_any_case(void **state)
{
    (void)state;
    assert_true(credit_is_due(0, true, true, SECOND));
    assert_true(credit_is_due(1, true, false, SECOND));
    assert_true(credit_is_due(1, true, true, SECOND));
    assert_true(credit_is_due(1, false, true, SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_of_nothing),
        cmocka_unit_test(who_has_nothing_left_asks_for_more_at_once),
        cmocka_unit_test(who_has_some_left_asks_for_several_at_a_time),
        cmocka_unit_test(who_has_all_asks_for_nothing),
        cmocka_unit_test(a_sign_of_life_is_given_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
