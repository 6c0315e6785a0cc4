#include "coordinator/batch_list.h"

#include "common/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

// A line's words, joined by "|".
static const char *words_of(const char **text, unsigned *lines)
{
    static char joined[1000];
    char **words = NULL;
    size_t count = 0;

    strcpy(joined, "");
    if (!batch_list_words(text, lines, &words, &count))
        strcpy(joined, "no end");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(joined, "no end") != 0) {
            strcat(joined, i ? "|" : "");
            strcat(joined, words[i]);
        }
        free(words[i]);
    }
    free(words);
    return joined;
}

static const char *one_line(const char *text)
{
    unsigned lines = 1;

    return words_of(&text, &lines);
}

static void words_are_those_of_a_shell(void **state)
{
    (void)state;
    assert_string_equal(one_line("a b"), "a|b");
    assert_string_equal(one_line("  a\t b  \r\n c"), "a|b");
    assert_string_equal(one_line("'a b' \"c d\""), "a b|c d");
    assert_string_equal(one_line("a\\ b c\\'d"), "a b|c'd");
    assert_string_equal(one_line("--filter='x=\"1\"'"), "--filter=x=\"1\"");
    assert_string_equal(one_line("\"a\\\"b\\\\c\\d\" 'e\\f'"), "a\"b\\c\\d|e\\f");
    assert_string_equal(one_line("a '' b"), "a||b");
    assert_string_equal(one_line("a # b"), "a");
    assert_string_equal(one_line("a#b"), "a#b");
    assert_string_equal(one_line("# a"), "");
    assert_string_equal(one_line(""), "");
    assert_string_equal(one_line("a 'b"), "no end");
    assert_string_equal(one_line("a \"b\\\""), "no end");
    assert_string_equal(one_line("a\\"), "a\\");
}

static void lines_are_counted_through_quotes(void **state)
{
    const char *text = "a 'b\nc'\n\nd e\n";
    unsigned lines = 1;

    (void)state;
    assert_string_equal(words_of(&text, &lines), "a|b\nc");
    assert_int_equal(lines, 3);
    assert_string_equal(words_of(&text, &lines), "");
    assert_string_equal(words_of(&text, &lines), "d|e");
    assert_int_equal(lines, 5);
    assert_string_equal(text, "");
}

static struct batch_item item(const char *input, const char *output)
{
    return (struct batch_item){.input = mem_dup(input), .output = mem_dup(output)};
}

static void outputs_are_of_one_job_and_no_input(void **state)
{
    struct batch_list list = {0};

    (void)state;
    list.count = 5;
    list.items = mem_zalloc(list.count * sizeof(*list.items));
    list.items[0] = item("a", "x");
    list.items[1] = item("b", "y");
    list.items[2] = item("c", "x"); // the first one's
    list.items[3] = item("d", "b"); // an input
    list.items[4] = item("e", "e"); // its own: told when it is opened
    batch_list_check(&list);
    assert_null(list.items[0].problem);
    assert_null(list.items[1].problem);
    assert_string_equal(list.items[2].problem, "its output would be that of a, too: x");
    assert_string_equal(list.items[3].problem, "its output is the input of another job: b");
    assert_null(list.items[4].problem);
    batch_list_clear(&list);
    assert_int_equal(list.count, 0);
}

static void one_place_may_be_spelt_in_many_ways(void **state)
{
    static const char *const same[][2] = {
        {"f/a.mp4", "./f//a.mp4"},     {"f/a.mp4", "f/../f/./a.mp4"},           {"f/a.mp4", "link.mp4"},           {"f/a.mp4", "g/a.mp4"},
        {"f/none.mp4", "g//none.mp4"}, {"new/deep/a.mp4", "new//deep/./a.mp4"}, {"new/a.mp4", "./new/x/../a.mp4"}, {"none.mp4", "new/../none.mp4"},
    };
    static const char *const differ[][2] = {
        {"f/a.mp4", "f/b.mp4"}, {"f/a.mp4", "a.mp4"}, {"f/a.mp4", "hard.mp4"}, {"new/a.mp4", "new/b/a.mp4"}, {"new/a.mp4", "newa.mp4"}};
    char folder[] = "/tmp/test_batch_list.XXXXXX", here[4000];

    (void)state;
    assert_non_null(getcwd(here, sizeof(here)));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("f", 0777), 0);
    fclose(fopen("f/a.mp4", "w"));
    assert_int_equal(symlink("f/a.mp4", "link.mp4"), 0);
    assert_int_equal(symlink("f", "g"), 0);
    assert_int_equal(link("f/a.mp4", "hard.mp4"), 0);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]) + sizeof(differ) / sizeof(differ[0]); i++) {
        bool is_same = i < sizeof(same) / sizeof(same[0]);
        const char *const *pair = is_same ? same[i] : differ[i - sizeof(same) / sizeof(same[0])];
        struct batch_list list = {.count = 4, .items = mem_zalloc(4 * sizeof(*list.items))};

        list.items[0] = item("in", pair[1]);
        list.items[1] = item("in", pair[0]);
        list.items[2] = item("x", "in");
        list.items[3] = item(pair[0], "out");
        batch_list_check(&list);
        if (is_same != (list.items[0].problem != NULL) || is_same != (list.items[1].problem && strstr(list.items[1].problem, "that of in, too")))
            fail_msg("%s, %s: %s, %s", pair[0], pair[1], list.items[0].problem, list.items[1].problem);
        assert_string_equal(list.items[2].problem, "its output is the input of another job: in");
        assert_null(list.items[3].problem);
        batch_list_clear(&list);
    }
    unlink("f/a.mp4");
    unlink("link.mp4");
    unlink("hard.mp4");
    unlink("g");
    rmdir("f");
    assert_int_equal(chdir(here), 0);
    rmdir(folder);
}

static void globs_fit_names_and_paths(void **state)
{
    char *globs[] = {(char *)"*.mp4", (char *)"old/*"};

    (void)state;
    assert_true(batch_list_fits("a.mp4", globs, 2));
    assert_true(batch_list_fits("deep/down/a.mp4", globs, 1));
    assert_true(batch_list_fits("old/a.mkv", globs, 2));
    assert_false(batch_list_fits("new/old.mkv", globs, 2));
    assert_false(batch_list_fits("a.mp4", globs, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_a_shell),          cmocka_unit_test(lines_are_counted_through_quotes),
        cmocka_unit_test(outputs_are_of_one_job_and_no_input), cmocka_unit_test(one_place_may_be_spelt_in_many_ways),
        cmocka_unit_test(globs_fit_names_and_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
