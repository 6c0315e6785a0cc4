#include "coordinator/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct roster roster;
static struct renderer *renderer;

// At segment 3, of which it has sent something.
static int setup(void **state)
{
    (void)state;
    roster_init(&roster, 1);
    renderer = &roster.renderers[0];
    roster_set_state(renderer, RENDERER_STARTING);
    roster_set_state(renderer, RENDERER_READY);
    roster_set_state(renderer, RENDERER_BUSY);
    renderer->task = (struct roster_task){.segment = 3, .attempt = 1, .all_sent = true};
    renderer->owed = 2;
    renderer->received = 2;
    renderer->since_ns = 10;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roster_clear(&roster);
    return 0;
}

static void send_ahead(void)
{
    renderer->has_ahead = true;
    renderer->ahead = (struct roster_task){.segment = 5, .attempt = 2, .credit = 1};
}

static void who_is_done_is_ready(void **state)
{
    (void)state;
    roster_end_task(renderer, 50);
    assert_int_equal(renderer->state, RENDERER_READY);
    assert_int_equal(renderer->owed, 0);
}

static void who_is_done_goes_on_with_what_was_sent_ahead(void **state)
{
    (void)state;
    send_ahead();
    roster_end_task(renderer, 50);
    assert_int_equal(renderer->state, RENDERER_BUSY);
    assert_int_equal(renderer->task.segment, 5);
    assert_int_equal(renderer->task.attempt, 2);
    assert_int_equal(renderer->task.credit, 1);
    assert_false(renderer->task.all_sent);
    assert_false(renderer->cancelled);
    assert_int_equal(renderer->owed, 0);
    assert_int_equal(renderer->received, 0);
    assert_int_equal(renderer->since_ns, 50);
    assert_int_equal(renderer->heard_ns, 50);
    assert_false(renderer->has_ahead);
    roster_end_task(renderer, 60);
    assert_int_equal(renderer->state, RENDERER_READY);
}

static void what_was_called_back_is_still_answered(void **state)
{
    (void)state;
    send_ahead();
    renderer->called_back = true;
    roster_end_task(renderer, 50);
    assert_int_equal(renderer->state, RENDERER_BUSY);
    assert_true(renderer->cancelled);
    assert_false(renderer->called_back);
    roster_end_task(renderer, 60);
    assert_int_equal(renderer->state, RENDERER_READY);
    assert_false(renderer->cancelled);
}

static void who_is_gone_has_nothing_ahead(void **state)
{
    (void)state;
    send_ahead();
    roster_set_state(renderer, RENDERER_GONE);
    assert_false(renderer->has_ahead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_done_is_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_done_goes_on_with_what_was_sent_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_called_back_is_still_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_gone_has_nothing_ahead, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
