#include "coordinator/input_file.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];
static struct input_file file;

static void write_in_place(const char *text, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000000000 + (time_t)strlen(text)}};

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    futimens(fd, times); // another one, however coarse the clock
    close(fd);
}

static int setup(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/test-input-file-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    write_in_place("what there was", 0);
    input_file_note(&file, path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

static int checked(const char *said)
{
    char *why = NULL;
    int err = input_file_check(&file, path, 0, &why);

    assert_true(said ? why && strstr(why, said) : !why);
    free(why);
    return err;
}

static void what_stays_or_grows_is_the_same(void **state)
{
    (void)state;
    assert_int_equal(checked(NULL), 0);
    write_in_place(" and what comes", O_APPEND);
    assert_int_equal(checked(NULL), 0);
}

static void what_is_written_anew_in_place_is_not(void **state)
{
    (void)state;
    write_in_place("something else, and longer", 0);
    assert_int_equal(checked("was written anew"), -EIO);
}

static void write_blocks(char first, char rest, size_t blocks, time_t when)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = when}};
    char block[4096];
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    for (size_t i = 0; i < blocks; i++) {
        memset(block, i < 16 ? first : rest, sizeof(block));
        assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    }
    futimens(fd, times);
    close(fd);
}

// Files of a format begin alike: it takes the rest to tell them apart.
static void neither_is_one_that_only_begins_the_same(void **state)
{
    static const size_t sizes[] = {17, 20, 100, 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(truncate(path, 0), 0);
        write_blocks('h', 'a', sizes[i], 1000);
        input_file_note(&file, path);
        write_blocks('h', 'a', sizes[i] + 30, 2000);
        assert_int_equal(checked(NULL), 0); // it has grown
        write_blocks('h', 'b', sizes[i] + 30, 3000);
        assert_int_equal(checked("was written anew"), -EIO);
        assert_int_equal(truncate(path, 0), 0);
        write_blocks('h', 'a', sizes[i], 1000);
        assert_int_equal(checked(NULL), 0);
        write_blocks('h', 'b', sizes[i], 4000);
        assert_int_equal(checked("was written anew"), -EIO);
    }
}

static void what_becomes_shorter_is_not(void **state)
{
    (void)state;
    write_in_place("what", O_TRUNC);
    assert_int_equal(checked("became shorter"), -EIO);
}

// Whoever has it open still reads the old one.
static void another_file_in_its_place_does_no_harm(void **state)
{
    char *other = mem_format("%s-other", path);

    (void)state;
    assert_int_equal(rename(path, other), 0);
    write_in_place("another", O_EXCL);
    assert_int_equal(checked(NULL), 0);
    assert_int_equal(unlink(other), 0);
    free(other);
}

// However coarse the clock is: one that grows has another length.
static void two_looks_tell_another_file_and_one_that_was_written(void **state)
{
    const struct stat before = {.st_dev = 1, .st_ino = 2, .st_size = 3, .st_mtim = {.tv_sec = 4, .tv_nsec = 5}};
    struct stat after[6];

    (void)state;
    for (size_t i = 0; i < 6; i++)
        after[i] = before;
    after[0].st_atim.tv_sec = 6; // it was only read
    after[1].st_dev = after[2].st_ino = 7;
    after[3].st_size = after[4].st_mtim.tv_sec = after[5].st_mtim.tv_nsec = 8;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(input_file_is_same(&before, &after[i]), i != 1 && i != 2);
        assert_int_equal(input_file_was_written(&before, &after[i]), i > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_stays_or_grows_is_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_anew_in_place_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(neither_is_one_that_only_begins_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(what_becomes_shorter_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(another_file_in_its_place_does_no_harm, setup, teardown),
        cmocka_unit_test(two_looks_tell_another_file_and_one_that_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
