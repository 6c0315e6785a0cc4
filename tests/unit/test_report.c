// How far a job is, by what is known of it.
#include "coordinator/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct options options = {.workers = 2, .threads = 1, .in_batch = true};
static const struct source_facts facts = {.frames = 200, .duration_s = 10};

static Wire__Rational rate_of(int32_t num, int32_t den)
{
    Wire__Rational rate = WIRE__RATIONAL__INIT;

    rate.num = num;
    rate.den = den;
    return rate;
}

static struct progress_facts after(struct report *report, uint64_t done, uint64_t read)
{
    struct progress_facts state;

    report->frames_done = done;
    report_facts(report, &facts, read, &state);
    return state;
}

static void filters_may_change_the_rate(void **state)
{
    const Wire__Rational in = rate_of(20, 1), twice = rate_of(40, 1), few = rate_of(2, 1), unknown = rate_of(0, 1);
    struct report report;

    (void)state;
    report_init(&report, &options);
    assert_int_equal(after(&report, 100, 0).frames_total, 200);
    report_rates(&report, &in, &twice);
    assert_int_equal(after(&report, 100, 0).frames_total, 400);
    assert_true(after(&report, 100, 0).video_s == 2.5);
    report_rates(&report, &in, &few);
    assert_int_equal(after(&report, 5, 0).frames_total, 20);
    report_rates(&report, &in, &in);
    report_rates(&report, &unknown, &few);
    report_rates(&report, &in, NULL);
    assert_int_equal(after(&report, 100, 0).frames_total, 200);
    report_clear(&report);
}

// The container counts what an edit list hides, too.
static void what_was_read_is_known_better(void **state)
{
    struct report report;

    (void)state;
    report_init(&report, &options);
    assert_int_equal(after(&report, 60, 120).frames_total, 120);
    assert_true(after(&report, 60, 120).video_s == 5);
    report_clear(&report);
}

static void what_is_lost_comes_again(void **state)
{
    struct report report;

    (void)state;
    report_init(&report, &options);
    report.frames_done = 150;
    report_lost(&report, 40);
    assert_int_equal(report.frames_done, 110);
    assert_int_equal(report.stats.lost_frames, 40);
    report_lost(&report, 400);
    assert_int_equal(report.frames_done, 0);
    report_clear(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_may_change_the_rate),
        cmocka_unit_test(what_was_read_is_known_better),
        cmocka_unit_test(what_is_lost_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
