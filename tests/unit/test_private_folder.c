#include "coordinator/private_folder.h"

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

static char base[32];

static int setup(void **state)
{
    (void)state;
    strcpy(base, "/tmp/folders-XXXXXX");
    assert_non_null(mkdtemp(base));
    setenv("TMPDIR", base, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unsetenv("TMPDIR");
    return rmdir(base); // fails if anything is left in it
}

static const char *in_base(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

static void put_file(const char *name)
{
    int fd = open(in_base(name), O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static void it_is_private_and_gone_afterwards(void **state)
{
    struct private_folder folder;
    struct stat about;
    char socket[128];

    (void)state;
    assert_int_equal(private_folder_make(&folder), 0);
    assert_int_equal(stat(folder.path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    snprintf(socket, sizeof(socket), "%s/hub", folder.path + strlen(base) + 1);
    put_file(socket);
    private_folder_remove(&folder, "hub");
    assert_int_equal(access(in_base(socket), F_OK), -1);
    private_folder_remove(&folder, "hub"); // twice is fine
}

static void what_a_killed_program_left_is_taken_away(void **state)
{
    struct private_folder folder;

    (void)state;
    assert_int_equal(mkdir(in_base("renderfarm-hub.abcdef"), 0700), 0);
    put_file("renderfarm-hub.abcdef/hub");
    assert_int_equal(private_folder_make(&folder), 0);
    assert_int_equal(access(in_base("renderfarm-hub.abcdef"), F_OK), -1);
    private_folder_remove(&folder, "hub");
}

static void what_others_use_stays(void **state)
{
    struct private_folder first, second;

    (void)state;
    assert_int_equal(mkdir(in_base("renderfarm-output"), 0700), 0);     // not a name of ours
    assert_int_equal(mkdir(in_base("renderfarm-hub.fedcba"), 0700), 0); // there is more in it
    put_file("renderfarm-hub.fedcba/film.mp4");
    assert_int_equal(private_folder_make(&first), 0);
    assert_int_equal(private_folder_make(&second), 0);
    assert_int_equal(access(first.path, F_OK), 0); // its program runs
    assert_int_equal(access(in_base("renderfarm-hub.fedcba/film.mp4"), F_OK), 0);
    private_folder_remove(&first, "hub");
    private_folder_remove(&second, "hub");
    assert_int_equal(rmdir(in_base("renderfarm-output")), 0);
    assert_int_equal(unlink(in_base("renderfarm-hub.fedcba/film.mp4")), 0);
    assert_int_equal(rmdir(in_base("renderfarm-hub.fedcba")), 0);
}

static void where_none_can_be_made_it_is_said(void **state)
{
    struct private_folder folder;

    (void)state;
    setenv("TMPDIR", "/tmp/folders-nowhere", 1);
    assert_int_equal(private_folder_make(&folder), -2); // ENOENT
    assert_true(strncmp(folder.path, "/tmp/folders-nowhere/", 21) == 0);
    private_folder_remove(&folder, "hub");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_private_and_gone_afterwards, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_killed_program_left_is_taken_away, setup, teardown),
        cmocka_unit_test_setup_teardown(what_others_use_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(where_none_can_be_made_it_is_said, setup, teardown),
    };

    return cmocka_run_group_tests_name("private_folder", tests, NULL, NULL);
}
