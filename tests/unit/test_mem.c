// An abort, in a process of its own.
#include "common/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// What it says.
static const char *abort_with(bool memory)
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
        if (!memory)
            setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20}); // less than there is already
        mem_explain_aborts();
        abort();
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
    assert_string_equal(abort_with(false), "renderfarm: out of memory (see ulimit -v and -d)\n");
}

static void another_abort_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(abort_with(true), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_without_memory_says_so),
        cmocka_unit_test(another_abort_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
