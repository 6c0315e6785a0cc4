// The folder of finished segments: what appears there, what goes, and what is never touched.
#include "coordinator/cache_folder.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64], path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/test-cache-folder-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    snprintf(path, sizeof(path), "%s/cache", base);
    return 0;
}

static int teardown(void **state)
{
    char *command = mem_format("rm -rf '%s'", base);
    int status = system(command);

    (void)state;
    free(command);
    return status;
}

static struct cache_key key_of(int number)
{
    struct cache_key key = {{0}};

    key.bytes[0] = (uint8_t)number;
    return key;
}

static struct cache_folder *open_here(uint64_t limit_bytes, bool own)
{
    struct cache_folder *folder;

    assert_int_equal(cache_folder_open(&folder, path, limit_bytes, own), 0);
    return folder;
}

static void store(struct cache_folder *folder, int number, size_t size)
{
    struct cache_key key = key_of(number);
    struct cache_store *store;

    assert_int_equal(cache_folder_begin(folder, &key, &store), 0);
    for (size_t i = 0; i < size; i++)
        fputc(number, cache_store_file(store));
    assert_int_equal(cache_folder_commit(folder, &store), 0);
}

static bool is_there(struct cache_folder *folder, int number)
{
    struct cache_key key = key_of(number);
    FILE *file = cache_folder_lookup(folder, &key);

    if (!file)
        return false;
    assert_int_equal(fgetc(file), number);
    fclose(file);
    return true;
}

static bool exists(const char *name)
{
    char *whole = mem_format("%s/%s", path, name);
    bool yes = access(whole, F_OK) == 0;

    free(whole);
    return yes;
}

static void make_file(const char *name)
{
    char *whole = mem_format("%s/%s", path, name);
    FILE *file = fopen(whole, "w");

    assert_non_null(file);
    fputs("mine", file);
    fclose(file);
    free(whole);
}

static void an_entry_appears_when_it_is_whole(void **state)
{
    struct cache_folder *folder = open_here(0, true);
    struct cache_key key = key_of(1);
    struct cache_store *begun;

    (void)state;
    assert_true(access(path, F_OK) < 0); // made with the first entry
    assert_int_equal(cache_folder_begin(folder, &key, &begun), 0);
    assert_true(exists("CACHEDIR.TAG"));
    fputc(1, cache_store_file(begun));
    assert_false(is_there(folder, 1));
    assert_int_equal(cache_folder_commit(folder, &begun), 0);
    assert_null(begun);
    assert_true(is_there(folder, 1));
    assert_int_equal(cache_folder_entries(folder), 1);
    assert_int_equal(cache_folder_begin(folder, &key, &begun), 0);
    cache_folder_abort(folder, &begun);
    assert_true(is_there(folder, 1)); // as before
    cache_folder_close(&folder);
    folder = open_here(0, true);
    assert_true(is_there(folder, 1));
    assert_int_equal(cache_folder_remove(folder), 0);
    assert_true(access(path, F_OK) < 0);
    cache_folder_close(&folder);
}

static void what_killed_programs_left_goes_and_what_others_write_stays(void **state)
{
    struct cache_folder *folder = open_here(0, false);
    int ready[2], go[2];
    char byte;
    pid_t child;

    (void)state;
    store(folder, 1, 10);
    make_file(".tmp-abcdef"); // nobody holds it
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    child = fork();
    if (child == 0) {
        struct cache_folder *theirs;
        struct cache_key key = key_of(2);
        struct cache_store *begun;

        if (cache_folder_open(&theirs, path, 0, false) < 0 || cache_folder_begin(theirs, &key, &begun) < 0)
            _exit(1);
        fputc(2, cache_store_file(begun));
        if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 1)
            _exit(2);
        _exit(cache_folder_commit(theirs, &begun) < 0 ? 3 : 0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    cache_folder_close(&folder);
    folder = open_here(0, false);
    assert_false(exists(".tmp-abcdef"));
    assert_int_equal(write(go[1], "g", 1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(is_there(folder, 2));
    cache_folder_close(&folder);
}

static void set_age(int number, time_t used_s)
{
    const struct timespec times[2] = {{.tv_sec = used_s}, {.tv_sec = used_s}};
    struct cache_key key = key_of(number);
    char text[CACHE_KEY_TEXT], *whole;

    cache_key_text(&key, text);
    whole = mem_format("%s/%s.segment", path, text);
    assert_int_equal(utimensat(AT_FDCWD, whole, times, 0), 0);
    free(whole);
}

static void what_was_not_used_for_longest_goes_first(void **state)
{
    struct cache_folder *folder = open_here(3500, false);

    (void)state;
    for (int number = 1; number <= 3; number++) {
        store(folder, number, 1000);
        set_age(number, 1000 + number);
    }
    assert_true(is_there(folder, 1)); // and so used
    store(folder, 4, 1000);
    assert_true(is_there(folder, 1));
    assert_false(is_there(folder, 2));
    assert_true(is_there(folder, 3));
    assert_true(is_there(folder, 4));
    assert_int_equal(cache_folder_counts(folder)->evicted, 1);
    cache_folder_close(&folder);
}

static void what_is_not_ours_stays(void **state)
{
    static const char link_name[] = "00000000000000000000000000000000000000000000000000000000000000ff.segment";
    struct cache_folder *folder = open_here(0, true);
    char *link_path = mem_format("%s/%s", path, link_name), *target = mem_format("%s/target", base);

    (void)state;
    store(folder, 1, 10);
    make_file("holiday.jpg");
    FILE *file = fopen(target, "w");
    fputs("mine", file);
    fclose(file);
    assert_int_equal(symlink(target, link_path), 0);
    assert_int_equal(cache_folder_remove(folder), -ENOTEMPTY);
    assert_true(exists("holiday.jpg"));
    assert_true(exists(link_name));
    assert_true(access(target, F_OK) == 0);
    cache_folder_close(&folder);
    free(link_path);
    free(target);
}

static void a_file_or_a_link_in_its_place_is_refused(void **state)
{
    struct cache_folder *folder;
    char *real = mem_format("%s/real", base);

    (void)state;
    assert_int_equal(mkdir(real, 0777), 0);
    assert_int_equal(symlink(real, path), 0);
    assert_int_equal(cache_folder_open(&folder, path, 0, true), -ENOTDIR); // would be removed later
    assert_int_equal(cache_folder_open(&folder, path, 0, false), 0);       // the user's own wish
    cache_folder_close(&folder);
    assert_int_equal(unlink(path), 0);
    FILE *file = fopen(path, "w");
    fclose(file);
    assert_int_equal(cache_folder_open(&folder, path, 0, false), -ENOTDIR);
    assert_null(folder);
    free(real);
}

static void a_folder_that_disappears_is_made_again(void **state)
{
    struct cache_folder *folder = open_here(0, false);
    char *command = mem_format("rm -rf '%s'", path);

    (void)state;
    store(folder, 1, 10);
    assert_int_equal(system(command), 0);
    store(folder, 2, 10);
    assert_false(is_there(folder, 1));
    assert_true(is_there(folder, 2));
    cache_folder_close(&folder);
    free(command);
}

static void an_unusable_entry_is_dropped(void **state)
{
    struct cache_folder *folder = open_here(0, false);
    struct cache_key key = key_of(1);
    FILE *open_one;

    (void)state;
    store(folder, 1, 10);
    open_one = cache_folder_lookup(folder, &key);
    cache_folder_drop(folder, &key);
    assert_false(is_there(folder, 1));
    assert_int_equal(fgetc(open_one), 1); // who reads it goes on
    fclose(open_one);
    assert_int_equal(cache_folder_counts(folder)->dropped, 1);
    cache_folder_close(&folder);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(an_entry_appears_when_it_is_whole),
        HERE(what_killed_programs_left_goes_and_what_others_write_stays),
        HERE(what_was_not_used_for_longest_goes_first),
        HERE(what_is_not_ours_stays),
        HERE(a_file_or_a_link_in_its_place_is_refused),
        HERE(a_folder_that_disappears_is_made_again),
        HERE(an_unusable_entry_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
