// renderfarm-simulate: predictions from recordings that are made up, whose answers are known, and from one that renderfarm writes.
#include "tests/support/trial.h"

#include <json-c/json.h>

#include <math.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

// Segments of 100 frames with 10 keyframes, each with so much CPU time. Everything else costs nothing.
struct made_up {
    unsigned segments, cpu_ms, input_bytes, bytes;
    double read_us, write_us, spawn_ms, message_us; // a segment's reading and writing; a renderer's start and a message, of the loop
    bool serial;                                    // decoded in order by one, which takes as long as the rest
};

static const char *recorded(const char *name, const struct made_up *m)
{
    const char *path = trial_path(name);
    FILE *file = fopen(path, "w");
    unsigned messages = 10 * m->segments;

    assert_non_null(file);
    fprintf(
        file,
        "[{\"ph\":\"i\",\"ts\":0,\"name\":\"plan\",\"args\":{\"input\":\"made-up.mp4\",\"filters\":\"\",\"reason\":\"\",\"workers\":1,\"threads\":1,"
        "\"duration_s\":%u,\"frame_rate\":25,\"keyframe_gap_s\":0.4,\"wished_segment_s\":0,\"segment_s\":4,\"frame_bytes\":1000,\"cuttable\":true,"
        "\"loop_cpu_ms\":0,\"stages\":[",
        4 * m->segments);
    if (m->serial)
        fprintf(file, "{\"filters\":\"\",\"why\":\"so\",\"decode\":true,\"encode\":false,\"parallel\":false,\"before\":0,\"after\":0,\"run_frames\":"
                      "0,\"frames\":0},");
    fprintf(file, "{\"filters\":\"\",\"decode\":%s,\"encode\":true,\"parallel\":true,\"before\":0,\"after\":0,\"run_frames\":%u,\"frames\":%u}]}}",
            m->serial ? "false" : "true", m->serial ? 100 : 0, m->serial ? 100 * m->segments : 0);
    fprintf(file, ",\n{\"ph\":\"X\",\"ts\":0,\"dur\":0,\"name\":\"starts\",\"args\":{\"spawn_ms\":%f}}", m->spawn_ms);
    for (unsigned i = 0; i < m->segments; i++) {
        fprintf(file,
                ",\n{\"ph\":\"X\",\"ts\":0,\"dur\":%f,\"name\":\"reads\",\"args\":{\"segment\":%u,\"packets\":100,\"frames\":100,\"keyframes\":10,"
                "\"bytes\":%u}}",
                m->read_us, i, m->input_bytes);
        if (m->serial && i == 0)
            fprintf(file,
                    ",\n{\"ph\":\"X\",\"ts\":0,\"dur\":9,\"name\":\"segment "
                    "0\",\"args\":{\"stage\":1,\"segment\":0,\"packets\":%u,\"bytes\":0,\"cpu_ms\":%u}}",
                    100 * m->segments, m->segments * m->cpu_ms);
        fprintf(file,
                ",\n{\"ph\":\"X\",\"ts\":0,\"dur\":%f,\"name\":\"segment "
                "%u\",\"args\":{\"stage\":%u,\"segment\":%u,\"frames\":100,\"bytes\":%u,\"cpu_ms\":%u}}",
                2e3 * m->cpu_ms, i, m->serial ? 2 : 1, i, m->bytes, m->cpu_ms);
        fprintf(file, ",\n{\"ph\":\"X\",\"ts\":0,\"dur\":%f,\"name\":\"writes\",\"args\":{\"segment\":%u,\"bytes\":%u}}", m->write_us, i, m->bytes);
    }
    fprintf(file, ",\n{\"ph\":\"i\",\"ts\":%f,\"name\":\"end\",\"args\":{\"loop_cpu_ms\":%f,\"received_messages\":%u}}\n]\n",
            1e3 * m->segments * m->cpu_ms, m->message_us * (messages + 2 * m->segments) / 1e3, messages);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *simulator(void)
{
    return trial_format("%s-simulate", trial_program());
}

static struct json_object *run(struct json_object *result, size_t number)
{
    struct json_object *runs;

    assert_true(json_object_object_get_ex(result, "runs", &runs));
    assert_true(number < json_object_array_length(runs));
    return json_object_array_get_idx(runs, number);
}

static double number(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no key \"%s\"", key);
    return json_object_get_double(value);
}

static const char *word(struct json_object *object, const char *key)
{
    struct json_object *value;

    assert_true(json_object_object_get_ex(object, key, &value));
    return json_object_get_string(value);
}

static struct json_object *predicted(const char *trace, const char *workers, const char *further)
{
    struct json_object *result =
        json_tokener_parse(trial_output(ARGUMENTS(simulator(), trace, "--json", trial_format("--workers=%s", workers), further)));

    assert_non_null(result);
    return result;
}

static void assert_about(double actual, double expected, double tolerance)
{
    if (fabs(actual - expected) > tolerance)
        fail_msg("%g should be %g", actual, expected);
}

static void equal_segments_take_turns_on_the_cores(void **state)
{
    const char *trace = recorded("t.json", &(struct made_up){.segments = 24, .cpu_ms = 1000, .input_bytes = 1000, .bytes = 1000});
    static const double walls[] = {24, 12, 8, 6, 5, 4, 4, 3, 2, 1, 1};
    struct json_object *result = predicted(trace, "1..8,12,24,100", NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(walls) / sizeof(*walls); i++) {
        assert_about(number(run(result, i), "wall_s"), walls[i], 0.05);
        assert_int_equal(number(run(result, i), "segments"), 24);
        assert_int_equal(number(run(result, i), "frames"), 2400);
    }
    assert_about(number(run(result, 3), "efficiency"), 1, 0.01);
    assert_string_equal(word(run(result, 0), "limit"), "-");
    assert_string_equal(word(run(result, 4), "limit"), "tail");
    assert_string_equal(word(run(result, 10), "limit"), "too few segments");
    assert_int_equal(number(result, "flattens_at"), 24);
    json_object_put(result);
}

static void workers_beyond_the_cores_are_of_no_use(void **state)
{
    const char *trace = recorded("t.json", &(struct made_up){.segments = 24, .cpu_ms = 1000});
    struct json_object *result = predicted(trace, "2,4,8", "--cores=2");

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_about(number(run(result, i), "wall_s"), 12, 0.1);
    json_object_put(result);
}

static void what_limits_a_job_is_found(void **state)
{
    const struct {
        const char *limit;
        struct made_up job;
    } cases[] = {
        {"reader", {.segments = 200, .cpu_ms = 100, .read_us = 50000}},
        {"writer", {.segments = 200, .cpu_ms = 100, .bytes = 50000, .write_us = 50000}},
        {"messages", {.segments = 200, .cpu_ms = 100, .message_us = 10000}},
        {"start", {.segments = 64, .cpu_ms = 100, .spawn_ms = 100}},
        {"in order", {.segments = 64, .cpu_ms = 100, .serial = true}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct json_object *result = predicted(recorded("t.json", &cases[i].job), "16", NULL);

        if (strcmp(word(run(result, 0), "limit"), cases[i].limit) != 0)
            fail_msg("%s, not %s: %s", word(run(result, 0), "limit"), cases[i].limit, json_object_to_json_string(run(result, 0)));
        json_object_put(result);
    }
}

// Segments of 1 MB: what renderers have does not fill the window for what is read ahead.
static void large_segments_use_many_cores_too(void **state)
{
    const char *trace = recorded("t.json", &(struct made_up){.segments = 512, .cpu_ms = 2000, .input_bytes = 8 << 20, .bytes = 1 << 20});
    struct json_object *result = predicted(trace, "128", NULL);

    (void)state;
    assert_true(number(run(result, 0), "efficiency") > 0.95);
    json_object_put(result);
}

static void a_longer_video_is_cut_into_longer_segments(void **state)
{
    const char *trace = recorded("t.json", &(struct made_up){.segments = 10, .cpu_ms = 100});
    struct json_object *result = predicted(trace, "1", "--length=2h");

    (void)state;
    assert_about(number(result, "video_s"), 7200, 0.01);
    assert_int_equal(number(run(result, 0), "frames"), 180000);
    assert_int_equal(number(run(result, 0), "segments"), 729); // of 10 s, but for those of the last minute
    assert_about(number(run(result, 0), "wall_s"), 180, 1);
    json_object_put(result);
    result = predicted(trace, "1", "--segment=2");
    assert_int_equal(number(run(result, 0), "segments"), 20);
    json_object_put(result);
    result = predicted(trace, "1", "--repeat=3");
    assert_int_equal(number(run(result, 0), "frames"), 3000);
    json_object_put(result);
}

// A segment of 1 MB takes 80 ms at 100 Mbit/s, and the coordinator's host has one link for all.
static void a_network_takes_time(void **state)
{
    const char *trace = recorded("t.json", &(struct made_up){.segments = 64, .cpu_ms = 400, .input_bytes = 1000000, .bytes = 1000});
    const char *fast = "--bandwidth=10G";
    struct json_object *slow, *quick;

    (void)state;
    slow = json_tokener_parse(trial_output(ARGUMENTS(simulator(), trace, "--json", "--workers=16", "--hosts=8", "--bandwidth=100M")));
    quick = json_tokener_parse(trial_output(ARGUMENTS(simulator(), trace, "--json", "--workers=16", "--hosts=8", fast, "--latency=1ms")));
    assert_about(number(run(quick, 0), "wall_s"), 1.6, 0.1);
    assert_true(number(run(slow, 0), "wall_s") > 64 * 0.08 * 3 / 4); // the first host takes more than its share, because it needs no link
    assert_string_equal(word(run(slow, 0), "limit"), "messages");
    json_object_put(slow);
    json_object_put(quick);
}

static void the_same_recording_gives_the_same_prediction(void **state)
{
    const char *trace =
        recorded("t.json", &(struct made_up){.segments = 50, .cpu_ms = 130, .input_bytes = 70000, .bytes = 30000, .read_us = 300, .message_us = 50});
    const char *first = trial_output(ARGUMENTS(simulator(), trace, "--workers=1..64"));

    (void)state;
    assert_string_equal(first, trial_output(ARGUMENTS(simulator(), trace, "--workers=1..64")));
    assert_non_null(strstr(first, "Flattens:"));
    assert_non_null(strstr(first, "Limit:"));
}

static void thousands_of_workers_can_be_asked_for(void **state)
{
    const char *trace = recorded("t.json", &(struct made_up){.segments = 100, .cpu_ms = 1000});
    struct json_object *result = predicted(trace, "10000", NULL);

    (void)state;
    assert_about(number(run(result, 0), "wall_s"), 1, 0.1);
    json_object_put(result);
}

// What renderfarm itself writes: the frames and segments of the real job, in one stage and in several.
static void a_recorded_job_can_be_predicted(void **state)
{
    static const char *const filters[] = {"unsharp", "hqdn3d,unsharp", "tmix=frames=3"};
    const char *trace = trial_path("trace.json");

    (void)state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
        struct json_object *result;

        trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "-y", "--workers=1", "--no-cache", "--segment=0.5", "--preset=ultrafast",
                     trial_format("--filter=%s", filters[i]), trial_format("--trace=%s", trace), NULL);
        result = predicted(trace, "1..4", NULL);
        assert_int_equal(number(run(result, 0), "frames"), 96);
        assert_int_equal(number(run(result, 3), "frames"), 96);
        assert_true(number(run(result, 0), "wall_s") > 0.01);
        assert_true(number(run(result, 0), "segments") > 1);
        json_object_put(result);
    }
    // A trace of a job whose segments were there already tells nothing of them.
    for (int i = 0; i < 2; i++)
        trial_render(trial_sample("plain.mp4"), trial_path("out.mp4"), "-y", "--workers=1", trial_format("--cache=%s", trial_path("cache")),
                     "--segment=0.5", trial_format("--trace=%s", trace), NULL);
    command_wait(trial_start_program(ARGUMENTS(simulator(), trace)), 60);
}

static void assert_refused(const char *first, const char *second, int status, const char *said)
{
    struct command *command = trial_start_program(ARGUMENTS(simulator(), first, second));

    command_wait(command, 60);
    if (command->status != status || !strstr(command->err, said) || strchr(command->err, '\n') != command->err + strlen(command->err) - 1 ||
        *command->out)
        fail_msg("%s %s: status %d, out '%s', error '%s'", first ? first : "", second ? second : "", command->status, command->out, command->err);
}

static void what_is_no_trace_is_refused(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"", "breaks off"},
        {"[", "breaks off"},
        {"hello", "no trace of renderfarm"},
        {"{}", "no trace of renderfarm"},
        {"[]", "no plan in it"},
        {"[1,null,\"x\",{}]", "no plan in it"},
        {"[{\"ph\":\"i\",\"name\":\"plan\",\"args\":{}}]", "makes no sense"},
        {"[{\"ph\":\"i\",\"name\":\"plan\",\"args\":{\"stages\":[{}]}}]", "makes no sense"},
        {"[{\"ph\":\"i\",\"name\":\"plan\",\"args\":{\"workers\":1,\"threads\":1,\"stages\":[{\"decode\":true,\"encode\":true}]}}]", "no end"},
        {"[{\"ph\":\"i\",\"name\":\"plan\",\"args\":{\"workers\":1,\"threads\":1,\"stages\":[{\"decode\":true,\"encode\":true}]}},"
         "{\"ph\":\"X\",\"name\":\"s\",\"dur\":1e9,\"args\":{\"stage\":1,\"segment\":0,\"frames\":1e11,\"bytes\":-1e99,\"cpu_ms\":\"nan\"}},"
         "{\"ph\":\"i\",\"name\":\"end\",\"args\":{}}]",
         "more frames than"},
        {"[{\"ph\":\"X\",\"name\":\"segment 1\",\"dur\":1,\"args\":{\"stage\":1}}]", "belongs to no stage"},
        {"[{\"ph\":\"i\",\"name\":\"plan\",\"args\":{\"workers\":1,\"threads\":1,\"stages\":[{\"decode\":true,\"encode\":true}]}},"
         "{\"ph\":\"i\",\"name\":\"end\",\"args\":{}}]",
         "no frame was rendered"},
        {"[{\"ph\":\"i\",\"name\":\"plan\",\"args\":{\"workers\":1,\"threads\":1,\"stages\":[{\"decode\":true,\"encode\":true}]}},"
         "{\"ph\":\"X\",\"name\":\"s\",\"dur\":1,\"args\":{\"stage\":1,\"segment\":1,\"frames\":9}},{\"ph\":\"i\",\"name\":\"end\",\"args\":{}}]",
         "--no-cache"},
    };
    const char *path = trial_path("t.json");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        trial_write(path, cases[i].text, strlen(cases[i].text));
        assert_refused(path, NULL, 1, cases[i].said);
    }
    assert_refused(trial_path("missing.json"), NULL, 1, "No such file");
    assert_refused(trial_path("tmp"), NULL, 1, "it cannot be read");
}

// One number of a good trace in the place of another.
static const char *with_number(const char *name, const char *before, const char *number_text)
{
    size_t size;
    char *text = trial_read(recorded("t.json", &(struct made_up){.segments = 4, .cpu_ms = 10}), &size), *at = strstr(text, before);
    const char *path = trial_path(name), *changed;

    assert_non_null(at);
    at += strlen(before);
    changed = trial_format("%.*s%s%s", (int)(at - text), text, number_text, at + strspn(at, "0123456789."));
    trial_write(path, changed, strlen(changed));
    return path;
}

// They would keep it busy for ever, or overflow.
static void numbers_out_of_range_are_refused_at_once(void **state)
{
    static const struct {
        const char *before, *number, *key;
    } cases[] = {
        {"\"cpu_ms\":", "1e12", "\"cpu_ms\""},
        {"\"cpu_ms\":", "1e999", "\"cpu_ms\""},
        {"\"end\",\"args\":{\"loop_cpu_ms\":", "1e308", "\"loop_cpu_ms\""},
        {"\"spawn_ms\":", "1e39", "\"spawn_ms\""},
        {"\"dur\":", "1e15", "\"dur\""},
        {"\"bytes\":", "1e13", "\"bytes\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_refused(with_number("large.json", cases[i].before, cases[i].number), NULL, 1,
                       trial_format("its number %s is out of range", cases[i].key));
}

// With renderers that mostly wait, which must cost nothing: ten days in a moment.
static void segments_may_take_days(void **state)
{
    struct json_object *result = predicted(with_number("long.json", "\"cpu_ms\":", "9e8"), "1..1024", NULL);

    (void)state;
    assert_about(number(run(result, 0), "wall_s"), 9e5, 1);
    json_object_put(result);
}

static void wrong_use_is_refused(void **state)
{
    static const char *const options[] = {
        "--workers=0",       "--workers=1..10001", "--workers=2..1", "--workers=1,", "--workers=,1",     "--workers=x",
        "--workers=1..2..3", "--workers=",         "--cores=0",      "--repeat=0",   "--repeat=-1",      "--length=0",
        "--length=soon",     "--segment=0",        "--segment=nan",  "--hosts=0",    "--bandwidth=fast", "--latency=1",
        "--costs=all",       "--bandwidth=1G",     "--latency=1ms",  "--no-such",    "--workers",        "extra.json",
    };
    const char *trace = recorded("t.json", &(struct made_up){.segments = 4, .cpu_ms = 10});

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        assert_refused(trace, options[i], 2, "renderfarm-simulate --help");
    assert_refused(NULL, NULL, 2, "one trace is needed");
    trace = recorded("t.json", &(struct made_up){.segments = 4, .cpu_ms = 10, .serial = true});
    assert_refused(trace, "--hosts=2", 1, "all have to be on one host");
    assert_refused(trace, "--repeat=100000", 1, "are too many");
    trace = recorded("t.json", &(struct made_up){.segments = 4, .cpu_ms = 10});
    assert_refused(trace, "--repeat=40000", 1, "more than 50000 segments");
    assert_refused(with_number("slow.json", "\"cpu_ms\":", "9e8"), "--repeat=10000", 1, "more than three years");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(equal_segments_take_turns_on_the_cores),
        TRIAL(workers_beyond_the_cores_are_of_no_use),
        TRIAL(what_limits_a_job_is_found),
        TRIAL(large_segments_use_many_cores_too),
        TRIAL(a_longer_video_is_cut_into_longer_segments),
        TRIAL(a_network_takes_time),
        TRIAL(the_same_recording_gives_the_same_prediction),
        TRIAL(thousands_of_workers_can_be_asked_for),
        TRIAL(a_recorded_job_can_be_predicted),
        TRIAL(what_is_no_trace_is_refused),
        TRIAL(numbers_out_of_range_are_refused_at_once),
        TRIAL(segments_may_take_days),
        TRIAL(wrong_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
