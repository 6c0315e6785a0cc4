// How a command begins and ends: renderfarm starts a nursery and becomes the coordinator, and neither shows.
#include "tests/support/trial.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { FAILED = 1, USAGE = 2, TAKES_LONG_S = 60 };

// Of /proc: its words, each with a space behind it.
static const char *words_of(pid_t pid, const char *what)
{
    static char text[1 << 17];
    FILE *file = fopen(trial_format("/proc/%d/%s", (int)pid, what), "re");
    size_t size;

    assert_non_null(file);
    size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    for (size_t i = 0; i < size; i++)
        text[i] = text[i] == '\0' || text[i] == '\n' ? ' ' : text[i];
    return trial_format("%s", text);
}

static void assert_said(const struct command *command, int status, const char *said)
{
    if (command->status != status || strcmp(command->err, said) != 0)
        fail_msg("wanted status %d and \"%s\", got status %d and \"%s\"", status, said, command->status, command->err);
    trial_assert_nothing_left();
}

// A coordinator that waits for its list of files, which *list is to be written to, and has no use for its nursery yet.
static struct command *start_waiting(int *list, pid_t *nursery)
{
    static const char variable[] = "RENDERFARM_NURSERY=";
    const char *path = trial_path("list"), *option = trial_format("--batch=%s", path), *environment;
    struct command *command;

    assert_int_equal(mkfifo(path, 0600), 0);
    setenv("RENDERFARM_KEY", "secret", 1);
    command = trial_start(ARGUMENTS(option, "--workers=2"));
    unsetenv("RENDERFARM_KEY");
    alarm(TAKES_LONG_S);
    *list = open(path, O_WRONLY | O_CLOEXEC); // when it is opened there
    alarm(0);
    unlink(path);
    environment = strstr(words_of(command->pid, "environ"), variable);
    assert_non_null(environment);
    *nursery = (pid_t)strtol(environment + strlen(variable), NULL, 10);
    return command;
}

static void the_coordinator_and_its_nursery_are_what_they_seem(void **state)
{
    struct command *command;
    const char *environment;
    pid_t nursery;
    int list;

    (void)state;
    command = start_waiting(&list, &nursery);
    assert_string_equal(words_of(command->pid, "comm"), "renderfarm ");
    assert_true(strncmp(words_of(command->pid, "cmdline"), trial_format("%s --batch=", trial_program()), strlen(trial_program()) + 9) == 0);
    assert_non_null(strstr(words_of(nursery, "cmdline"), "renderfarm-renderer --nursery --slot=000000 "));
    assert_int_equal(getsid(nursery), nursery); // the terminal's signals are not for it
    assert_non_null(strstr(words_of(command->pid, "environ"), "RENDERFARM_KEY=secret "));
    environment = words_of(nursery, "environ");
    assert_non_null(strstr(environment, "RENDERFARM_TEST_RUN="));
    assert_null(strstr(environment, "RENDERFARM_KEY="));
    assert_null(strstr(environment, "RENDERFARM_NURSERY="));
    close(list);
    command_wait(command, TAKES_LONG_S);
}

// One that is stopped would not end by itself.
static void a_nursery_that_was_not_needed_is_gone_at_the_end(void **state)
{
    struct command *command;
    const char *left;
    pid_t nursery;
    int list;

    (void)state;
    command = start_waiting(&list, &nursery);
    kill(nursery, SIGSTOP);
    close(list);
    command_wait(command, TAKES_LONG_S);
    left = command_left_running(0);
    if (left) {
        kill(nursery, SIGCONT);
        fail_msg("left running: %s", left);
    }
    assert_said(command, 0, trial_format("renderfarm: %s: there is nothing to render in it\n0 ok, 0 skipped, 0 failed\n", trial_path("list")));
}

static void a_nursery_ends_with_a_coordinator_that_is_killed(void **state)
{
    static const int signals[] = {SIGKILL, SIGTERM, SIGINT};

    (void)state;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct command *command;
        const char *left;
        pid_t nursery;
        int list;

        command = start_waiting(&list, &nursery);
        kill(command->pid, signals[i]);
        command_wait(command, TAKES_LONG_S);
        close(list);
        assert_int_equal(command->status, 128 + signals[i]);
        left = command_left_running(TAKES_LONG_S);
        if (left)
            fail_msg("left running: %s", left);
    }
}

static void wrong_use_is_told_and_leaves_nothing_running(void **state)
{
    struct command *command = trial_start(ARGUMENTS("--no-such-option", "a", "b"));

    (void)state;
    command_wait(command, TAKES_LONG_S);
    assert_said(command, USAGE, "renderfarm: there is no option --no-such-option, or it is ambiguous (try renderfarm --help)\n");
}

// Also the only one, which would be started by itself otherwise.
static void renderers_are_born_of_the_nursery_and_are_told_apart(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 2; workers++) {
        const char *ready = trial_format("renderer %d is ready (process ", workers - 1), *said, *words;
        struct command *command = trial_start(ARGUMENTS("-v", trial_format("--workers=%d", workers), "--progress=off", "--filter=nlmeans=r=7",
                                                        trial_sample("silent.mp4"), trial_path("out.mp4")));

        said = command_wait_for_error(command, 0, ready, TAKES_LONG_S);
        if (!said)
            fail_msg("%s", command->err);
        words = words_of((pid_t)strtol(said + strlen(ready), NULL, 10), "cmdline");
        if (!strstr(words, trial_format("--nursery --slot=%06d ", workers - 1)))
            fail_msg("%s", words);
        kill(command->pid, SIGTERM);
        command_wait(command, TAKES_LONG_S);
        assert_int_equal(command->status, 128 + SIGTERM);
        trial_assert_nothing_left();
    }
}

// To renderfarm and to the coordinator itself.
static void a_variable_of_that_name_means_nothing(void **state)
{
    static const char *const values[] = {"", "garbage", "1:2:3", "0:0:0", "99999999999:4:5"};
    const char *programs[] = {trial_program(), trial_format("%s-coordinator", trial_program())};
    const char *input = trial_sample("plain.mp4"), *out = trial_path("out.mkv"), *expected;

    (void)state;
    trial_render(input, out, "--workers=2", "--codec=ffv1", NULL);
    trial_assert_nothing_left();
    expected = trial_sha256(out);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]) * 2; i++) {
        struct command *command;

        setenv("RENDERFARM_NURSERY", values[i / 2], 1);
        command = trial_start_program(ARGUMENTS(programs[i % 2], input, out, "--workers=2", "--codec=ffv1", "-y", "--progress=off"));
        unsetenv("RENDERFARM_NURSERY");
        command_wait(command, TAKES_LONG_S);
        assert_said(command, 0, "");
        assert_string_equal(trial_sha256(out), expected);
    }
}

// PROGRAM of the build folder, into the trial's.
static const char *copy_program(const char *suffix)
{
    const char *name = trial_path(trial_format("renderfarm%s", suffix));

    trial_output(ARGUMENTS("cp", trial_format("%s%s", trial_program(), suffix), name));
    return name;
}

static void a_program_that_is_missing_is_told(void **state)
{
    const char *alone = copy_program(""), *folder = trial_path(".");
    struct command *command;

    (void)state;
    folder = trial_format("%.*s", (int)strlen(folder) - 2, folder);
    copy_program("-renderer");
    command = trial_start_program(ARGUMENTS(alone, trial_sample("plain.mp4"), trial_path("out.mkv")));
    command_wait(command, TAKES_LONG_S);
    assert_said(command, FAILED,
                trial_format("renderfarm: %s/renderfarm-coordinator: it cannot be started: No such file or directory; reinstall\n", folder));
    copy_program("-coordinator");
    assert_int_equal(unlink(trial_path("renderfarm-renderer")), 0);
    command = trial_start_program(ARGUMENTS(alone, trial_sample("plain.mp4"), trial_path("out.mkv")));
    command_wait(command, TAKES_LONG_S);
    assert_said(command, FAILED,
                trial_format("renderfarm: %s/renderfarm-renderer: the renderer program is missing beside renderfarm; reinstall, or name it in "
                             "RENDERFARM_RENDERER\n",
                             folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(the_coordinator_and_its_nursery_are_what_they_seem),
        TRIAL(a_nursery_that_was_not_needed_is_gone_at_the_end),
        TRIAL(a_nursery_ends_with_a_coordinator_that_is_killed),
        TRIAL(wrong_use_is_told_and_leaves_nothing_running),
        TRIAL(renderers_are_born_of_the_nursery_and_are_told_apart),
        TRIAL(a_variable_of_that_name_means_nothing),
        TRIAL(a_program_that_is_missing_is_told),
    };

    unsetenv("RENDERFARM_RENDERER");
    return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
