// A whole job through a real Slurm, on this machine: renderers fill the allocation, and a node that is lost is done without.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char cluster[] = "scripts/slurm-test-cluster";
static char folder[64];

static int setup(void **state)
{
    return trial_setup(state);
}

static void tell(const char *verb, const char *argument)
{
    struct command command;

    command_run(&command, ARGUMENTS(cluster, verb, folder, argument), 60);
    if (command.status != 0)
        fail_msg("%s %s: status %d: %s", cluster, verb, command.status, command.err);
    command_clear(&command);
}

static int teardown(void **state)
{
    struct command command;

    if (*folder) {
        command_run(&command, ARGUMENTS(cluster, "stop", folder), 60);
        command_clear(&command);
        command_run(&command, ARGUMENTS("rm", "-rf", folder), 60);
        command_clear(&command);
    }
    return trial_teardown(state);
}

// Skips the test where there is no Slurm.
static void start_cluster(void)
{
    struct command command;
    int status;

    *folder = '\0';
    command_run(
        &command,
        ARGUMENTS("sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; command -v munged && command -v slurmctld && command -v slurmd && command -v srun"), 10);
    status = command.status;
    command_clear(&command);
    if (status != 0)
        skip();
    strcpy(folder, "/tmp/slurm-test.XXXXXX"); // sockets want a short name
    assert_non_null(mkdtemp(folder));
    tell("start", "2");
}

// A batch job; it says what it does in the file "said".
static void submit(const char *input, const char *output)
{
    char path[4200];

    assert_non_null(realpath(trial_program(), path));
    setenv("RENDERFARM", path, 1);
    trial_output(ARGUMENTS(cluster, "run", folder, "sbatch", "-N", "2", "-n", "2", "-o", trial_path("said"), "scripts/renderfarm.sbatch", input,
                           output, "-v", "--segment=1", "--filter=nlmeans=r=15", "--preset=ultrafast", "--progress=off"));
    unsetenv("RENDERFARM");
}

// Until the text is in the file.
static void wait_for(const char *name, const char *text)
{
    struct command command;

    command_run(&command,
                ARGUMENTS("timeout", "120", "sh", "-c", "until grep -qF \"$2\" \"$1\" 2>/dev/null; do sleep 0.1; done", "sh", trial_path(name), text),
                130);
    if (command.status != 0) {
        size_t size = 0;

        fail_msg("'%s' does not come: %s", text, access(trial_path(name), R_OK) == 0 ? (char *)trial_read(trial_path(name), &size) : "");
    }
    command_clear(&command);
}

static const char *long_clip(void)
{
    const char *path = trial_path("long.mp4");

    trial_ffmpeg("-stream_loop", "3", "-i", trial_sample("silent.mp4"), "-c", "copy", path, NULL);
    trial_render(path, trial_path("calm.mp4"), "--workers=2", "--segment=1", "--filter=nlmeans=r=15", "--preset=ultrafast", NULL);
    return path;
}

static void an_allocation_renders_one_video(void **state)
{
    size_t size;

    (void)state;
    start_cluster();
    submit(long_clip(), trial_path("out.mp4"));
    wait_for("said", "out.mp4: ");
    assert_non_null(strstr(trial_read(trial_path("said"), &size), "other hosts: 2 renderers joined"));
    assert_string_equal(trial_sha256(trial_path("out.mp4")), trial_sha256(trial_path("calm.mp4")));
}

static void a_node_that_is_lost_is_done_without(void **state)
{
    size_t size;

    (void)state;
    start_cluster();
    submit(long_clip(), trial_path("out.mp4"));
    wait_for("said", "renderer 1 is ready");
    wait_for("said", "in segments");
    tell("kill", "n2"); // the coordinator is on the first
    wait_for("said", "out.mp4: ");
    assert_non_null(strstr(trial_read(trial_path("said"), &size), " lost its connection"));
    assert_string_equal(trial_sha256(trial_path("out.mp4")), trial_sha256(trial_path("calm.mp4")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_allocation_renders_one_video, setup, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_is_lost_is_done_without, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
