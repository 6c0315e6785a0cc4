#include "coordinator/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_near(double value, double wanted, double room)
{
    if (!(fabs(value - wanted) <= room))
        fail_msg("%g is not %g", value, wanted);
}

static Wire__FilterFacts *filter(Wire__FilterFacts *facts, const char *name)
{
    wire__filter_facts__init(facts);
    facts->name = (char *)(size_t)(const void *)name;
    facts->inputs = facts->outputs = 1;
    return facts;
}

// Plans a stream that can be cut, behind the named filters.
static struct plan planned(const char *first, const char *second, const char *third)
{
    const char *names[] = {first, second, third};
    Wire__FilterFacts facts[3], *chain[3];
    struct plan_input input = {.cuttable = true, .duration_s = 120, .filters = chain};
    struct plan plan;

    for (size_t i = 0; i < 3 && names[i]; i++)
        chain[input.filter_count++] = filter(&facts[i], names[i]);
    plan_make(&plan, &input);
    return plan;
}

static void expect_serial(struct plan plan, const char *reason)
{
    assert_false(plan.parallel);
    assert_string_equal(plan.reason, reason);
    plan_clear(&plan);
    assert_null(plan.reason);
}

static void expect_parallel(struct plan plan)
{
    assert_null(plan.reason);
    assert_true(plan.parallel);
    plan_clear(&plan);
}

static void without_filters_or_with_frame_by_frame_ones_it_is_parallel(void **state)
{
    (void)state;
    expect_parallel(planned(NULL, NULL, NULL));
    expect_parallel(planned("scale", "unsharp", "eq"));
}

static void the_first_filter_that_objects_is_named_with_its_reason(void **state)
{
    (void)state;
    expect_serial(planned("scale", "hqdn3d", "tmix"), "the filter hqdn3d carries state from frame to frame");
    expect_serial(planned("tmix", NULL, NULL), "the filter tmix looks at neighbouring frames");
    expect_serial(planned("scale", "brandnew", NULL), "the filter brandnew is not in the table of known filters");
    expect_serial(planned("vidstabtransform", NULL, NULL), "the filter vidstabtransform carries state from frame to frame");
}

static void what_ffmpeg_itself_does_not_repeat_is_not_cut(void **state)
{
    char key[] = "angle", value[] = "time(0)";
    Wire__Option angle = WIRE__OPTION__INIT, *options[] = {&angle};
    Wire__FilterFacts facts, *chain[] = {filter(&facts, "rotate")};
    struct plan_input input = {.cuttable = true, .duration_s = 120, .filters = chain, .filter_count = 1};
    struct plan plan;

    (void)state;
    angle.key = key;
    angle.value = value;
    facts.options = options;
    facts.n_options = 1;
    plan_make(&plan, &input);
    expect_serial(plan, "the filter rotate is not the same from run to run");
}

static void metadata_matters_only_to_readers_behind_it(void **state)
{
    (void)state;
    expect_parallel(planned("cropdetect", NULL, NULL));
    expect_parallel(planned("metadata", "cropdetect", NULL));
    expect_parallel(planned("entropy", "metadata", NULL));
    expect_serial(planned("cropdetect", "scale", "metadata"), "the filter metadata reads what cropdetect gathers over the whole video");
}

static void a_filter_with_two_inputs_is_not_cut(void **state)
{
    Wire__FilterFacts facts, *chain[] = {filter(&facts, "overlay")};
    struct plan_input input = {.cuttable = true, .filters = chain, .filter_count = 1};
    struct plan plan;

    (void)state;
    facts.inputs = 2;
    plan_make(&plan, &input);
    expect_serial(plan, "the filter overlay does not have exactly one input and one output");
}

static void a_stream_that_cannot_be_cut_gives_its_own_reason(void **state)
{
    struct plan_input input = {.why_not_cuttable = "the codec rawvideo2 is not known to be safe", .duration_s = 10};
    struct plan plan;

    (void)state;
    plan_make(&plan, &input);
    expect_serial(plan, "the codec rawvideo2 is not known to be safe");
    input.why_not_cuttable = NULL;
    plan_make(&plan, &input);
    assert_false(plan.parallel);
    assert_non_null(plan.reason);
    plan_clear(&plan);
}

static void one_segment_is_made_when_asked_for(void **state)
{
    struct plan_input input = {.cuttable = true, .duration_s = 600, .one_segment = true};
    struct plan plan;

    (void)state;
    plan_make(&plan, &input);
    assert_false(plan.parallel);
    assert_non_null(plan.reason);
    plan_clear(&plan);
}

static double length_for(double duration_s, double wish_s)
{
    struct plan_input input = {.cuttable = true, .duration_s = duration_s, .segment_s = wish_s};
    struct plan plan;
    double length;

    plan_make(&plan, &input);
    length = plan.segment_s;
    plan_clear(&plan);
    return length;
}

static void segments_are_two_dozen_but_neither_tiny_nor_huge(void **state)
{
    (void)state;
    assert_near(length_for(10, 0), 2, 1e-9);
    assert_near(length_for(48, 0), 2, 1e-9);
    assert_near(length_for(120, 0), 5, 1e-9);
    assert_near(length_for(240, 0), 10, 1e-9);
    assert_near(length_for(7200, 0), 10, 1e-9);
}

static void an_unknown_length_gets_the_longest_segments(void **state)
{
    (void)state;
    assert_near(length_for(0, 0), 10, 1e-9);
    assert_near(length_for(-1, 0), 10, 1e-9);
    assert_near(length_for((double)NAN, 0), 10, 1e-9);
}

static void the_users_wish_comes_first(void **state)
{
    (void)state;
    assert_near(length_for(120, 0.5), 0.5, 1e-9);
    assert_near(length_for(0, 60), 60, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_filters_or_with_frame_by_frame_ones_it_is_parallel),
        cmocka_unit_test(the_first_filter_that_objects_is_named_with_its_reason),
        cmocka_unit_test(what_ffmpeg_itself_does_not_repeat_is_not_cut),
        cmocka_unit_test(metadata_matters_only_to_readers_behind_it),
        cmocka_unit_test(a_filter_with_two_inputs_is_not_cut),
        cmocka_unit_test(a_stream_that_cannot_be_cut_gives_its_own_reason),
        cmocka_unit_test(one_segment_is_made_when_asked_for),
        cmocka_unit_test(segments_are_two_dozen_but_neither_tiny_nor_huge),
        cmocka_unit_test(an_unknown_length_gets_the_longest_segments),
        cmocka_unit_test(the_users_wish_comes_first),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
