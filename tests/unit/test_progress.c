#include "coordinator/progress.h"

#include "common/log.h"

#include <json-c/json.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_near(double value, double wanted, double room)
{
    if (!(fabs(value - wanted) <= room))
        fail_msg("%g is not %g", value, wanted);
}

#define S UINT64_C(1000000000)

static const struct progress_facts halfway = {.frames = 3240,
                                              .frames_total = 7200,
                                              .video_s = 135,
                                              .segments_done = 13,
                                              .segments_total = 30,
                                              .busy = 2,
                                              .workers = 2,
                                              .elapsed_ns = 15 * S,
                                              .output_bytes = 123456};

static const char *bar(const struct progress_facts *facts, int columns)
{
    static char text[512];

    progress_text(text, sizeof(text), PROGRESS_BAR, columns, facts);
    return text;
}

static struct json_object *json(const struct progress_facts *facts)
{
    char text[512];
    struct json_object *object;

    progress_text(text, sizeof(text), PROGRESS_JSON, 80, facts);
    assert_null(strchr(text, '\n'));
    object = json_tokener_parse(text);
    if (!object)
        fail_msg("not JSON: %s", text);
    return object;
}

static double number(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no %s", key);
    return json_object_get_double(value);
}

static void the_bar_tells_how_far_how_fast_and_how_long(void **state)
{
    const char *text = bar(&halfway, 120);

    (void)state;
    assert_ptr_equal(strchr(text, '['), text);
    assert_non_null(strstr(text, "=>"));
    assert_non_null(strstr(text, " 45%"));
    assert_non_null(strstr(text, "3240/7200 frames"));
    assert_non_null(strstr(text, "216.0 fps"));
    assert_non_null(strstr(text, "9.00x"));
    assert_non_null(strstr(text, "ETA 0:18"));
    assert_non_null(strstr(text, "2/2 busy"));
}

static void the_bar_fits_every_terminal(void **state)
{
    (void)state;
    for (int columns = 2; columns < 300; columns++)
        assert_true(strlen(bar(&halfway, columns)) < (size_t)columns);
}

static void the_bar_is_empty_at_the_start_and_full_at_the_end(void **state)
{
    struct progress_facts facts = halfway;

    (void)state;
    facts.frames = 0;
    facts.elapsed_ns = 0;
    assert_non_null(strstr(bar(&facts, 120), "[>   "));
    assert_non_null(strstr(bar(&facts, 120), "ETA ?"));
    facts.frames = facts.frames_total;
    facts.elapsed_ns = halfway.elapsed_ns;
    assert_non_null(strstr(bar(&facts, 120), "==]"));
    assert_non_null(strstr(bar(&facts, 120), "100%"));
    assert_non_null(strstr(bar(&facts, 120), "ETA 0:00"));
}

static void a_hundred_percent_is_not_said_before_the_end(void **state)
{
    struct progress_facts facts = halfway;

    (void)state;
    facts.frames = facts.frames_total - 1;
    assert_non_null(strstr(bar(&facts, 120), " 99%"));
}

static void long_jobs_have_hours(void **state)
{
    struct progress_facts facts = {.frames = 100, .frames_total = 100000, .elapsed_ns = 10 * S, .workers = 1};

    (void)state;
    assert_non_null(strstr(bar(&facts, 120), "ETA 2:46:30"));
    facts.elapsed_ns = UINT64_MAX;
    facts.frames = 1;
    facts.frames_total = UINT64_MAX;
    assert_true(strlen(bar(&facts, 120)) < 120);
}

static void without_a_total_there_is_no_percent(void **state)
{
    struct progress_facts facts = halfway;

    (void)state;
    facts.frames_total = 0;
    assert_null(strchr(bar(&facts, 120), '%'));
    assert_null(strchr(bar(&facts, 120), '['));
    assert_null(strstr(bar(&facts, 120), "ETA"));
    assert_non_null(strstr(bar(&facts, 120), "3240 frames"));
}

static void json_has_every_key(void **state)
{
    struct json_object *object = json(&halfway), *type = NULL;

    (void)state;
    assert_true(json_object_object_get_ex(object, "type", &type));
    assert_string_equal(json_object_get_string(type), "progress");
    assert_near(number(object, "frames"), 3240, 0);
    assert_near(number(object, "frames_total"), 7200, 0);
    assert_near(number(object, "percent"), 45, 1e-9);
    assert_near(number(object, "fps"), 216, 1e-9);
    assert_near(number(object, "speed"), 9, 1e-9);
    assert_near(number(object, "eta_s"), 18.3, 1e-9);
    assert_near(number(object, "segments_done"), 13, 0);
    assert_near(number(object, "busy"), 2, 0);
    assert_near(number(object, "workers"), 2, 0);
    assert_near(number(object, "elapsed_s"), 15, 1e-9);
    assert_near(number(object, "bytes"), 123456, 0);
    json_object_put(object);
}

static void json_numbers_are_finite_whatever_happens(void **state)
{
    static const char *const keys[] = {"fps", "speed", "elapsed_s"};
    struct progress_facts cases[] = {
        {.workers = 1},
        {.frames = 5, .frames_total = 3, .video_s = 1, .elapsed_ns = 1},
        {.frames = UINT64_MAX, .frames_total = 1, .video_s = 1e300, .elapsed_ns = 1, .output_bytes = UINT64_MAX},
        {.frames = 1, .frames_total = UINT64_MAX, .video_s = (double)NAN, .elapsed_ns = UINT64_MAX},
        {.video_s = (double)INFINITY, .elapsed_ns = S},
        {.video_s = -5, .elapsed_ns = S, .busy = -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_object *object = json(&cases[i]), *percent = NULL;

        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            assert_true(isfinite(number(object, keys[k])));
            assert_true(number(object, keys[k]) >= 0);
        }
        assert_true(json_object_object_get_ex(object, "percent", &percent));
        assert_true(!percent || json_object_get_double(percent) <= 100);
        json_object_put(object);
    }
}

// Runs `show` for each of the times with stdout or stderr going to a file, and returns what was written.
static const char *shown(enum progress_mode mode, int terminal, int fd, const uint64_t *times_ns, size_t count, int with_log_line)
{
    static char text[8192];
    struct progress *progress = progress_new(mode, terminal, 80);
    FILE *file = tmpfile();
    size_t length;
    int saved = dup(fd);

    assert_non_null(file);
    fflush(stdout);
    dup2(fileno(file), fd);
    for (size_t i = 0; i < count; i++)
        progress_show(progress, &halfway, times_ns[i]);
    if (with_log_line) {
        progress_hide(progress);
        if (write(fd, "log\n", 4) < 0)
            fail();
        progress_again(progress);
    }
    dup2(saved, fd);
    close(saved);
    rewind(file);
    length = fread(text, 1, sizeof(text) - 1, file);
    text[length] = '\0';
    fclose(file);
    progress_free(&progress);
    assert_null(progress);
    return text;
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;

    for (; (text = strstr(text, word)); text += strlen(word))
        count++;
    return count;
}

static void a_terminal_is_drawn_at_most_every_200_ms(void **state)
{
    const uint64_t times[] = {100 * S, 100 * S + 1, 100 * S + S / 10, 100 * S + S / 5, 101 * S};
    const char *text = shown(PROGRESS_AUTO, 1, STDERR_FILENO, times, 5, 0);

    (void)state;
    assert_int_equal(count_of(text, "busy"), 3);
    assert_int_equal(count_of(text, "\r"), 3);
    assert_int_equal(count_of(text, "\n"), 0);
}

static void elsewhere_a_line_comes_every_ten_seconds(void **state)
{
    const uint64_t times[] = {100 * S, 101 * S, 109 * S, 110 * S, 111 * S, 120 * S};
    const char *text = shown(PROGRESS_AUTO, 0, STDERR_FILENO, times, 6, 0);

    (void)state;
    assert_int_equal(count_of(text, "\n"), 2);
    assert_int_equal(count_of(text, "renderfarm: "), 2);
    assert_int_equal(count_of(text, "\r"), 0);
    assert_int_equal(count_of(text, "\033"), 0);
}

static void json_goes_to_stdout_line_by_line(void **state)
{
    const uint64_t times[] = {100 * S, 101 * S};
    const char *text = shown(PROGRESS_JSON, 1, STDOUT_FILENO, times, 2, 0);

    (void)state;
    assert_int_equal(count_of(text, "\n"), 2);
    assert_int_equal(count_of(text, "\"type\":\"progress\""), 2);
}

// The test ends by the alarm when it does.
static void a_reader_that_has_stopped_does_not_stop_us(void **state)
{
    struct progress *progress = progress_new(PROGRESS_JSON, 0, 0);
    const struct progress_facts facts = {.frames = 1};
    int ends[2], saved = dup(STDOUT_FILENO);

    (void)state;
    fflush(stdout);
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], "full", 4) == 4)
        ;
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], STDOUT_FILENO);
    alarm(60);
    progress_show(progress, &facts, 100 * S);
    progress_end(progress, &facts);
    alarm(0);
    dup2(saved, STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    close(saved);
    progress_free(&progress);
}

static void off_says_nothing(void **state)
{
    const uint64_t times[] = {100 * S, 200 * S};

    (void)state;
    assert_string_equal(shown(PROGRESS_OFF, 1, STDERR_FILENO, times, 2, 0), "");
    assert_string_equal(shown(PROGRESS_OFF, 1, STDOUT_FILENO, times, 2, 0), "");
}

static void the_line_steps_aside_for_the_log(void **state)
{
    const uint64_t times[] = {100 * S};
    const char *text = shown(PROGRESS_BAR, 0, STDERR_FILENO, times, 1, 1), *log = strstr(text, "\r\033[Klog\n");

    (void)state;
    assert_non_null(log);
    assert_int_equal(count_of(log, "busy"), 1); // and comes again behind it
    assert_string_equal(shown(PROGRESS_JSON, 0, STDERR_FILENO, times, 0, 1), "log\n");
}

struct meeting {
    struct progress *progress;
    sem_t hidden, tried;
};

static void hide_and_wait(void *data)
{
    struct meeting *meeting = data;

    progress_hide(meeting->progress);
    sem_post(&meeting->hidden);
    sem_wait(&meeting->tried);
}

static void come_back(void *data)
{
    progress_again(((struct meeting *)data)->progress);
}

static void *log_a_line(void *data)
{
    (void)data;
    log_warn("text");
    return NULL;
}

// The lanes log too: between the wiping of the line and its coming back nobody else may draw it, and the loop does not wait.
static void the_line_is_not_drawn_into_another_threads_log_line(void **state)
{
    struct meeting meeting = {.progress = progress_new(PROGRESS_BAR, 1, 80)};
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    char text[4096];
    const char *log;
    pthread_t thread;

    (void)state;
    assert_non_null(file);
    sem_init(&meeting.hidden, 0, 0);
    sem_init(&meeting.tried, 0, 0);
    dup2(fileno(file), STDERR_FILENO);
    progress_show(meeting.progress, &halfway, 100 * S);
    log_around(hide_and_wait, come_back, &meeting);
    pthread_create(&thread, NULL, log_a_line, NULL);
    sem_wait(&meeting.hidden);
    progress_show(meeting.progress, &halfway, 101 * S);
    sem_post(&meeting.tried);
    pthread_join(thread, NULL);
    log_around(NULL, NULL, NULL);
    progress_show(meeting.progress, &halfway, 101 * S); // which is still due
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    log = strstr(text, "\r\033[Krenderfarm: text\n");
    assert_non_null(log);
    assert_int_equal(count_of(text, "busy"), 3);
    assert_int_equal(count_of(log, "busy"), 2);
    progress_free(&meeting.progress);
    sem_destroy(&meeting.hidden);
    sem_destroy(&meeting.tried);
}

static const struct progress_facts batch = {.frames = 500,
                                            .video_s = 20,
                                            .busy = 2,
                                            .workers = 2,
                                            .elapsed_ns = 10 * S,
                                            .files_done = 3,
                                            .files_total = 12,
                                            .share = 0.25,
                                            .left_s = 30,
                                            .file = "out/a \"b\"\n\xe2\x82\xac.mp4",
                                            .file_percent = 45.9};

static void a_batch_shows_its_file_and_itself(void **state)
{
    struct json_object *object, *file = NULL;
    struct progress_facts long_name = batch;

    (void)state;
    assert_string_equal(bar(&batch, 120),
                        "[=======>                      ]  25%  3/12 files  50.0 fps  2.00x  ETA 0:30  2/2 busy  a \"b\"?\xe2\x82\xac.mp4 45%");
    // Not through the middle of a character, and not at all where there is no room.
    long_name.file = "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac.mp4";
    assert_non_null(strstr(bar(&long_name, 78), "busy  \xe2\x82\xac\xe2\x82\xac... 45%"));
    assert_null(strstr(bar(&long_name, 60), "mp4"));
    object = json(&batch);
    assert_near(number(object, "percent"), 25, 0.01);
    assert_near(number(object, "eta_s"), 30, 0.01);
    assert_near(number(object, "files_done"), 3, 0);
    assert_near(number(object, "file_percent"), 45.9, 0.01);
    assert_true(json_object_object_get_ex(object, "file", &file));
    assert_string_equal(json_object_get_string(file), batch.file);
    json_object_put(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_shows_its_file_and_itself),
        cmocka_unit_test(the_bar_tells_how_far_how_fast_and_how_long),
        cmocka_unit_test(the_bar_fits_every_terminal),
        cmocka_unit_test(the_bar_is_empty_at_the_start_and_full_at_the_end),
        cmocka_unit_test(a_hundred_percent_is_not_said_before_the_end),
        cmocka_unit_test(long_jobs_have_hours),
        cmocka_unit_test(without_a_total_there_is_no_percent),
        cmocka_unit_test(json_has_every_key),
        cmocka_unit_test(json_numbers_are_finite_whatever_happens),
        cmocka_unit_test(a_terminal_is_drawn_at_most_every_200_ms),
        cmocka_unit_test(elsewhere_a_line_comes_every_ten_seconds),
        cmocka_unit_test(json_goes_to_stdout_line_by_line),
        cmocka_unit_test(a_reader_that_has_stopped_does_not_stop_us),
        cmocka_unit_test(off_says_nothing),
        cmocka_unit_test(the_line_steps_aside_for_the_log),
        cmocka_unit_test(the_line_is_not_drawn_into_another_threads_log_line),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
