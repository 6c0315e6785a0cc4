#include "coordinator/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *chain, size_t wanted, const char *const *texts)
{
    size_t count = 99;
    char **filters = chain_split(chain, &count);

    assert_non_null(filters);
    assert_int_equal(count, wanted);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(filters[i], texts[i]);
    assert_null(filters[count]);
    chain_free(&filters);
    assert_null(filters);
}

static void commas_part_filters(void **state)
{
    (void)state;
    expect("", 0, NULL);
    expect("hflip", 1, (const char *[]){"hflip"});
    expect(" eq=contrast=1.1:gamma=2 ,\n scale=10:20", 2, (const char *[]){"eq=contrast=1.1:gamma=2", "scale=10:20"});
}

static void quotes_and_backslashes_keep_them(void **state)
{
    (void)state;
    expect("drawtext=text='a,b;[c]',hflip", 2, (const char *[]){"drawtext=text='a,b;[c]'", "hflip"});
    expect("select=not(mod(n\\,3)),hflip", 2, (const char *[]){"select=not(mod(n\\,3))", "hflip"});
    expect("drawtext=text='it'\\''s, so',null", 2, (const char *[]){"drawtext=text='it'\\''s, so'", "null"});
}

// What is taken apart is put together again, with commas.
static void blanks_behind_a_backslash_stay(void **state)
{
    (void)state;
    expect("drawtext=text=a\\ ,hflip", 2, (const char *[]){"drawtext=text=a\\ ", "hflip"});
    expect("drawtext=text=a\\  ,hflip", 2, (const char *[]){"drawtext=text=a\\ ", "hflip"});
    expect("drawtext=text=a\\\\ ,hflip", 2, (const char *[]){"drawtext=text=a\\\\", "hflip"});
}

static void what_is_no_plain_chain_is_left_alone(void **state)
{
    static const char *const others[] = {"split[a][b];[a][b]hstack",      "[in]hflip[out]", "hflip;vflip",
                                         "sws_flags=bicubic;scale=10:10", "eq='contrast",   "hflip,negate,split[a][b];[a][b]hstack"};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        size_t count = 99;

        assert_null(chain_split(others[i], &count));
        assert_int_equal(count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_part_filters),
        cmocka_unit_test(quotes_and_backslashes_keep_them),
        cmocka_unit_test(blanks_behind_a_backslash_stay),
        cmocka_unit_test(what_is_no_plain_chain_is_left_alone),
    };

    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
