// What is said to have been handed over is seen to be so, or left alone.
#include "coordinator/early.h"

#include "common/arena.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// This program again: see main.
static struct early start(void)
{
    struct early e = {.frames_fd = arena_create()};

    assert_true(e.frames_fd >= 0);
    assert_int_equal(nursery_process_start(&e.nursery, "/proc/self/exe", e.frames_fd), 0);
    return e;
}

static void receive(const char *text)
{
    setenv(EARLY_VARIABLE, text, 1);
    early_receive();
    assert_null(getenv(EARLY_VARIABLE));
}

static void receive_numbers(long pid, long socket, long frames_fd)
{
    char text[100];

    snprintf(text, sizeof(text), "%ld:%ld:%ld", pid, socket, frames_fd);
    receive(text);
}

static void assert_nothing_was_received(void)
{
    struct early e;

    assert_false(early_claim(&e));
    early_end(); // and it harms nobody
}

static void what_is_handed_over_is_claimed_once(void **state)
{
    struct early e = start(), claimed;

    (void)state;
    assert_int_equal(early_hand_over(&e), 0);
    assert_int_equal(fcntl(e.nursery.socket, F_GETFD), 0);
    assert_int_equal(fcntl(e.frames_fd, F_GETFD), 0);
    early_receive();
    assert_null(getenv(EARLY_VARIABLE));
    assert_true(early_claim(&claimed));
    assert_int_equal(claimed.nursery.pid, e.nursery.pid);
    assert_int_equal(fcntl(claimed.nursery.socket, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(claimed.frames_fd, F_GETFD), FD_CLOEXEC);
    assert_true(arena_is(claimed.frames_fd));
    assert_nothing_was_received();
    nursery_process_end(&claimed.nursery);
    close(claimed.frames_fd);
}

static void what_nobody_claims_is_no_more_at_the_end(void **state)
{
    struct early e = start();

    (void)state;
    assert_int_equal(early_hand_over(&e), 0);
    early_receive();
    early_end();
    assert_int_equal(kill(e.nursery.pid, 0), -1);
    assert_nothing_was_received();
}

static void a_variable_that_makes_no_sense_is_left_alone(void **state)
{
    static const char *const texts[] = {
        "",
        "garbage",
        ":",
        "::",
        "1",
        "1:2",
        "1:2:",
        "1:2:3:",
        "1:2:3:4",
        "-1:5:6",
        "+1:5:6",
        " 1:5:6",
        "1:5:6 ",
        "0x1:5:6",
        "99999999999999999999:5:6",
        "1:4294967301:6",
        "0:0:0",
        "1:1023:1022",
        "2147483647:2147483647:2147483647",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        receive(texts[i]);
        assert_nothing_was_received();
    }
    early_receive();
    assert_nothing_was_received();
}

static void descriptors_of_other_kinds_are_left_alone(void **state)
{
    struct early e = start();
    int streams[2], ends[2], file = open("/dev/null", O_RDWR), memory = memfd_create("other", 0);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, streams), 0);
    assert_int_equal(pipe(ends), 0);
    const int not_sockets[] = {streams[0], ends[0], file, memory, e.frames_fd, 0, 1, 2, 1000}, not_memory[] = {file, memory, e.nursery.socket, 1000};

    for (size_t i = 0; i < sizeof(not_sockets) / sizeof(not_sockets[0]); i++) {
        receive_numbers(e.nursery.pid, not_sockets[i], e.frames_fd);
        assert_nothing_was_received();
    }
    for (size_t i = 0; i < sizeof(not_memory) / sizeof(not_memory[0]); i++) {
        receive_numbers(e.nursery.pid, e.nursery.socket, not_memory[i]);
        assert_nothing_was_received();
    }
    assert_int_equal(fcntl(streams[0], F_GETFD), 0); // somebody else's, and as it was
    assert_int_equal(kill(e.nursery.pid, 0), 0);
    nursery_process_end(&e.nursery);
    for (int i = 0; i < 2; i++) {
        close(streams[i]);
        close(ends[i]);
    }
    close(file);
    close(memory);
    close(e.frames_fd);
}

// Sockets that another process has made are another nursery's.
static void sockets_of_another_process_are_left_alone(void **state)
{
    struct early e = start();
    int status;
    pid_t other = fork();

    (void)state;
    if (other == 0) {
        struct early claimed;

        receive_numbers(e.nursery.pid, e.nursery.socket, e.frames_fd);
        _exit(early_claim(&claimed));
    }
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    nursery_process_end(&e.nursery);
    close(e.frames_fd);
}

static void who_is_not_a_living_child_is_left_alone(void **state)
{
    const pid_t others[] = {0, 1, getpid(), getppid()};

    (void)state;
    for (size_t i = 0; i <= sizeof(others) / sizeof(others[0]); i++) {
        struct early e = start();
        bool ended = i == sizeof(others) / sizeof(others[0]);
        siginfo_t info;

        if (ended) {
            kill(e.nursery.pid, SIGKILL);
            assert_int_equal(waitid(P_PID, (id_t)e.nursery.pid, &info, WEXITED | WNOWAIT), 0);
        }
        receive_numbers(ended ? e.nursery.pid : others[i], e.nursery.socket, e.frames_fd);
        assert_nothing_was_received();
        assert_int_equal(fcntl(e.nursery.socket, F_GETFD), -1); // ours all the same, and not for programs that are started
        assert_int_equal(fcntl(e.frames_fd, F_GETFD), -1);
        if (!ended)
            nursery_process_end(&e.nursery);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_handed_over_is_claimed_once),          cmocka_unit_test(what_nobody_claims_is_no_more_at_the_end),
        cmocka_unit_test(a_variable_that_makes_no_sense_is_left_alone), cmocka_unit_test(descriptors_of_other_kinds_are_left_alone),
        cmocka_unit_test(sockets_of_another_process_are_left_alone),    cmocka_unit_test(who_is_not_a_living_child_is_left_alone),
    };
    char byte;

    (void)argv;
    if (argc > 1) // the nursery, which waits
        return read(STDIN_FILENO, &byte, 1) != 0;
    return cmocka_run_group_tests_name("early", tests, NULL, NULL);
}
