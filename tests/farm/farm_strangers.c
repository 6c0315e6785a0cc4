// Those who knock at the coordinator's port and are none of ours: without a right key, in plain text, with garbage, far too many of them; and those
// with a right key who have other libraries, another processor or nothing sensible to say. The job waits for a renderer meanwhile, gets one in the
// end, and its file is that of a job on one host.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include "common/avx.h"
#include "common/curve.h"
#include "common/protocol.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST_CONNECTIONS = 700, MOST_INSIDE = 300, ANSWER_MS = 20000 };

static struct command host;
static const char *input, *port;
static int connections[MOST_CONNECTIONS];

static const char *program(const char *name)
{
    const char *path = trial_program();

    return trial_format("%.*s%s", (int)(strrchr(path, '/') + 1 - path), path, name);
}

static int setup(void **state)
{
    host = (struct command){0};
    for (int i = 0; i < MOST_CONNECTIONS; i++)
        connections[i] = -1;
    return trial_setup(state);
}

static void hang_up(void)
{
    for (int i = 0; i < MOST_CONNECTIONS; i++) {
        if (connections[i] >= 0)
            close(connections[i]);
        connections[i] = -1;
    }
}

static int teardown(void **state)
{
    hang_up();
    command_clear(&host);
    return trial_teardown(state);
}

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

static void make_key(const char *name)
{
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_format("--for=%s", trial_path("farm.key")), trial_path(name)));
}

// A job that waits for renderers.
static struct command *start_job(const char *more)
{
    const char *text = "waiting for renderers at tcp://127.0.0.1:", *at;
    struct command *job;

    input = trial_sample("silent.mp4");
    if (access(trial_path("farm.key"), F_OK) != 0) {
        trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_path("farm.key")));
        make_key("node.key");
    }
    job = trial_start(ARGUMENTS("-v", "--workers=0", "--preset=ultrafast", "--listen=tcp://127.0.0.1:0", "--progress=off",
                                trial_format("--key=%s", trial_path("farm.key")), input, trial_path("out.mp4"), more));
    at = command_wait_for_error(job, 0, text, 60);
    if (!at)
        fail_msg("%s", job->err);
    port = trial_format("%ld", strtol(at + strlen(text), NULL, 10));
    return job;
}

static void start_host(const char *key, const char *more)
{
    command_start(&host, ARGUMENTS(program("renderfarm-renderer"), trial_format("--connect=tcp://127.0.0.1:%s", port),
                                   trial_format("--key=%s", trial_path(key)), "--workers=1", more));
}

// One of ours comes, and all is well. What the coordinator said.
static const char *finish(struct command *job)
{
    const char *said;

    command_clear(&host);
    start_host("node.key", NULL);
    command_wait(job, 120);
    if (job->status != 0)
        fail_msg("status %d: %s", job->status, job->err);
    said = trial_format("%s", job->err); // the job is forgotten with the next run
    trial_render(input, trial_path("calm.mp4"), "--workers=1", "--preset=ultrafast", NULL);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), trial_sha256(trial_path("calm.mp4")));
    command_wait(&host, 30);
    assert_int_equal(host.status, 0);
    return said;
}

// ---- Connections ----

static void knock(int number, const void *bytes, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    connections[number] = fd;
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    if (size > 0)
        assert_true(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

// The same without waiting for the kernel to take it, which it may not.
static void knock_on(int number)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    connections[number] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(connections[number] >= 0);
    connect(connections[number], (struct sockaddr *)&to, sizeof(to));
}

// ---- ZeroMQ ----

struct caller {
    void *context, *socket;
};

// key_name: NULL for plain text.
static struct caller call_in(void *context, const char *key_name)
{
    struct caller c = {.context = context};
    int wait_ms = ANSWER_MS, linger_ms = 0;
    struct curve_key key;
    char *why = NULL;

    c.socket = zmq_socket(c.context, ZMQ_DEALER);
    zmq_setsockopt(c.socket, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms));
    zmq_setsockopt(c.socket, ZMQ_SNDTIMEO, &wait_ms, sizeof(wait_ms));
    zmq_setsockopt(c.socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    if (key_name) {
        assert_int_equal(curve_read(&key, trial_path(key_name), &why), 0);
        zmq_setsockopt(c.socket, ZMQ_CURVE_SERVERKEY, key.coordinator, CURVE_BYTES);
        zmq_setsockopt(c.socket, ZMQ_CURVE_PUBLICKEY, key.public, CURVE_BYTES);
        zmq_setsockopt(c.socket, ZMQ_CURVE_SECRETKEY, key.secret, CURVE_BYTES);
    }
    assert_int_equal(zmq_connect(c.socket, trial_format("tcp://127.0.0.1:%s", port)), 0);
    return c;
}

static struct caller call(const char *key_name)
{
    return call_in(zmq_ctx_new(), key_name);
}

static void hang_up_caller(struct caller *c)
{
    zmq_close(c->socket);
    zmq_ctx_term(c->context);
}

static void say_hello(const struct caller *c, const char *libraries, const char *cpu, uint32_t protocol)
{
    Wire__Hello body = WIRE__HELLO__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;
    zmq_msg_t part;

    body.protocol = protocol;
    body.libraries = (char *)(uintptr_t)libraries; // packing only reads
    body.cpu = (char *)(uintptr_t)cpu;
    body.pid = body.threads = 1;
    body.host = (char *)(uintptr_t) "elsewhere";
    body.has_place = body.has_since_ns = 1;
    body.place = body.since_ns = 1 + protocol;
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &body;
    protocol_pack(&part, &message);
    assert_true(zmq_msg_send(&part, c->socket, 0) > 0);
}

// What our renderers say of their libraries; this program has others.
static const char *libraries(void)
{
    const char *said = trial_output(ARGUMENTS(program("renderfarm-renderer"), "--verbose", "--version")), *line = strchr(said, '\n');

    assert_true(line && strchr(line + 1, '\n'));
    return trial_format("%.*s", (int)strcspn(line + 1, "\n"), line + 1);
}

// The same with another build of one of them.
static const char *other_libraries(const char *name)
{
    const char *ours = libraries(), *build = strstr(ours, trial_format(" %s", name));

    assert_non_null(build);
    build += strcspn(build, "=") + 1;
    return trial_format("%.*s%c%s", (int)(build - ours), ours, *build == '0' ? '1' : '0', build + 1);
}

// The first refusal that comes.
static void expect_refusal(const struct caller *c, const char *reason)
{
    for (;;) {
        const char *why;
        Wire__Message *message;
        zmq_msg_t part;
        bool refused;

        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, c->socket, 0) < 0)
            fail_msg("no answer");
        message = protocol_unpack(zmq_msg_data(&part), zmq_msg_size(&part), &why);
        assert_non_null(message);
        refused = message->body_case == WIRE__MESSAGE__BODY_REFUSE;
        if (refused)
            assert_told(message->refuse->reason, reason);
        wire__message__free_unpacked(message, NULL);
        zmq_msg_close(&part);
        if (refused)
            return;
    }
}

// ---- Tests ----

// Both keys are for this coordinator, so only the list tells them apart.
static void a_key_that_is_not_listed_is_not_let_in(void **state)
{
    struct command *job;
    size_t size;
    char *list;

    (void)state;
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_path("farm.key")));
    make_key("node.key");
    list = trial_read(trial_path("farm.key.authorised"), &size);
    trial_write(trial_path("list"), list, size);
    make_key("stranger.key");
    job = start_job(trial_format("--authorised-keys=%s", trial_path("list")));
    start_host("stranger.key", NULL);
    command_wait(&host, 30);
    assert_int_equal(host.status, 1);
    assert_told(host.err, "the coordinator does not let this key in; it has to be on its list of authorised keys");
    assert_non_null(command_wait_for_error(job, 0, " knocked with a key that is not authorised: ", 30));
    assert_told(finish(job),
                "1 renderers joined, 0 left, 0 were lost, 0 refused; 2 connections, of which 1 had no right key and 0 were none of ours");
}

// The list is looked at again for each who knocks.
static void a_key_is_taken_off_and_one_is_added_while_the_job_runs(void **state)
{
    struct command *job;
    size_t size;
    char *list;

    (void)state;
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_path("farm.key")));
    list = trial_read(trial_path("farm.key.authorised"), &size);
    make_key("stranger.key");
    job = start_job(NULL);
    trial_write(trial_path("farm.key.authorised"), list, size);
    start_host("stranger.key", NULL);
    command_wait(&host, 30);
    assert_int_equal(host.status, 1);
    assert_told(host.err, "the coordinator does not let this key in; it has to be on its list of authorised keys");
    make_key("node.key");
    assert_told(finish(job),
                "1 renderers joined, 0 left, 0 were lost, 0 refused; 2 connections, of which 1 had no right key and 0 were none of ours");
}

// A key for another coordinator: the two never understand each other.
static void a_key_for_another_coordinator_opens_nothing(void **state)
{
    struct command *job = start_job(NULL);

    (void)state;
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_path("other.key")));
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_format("--for=%s", trial_path("other.key")), trial_path("others.key")));
    start_host("others.key", "--wait=1");
    command_wait(&host, 60);
    assert_int_equal(host.status, 1);
    assert_told(host.err, "somebody answers there who is no coordinator that this key is for (see renderfarm-keygen --for); leaving");
    assert_told(finish(job), "1 renderers joined, 0 left, 0 were lost, 0 refused; ");
}

static void plain_text_is_not_heard(void **state)
{
    struct command *job = start_job(NULL);
    const char *ours = libraries(), *said; // before the connection is there, which will not be for long
    struct caller plain = call(NULL);

    (void)state;
    say_hello(&plain, ours, avx_cpu(), PROTOCOL_VERSION);
    said = finish(job);
    assert_told(said, "1 renderers joined, 0 left, 0 were lost, 0 refused; ");
    assert_null(strstr(said, "elsewhere"));
    hang_up_caller(&plain);
}

// Each of them in all the ways that we know of.
static void pester(int times)
{
    static const char greeting[64] = {(char)0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'C', 'U', 'R', 'V', 'E'};
    static const char web[] = "GET / HTTP/1.1\r\nHost: farm\r\n\r\n";
    unsigned char noise[4096];

    srand(1);
    for (int i = 0; i < times; i++) {
        for (size_t j = 0; j < sizeof(noise); j++)
            noise[j] = (unsigned char)rand();
        knock(0, NULL, 0);
        knock(1, web, sizeof(web) - 1);
        knock(2, noise, sizeof(noise));
        // As one of ours begins, and then nothing that makes sense.
        knock(3, greeting, sizeof(greeting));
        assert_true(send(connections[3], noise, sizeof(noise), MSG_NOSIGNAL) > 0);
        hang_up();
    }
}

static void a_port_scan_and_garbage_cost_a_counter(void **state)
{
    struct command *job = start_job(NULL);

    (void)state;
    pester(50);
    assert_told(finish(job),
                "1 renderers joined, 0 left, 0 were lost, 0 refused; 201 connections, of which 0 had no right key and 200 were none of ours");
}

// With more of our own inside than strangers may be at the door, who came and went long ago must not be taken for being there still.
static void strangers_are_forgotten_when_they_are_gone(void **state)
{
    struct caller inside[MOST_INSIDE];
    struct command *job = start_job(NULL);

    (void)state;
    inside[0] = call("node.key");
    for (int i = 1; i < MOST_INSIDE; i++)
        inside[i] = call_in(inside[0].context, "node.key");
    for (int i = 0; i < MOST_INSIDE; i++) {
        say_hello(&inside[i], "libavcodec 1.2.3", avx_cpu(), PROTOCOL_VERSION); // the answer tells that it is in
        expect_refusal(&inside[i], "its FFmpeg libraries are not the coordinator's");
    }
    pester(100);
    assert_told(finish(job), "1 renderers joined, 0 left, 0 were lost, 300 refused; ");
    for (int i = MOST_INSIDE - 1; i > 0; i--)
        zmq_close(inside[i].socket);
    hang_up_caller(&inside[0]);
}

// They are not even told to go: who is in is not held up, and who belongs in gets in when they have had their five seconds.
static void a_flood_of_connections_keeps_nobody_out_for_long(void **state)
{
    struct command *job = start_job(NULL);

    (void)state;
    for (int i = 0; i < MOST_CONNECTIONS; i++)
        knock_on(i);
    assert_told(finish(job), "1 renderers joined, 0 left, 0 were lost, 0 refused; ");
    hang_up();
}

static void other_libraries_and_processors_are_refused_with_the_reason(void **state)
{
    struct command *job = start_job(NULL);
    struct caller old, odd, filters, encoder, other;

    (void)state;
    old = call("node.key");
    say_hello(&old, libraries(), avx_cpu(), PROTOCOL_VERSION + 1);
    expect_refusal(&old, "it speaks another version of the protocol");
    odd = call("node.key");
    say_hello(&odd, "libavcodec 1.2.3", avx_cpu(), PROTOCOL_VERSION);
    expect_refusal(&odd, "its FFmpeg libraries are not the coordinator's");
    assert_non_null(command_wait_for_error(job, 0, "its FFmpeg libraries are not the coordinator's", 30));
    hang_up_caller(&old);
    hang_up_caller(&odd);
    // The first that comes says what all have to be like.
    start_host("node.key", NULL);
    assert_non_null(command_wait_for_error(job, 0, "renderer 0 is ready (process ", 60));
    filters = call("node.key");
    encoder = call("node.key");
    other = call("node.key");
    say_hello(&filters, avx_libraries(), avx_cpu(), PROTOCOL_VERSION);
    say_hello(&encoder, other_libraries("libx264"), avx_cpu(), PROTOCOL_VERSION);
    say_hello(&other, libraries(), "another processor", PROTOCOL_VERSION);
    // It may have come to its end by then.
    if (command_wait_for_error(job, 0, "its libraries are not those of the other renderers", 20))
        expect_refusal(&filters, "its libraries are not those of the other renderers");
    if (command_wait_for_error(job, 0, "a renderer on 127.0.0.1 was refused: its libx264.so.", 20))
        expect_refusal(&encoder, " is not that of the other renderers");
    if (command_wait_for_error(job, 0, "a renderer on elsewhere was refused: its processor (another processor) is not like the others' ", 20))
        expect_refusal(&other, "; --mixed-cpus lets it join");
    command_wait(job, 120);
    assert_int_equal(job->status, 0);
    hang_up_caller(&filters);
    hang_up_caller(&encoder);
    hang_up_caller(&other);
    command_wait(&host, 30);
}

// Whoever calls first says what all have to be like, but not to this host's own renderers, however long they take to come.
static void renderers_of_this_host_come_first(void **state)
{
    const char *script = trial_path("renderer"), *gate = trial_path("gate"), *text = "listening at tcp://127.0.0.1:", *at, *lines;
    struct caller encoder, old;
    struct command *job;
    char real[PATH_MAX];
    FILE *opened;

    (void)state;
    input = trial_sample("silent.mp4");
    trial_output(ARGUMENTS(program("renderfarm-keygen"), trial_path("farm.key")));
    make_key("node.key");
    assert_int_equal(mkfifo(gate, 0600), 0);
    assert_non_null(realpath(program("renderfarm-renderer"), real));
    lines = trial_format("#!/bin/sh\nread word <'%s'\nexec '%s' \"$@\"\n", gate, real);
    trial_write(script, lines, strlen(lines));
    assert_int_equal(chmod(script, 0700), 0);
    setenv("RENDERFARM_RENDERER", script, 1);
    job = trial_start(ARGUMENTS("-v", "--workers=1", "--preset=ultrafast", "--listen=tcp://127.0.0.1:0", "--progress=off",
                                trial_format("--key=%s", trial_path("farm.key")), input, trial_path("out.mp4")));
    unsetenv("RENDERFARM_RENDERER");
    at = command_wait_for_error(job, 0, text, 60);
    assert_non_null(at);
    port = trial_format("%ld", strtol(at + strlen(text), NULL, 10));
    encoder = call("node.key");
    say_hello(&encoder, other_libraries("libx264"), avx_cpu(), PROTOCOL_VERSION);
    old = call("node.key");
    say_hello(&old, libraries(), avx_cpu(), PROTOCOL_VERSION + 1);
    expect_refusal(&old, "it speaks another version of the protocol");
    opened = fopen(gate, "w"); // waits for the renderer
    assert_true(opened && fputs("go\n", opened) > 0 && fclose(opened) == 0);
    expect_refusal(&encoder, " is not that of the other renderers");
    command_wait(job, 60);
    if (job->status != 0)
        fail_msg("status %d: %s", job->status, job->err);
    hang_up_caller(&encoder);
    hang_up_caller(&old);
}

// With a right key, but it makes no sense: it is sent away, and the others go on.
static void nonsense_from_one_who_is_let_in_harms_nobody(void **state)
{
    struct command *job = start_job(NULL);
    struct caller caller;
    unsigned char noise[512];

    (void)state;
    caller = call("node.key");
    srand(2);
    for (int i = 0; i < 200; i++) { // before a hello nothing is heard
        for (size_t j = 0; j < sizeof(noise); j++)
            noise[j] = (unsigned char)rand();
        zmq_send(caller.socket, noise, (size_t)rand() % sizeof(noise), rand() % 2 ? ZMQ_SNDMORE : 0);
    }
    zmq_send(caller.socket, noise, 1, 0);
    say_hello(&caller, libraries(), avx_cpu(), PROTOCOL_VERSION);
    assert_non_null(command_wait_for_error(job, 0, "renderer 0 is ready (process 1 on elsewhere)", 30));
    for (int i = 0; i < 3; i++)
        zmq_send(caller.socket, noise, sizeof(noise), 0);
    assert_non_null(command_wait_for_error(job, 0, "renderer 0 on elsewhere ", 30));
    finish(job);
    hang_up_caller(&caller);
}

#define STRANGERS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STRANGERS(a_key_that_is_not_listed_is_not_let_in),
        STRANGERS(a_key_is_taken_off_and_one_is_added_while_the_job_runs),
        STRANGERS(a_key_for_another_coordinator_opens_nothing),
        STRANGERS(plain_text_is_not_heard),
        STRANGERS(a_port_scan_and_garbage_cost_a_counter),
        STRANGERS(strangers_are_forgotten_when_they_are_gone),
        STRANGERS(a_flood_of_connections_keeps_nobody_out_for_long),
        STRANGERS(other_libraries_and_processors_are_refused_with_the_reason),
        STRANGERS(renderers_of_this_host_come_first),
        STRANGERS(nonsense_from_one_who_is_let_in_harms_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
