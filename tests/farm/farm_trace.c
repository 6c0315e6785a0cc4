// --trace: where it is written to, and what each event must hold. What is in it for segments is farm_progress_stats' matter.
#include "tests/support/trial.h"

#include <json-c/json.h>

#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no key \"%s\"", key);
    return value;
}

// By a reader who insists on UTF-8.
static struct json_object *events_of(const char *path)
{
    struct json_tokener *strict = json_tokener_new();
    struct json_object *events;
    size_t size;
    const char *text = trial_read(path, &size);

    json_tokener_set_flags(strict, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    events = json_tokener_parse_ex(strict, text, (int)size);
    json_tokener_free(strict);
    if (!events)
        fail_msg("%s is not JSON", path);
    return events;
}

static void assert_refused(const char *first, const char *second, const char *said)
{
    struct command *command = trial_start(ARGUMENTS("--quiet", trial_sample("plain.mp4"), trial_path("out.mp4"), first, second));

    command_wait(command, 20);
    if (command->status != 1 || !strstr(command->err, said) || strchr(command->err, '\n') != command->err + strlen(command->err) - 1)
        fail_msg("%s: status %d, '%s'", first, command->status, command->err);
}

static void a_pipe_from_which_nobody_reads_is_an_error_at_once(void **state)
{
    const char *pipe_path = trial_path("pipe");

    (void)state;
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_refused(trial_format("--trace=%s", pipe_path), NULL, "the trace cannot be written");
    assert_refused(trial_format("--report=%s", pipe_path), NULL, "the report cannot be written");
    assert_int_equal(access(pipe_path, F_OK), 0);
}

static void a_pipe_that_is_read_gets_all_of_it(void **state)
{
    const char *pipe_path = trial_path("pipe"), *copy = trial_path("copy.json");
    struct command reader;
    int writer;

    (void)state;
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    command_start(&reader, ARGUMENTS("sh", "-c", "exec cat \"$1\" >\"$2\"", "sh", pipe_path, copy));
    writer = open(pipe_path, O_WRONLY | O_CLOEXEC); // once it is open, the reader is there, and stays while we are
    assert_true(writer >= 0);
    trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), trial_workers(), trial_format("--trace=%s", pipe_path), NULL);
    close(writer);
    command_wait(&reader, 20);
    command_clear(&reader);
    json_object_put(events_of(copy));
}

// Of two files that are asked for the other cannot be written: what was there is as it was, and what was not is not.
static void files_are_left_alone_unless_all_can_be_written(void **state)
{
    const char *trace = trial_path("trace.json");
    size_t size;

    (void)state;
    assert_refused(trial_format("--trace=%s", trace), "--report=/nonexistent/r.html", "/nonexistent/r.html");
    assert_int_equal(access(trace, F_OK), -1);
    trial_write(trace, "precious", 8);
    assert_refused(trial_format("--trace=%s", trace), "--report=/nonexistent/r.html", "/nonexistent/r.html");
    assert_string_equal(trial_read(trace, &size), "precious");
}

static void a_longer_file_is_replaced(void **state)
{
    const char *trace = trial_path("trace.json"), *spaces = trial_format("%2000000s", "x");

    (void)state;
    trial_write(trace, spaces, strlen(spaces));
    trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), trial_workers(), trial_format("--trace=%s", trace), NULL);
    json_object_put(events_of(trace));
}

static void turns_of_the_loop_follow_each_other(void **state)
{
    const char *trace = trial_path("trace.json");
    struct json_object *events;
    double last_end = 0;

    (void)state;
    trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "--segment=0.5", trial_workers(), trial_format("--trace=%s", trace), NULL);
    events = events_of(trace);
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i);
        double begin, length;

        if (strcmp(json_object_get_string(member(event, "name")), "turn") != 0)
            continue;
        begin = json_object_get_double(member(event, "ts"));
        length = json_object_get_double(member(event, "dur"));
        if (length < 200 || begin < last_end - 0.01) // us; the file has three decimals
            fail_msg("a turn from %.3f, for %.3f, after one to %.3f", begin, length, last_end);
        last_end = begin + length;
    }
    json_object_put(events);
}

static void a_name_in_latin_1_gives_a_trace_in_utf8(void **state)
{
    const char *trace = trial_path("trace.json"), *output = trial_path("caf\xe9.mp4");
    struct json_object *events;
    size_t named = 0;

    (void)state;
    trial_render(trial_sample("plain.mp4"), output, trial_workers(), trial_format("--trace=%s", trace), NULL);
    events = events_of(trace);
    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i);

        if (strcmp(json_object_get_string(member(event, "name")), "plan") == 0)
            named += strstr(json_object_get_string(member(member(event, "args"), "output")), "caf\uFFFD.mp4") != NULL;
    }
    assert_int_equal(named, 1);
    json_object_put(events);
}

static int count_named(struct json_object *events, const char *phase, const char *name)
{
    int count = 0;

    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i), *args;
        bool names_track = json_object_object_get_ex(event, "args", &args) && *phase == 'M' && json_object_object_get_ex(args, "name", &args);

        if (strcmp(json_object_get_string(member(event, "ph")), phase) == 0)
            count += strcmp(json_object_get_string(names_track ? args : member(event, "name")), name) == 0;
    }
    return count;
}

static void threads_have_tracks_and_what_there_is_has_counters(void **state)
{
    static const char *const counters[] = {"waiting bytes", "busy renderers", "window, in segments", "credits, in chunks", "memory, in bytes"};
    const char *trace = trial_path("out.json");
    struct json_object *events;

    (void)state;
    trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "-q", "--workers=1", "--threads=2", "--filter=nlmeans=r=7",
                 trial_format("--trace=%s", trace), NULL);
    events = events_of(trace);
    assert_int_equal(count_named(events, "M", "renderer 0: slices, thread 2"), 1);
    assert_int_equal(count_named(events, "X", "slices of segment 0"), 1);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        assert_true(count_named(events, "C", counters[i]) > 0);
    json_object_put(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(a_pipe_from_which_nobody_reads_is_an_error_at_once),
        TRIAL(a_pipe_that_is_read_gets_all_of_it),
        TRIAL(files_are_left_alone_unless_all_can_be_written),
        TRIAL(a_longer_file_is_replaced),
        TRIAL(turns_of_the_loop_follow_each_other),
        TRIAL(a_name_in_latin_1_gives_a_trace_in_utf8),
        TRIAL(threads_have_tracks_and_what_there_is_has_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
