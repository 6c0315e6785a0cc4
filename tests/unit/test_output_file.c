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
#include <string.h>
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
    assert_int_equal(output_file_publish(&file, NULL, &why), 0);
    assert_true(exists("out.mp4"));
    output_file_clear(&file);
    create(&file); // in its place, and given up
    output_file_clear(&file);
    assert_true(exists("out.mp4"));
}

static bool same(const char *one, const char *other)
{
    char *a = mem_format("%s/%s", base, one), *b = mem_format("%s/%s", base, other);
    bool yes = output_file_is_same(a, b);

    free(a);
    free(b);
    return yes;
}

static void names_of_one_file_are_known(void **state)
{
    (void)state;
    close(make_file("here"));
    assert_true(same("here", "./here"));
    assert_false(same("here", "gone"));
    assert_true(same("gone", "./gone"));
    assert_false(same("gone", "other"));
    assert_false(same("gone", "folder/gone"));
    assert_false(output_file_is_same("/dev/null", "/dev/null"));
}

static void a_link_to_nothing_is_refused(void **state)
{
    struct output_file file;
    char *path = mem_format("%s/link", base), *why = NULL;

    (void)state;
    assert_int_equal(symlink("nothing", path), 0);
    assert_int_equal(output_file_check(&file, path, "/nonexistent", true, &why), -ENOENT);
    assert_non_null(strstr(why, "link to nothing"));
    output_file_clear(&file);
    free(why);
    free(path);
}

static void what_cannot_be_written_is_known_before(void **state)
{
    char *path = mem_format("%s/new", base), *nowhere = mem_format("%s/no/new", base);

    (void)state;
    assert_int_equal(output_file_writable(path), 0);
    assert_false(exists("new"));
    assert_int_equal(output_file_writable(nowhere), -ENOENT);
    assert_int_equal(output_file_writable(base), -EISDIR);
    free(path);
    free(nowhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_killed_processes_left_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(it_appears_when_it_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(names_of_one_file_are_known, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_to_nothing_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_known_before, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
