// Numbered pictures on a real disk: parts are written in any order, each file is there whole or not at all, and what is there and right stays.
#include "coordinator/sink.h"

#include "common/mem.h"

#include <libavcodec/packet.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/renderfarm-test-sequence-XXXXXX";
static char *why;
static struct sink_facts facts;
static int lock_errno;            // what the file system says of every lock, 0: that it is fine
static const char *before_a_lock; // what happens just then, once

// In the place of the library's.
int flock(int fd, int operation)
{
    if (before_a_lock) {
        assert_int_equal(unlink(before_a_lock), 0);
        before_a_lock = NULL;
    }
    if (lock_errno) {
        errno = lock_errno;
        return -1;
    }
    return (int)syscall(SYS_flock, fd, operation);
}

static const char *path(const char *name)
{
    static char paths[4][256];
    static int turn;
    char *text = paths[turn = (turn + 1) % 4];

    snprintf(text, sizeof(paths[0]), "%s/%s", folder, name);
    return text;
}

static void shell(const char *command)
{
    char text[600];

    snprintf(text, sizeof(text), "cd %s && %s", folder, command);
    assert_int_equal(system(text), 0);
}

// What is in the folder of frames, hidden files too, in one line.
static const char *listing(void)
{
    static char text[1000];
    FILE *pipe;
    size_t length;

    snprintf(text, sizeof(text), "ls -A %s/out | tr '\\n' ' '", folder);
    pipe = popen(text, "r");
    assert_non_null(pipe);
    length = fread(text, 1, sizeof(text) - 1, pipe);
    pclose(pipe);
    text[length] = '\0';
    return text;
}

static void put_file(const char *name, const char *content)
{
    FILE *file = fopen(path(name), "w");

    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static const char *content(const char *name)
{
    static char text[100];
    FILE *file = fopen(path(name), "r");
    size_t length;

    assert_non_null(file);
    length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

static ino_t inode(const char *name)
{
    struct stat about;

    assert_int_equal(stat(path(name), &about), 0);
    return about.st_ino;
}

static int open_sink(struct sink **sink)
{
    struct sink_setup setup = {.input = path("in.mkv"), .output = path("out/%02d.png"), .start_number = 1};

    free(why);
    why = NULL;
    sink_facts_clear(&facts);
    return sink_open(sink, &setup, &facts, &why);
}

static struct sink *begun(void)
{
    struct sink *sink = NULL;

    if (open_sink(&sink) < 0 || sink_start(sink, NULL, &why) < 0)
        fail_msg("%s", why);
    return sink;
}

// "frame 1", "frame 2"...
static void give_frames(struct sink *sink, int first, int count)
{
    struct chunk *chunk = chunk_new(0);

    for (int i = first; i < first + count; i++) {
        AVPacket *packet = av_packet_alloc();
        char text[20];

        snprintf(text, sizeof(text), "frame %d", i);
        assert_int_equal(av_new_packet(packet, (int)strlen(text)), 0);
        memcpy(packet->data, text, strlen(text));
        chunk_take(chunk, &packet);
    }
    assert_int_equal(sink_write(sink, &chunk, &why), 0);
    assert_null(chunk);
}

// Writes them in this order ("3142"; others not at all), and frees them. The first error, if there is one.
static int write_parts(struct sink *sink, const char *order)
{
    struct sink_part *parts[10], *part = sink_take_parts(sink);
    size_t count = 0;
    int err = 0;

    for (; part; part = part->next)
        parts[count++] = part;
    for (; *order && !err; order++)
        err = parts[*order - '1']->write(parts[*order - '1'], &why);
    for (size_t i = 0; i < count; i++)
        parts[i]->free(parts[i]);
    return err;
}

static int setup(void **state)
{
    (void)state;
    shell("rm -rf out && mkdir out");
    return 0;
}

static void parts_may_be_written_in_any_order(void **state)
{
    struct sink *sink = begun();

    (void)state;
    assert_string_equal(listing(), ".%02d.png.renderfarm-part ");
    give_frames(sink, 1, 3);
    give_frames(sink, 4, 1);
    assert_int_equal(write_parts(sink, "4213"), 0);
    assert_null(sink_take_parts(sink));
    assert_int_equal(sink_bytes(sink), 4 * strlen("frame 1"));
    assert_int_equal(sink_finish(sink, &why), 0);
    sink_close(&sink);
    assert_string_equal(listing(), "01.png 02.png 03.png 04.png ");
    assert_string_equal(content("out/03.png"), "frame 3");
}

static void parts_that_nobody_takes_are_written_at_the_end(void **state)
{
    struct sink *sink = begun();

    (void)state;
    give_frames(sink, 1, 2);
    assert_int_equal(sink_finish(sink, &why), 0);
    sink_close(&sink);
    assert_string_equal(listing(), "01.png 02.png ");
    // Or let go.
    shell("rm out/*");
    sink = begun();
    give_frames(sink, 1, 2);
    sink_close(&sink);
    assert_string_equal(listing(), "");
}

static void a_frame_that_cannot_be_written_is_named_and_leaves_nothing(void **state)
{
    struct sink *sink = begun();

    (void)state;
    put_file("out/02.png", "somebody's");
    give_frames(sink, 1, 3);
    assert_int_equal(write_parts(sink, "132"), -EEXIST);
    assert_non_null(strstr(why, "out/02.png: somebody else made this file meanwhile"));
    sink_close(&sink);
    // What is whole stays, and the mark tells whose it is.
    assert_string_equal(listing(), ".%02d.png.renderfarm-part 01.png 02.png 03.png ");
    assert_string_equal(content("out/02.png"), "somebody's");
}

static void nothing_written_leaves_no_mark(void **state)
{
    struct sink *sink = begun();

    (void)state;
    put_file("out/01.png", "somebody's");
    give_frames(sink, 1, 2);
    assert_int_equal(write_parts(sink, "1"), -EEXIST);
    sink_close(&sink);
    assert_string_equal(listing(), "01.png ");
}

static void frames_of_an_interrupted_render_stay_or_are_replaced(void **state)
{
    struct sink *sink = begun(), *other = NULL;
    ino_t first, second;

    (void)state;
    give_frames(sink, 1, 2);
    assert_int_equal(write_parts(sink, "12"), 0);
    assert_int_equal(open_sink(&other), -EBUSY);
    assert_non_null(strstr(why, "another renderfarm is writing these frames"));
    sink_close(&sink);

    put_file("out/02.png", "frame X");
    put_file("out/.%02d.png.renderfarm-part.17", "half of a fra");
    put_file("out/.%02d.png.renderfarm-part.x", "another's");
    first = inode("out/01.png");
    second = inode("out/02.png");
    sink = begun();
    assert_int_equal(facts.note_count, 1);
    assert_non_null(strstr(facts.notes[0], "2 frames are there already, of a render that was interrupted"));
    give_frames(sink, 1, 3);
    assert_int_equal(write_parts(sink, "321"), 0);
    assert_int_equal(sink_finish(sink, &why), 0);
    sink_close(&sink);
    assert_string_equal(listing(), ".%02d.png.renderfarm-part.x 01.png 02.png 03.png ");
    assert_int_equal(inode("out/01.png"), first);
    assert_int_not_equal(inode("out/02.png"), second);
    assert_string_equal(content("out/02.png"), "frame 2");
}

static void a_file_system_without_locks_is_as_good(void **state)
{
    static const int errors[] = {ENOLCK, EOPNOTSUPP, ENOSYS};

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct sink *sink;

        lock_errno = errors[i];
        sink = begun();
        give_frames(sink, 1, 1);
        assert_int_equal(write_parts(sink, "1"), 0);
        sink_close(&sink);
        assert_string_equal(listing(), ".%02d.png.renderfarm-part 01.png ");
        sink = begun();
        give_frames(sink, 1, 2);
        assert_int_equal(sink_finish(sink, &why), 0);
        sink_close(&sink);
        lock_errno = 0;
        assert_string_equal(listing(), "01.png 02.png ");
        shell("rm out/*");
    }
}

static void two_that_begin_at_the_same_time_do_not_write_both(void **state)
{
    struct sink *sink = NULL;

    (void)state;
    assert_int_equal(open_sink(&sink), 0);
    lock_errno = EWOULDBLOCK; // the other has found the mark and locked it, between its making and its locking
    assert_int_equal(sink_start(sink, NULL, &why), -EBUSY);
    lock_errno = 0;
    assert_non_null(strstr(why, "another renderfarm is writing these frames"));
    sink_close(&sink);
    assert_string_equal(listing(), ".%02d.png.renderfarm-part "); // the other's
}

static void who_began_between_the_first_look_and_the_start_is_told_of(void **state)
{
    struct sink *sink = NULL, *other;

    (void)state;
    assert_int_equal(open_sink(&sink), 0);
    other = begun();
    assert_int_equal(sink_start(sink, NULL, &why), -EBUSY);
    assert_non_null(strstr(why, "another renderfarm is writing these frames"));
    sink_close(&sink);
    assert_string_equal(listing(), ".%02d.png.renderfarm-part "); // the other's
    sink_close(&other);
}

// Frames of a render that ends just now are no interrupted one's.
static void a_mark_that_goes_while_it_is_looked_at_is_none(void **state)
{
    struct sink *sink = begun();

    (void)state;
    give_frames(sink, 1, 1);
    assert_int_equal(write_parts(sink, "1"), 0);
    sink_close(&sink);
    before_a_lock = path("out/.%02d.png.renderfarm-part");
    assert_int_equal(open_sink(&sink), -EEXIST);
    assert_non_null(strstr(why, "exists already"));
}

static void a_folder_in_the_place_of_a_frame_is_named(void **state)
{
    struct sink *sink = begun();

    (void)state;
    give_frames(sink, 1, 1);
    assert_int_equal(write_parts(sink, "1"), 0);
    sink_close(&sink);
    shell("mkdir out/02.png");
    sink = begun();
    give_frames(sink, 1, 2);
    assert_int_equal(write_parts(sink, "2"), -EISDIR);
    assert_non_null(strstr(why, "out/02.png: cannot write: "));
    assert_non_null(strstr(why, "the frames before it are whole, and the same command goes on from there"));
    sink_close(&sink);
    assert_string_equal(listing(), ".%02d.png.renderfarm-part 01.png 02.png ");
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    shell("ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=32x32:rate=5:duration=1 -c:v ffv1 in.mkv");
    return 0;
}

static int remove_folder(void **state)
{
    char command[200];

    (void)state;
    free(why);
    sink_facts_clear(&facts);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

#define TEST(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_may_be_written_in_any_order),
        TEST(parts_that_nobody_takes_are_written_at_the_end),
        TEST(a_frame_that_cannot_be_written_is_named_and_leaves_nothing),
        TEST(nothing_written_leaves_no_mark),
        TEST(frames_of_an_interrupted_render_stay_or_are_replaced),
        TEST(a_file_system_without_locks_is_as_good),
        TEST(two_that_begin_at_the_same_time_do_not_write_both),
        TEST(who_began_between_the_first_look_and_the_start_is_told_of),
        TEST(a_mark_that_goes_while_it_is_looked_at_is_none),
        TEST(a_folder_in_the_place_of_a_frame_is_named),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
