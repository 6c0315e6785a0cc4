#include "coordinator/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

// Where nothing is known of the graph's pixel formats there are no stages, and what cannot be cut is one segment.
static void expect_serial(struct plan plan, const char *reason)
{
    assert_int_equal(plan.stage_count, 1);
    assert_false(plan.stages[0].parallel);
    assert_true(plan.limited);
    assert_string_equal(plan.reason, reason);
    plan_clear(&plan);
    assert_null(plan.reason);
}

static void expect_parallel(struct plan plan)
{
    assert_null(plan.reason);
    assert_int_equal(plan.stage_count, 1);
    assert_true(plan.stages[0].parallel && plan.stages[0].decode && plan.stages[0].encode);
    plan_clear(&plan);
}

// Plans a chain whose formats are known, all yuv420p, and says what came of it.
static void expect_stages_for(struct plan_input input, const char *chain, const char *wanted)
{
    char names[8][32], format[] = "yuv420p";
    Wire__FilterFacts facts[8], *filters[8];
    struct plan plan;
    char *text;

    input.chain = chain;
    input.filters = filters;
    input.encoder_format = format;
    if (input.frame_rate <= 0)
        input.frame_rate = 25;
    for (const char *at = chain; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t length = strcspn(at, ",=");

        memcpy(names[input.filter_count], at, length);
        names[input.filter_count][length] = '\0';
        filters[input.filter_count] = filter(&facts[input.filter_count], names[input.filter_count]);
        facts[input.filter_count].input_format = facts[input.filter_count].output_format = format;
        input.filter_count++;
    }
    plan_make(&plan, &input);
    text = plan_describe(&plan);
    assert_string_equal(text, wanted);
    for (size_t i = 0; i < plan.stage_count; i++)
        assert_true(plan.stages[i].decode == (i == 0) && plan.stages[i].encode == (i + 1 == plan.stage_count));
    free(text);
    plan_clear(&plan);
}

static void expect_stages(const char *chain, const char *wanted)
{
    expect_stages_for((struct plan_input){.cuttable = true, .duration_s = 120}, chain, wanted);
}

static void a_stateful_filter_becomes_a_serial_stage_between_parallel_ones(void **state)
{
    (void)state;
    expect_stages("nlmeans,hqdn3d,unsharp", "[decode] in order > [nlmeans] parallel > [hqdn3d] in order > [unsharp encode] parallel");
    expect_stages("hqdn3d", "[decode] in order > [hqdn3d] in order > [encode] parallel");
    expect_stages("scale,eq,hqdn3d,lagfun", "[decode] in order > [scale,eq] parallel > [hqdn3d,lagfun] in order > [encode] parallel");
}

static void neighbours_do_not_make_it_serial(void **state)
{
    (void)state;
    expect_stages("scale,yadif,unsharp", "[decode] in order > [scale,yadif,unsharp encode] parallel");
}

static void who_keeps_frames_stays_with_who_writes_into_them(void **state)
{
    (void)state;
    expect_stages("detelecine,hflip", "[decode detelecine] in order > [hflip encode] parallel");
    expect_stages("hflip,detelecine,hflip,hqdn3d", "[decode hflip,detelecine,hflip,hqdn3d] in order > [encode] parallel");
    expect_stages("hqdn3d,telecine,hqdn3d", "[decode hqdn3d,telecine] in order > [hqdn3d] in order > [encode] parallel");
}

enum { FIELDS_ALONE, FIELDS_THEN_NEIGHBOURS, FIELDS_THEN_STATE, FIELDS_THEN_NUMBERS, FIELDS_IN_ONE_ENCODER };

// 60 s of 25 frames a second, of which a deinterlacer makes 50, and what may come behind it.
static struct plan planned_fields(int what)
{
    static const char *const behind[] = {"hflip", "yadif", "hqdn3d", "select", "hflip"};
    char format[] = "yuv420p", key[] = "mode", value[] = "send_field", chain[64];
    Wire__Option mode = WIRE__OPTION__INIT, *options[] = {&mode};
    Wire__Rational rate = WIRE__RATIONAL__INIT, doubled = WIRE__RATIONAL__INIT;
    Wire__FilterFacts first, second, *filters[] = {filter(&first, "bwdif"), filter(&second, behind[what])};
    struct plan_input input = {.duration_s = 60,
                               .cuttable = true,
                               .frame_rate = 50,
                               .chain = chain,
                               .encoder_format = format,
                               .encode_stream = what == FIELDS_IN_ONE_ENCODER,
                               .filters = filters,
                               .filter_count = 2};
    struct plan plan;

    snprintf(chain, sizeof(chain), "bwdif=mode=send_field,%s", behind[what]);
    mode.key = key;
    mode.value = value;
    rate.num = 25;
    doubled.num = 50;
    rate.den = doubled.den = 1;
    first.options = options;
    first.n_options = 1;
    first.input_rate = &rate;
    second.input_rate = &doubled;
    first.input_format = first.output_format = second.input_format = second.output_format = format;
    plan_make(&plan, &input);
    return plan;
}

static void assert_fields(int what, const char *wanted, double rate)
{
    struct plan plan = planned_fields(what);
    const struct plan_stage *last = &plan.stages[plan.stage_count - 1];
    char *text = plan_describe(&plan);

    assert_string_equal(text, wanted);
    assert_near(last->rate, rate, 0);
    if (last->parallel) { // in frames that come to it
        assert_near((double)last->run_frames, 60 / 24. * rate, 1);
        assert_near((double)last->frames, 60 * rate, 0);
        assert_near(last->brief_frames, PLAN_SHORTEST_S * rate, 0);
    }
    free(text);
    plan_clear(&plan);
}

// What a run gives is known by its times, in front of the encoder; in front of another stage nobody would know how many frames there are to be.
static void a_frame_for_each_field_is_parallel_in_the_last_stage(void **state)
{
    (void)state;
    assert_fields(FIELDS_ALONE, "[decode] in order > [bwdif,hflip encode] parallel", 25);
    assert_fields(FIELDS_THEN_NEIGHBOURS, "[decode] in order > [bwdif,yadif encode] parallel", 25);
    assert_fields(FIELDS_THEN_STATE, "[decode bwdif] in order > [hqdn3d] in order > [encode] parallel", 50);
    assert_fields(FIELDS_THEN_NUMBERS, "[decode bwdif] in order > [select encode] parallel", 50);
    assert_fields(FIELDS_IN_ONE_ENCODER, "[decode bwdif] in order > [hflip] parallel > [encode] in order", 50);
}

// Of the last stage of a plan in stages.
static bool keeps_graph(const char *name, const char *vouched)
{
    char format[] = "yuv420p", *vouched_names[] = {(char *)(size_t)(const void *)vouched};
    Wire__FilterFacts facts, *filters[] = {filter(&facts, name)};
    struct plan_input input = {
        .duration_s = 60,
        .frame_rate = 25,
        .chain = name,
        .encoder_format = format,
        .filters = filters,
        .filter_count = 1,
        .vouched = vouched_names,
        .vouched_count = vouched != NULL,
    };
    struct plan plan;
    bool keeps;

    facts.input_format = facts.output_format = format;
    plan_make(&plan, &input);
    assert_false(plan.stages[0].keeps_graph); // in order: there is one run
    keeps = plan.stages[plan.stage_count - 1].keeps_graph;
    plan_clear(&plan);
    return keeps;
}

static void filters_are_kept_for_the_next_run_when_no_frame_depends_on_another(void **state)
{
    struct plan plan = planned("unsharp", "eq", NULL);

    (void)state;
    assert_true(plan.stages[0].keeps_graph);
    plan_clear(&plan);
    plan = planned("unsharp", "setpts", NULL); // not a frame for each frame, by what is known without its options
    assert_false(plan.stages[0].keeps_graph);
    plan_clear(&plan);
    assert_true(keeps_graph("unsharp", NULL));
    assert_false(keeps_graph("yadif", NULL));
    // Somebody's word is not enough: were it wrong, the output would depend on who rendered what.
    assert_false(keeps_graph("hqdn3d", "hqdn3d"));
    assert_false(keeps_graph("unsharp", "unsharp"));
}

static void what_looks_at_more_than_its_frames_is_left_alone_with_everything(void **state)
{
    (void)state;
    expect_stages("hqdn3d,pp,unsharp", "[decode hqdn3d,pp,unsharp encode] in order");
    expect_stages("unsharp,graphmonitor", "[decode unsharp,graphmonitor encode] in order");
    expect_serial(planned("null", "pp", NULL),
                  "the filter pp reads memory beyond the edges of the picture, where all that is done in the process leaves its traces");
}

static void who_commands_others_stays_with_them(void **state)
{
    (void)state;
    expect_stages("unsharp,sendcmd,hqdn3d,hue", "[decode unsharp,sendcmd,hqdn3d,hue] in order > [encode] parallel");
    expect_stages_for((struct plan_input){.cuttable = true, .encode_stream = true}, "sendcmd,hue", "[decode sendcmd,hue encode] in order");
}

static void what_changes_times_stays_in_the_first_graph(void **state)
{
    (void)state;
    expect_stages("eq,fps,unsharp", "[decode eq,fps] in order > [unsharp encode] parallel");
    expect_stages("mpdecimate", "[decode mpdecimate] in order > [encode] parallel");
    expect_stages("hqdn3d,fps=5,unsharp", "[decode hqdn3d,fps] in order > [unsharp encode] parallel");
}

static void one_encoder_is_a_serial_stage(void **state)
{
    (void)state;
    expect_stages_for((struct plan_input){.cuttable = true, .encode_stream = true}, "nlmeans",
                      "[decode] in order > [nlmeans] parallel > [encode] in order");
    expect_stages_for((struct plan_input){.cuttable = true, .encode_stream = true}, "", "[decode] in order > [encode] in order");
}

static void a_stream_that_cannot_be_cut_is_decoded_in_order(void **state)
{
    (void)state;
    expect_stages_for((struct plan_input){.duration_s = 60}, "hflip", "[decode] in order > [hflip encode] parallel");
}

static void long_gops_are_split(void **state)
{
    (void)state;
    expect_stages_for((struct plan_input){.cuttable = true, .duration_s = 240, .keyframe_gap_s = 16}, "hflip",
                      "[decode] in order > [hflip encode] parallel");
    expect_stages_for((struct plan_input){.cuttable = true, .duration_s = 240, .keyframe_gap_s = 12}, "hflip", "[decode hflip encode] parallel");
}

static void each_part_keeps_the_formats_of_the_whole_graph(void **state)
{
    char in[] = "yuv420p", between[] = "gbrp", out[] = "yuv444p";
    Wire__FilterFacts first, second, *filters[] = {filter(&first, "hqdn3d"), filter(&second, "unsharp")};
    struct plan_input input = {
        .cuttable = true, .chain = "hqdn3d=4 , unsharp=la='1,5'", .filters = filters, .filter_count = 2, .encoder_format = out};
    struct plan plan;

    (void)state;
    first.input_format = first.output_format = in;
    second.input_format = second.output_format = between;
    plan_make(&plan, &input);
    assert_int_equal(plan.stage_count, 3);
    assert_string_equal(plan.stages[0].filters, "");
    assert_string_equal(plan.stages[0].sink_format, "yuv420p");
    assert_string_equal(plan.stages[1].filters, "format=pix_fmts=yuv420p,hqdn3d=4,format=pix_fmts=yuv420p");
    assert_string_equal(plan.stages[1].sink_format, "yuv420p");
    assert_string_equal(plan.stages[2].filters, "format=pix_fmts=gbrp,unsharp=la='1,5',format=pix_fmts=gbrp,format=pix_fmts=yuv444p");
    assert_null(plan.stages[2].sink_format);
    plan_clear(&plan);
}

static void runs_do_not_depend_on_workers_and_end_short(void **state)
{
    struct plan_stage stage = {.run_frames = 48, .brief_frames = 48, .frames = 480};

    (void)state;
    assert_int_equal(plan_run_length(&stage, 0), 48);
    assert_int_equal(plan_run_length(&stage, 336), 48);
    assert_int_equal(plan_run_length(&stage, 384), 32);
    assert_int_equal(plan_run_length(&stage, 416), 21);
    assert_int_equal(plan_run_length(&stage, 456), 12);
    assert_int_equal(plan_run_length(&stage, 5000), 12); // the length was a guess
    stage.after = 20;
    assert_int_equal(plan_run_length(&stage, 456), 20);
    stage.frames = 0;
    assert_int_equal(plan_run_length(&stage, 456), 48);
}

static void long_runs_get_shorter_early_and_short_ones_late(void **state)
{
    struct plan_stage stage = {.run_frames = 120, .brief_frames = 48, .frames = 2880};

    (void)state;
    assert_int_equal(plan_run_length(&stage, 2160), 120);
    assert_int_equal(plan_run_length(&stage, 2280), 100);
    assert_int_equal(plan_run_length(&stage, 2592), 48);
    assert_int_equal(plan_run_length(&stage, 2700), 48);
    assert_int_equal(plan_run_length(&stage, 2760), 40);
    assert_int_equal(plan_run_length(&stage, 2844), 15);
}

// What is planned for 120 s of 25 frames a second.
static void assert_runs(double wish_s, unsigned run, unsigned brief)
{
    struct plan_input input = {.duration_s = 120, .frame_rate = 25, .segment_s = wish_s, .encoder_format = "yuv420p", .one_graph = true};
    struct plan plan;

    plan_make(&plan, &input);
    assert_int_equal(plan.stage_count, 2);
    assert_int_equal(plan.stages[1].run_frames, run);
    assert_int_equal(plan.stages[1].brief_frames, brief);
    plan_clear(&plan);
}

static void runs_of_a_length_that_was_wished_for_are_not_shortened_early(void **state)
{
    (void)state;
    assert_runs(0, 125, 50);
    assert_runs(4, 100, 100);
    assert_runs(1, 25, 25);
}

static void the_last_runs_are_short_where_runs_are_long_or_short(void **state)
{
    struct plan_stage longer = {.run_frames = 240, .frames = 2400}, shorter = {.run_frames = 5, .frames = 50};

    (void)state;
    assert_int_equal(plan_run_length(&longer, 2390), 30);
    assert_int_equal(plan_run_length(&shorter, 0), 5);
    assert_int_equal(plan_run_length(&shorter, 48), 5);
}

static void a_frame_more_than_was_guessed_leaves_no_long_run_for_the_end(void **state)
{
    struct plan_stage stage = {.run_frames = 120, .frames = 2881};
    uint64_t from = 0;
    unsigned last = 0;

    (void)state;
    while (from < 2880) {
        last = plan_run_length(&stage, from);
        from += last;
    }
    assert_true(last <= 15);
}

static void without_filters_or_with_frame_by_frame_ones_it_is_parallel(void **state)
{
    (void)state;
    expect_parallel(planned(NULL, NULL, NULL));
    expect_parallel(planned("scale", "unsharp", "eq"));
}

static bool planned_slices_free(const char *first, const char *second)
{
    struct plan plan = planned(first, second, NULL);
    bool is_free = plan.slices_free;

    plan_clear(&plan);
    return is_free;
}

static void slices_are_free_where_they_matter_to_no_filter(void **state)
{
    (void)state;
    assert_true(planned_slices_free(NULL, NULL));
    assert_true(planned_slices_free("scale", "hqdn3d"));
    assert_false(planned_slices_free("scale", "pseudocolor"));
    assert_false(planned_slices_free("brandnew", "scale"));
}

// With two filters, yuv420p but for what leaves the second one's place; NULL, NULL: with none.
static void expect_converted(const char *chain_text, const char *second_in, const char *second_out, const char *encoder, const char *wanted)
{
    char usual[] = "yuv420p", in[16], out[16];
    Wire__FilterFacts facts[2], *chain[] = {filter(&facts[0], "hflip"), filter(&facts[1], "scale")};
    struct plan_input input = {.cuttable = true,
                               .duration_s = 120,
                               .frame_rate = 25,
                               .chain = chain_text,
                               .filters = chain,
                               .filter_count = second_in ? 2 : 0,
                               .decoder_format = usual,
                               .encoder_format = encoder};
    struct plan plan;
    char *text;

    snprintf(in, sizeof(in), "%s", second_in ? second_in : "");
    snprintf(out, sizeof(out), "%s", second_out ? second_out : "");
    facts[0].input_format = facts[0].output_format = usual;
    facts[1].input_format = in;
    facts[1].output_format = out;
    plan_make(&plan, &input);
    text = plan_describe(&plan);
    assert_string_equal(text, wanted);
    free(text);
    plan_clear(&plan);
}

static void a_conversion_to_few_colours_is_in_order(void **state)
{
    static const char stages[] = "[decode] in order > [hflip] parallel > [scale] in order > [encode] parallel";
    static const char at_the_end[] = "[decode] in order > [encode] in order", one[] = "[decode hflip,scale encode] parallel";
    static const char behind[] = "[decode] in order > [hflip,scale] parallel > [encode] in order";

    (void)state;
    expect_converted("hflip,scale", "pal8", "pal8", "pal8", stages);
    expect_converted("hflip,scale", "yuv420p", "rgb8", "rgb8", stages);
    expect_converted("hflip,scale", "yuv420p", "yuv420p", "bgr4_byte", behind);
    expect_converted("", NULL, NULL, "pal8", at_the_end);
    expect_converted("hflip,scale", "yuv420p", "rgb565le", "rgb565le", one);
    expect_converted("hflip,scale", "yuv420p", "monow", "monow", one);
    expect_converted("hflip,scale=1:1:sws_dither=ed", "yuv420p", "monow", "monow", stages);
}

static bool last_stage_rests(const char *first, const char *second, const char *third)
{
    const char *names[] = {first, second, third};
    char format[] = "yuv420p", chain_text[64];
    Wire__FilterFacts facts[3], *chain[] = {&facts[0], &facts[1], &facts[2]};
    struct plan_input input = {
        .cuttable = true, .duration_s = 120, .chain = chain_text, .filters = chain, .filter_count = 3, .encoder_format = format};
    struct plan plan;
    bool rests;

    snprintf(chain_text, sizeof(chain_text), "%s,%s,%s", first, second, third);
    for (size_t i = 0; i < 3; i++) {
        filter(&facts[i], names[i]);
        facts[i].input_format = facts[i].output_format = format;
    }
    plan_make(&plan, &input);
    assert_true(plan.stages[plan.stage_count - 1].parallel);
    rests = plan.stages[plan.stage_count - 1].rests;
    plan_clear(&plan);
    return rests;
}

// What one filter makes of a run's neighbours is seen by another one's neighbours.
static void a_filter_rests_where_it_alone_looks_at_neighbours(void **state)
{
    (void)state;
    assert_true(last_stage_rests("scale", "dedot", "eq"));
    assert_false(last_stage_rests("dedot", "scale", "dedot"));
    assert_false(last_stage_rests("scale", "eq", "scale"));
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
    assert_true(plan.differs);
    expect_serial(plan, "the filter rotate is not the same from run to run");
    facts.n_options = 0;
    plan_make(&plan, &input);
    assert_false(plan.differs);
    plan_clear(&plan);
}

static void metadata_matters_only_to_readers_behind_it(void **state)
{
    (void)state;
    expect_parallel(planned("cropdetect", NULL, NULL));
    expect_parallel(planned("metadata", "cropdetect", NULL));
    expect_parallel(planned("entropy", "metadata", NULL));
    expect_serial(planned("cropdetect", "scale", "metadata"), "the filter metadata reads what cropdetect gathers over the whole video");
}

// split, the filters named, and overlay.
static struct plan planned_between_branches(const char *first, const char *second, unsigned inputs)
{
    const char *names[] = {"split", first, second, "overlay"};
    Wire__FilterFacts facts[4], *chain[4];
    struct plan_input input = {.cuttable = true, .duration_s = 120, .filters = chain, .filter_count = 4};
    struct plan plan;

    for (size_t i = 0; i < 4; i++)
        chain[i] = filter(&facts[i], names[i]);
    facts[0].outputs = 2;
    facts[2].inputs = inputs;
    facts[3].inputs = 2;
    plan_make(&plan, &input);
    return plan;
}

static void branches_that_work_frame_by_frame_are_cut(void **state)
{
    (void)state;
    expect_parallel(planned_between_branches("gblur", "negate", 1));
}

static void a_branch_that_remembers_counts_or_changes_times_is_not(void **state)
{
    (void)state;
    expect_serial(planned_between_branches("gblur", "hqdn3d", 1), "the filter hqdn3d carries state from frame to frame");
    expect_serial(planned_between_branches("gblur", "yadif", 1), "the filter yadif looks at neighbouring frames");
    expect_serial(planned_between_branches("trim", "negate", 1), "the filter trim changes times or numbers of frames in a graph that branches");
    expect_serial(planned_between_branches("setpts", "negate", 1), "the filter setpts changes times or numbers of frames in a graph that branches");
}

static void a_graph_that_is_not_cut_is_encoded_in_parallel_all_the_same(void **state)
{
    char format[] = "yuv420p";
    Wire__FilterFacts facts, *chain[] = {filter(&facts, "interleave")};
    struct plan_input input = {
        .cuttable = true, .filters = chain, .filter_count = 1, .chain = "split[a][b];[a][b]interleave", .encoder_format = format};
    struct plan plan;
    char *text;

    (void)state;
    facts.inputs = 2;
    plan_make(&plan, &input);
    text = plan_describe(&plan);
    assert_string_equal(text, "[decode filters] in order > [encode] parallel");
    assert_null(plan.stages[0].filters);
    assert_null(plan.stages[0].sink_format);
    assert_string_equal(plan.stages[1].filters, "format=pix_fmts=yuv420p");
    free(text);
    plan_clear(&plan);
}

static void a_graph_with_a_source_of_its_own_is_not_cut(void **state)
{
    (void)state;
    expect_serial(planned_between_branches("gblur", "movie", 0), "the filter movie does not have exactly one input and one output");
    expect_serial(planned_between_branches("gblur", "interleave", 2), "the filter interleave does not have exactly one input and one output");
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
    assert_false(plan.stages[0].parallel);
    assert_non_null(plan.reason);
    plan_clear(&plan);
}

static void one_segment_is_made_when_asked_for(void **state)
{
    struct plan_input input = {.cuttable = true, .duration_s = 600, .one_segment = true};
    struct plan plan;

    (void)state;
    plan_make(&plan, &input);
    assert_false(plan.stages[0].parallel);
    assert_string_equal(plan.reason, "it was asked for");
    plan_clear(&plan);
}

static void one_segment_that_nobody_asked_for_has_its_own_reason(void **state)
{
    struct plan_input input = {.cuttable = true, .duration_s = 600, .one_segment = true, .why_one_segment = "timestamps go back"};
    struct plan plan;

    (void)state;
    plan_make(&plan, &input);
    assert_string_equal(plan.reason, "timestamps go back");
    assert_true(plan.limited);
    plan_clear(&plan);
}

static void filters_that_may_not_be_taken_apart_work_in_one_stage(void **state)
{
    (void)state;
    expect_stages_for((struct plan_input){.cuttable = true, .one_graph = true}, "scale,hqdn3d,unsharp",
                      "[decode scale,hqdn3d,unsharp] in order > [encode] parallel");
    expect_stages_for((struct plan_input){.duration_s = 60, .one_graph = true}, "", "[decode] in order > [encode] parallel");
}

static double length_for(double duration_s, double wish_s)
{
    struct plan_input input = {.cuttable = true, .duration_s = duration_s, .segment_s = wish_s};
    struct plan plan;
    double length;

    plan_make(&plan, &input);
    length = plan.segment_s;
    // Whoever wishes for a length gets it up to the end.
    assert_near(plan.taper_s, wish_s > 0 || !(duration_s > 0) ? 0 : duration_s, 1e-9);
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
        cmocka_unit_test(slices_are_free_where_they_matter_to_no_filter),
        cmocka_unit_test(a_conversion_to_few_colours_is_in_order),
        cmocka_unit_test(a_filter_rests_where_it_alone_looks_at_neighbours),
        cmocka_unit_test(the_first_filter_that_objects_is_named_with_its_reason),
        cmocka_unit_test(what_ffmpeg_itself_does_not_repeat_is_not_cut),
        cmocka_unit_test(metadata_matters_only_to_readers_behind_it),
        cmocka_unit_test(branches_that_work_frame_by_frame_are_cut),
        cmocka_unit_test(a_branch_that_remembers_counts_or_changes_times_is_not),
        cmocka_unit_test(a_graph_with_a_source_of_its_own_is_not_cut),
        cmocka_unit_test(a_graph_that_is_not_cut_is_encoded_in_parallel_all_the_same),
        cmocka_unit_test(a_stream_that_cannot_be_cut_gives_its_own_reason),
        cmocka_unit_test(one_segment_is_made_when_asked_for),
        cmocka_unit_test(one_segment_that_nobody_asked_for_has_its_own_reason),
        cmocka_unit_test(filters_that_may_not_be_taken_apart_work_in_one_stage),
        cmocka_unit_test(segments_are_two_dozen_but_neither_tiny_nor_huge),
        cmocka_unit_test(an_unknown_length_gets_the_longest_segments),
        cmocka_unit_test(the_users_wish_comes_first),
        cmocka_unit_test(a_stateful_filter_becomes_a_serial_stage_between_parallel_ones),
        cmocka_unit_test(neighbours_do_not_make_it_serial),
        cmocka_unit_test(who_keeps_frames_stays_with_who_writes_into_them),
        cmocka_unit_test(a_frame_for_each_field_is_parallel_in_the_last_stage),
        cmocka_unit_test(filters_are_kept_for_the_next_run_when_no_frame_depends_on_another),
        cmocka_unit_test(what_looks_at_more_than_its_frames_is_left_alone_with_everything),
        cmocka_unit_test(who_commands_others_stays_with_them),
        cmocka_unit_test(what_changes_times_stays_in_the_first_graph),
        cmocka_unit_test(one_encoder_is_a_serial_stage),
        cmocka_unit_test(a_stream_that_cannot_be_cut_is_decoded_in_order),
        cmocka_unit_test(long_gops_are_split),
        cmocka_unit_test(each_part_keeps_the_formats_of_the_whole_graph),
        cmocka_unit_test(runs_do_not_depend_on_workers_and_end_short),
        cmocka_unit_test(long_runs_get_shorter_early_and_short_ones_late),
        cmocka_unit_test(runs_of_a_length_that_was_wished_for_are_not_shortened_early),
        cmocka_unit_test(the_last_runs_are_short_where_runs_are_long_or_short),
        cmocka_unit_test(a_frame_more_than_was_guessed_leaves_no_long_run_for_the_end),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
