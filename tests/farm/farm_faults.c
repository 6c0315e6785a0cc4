// Renderers crash and hang in the middle of a render: the file is the same, and what happened is said.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include <cmocka.h>

// Of a renderer that says "renderer SLOT is ready (process PID)" with --verbose.
static pid_t process_of(const struct command *command, unsigned slot)
{
    const char *text = trial_format("renderer %u is ready (process ", slot);
    const char *found = command->err ? strstr(command->err, text) : NULL;

    assert_non_null(found);
    return (pid_t)strtol(found + strlen(text), NULL, 10);
}

// Renders with two workers, sends the signal to one of the renderers when so many have work, and compares with a render that nobody disturbed.
static const char *disturb(const char *filter, const char *busy, unsigned slot, int signal_number)
{
    const char *input = trial_path("long.mp4"), *out = trial_path("out.mp4"), *calm;
    const char *chain = trial_format("--filter=%s", filter);
    struct command *command;

    trial_ffmpeg("-stream_loop", "3", "-i", trial_sample("silent.mp4"), "-c", "copy", input, NULL);
    trial_render(input, out, "--workers=2", "--segment=1", chain, "--preset=ultrafast", NULL);
    calm = trial_sha256(out);
    command = trial_start(
        ARGUMENTS("-y", "-v", "--workers=2", "--segment=1", chain, "--preset=ultrafast", "--stall-timeout=1", "--progress=json", input, out));
    assert_true(command_wait_for(command, busy, 60));
    kill(process_of(command, slot), signal_number);
    command_wait(command, 120);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, command->err);
    assert_string_equal(trial_sha256(out), calm);
    return command->err;
}

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

static void renderer_that_is_killed_loses_nothing(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7", "\"busy\":2", 1, SIGKILL), "renderer 1 was ended by signal 9 (Killed); its work goes to another");
}

static void renderer_that_crashes_loses_nothing(void **state)
{
    const char *said = disturb("nlmeans=r=7", "\"busy\":2", 0, SIGSEGV);

    (void)state;
    assert_told(said, "renderer 0 "); // a sanitizer makes an exit of the signal
    assert_told(said, "; its work goes to another");
}

static void renderer_that_hangs_is_replaced(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7", "\"busy\":2", 1, SIGSTOP), "renderer 1 hangs: no sign of life for ");
}

static void stages_survive_a_killed_renderer(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7,hqdn3d", "\"busy\":", 1, SIGKILL), "renderer 1 was ended by signal 9 (Killed)");
}

static void stages_survive_a_renderer_that_hangs(void **state)
{
    (void)state;
    assert_told(disturb("nlmeans=r=7,hqdn3d", "\"busy\":", 0, SIGSTOP), "renderer 0 hangs: no sign of life for ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(renderer_that_is_killed_loses_nothing), TRIAL(renderer_that_crashes_loses_nothing),  TRIAL(renderer_that_hangs_is_replaced),
        TRIAL(stages_survive_a_killed_renderer),      TRIAL(stages_survive_a_renderer_that_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
