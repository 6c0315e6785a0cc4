#include "coordinator/watch.h"

#include "common/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const uint64_t second = 1000000000;

static struct watch watch;
static struct roster roster;

// Two renderers of stage 0 and one of stage 1, all with work and all that they need.
static int setup(void **state)
{
    (void)state;
    watch_init(&watch, 10);
    roster_init(&roster, 3);
    for (size_t i = 0; i < 3; i++) {
        struct renderer *renderer = &roster.renderers[i];

        renderer->stage = i == 2;
        renderer->heard_ns = second;
        roster_set_state(renderer, RENDERER_STARTING);
        roster_set_state(renderer, RENDERER_READY);
        roster_set_state(renderer, RENDERER_BUSY);
        renderer->task.all_sent = true;
        renderer->task.most_credit = PROTOCOL_FIRST_CREDIT;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roster_clear(&roster);
    return 0;
}

// The time goes on as it does in a running program.
static struct renderer *found_at(uint64_t now_s)
{
    struct renderer *found = NULL;

    for (uint64_t s = watch.looked_ns / second + 1; s <= now_s; s++)
        found = watch_find(&watch, &roster, s * second);
    return found;
}

static void who_is_silent_for_too_long_is_found(void **state)
{
    (void)state;
    watch_on_sign(&watch, &roster.renderers[2], second);
    assert_null(found_at(11));
    assert_ptr_equal(found_at(12), &roster.renderers[2]); // of all, the nearest to the encoder
    watch.longest_ns = 0;
    watch_on_sign(&watch, &roster.renderers[2], 12 * second);
    watch.longest_ns = 0;
    roster_set_state(&roster.renderers[2], RENDERER_READY);
    watch_on_sign(&watch, &roster.renderers[0], 12 * second);
    watch.longest_ns = 0;
    assert_ptr_equal(found_at(13), &roster.renderers[1]);
}

static void a_longer_silence_is_allowed_when_one_ended_well(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        watch_on_sign(&watch, &roster.renderers[i], 9 * second);
    assert_null(found_at(27)); // 10 s, and the 8 of before
    assert_non_null(found_at(28));
}

// After the last look there was a sign, and then this process was stopped.
static void who_was_heard_since_the_last_look_is_not_found(void **state)
{
    (void)state;
    assert_null(found_at(3));
    for (size_t i = 0; i < 3; i++)
        watch_on_sign(&watch, &roster.renderers[i], 4 * second);
    assert_null(watch_find(&watch, &roster, 60 * second));
    watch.longest_ns = 0;
    assert_null(found_at(70));
    assert_non_null(found_at(71));
}

static void what_the_probe_took_is_allowed_for_each_frame(void **state)
{
    (void)state;
    watch_on_probe(&watch, 3 * second);
    assert_null(found_at(1 + 10 + 48));
    assert_non_null(found_at(1 + 10 + 48 + 1));
}

static void a_second_attempt_is_given_more_time(void **state)
{
    (void)state;
    roster.renderers[2].task.faults = 1;
    assert_null(found_at(41));
    assert_ptr_equal(found_at(42), &roster.renderers[2]);
}

static void who_waits_for_us_does_not_hang(void **state)
{
    (void)state;
    roster.renderers[0].owed = PROTOCOL_FIRST_CREDIT; // nothing more may be sent
    roster.renderers[1].task.all_sent = false;        // it has asked for more than there is
    roster.renderers[1].task.credit = PROTOCOL_FIRST_CREDIT;
    roster_set_state(&roster.renderers[2], RENDERER_READY);
    assert_null(found_at(100));
    roster.renderers[0].owed = 0; // from now on it is its turn
    assert_null(found_at(110));
    assert_ptr_equal(found_at(111), &roster.renderers[0]);
}

static void who_may_be_sent_more_than_others_waits_when_it_has_all_of_that_left(void **state)
{
    struct roster_task *task = &roster.renderers[2].task;

    (void)state;
    roster_set_state(&roster.renderers[0], RENDERER_READY);
    roster_set_state(&roster.renderers[1], RENDERER_READY);
    task->all_sent = false;
    task->credit = task->most_credit = 2 * PROTOCOL_FIRST_CREDIT;
    assert_null(found_at(100));
    task->credit = PROTOCOL_FIRST_CREDIT; // half of it lies there
    assert_null(found_at(110));
    assert_ptr_equal(found_at(111), &roster.renderers[2]);
}

static void who_leaves_lying_what_it_was_sent_hangs_though_more_may_come(void **state)
{
    (void)state;
    roster.renderers[2].task.all_sent = false;
    roster.renderers[2].task.credit = PROTOCOL_FIRST_CREDIT - 1;
    assert_null(found_at(11));
    assert_ptr_equal(found_at(12), &roster.renderers[2]);
}

static void who_is_held_up_by_a_later_stage_does_not_hang(void **state)
{
    (void)state;
    for (uint64_t s = 2; s <= 40; s += 2) {
        watch_on_sign(&watch, &roster.renderers[2], s * second);
        assert_null(found_at(s));
    }
}

static void one_that_never_says_hello_hangs(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        roster_set_state(&roster.renderers[i], RENDERER_GONE);
    assert_null(found_at(50));
    roster_set_state(&roster.renderers[1], RENDERER_STARTING);
    roster.renderers[1].heard_ns = 50 * second;
    assert_null(found_at(60));
    assert_ptr_equal(found_at(61), &roster.renderers[1]);
}

static void time_in_which_all_were_stopped_does_not_count(void **state)
{
    (void)state;
    assert_null(found_at(5));
    assert_null(watch_find(&watch, &roster, 1000 * second)); // Ctrl-Z, then fg
    assert_null(found_at(1005));
    assert_non_null(found_at(1010));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_silent_for_too_long_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_longer_silence_is_allowed_when_one_ended_well, setup, teardown),
        cmocka_unit_test_setup_teardown(who_was_heard_since_the_last_look_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_probe_took_is_allowed_for_each_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_attempt_is_given_more_time, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_for_us_does_not_hang, setup, teardown),
        cmocka_unit_test_setup_teardown(who_may_be_sent_more_than_others_waits_when_it_has_all_of_that_left, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_lying_what_it_was_sent_hangs_though_more_may_come, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_held_up_by_a_later_stage_does_not_hang, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_never_says_hello_hangs, setup, teardown),
        cmocka_unit_test_setup_teardown(time_in_which_all_were_stopped_does_not_count, setup, teardown),
    };

    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
