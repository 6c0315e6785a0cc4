// Words for machines: --progress=json and --stats.
#include "tests/support/trial.h"

#include <json-c/json.h>

#include <setjmp.h>

#include <cmocka.h>

static struct json_object *get(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no key \"%s\"", key);
    return value;
}

static double number(struct json_object *object, const char *key)
{
    struct json_object *value = get(object, key);

    assert_true(json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int));
    return json_object_get_double(value);
}

static void each_line_of_json_progress_is_an_object_and_frames_only_grow(void **state)
{
    struct command *command = trial_start(ARGUMENTS(trial_sample("plain.mp4"), trial_path("out.mp4"), "--progress=json", trial_workers()));
    double frames = 0;
    char *rest, *line;
    int lines = 0;

    (void)state;
    command_wait(command, 60);
    assert_int_equal(command->status, 0);
    assert_string_equal(command->err, "");
    for (line = strtok_r(command->out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct json_object *object = json_tokener_parse(line);

        assert_non_null(object);
        assert_true(json_object_is_type(object, json_type_object));
        assert_true(number(object, "frames") >= frames);
        frames = number(object, "frames");
        assert_true(frames <= number(object, "frames_total"));
        assert_true(number(object, "elapsed_s") >= 0);
        assert_true(number(object, "busy") <= number(object, "workers"));
        json_object_put(object);
        lines++;
    }
    assert_true(lines >= 1);
    assert_int_equal((int)frames, 96);
}

static void progress_that_is_off_says_nothing(void **state)
{
    struct command *command = trial_run(trial_sample("plain.mp4"), trial_path("out.mp4"), NULL);

    (void)state;
    assert_int_equal(command->status, 0);
    assert_string_equal(command->out, "");
    assert_string_equal(command->err, "");
}

static void without_a_terminal_nothing_is_drawn(void **state)
{
    struct command *command = trial_start(ARGUMENTS(trial_sample("plain.mp4"), trial_path("out.mp4")));

    (void)state;
    command_wait(command, 60);
    assert_int_equal(command->status, 0);
    assert_null(strchr(command->err, '\r'));
    assert_null(strchr(command->err, '\033'));
    assert_string_equal(command->out, "");
}

static void stats_hold_sane_figures(void **state)
{
    const char *path = trial_path("stats.json");
    struct json_object *top, *cpu, *renderers, *memory, *ipc, *switches;
    double wall_s, work_s, busy_s = 0, segments = 0;

    (void)state;
    trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "--workers=3", "--threads=2", "--segment=1", "--filter=gblur",
                 trial_format("--stats=%s", path), NULL);
    top = json_object_from_file(path);
    assert_non_null(top);
    wall_s = number(top, "wall_s");
    assert_true(wall_s > 0 && wall_s < 60);
    assert_int_equal((int)number(top, "frames"), 96);
    assert_int_equal((int)number(top, "workers"), 3);
    assert_int_equal((int)number(top, "threads"), 2);
    assert_int_equal((int)number(top, "retries"), 0);
    assert_true(number(top, "segments") > 1);
    assert_true(number(top, "efficiency") > 0 && number(top, "efficiency") <= 1);
    assert_true(number(top, "loop_max_ms") > 0);
    assert_true(number(top, "first_task_s") > 0 && number(top, "first_task_s") < wall_s);
    assert_int_equal((int)number(top, "lost_frames"), 0);
    ipc = get(top, "ipc");
    assert_true(number(ipc, "messages") > 0 && number(ipc, "sent_bytes") > 0 && number(ipc, "loop_ms") > 0);
    assert_true(number(ipc, "received_bytes") > number(top, "output_bytes") / 2); // all of the video came that way
    switches = get(top, "context_switches");
    assert_true(number(get(switches, "coordinator"), "voluntary") > 0);
    assert_true(number(get(switches, "renderers"), "voluntary") > 0);
    cpu = get(top, "cpu_s");
    assert_true(number(cpu, "decode") > 0);
    assert_true(number(cpu, "filter") > 0);
    assert_true(number(cpu, "encode") > 0);
    work_s = number(cpu, "decode") + number(cpu, "filter") + number(cpu, "encode");
    assert_true(work_s < 3 * 2 * wall_s);
    memory = get(top, "peak_memory_bytes");
    assert_true(number(memory, "coordinator") > 1 << 20);
    assert_int_equal(json_object_array_length(get(memory, "renderers")), 3);
    renderers = get(top, "renderers");
    assert_int_equal(json_object_array_length(renderers), 3);
    for (size_t i = 0; i < 3; i++) {
        busy_s += number(json_object_array_get_idx(renderers, i), "busy_s");
        segments += number(json_object_array_get_idx(renderers, i), "segments");
    }
    assert_true(busy_s > 0 && busy_s <= 3 * wall_s);
    assert_int_equal((int)segments, (int)number(top, "segments"));
    json_object_put(top);
}

static size_t count_slices(struct json_object *events, const char *begin, const char *key)
{
    size_t count = 0;

    for (size_t i = 0; i < json_object_array_length(events); i++) {
        struct json_object *event = json_object_array_get_idx(events, i), *name, *arguments, *value;

        if (!json_object_object_get_ex(event, "name", &name) || strncmp(json_object_get_string(name), begin, strlen(begin)) != 0)
            continue;
        count += !key || (json_object_object_get_ex(event, "args", &arguments) && json_object_object_get_ex(arguments, key, &value));
    }
    return count;
}

static void trace_has_every_segment(void **state)
{
    static const char *const chains[] = {"--filter=hflip", "--filter=hflip,hqdn3d,tmix=frames=3"};

    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
        const char *trace = trial_path("trace.json"), *stats = trial_path("stats.json");
        struct json_object *events, *figures;
        double segments;

        trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "-y", "--segment=0.5", chains[i], trial_format("--trace=%s", trace),
                     trial_format("--stats=%s", stats), trial_workers(), NULL);
        events = json_object_from_file(trace);
        figures = json_object_from_file(stats);
        assert_non_null(events);
        assert_non_null(figures);
        assert_true(json_object_is_type(events, json_type_array));
        segments = number(figures, "segments");
        assert_true((double)count_slices(events, "segment ", "encode_ms") >= segments);
        assert_true((double)count_slices(events, "waits for its turn", "segment") >= segments - 1); // none when it was written at once
        assert_true(count_slices(events, "reads", "bytes") > 0);
        assert_true((double)count_slices(events, "writes", "bytes") >= segments);
        assert_int_equal(count_slices(events, "opens the input", NULL), 1);
        assert_int_equal(count_slices(events, "writes the trailer", NULL), 1);
        assert_int_equal(count_slices(events, "plan", "stages"), 1);
        assert_int_equal(count_slices(events, "end", "loop_cpu_ms"), 1);
        assert_true(count_slices(events, "thread_name", "name") >= 4);
        json_object_put(events);
        json_object_put(figures);
    }
}

static void trace_that_cannot_be_written_is_an_error(void **state)
{
    const struct command *command = trial_run(trial_sample("plain.mp4"), trial_path("out.mp4"), "--trace=/nonexistent/trace.json", NULL);

    (void)state;
    assert_int_equal(command->status, 1);
    assert_string_equal(command->err, "renderfarm: /nonexistent/trace.json: the trace cannot be written: No such file or directory\n");
    trial_assert_only(trial_path("."), "tmp", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(each_line_of_json_progress_is_an_object_and_frames_only_grow),
        TRIAL(progress_that_is_off_says_nothing),
        TRIAL(without_a_terminal_nothing_is_drawn),
        TRIAL(stats_hold_sane_figures),
        TRIAL(trace_has_every_segment),
        TRIAL(trace_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
