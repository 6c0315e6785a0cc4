// Who looks after renderers on a host far away: when another one is started, and what the host's own status is in the end.
#include "renderer/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// A keeper of one renderer, which ends with that status, and the next one with another; the keeper's own. The next one has to be told of the first.
static int keep(int first, int next, const char *told)
{
    pid_t keeper = fork();
    int how = 0, status;

    assert_true(keeper >= 0);
    if (keeper == 0) {
        struct keeper_place place;

        if (!keeper_run(1, 60, &place, &status))
            _exit(status);
        if (!place.ended)
            _exit(first);
        _exit(strcmp(place.ended, told) == 0 ? next : KEEPER_FAILED);
    }
    assert_int_equal(waitpid(keeper, &how, 0), keeper);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

static void who_leaves_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(keep(KEEPER_LEFT, KEEPER_FAILED, ""), 0);
}

static void who_would_fail_again_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(keep(KEEPER_FAILED, KEEPER_LEFT, ""), 1);
}

static void who_may_do_better_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(keep(KEEPER_AGAIN, KEEPER_LEFT, "exited with status 75"), 0);
}

// As a plugin does that calls exit: the next renderer says so, and the segment counts as one that ends renderers.
static void who_is_ended_by_a_plugin_is_replaced(void **state)
{
    (void)state;
    // The second one fails, which shows that it was there.
    assert_int_equal(keep(EXIT_SUCCESS, KEEPER_FAILED, "exited with status 0"), 1);
    assert_int_equal(keep(EXIT_FAILURE, KEEPER_LEFT, "exited with status 1"), 0);
}

// One that crashes at once, and so do all that follow; welcomed: but not before a coordinator has had a word for it. The fifth leaves.
static int keep_crashing(bool welcomed, double wait_s)
{
    bool *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t keeper = fork();
    int how = 0, status;

    assert_true(keeper >= 0);
    if (keeper == 0) {
        struct keeper_place place;
        int number = 0;

        if (!keeper_run(1, wait_s, &place, &status))
            _exit(status);
        while (count[number])
            number++;
        count[number] = true;
        *place.welcomed = welcomed;
        _exit(number == 4 ? KEEPER_LEFT : 1);
    }
    assert_int_equal(waitpid(keeper, &how, 0), keeper);
    munmap(count, 4096);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

static void who_never_gets_as_far_as_a_coordinator_is_given_up(void **state)
{
    (void)state;
    assert_int_equal(keep_crashing(false, 1), 1);
    assert_int_equal(keep_crashing(true, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_leaves_is_not_replaced),
        cmocka_unit_test(who_would_fail_again_is_not_replaced),
        cmocka_unit_test(who_may_do_better_is_replaced),
        cmocka_unit_test(who_is_ended_by_a_plugin_is_replaced),
        cmocka_unit_test(who_never_gets_as_far_as_a_coordinator_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
