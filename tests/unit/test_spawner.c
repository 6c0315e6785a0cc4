// Starts this program again as the renderer: by itself, or born of a nursery that is this program too.
#include "coordinator/nursery.h"
#include "coordinator/spawner.h"
#include "renderer/nursery.h"

#include "common/arena.h"
#include "common/birth.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 4 };

struct ends {
    uv_loop_t loop;
    struct spawner *spawner;
    int frames_fd, started, count;
    struct spawner_exit exits[MOST];
    char words[MOST][100];
    uint32_t pids[MOST]; // as they are known at their end
};

static void on_exit_of(void *data, const struct spawner_exit *fact)
{
    struct ends *e = data;

    assert_true(fact->slot < MOST);
    e->exits[fact->slot] = *fact;
    snprintf(e->words[fact->slot], sizeof(e->words[0]), "%s", fact->last_words);
    e->count++;
}

static void begin(struct ends *e, bool many)
{
    *e = (struct ends){.frames_fd = arena_create()};
    assert_true(e->frames_fd >= 0);
    assert_int_equal(uv_loop_init(&e->loop), 0);
    e->spawner = spawner_new(&e->loop, "/proc/self/exe", e->frames_fd, many, on_exit_of, e);
}

// what: see do_what.
static void start(struct ends *e, const char *what)
{
    struct birth_wish wish = {.slot = (uint32_t)e->started, .threads = 3, .verbosity = -1};
    uint32_t pid;

    snprintf(wish.endpoint, sizeof(wish.endpoint), "%s", what);
    assert_int_equal(spawner_start(e->spawner, &wish, &pid), 0);
    e->pids[e->started++] = pid;
}

static void wait_for_all(struct ends *e)
{
    while (e->count < e->started)
        uv_run(&e->loop, UV_RUN_ONCE);
    assert_int_equal(spawner_running(e->spawner), 0);
}

// That children write into the shared memory; the loop stands still.
static void wait_for_bytes(const struct ends *e, off_t count)
{
    while (lseek(e->frames_fd, 0, SEEK_END) < count)
        ;
}

static void end(struct ends *e)
{
    if (e->count == e->started) // nothing else keeps a job from its end
        uv_run(&e->loop, UV_RUN_DEFAULT);
    spawner_free(&e->spawner);
    // Also those are gone that were killed before anybody knew them.
    if (e->count == e->started)
        assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    uv_run(&e->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&e->loop), 0);
    close(e->frames_fd);
}

static void assert_exit(const struct ends *e, uint32_t slot, int status, int signal, const char *words)
{
    assert_int_equal(e->exits[slot].status, status);
    assert_int_equal(e->exits[slot].signal, signal);
    assert_string_equal(e->words[slot], words);
}

static void children_have_their_slot_their_end_and_their_last_words(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, false);
    start(&e, "--tell");
    start(&e, "--tell");
    assert_true(e.pids[0] > 0 && e.pids[1] > 0);
    wait_for_all(&e);
    assert_exit(&e, 0, 10, 0, "started, slot 0, --slot=000000");
    assert_exit(&e, 1, 11, 0, "started, slot 1, --slot=000001");
    end(&e);
}

static void those_who_are_born_are_like_those_who_were_started(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, true);
    for (int i = 0; i < 3; i++)
        start(&e, "--tell");
    assert_int_equal(e.pids[0], 0);
    spawner_settle(e.spawner);
    start(&e, "--tell");
    assert_true(e.pids[3] > 0);
    wait_for_all(&e);
    assert_exit(&e, 0, 10, 0, "born, slot 0, --slot=000000");
    assert_exit(&e, 1, 11, 0, "born, slot 1, --slot=000001");
    assert_exit(&e, 2, 12, 0, "born, slot 2, --slot=000002");
    assert_exit(&e, 3, 13, 0, "started, slot 3, --slot=000003");
    end(&e);
}

static void a_nursery_that_was_there_before_is_used_be_it_for_one(void **state)
{
    struct nursery_process process;
    struct ends e;

    (void)state;
    begin(&e, false);
    assert_int_equal(nursery_process_start(&process, "/proc/self/exe", e.frames_fd), 0);
    spawner_adopt(e.spawner, &process);
    assert_int_equal(process.pid, 0);
    start(&e, "--tell");
    assert_int_equal(e.pids[0], 0);
    spawner_settle(e.spawner);
    start(&e, "--tell");
    wait_for_all(&e);
    assert_exit(&e, 0, 10, 0, "born, slot 0, --slot=000000");
    assert_exit(&e, 1, 11, 0, "started, slot 1, --slot=000001");
    end(&e);
}

static void a_nursery_that_nobody_asks_is_no_more_when_it_is_ended(void **state)
{
    struct nursery_process process;
    int frames_fd = arena_create();
    pid_t pid;

    (void)state;
    assert_int_equal(nursery_process_start(&process, "/proc/self/exe", frames_fd), 0);
    pid = process.pid;
    nursery_process_end(&process);
    assert_int_equal(kill(pid, 0), -1);
    nursery_process_end(&process);
    close(frames_fd);
}

static void count_birth(void *data, const struct birth *birth)
{
    (void)birth;
    ++*(int *)data;
}

static void nobody_is_born_of_a_wish_that_makes_no_sense(void **state)
{
    struct birth_wish wishes[] = {
        {.threads = 1}, {.threads = 0, .endpoint = "--tell"}, {.threads = BIRTH_MOST_THREADS + 1, .endpoint = "--tell"}, {.threads = 1}};
    int frames_fd = arena_create(), births = 0;
    uv_loop_t loop;

    (void)state;
    memset(wishes[3].endpoint, '-', sizeof(wishes[3].endpoint));
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        struct nursery_process process;
        struct nursery *nursery;
        int pid, status;

        assert_int_equal(nursery_process_start(&process, "/proc/self/exe", frames_fd), 0);
        pid = process.pid;
        nursery = nursery_new(&loop, &process, count_birth, &births);
        assert_non_null(nursery);
        assert_int_equal(nursery_ask(nursery, &wishes[i], STDIN_FILENO, STDERR_FILENO), 0);
        nursery_settle(nursery);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        nursery_hear(nursery);
        assert_int_equal(births, 0);
        nursery_free(&nursery);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    close(frames_fd);
}

static void a_process_is_known_before_it_can_have_said_a_word(void **state)
{
    struct ends e;
    uint32_t pid;

    (void)state;
    begin(&e, true);
    start(&e, "--write-pid");
    wait_for_bytes(&e, sizeof(pid)); // that are written as it would say hello
    assert_int_equal(pread(e.frames_fd, &pid, sizeof(pid), 0), sizeof(pid));
    assert_int_equal(spawner_pid(e.spawner, 0), pid);
    assert_int_equal(spawner_pid(e.spawner, 1), 0);
    wait_for_all(&e);
    end(&e);
}

static void who_is_to_be_killed_before_it_is_born_is_killed_then(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, true);
    start(&e, "--wait");
    start(&e, "--wait");
    spawner_kill_one(e.spawner, 0, SIGTERM);
    spawner_kill_one(e.spawner, 1, SIGKILL);
    wait_for_all(&e);
    // Who has just told its birth is still in the nursery's group for a moment, and may go with the others.
    if (e.exits[0].signal != SIGKILL)
        assert_exit(&e, 0, 0, SIGTERM, "");
    assert_exit(&e, 1, 0, SIGKILL, "");
    end(&e);
}

static void a_nursery_that_hangs_goes_with_whom_it_was_to_give_birth_to(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, true);
    setenv("NURSERY_HANGS", "1", 1);
    start(&e, "--tell");
    unsetenv("NURSERY_HANGS");
    spawner_kill_one(e.spawner, 0, SIGKILL);
    wait_for_all(&e);
    assert_exit(&e, 0, 0, SIGKILL, "");
    end(&e);
}

static void who_stops_before_its_birth_is_told_is_killed(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, true);
    setenv("NURSERY_STOPS", "1", 1);
    start(&e, "--tell");
    unsetenv("NURSERY_STOPS");
    wait_for_bytes(&e, 1); // it has taken its place
    spawner_kill_one(e.spawner, 0, SIGKILL);
    wait_for_all(&e);
    assert_exit(&e, 0, 0, SIGKILL, "");
    end(&e);
}

static void a_wish_that_nobody_reads_ends_though_others_have_the_socket(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, true);
    setenv("NURSERY_STOPS", "told", 1);
    start(&e, "--tell");
    start(&e, "--tell");
    unsetenv("NURSERY_STOPS");
    wait_for_bytes(&e, 1); // the first one lives, and stands still
    spawner_kill_one(e.spawner, 1, SIGKILL);
    while (e.count < 1)
        uv_run(&e.loop, UV_RUN_ONCE);
    assert_exit(&e, 1, 0, SIGKILL, "");
    spawner_kill_one(e.spawner, 0, SIGKILL);
    wait_for_all(&e);
    assert_exit(&e, 0, 0, SIGKILL, "");
    end(&e);
}

static void a_birth_is_heard_of_though_the_nursery_was_killed_with_wishes_unread(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, true);
    setenv("NURSERY_DIES", "1", 1);
    start(&e, "--wait");
    wait_for_bytes(&e, 1); // the child has said that it is there, and closed the connection
    start(&e, "--wait");
    unsetenv("NURSERY_DIES");
    assert_int_equal(pwrite(e.frames_fd, "", 1, 1), 1);
    wait_for_bytes(&e, 3); // it has killed the nursery
    spawner_kill_one(e.spawner, 0, SIGKILL);
    spawner_kill_one(e.spawner, 1, SIGKILL);
    wait_for_all(&e);
    assert_exit(&e, 0, 0, SIGKILL, "");
    assert_exit(&e, 1, 0, SIGKILL, "");
    end(&e);
}

static void who_is_not_born_is_told_as_ended(void **state)
{
    struct ends e;

    (void)state;
    begin(&e, true);
    setenv("NURSERY_FAILS", "1", 1);
    start(&e, "--tell");
    wait_for_all(&e);
    unsetenv("NURSERY_FAILS");
    assert_exit(&e, 0, 1, 0, "");
    // Then it is done without.
    start(&e, "--tell");
    wait_for_all(&e);
    assert_exit(&e, 1, 11, 0, "started, slot 1, --slot=000001");
    end(&e);
}

static void all_leave_when_nobody_is_interested_any_more(void **state)
{
    struct ends e;
    int ends[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0); // which all of them have, because it is not closed for them
    begin(&e, true);
    start(&e, "--wait");
    start(&e, "--wait");
    end(&e);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

// In place of the nursery's child, which is what holds the standard error: without a word, and deaf to the end of its standard input. The nursery
// ends.
// told: with the word that it is born.
static int be_stopped(bool told)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(BIRTH_DESCRIPTORS * sizeof(int))];
    } control;
    struct birth_wish wish;
    struct birth birth;
    struct iovec part = {.iov_base = &wish, .iov_len = sizeof(wish)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

    if (recvmsg(STDIN_FILENO, &message, 0) != sizeof(wish))
        return 1;
    if (fork() != 0)
        return 0;
    birth = (struct birth){.slot = wish.slot, .pid = (uint32_t)getpid()};
    if (told && (send(STDIN_FILENO, &birth, sizeof(birth), MSG_NOSIGNAL) != sizeof(birth) || setsid() < 0))
        return 1;
    if (write(ARENA_FD, "", 1) != 1)
        return 1;
    return raise(SIGSTOP);
}

// The nursery hangs with further wishes unread, until it is killed by the one that was born.
static int bear_and_die(void)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(BIRTH_DESCRIPTORS * sizeof(int))];
    } control;
    struct birth birth;
    struct birth_wish wish;
    struct iovec part = {.iov_base = &wish, .iov_len = sizeof(wish)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    pid_t nursery = getpid();

    if (fork() != 0)
        return pause();
    if (recvmsg(STDIN_FILENO, &message, 0) != sizeof(wish))
        return 1;
    birth = (struct birth){.slot = wish.slot, .pid = (uint32_t)getpid()};
    if (send(STDIN_FILENO, &birth, sizeof(birth), MSG_NOSIGNAL) != sizeof(birth))
        return 1;
    setsid();
    close(STDIN_FILENO);
    if (pwrite(ARENA_FD, "", 1, 0) != 1)
        return 1;
    while (lseek(ARENA_FD, 0, SEEK_END) < 2)
        ;
    kill(nursery, SIGKILL);
    while (getppid() == nursery)
        ;
    if (pwrite(ARENA_FD, "", 1, 2) != 1)
        return 1;
    return pause(); // until it is killed, too
}

// --tell: says how it came to be, and ends with 10 + its slot. --write-pid: into the shared memory. --wait: for the end of its standard input.
static int do_what(const char *what, uint32_t slot, const char *came, const char *slot_argument)
{
    uint32_t pid = (uint32_t)getpid();
    char byte;

    if (strcmp(what, "--write-pid") == 0)
        return pwrite(ARENA_FD, &pid, sizeof(pid), 0) != sizeof(pid);
    if (strcmp(what, "--wait") == 0)
        return read(STDIN_FILENO, &byte, 1) != 0;
    fprintf(stderr, "%s, slot %u, %s\n", came, slot, slot_argument);
    return 10 + (int)slot;
}

static int be_nursery(char *slot_argument)
{
    struct birth_wish wish;

    if (getenv("NURSERY_FAILS"))
        return recv(STDIN_FILENO, &wish, sizeof(wish), 0) > 0; // it has been asked
    if (getenv("NURSERY_HANGS"))
        return pause();
    if (getenv("NURSERY_STOPS"))
        return be_stopped(strcmp(getenv("NURSERY_STOPS"), "told") == 0);
    if (getenv("NURSERY_DIES"))
        return bear_and_die();
    nursery_run(&wish, slot_argument + strlen("--slot="));
    if (wish.threads != 3 || wish.verbosity != -1)
        return 1;
    return do_what(wish.endpoint, wish.slot, "born", slot_argument);
}

static int be_renderer(char **argv)
{
    if (strcmp(argv[3], "--threads=3") != 0 || strcmp(argv[4], "--verbosity=-1") != 0)
        return 1;
    return do_what(argv[1] + strlen("--connect="), (uint32_t)strtoul(argv[2] + strlen("--slot="), NULL, 10), "started", argv[2]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_have_their_slot_their_end_and_their_last_words),
        cmocka_unit_test(those_who_are_born_are_like_those_who_were_started),
        cmocka_unit_test(a_nursery_that_was_there_before_is_used_be_it_for_one),
        cmocka_unit_test(a_nursery_that_nobody_asks_is_no_more_when_it_is_ended),
        cmocka_unit_test(nobody_is_born_of_a_wish_that_makes_no_sense),
        cmocka_unit_test(a_process_is_known_before_it_can_have_said_a_word),
        cmocka_unit_test(who_is_to_be_killed_before_it_is_born_is_killed_then),
        cmocka_unit_test(a_nursery_that_hangs_goes_with_whom_it_was_to_give_birth_to),
        cmocka_unit_test(who_stops_before_its_birth_is_told_is_killed),
        cmocka_unit_test(a_wish_that_nobody_reads_ends_though_others_have_the_socket),
        cmocka_unit_test(a_birth_is_heard_of_though_the_nursery_was_killed_with_wishes_unread),
        cmocka_unit_test(who_is_not_born_is_told_as_ended),
        cmocka_unit_test(all_leave_when_nobody_is_interested_any_more),
    };

    if (argc > 1)
        return strcmp(argv[1], "--nursery") == 0 ? be_nursery(argv[2]) : be_renderer(argv);
    unsetenv("RENDERFARM_RENDERER");
    return cmocka_run_group_tests_name("spawner", tests, NULL, NULL);
}
