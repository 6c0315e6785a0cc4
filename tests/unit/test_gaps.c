// What need not be decoded: only what is known to the last frame, and wanted by nobody.
#include "coordinator/gaps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { RUN = 10, STEP = 100 };

// Frame number n is shown at n * STEP.
static int64_t at(uint64_t frame)
{
    return (int64_t)frame * STEP;
}

static void tell(struct gaps *gaps, uint32_t segment, unsigned frames)
{
    int64_t times[RUN];

    for (unsigned i = 0; i < frames; i++)
        times[i] = at(segment * RUN + i);
    gaps_on_segment(gaps, segment, times, frames);
}

// A segment for each letter: 'x' is there, '-' is not.
static struct gaps *known(const struct plan_stage *stage, const char *segments)
{
    struct gaps *gaps = gaps_new(stage);

    for (uint32_t i = 0; segments[i]; i++)
        if (segments[i] == 'x')
            tell(gaps, i, RUN);
    return gaps;
}

static bool leave_out(const struct gaps *gaps, uint64_t first, uint64_t behind, struct gaps_jump *jump)
{
    return gaps_leave_out(gaps, &(struct gaps_gop){at(first), at(behind - 1), behind - first}, at(behind), jump);
}

static const struct plan_stage alone = {.parallel = true, .encode = true, .run_frames = RUN};
static const struct plan_stage neighbours = {.parallel = true, .encode = true, .run_frames = RUN, .before = 3, .after = 2};

static void what_is_known_is_left_out_up_to_the_first_frame_that_is_wanted(void **state)
{
    struct gaps *gaps = known(&alone, "xxx-x");
    struct gaps_jump jump;

    (void)state;
    assert_true(gaps_settle(gaps));
    assert_true(leave_out(gaps, 0, 12, &jump));
    assert_int_equal(jump.from, 0);
    assert_int_equal(jump.until, 30);
    assert_int_equal(jump.keep_from, at(29) + 1);
    assert_true(leave_out(gaps, 12, 29, &jump));
    assert_int_equal(jump.from, 12);
    assert_int_equal(jump.until, 30);
    assert_false(leave_out(gaps, 29, 45, &jump));
    assert_true(leave_out(gaps, 40, 45, &jump));
    assert_int_equal(jump.until, 50);
    for (uint64_t i = 0; i < 60; i++)
        assert_int_equal(gaps_wants(gaps, at(i)), (i >= 30 && i < 40) || i >= 50);
    assert_true(gaps_wants(gaps, at(3) + 1));
    gaps_free(&gaps);
}

static void decoding_goes_on_with_a_frame_that_is_known(void **state)
{
    struct gaps *gaps = known(&alone, "xxx-");
    struct gaps_jump jump;

    (void)state;
    assert_true(gaps_settle(gaps));
    assert_false(leave_out(gaps, 12, 30, &jump));
    assert_false(gaps_leave_out(gaps, &(struct gaps_gop){at(0), at(9), 10}, at(10) + 1, &jump));
    assert_true(gaps_leave_out(gaps, &(struct gaps_gop){at(0), at(9), 10}, at(10), &jump));
    gaps_free(&gaps);
}

static void a_gop_that_did_not_give_all_its_frames_is_decoded_again(void **state)
{
    struct gaps *gaps = known(&alone, "xxx");
    struct gaps_jump jump;

    (void)state;
    assert_true(gaps_settle(gaps));
    assert_false(gaps_leave_out(gaps, &(struct gaps_gop){at(0), at(9), 11}, at(10), &jump));
    assert_false(gaps_leave_out(gaps, &(struct gaps_gop){at(0), at(9), 9}, at(10), &jump));
    gaps_free(&gaps);
}

static void neighbours_are_wanted(void **state)
{
    struct gaps *gaps = known(&neighbours, "x-xx-x");
    struct gaps_jump jump;

    (void)state;
    assert_true(gaps_settle(gaps));
    for (uint64_t i = 0; i < 60; i++)
        assert_int_equal(gaps_wants(gaps, at(i)), !(i < 7 || (i >= 22 && i < 37) || (i >= 52 && i < 57)));
    assert_true(leave_out(gaps, 0, 7, &jump));
    assert_int_equal(jump.until, 7);
    assert_int_equal(jump.keep_from, at(7));
    assert_false(leave_out(gaps, 0, 8, &jump));
    assert_false(leave_out(gaps, 21, 30, &jump));
    assert_true(leave_out(gaps, 22, 30, &jump));
    assert_int_equal(jump.from, 22);
    assert_int_equal(jump.until, 37);
    assert_int_equal(jump.keep_from, at(36) + 1);
    gaps_free(&gaps);
}

static void nothing_may_be_known_behind_the_end(void **state)
{
    struct gaps *gaps = known(&alone, "xx");
    struct gaps_jump jump;

    (void)state;
    tell(gaps, 2, 4);
    assert_true(gaps_settle(gaps));
    assert_true(gaps_leave_out(gaps, &(struct gaps_gop){at(15), at(23), 9}, GAPS_NO_TIME, &jump));
    assert_int_equal(jump.from, 15);
    assert_int_equal(jump.until, 24);
    assert_false(gaps_leave_out(gaps, &(struct gaps_gop){at(15), at(22), 8}, GAPS_NO_TIME, &jump));
    gaps_free(&gaps);
}

static void what_makes_no_sense_is_of_no_use(void **state)
{
    struct gaps *gaps = known(&alone, "xx");

    (void)state;
    gaps_on_segment(gaps, 2, (const int64_t[]){at(19)}, 1);
    assert_false(gaps_settle(gaps));
    assert_true(gaps_wants(gaps, at(0)));
    gaps_free(&gaps);

    gaps = gaps_new(&alone);
    tell(gaps, 0, 4);
    tell(gaps, 1, RUN);
    assert_false(gaps_settle(gaps));
    gaps_free(&gaps);

    gaps = gaps_new(&alone);
    gaps_on_segment(gaps, 0, (const int64_t[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 11);
    assert_false(gaps_settle(gaps));
    gaps_free(&gaps);

    gaps = gaps_new(&alone);
    assert_false(gaps_settle(gaps));
    gaps_free(&gaps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_left_out_up_to_the_first_frame_that_is_wanted),
        cmocka_unit_test(decoding_goes_on_with_a_frame_that_is_known),
        cmocka_unit_test(a_gop_that_did_not_give_all_its_frames_is_decoded_again),
        cmocka_unit_test(neighbours_are_wanted),
        cmocka_unit_test(nothing_may_be_known_behind_the_end),
        cmocka_unit_test(what_makes_no_sense_is_of_no_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
