#include "coordinator/stats.h"

#include <json-c/json.h>

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_near(double value, double wanted, double room)
{
    if (!(fabs(value - wanted) <= room))
        fail_msg("%g is not %g", value, wanted);
}

#define S UINT64_C(1000000000)

static struct stats_renderer renderers[] = {
    {.slot = 0, .pid = 10, .busy_ns = 9 * S, .segments = 3, .frames = 300, .peak_memory_bytes = 1000},
    {.slot = 1, .pid = 11, .busy_ns = 8 * S, .segments = 2, .frames = 200, .peak_memory_bytes = 2000},
};

static struct stats some(void)
{
    return (struct stats){.start_ns = 100 * S,
                          .end_ns = 110 * S,
                          .frames = 500,
                          .segments = 5,
                          .retries = 1,
                          .lost_frames = 77,
                          .missing_segments = 3,
                          .plain_segments = 2,
                          .lost_ns = 3 * S / 2,
                          .first_task_ns = 100 * S + S / 4,
                          .coordinator_switches = {.voluntary = 11, .involuntary = 12},
                          .renderers_switches = {.voluntary = 13, .involuntary = 14},
                          .ipc = {.messages = 21, .sent_bytes = 22, .received_bytes = 23, .busy_ns = S / 500},
                          .output_bytes = 4096,
                          .workers = 2,
                          .threads = 1,
                          .decode_cpu_ns = 2 * S,
                          .filter_cpu_ns = 6 * S,
                          .encode_cpu_ns = 10 * S,
                          .renderers_cpu_ns = 19 * S,
                          .coordinator_cpu_ns = S / 2,
                          .loop_max_ns = S / 400,
                          .coordinator_peak_bytes = 5000,
                          .input = "in.mp4",
                          .output = "out.mp4",
                          .codec = "libx264",
                          .video_s = 20,
                          .renderers = renderers,
                          .renderer_count = 2};
}

static struct json_object *written(const struct stats *stats)
{
    char path[] = "/tmp/test_stats.XXXXXX";
    int fd = mkstemp(path);
    struct json_object *object;

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(stats_write(stats, path), 0);
    object = json_object_from_file(path);
    unlink(path);
    assert_non_null(object);
    return object;
}

// The value at "key" or "key/key".
static struct json_object *at(struct json_object *object, const char *path)
{
    struct json_object *value = NULL;
    char slashed[128];

    snprintf(slashed, sizeof(slashed), "/%s", path);
    if (json_pointer_get(object, slashed, &value) != 0)
        fail_msg("there is no %s", path);
    return value;
}

static double number(struct json_object *object, const char *path)
{
    return json_object_get_double(at(object, path));
}

static void efficiency_is_useful_work_over_all_that_the_workers_could_do(void **state)
{
    struct stats stats = some();

    (void)state;
    assert_near(stats_efficiency(&stats), 0.9, 1e-9);
}

static void efficiency_stays_between_zero_and_one(void **state)
{
    struct stats stats = some(), nothing = {0};

    (void)state;
    stats.filter_cpu_ns = 100 * S; // threads
    assert_near(stats_efficiency(&stats), 1, 1e-9);
    assert_near(stats_efficiency(&nothing), 0, 1e-9);
    stats.end_ns = stats.start_ns - 1; // a job that never began to end
    assert_near(stats_efficiency(&stats), 0, 1e-9);
}

static void every_figure_is_written(void **state)
{
    struct stats stats = some();
    struct json_object *object = written(&stats);

    (void)state;
    assert_near(number(object, "wall_s"), 10, 1e-6);
    assert_near(number(object, "frames"), 500, 0);
    assert_near(number(object, "segments"), 5, 0);
    assert_near(number(object, "workers"), 2, 0);
    assert_near(number(object, "threads"), 1, 0);
    assert_near(number(object, "retries"), 1, 0);
    assert_near(number(object, "cpu_s/decode"), 2, 1e-6);
    assert_near(number(object, "cpu_s/filter"), 6, 1e-6);
    assert_near(number(object, "cpu_s/encode"), 10, 1e-6);
    assert_near(number(object, "cpu_s/total"), 19.5, 1e-6);
    assert_near(number(object, "efficiency"), 0.9, 1e-6);
    assert_near(number(object, "loop_max_ms"), 2.5, 1e-6);
    assert_near(number(object, "first_task_s"), 0.25, 1e-6);
    assert_near(number(object, "lost_frames"), 77, 0);
    assert_near(number(object, "missing_segments"), 3, 0);
    assert_near(number(object, "plain_segments"), 2, 0);
    assert_near(number(object, "lost_s"), 1.5, 1e-6);
    assert_near(number(object, "context_switches/coordinator/voluntary"), 11, 0);
    assert_near(number(object, "context_switches/coordinator/involuntary"), 12, 0);
    assert_near(number(object, "context_switches/renderers/voluntary"), 13, 0);
    assert_near(number(object, "context_switches/renderers/involuntary"), 14, 0);
    assert_near(number(object, "ipc/messages"), 21, 0);
    assert_near(number(object, "ipc/sent_bytes"), 22, 0);
    assert_near(number(object, "ipc/received_bytes"), 23, 0);
    assert_near(number(object, "ipc/loop_ms"), 2, 1e-6);
    assert_near(number(object, "peak_memory_bytes/coordinator"), 5000, 0);
    assert_near(number(object, "peak_memory_bytes/renderers/1"), 2000, 0);
    assert_near(number(object, "renderers/0/busy_s"), 9, 1e-6);
    assert_near(number(object, "renderers/1/frames"), 200, 0);
    assert_int_equal(json_object_array_length(at(object, "renderers")), 2);
    assert_null(at(object, "serial_reason"));
    json_object_put(object);
}

static void names_with_quotes_and_line_ends_stay_json(void **state)
{
    struct stats stats = some();
    struct json_object *object;

    (void)state;
    stats.input = "a \"b\"\\c\n\x01.mp4";
    stats.serial_reason = "the filter hqdn3d carries state from frame to frame";
    object = written(&stats);
    assert_string_equal(json_object_get_string(at(object, "input")), stats.input);
    assert_string_equal(json_object_get_string(at(object, "serial_reason")), stats.serial_reason);
    json_object_put(object);
}

static void a_length_that_is_no_number_stays_json(void **state)
{
    const double lengths[] = {(double)NAN, (double)INFINITY, 1e300};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct stats stats = some();
        struct json_object *object;

        stats.video_s = lengths[i];
        object = written(&stats);
        assert_true(isfinite(number(object, "video_s")));
        json_object_put(object);
    }
}

static void without_renderers_there_are_empty_lists(void **state)
{
    struct stats stats = {0};
    struct json_object *object = written(&stats);

    (void)state;
    assert_int_equal(json_object_array_length(at(object, "renderers")), 0);
    assert_near(number(object, "fps"), 0, 0);
    assert_near(number(object, "first_task_s"), 0, 0);
    json_object_put(object);
}

static void names_that_are_no_utf_8_make_good_json(void **state)
{
    struct stats stats = some();
    struct json_object *object;

    (void)state;
    stats.input = "\xc3\xa9\xff.mp4"; // a letter, and a byte that is none
    stats.output = "cut\xe2\x82";
    object = written(&stats);
    assert_string_equal(json_object_get_string(at(object, "input")), "\xc3\xa9\xef\xbf\xbd.mp4");
    assert_string_equal(json_object_get_string(at(object, "output")), "cut\xef\xbf\xbd\xef\xbf\xbd");
    json_object_put(object);
}

static void a_path_that_cannot_be_written_is_an_error(void **state)
{
    struct stats stats = some();

    (void)state;
    assert_int_equal(stats_write(&stats, "/nonexistent/stats.json"), -ENOENT);
    assert_int_equal(stats_write(&stats, "/dev/full"), -ENOSPC);
}

static void this_process_has_used_memory_and_time(void **state)
{
    struct stats stats = {0};

    (void)state;
    stats_self(&stats);
    assert_true(stats.coordinator_peak_bytes > 100000);
    assert_true(stats.coordinator_peak_bytes % 1024 == 0);
}

static void children_that_ended_are_counted(void **state)
{
    struct stats stats = {0};
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        for (volatile unsigned i = 0; i < 20000000; i++)
            ;
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    stats_children(&stats);
    assert_true(stats.renderers_cpu_ns > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(efficiency_is_useful_work_over_all_that_the_workers_could_do),
        cmocka_unit_test(efficiency_stays_between_zero_and_one),
        cmocka_unit_test(every_figure_is_written),
        cmocka_unit_test(names_with_quotes_and_line_ends_stay_json),
        cmocka_unit_test(a_length_that_is_no_number_stays_json),
        cmocka_unit_test(without_renderers_there_are_empty_lists),
        cmocka_unit_test(names_that_are_no_utf_8_make_good_json),
        cmocka_unit_test(a_path_that_cannot_be_written_is_an_error),
        cmocka_unit_test(this_process_has_used_memory_and_time),
        cmocka_unit_test(children_that_ended_are_counted),
    };

    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
