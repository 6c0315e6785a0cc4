// Renderers on hosts of their own, as network namespaces: whatever happens to their links, the file is that of a job on one host.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include <setjmp.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

// Skips the test where such hosts cannot be made.
static void need_hosts(const char *also)
{
    const char *try = "command -v ip nsenter >/dev/null && unshare --net sh -c 'ip link add br0 type bridge && ip link add v type veth peer name w'";
    struct command command;
    int status;

    command_run(&command, ARGUMENTS("sh", "-c", trial_format("%s%s", try, also)), 20);
    status = command.status;
    command_clear(&command);
    if (status != 0)
        skip();
}

// What the coordinator said.
static const char *run_chain(const char *scenario, const char *chain, const char *more_times, const char *seed)
{
    const char *input = trial_path("long.mp4"), *calm = trial_path("calm.mp4"), *out = trial_path("out.mp4");
    char program[4200];
    struct command *command;

    trial_ffmpeg("-stream_loop", more_times, "-i", trial_sample("silent.mp4"), "-c", "copy", input, NULL);
    trial_render(input, calm, "--workers=2", "--segment=1", trial_format("--filter=%s", chain), "--preset=ultrafast", NULL);
    assert_non_null(realpath(trial_program(), program));
    command = trial_start_program(ARGUMENTS("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "tests/farm/hosts.bash", scenario,
                                            program, input, out, trial_path("."), chain, seed));
    command_wait(command, 240);
    if (command->status != 0)
        fail_msg("status %d: %s%s", command->status, command->out, command->err);
    assert_string_equal(trial_sha256(out), trial_sha256(calm));
    return command->out;
}

static const char *run(const char *scenario)
{
    return run_chain(scenario, "nlmeans=r=15", "1", "0");
}

static void two_hosts_give_the_same_bytes(void **state)
{
    (void)state;
    need_hosts("");
    assert_told(run("plain"), "other hosts: 2 renderers joined, 0 left, 0 were lost, 0 refused; ");
}

static void hosts_join_and_leave(void **state)
{
    (void)state;
    need_hosts("");
    assert_told(run("join-and-leave"), " 1 left, 0 were lost");
}

static void a_link_that_is_cut_costs_a_segment(void **state)
{
    (void)state;
    need_hosts("");
    assert_told(run("cut"), " lost its connection; its work goes to another");
}

static void the_end_does_not_wait_for_a_slow_host(void **state)
{
    (void)state;
    need_hosts(" && command -v tc >/dev/null && unshare --net tc qdisc add dev lo root tbf rate 20mbit burst 32kbit latency 50ms");
    assert_told(run("slow"), "is taking renderer 0 long; renderer 1 begins it too");
}

static void a_link_that_flaps_costs_nothing(void **state)
{
    (void)state;
    need_hosts("");
    assert_told(run("flap"), "other hosts: 1 renderers joined, 0 left, 0 were lost");
}

static void a_narrow_link_that_loses_packets_is_enough(void **state)
{
    (void)state;
    need_hosts(" && command -v nft tc >/dev/null && unshare --net tc qdisc add dev lo root tbf rate 20mbit burst 32kbit latency 50ms");
    run("narrow");
}

// Hosts join, leave, are cut off, come back and lose their power, one or the other each time that a few segments more were dealt. A seed that fails
// is worth another try with RENDERFARM_TEST_SEED: the same things happen then, though not at the same moments.
static void hosts_come_and_go_at_random(void **state)
{
    const char *given = getenv("RENDERFARM_TEST_SEED"), *seed = given ? given : trial_format("%ld", (long)(time(NULL) % 32768)), *said;

    (void)state;
    need_hosts("");
    print_message("RENDERFARM_TEST_SEED=%s\n", seed);
    said = run_chain("random", "nlmeans=r=7", "15", seed);
    assert_told(said, "host ");
    assert_told(said, "other hosts: ");
}

// Two renderers behind a link that does not carry the frames for one: they are not both given runs.
static void a_link_too_narrow_for_frames_gets_fewer_of_them(void **state)
{
    (void)state;
    need_hosts(" && command -v tc >/dev/null && unshare --net tc qdisc add dev lo root tbf rate 20mbit burst 32kbit latency 50ms");
    assert_told(run_chain("frames", "hqdn3d,unsharp", "3", "0"), " too slowly for 2 renderers: 1 work at a time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(two_hosts_give_the_same_bytes),      TRIAL(hosts_join_and_leave),
        TRIAL(a_link_that_is_cut_costs_a_segment), TRIAL(the_end_does_not_wait_for_a_slow_host),
        TRIAL(a_link_that_flaps_costs_nothing),    TRIAL(a_narrow_link_that_loses_packets_is_enough),
        TRIAL(hosts_come_and_go_at_random),        TRIAL(a_link_too_narrow_for_frames_gets_fewer_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
