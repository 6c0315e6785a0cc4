#include "coordinator/timeline.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// Puts all packets and compares the decode times of all of them.
static void check(size_t delay, const int64_t *pts, size_t count, int64_t step, const int64_t *expected)
{
    struct timeline t;
    int64_t dts[TIMELINE_MAX_DELAY + 1];
    size_t certain, told = 0;

    timeline_init(&t, delay, step);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(timeline_put(&t, pts[i], dts, &certain), 0);
        for (size_t k = 0; k < certain; k++)
            assert_int_equal(dts[k], expected[told++]);
    }
    timeline_end(&t, dts, &certain);
    for (size_t k = 0; k < certain; k++)
        assert_int_equal(dts[k], expected[told++]);
    assert_int_equal(told, count);
}

static void without_reordering_packets_decode_when_they_show(void **state)
{
    const int64_t pts[] = {0, 1, 5, 7};

    (void)state;
    check(0, pts, 4, 1, pts);
}

static void with_b_pyramids_decode_times_rise_and_never_pass_presentation(void **state)
{
    // Display order 0..8, decode order of a pyramid: 0 4 2 1 3 8 6 5 7.
    const int64_t pts[] = {0, 4, 2, 1, 3, 8, 6, 5, 7};
    const int64_t dts[] = {-2, -1, 0, 1, 2, 3, 4, 5, 6};

    (void)state;
    check(2, pts, 9, 1, dts);
}

static void seams_between_segments_leave_no_trace(void **state)
{
    // Two segments, each with its own reordering and the second beginning with a keyframe: one rising line of decode times.
    const int64_t pts[] = {0, 2, 1, 3, 4, 6, 5, 7};
    const int64_t dts[] = {-1, 0, 1, 2, 3, 4, 5, 6};

    (void)state;
    check(1, pts, 8, 1, dts);
}

static void uneven_frame_times_are_kept(void **state)
{
    const int64_t pts[] = {0, 100, 40, 130, 200, 170};
    const int64_t dts[] = {-40, 0, 40, 100, 130, 170};

    (void)state;
    check(1, pts, 6, 40, dts);
}

static void a_video_shorter_than_the_delay_still_gets_times(void **state)
{
    const int64_t pts[] = {0, 1};
    const int64_t dts[] = {-3, -2};

    (void)state;
    check(3, pts, 2, 1, dts);
}

static void more_reordering_than_announced_is_an_error(void **state)
{
    struct timeline t;
    int64_t dts[TIMELINE_MAX_DELAY + 1];
    size_t certain;

    (void)state;
    timeline_init(&t, 0, 1);
    assert_int_equal(timeline_put(&t, 4, dts, &certain), 0);
    assert_int_equal(timeline_put(&t, 2, dts, &certain), -ERANGE);
    timeline_init(&t, 1, 1);
    assert_int_equal(timeline_put(&t, 0, dts, &certain), 0);
    assert_int_equal(timeline_put(&t, 8, dts, &certain), 0);
    assert_int_equal(timeline_put(&t, 4, dts, &certain), 0);
    assert_int_equal(timeline_put(&t, 2, dts, &certain), -ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_reordering_packets_decode_when_they_show),
        cmocka_unit_test(with_b_pyramids_decode_times_rise_and_never_pass_presentation),
        cmocka_unit_test(seams_between_segments_leave_no_trace),
        cmocka_unit_test(uneven_frame_times_are_kept),
        cmocka_unit_test(a_video_shorter_than_the_delay_still_gets_times),
        cmocka_unit_test(more_reordering_than_announced_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
