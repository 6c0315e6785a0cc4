#include "coordinator/batch_record.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_batch_record.XXXXXX";

static char *in_folder(const char *name)
{
    return mem_format("%s/%s", folder, name);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const struct batch_holes none;

// What is known of the output, read anew.
static enum batch_made look_closely(const char *output, const char *key, int64_t input_ns, struct batch_holes *holes)
{
    struct batch_record *record = batch_record_new();
    enum batch_made made = batch_record_look(record, output, key, input_ns, holes);

    batch_record_free(&record);
    return made;
}

static enum batch_made look(const char *output, const char *key, int64_t input_ns)
{
    struct batch_holes holes = {0};
    enum batch_made made = look_closely(output, key, input_ns, &holes);

    assert_int_equal(holes.missing + holes.plain, 0);
    return made;
}

static const char key[] = "00112233445566778899aabbccddeeff", other[] = "ff112233445566778899aabbccddeeff";

static int64_t changed(const char *path)
{
    struct stat about;

    assert_int_equal(stat(path, &about), 0);
    return about.st_mtim.tv_sec * INT64_C(1000000000) + about.st_mtim.tv_nsec;
}

static void what_was_made_is_known_until_it_changes(void **state)
{
    char *output = in_folder("a b%\n.mp4"), *next = in_folder("c.mp4"), *file = in_folder(".renderfarm-batch");

    (void)state;
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    put(output, "bytes");
    assert_int_equal(look(output, key, 0), BATCH_FOREIGN);
    assert_int_equal(batch_record_add(output, key, &none, 0), 0);
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    assert_int_equal(look(output, key, changed(output)), BATCH_MADE);
    assert_int_equal(look(output, key, changed(output) + 1), BATCH_OUTDATED);
    assert_int_equal(look(output, other, 0), BATCH_OUTDATED);
    // The last word counts, and lines that make no sense do not.
    assert_int_equal(batch_record_add(output, other, &none, 0), 0);
    put(file, "\n\x01\x02 1 2 3\n00 1 2 c.mp4\n00112233445566778899aabbccddeeff x 2 c.mp4\nnothing");
    assert_int_equal(look(output, other, 0), BATCH_MADE);
    put(next, "");
    assert_int_equal(look(next, key, 0), BATCH_FOREIGN);
    put(output, "more");
    assert_int_equal(look(output, other, 0), BATCH_FOREIGN);
    unlink(output);
    assert_int_equal(batch_record_add(output, key, &none, 0), -ENOENT);
    unlink(next);
    unlink(file);
    free(output);
    free(next);
    free(file);
}

// As it is after a kill between the output's appearing and the line that says so.
static void what_was_begun_is_ours_whatever_became_of_it(void **state)
{
    char *output = in_folder("a.mp4"), *file = in_folder(".renderfarm-batch");

    (void)state;
    assert_int_equal(batch_record_begin(output), 0);
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    put(output, "bytes");
    assert_int_equal(look(output, key, 0), BATCH_UNSURE);
    assert_int_equal(batch_record_add(output, key, &none, 0), 0);
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    put(output, "of somebody else");
    assert_int_equal(look(output, key, 0), BATCH_FOREIGN);
    unlink(output);
    unlink(file);
    free(output);
    free(file);
}

static void what_was_there_before_it_was_begun_is_not_ours(void **state)
{
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    char *output = in_folder("a.mp4"), *file = in_folder(".renderfarm-batch");

    (void)state;
    put(output, "precious");
    assert_int_equal(utimensat(AT_FDCWD, output, old, 0), 0);
    assert_int_equal(batch_record_begin(output), 0);
    assert_int_equal(look(output, key, 0), BATCH_FOREIGN);
    unlink(output);
    unlink(file);
    free(output);
    free(file);
}

static void what_came_to_nothing_is_not_ours(void **state)
{
    char *output = in_folder("a.mp4"), *file = in_folder(".renderfarm-batch");

    (void)state;
    assert_int_equal(batch_record_begin(output), 0);
    assert_int_equal(batch_record_end(output), 0);
    put(output, "bytes");
    assert_int_equal(look(output, key, 0), BATCH_FOREIGN);
    unlink(output);
    unlink(file);
    free(output);
    free(file);
}

// With other options, and not brought to its end: what was there is what it was.
static void what_is_made_again_is_known_meanwhile(void **state)
{
    char *output = in_folder("a.mp4"), *file = in_folder(".renderfarm-batch");

    (void)state;
    put(output, "bytes");
    assert_int_equal(batch_record_add(output, key, &none, 0), 0);
    assert_int_equal(batch_record_begin(output), 0);
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    put(output, "more");
    assert_int_equal(look(output, key, 0), BATCH_UNSURE);
    assert_int_equal(batch_record_end(output), 0);
    assert_int_equal(look(output, key, 0), BATCH_FOREIGN);
    unlink(output);
    unlink(file);
    free(output);
    free(file);
}

static char *text_of(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = mem_zalloc(4096);

    assert_non_null(file);
    assert_true(fread(text, 1, 4095, file) > 0);
    fclose(file);
    return text;
}

// Wherever the last line was torn, the file that it was of is done again, and the next line counts.
static void a_torn_line_costs_itself_alone(void **state)
{
    const struct batch_holes holes = {.missing = 12, .plain = 34};
    char *first = in_folder("a.mp4"), *output = in_folder("b.mp4"), *cut = in_folder("b.mp"), *file = in_folder(".renderfarm-batch"), *text;
    size_t begun;

    (void)state;
    put(first, "bytes");
    put(cut, "somebody else's");
    assert_int_equal(batch_record_add(first, key, &none, 0), 0);
    assert_int_equal(batch_record_begin(output), 0);
    text = text_of(file);
    begun = strlen(text);
    free(text);
    put(output, "bytes");
    assert_int_equal(batch_record_add(output, key, &holes, 0), 0);
    text = text_of(file);
    for (size_t size = strlen(text) - 1; size >= begun; size--) {
        text[size] = '\0';
        unlink(file);
        put(file, text);
        assert_int_equal(look(output, key, 0), BATCH_UNSURE);
        assert_int_equal(batch_record_add(first, other, &none, 0), 0);
        assert_int_equal(look(first, other, 0), BATCH_MADE);
        assert_int_equal(look(output, key, 0), BATCH_UNSURE);
        assert_int_equal(look(cut, key, 0), BATCH_FOREIGN);
    }
    unlink(first);
    unlink(output);
    unlink(cut);
    unlink(file);
    free(text);
    free(first);
    free(output);
    free(cut);
    free(file);
}

static void holes_are_remembered(void **state)
{
    const struct batch_holes holes = {.missing = 2, .plain = 1};
    struct batch_holes found = {0};
    char *output = in_folder("a.mp4"), *file = in_folder(".renderfarm-batch");

    (void)state;
    put(output, "bytes");
    assert_int_equal(batch_record_add(output, key, &holes, 0), 0);
    assert_int_equal(look_closely(output, key, 0, &found), BATCH_MADE);
    assert_int_equal(found.missing, 2);
    assert_int_equal(found.plain, 1);
    assert_int_equal(look(output, other, 0), BATCH_OUTDATED);
    assert_int_equal(batch_record_add(output, key, &none, 0), 0);
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    unlink(output);
    unlink(file);
    free(output);
    free(file);
}

static void numbered_pictures_are_known_until_they_change(void **state)
{
    static const struct batch_holes holes = {.missing = 1};
    struct batch_holes found = {0};
    char *output = in_folder("p%03d.png"), *first = in_folder("p005.png"), *second = in_folder("p006.png"), *third = in_folder("p007.png");
    char *before = in_folder("p001.png"), *file = in_folder(".renderfarm-batch");

    (void)state;
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    put(before, "of somebody else");
    put(first, "bytes");
    put(second, "bytes");
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE); // to be told by whoever writes them
    assert_int_equal(batch_record_add(output, key, &none, 5), 0);
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    assert_int_equal(look(output, key, changed(second) + 1), BATCH_OUTDATED);
    assert_int_equal(look(output, other, 0), BATCH_OUTDATED);
    put(before, "and more");
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    // One more, one that is another, one that is missing.
    put(third, "bytes");
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    unlink(third);
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    unlink(first);
    assert_int_equal(look(output, key, 0), BATCH_OUTDATED);
    put(second, "more");
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    assert_int_equal(batch_record_add(output, key, &holes, 5), 0);
    assert_int_equal(look_closely(output, key, 0, &found), BATCH_MADE);
    assert_int_equal(found.missing, 1);
    unlink(second);
    assert_int_equal(batch_record_add(output, key, &holes, 5), -ENOENT);
    unlink(before);
    unlink(file);
    free(output);
    free(first);
    free(second);
    free(third);
    free(before);
    free(file);
}

// A kill between the last of them and the line that says so leaves no other mark.
static void numbered_pictures_that_were_begun_are_ours(void **state)
{
    char *output = in_folder("p%03d.png"), *first = in_folder("p001.png"), *second = in_folder("p002.png"), *file = in_folder(".renderfarm-batch");
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    (void)state;
    assert_int_equal(batch_record_begin(output), 0);
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    put(first, "bytes");
    put(second, "bytes");
    assert_int_equal(look(output, key, 0), BATCH_UNSURE);
    assert_int_equal(utimensat(AT_FDCWD, first, old, 0), 0);
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    assert_int_equal(batch_record_end(output), 0);
    unlink(first);
    assert_int_equal(look(output, key, 0), BATCH_NOT_THERE);
    unlink(second);
    unlink(file);
    free(output);
    free(first);
    free(second);
    free(file);
}

static void a_link_in_its_place_is_not_followed(void **state)
{
    char *output = in_folder("a.mp4"), *file = in_folder(".renderfarm-batch"), *target = in_folder("target");

    (void)state;
    put(output, "bytes");
    put(target, "");
    assert_int_equal(symlink(target, file), 0);
    assert_int_equal(batch_record_add(output, key, &none, 0), -ELOOP);
    assert_int_equal(changed(target) > 0, 1);
    unlink(output);
    unlink(target);
    unlink(file);
    free(output);
    free(file);
    free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_known_until_it_changes),
        cmocka_unit_test(what_was_begun_is_ours_whatever_became_of_it),
        cmocka_unit_test(what_was_there_before_it_was_begun_is_not_ours),
        cmocka_unit_test(what_came_to_nothing_is_not_ours),
        cmocka_unit_test(what_is_made_again_is_known_meanwhile),
        cmocka_unit_test(a_torn_line_costs_itself_alone),
        cmocka_unit_test(holes_are_remembered),
        cmocka_unit_test(numbered_pictures_are_known_until_they_change),
        cmocka_unit_test(numbered_pictures_that_were_begun_are_ours),
        cmocka_unit_test(a_link_in_its_place_is_not_followed),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
