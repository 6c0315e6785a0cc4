#include "common/cores.h"

#include "tests/support/range.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_quota_of_whole_cores_is_that_many(void **state)
{
    (void)state;
    assert_int_equal(cores_of_quota("200000 100000\n"), 2);
    assert_int_equal(cores_of_quota("100000 100000"), 1);
    assert_int_equal(cores_of_quota("3200000 50000"), 64);
}

static void part_of_a_core_is_still_a_worker(void **state)
{
    (void)state;
    assert_int_equal(cores_of_quota("150000 100000\n"), 2);
    assert_int_equal(cores_of_quota("1000 100000\n"), 1);
}

static void no_limit_is_none(void **state)
{
    (void)state;
    assert_int_equal(cores_of_quota("max 100000\n"), 0);
    assert_int_equal(cores_of_quota("-1 100000"), 0); // version 1
}

static void nonsense_is_no_limit(void **state)
{
    static const char *const texts[] = {"", "\n", "x y", "100000", "100000 0", "0 100000", "100000 -5", "-5 -5", "9223372036854775807 1"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(cores_of_quota(texts[i]), 0);
    assert_int_equal(cores_of_quota("9223372036854775807 9223372036854775807"), 1); // and does not overflow
}

static void the_affinity_mask_is_respected(void **state)
{
    cpu_set_t all, one;
    int first = 0, cores;

    (void)state;
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        skip(); // more processors than the fixed mask has room for
    cores = cores_usable();
    assert_int_in_range(cores, 1, CPU_COUNT(&all));
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(cores_usable(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(cores_usable(), cores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_of_whole_cores_is_that_many),
        cmocka_unit_test(part_of_a_core_is_still_a_worker),
        cmocka_unit_test(no_limit_is_none),
        cmocka_unit_test(nonsense_is_no_limit),
        cmocka_unit_test(the_affinity_mask_is_respected),
    };

    return cmocka_run_group_tests_name("cores", tests, NULL, NULL);
}
