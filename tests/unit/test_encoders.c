#include "coordinator/encoders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *why(const char *encoder, const char *key, const char *value)
{
    Wire__Option option = WIRE__OPTION__INIT, *options[] = {&option};

    option.key = (char *)(size_t)(const void *)key;
    option.value = (char *)(size_t)(const void *)value;
    return encoders_why_one(encoder, options, key != NULL);
}

static void files_in_one_piece_have_one_encoder(void **state)
{
    (void)state;
    assert_non_null(why("gif", NULL, NULL));
    assert_non_null(why("libwebp_anim", "lossless", "1"));
    assert_non_null(why("vc2", NULL, NULL));
    assert_null(why("libx264", NULL, NULL));
    assert_null(why("libwebp", NULL, NULL));
}

static void passes_have_one_encoder(void **state)
{
    (void)state;
    assert_non_null(why("libx264", "flags", "+pass1"));
    assert_non_null(why("libx264", "x264-params", "keyint=20:pass=2:stats=x"));
    assert_non_null(why("libx265", "x265-params", "pass=1"));
    assert_null(why("libx264", "x264-params", "pass=0"));
    assert_null(why("libx264", "x264-params", "bypass=1"));
    assert_null(why("libx264", "flags", "+cgop"));
    assert_null(why("libx264", "title", "pass=1"));
}

static bool may_miss(const char *encoder, const char *key)
{
    Wire__Option option = WIRE__OPTION__INIT, *options[] = {&option};

    option.key = (char *)(size_t)(const void *)key;
    option.value = (char *)(size_t)(const void *)"1M";
    return encoders_may_miss_rate(encoder, options, key != NULL);
}

static void who_says_how_far_a_rate_may_be_missed_is_heard(void **state)
{
    (void)state;
    assert_true(may_miss("mpeg4", NULL));
    assert_true(may_miss("mpeg2video", "b"));
    assert_false(may_miss("mpeg4", "bt"));
    assert_false(may_miss("libx264", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_in_one_piece_have_one_encoder),
        cmocka_unit_test(passes_have_one_encoder),
        cmocka_unit_test(who_says_how_far_a_rate_may_be_missed_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
