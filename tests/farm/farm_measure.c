// The measuring scripts: what they compute, from figures whose results are known, and what they say when they are used in a wrong way. How fast
// something is is no matter here.
#include "tests/support/trial.h"

#include <json-c/json.h>

#include <math.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

// What the program in awk's language prints, with the functions of arithmetic.awk at hand.
static const char *computed(const char *program)
{
    const char *path = trial_path("program.awk");

    trial_write(path, program, strlen(program));
    return trial_output(ARGUMENTS("awk", "-f", "scripts/measure/arithmetic.awk", "-f", path));
}

static void assert_computed(const char *expression, const char *expected)
{
    const char *program = trial_format("BEGIN { split(\"3 1 2\", odd, \" \"); split(\"4 1 3 2\", even, \" \"); print %s }\n", expression);
    const char *actual = computed(program), *line = trial_format("%s\n", expected);

    if (strcmp(actual, line) != 0)
        fail_msg("%s is %sand should be %s", expression, actual, line);
}

static void the_middle_the_least_and_the_most_of_numbers(void **state)
{
    (void)state;
    assert_computed("median(odd, 3)", "2");
    assert_computed("median(even, 4)", "2.5");
    assert_computed("median(odd, 1)", "3");
    assert_computed("odd[1] odd[2] odd[3]", "312"); // median leaves them as they are
    assert_computed("least(even, 4)", "1");
    assert_computed("most(even, 4)", "4");
}

static void karp_and_flatt_find_the_serial_share_that_amdahl_starts_from(void **state)
{
    (void)state;
    assert_computed("karp_flatt(4, 4)", "0");
    assert_computed("karp_flatt(1, 4)", "1");
    assert_computed("sprintf(\"%.6f\", karp_flatt(3.0769230769, 4))", "0.100000");
    assert_computed("sprintf(\"%.6f\", karp_flatt(amdahl(0.25, 7), 7))", "0.250000");
    assert_computed("(karp_flatt(2.5, 2) < 0)", "1"); // faster than p: caches, or a slow minute
    assert_computed("\"[\" karp_flatt(1, 1) \"]\"", "[]");
    assert_computed("amdahl(0, 8)", "8");
    assert_computed("amdahl(1, 8)", "1");
}

// Speed-ups with 1, 2, 4 and 8, from an expression of p.
static const char *fit(const char *speed_up)
{
    return computed(trial_format("BEGIN { for (n = 1; n <= 4; n++) { p[n] = 2 ^ (n - 1); s[n] = %s } print amdahl_fit(s, p, 4) }\n", speed_up));
}

static void amdahls_law_is_fitted_to_speed_ups(void **state)
{
    double mixed;

    (void)state;
    assert_string_equal(fit("amdahl(0.2, p[n])"), "0.2\n");
    assert_string_equal(fit("p[n]"), "0\n");
    assert_string_equal(fit("1"), "1\n");
    assert_string_equal(fit("p[n] * 1.1"), "0\n");
    assert_string_equal(fit("1 / p[n]"), "1\n");
    // Of two measurements that contradict each other something between.
    mixed = atof(fit("amdahl(n % 2 ? 0.1 : 0.3, p[n])"));
    assert_true(mixed > 0.1 && mixed < 0.3);
    assert_string_equal(computed("BEGIN { p[1] = s[1] = 1; print \"[\" amdahl_fit(s, p, 1) \"]\" }\n"), "[]\n");
}

static void the_setting_to_use_is_the_cheapest_of_the_fastest(void **state)
{
    static const char settings[] = "BEGIN { split(\"10 5.1 5 5.05\", wall, \" \"); split(\"1 2 4 8\", p, \" \"); %s }\n";

    (void)state;
    assert_string_equal(computed(trial_format(settings, "print setting_to_use(wall, p, 4, 0)")), "2\n");
    assert_string_equal(computed(trial_format(settings, "wall[2] = 5.2; print setting_to_use(wall, p, 4, 0)")), "3\n");
    assert_string_equal(computed(trial_format(settings, "wall[2] = 5.2; print setting_to_use(wall, p, 4, 0.1)")), "2\n");
    assert_string_equal(computed(trial_format(settings, "wall[2] = 6; print setting_to_use(wall, p, 4, 0.5)")), "3\n");
    assert_string_equal(computed(trial_format(settings, "print full_setting(wall, p, 4, 4)")), "3\n");
    assert_string_equal(computed(trial_format(settings, "print full_setting(wall, p, 4, 3)")), "2\n");
    assert_string_equal(computed(trial_format(settings, "p[2] = 6; print full_setting(wall, p, 4, 3)")), "3\n");
    assert_string_equal(computed(trial_format(settings, "print full_setting(wall, p, 4, 1)")), "1\n");
}

static void bytes_at_equal_quality(void **state)
{
    (void)state;
    // A dB is worth 10 % here: 110 bytes at the same quality cost 10 %, and at one dB more nothing.
    assert_computed("sprintf(\"%.4f\", cost_at_equal_quality(110, 40, 100, 40, 100 / 1.1, 39))", "0.1000");
    assert_computed("sprintf(\"%.4f\", cost_at_equal_quality(110, 41, 100, 40, 100 / 1.1, 39))", "0.0000");
    assert_computed("\"[\" cost_at_equal_quality(110, 41, 100, 40, 90, 40) \"]\"", "[]");
}

static void what_limits_a_job_is_what_cost_most(void **state)
{
    static const struct {
        const char *figures, *says;
    } cases[] = {
        {"f[\"serial reason\"] = \"so\"", "One core does it all (so)"},
        {"f[\"p\"] = 1", "One worker was all that was tried"},
        {"f[\"p\"] = 1; f[\"cores\"] = 1", "The only core"},
        {"", "The cores limit it: 98 %"},
        {"f[\"coordinator\"] = 9", "The coordinator limits it"},
        {"f[\"wall\"] = 15; f[\"cpu\"] = 59", "The cores slow each other down"},
        {"f[\"wall\"] = 15; f[\"first task\"] = 4", "The start limits it"},
        {"f[\"wall\"] = 15", "Waiting limits it"},
        {"f[\"wall\"] = 15; f[\"busy\"] = 41", "Waiting limits it"},
        {"f[\"wall\"] = 15; f[\"busy\"] = 58", "The cores were not free"},
        {"f[\"wall\"] = 15; f[\"limit\"] = \"stages in order\"; f[\"decode\"] = 14", "Decoding limits it"},
        {"f[\"wall\"] = 15; f[\"limit\"] = \"stages in order\"; f[\"decode\"] = 1", "The stages in order limit it"},
        {"f[\"wall\"] = 20; f[\"limit\"] = \"no speed-up beyond 2.1\"", "The segments limit it"},
    };
    static const char given[] = "BEGIN { f[\"p\"] = 4; f[\"cores\"] = 4; f[\"wall 1\"] = 40; f[\"wall\"] = 10.2; f[\"cpu 1\"] = 40; f[\"cpu\"] = 40;"
                                " f[\"first task\"] = 0.01; f[\"coordinator\"] = 0.1; f[\"decode\"] = 1; %s; print limit_of(f) }\n";

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *said = computed(trial_format(given, cases[i].figures));

        if (strncmp(said, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("%s: %s", cases[i].figures, said);
    }
}

static double number(struct json_object *object, const char *key)
{
    struct json_object *value;

    assert_true(json_object_object_get_ex(object, key, &value));
    return json_object_get_double(value);
}

// One worker takes 12, 10 and 11 s, two take 5.5, 7 and 6.2; ffmpeg 8.
static void speed_ups_report_has_medians_speed_up_and_efficiency(void **state)
{
    static const char runs[] =
        "renderfarm 1 1 12 11 1000 240 0.1 1 0.01 2\nrenderfarm 2 1 5.5 11 2000 240 0.1 1 0.01 2\nffmpeg 0 0 8 11 500 240 0 0 0 0\n"
        "renderfarm 1 1 10 11 1000 240 0.1 1 0.01 2\nrenderfarm 2 1 7 11 2000 240 0.1 1 0.01 2\nffmpeg 0 0 8 11 500 240 0 0 0 0\n"
        "renderfarm 1 1 11 11 1000 240 0.1 1 0.01 2\nrenderfarm 2 1 6.2 11 2000 240 0.1 1 0.01 2\nffmpeg 0 0 8 11 500 240 0 0 0 0\n";
    const char *path = trial_path("runs"), *table;
    struct json_object *report, *list, *run;
    size_t size;

    (void)state;
    trial_write(path, runs, strlen(runs));
    table = trial_output(ARGUMENTS("env", "name=a \"clip\"", "input=a \"clip\"", "options=", "described=a machine", "version=1", "ffmpeg_version=2",
                                   "limit=", "serial_reason=", "LC_NUMERIC=C", "awk", "-v", "cores=2", "-v", "rounds=3", "-v",
                                   trial_format("scratch=%s", trial_path("")), "-f", "scripts/measure/arithmetic.awk", "-f",
                                   "scripts/measure/speedup.awk", path));
    assert_non_null(strstr(table, "6.20    5.50 to 7.00     38.7      1.77        0.89    0.127"));
    report = json_tokener_parse(trial_read(trial_path("json"), &size));
    assert_non_null(report);
    assert_true(json_object_object_get_ex(report, "runs", &list));
    assert_int_equal(json_object_array_length(list), 2);
    run = json_object_array_get_idx(list, 1);
    assert_true(number(run, "wall_s") == 6.2);
    assert_true(number(run, "wall_least_s") == 5.5);
    assert_true(number(run, "wall_most_s") == 7);
    assert_true(fabs(number(run, "speed_up") - 11 / 6.2) < 1e-5);
    assert_true(fabs(number(run, "efficiency") - 11 / 6.2 / 2) < 1e-5);
    assert_true(fabs(number(run, "serial_fraction") - (6.2 / 11 - 0.5) * 2) < 1e-5);
    assert_true(fabs(number(report, "amdahl_serial_fraction") - (6.2 / 11 - 0.5) * 2) < 1e-5);
    json_object_put(report);
    assert_int_equal(strncmp(trial_read(trial_path("csv"), &size), "program,workers,", 16), 0);
}

// With more cores than workers ffmpeg's point is to the right of all others.
static void the_plot_has_room_for_ffmpeg(void **state)
{
    static const char runs[] =
        "renderfarm 1 1 12 11 1000 240 0.1 1 0.01 2\nrenderfarm 2 1 6 11 2000 240 0.1 1 0.01 2\nffmpeg 0 0 8 11 500 240 0 0 0 0\n";
    const char *path = trial_path("runs");
    size_t size;

    (void)state;
    for (size_t with = 0; with < 2; with++) {
        trial_write(path, runs, with ? strlen(runs) : (size_t)(strstr(runs, "ffmpeg") - runs));
        trial_output(ARGUMENTS("awk", "-v", "cores=8", "-v", "rounds=1", "-v", trial_format("scratch=%s", trial_path("")), "-f",
                               "scripts/measure/arithmetic.awk", "-f", "scripts/measure/speedup.awk", path));
        assert_non_null(strstr(trial_read(trial_path("facts"), &size), with ? "\nrightmost = 8\n" : "\nrightmost = 2\n"));
    }
}

// What a script does that has measure.bash, and $scratch.
static struct command *measuring(const char *script)
{
    struct command *command =
        trial_start_program(ARGUMENTS("env", trial_format("TMPDIR=%s", trial_path("tmp")), "bash", "-c",
                                      trial_format("set -euo pipefail; . scripts/measure/measure.bash; make_scratch; %s", script), "measuring"));

    command_wait(command, 60);
    return command;
}

static void ffmpeg_is_left_out_where_it_would_do_other_work(void **state)
{
    static const char *const options[] = {"--every=5", "--poster", "--contact-sheet=2x2", "--encoder-options=x='a:b'"};

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        const struct command *command = measuring(trial_format("take_farm_option \"%s\"; plain_ffmpeg in.mp4 out.mp4", options[i]));

        assert_int_equal(command->status, 1);
        assert_string_equal(command->err, trial_format("note: plain ffmpeg is left out: %s cannot be put into its words\n", options[i]));
    }
}

static void a_renderfarm_that_is_killed_is_told_of(void **state)
{
    const struct command *command =
        measuring("renderfarm=$scratch/farm; printf '#!/bin/sh\nkill -KILL $$\n' >\"$renderfarm\"; chmod +x \"$renderfarm\"; "
                  "farm in.mp4 out.mp4");

    (void)state;
    assert_int_equal(command->status, 1);
    assert_string_equal(command->err, "measuring: renderfarm was ended by a signal (KILL)\n");
}

// One line, with what is wrong in it, and nothing left.
static void assert_refused(const char *script, const char *argument, const char *further, int status, const char *said)
{
    struct command *command = trial_start_program(ARGUMENTS(trial_format("scripts/%s", script), argument, further));

    command_wait(command, 60);
    if (command->status != status || !strstr(command->err, said) || strchr(command->err, '\n') != strrchr(command->err, '\n') || *command->out)
        fail_msg("%s %s %s: status %d, out '%s', error '%s'", script, argument, further ? further : "", command->status, command->out, command->err);
    trial_assert_nothing_left();
}

static void lists_of_workers_that_make_no_sense_are_refused(void **state)
{
    static const char *const lists[] = {"0", "0..2", "3..1", "1..", "..3", "1,,2", "1,", "a", "-1", "1.5", "1..4:0", "1..99999", "1 2"};
    const char *clip = trial_sample("plain.mp4");

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        assert_refused("speedup", clip, trial_format("--workers=%s", lists[i]), 2, "--workers must be numbers");
    assert_refused("speedup", clip, "--threads=65", 2, "--threads must be numbers");
    assert_refused("speedup", clip, "--rounds=0", 2, "--rounds must be");
    assert_refused("speedup", clip, "--workers", 2, "--workers needs a value");
    assert_refused("speedup", clip, "--workers=", 2, "--workers needs a value");
    assert_refused("tradeoffs", clip, "--workers=2", 2, "--workers is what is compared");
    assert_refused("tradeoffs", clip, "--cores=0", 2, "--cores must be");
    assert_refused("tradeoffs", clip, "--cores=1", 2, "nothing to compare");
    assert_refused("tradeoffs", clip, "--rounds=many", 2, "--rounds must be");
}

static void inputs_that_cannot_be_read_are_refused(void **state)
{
    static const char *const scripts[] = {"speedup", "tradeoffs", "segment-study"};
    const char *text = trial_path("text.mp4");

    (void)state;
    trial_write(text, "this is no video\n", 17);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
        assert_refused(scripts[i], trial_path("missing.mp4"), NULL, 1, "there is no such file");
        assert_refused(scripts[i], trial_path("tmp"), NULL, 1, "it cannot be read");
        assert_refused(scripts[i], text, NULL, 1, "ffprobe finds no video in it");
        assert_refused(scripts[i], text, text, 2, "one input, please");
        assert_refused(scripts[i], NULL, NULL, 2, "an input is needed");
        assert_refused(scripts[i], text, "-x", 2, "there is no option -x");
    }
}

static void what_renderfarm_refuses_the_scripts_refuse_before_they_measure(void **state)
{
    const char *clip = trial_sample("plain.mp4");

    (void)state;
    assert_refused("speedup", clip, "--filter=no_such_filter", 2, "no_such_filter");
    assert_refused("speedup", clip, "--verify", 2, "--verify is not for measuring");
    assert_refused("speedup", clip, trial_format("--cache=%s", trial_path("cache")), 2, "--cache is not for measuring");
    assert_refused("speedup", clip, trial_format("--out=%s/missing/x", trial_path("")), 1, "there is no such folder");
    assert_refused("speedup", clip, "--out=/proc/x", 1, "the results cannot be written"); // though root may write there, as permissions go
    assert_refused("tradeoffs", clip, "--codec=no_such_codec", 2, "no_such_codec");
}

// All programs that PATH has but that one, which is as if it were not installed.
static const char *path_without(const char *program)
{
    const char *folder = trial_path("bin");

    trial_output(ARGUMENTS("sh", "-c", "mkdir \"$1\"; IFS=:; for d in $PATH; do ln -s \"$d\"/* \"$1\" 2>/dev/null; done; rm -f \"$1/$2\"", "sh",
                           folder, program));
    return trial_format("PATH=%s", folder);
}

static void without_gnuplot_there_are_figures_and_a_note_in_place_of_plots(void **state)
{
    const char *out = trial_path("result");
    struct command *command =
        trial_start_program(ARGUMENTS("env", path_without("gnuplot"), "scripts/speedup", trial_sample("plain.mp4"), "--workers=1", "--rounds=1",
                                      "--no-ffmpeg", "--preset=ultrafast", trial_format("--out=%s", out)));

    (void)state;
    command_wait(command, 120);
    assert_int_equal(command->status, 0);
    assert_non_null(strstr(command->err, "no plots, because there is no gnuplot"));
    assert_non_null(strstr(command->out, "efficiency"));
    assert_int_equal(access(trial_format("%s.csv", out), R_OK), 0);
    assert_int_equal(access(trial_format("%s.json", out), R_OK), 0);
    assert_int_equal(access(trial_format("%s.png", out), F_OK), -1);
}

// A dash in front makes an option of it to cp, mv and rm; and JSON has to be UTF-8.
static void names_may_begin_with_a_dash_and_be_no_utf8(void **state)
{
    static const char run[] =
        "cp \"$1\" \"$2/caf\xe9.mp4\"; here=$PWD; cd \"$2\"; \"$here/scripts/speedup\" caf\xe9.mp4 --workers=1 --rounds=1 --no-ffmpeg "
        "--no-plot --preset=ultrafast --out=-o";
    struct json_tokener *strict = json_tokener_new();
    struct json_object *report, *input;
    const char *text;
    size_t size;

    (void)state;
    trial_output(ARGUMENTS("sh", "-ec", run, "sh", trial_sample("plain.mp4"), trial_path("")));
    text = trial_read(trial_path("-o.json"), &size);
    json_tokener_set_flags(strict, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    report = json_tokener_parse_ex(strict, text, (int)size);
    json_tokener_free(strict);
    assert_non_null(report);
    assert_true(json_object_object_get_ex(report, "input", &input));
    assert_string_equal(json_object_get_string(input), "caf\uFFFD.mp4");
    json_object_put(report);
    assert_int_equal(access(trial_path("-o.csv"), R_OK), 0);
}

static void without_ffmpeg_a_line_says_what_is_missing(void **state)
{
    struct command *command =
        trial_start_program(ARGUMENTS("env", path_without("ffprobe"), "scripts/speedup", trial_sample("plain.mp4"), "--workers=1"));

    (void)state;
    command_wait(command, 60);
    assert_int_equal(command->status, 1);
    assert_string_equal(command->err, "speedup: ffprobe is missing\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(the_middle_the_least_and_the_most_of_numbers),
        TRIAL(karp_and_flatt_find_the_serial_share_that_amdahl_starts_from),
        TRIAL(amdahls_law_is_fitted_to_speed_ups),
        TRIAL(the_setting_to_use_is_the_cheapest_of_the_fastest),
        TRIAL(bytes_at_equal_quality),
        TRIAL(what_limits_a_job_is_what_cost_most),
        TRIAL(speed_ups_report_has_medians_speed_up_and_efficiency),
        TRIAL(the_plot_has_room_for_ffmpeg),
        TRIAL(ffmpeg_is_left_out_where_it_would_do_other_work),
        TRIAL(a_renderfarm_that_is_killed_is_told_of),
        TRIAL(lists_of_workers_that_make_no_sense_are_refused),
        TRIAL(inputs_that_cannot_be_read_are_refused),
        TRIAL(what_renderfarm_refuses_the_scripts_refuse_before_they_measure),
        TRIAL(without_gnuplot_there_are_figures_and_a_note_in_place_of_plots),
        TRIAL(names_may_begin_with_a_dash_and_be_no_utf8),
        TRIAL(without_ffmpeg_a_line_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
