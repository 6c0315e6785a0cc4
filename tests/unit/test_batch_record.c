#include "coordinator/batch_record.h"

#include "common/mem.h"

#include <errno.h>
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

// What is known of the output, read anew.
static enum batch_made look(const char *output, const char *key, int64_t input_ns)
{
    struct batch_record *record = batch_record_new();
    enum batch_made made = batch_record_look(record, output, key, input_ns);

    batch_record_free(&record);
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
    assert_int_equal(batch_record_add(output, key), 0);
    assert_int_equal(look(output, key, 0), BATCH_MADE);
    assert_int_equal(look(output, key, changed(output)), BATCH_MADE);
    assert_int_equal(look(output, key, changed(output) + 1), BATCH_OUTDATED);
    assert_int_equal(look(output, other, 0), BATCH_OUTDATED);
    // The last word counts, and lines that make no sense do not.
    assert_int_equal(batch_record_add(output, other), 0);
    put(file, "\n\x01\x02 1 2 3\n00 1 2 c.mp4\n00112233445566778899aabbccddeeff x 2 c.mp4\nnothing");
    assert_int_equal(look(output, other, 0), BATCH_MADE);
    put(next, "");
    assert_int_equal(look(next, key, 0), BATCH_FOREIGN);
    put(output, "more");
    assert_int_equal(look(output, other, 0), BATCH_FOREIGN);
    unlink(output);
    assert_int_equal(batch_record_add(output, key), -ENOENT);
    unlink(next);
    unlink(file);
    free(output);
    free(next);
    free(file);
}

static void a_link_in_its_place_is_not_followed(void **state)
{
    char *output = in_folder("a.mp4"), *file = in_folder(".renderfarm-batch"), *target = in_folder("target");

    (void)state;
    put(output, "bytes");
    put(target, "");
    assert_int_equal(symlink(target, file), 0);
    assert_int_equal(batch_record_add(output, key), -ELOOP);
    assert_int_equal(changed(target) > 0, 1);
    unlink(output);
    unlink(target);
    unlink(file);
    free(output);
    free(file);
    free(target);
}

static void key_of(char text[BATCH_KEY_TEXT], const char *const *arguments, int count)
{
    char *argv[10] = {(char *)"renderfarm"};
    struct options options;
    int argc = 1;

    for (int i = 0; i < count; i++)
        argv[argc++] = (char *)arguments[i];
    argv[argc++] = (char *)"in";
    argv[argc++] = (char *)"out";
    assert_int_equal(options_parse(&options, argc, argv), OPTIONS_RUN);
    batch_key(&options, text);
    options_clear(&options);
}

static void keys_differ_where_bytes_may(void **state)
{
    static const char *const matters[][2] = {
        {"--filter=negate", "-q"}, {"--codec=ffv1", "-q"},        {"--crf=20", "-q"},           {"--preset=fast", "-q"}, {"--pix-fmt=yuv444p", "-q"},
        {"--segment=3", "-q"},     {"--segment=0", "-q"},         {"--encode=stream", "-q"},    {"--no-audio", "-q"},    {"--no-subtitles", "-q"},
        {"--no-autorotate", "-q"}, {"--parallel-safe=lut", "-q"}, {"--crf=20", "--preset=fast"}};
    static const char *const plain[] = {"-q"}, *const same[] = {"--workers=1", "--threads=2", "--memory=2G", "-y", "-v"};
    char keys[16][BATCH_KEY_TEXT], again[BATCH_KEY_TEXT];
    size_t count = sizeof(matters) / sizeof(matters[0]);

    (void)state;
    key_of(keys[count], plain, 1);
    key_of(again, same, 5);
    assert_string_equal(again, keys[count]);
    assert_int_equal(strlen(again), BATCH_KEY_TEXT - 1);
    for (size_t i = 0; i < count; i++)
        key_of(keys[i], matters[i], 2);
    for (size_t i = 0; i <= count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_known_until_it_changes),
        cmocka_unit_test(a_link_in_its_place_is_not_followed),
        cmocka_unit_test(keys_differ_where_bytes_may),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
