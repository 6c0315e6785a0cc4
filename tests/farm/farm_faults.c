// Renderers crash and hang in the middle of a render: the file is the same, and what happened is said.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include "common/clock.h"

#include <json-c/json.h>

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// Of a renderer that says "renderer SLOT is ready (process PID)" with --verbose.
// The latest one in that place.
static pid_t process_of(const struct command *command, unsigned slot)
{
    const char *text = trial_format("renderer %u is ready (process ", slot), *found = NULL;

    for (const char *at = command->err; at && (at = strstr(at, text)); at++)
        found = at;

    assert_non_null(found);
    return (pid_t)strtol(found + strlen(text), NULL, 10);
}

// The work that was done in vain is told.
static void assert_lost(const char *stats)
{
    struct json_object *top = json_object_from_file(stats), *lost, *retries;

    assert_non_null(top);
    assert_true(json_object_object_get_ex(top, "lost_s", &lost));
    assert_true(json_object_object_get_ex(top, "retries", &retries));
    assert_true(json_object_get_double(lost) > 0);
    assert_true(json_object_get_int(retries) > 0);
    json_object_put(top);
}

// Twelve seconds.
static const char *long_clip(void)
{
    const char *path = trial_path("long.mp4");

    trial_ffmpeg("-stream_loop", "3", "-i", trial_sample("silent.mp4"), "-c", "copy", path, NULL);
    return path;
}

// Renders with two workers, sends the signal to some of the renderers when they have work, and compares with a render that nobody disturbed.
static const char *disturb_some(const char *filter, unsigned from, unsigned to, int signal_number, const char *patience)
{
    const char *input = long_clip(), *out = trial_path("out.mp4"), *calm;
    const char *chain = trial_format("--filter=%s", filter);
    struct command *command;

    trial_render(input, out, "--workers=2", "--segment=1", chain, "--preset=ultrafast", NULL);
    calm = trial_sha256(out);
    command = trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", "--segment=1", chain, "--preset=ultrafast", patience, "--progress=off",
                                    trial_format("--stats=%s", trial_path("stats.json")), input, out));
    for (unsigned slot = from; slot <= to; slot++)
        if (!command_wait_for_error(command, 0, trial_format(" goes to renderer %u (", slot), 60))
            fail_msg("%s", command->err);
    for (unsigned slot = from; slot <= to; slot++)
        kill(process_of(command, slot), signal_number);
    command_wait(command, 120);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, command->err);
    assert_string_equal(trial_sha256(out), calm);
    assert_lost(trial_path("stats.json"));
    return command->err;
}

static int readiness_to_be_ended(pid_t process)
{
    FILE *file = fopen(trial_format("/proc/%d/oom_score_adj", (int)process), "r");
    int score = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &score), 1);
    fclose(file);
    return score;
}

static void where_memory_runs_out_a_renderer_goes_first(void **state)
{
    struct command *command = trial_start(ARGUMENTS("-v", "-v", "--workers=1", "--segment=1", "--filter=nlmeans=r=7", "--preset=ultrafast",
                                                    "--progress=off", long_clip(), trial_path("out.mp4")));

    (void)state;
    if (!command_wait_for_error(command, 0, " goes to renderer 0 (", 60))
        fail_msg("%s", command->err);
    assert_true(readiness_to_be_ended(process_of(command, 0)) > readiness_to_be_ended(command->pid));
    kill(command->pid, SIGTERM);
    command_wait(command, 60);
}

static const char *disturb(const char *filter, unsigned slot, int signal_number)
{
    return disturb_some(filter, slot, slot, signal_number, "--stall-timeout=3");
}

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

static void renderer_that_is_killed_loses_nothing(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7", 1, SIGKILL), "renderer 1 was ended by signal 9 (Killed); its work goes to another");
}

static void renderer_that_crashes_loses_nothing(void **state)
{
    const char *said = disturb("nlmeans=r=7", 0, SIGSEGV);

    (void)state;
    assert_told(said, "renderer 0 "); // a sanitizer makes an exit of the signal
    assert_told(said, "; its work goes to another");
}

// Both of them, or the other one would have done its work before anybody misses it.
static void renderers_that_hang_are_replaced(void **state)
{
    (void)state;
    assert_told(disturb_some("nlmeans=r=7", 0, 1, SIGSTOP, "--stall-timeout=3"), " hangs: no sign of life for ");
}

// One segment whose packets come all at once, and whose own are sent at its end.
static void slow_work_is_no_hang(void **state)
{
    const struct command *job = trial_run(trial_sample("plain.mp4"), trial_path("out.mkv"), "-v", "--workers=1", "--segment=60",
                                          "--filter=nlmeans=r=15", "--preset=ultrafast", "--stall-timeout=1", NULL);

    (void)state;
    assert_int_equal(job->status, 0);
    assert_null(strstr(job->err, "hangs"));
}

// What is open stays whole when another file gets its name; what is opened anew would be that one.
static void nothing_starts_over_on_another_input(void **state)
{
    const char *input = long_clip(), *other = trial_path("other.mp4");
    struct command *command;

    (void)state;
    trial_ffmpeg("-i", trial_sample("plain.mp4"), "-c", "copy", other, NULL);
    command = trial_start(ARGUMENTS("-v", "-v", "--workers=2", "--segment=1", "--filter=hqdn3d,scale=1920:-2,hqdn3d", "--preset=ultrafast",
                                    "--progress=off", "--no-cache", input, trial_path("out.mp4")));
    assert_non_null(command_wait_for_error(command, 0, " goes to renderer 2 (", 60));
    assert_int_equal(rename(other, input), 0);
    for (unsigned slot = 0; slot <= 2; slot++)
        kill(process_of(command, slot), SIGKILL);
    command_wait(command, 60);
    assert_int_equal(command->status, 1);
    assert_told(command->err, "; it went through the video in order, so that starts over");
    assert_told(command->err, "has become another file since the job began");
    assert_int_equal(access(trial_path("out.mp4"), F_OK), -1);
}

static void the_end_does_not_wait_for_a_slow_renderer(void **state)
{
    const char *said = disturb_some("nlmeans=r=7", 1, 1, SIGSTOP, "--stall-timeout=600");

    (void)state;
    assert_told(said, " is taking renderer 1 long; renderer 0 begins it too");
    assert_told(said, " is renderer 0's now");
    assert_null(strstr(said, "hangs"));
}

static void stages_survive_a_killed_renderer(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7,hqdn3d", 1, SIGKILL), "renderer 1 was ended by signal 9 (Killed)");
}

static void stages_survive_a_renderer_that_hangs(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7,hqdn3d", 0, SIGSTOP), "renderer 0 hangs: no sign of life for ");
}

// Those before it wait for it, and must not be taken for the ones that hang, though not all is there yet that it is to be sent.
static void a_later_stage_that_hangs_is_found(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7,hqdn3d", 3, SIGSTOP), "renderer 3 hangs: no sign of life for ");
}

// The end of it, as much as cmocka prints.
static const char *last_of(const char *said)
{
    size_t length = strlen(said);

    return said + (length > 900 ? length - 900 : 0);
}

// Ends the renderer of each of the first tasks that are dealt out. On a busy machine some of them are done before the signal comes, and so many tasks
// may not be dealt out at all; most are not.
static void disturb_all(const char *filter, const char *input, int tasks)
{
    const char *out = trial_path("out.mp4"), *calm, *chain = trial_format("--filter=%s", filter);
    struct command *command;
    size_t seen = 0;
    int ended = 0;

    trial_render(input, out, "--workers=2", "--segment=1", chain, "--preset=ultrafast", NULL);
    calm = trial_sha256(out);
    command = trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", "--segment=1", chain, "--preset=ultrafast", "--progress=off", input, out));
    for (int i = 0; i < tasks; i++) {
        const char *dealt = command_wait_for_error(command, seen, " goes to renderer ", 60), *text, *ready = NULL;

        if (!dealt && command->status >= 0)
            break;
        assert_non_null(dealt);
        seen = (size_t)(dealt - command->err) + strlen(" goes to renderer ");
        text = trial_format("renderer %ld is ready (process ", strtol(command->err + seen, NULL, 10));
        for (const char *at = command->err; (at = strstr(at, text)) && at < command->err + seen; at++)
            ready = at;
        assert_non_null(ready);
        kill((pid_t)strtol(ready + strlen(text), NULL, 10), i % 2 ? SIGTERM : SIGKILL); // by whom or why does not matter
    }
    command_wait(command, 240);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, last_of(command->err));
    assert_string_equal(trial_sha256(out), calm);
    for (const char *at = command->err; (at = strstr(at, " was ended by signal ")); at++)
        ended++;
    assert_true(ended > tasks / 3);
}

static void every_renderer_may_be_killed(void **state)
{
    (void)state;
    disturb_all("nlmeans=r=5", trial_sample("silent.mp4"), 9);
}

static void every_renderer_of_stages_may_be_killed(void **state)
{
    (void)state;
    disturb_all("nlmeans=r=5", trial_sample("long-gop.mp4"), 9);
}

// The program is away when a renderer is replaced, and is back later. The other renderer is stopped until then, so that the work is not done without.
static void a_start_that_fails_is_tried_again(void **state)
{
    const char *program = trial_path("renderer"), *away = trial_path("away"), *input = long_clip(), *out = trial_path("out.mp4"), *calm, *failed,
               *ready;
    const char *options[] = {"--segment=1", "--filter=nlmeans=r=7", "--preset=ultrafast", "--stall-timeout=600"};
    struct command *command;
    char real[PATH_MAX];
    pid_t stopped;

    (void)state;
    assert_non_null(realpath(trial_program(), real));
    trial_render(input, out, "--workers=2", options[0], options[1], options[2], NULL);
    calm = trial_sha256(out);
    assert_int_equal(symlink(trial_format("%s-renderer", real), program), 0);
    setenv("RENDERFARM_RENDERER", program, 1);
    command = trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", options[0], options[1], options[2], options[3], "--progress=off", input, out));
    unsetenv("RENDERFARM_RENDERER");
    for (unsigned slot = 0; slot < 2; slot++)
        if (!command_wait_for_error(command, 0, trial_format(" goes to renderer %u (", slot), 60))
            fail_msg("%s", command->err);
    stopped = process_of(command, 0);
    kill(stopped, SIGSTOP);
    assert_int_equal(rename(program, away), 0);
    kill(process_of(command, 1), SIGKILL);
    failed = command_wait_for_error(command, 0, trial_format("%s: cannot start a renderer: No such file or directory\n", program), 60);
    assert_int_equal(rename(away, program), 0);
    ready = failed ? command_wait_for_error(command, (size_t)(failed - command->err), "renderer 1 is ready (process ", 60) : NULL;
    kill(stopped, SIGCONT); // a test that fails leaves no stopped process
    if (!ready)
        fail_msg("%s", command->err);
    command_wait(command, 120);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, last_of(command->err));
    assert_string_equal(trial_sha256(out), calm);
}

// It was the only one, and nothing else brings the loop another turn: there is no cache, and after its second crash it is started later.
static void a_job_ends_when_no_renderer_can_be_started(void **state)
{
    const char *program = trial_path("renderer"), *crashed, *again;
    struct command *command;
    char real[PATH_MAX];

    (void)state;
    assert_non_null(realpath(trial_program(), real));
    assert_int_equal(symlink(trial_format("%s-renderer", real), program), 0);
    setenv("RENDERFARM_RENDERER", program, 1);
    command = trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=1", "--no-cache", "--segment=1", "--filter=nlmeans=r=7", "--progress=off",
                                    long_clip(), trial_path("out.mp4")));
    unsetenv("RENDERFARM_RENDERER");
    crashed = command_wait_for_error(command, 0, " goes to renderer 0 (", 60);
    assert_non_null(crashed);
    kill(process_of(command, 0), SIGSEGV);
    again = command_wait_for_error(command, (size_t)(crashed - command->err) + 1, " goes to renderer 0 (", 60);
    assert_non_null(again);
    assert_int_equal(unlink(program), 0);
    kill(process_of(command, 0), SIGSEGV);
    command_wait(command, 60);
    assert_int_equal(command->status, 1);
    assert_told(command->err, trial_format("%s: cannot start a renderer: No such file or directory\n", program));
    assert_int_equal(access(trial_path("out.mp4"), F_OK), -1);
}

static double figure_of(const char *stats, const char *key)
{
    struct json_object *top = json_object_from_file(stats), *value;
    double figure;

    assert_non_null(top);
    assert_true(json_object_object_get_ex(top, key, &value));
    figure = json_object_get_double(value);
    json_object_put(top);
    return figure;
}

// The first pass is held up by a renderer that is stopped, for longer than the second will take: for the time of two renders with fewer renderers.
static void a_job_that_starts_over_tells_the_time_of_all_passes(void **state)
{
    const char *filter = "--filter=nlmeans=r=7,hqdn3d", *told = "stage 2: segment 0 goes to renderer ", *at;
    const char *input = trial_sample("silent.mp4"), *stats = trial_path("stats.json");
    uint64_t start_ns = clock_now_ns(), dealt_ns, lost_ns;
    struct command *command;
    pid_t stopped;

    (void)state;
    command = trial_start(ARGUMENTS("-v", "-v", "--workers=2", "--segment=0.5", filter, "--preset=ultrafast", "--stall-timeout=600", "--progress=off",
                                    trial_format("--stats=%s", stats), input, trial_path("out.mp4")));
    at = command_wait_for_error(command, 0, told, 60);
    if (!at || !strstr(command->err, "[decode] in order > [nlmeans] parallel > [hqdn3d] in order > "))
        fail_msg("%s", command->err);
    dealt_ns = clock_now_ns();
    stopped = process_of(command, (unsigned)atoi(at + strlen(told)));
    kill(stopped, SIGSTOP);
    for (int i = 0; i < 2; i++)
        trial_output(
            ARGUMENTS(trial_program(), "-y", "-q", "--workers=1", "--segment=0.5", filter, "--preset=ultrafast", input, trial_path("calm.mp4")));
    lost_ns = clock_now_ns();
    kill(stopped, SIGKILL);
    command_wait(command, 120);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, last_of(command->err));
    assert_told(command->err, "; it went through the video in order, so that starts over");
    assert_true(figure_of(stats, "wall_s") >= (double)(lost_ns - dealt_ns) / 1e9);
    assert_true(figure_of(stats, "first_task_s") > 0);
    assert_true(figure_of(stats, "first_task_s") <= (double)(dealt_ns - start_ns) / 1e9);
}

// A plugin that crashes one second into the video, in a plan of one stage; returns what was said.
static const char *render_poison(const char *input, const char *filter, const char *way, int status)
{
    const char *chain = trial_format("--filter=%s", filter), *wish = trial_format("--on-poison=%s", way);
    const struct command *command =
        trial_run(input, trial_path("out.mkv"), "--workers=2", "--segment=0.5", chain, "--parallel-safe=crash", wish, "--codec=ffv1", NULL);

    if (command->status != status)
        fail_msg("status %d: %s", command->status, command->err);
    return command->err;
}

#define CRASH "frei0r=filter_name=crash:filter_params=1.2"

static void poison_stops_the_job_and_says_how_to_see_it(void **state)
{
    const char *said = render_poison(trial_sample("silent.mp4"), CRASH, "stop", 1), *command;
    size_t size;

    (void)state;
    assert_told(said, "segment 2 (1.00 s to 1.46 s) ended 3 renderers, the last ");
    assert_told(said, "crash: 1.208 s is where this plugin crashes");
    assert_told(said, "to see for yourself: ffmpeg -copyts -ss 1.000 -to 1.500 -i '");
    command = strstr(said, "to see for yourself: ") + strlen("to see for yourself: ");
    assert_int_not_equal(system(trial_format("%.*s </dev/null >%s 2>&1", (int)strcspn(command, "\n"), command, trial_path("tmp/said"))), 0);
    assert_non_null(strstr(trial_read(trial_path("tmp/said"), &size), "is where this plugin crashes"));
    unlink(trial_path("tmp/said"));
    // With another --on-poison it can go on.
    assert_told(said, " kept in ");
    trial_assert_only(trial_path("."), "tmp", ".out.mkv.renderfarm-cache", NULL);
}

static void poison_can_be_left_out(void **state)
{
    const char *said = render_poison(trial_sample("silent.mp4"), CRASH, "skip", 3), *expected = trial_path("expected.mkv");

    (void)state;
    assert_told(said, "segment 2 (1.00 s to 1.46 s) is missing, because no renderer survived it");
    trial_ffmpeg("-i", trial_sample("silent.mp4"), "-vf", "select=not(between(n\\,24\\,35)),format=yuva444p", "-fps_mode", "passthrough", "-c:v",
                 "ffv1", expected, NULL);
    assert_string_equal(trial_probe(trial_path("out.mkv"), "v", "packet=pts_time"), trial_probe(expected, "v", "packet=pts_time"));
}

static void poison_can_go_on_without_filters(void **state)
{
    static const char *const chains[] = {CRASH, "hqdn3d," CRASH, "scale=320:240," CRASH};
    const char *expected = trial_path("expected.mkv");

    (void)state;
    trial_ffmpeg("-i", trial_sample("silent.mp4"), "-fps_mode", "passthrough", "-c:v", "ffv1", expected, NULL);
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        const char *said = render_poison(trial_sample("silent.mp4"), trial_format("%s", chains[i]), "copy", 3);
        const char *left = strstr(said, " s) is there without its filters, because no renderer survived it");

        assert_non_null(left);
        assert_null(strstr(left + 1, " s) is there without")); // but for that segment, all have them
        assert_string_equal(trial_probe(trial_path("out.mkv"), "v", "packet=pts_time"), trial_probe(expected, "v", "packet=pts_time"));
        unlink(trial_path("out.mkv"));
    }
}

// H.264 has the aspect ratio among its parameters, and those are the same for all segments.
static void what_goes_without_filters_keeps_its_shape(void **state)
{
    const char *input = trial_path("in.mp4"), *out = trial_path("out.mp4");

    (void)state;
    trial_ffmpeg("-i", trial_sample("silent.mp4"), "-vf", "setsar=1281/1280:max=2000", "-g", "12", input, NULL);
    assert_int_equal(trial_run(input, out, "--workers=2", "--segment=0.5", "--filter=" CRASH, "--parallel-safe=crash", "--on-poison=copy",
                               "--preset=ultrafast", NULL)
                         ->status,
                     3);
    assert_string_equal(trial_probe(out, "v", "stream=sample_aspect_ratio"), "sample_aspect_ratio=1281:1280\n");
}

static void what_does_not_fit_into_memory_works_one_by_one(void **state)
{
    const char *out = trial_path("out.mp4"), *calm, *said;

    (void)state;
    trial_render(trial_sample("plain.mp4"), out, "--workers=3", "--segment=0.5", NULL);
    calm = trial_sha256(out);
    said = trial_render(trial_sample("plain.mp4"), out, "-y", "--workers=3", "--segment=0.5", "--memory=1M", NULL);
    assert_told(said, "; 1 of 3 renderers work at once");
    assert_string_equal(trial_sha256(out), calm);
}

// The process that converts the sound of the file.
static pid_t converter_of(const char *input)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;
    pid_t pid = 0;

    assert_non_null(processes);
    while (!pid && (entry = readdir(processes))) {
        char words[4096] = "";
        FILE *file = fopen(trial_format("/proc/%s/cmdline", entry->d_name), "r");
        size_t length = file ? fread(words, 1, sizeof(words) - 1, file) : 0;

        for (size_t i = 0; i < length; i += strlen(words + i) + 1)
            if (strcmp(words + i, "--convert") == 0 && strcmp(words + i + strlen(words + i) + 1, input) == 0)
                pid = (pid_t)atoi(entry->d_name);
        if (file)
            fclose(file);
    }
    closedir(processes);
    assert_true(pid > 0);
    return pid;
}

// With more sound than fits into pipes, so that it is not converted before its time.
static const char *input_with_sound(void)
{
    const char *input = trial_path("sound.mkv");

    trial_ffmpeg("-stream_loop", "7", "-i", trial_sample("silent.mp4"), "-f", "lavfi", "-i", "anoisesrc=d=24:r=48000", "-ac", "2", "-c:v", "copy",
                 "-c:a", "flac", input, NULL);
    return input;
}

static struct command *start_with_sound(const char *input, const char *patience)
{
    struct command *command = trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", "--segment=1", "--filter=nlmeans=r=7", "--codec=mpeg2video",
                                                    patience, "--progress=off", "--no-cache", input, trial_path("out.ts")));

    if (!command_wait_for_error(command, 0, " goes to renderer ", 60))
        fail_msg("%s", command->err);
    return command;
}

static void a_converter_that_hangs_or_is_killed_is_started_again(void **state)
{
    static const struct {
        int signal;
        const char *told;
    } cases[] = {{SIGSTOP, "the conversion of its other streams hangs: no sign of life for 3 s (see --stall-timeout); it is started again"},
                 {SIGKILL, "the conversion of its other streams was ended by signal 9 (Killed); it is started again"}};
    const char *input = input_with_sound(), *out = trial_path("out.ts"), *calm;

    (void)state;
    trial_render(input, out, "--workers=2", "--segment=1", "--filter=nlmeans=r=7", "--codec=mpeg2video", NULL);
    calm = trial_sha256(out);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct command *command = start_with_sound(input, "--stall-timeout=3");

        kill(converter_of(input), cases[i].signal);
        command_wait(command, 120);
        if (command->status != 0)
            fail_msg("status %d: %s", command->status, command->err);
        assert_told(command->err, cases[i].told);
        assert_string_equal(trial_sha256(out), calm);
    }
}

// Long before its time is up, and nothing is left of it.
static void a_job_whose_converter_hangs_can_be_ended(void **state)
{
    const char *input = input_with_sound();
    struct command *command = start_with_sound(input, "--stall-timeout=600");

    (void)state;
    kill(converter_of(input), SIGSTOP);
    // By then the first ones are to be written, with more sound than there is.
    if (!command_wait_for_error(command, 0, "segment 8 goes to renderer ", 60))
        fail_msg("%s", command->err);
    kill(command->pid, SIGTERM);
    command_wait(command, 60);
    assert_int_equal(command->status, 128 + SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(renderer_that_is_killed_loses_nothing),
        TRIAL(where_memory_runs_out_a_renderer_goes_first),
        TRIAL(renderer_that_crashes_loses_nothing),
        TRIAL(renderers_that_hang_are_replaced),
        TRIAL(slow_work_is_no_hang),
        TRIAL(nothing_starts_over_on_another_input),
        TRIAL(the_end_does_not_wait_for_a_slow_renderer),
        TRIAL(stages_survive_a_killed_renderer),
        TRIAL(stages_survive_a_renderer_that_hangs),
        TRIAL(a_later_stage_that_hangs_is_found),
        TRIAL(every_renderer_may_be_killed),
        TRIAL(every_renderer_of_stages_may_be_killed),
        TRIAL(a_start_that_fails_is_tried_again),
        TRIAL(a_job_ends_when_no_renderer_can_be_started),
        TRIAL(a_job_that_starts_over_tells_the_time_of_all_passes),
        TRIAL(poison_stops_the_job_and_says_how_to_see_it),
        TRIAL(poison_can_be_left_out),
        TRIAL(poison_can_go_on_without_filters),
        TRIAL(what_goes_without_filters_keeps_its_shape),
        TRIAL(what_does_not_fit_into_memory_works_one_by_one),
        TRIAL(a_converter_that_hangs_or_is_killed_is_started_again),
        TRIAL(a_job_whose_converter_hangs_can_be_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
