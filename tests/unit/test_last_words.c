#include "coordinator/last_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char heard[4096];

static void hear(void *data, const char *text)
{
    (void)data;
    snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "[%s]", text);
}

static void lines_are_told_whole_and_the_last_ones_kept(void **state)
{
    struct last_words words = {0};
    const char *bytes = "one\ntw";
    char text[200];

    (void)state;
    heard[0] = '\0';
    last_words_text(&words, text, sizeof(text));
    assert_string_equal(text, "");
    last_words_put(&words, bytes, strlen(bytes), hear, NULL);
    assert_string_equal(heard, "[one]");
    bytes = "o\n\nthree\nfour\nfi\tve\n";
    last_words_put(&words, bytes, strlen(bytes), hear, NULL);
    last_words_put(&words, "six", 3, hear, NULL);
    last_words_end(&words, hear, NULL);
    last_words_end(&words, hear, NULL);
    assert_string_equal(heard, "[one][two][three][four][fi ve][six]");
    last_words_text(&words, text, sizeof(text));
    assert_string_equal(text, "three / four / fi ve / six");
    last_words_text(&words, text, 8);
    assert_string_equal(text, "three /");
}

static void a_line_without_end_is_cut_off(void **state)
{
    struct last_words words = {0};

    (void)state;
    heard[0] = '\0';
    for (int i = 0; i < 5000; i++)
        last_words_put(&words, "x", 1, hear, NULL);
    last_words_put(&words, "\n", 1, hear, NULL);
    assert_int_equal(strlen(heard), LAST_WORDS_LENGTH - 1 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_told_whole_and_the_last_ones_kept),
        cmocka_unit_test(a_line_without_end_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
