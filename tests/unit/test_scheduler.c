#include "coordinator/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct scheduler *with_segments(const uint64_t *frames, uint32_t count)
{
    struct scheduler *s = scheduler_new();

    for (uint32_t i = 0; i < count; i++) {
        scheduler_on_segment(s, i);
        scheduler_on_frames(s, i, frames[i], true);
    }
    return s;
}

static void segments_go_out_in_order_while_input_is_still_coming(void **state)
{
    const uint64_t frames[] = {10, 99, 50};
    struct scheduler *s = with_segments(frames, 3);

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(scheduler_next(s), i);
        assert_int_equal(scheduler_on_sent(s, i, 0), 1);
    }
    assert_int_equal(scheduler_next(s), SCHEDULER_NONE);
    scheduler_free(&s);
    assert_null(s);
}

static void after_the_input_ended_the_longest_goes_first_but_for_the_one_that_all_wait_for(void **state)
{
    const uint64_t frames[] = {10, 20, 99, 50};
    const uint32_t order[] = {0, 2, 3, 1};
    struct scheduler *s = with_segments(frames, 4);

    (void)state;
    scheduler_on_input_end(s);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(scheduler_next(s), order[i]);
        scheduler_on_sent(s, order[i], 0);
    }
    scheduler_free(&s);
}

static void who_cannot_do_one_gets_the_next(void **state)
{
    const uint64_t frames[] = {10, 20, 99, 50};
    struct scheduler *s = with_segments(frames, 4);

    (void)state;
    assert_int_equal(scheduler_next(s), 0);
    assert_int_equal(scheduler_next_after(s, 0), 1);
    assert_int_equal(scheduler_next_after(s, 3), SCHEDULER_NONE);
    scheduler_on_input_end(s);
    assert_int_equal(scheduler_next_after(s, 0), 2);
    scheduler_free(&s);
}

static void what_goes_ahead_is_behind_the_segment_at_hand(void **state)
{
    const uint64_t frames[] = {10, 20, 99, 50};
    struct scheduler *s = with_segments(frames, 4);

    (void)state;
    assert_int_equal(scheduler_on_sent(s, 0, 0), 1);
    assert_int_equal(scheduler_next_behind(s, 0), 1);
    scheduler_on_sent(s, 1, 1);
    scheduler_on_sent(s, 2, 0); // ahead
    assert_int_equal(scheduler_next_behind(s, 1), 3);
    assert_true(scheduler_on_lost(s, 1, 1, 1, false, 0));
    assert_int_equal(scheduler_next_behind(s, 0), 1);
    assert_int_equal(scheduler_next_behind(s, 2), SCHEDULER_NONE); // 1 is to go first, and to one that is free
    scheduler_free(&s);
}

static void the_longest_goes_ahead_after_the_input_ended(void **state)
{
    const uint64_t frames[] = {10, 99, 20, 30, 50};
    struct scheduler *s = with_segments(frames, 5);

    (void)state;
    scheduler_on_input_end(s);
    scheduler_on_sent(s, 2, 0);
    assert_int_equal(scheduler_next_behind(s, 2), SCHEDULER_NONE); // all wait for 0
    scheduler_on_sent(s, 0, 1);
    assert_int_equal(scheduler_next_behind(s, 0), 1);
    assert_int_equal(scheduler_next_behind(s, 2), 4); // 1 is longer, and before it
    scheduler_on_sent(s, 4, 0);
    scheduler_on_sent(s, 3, 1);
    assert_int_equal(scheduler_next_behind(s, 2), SCHEDULER_NONE);
    scheduler_free(&s);
}

static void what_is_called_back_waits_with_a_clean_record(void **state)
{
    const uint64_t frames[] = {10, 20};
    struct scheduler *s = with_segments(frames, 2);

    (void)state;
    scheduler_on_sent(s, 0, 0);
    for (uint32_t i = 1; i <= 2 * SCHEDULER_MAX_LOSSES; i++) {
        assert_int_equal(scheduler_on_sent(s, 1, 0), i);
        scheduler_on_called_back(s, 1, i + 1, 0); // not this one
        assert_false(scheduler_is_waiting(s, 1));
        scheduler_on_called_back(s, 1, i, 0);
        assert_true(scheduler_is_waiting(s, 1));
        assert_int_equal(scheduler_next(s), 1);
    }
    assert_int_equal(scheduler_faults(s, 1), 0);
    assert_int_equal(scheduler_retries(s), 0);
    scheduler_free(&s);
}

static void a_segment_that_is_still_being_read_waits(void **state)
{
    struct scheduler *s = scheduler_new();

    (void)state;
    scheduler_on_segment(s, 0);
    scheduler_on_frames(s, 0, 5, false);
    assert_int_equal(scheduler_next(s), SCHEDULER_NONE);
    assert_int_equal(scheduler_waiting(s), 1);
    scheduler_on_frames(s, 0, 5, true);
    assert_int_equal(scheduler_next(s), 0);
    scheduler_free(&s);
}

static void lost_renderer_gives_its_segment_back(void **state)
{
    const uint64_t frames[] = {10, 10};
    struct scheduler *s = with_segments(frames, 2);

    (void)state;
    scheduler_on_sent(s, 0, 7);
    scheduler_on_sent(s, 1, 8);
    assert_true(scheduler_on_lost(s, 0, 1, 7, true, 0));
    assert_int_equal(scheduler_retries(s), 1);
    assert_int_equal(scheduler_next(s), 0);
    assert_int_equal(scheduler_on_sent(s, 0, 8), 2);
    scheduler_free(&s);
}

static void a_segment_that_fails_three_times_has_failed(void **state)
{
    const uint64_t frames[] = {10};
    struct scheduler *s = with_segments(frames, 1);

    (void)state;
    for (uint32_t attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(scheduler_on_sent(s, 0, attempt), attempt);
        assert_int_equal(scheduler_on_lost(s, 0, attempt, attempt, true, 5), attempt < 3);
    }
    assert_int_equal(scheduler_next(s), SCHEDULER_NONE);
    assert_false(scheduler_finished(s));
    scheduler_free(&s);
}

static void who_is_killed_is_not_to_blame(void **state)
{
    const uint64_t frames[] = {10};
    struct scheduler *s = with_segments(frames, 1);

    (void)state;
    for (uint32_t attempt = 1; attempt <= SCHEDULER_MAX_LOSSES; attempt++) {
        assert_int_equal(scheduler_on_sent(s, 0, attempt), attempt);
        assert_int_equal(scheduler_on_lost(s, 0, attempt, attempt, false, 0), attempt < SCHEDULER_MAX_LOSSES);
    }
    scheduler_free(&s);
}

static void getting_further_wipes_the_record(void **state)
{
    const uint64_t frames[] = {10};
    struct scheduler *s = with_segments(frames, 1);

    (void)state;
    for (uint32_t attempt = 1; attempt <= 30; attempt++) {
        scheduler_on_sent(s, 0, attempt);
        assert_true(scheduler_on_lost(s, 0, attempt, attempt, true, attempt));
    }
    scheduler_on_sent(s, 0, 1);
    assert_true(scheduler_on_lost(s, 0, 31, 1, true, 30));
    scheduler_on_sent(s, 0, 1);
    assert_false(scheduler_on_lost(s, 0, 32, 1, true, 30));
    scheduler_free(&s);
}

static void a_failed_segment_can_go_another_way(void **state)
{
    const uint64_t frames[] = {10, 10};
    struct scheduler *s = with_segments(frames, 2);

    (void)state;
    scheduler_on_failed(s, 0);
    assert_int_equal(scheduler_next(s), 1);
    scheduler_on_other_way(s, 0);
    assert_int_equal(scheduler_next(s), 0);
    assert_true(scheduler_is_waiting(s, 0));
    scheduler_on_settled(s, 0);
    assert_int_equal(scheduler_done_count(s), 1);
    scheduler_on_written(s, 0);
    assert_int_equal(scheduler_first(s), 1);
    scheduler_free(&s);
}

static void late_doubled_and_invented_results_are_ignored(void **state)
{
    const uint64_t frames[] = {10};
    struct scheduler *s = with_segments(frames, 1);

    (void)state;
    scheduler_on_sent(s, 0, 1);
    scheduler_on_lost(s, 0, 1, 1, true, 0);
    scheduler_on_sent(s, 0, 2);
    assert_false(scheduler_on_done(s, 0, 1, 1)); // late
    assert_false(scheduler_on_done(s, 0, 2, 1)); // from the wrong renderer
    assert_false(scheduler_on_done(s, 99, 1, 2));
    assert_true(scheduler_on_done(s, 0, 2, 2));
    assert_false(scheduler_on_done(s, 0, 2, 2)); // doubled
    scheduler_free(&s);
}

static void it_is_finished_when_the_input_ended_and_all_is_written(void **state)
{
    const uint64_t frames[] = {10, 10};
    struct scheduler *s = with_segments(frames, 2);

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        scheduler_on_sent(s, i, 0);
        assert_true(scheduler_on_done(s, i, 1, 0));
    }
    assert_int_equal(scheduler_done_count(s), 2);
    scheduler_on_written(s, 0);
    assert_int_equal(scheduler_first(s), 1);
    scheduler_on_written(s, 1);
    assert_false(scheduler_finished(s));
    scheduler_on_input_end(s);
    assert_true(scheduler_finished(s));
    assert_int_equal(scheduler_total(s), 2);
    scheduler_free(&s);
}

static void a_second_renderer_may_take_over(void **state)
{
    const uint64_t frames[] = {10, 20};
    struct scheduler *s = with_segments(frames, 2);
    uint32_t first, second;

    (void)state;
    assert_false(scheduler_can_second(s, 1));
    scheduler_on_sent(s, 0, 0);
    first = scheduler_on_sent(s, 1, 1);
    assert_int_equal(scheduler_frames(s, 1), 20);
    second = scheduler_on_second(s, 1);
    assert_int_not_equal(first, second);
    // The first one counts until then.
    assert_true(scheduler_is_running(s, 1, first, 1));
    assert_false(scheduler_on_done(s, 1, second, 2));
    scheduler_on_taken_over(s, 1, second, 2);
    assert_false(scheduler_on_done(s, 1, first, 1));
    assert_true(scheduler_on_lost(s, 1, first, 1, true, 0)); // late: not the one that runs
    assert_true(scheduler_on_done(s, 1, second, 2));
    assert_false(scheduler_can_second(s, 1));
    // Also from one that is lost; then nobody else gets it.
    second = scheduler_on_second(s, 0);
    assert_true(scheduler_on_lost(s, 0, 1, 0, false, 0));
    scheduler_on_taken_over(s, 0, second, 2);
    assert_int_equal(scheduler_next(s), SCHEDULER_NONE);
    assert_true(scheduler_on_done(s, 0, second, 2));
    scheduler_free(&s);
}

static void a_segment_is_not_begun_again_and_again(void **state)
{
    const uint64_t frames[] = {10};
    struct scheduler *s = with_segments(frames, 1);

    (void)state;
    scheduler_on_sent(s, 0, 0);
    for (int i = 0; i < SCHEDULER_MAX_SECONDS; i++) {
        assert_true(scheduler_can_second(s, 0));
        scheduler_on_second(s, 0);
    }
    assert_false(scheduler_can_second(s, 0));
    scheduler_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_go_out_in_order_while_input_is_still_coming),
        cmocka_unit_test(after_the_input_ended_the_longest_goes_first_but_for_the_one_that_all_wait_for),
        cmocka_unit_test(who_cannot_do_one_gets_the_next),
        cmocka_unit_test(what_goes_ahead_is_behind_the_segment_at_hand),
        cmocka_unit_test(the_longest_goes_ahead_after_the_input_ended),
        cmocka_unit_test(what_is_called_back_waits_with_a_clean_record),
        cmocka_unit_test(a_segment_that_is_still_being_read_waits),
        cmocka_unit_test(lost_renderer_gives_its_segment_back),
        cmocka_unit_test(a_segment_that_fails_three_times_has_failed),
        cmocka_unit_test(who_is_killed_is_not_to_blame),
        cmocka_unit_test(getting_further_wipes_the_record),
        cmocka_unit_test(a_failed_segment_can_go_another_way),
        cmocka_unit_test(late_doubled_and_invented_results_are_ignored),
        cmocka_unit_test(it_is_finished_when_the_input_ended_and_all_is_written),
        cmocka_unit_test(a_second_renderer_may_take_over),
        cmocka_unit_test(a_segment_is_not_begun_again_and_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
