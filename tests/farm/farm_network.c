// Renderers on other hosts, here over the loopback: they come, go, crash, hang and vanish, and the file is that of a job on one host.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST_HOSTS = 4 };

#define SLOW "nlmeans=r=15" // some 10 s of work for one core

static struct command hosts[MOST_HOSTS];
static const char *input, *calm;

static const char *program(const char *name)
{
    const char *path = trial_program();

    return trial_format("%.*s%s", (int)(strrchr(path, '/') + 1 - path), path, name);
}

static int setup(void **state)
{
    return trial_setup(state);
}

static int teardown(void **state)
{
    for (int i = 0; i < MOST_HOSTS; i++)
        command_clear(&hosts[i]);
    return trial_teardown(state);
}

#define NETWORK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

static void make_keys(void)
{
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_path("farm.key")));
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_format("--for=%s", trial_path("farm.key")), trial_path("node.key")));
}

// A clip of four seconds, keys, and what two local renderers make of it.
static void prepare(const char *filter)
{
    input = trial_path("long.mp4");
    trial_ffmpeg("-stream_loop", "1", "-i", trial_sample("silent.mp4"), "-c", "copy", input, NULL);
    trial_render(input, trial_path("calm.mp4"), "--workers=2", "--segment=1", trial_format("--filter=%s", filter), "--preset=ultrafast", NULL);
    calm = trial_sha256(trial_path("calm.mp4"));
    make_keys();
}

// Starts the job, at a port that is free; *port is told.
static struct command *start_job(const char *filter, const char *workers, const char **port)
{
    struct command *job =
        trial_start(ARGUMENTS("-v", workers, "--segment=1", trial_format("--filter=%s", filter), "--preset=ultrafast", "--listen=tcp://127.0.0.1:0",
                              trial_format("--key=%s", trial_path("farm.key")), "--progress=json", input, trial_path("out.mp4")));
    const char *text = "listening at tcp://127.0.0.1:", *at = command_wait_for_error(job, 0, text, 60);

    if (!at)
        fail_msg("%s", job->err);
    *port = trial_format("%ld", strtol(at + strlen(text), NULL, 10));
    return job;
}

static void start_host(int number, const char *port, const char *key, const char *more)
{
    command_start(&hosts[number], ARGUMENTS(program("renderfarm-renderer"), trial_format("--connect=tcp://127.0.0.1:%s", port),
                                            trial_format("--key=%s", trial_path(key)), "--workers=1", more ? more : "--threads=1"));
}

static void expect_same(struct command *job)
{
    command_wait(job, 240);
    if (job->status != 0)
        fail_msg("status %d: %s", job->status, job->err);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
}

// A filter that names a file: it is where the job is started, and not where the host's renderers are, unless `there`.
#define NAMES_A_FILE "nlmeans=r=7,lut3d=same.cube"

static void prepare_file(void)
{
    static const char cube[] = "LUT_3D_SIZE 2\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n0 0 1\n1 0 1\n0 1 1\n1 1 1\n";

    trial_write(trial_path("same.cube"), cube, sizeof(cube) - 1);
    prepare(trial_format("nlmeans=r=7,lut3d=%s", trial_path("same.cube")));
}

static const char *real(const char *path)
{
    static char names[2][4200];
    static int which;

    which = !which;
    assert_non_null(realpath(path, names[which]));
    return names[which];
}

static struct command *start_job_with_file(const char *workers, const char **port)
{
    struct command *job = trial_start_program(ARGUMENTS("env", "-C", trial_path("."), real(trial_program()), "-v", workers, "--segment=1",
                                                        "--filter=" NAMES_A_FILE, "--preset=ultrafast", "--listen=tcp://127.0.0.1:0",
                                                        "--key=farm.key", "--progress=json", input, trial_path("out.mp4")));
    const char *text = "listening at tcp://127.0.0.1:", *at = command_wait_for_error(job, 0, text, 60);

    if (!at)
        fail_msg("%s", job->err);
    *port = trial_format("%ld", strtol(at + strlen(text), NULL, 10));
    return job;
}

// folder: where it runs, with the file that the filter names, or without.
static void start_host_with_file(int number, const char *port, const char *workers, const char *folder)
{
    command_start(&hosts[number],
                  ARGUMENTS("env", "-C", folder, real(program("renderfarm-renderer")), trial_format("--connect=tcp://127.0.0.1:%s", port),
                            trial_format("--key=%s", trial_path("node.key")), workers));
}

static unsigned count_of(const char *said, const char *text)
{
    unsigned count = 0;

    for (; (said = strstr(said, text)); said += strlen(text))
        count++;
    return count;
}

// The host's renderer leaves by itself when the job is done.
static void expect_left(int number, int status)
{
    command_wait(&hosts[number], 30);
    if (hosts[number].status != status)
        fail_msg("status %d: %s", hosts[number].status, hosts[number].err);
}

// Of "renderer SLOT is ready (process PID on HOST)".
static pid_t process_of(struct command *job, unsigned slot)
{
    const char *text = trial_format("renderer %u is ready (process ", slot), *found = command_wait_for_error(job, 0, text, 60);

    if (!found)
        fail_msg("%s", job->err);
    return (pid_t)strtol(found + strlen(text), NULL, 10);
}

static void two_hosts_alone_give_the_same_bytes(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare("unsharp");
    job = start_job("unsharp", "--workers=0", &port);
    assert_non_null(command_wait_for_error(job, 0, "waiting for renderers at tcp://127.0.0.1:", 60));
    start_host(0, port, "node.key", NULL);
    start_host(1, port, "node.key", NULL);
    expect_same(job);
    expect_left(0, 0);
    expect_left(1, 0);
    assert_told(job->err, "other hosts: ");
}

static void a_host_joins_in_the_middle_and_leaves_again(void **state)
{
    const char *port;
    struct command *job;
    size_t seen;

    (void)state;
    prepare(SLOW);
    job = start_job(SLOW, "--workers=1", &port);
    assert_true(command_wait_for(job, "\"segments_total\":", 60));
    seen = strlen(job->err);
    start_host(0, port, "node.key", NULL);
    assert_non_null(command_wait_for_error(job, seen, "renderer 1 is ready (process ", 60));
    assert_true(command_wait_for(job, "\"busy\":2", 60));
    kill(hosts[0].pid, SIGTERM);
    expect_left(0, 0);
    assert_non_null(command_wait_for_error(job, seen, " leaves; its work goes to another", 60));
    start_host(1, port, "node.key", NULL);
    expect_same(job);
    expect_left(1, 0);
}

static void a_remote_renderer_that_crashes_is_replaced(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare(SLOW);
    job = start_job(SLOW, "--workers=0", &port);
    start_host(0, port, "node.key", NULL);
    assert_true(command_wait_for(job, "\"busy\":1", 60));
    kill(process_of(job, 0), SIGSEGV);
    expect_same(job);
    expect_left(0, 0);
    assert_told(hosts[0].err, "; another one takes its place");
    assert_told(job->err, "its work goes to another");
}

// With all that runs there.
static void a_host_that_vanishes_loses_nothing(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare(SLOW);
    job = start_job(SLOW, "--workers=1", &port);
    start_host(0, port, "node.key", NULL);
    assert_true(command_wait_for(job, "\"busy\":2", 60));
    process_of(job, 1);
    kill(-hosts[0].pid, SIGKILL);
    expect_same(job);
    assert_told(job->err, " lost its connection; its work goes to another");
}

// Its kernel goes on, so the connection lives, and nothing comes.
static void a_host_that_falls_silent_is_given_up_and_comes_back(void **state)
{
    const char *port;
    struct command *job;
    pid_t pid;

    (void)state;
    prepare(SLOW);
    job = start_job(SLOW, "--workers=0", &port);
    start_host(0, port, "node.key", NULL);
    assert_true(command_wait_for(job, "\"busy\":1", 60));
    pid = process_of(job, 0);
    kill(pid, SIGSTOP);
    assert_non_null(command_wait_for_error(job, 0, " gave no sign of life; its work goes to another", 80));
    kill(pid, SIGCONT);
    expect_same(job);
    expect_left(0, 0);
}

static void a_host_that_lacks_a_file_is_sent_away(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare_file();
    job = start_job_with_file("--workers=1", &port);
    assert_true(command_wait_for(job, "\"segments_total\":", 60));
    start_host_with_file(0, port, "--workers=2", "/");
    expect_same(job);
    expect_left(0, 1);
    assert_told(job->err, " was sent away: ");
    assert_told(job->err, "No such file or directory; its work goes to another; a file that a filter names has to be there on each host");
    assert_int_equal(count_of(job->err, "has to be there"), 1);
    assert_told(hosts[0].err, "No such file or directory");
}

// It would take it without a word, and give other pictures.
static void a_host_that_has_another_file_is_sent_away(void **state)
{
    static const char cube[] = "LUT_3D_SIZE 2\n1 1 1\n0 1 1\n1 0 1\n0 0 1\n1 1 0\n0 1 0\n1 0 0\n0 0 0\n";
    const char *port;
    struct command *job;

    (void)state;
    prepare_file();
    assert_int_equal(mkdir(trial_path("elsewhere"), 0700), 0);
    trial_write(trial_path("elsewhere/same.cube"), cube, sizeof(cube) - 1);
    job = start_job_with_file("--workers=1", &port);
    assert_true(command_wait_for(job, "\"segments_total\":", 60));
    start_host_with_file(0, port, "--workers=1", trial_path("elsewhere"));
    expect_same(job);
    expect_left(0, 1);
    assert_told(job->err, "same.cube is another file on this host than where renderfarm runs; its work goes to another");
}

// Nobody else is there when it fails; then somebody comes who can.
static void another_host_does_what_one_cannot(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare_file();
    job = start_job_with_file("--workers=0", &port);
    start_host_with_file(0, port, "--workers=1", "/");
    assert_non_null(command_wait_for_error(job, 0, " was sent away: ", 60));
    start_host_with_file(1, port, "--workers=1", trial_path("."));
    expect_same(job);
    expect_left(0, 1);
    expect_left(1, 0);
}

static void a_job_ends_when_nobody_can_do_it(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare_file();
    job = start_job_with_file("--workers=0", &port);
    start_host_with_file(0, port, "--workers=2", "/");
    command_wait(job, 60);
    assert_int_equal(job->status, 1);
    assert_told(job->err, "No such file or directory; nobody else is here to do it; a file that a filter names has to be there on each host");
    expect_left(0, 1);
}

static void poison_names_the_host_that_it_ended(void **state)
{
    const char *port, *text = "listening at tcp://127.0.0.1:", *at;
    char host[256];
    struct command *job;

    (void)state;
    make_keys();
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    job = trial_start(ARGUMENTS("-v", "--workers=0", "--segment=0.5", "--filter=frei0r=filter_name=crash:filter_params=1.2", "--parallel-safe=crash",
                                "--codec=ffv1", "--listen=tcp://127.0.0.1:0", trial_format("--key=%s", trial_path("farm.key")), "--progress=off",
                                "--no-cache", trial_sample("silent.mp4"), trial_path("out.mkv")));
    at = command_wait_for_error(job, 0, text, 60);
    assert_non_null(at);
    port = trial_format("%ld", strtol(at + strlen(text), NULL, 10));
    start_host(0, port, "node.key", NULL);
    command_wait(job, 120);
    assert_int_equal(job->status, 1);
    assert_told(job->err, trial_format(" ended 3 renderers, the last was ended by signal 6 (Aborted) on %s; to see for yourself: ", host));
    expect_left(0, 0);
}

static void a_coordinator_that_starts_again_finds_its_renderers(void **state)
{
    const char *port, *key = trial_format("--key=%s", trial_path("farm.key"));
    struct command *job;

    (void)state;
    prepare(SLOW);
    job = start_job(SLOW, "--workers=0", &port);
    start_host(0, port, "node.key", NULL);
    assert_true(command_wait_for(job, "\"busy\":1", 60));
    kill(job->pid, SIGKILL);
    assert_non_null(command_wait_for_error(&hosts[0], 0, "the connection was lost; calling again for 60 s", 30));
    job = trial_start(ARGUMENTS("-v", "--workers=0", "--segment=1", "--filter=" SLOW, "--preset=ultrafast",
                                trial_format("--listen=tcp://127.0.0.1:%s", port), key, "--progress=off", input, trial_path("out.mp4")));
    expect_same(job);
    expect_left(0, 0);
}

static void a_renderer_leaves_when_its_coordinator_is_gone(void **state)
{
    (void)state;
    make_keys();
    start_host(0, "9", "node.key", "--wait=1"); // nobody listens at the port "discard"
    expect_left(0, 1);
    assert_told(hosts[0].err, "no coordinator could be reached for 1 s: nobody listens there, or nothing gets through; leaving");
}

static void a_renderer_tells_what_is_wrong_with_its_address(void **state)
{
    const char *const wrong[] = {trial_format("--connect=ipc://%s", trial_path("x")),
                                 "--connect=tcp://*:7000",
                                 "--connect=tcp://:7000",
                                 "--connect=tcp://127.0.0.1:0",
                                 "--connect=tcp://127.0.0.1:65536",
                                 "--connect=tcp://127.0.0.1:7000x",
                                 "--connect=tcp://127.0.0.1:+7000"};
    const char *key;

    (void)state;
    make_keys();
    key = trial_format("--key=%s", trial_path("node.key"));
    command_start(&hosts[0], ARGUMENTS(program("renderfarm-renderer"), "--connect=tcp://nosuchhost.invalid:7000", key, "--wait=1", "--workers=3"));
    expect_left(0, 1);
    assert_told(hosts[0].err, "no coordinator could be reached for 1 s: the name of its host is not known here; leaving");
    assert_int_equal(count_of(hosts[0].err, "leaving"), 1);
    // The first as its own coordinator would start one, but that nobody listens.
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        command_start(&hosts[1], ARGUMENTS(program("renderfarm-renderer"), wrong[i], key));
        expect_left(1, 2);
        assert_told(hosts[1].err, "--connect must be tcp://HOST:PORT");
    }
}

// Its processes can do nothing at all: ZeroMQ aborts for want of files.
static void a_renderer_that_cannot_start_is_given_up(void **state)
{
    (void)state;
    make_keys();
    command_start(&hosts[0], ARGUMENTS("sh", "-c", "ulimit -n 12; exec \"$@\"", "sh", program("renderfarm-renderer"), "--connect=tcp://127.0.0.1:9",
                                       trial_format("--key=%s", trial_path("node.key")), "--workers=2", "--wait=1"));
    expect_left(0, 1);
    assert_told(hosts[0].err, " before it could work; giving up");
}

static void a_long_way_changes_nothing(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare("nlmeans=r=7");
    job = start_job("nlmeans=r=7", "--workers=0", &port);
    command_start(&hosts[0], ARGUMENTS(program("tests/relay/relay"), port, "50"));
    assert_true(command_wait_for(&hosts[0], "\n", 20));
    port = trial_format("%d", atoi(hosts[0].out));
    start_host(1, port, "node.key", NULL);
    start_host(2, port, "node.key", NULL);
    expect_same(job);
    expect_left(1, 0);
    expect_left(2, 0);
    assert_told(job->err, " 2 renderers joined, 0 left, 0 were lost, 0 refused; ");
}

// The coordinator stands still, and its renderer goes on: it has the next segment already.
static void a_renderer_has_its_next_segment_before_it_is_done(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    prepare("nlmeans=r=7");
    job = start_job("nlmeans=r=7", "--workers=0", &port);
    start_host(0, port, "node.key", "-vv");
    assert_non_null(command_wait_for_error(&hosts[0], 0, "segment 1 is here ahead of its turn", 60));
    assert_int_equal(kill(job->pid, SIGSTOP), 0);
    if (!command_wait_for_error(&hosts[0], 0, "segment 1 is begun", 30))
        fail_msg("%s", hosts[0].err);
    assert_int_equal(kill(job->pid, SIGCONT), 0);
    expect_same(job);
    expect_left(0, 0);
}

static void stages_stay_on_their_host(void **state)
{
    const struct command *command;
    const char *key, *chain = "--filter=unsharp,hqdn3d", *in = trial_sample("silent.mp4");

    (void)state;
    make_keys();
    key = trial_format("--key=%s", trial_path("farm.key"));
    command = trial_run(in, trial_path("out.mp4"), chain, "--encode=stream", "--workers=1", "--listen=tcp://127.0.0.1:0", key, NULL);
    assert_int_equal(command->status, 0);
    assert_told(command->err, "renderers on other hosts have nothing to do: the last stage of this plan is in order, and frames go through ");
    command =
        trial_run(in, trial_path("out.mp4"), "-y", chain, "--encode=stream", "--explain", "--workers=0", "--listen=tcp://127.0.0.1:0", key, NULL);
    assert_int_equal(command->status, 0);
    assert_told(command->out, "other hosts: nothing to do, because the last stage is in order, and frames go through this host's memory\n");
    assert_told(command->out, "other hosts: they cannot do all of it, so --workers=0 will not do\n");
    command = trial_run(in, trial_path("out.mp4"), "-y", chain, "--explain", "--workers=0", "--listen=tcp://127.0.0.1:0", key, NULL);
    assert_told(command->out, "other hosts: their renderers work for the last stage, and get its frames over the network as they are, ");
    assert_told(command->out, "MB each: as many renderers of a host at a time as that keeps busy\n");
    assert_told(command->out, "other hosts: they cannot do all of it, so --workers=0 will not do\n");
    command = trial_run(in, trial_path("out.mp4"), "-y", "--filter=hqdn3d", "--explain", "--workers=0", "--listen=tcp://127.0.0.1:0", key, NULL);
    assert_null(strstr(command->out, "will not do"));
    command = trial_run(in, trial_path("out.mp4"), "-y", chain, "--explain", "--workers=1", "--listen=tcp://127.0.0.1:0", key, NULL);
    assert_told(command->out, "MB each: as many at a time as that keeps busy and as there is memory for beside this host's own, and none where ");
    assert_null(strstr(command->out, "will not do"));
    command = trial_run(in, trial_path("out.mp4"), "-y", "--explain", "--workers=0", "--listen=tcp://127.0.0.1:0", key, NULL);
    assert_told(command->out, "other hosts: their renderers take segments as packets\n");
}

static void stages_need_a_local_renderer(void **state)
{
    const char *port;
    struct command *job;

    (void)state;
    input = trial_sample("silent.mp4");
    make_keys();
    job = start_job("unsharp,hqdn3d", "--workers=0", &port);
    start_host(0, port, "node.key", NULL);
    command_wait(job, 60);
    assert_int_equal(job->status, 1);
    assert_told(job->err,
                "--workers=0: between the stages of this plan frames go through this host's memory, so renderers on other hosts cannot do all of it");
    expect_left(0, 0);
}

// One host crashes in the middle, and has it all sent again.
static void frames_go_over_the_network_where_they_have_to(void **state)
{
    static const char chain[] = "hqdn3d,nlmeans=r=15";
    const char *port;
    struct command *job;

    (void)state;
    prepare(chain);
    job = start_job(chain, "--workers=0", &port);
    start_host(0, port, "node.key", NULL);
    start_host(1, port, "node.key", NULL);
    assert_true(command_wait_for(job, "\"busy\":2", 60));
    kill(process_of(job, 0), SIGSEGV);
    expect_same(job);
    assert_told(job->err, "; its work goes to another");
    expect_left(0, 0);
    expect_left(1, 0);
}

// Beside renderers that have them in memory.
static void frames_go_over_the_network_where_that_helps(void **state)
{
    static const char chain[] = "hqdn3d,nlmeans=r=15";
    const char *port;
    struct command *job;

    (void)state;
    prepare(chain);
    job = start_job(chain, "--workers=1", &port);
    start_host(0, port, "node.key", NULL);
    expect_same(job);
    assert_told(job->err, "other hosts: 1 renderers joined, 0 left, 0 were lost");
    expect_left(0, 0);
}

static void launched_renderers_do_the_work(void **state)
{
    const struct command *command;
    const char *out = trial_path("out.mp4");

    (void)state;
    prepare("unsharp");
    // The key comes in the environment, and on standard input for those who have no way to hand that over.
    command = trial_run(input, out, "-v", "--workers=2", "--segment=1", "--filter=unsharp", "--preset=ultrafast",
                        "--launch={renderer} --connect=tcp://127.0.0.1:{port} -j 1 & env -u RENDERFARM_KEY {renderer} "
                        "--connect=tcp://127.0.0.1:{port} -j 1 --key=-; wait; exit 3",
                        NULL);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, command->err);
    assert_string_equal(trial_sha256(out), calm);
    assert_told(command->err, "launching renderers: ");
    assert_told(command->err, "2 renderers joined");
}

static void a_launch_command_that_fails_ends_the_job(void **state)
{
    const struct command *command;

    (void)state;
    command = trial_run(trial_sample("silent.mp4"), trial_path("out.mp4"), "--launch=exit 7 # {port}", NULL);
    assert_int_equal(command->status, 1);
    assert_told(command->err, "the command of --launch exited with status 7, and started no renderer");
}

static void launched_renderers_do_the_last_stage(void **state)
{
    const char *out = trial_path("out.mp4"), *said;

    (void)state;
    said = trial_render(trial_sample("silent.mp4"), out, "-v", "--workers=2", "--filter=unsharp,hqdn3d",
                        "--launch={renderer} --connect=tcp://127.0.0.1:{port} -j {workers}", NULL);
    assert_told(said, "other hosts: 2 renderers joined");
    assert_null(strstr(said, "nothing to do"));
}

static void a_wrong_use_is_told(void **state)
{
    static const struct {
        const char *option, *told;
    } wrong[] = {
        {"--listen=tcp://127.0.0.1:0", "--listen needs --key=FILE; renderfarm-keygen makes one"},
        {"--listen=127.0.0.1", "--listen must be tcp://ADDRESS:PORT, not '127.0.0.1'"},
        {"--key=x", "--key and --authorised-keys are for --listen"},
        {"--launch=srun", "--launch: it has to hand over {endpoint}, or {port}, not 'srun'"},
    };
    const struct command *command;
    const char *in = trial_sample("silent.mp4"), *key;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        command = trial_run(in, trial_path("out.mp4"), wrong[i].option, NULL);
        assert_int_equal(command->status, 2);
        assert_told(command->err, wrong[i].told);
    }
    make_keys();
    key = trial_format("--key=%s", trial_path("farm.key"));
    command = trial_run(in, trial_path("out.mp4"), "--listen=tcp://203.0.113.1:7000", key, NULL); // an address that is nobody's
    assert_int_equal(command->status, 1);
    assert_told(command->err, "--listen=tcp://203.0.113.1:7000: ");
    assert_told(command->err, "; it has to be an address of this host, or * for all");
    command = trial_run(in, trial_path("out.mp4"), "--listen=tcp://nosuchhost.invalid:7000", key, NULL);
    assert_int_equal(command->status, 1);
    assert_told(command->err, "--listen=tcp://nosuchhost.invalid:7000: the address is not known: ");
    assert_null(strstr(command->err, "Cannot assign"));
    chmod(trial_path("farm.key"), 0644);
    command = trial_run(in, trial_path("out.mp4"), "--listen=tcp://127.0.0.1:0", key, NULL);
    assert_int_equal(command->status, 2);
    assert_told(command->err, "others may read this key (mode 644)");
    command = trial_run(in, trial_path("out.mp4"), "--listen=tcp://127.0.0.1:0", trial_format("--key=%s", trial_path("node.key")), NULL);
    assert_int_equal(command->status, 2);
}

static void a_key_is_not_written_over(void **state)
{
    struct command command;
    struct stat about;

    (void)state;
    make_keys();
    assert_int_equal(stat(trial_path("farm.key"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(stat(trial_path("node.key"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    command_run(&command, ARGUMENTS(program("renderfarm-keygen"), trial_path("farm.key")), 30);
    assert_int_equal(command.status, 1);
    assert_told(command.err, "is there already; a key is not written over");
    command_clear(&command);
    command_run(&command, ARGUMENTS(program("renderfarm-keygen"), trial_format("--for=%s", trial_path("node.key")), trial_path("x.key")), 30);
    assert_int_equal(command.status, 2);
    command_clear(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NETWORK(two_hosts_alone_give_the_same_bytes),
        NETWORK(a_host_joins_in_the_middle_and_leaves_again),
        NETWORK(a_remote_renderer_that_crashes_is_replaced),
        NETWORK(a_host_that_vanishes_loses_nothing),
        NETWORK(a_host_that_falls_silent_is_given_up_and_comes_back),
        NETWORK(a_host_that_lacks_a_file_is_sent_away),
        NETWORK(a_host_that_has_another_file_is_sent_away),
        NETWORK(another_host_does_what_one_cannot),
        NETWORK(a_job_ends_when_nobody_can_do_it),
        NETWORK(poison_names_the_host_that_it_ended),
        NETWORK(a_coordinator_that_starts_again_finds_its_renderers),
        NETWORK(a_renderer_leaves_when_its_coordinator_is_gone),
        NETWORK(a_renderer_tells_what_is_wrong_with_its_address),
        NETWORK(a_renderer_that_cannot_start_is_given_up),
        NETWORK(a_long_way_changes_nothing),
        NETWORK(a_renderer_has_its_next_segment_before_it_is_done),
        NETWORK(stages_stay_on_their_host),
        NETWORK(stages_need_a_local_renderer),
        NETWORK(frames_go_over_the_network_where_they_have_to),
        NETWORK(frames_go_over_the_network_where_that_helps),
        NETWORK(launched_renderers_do_the_work),
        NETWORK(launched_renderers_do_the_last_stage),
        NETWORK(a_launch_command_that_fails_ends_the_job),
        NETWORK(a_wrong_use_is_told),
        NETWORK(a_key_is_not_written_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
