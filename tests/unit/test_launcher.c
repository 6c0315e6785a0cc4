#include "coordinator/door.h"
#include "coordinator/launcher.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_command(const char *template, const char *endpoint, const char *expected)
{
    struct launcher_setup setup = {.template = template, .renderer = "/opt/it's here/renderfarm-renderer", .endpoint = endpoint, .workers = 12};
    char *command = launcher_command(&setup, "head");

    assert_string_equal(command, expected);
    free(command);
}

static void words_in_braces_are_replaced(void **state)
{
    (void)state;
    expect_command("srun -n {workers} {renderer} --connect={endpoint} -j 1", "tcp://10.0.0.1:7000",
                   "srun -n 12 '/opt/it'\\''s here/renderfarm-renderer' --connect=tcp://10.0.0.1:7000 -j 1");
    expect_command("{workers}{workers}", "tcp://10.0.0.1:7000", "1212");
    expect_command("a ${b} {c} tcp://$X:{port}", "tcp://10.0.0.1:7000", "a ${b} {c} tcp://$X:7000");
}

static void an_address_for_all_becomes_the_hosts_name(void **state)
{
    (void)state;
    expect_command("{endpoint}", "tcp://0.0.0.0:7000", "tcp://head:7000");
    expect_command("{endpoint}", "tcp://[::]:7000", "tcp://head:7000");
    expect_command("{endpoint}", "tcp://[fd00::1]:7000", "'tcp://[fd00::1]:7000'");
}

static void a_command_that_hands_over_no_address_is_refused(void **state)
{
    (void)state;
    assert_non_null(launcher_problem("srun {renderer}"));
    assert_null(launcher_problem("srun {renderer} {endpoint}"));
    assert_null(launcher_problem("x {port}"));
}

static void endpoints_are_checked(void **state)
{
    static const char *const right[] = {"tcp://*:0", "tcp://127.0.0.1:65535", "tcp://[::1]:7000", "tcp://head.example:1"};
    static const char *const wrong[] = {"",           "tcp://",       "tcp://*",     "tcp://*:",     "tcp://*:65536",
                                        "tcp://*:7x", "ipc:///tmp/x", "tcp://a b:1", "tcp://a;rm:1", "tcp://::1:7000",
                                        "tcp://[]:1", "http://a:1",   "tcp://*:-1"};

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_true(door_endpoint_is_valid(right[i]));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (door_endpoint_is_valid(wrong[i]))
            fail_msg("'%s' passes for an endpoint", wrong[i]);
}

static struct launcher *start(const char *template)
{
    struct curve_key key;
    struct launcher *launcher;
    struct launcher_setup setup = {.template = template, .renderer = "r", .endpoint = "tcp://1.2.3.4:5", .workers = 1, .key = &key};

    curve_make(&key);
    assert_int_equal(launcher_start(&launcher, &setup), 0);
    return launcher;
}

static void its_end_is_told(void **state)
{
    struct launcher *launcher = start("exec 0<&-; exit 7 # {port}");
    const char *how;

    (void)state;
    while (!launcher_ended(launcher, &how))
        ;
    assert_string_equal(how, "exited with status 7");
    assert_true(launcher_failed(launcher, &how));
    assert_string_equal(how, "exited with status 7");
    launcher_end(&launcher);
    assert_null(launcher);
}

static void assert_not_failed(const char *template)
{
    struct launcher *launcher = start(template);
    const char *how;

    assert_false(launcher_failed(launcher, &how));
    while (!launcher_ended(launcher, &how))
        ;
    assert_false(launcher_failed(launcher, &how));
    launcher_end(&launcher);
}

static void it_has_not_failed_while_something_may_come_of_it(void **state)
{
    int ends[2];
    char template[64];

    (void)state;
    assert_not_failed("exit 0 # {port}");
    // What it leaves here stays until this end of the pipe is closed.
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFD, FD_CLOEXEC), 0);
    snprintf(template, sizeof(template), "cat <&%d & exit 7 # {port}", ends[0]);
    assert_not_failed(template);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_in_braces_are_replaced),
        cmocka_unit_test(an_address_for_all_becomes_the_hosts_name),
        cmocka_unit_test(a_command_that_hands_over_no_address_is_refused),
        cmocka_unit_test(endpoints_are_checked),
        cmocka_unit_test(its_end_is_told),
        cmocka_unit_test(it_has_not_failed_while_something_may_come_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
