// The output under a temporary name, or none, until it is whole: what is left of it in the folder, whoever was killed.
#include "coordinator/output_file.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64];

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/test-output-file-XXXXXX");
    return mkdtemp(base) ? 0 : -1;
}

static int teardown(void **state)
{
    char *command = mem_format("rm -rf '%s'", base);
    int status = system(command);

    (void)state;
    free(command);
    return status;
}

static int make_file(const char *name)
{
    char *path = mem_format("%s/%s", base, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);

    assert_true(fd >= 0);
    free(path);
    return fd;
}

static bool exists(const char *name)
{
    char *path = mem_format("%s/%s", base, name);
    bool yes = access(path, F_OK) == 0;

    free(path);
    return yes;
}

static void create(struct output_file *file)
{
    char *path = mem_format("%s/out.mp4", base), *why = NULL;

    assert_int_equal(output_file_check(file, path, "/nonexistent", true, &why), 0);
    assert_int_equal(output_file_create(file, &why), 0);
    free(path);
}

static void what_killed_processes_left_goes(void **state)
{
    struct output_file file;
    int theirs;

    (void)state;
    close(make_file(".out.mp4.renderfarm-123.part"));
    theirs = make_file(".out.mp4.renderfarm-124.part");
    assert_int_equal(flock(theirs, LOCK_EX), 0);
    close(make_file(".other.mp4.renderfarm-123.part"));
    close(make_file(".out.mp4.renderfarm-x.part"));
    create(&file);
    assert_false(exists(".out.mp4.renderfarm-123.part"));
    assert_true(exists(".out.mp4.renderfarm-124.part")); // somebody still writes it
    assert_true(exists(".other.mp4.renderfarm-123.part"));
    assert_true(exists(".out.mp4.renderfarm-x.part"));
    output_file_clear(&file);
    close(theirs);
}

static void it_appears_when_it_is_whole(void **state)
{
    struct output_file file;
    char *why = NULL;

    (void)state;
    create(&file);
    assert_int_equal(write(file.fd, "whole", 5), 5);
    assert_false(exists("out.mp4"));
    assert_int_equal(output_file_publish(&file, &why), 0);
    assert_true(exists("out.mp4"));
    output_file_clear(&file);
    create(&file); // in its place, and given up
    output_file_clear(&file);
    assert_true(exists("out.mp4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_killed_processes_left_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(it_appears_when_it_is_whole, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
