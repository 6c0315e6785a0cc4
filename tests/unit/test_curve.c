#include "common/curve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_curve.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *path_of(const char *name)
{
    static char path[100];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"key", "list"};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static void a_key_is_read_as_it_was_written(void **state)
{
    struct curve_key coordinator, renderer, back;
    char text[CURVE_TEXT_BYTES];

    (void)state;
    curve_make(&coordinator);
    curve_make_for(&renderer, coordinator.public);
    assert_memory_not_equal(coordinator.secret, renderer.secret, CURVE_BYTES);
    curve_format(&renderer, text);
    assert_int_equal(curve_parse(&back, text), 0);
    assert_memory_equal(&back, &renderer, sizeof(back));
    curve_format(&coordinator, text);
    assert_int_equal(curve_parse(&back, text), 0);
    assert_memory_equal(&back, &coordinator, sizeof(back));
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const wrong[] = {"", "renderfarm-coordinator", "renderfarm-coordinator 12", "something else", "renderfarm-renderer "};
    struct curve_key key, back;
    char text[CURVE_TEXT_BYTES + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(curve_parse(&back, wrong[i]), -EINVAL);
    curve_make(&key);
    curve_format(&key, text);
    strcat(text, "0");
    assert_int_equal(curve_parse(&back, text), -EINVAL);
    text[strlen(text) - 2] = 'g';
    assert_int_equal(curve_parse(&back, text), -EINVAL);
}

static void a_key_file_is_its_owners_alone(void **state)
{
    struct curve_key key, back;
    struct stat about;
    char *why = NULL;

    (void)state;
    curve_make(&key);
    assert_int_equal(curve_write(&key, path_of("key")), 0);
    assert_int_equal(stat(path_of("key"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(curve_write(&key, path_of("key")), -EEXIST);
    assert_int_equal(curve_read(&back, path_of("key"), &why), 0);
    assert_memory_equal(&back, &key, sizeof(back));
    assert_int_equal(chmod(path_of("key"), 0640), 0);
    assert_int_equal(curve_read(&back, path_of("key"), &why), -EACCES);
    assert_non_null(strstr(why, "others may read this key (mode 640)"));
    free(why);
    why = NULL;
    write_file("key", "nonsense\n", 0600);
    assert_int_equal(curve_read(&back, path_of("key"), &why), -EINVAL);
    free(why);
}

static void the_list_says_who_may_join(void **state)
{
    struct curve_key first, second;
    struct curve_list list = {0};
    char hex[CURVE_HEX_BYTES], text[400], *why = NULL;

    (void)state;
    curve_make(&first);
    curve_make(&second);
    curve_hex(first.public, hex);
    snprintf(text, sizeof(text), "# a comment\n\n  %s node 1\n", hex);
    write_file("list", text, 0644);
    assert_int_equal(curve_list_read(&list, path_of("list"), &why), 0);
    assert_int_equal(list.count, 1);
    assert_true(curve_list_has(&list, first.public));
    assert_false(curve_list_has(&list, second.public));
    curve_list_clear(&list);
    write_file("list", text, 0664);
    assert_int_equal(curve_list_read(&list, path_of("list"), &why), -EACCES);
    free(why);
    why = NULL;
    strcat(text, "gibberish\n");
    write_file("list", text, 0644);
    assert_int_equal(curve_list_read(&list, path_of("list"), &why), -EINVAL);
    assert_non_null(strstr(why, "line 4 begins with no public key"));
    free(why);
    curve_list_clear(&list);
}

// A folder can be opened, but not read.
static void a_list_that_cannot_be_read_is_not_an_empty_one(void **state)
{
    struct curve_list list = {0};
    char *why = NULL;

    (void)state;
    assert_int_equal(mkdir(path_of("folder"), 0755), 0);
    assert_int_equal(curve_list_read(&list, path_of("folder"), &why), -EISDIR);
    assert_non_null(strstr(why, "folder: cannot read the authorised keys: Is a directory"));
    assert_int_equal(rmdir(path_of("folder")), 0);
    free(why);
    curve_list_clear(&list);
}

static void a_list_that_changes_is_read_again(void **state)
{
    struct curve_key first, second;
    struct curve_file file;
    char hex[CURVE_HEX_BYTES], text[400], *why = NULL;

    (void)state;
    curve_make(&first);
    curve_make(&second);
    curve_hex(first.public, hex);
    snprintf(text, sizeof(text), "%s\n", hex);
    write_file("list", text, 0644);
    assert_int_equal(curve_file_open(&file, strdup(path_of("list")), &why), 0);
    assert_int_equal(curve_file_refresh(&file, &why), 0);
    assert_true(curve_list_has(&file.list, first.public));
    curve_hex(second.public, hex);
    snprintf(text, sizeof(text), "# the other one\n%s\n", hex);
    write_file("list", text, 0644);
    assert_int_equal(curve_file_refresh(&file, &why), 1);
    assert_false(curve_list_has(&file.list, first.public));
    assert_true(curve_list_has(&file.list, second.public));
    write_file("list", "nonsense", 0644);
    assert_int_equal(curve_file_refresh(&file, &why), -EINVAL);
    assert_int_equal(curve_file_refresh(&file, &why), 0); // it has been said
    assert_true(curve_list_has(&file.list, second.public));
    free(why);
    why = NULL;
    unlink(path_of("list"));
    assert_int_equal(curve_file_refresh(&file, &why), -ENOENT);
    assert_true(curve_list_has(&file.list, second.public));
    free(why);
    curve_file_clear(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_read_as_it_was_written),   cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_key_file_is_its_owners_alone),    cmocka_unit_test(the_list_says_who_may_join),
        cmocka_unit_test(a_list_that_changes_is_read_again), cmocka_unit_test(a_list_that_cannot_be_read_is_not_an_empty_one),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
