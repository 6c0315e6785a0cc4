#include "coordinator/mishaps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct mishap on(const char *name, const char *address, uint32_t segment, uint64_t at_ns)
{
    struct mishap mishap = {.segment = segment, .at_ns = at_ns, .reason = "it is not there"};

    for (size_t i = 0; name[i]; i++)
        mishap.host.name[i] = name[i];
    for (size_t i = 0; address[i]; i++)
        mishap.host.address[i] = address[i];
    return mishap;
}

static void work_counts_once_for_each_host(void **state)
{
    struct mishap a = on("a", "10.0.0.1", 3, 100), b = on("b", "10.0.0.2", 3, 100), namesake = on("a", "10.0.0.3", 3, 100),
                  other = on("a", "10.0.0.1", 4, 100);
    struct mishaps mishaps = {0};

    (void)state;
    assert_false(mishaps_anywhere(&mishaps, 0, 3));
    assert_int_equal(mishaps_add(&mishaps, &a), 1);
    assert_int_equal(mishaps_add(&mishaps, &a), 1);
    assert_int_equal(mishaps_add(&mishaps, &other), 1);
    assert_int_equal(mishaps_add(&mishaps, &b), 2);
    assert_int_equal(mishaps_add(&mishaps, &namesake), 3);
    assert_true(mishaps_anywhere(&mishaps, 0, 3));
    mishaps_end(&mishaps, 0, 3);
    assert_false(mishaps_anywhere(&mishaps, 0, 3));
    assert_true(mishaps_anywhere(&mishaps, 0, 4));
    mishaps_clear(&mishaps);
}

static void who_comes_later_may_try_again(void **state)
{
    struct mishap a = on("a", "10.0.0.1", 3, 100), b = on("b", "10.0.0.1", 3, 100);
    struct mishaps mishaps = {0};

    (void)state;
    mishaps_add(&mishaps, &a);
    assert_true(mishaps_at(&mishaps, 0, 3, &a.host, 50));
    assert_false(mishaps_at(&mishaps, 0, 3, &a.host, 150));
    assert_false(mishaps_at(&mishaps, 0, 4, &a.host, 50));
    assert_false(mishaps_at(&mishaps, 0, 3, &b.host, 50));
    a.at_ns = 200; // it could not either
    mishaps_add(&mishaps, &a);
    assert_true(mishaps_at(&mishaps, 0, 3, &a.host, 150));
    mishaps_clear(&mishaps);
}

static void a_host_whose_renderers_come_in_vain_is_welcome_no_more(void **state)
{
    struct mishap a = on("a", "10.0.0.1", 3, 100), b = on("b", "10.0.0.1", 3, 100);
    struct mishaps mishaps = {0};

    (void)state;
    assert_true(mishaps_on_host(&mishaps, &a, 10));
    for (int i = 0; i < 16; i++)
        assert_false(mishaps_on_host(&mishaps, &a, 20)); // that were there already
    assert_null(mishaps_unwelcome(&mishaps, &a.host));
    for (int i = 0; i < MISHAPS_MOST_RETURNS; i++) {
        assert_null(mishaps_unwelcome(&mishaps, &a.host));
        assert_false(mishaps_on_host(&mishaps, &a, 200));
    }
    assert_string_equal(mishaps_unwelcome(&mishaps, &a.host), "it is not there");
    assert_null(mishaps_unwelcome(&mishaps, &b.host));
    mishaps_forget_work(&mishaps);
    assert_non_null(mishaps_unwelcome(&mishaps, &a.host));
    mishaps_clear(&mishaps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_counts_once_for_each_host),
        cmocka_unit_test(who_comes_later_may_try_again),
        cmocka_unit_test(a_host_whose_renderers_come_in_vain_is_welcome_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
