#include "coordinator/batch_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct batch_row rows[] = {
    {"in/a.mp4", "out/a.mp4", BATCH_OK, NULL, 250, 2.5, 10, false},
    {"in/b\n.mp4", "out/b\n.mp4", BATCH_SKIPPED, "it is there", 0, 0, 0, false},
    {"in/c.mp4", "out/c.mp4", BATCH_FAILED, "in/c.mp4: it is broken", 17, 1, 1, false},
    {"in/d.mp4", "out/d.mp4", BATCH_FAILED, "out/d.mp4: No space left on device", 17, 1, 1, false},
    {"in/e.mp4", NULL, BATCH_FAILED, "it cannot be read", 0, 0, 0, false},
    {"in/f.mp4", "out/f.mp4", BATCH_WAITING, NULL, 0, 0, 0, false},
    {"in/g.mp4", "out/g.mp4", BATCH_OK, "1 segment is missing", 75, 2.5, 4, true},
    {"in/h.mp4", "out/h.mp4", BATCH_SKIPPED, "it is there, but 1 segment is missing", 0, 0, 0, true},
};

static void every_file_has_a_row(void **state)
{
    struct batch_sums sums = {.others = 1, .wall_s = 5, .workers = 2};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    batch_sum(&sums, rows, 8);
    batch_table_print(out, rows, 8, &sums);
    fclose(out);
    assert_string_equal(text, "           frames       time    speed  file\n"
                              "ok            250     2.50 s    4.00x  out/a.mp4\n"
                              "skipped                                out/b?.mp4: it is there\n"
                              "FAILED                                 in/c.mp4: it is broken\n"
                              "FAILED                                 in/d.mp4: out/d.mp4: No space left on device\n"
                              "FAILED                                 in/e.mp4: it cannot be read\n"
                              "not done                               out/f.mp4\n"
                              "ok             75     2.50 s    1.60x  out/g.mp4: 1 segment is missing\n"
                              "skipped                                out/h.mp4: it is there, but 1 segment is missing\n"
                              "2 ok, 2 skipped, 3 failed, 1 not done, 2 incomplete: 325 frames in 5.00 s, 65.0 fps; 1 other file was left out (see "
                              "--include)\n");
    free(text);
}

static void nothing_is_a_sentence_too(void **state)
{
    struct batch_sums sums = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    batch_table_print(out, NULL, 0, &sums);
    fclose(out);
    assert_string_equal(text, "0 ok, 0 skipped, 0 failed\n");
    free(text);
}

static void json_is_a_text_file(void **state)
{
    struct batch_sums sums = {.workers = 2};
    char path[] = "/tmp/test_batch_table.XXXXXX", text[4096];
    int fd = mkstemp(path);
    ssize_t size;

    (void)state;
    assert_true(fd >= 0);
    batch_sum(&sums, rows, 2);
    assert_int_equal(batch_table_write(path, rows, 2, &sums), 0);
    size = read(fd, text, sizeof(text));
    assert_true(size > 2);
    assert_memory_equal(text + size - 2, "}\n", 2);
    close(fd);
    unlink(path);
    assert_int_equal(batch_table_write("/nowhere/x", rows, 2, &sums), -ENOENT);
    assert_int_equal(batch_table_write("/dev/full", rows, 2, &sums), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_has_a_row),
        cmocka_unit_test(nothing_is_a_sentence_too),
        cmocka_unit_test(json_is_a_text_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
