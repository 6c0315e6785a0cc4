// What a later batch reads in the record, after this one has noted what it did; and what is said where it could not.
#include "coordinator/batch_notes.h"

#include "common/mem.h"

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

static char folder[64];

// One job of a batch.
struct trial {
    uv_loop_t loop;
    struct batch_notes notes;
    struct options options;
    struct batch_note note;
    int begun; // how often it was told
};

static void put(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "bytes", 5), 5);
    close(fd);
}

static int setup(void **state)
{
    struct trial *t = mem_zalloc(sizeof(*t));

    snprintf(folder, sizeof(folder), "/tmp/test_batch_notes.XXXXXX");
    if (!mkdtemp(folder) || uv_loop_init(&t->loop) != 0)
        return -1;
    batch_notes_init(&t->notes, &t->loop);
    t->options = (struct options){
        .input = mem_format("%s/in.mp4", folder),
        .output = mem_format("%s/out.mp4", folder),
        .output_start_number = -1,
    };
    t->note.options = &t->options;
    memset(t->note.key, '1', JOB_KEY_TEXT - 1);
    put(t->options.input);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct trial *t = *state;
    char *record = batch_record_path(t->options.output);

    unlink(t->options.input);
    unlink(t->options.output);
    if (unlink(record) < 0)
        rmdir(record);
    free(record);
    free(t->options.input);
    free(t->options.output);
    uv_loop_close(&t->loop);
    free(t);
    return rmdir(folder);
}

static void on_begun(void *data)
{
    struct trial *t = data;

    t->begun++;
}

static void begin(struct trial *t)
{
    batch_notes_begin(&t->notes, &t->note, on_begun, t);
    assert_true(batch_notes_busy(&t->notes));
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_int_equal(t->begun, 1);
}

static void end(struct trial *t, enum batch_outcome outcome)
{
    batch_notes_end(&t->notes, &t->note, outcome);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_false(batch_notes_busy(&t->notes));
}

// What the next batch takes the output for.
static enum batch_made look(const struct trial *t, struct batch_holes *holes)
{
    struct batch_record *record = batch_record_new();
    enum batch_made made = batch_record_look(record, t->options.output, t->note.key, 0, holes);

    batch_record_free(&record);
    return made;
}

static enum batch_made made_of(const struct trial *t)
{
    struct batch_holes holes = {0};

    return look(t, &holes);
}

static void what_was_made_is_known_with_its_holes(void **state)
{
    struct poison_entry entries[] = {{.way = POISON_SKIP}, {.way = POISON_COPY}, {.way = POISON_SKIP}};
    struct batch_holes holes = {0};
    struct trial *t = *state;
    char *text;

    assert_false(batch_note_has_holes(&t->note));
    assert_null(batch_note_text_of_holes(&t->note));
    begin(t);
    put(t->options.output);
    batch_note_count_holes(&t->note, &(struct poison){.entries = entries, .count = 3});
    end(t, BATCH_WAS_MADE);
    assert_int_equal(look(t, &holes), BATCH_MADE);
    assert_int_equal(holes.missing, 2);
    assert_int_equal(holes.plain, 1);
    assert_true(batch_note_has_holes(&t->note));
    text = batch_note_text_of_holes(&t->note);
    assert_string_equal(text, "2 segments are missing, 1 segment is there without its filters");
    free(text);
}

static void a_kill_leaves_it_in_doubt(void **state)
{
    struct trial *t = *state;

    begin(t);
    put(t->options.output);
    assert_int_equal(made_of(t), BATCH_UNSURE);
}

static void what_was_not_made_gives_no_right_to_the_name(void **state)
{
    struct trial *t = *state;

    begin(t);
    end(t, BATCH_NOT_MADE);
    put(t->options.output);
    assert_int_equal(made_of(t), BATCH_FOREIGN);
}

static void what_was_not_verified_is_made_again(void **state)
{
    struct trial *t = *state;

    begin(t);
    put(t->options.output);
    end(t, BATCH_NOT_VERIFIED);
    assert_int_equal(made_of(t), BATCH_OUTDATED);
}

// As the pass will see it: there is no input, or an output that may not be replaced.
static void what_is_in_vain_is_not_begun(void **state)
{
    struct trial *t = *state;

    put(t->options.output);
    begin(t);
    assert_int_equal(made_of(t), BATCH_FOREIGN);
    assert_int_equal(unlink(t->options.output), 0);
    assert_int_equal(unlink(t->options.input), 0);
    t->begun = 0;
    begin(t);
    put(t->options.output);
    assert_int_equal(made_of(t), BATCH_FOREIGN);
    end(t, BATCH_NOT_MADE);
    assert_int_equal(made_of(t), BATCH_FOREIGN);
}

// What an earlier batch has left in doubt stays so where nothing is made now.
static void doubt_lasts_until_it_is_made(void **state)
{
    struct trial *t = *state;

    begin(t);
    put(t->options.output);
    t->note = (struct batch_note){.options = &t->options, .unsure = true};
    t->options.overwrite = true;
    t->begun = 0;
    begin(t);
    end(t, BATCH_NOT_MADE);
    assert_int_equal(made_of(t), BATCH_UNSURE);
}

static void a_record_that_cannot_be_written_is_told_once(void **state)
{
    struct trial *t = *state;
    char *record = batch_record_path(t->options.output), text[1000], *wanted;
    int standard_error = dup(STDERR_FILENO);
    FILE *told = tmpfile();
    ssize_t size;

    assert_non_null(told);
    assert_int_equal(mkdir(record, 0777), 0);
    dup2(fileno(told), STDERR_FILENO);
    batch_notes_begin(&t->notes, &t->note, on_begun, t);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    put(t->options.output);
    batch_notes_end(&t->notes, &t->note, BATCH_WAS_MADE);
    uv_run(&t->loop, UV_RUN_DEFAULT);
    fflush(stderr);
    dup2(standard_error, STDERR_FILENO);
    close(standard_error);
    size = pread(fileno(told), text, sizeof(text) - 1, 0);
    fclose(told);
    assert_true(size >= 0);
    text[size] = '\0';
    wanted =
        mem_format("renderfarm: %s: cannot be written: Is a directory; the same command takes what is made now for somebody else's, and leaves it "
                   "alone unless -y is given\n",
                   record);
    assert_string_equal(text, wanted);
    assert_int_equal(t->begun, 1);
    free(wanted);
    free(record);
}

#define NOTES_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTES_TEST(what_was_made_is_known_with_its_holes),
        NOTES_TEST(a_kill_leaves_it_in_doubt),
        NOTES_TEST(what_was_not_made_gives_no_right_to_the_name),
        NOTES_TEST(what_was_not_verified_is_made_again),
        NOTES_TEST(what_is_in_vain_is_not_begun),
        NOTES_TEST(doubt_lasts_until_it_is_made),
        NOTES_TEST(a_record_that_cannot_be_written_is_told_once),
    };

    return cmocka_run_group_tests_name("batch_notes", tests, NULL, NULL);
}
