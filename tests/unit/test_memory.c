#include "coordinator/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void counts_are_found_by_their_whole_name(void **state)
{
    const char *text = "oom 7\noom_kill 12\noom_killer 3\nlast 5";

    (void)state;
    assert_int_equal(memory_count_in(text, "oom_kill"), 12);
    assert_int_equal(memory_count_in(text, "last"), 5);
    assert_int_equal(memory_count_in(text, "kill"), 0);
    assert_int_equal(memory_count_in("", "oom_kill"), 0);
}

static void as_many_work_as_fit_but_one_at_least(void **state)
{
    (void)state;
    assert_int_equal(memory_fits(1000, 100, 200, 8), 4);
    assert_int_equal(memory_fits(1000, 100, 200, 3), 3);
    assert_int_equal(memory_fits(1000, 100, 5000, 8), 1);
    assert_int_equal(memory_fits(100, 1000, 10, 8), 1);
    assert_int_equal(memory_fits(1000, 100, 0, 8), 8); // not known yet
}

static void a_machine_has_memory(void **state)
{
    (void)state;
    assert_true(memory_of_machine() > 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_found_by_their_whole_name),
        cmocka_unit_test(as_many_work_as_fit_but_one_at_least),
        cmocka_unit_test(a_machine_has_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
