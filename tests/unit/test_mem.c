// An abort, in a process of its own.
#include "common/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum lack { LACKS_NOTHING, LACKS_NOTHING_AND_IS_SENT_IT, LACKS_MEMORY, LACKS_THREADS };

// The kernel does not limit the number of root's, so it is somebody else's then.
static void take_away_threads(void)
{
    if (geteuid() == 0 && setresuid(65533, 65533, 65533) < 0)
        _exit(1);
    setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0});
}

// What it says.
static const char *abort_with(enum lack lack)
{
    static char said[200];
    int ends[2], status;
    ssize_t size;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (lack == LACKS_THREADS)
            take_away_threads();
        if (lack == LACKS_MEMORY)
            setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20}); // less than there is already
        mem_explain_aborts();
        if (lack == LACKS_NOTHING_AND_IS_SENT_IT)
            kill(getpid(), SIGABRT);
        else
            abort();
        _exit(1);
    }
    close(ends[1]);
    size = read(ends[0], said, sizeof(said) - 1);
    close(ends[0]);
    assert_true(size >= 0);
    said[size] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return said;
}

static void an_abort_without_memory_says_so(void **state)
{
    (void)state;
    assert_string_equal(abort_with(LACKS_MEMORY), "renderfarm: out of memory (see ulimit -v and -d)\n");
}

static void an_abort_without_threads_says_so(void **state)
{
    (void)state;
    assert_string_equal(abort_with(LACKS_THREADS),
                        "renderfarm: no more threads or processes can be made (see ulimit -u, and pids.max of the control group)\n");
}

static void another_abort_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(abort_with(LACKS_NOTHING), "");
    assert_string_equal(abort_with(LACKS_NOTHING_AND_IS_SENT_IT), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_without_memory_says_so),
        cmocka_unit_test(an_abort_without_threads_says_so),
        cmocka_unit_test(another_abort_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
