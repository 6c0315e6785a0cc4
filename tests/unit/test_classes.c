#include "coordinator/classes.h"

#include "common/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// Facts written as "name|option=value|*option=value": every option as libavutil prints it, a star before those that the user gave.
static Wire__FilterFacts *facts_of(const char *text)
{
    Wire__FilterFacts *facts = mem_zalloc(sizeof(*facts));
    char *copy = mem_dup(text), *rest = copy, *word;

    wire__filter_facts__init(facts);
    facts->name = mem_dup(strsep(&rest, "|"));
    facts->inputs = facts->outputs = 1;
    while ((word = strsep(&rest, "|"))) {
        Wire__Option *option = mem_zalloc(sizeof(*option));
        bool given = *word == '*';
        char *key = word + given, *value = strchr(key, '=');

        assert_non_null(value);
        *value++ = '\0';
        wire__option__init(option);
        option->key = mem_dup(key);
        option->value = mem_dup(value);
        facts->options = mem_grow(facts->options, facts->n_options + 1, sizeof(*facts->options));
        facts->options[facts->n_options++] = option;
        if (given) {
            facts->set = mem_grow(facts->set, facts->n_set + 1, sizeof(*facts->set));
            facts->set[facts->n_set++] = mem_dup(key);
        }
    }
    free(copy);
    return facts;
}

static struct class_result result_of(const char *text)
{
    Wire__FilterFacts *facts = facts_of(text);
    struct class_result result = classes_of(facts);

    wire__filter_facts__free_unpacked(facts, NULL);
    return result;
}

static void expect(const char *text, enum class_kind kind)
{
    struct class_result result = result_of(text);

    if (result.kind != kind)
        fail_msg("%s: class %d, not %d", text, result.kind, kind);
    if (kind == CLASS_FRAME ? result.why != NULL : result.why == NULL)
        fail_msg("%s: why is '%s'", text, result.why ? result.why : "missing");
}

static void filters_of_common_chains_are_frame_by_frame(void **state)
{
    static const char *const filters[] = {
        "unsharp|*luma_msize_x=7|*lx=7|*luma_msize_y=7|*ly=7|*luma_amount=1.500000|*la=1.500000|chroma_msize_x=5|cx=5|chroma_msize_y=5|cy=5|"
        "chroma_amount=0.000000|ca=0.000000|alpha_msize_x=5|ax=5|alpha_msize_y=5|ay=5|alpha_amount=0.000000|aa=0.000000",
        "eq|*contrast=1.1|brightness=0.0|*saturation=1.2|gamma=1.0|gamma_r=1.0|gamma_g=1.0|gamma_b=1.0|gamma_weight=1.0|eval=0",
        "vignette|angle=PI/5|a=PI/5|x0=w/2|y0=h/2|mode=0|eval=0|*dither=false|aspect=1/1",
        "nlmeans|*s=3.000000|p=7|*pc=7|*r=5|*rc=5",
        "spp|*quality=4|qp=0|mode=0|use_bframe_qp=false",
        "scale|*w=1920|*width=1920|*h=1080|*height=1080|*flags=lanczos|interl=false|size=|s=|in_color_matrix=auto|out_color_matrix=|in_range=0|eval="
        "0",
        "hue|*h=10|s=1|H=|b=0",
        "null",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        struct class_result result = result_of(filters[i]);

        expect(filters[i], CLASS_FRAME);
        assert_true(result.repeatable);
        assert_false(result.meta_later);
    }
}

static void default_vignette_counts_and_without_dither_only_when_it_names_n(void **state)
{
    (void)state;
    expect("vignette|angle=PI/5|a=PI/5|x0=w/2|y0=h/2|mode=0|eval=0|dither=true|aspect=1/1", CLASS_COUNTED);
    expect("vignette|*angle=n/100|*a=n/100|x0=w/2|y0=h/2|mode=0|*eval=1|*dither=false|aspect=1/1", CLASS_COUNTED);
    expect("vignette|*angle=n/100|*a=n/100|x0=w/2|y0=h/2|mode=0|eval=0|*dither=false|aspect=1/1", CLASS_FRAME);
    expect("vignette|*angle=n/100|*a=n/100|x0=w/2|y0=h/2|mode=0|*eval=frame|*dither=0|aspect=1/1", CLASS_COUNTED);
}

static void filters_with_a_memory_are_stateful(void **state)
{
    (void)state;
    expect("hqdn3d|*luma_spatial=4.000000|*chroma_spatial=3.000000|*luma_tmp=0.000000|*chroma_tmp=0.000000", CLASS_STATEFUL);
    assert_string_equal(result_of("hqdn3d").why, "carries state from frame to frame");
}

static void what_nobody_has_measured_is_stateful(void **state)
{
    (void)state;
    expect("brandnew|x=1", CLASS_STATEFUL);
    assert_string_equal(result_of("brandnew").why, "is not in the table of known filters");
    expect("overla", CLASS_STATEFUL); // no prefix of a name will do
    expect("", CLASS_STATEFUL);
}

static void more_than_one_input_or_output_is_stateful(void **state)
{
    Wire__FilterFacts *facts = facts_of("guided|*guidance=1");

    (void)state;
    facts->inputs = 2;
    assert_int_equal(classes_of(facts).kind, CLASS_STATEFUL);
    facts->inputs = 1;
    facts->outputs = 2;
    assert_int_equal(classes_of(facts).kind, CLASS_STATEFUL);
    facts->outputs = 0;
    assert_int_equal(classes_of(facts).kind, CLASS_STATEFUL);
    wire__filter_facts__free_unpacked(facts, NULL);
    expect("extractplanes|*planes=0x00000010", CLASS_FRAME); // of one plane
}

static void what_is_laid_over_may_be_where_it_was(void **state)
{
    static const char *const places[] = {"overlay|*x=10*t|*y=x", "overlay|*x=if(isnan(x),0,x+1)|y=0", "overlay|*x=y|*y=if(isnan(x),0,x)"};
    static const enum class_kind kinds[] = {CLASS_FRAME, CLASS_STATEFUL, CLASS_STATEFUL};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        Wire__FilterFacts *facts = facts_of(places[i]);

        facts->inputs = 2;
        assert_int_equal(classes_of(facts).kind, kinds[i]);
        wire__filter_facts__free_unpacked(facts, NULL);
    }
}

static void subtitles_that_overlap_are_drawn_in_order(void **state)
{
    static const char *const names[] = {"ass", "subtitles"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        Wire__FilterFacts *facts = facts_of(names[i]);

        assert_int_equal(classes_of(facts).kind, CLASS_FRAME);
        facts->has_titles_overlap = facts->titles_overlap = 1;
        assert_int_equal(classes_of(facts).kind, CLASS_STATEFUL);
        assert_non_null(strstr(classes_of(facts).why, "subtitle"));
        assert_int_equal(classes_of_vouched(facts).kind, CLASS_FRAME);
        wire__filter_facts__free_unpacked(facts, NULL);
    }
}

static void fade_counts_unless_it_is_told_by_time(void **state)
{
    (void)state;
    expect("fade|type=0|t=0|start_frame=0|s=0|nb_frames=25|n=25|start_time=0|st=0|duration=0|d=0", CLASS_COUNTED);
    expect("fade|type=0|t=0|start_frame=0|s=0|*nb_frames=0|*n=0|*start_time=3|*st=3|*duration=2|*d=2", CLASS_FRAME);
    expect("fade|type=0|t=0|start_frame=0|s=0|*start_time=1:05|*duration=1:00:00.5|*d=1:00:00.5", CLASS_FRAME);
    expect("fade|type=0|t=0|*start_frame=9|*s=9|start_time=0|st=0|*duration=2|*d=2", CLASS_STATEFUL);
    expect("fade|type=0|t=0|start_frame=0|s=0|nb_frames=25|n=25|*start_time=3|*st=3|duration=0|d=0", CLASS_STATEFUL);
}

static void n_counts_only_where_it_is_read_for_every_frame(void **state)
{
    (void)state;
    expect("eq|*contrast=1+n/100|*eval=1", CLASS_COUNTED);
    expect("eq|*contrast=1+n/100|*eval=frame", CLASS_COUNTED);
    expect("eq|*contrast=1+n/100|eval=0", CLASS_FRAME);
    expect("eq|*contrast=1+t/100|*eval=1", CLASS_FRAME);
    expect("hue|*h=n|s=1|H=|b=0", CLASS_COUNTED);
    expect("hue|*h=10*sin(t)+min(1,PI)|s=1|H=|b=0", CLASS_FRAME);
    expect("geq|*lum_expr=N+p(X,Y)", CLASS_COUNTED);
    expect("perspective|*x0=in|*eval=1", CLASS_COUNTED);
    expect("crop|*x=n|y=0", CLASS_COUNTED);
    expect("crop|*w=100|x=(in_w-out_w)/2|y=0", CLASS_FRAME);
    expect("crop|*w=100|*x=y*2|*y=10*t", CLASS_FRAME); // computed in an order that makes it whole
    expect("crop|*w=100|*x=if(isnan(x),0,x+1)|y=0", CLASS_STATEFUL);
    expect("crop|*w=100|*x=n|*y=max(y,10*t)", CLASS_STATEFUL);
    expect("crop|*w=100|*x=y+1|*y=if(isnan(x),0,x)", CLASS_STATEFUL);
}

static void enable_by_time_keeps_the_class_and_by_number_counts(void **state)
{
    (void)state;
    expect("hue|*h=10|enable=between(t,1,2)", CLASS_FRAME);
    expect("hue|*h=10|enable=gte(n,10)", CLASS_COUNTED);
    expect("hue|*h=n|enable=between(t,1,2)", CLASS_COUNTED); // the link goes on counting
    expect("hue|*h=10|enable=gt(random(1),0.5)", CLASS_STATEFUL);
    expect("hue|*h=10|enable=1", CLASS_FRAME);
}

static void slices_matter_to_a_few_and_to_what_nobody_knows(void **state)
{
    (void)state;
    assert_false(result_of("unsharp").in_slices);
    assert_false(result_of("hqdn3d").in_slices);
    assert_true(result_of("pseudocolor").in_slices);
    assert_true(result_of("greyedge").in_slices);
    assert_true(result_of("zscale").in_slices);
    assert_false(result_of("rotate|*angle=t").in_slices);
    assert_true(result_of("rotate|*angle=random(1)").in_slices);
    assert_true(result_of("brandnew").in_slices);
}

static void expect_window(const char *text, unsigned before, unsigned after)
{
    struct class_result result = result_of(text);

    expect(text, CLASS_WINDOW);
    assert_true(result.bounded);
    assert_int_equal(result.before, before);
    assert_int_equal(result.after, after);
}

static void neighbours_follow_from_the_options(void **state)
{
    (void)state;
    expect_window("tmix|frames=5", 4, 0);
    expect_window("tmedian|radius=3", 0, 6);
    expect_window("atadenoise|s=9", 4, 4);
    expect_window("fftdnoiz|prev=1|next=1", 1, 1);
    assert_false(result_of("fps|fps=20").bounded);       // by rates that only the graph knows
    assert_false(result_of("tmix|frames=1024").bounded); // as good as everything
}

static void what_changes_times_or_numbers_is_not_steady(void **state)
{
    (void)state;
    assert_true(result_of("tmix|frames=3").steady);
    assert_true(result_of("hqdn3d").steady);
    assert_true(result_of("yadif|mode=send_frame").steady);
    assert_false(result_of("yadif|mode=send_field").steady);
    assert_false(result_of("fps|fps=20").steady);
    assert_false(result_of("mpdecimate").steady);
    assert_false(result_of("brandnew").steady);
}

static void what_gives_a_frame_for_each_field_keeps_to_their_times(void **state)
{
    (void)state;
    assert_true(result_of("yadif|mode=send_field").forward && !result_of("yadif|mode=send_field").fewer);
    assert_true(result_of("w3fdif|mode=field").forward && result_of("estdif|mode=field").forward && result_of("bwdif|mode=send_field").forward);
    assert_true(result_of("minterpolate|*mi_mode=dup|me=epzs").forward && result_of("minterpolate|*mi_mode=dup|me=epzs").fewer);
    assert_false(result_of("yadif|mode=send_frame").forward);
    assert_false(result_of("separatefields").forward); // what it makes up at the end of the video has a time of its own
    assert_false(result_of("fps|fps=20").forward);
}

// The first frame that it works on is filtered on its own, and frames that pass by are not worked on.
static void bwdif_remembers_whether_a_frame_was_interlaced_before(void **state)
{
    (void)state;
    expect("bwdif|mode=send_field|deint=all", CLASS_WINDOW);
    expect("bwdif|mode=send_frame|deint=interlaced", CLASS_STATEFUL);
    expect("bwdif|mode=send_field|deint=interlaced", CLASS_STATEFUL);
    expect("yadif|mode=send_frame|deint=interlaced", CLASS_WINDOW);
}

// The pixels pass, but whether a frame is interlaced is written into it, as those before it were found to be.
static void what_sets_flags_by_frames_before_is_stateful(void **state)
{
    (void)state;
    expect("idet|analyze_interlaced_flag=0", CLASS_STATEFUL);
}

// To which frame a decoder hangs side data depends on where it began.
static void frames_picked_by_their_side_data_are_picked_in_order(void **state)
{
    (void)state;
    expect("sidedata|mode=select", CLASS_STATEFUL);
    assert_false(result_of("sidedata|mode=select").steady);
    expect("sidedata|mode=delete", CLASS_FRAME);
}

static void enable_on_what_remembers_is_stateful(void **state)
{
    (void)state;
    expect("tmix|frames=3", CLASS_WINDOW);
    expect("tmix|frames=3|enable=1", CLASS_WINDOW);
    expect("tmix|frames=3|enable=between(t,1,2)", CLASS_STATEFUL);
    expect("noise|*all_flags=0x00000002|enable=between(t,1,2)", CLASS_STATEFUL); // a counter of its own
}

static void random_numbers_are_stateful_with_or_without_blanks(void **state)
{
    (void)state;
    expect("geq|*lum_expr=random(1)*255", CLASS_STATEFUL);
    expect("geq|*lum_expr=random (1)*255", CLASS_STATEFUL);
    expect("geq|*lum_expr=randomi(0,1,2)", CLASS_STATEFUL);
    expect("geq|*lum_expr=p(X,Y)", CLASS_FRAME);
}

static void a_variable_read_before_it_is_surely_set_is_stateful(void **state)
{
    (void)state;
    expect("geq|*lum_expr=st(0,X);ld(0)+p(X,Y)", CLASS_FRAME);
    expect("geq|*lum_expr=hypot(st(0,X),st( 1 ,Y))+ld(0)+ld( 1 )", CLASS_FRAME);
    expect("geq|*lum_expr=ld(0)+st(0,X)", CLASS_STATEFUL);
    expect("geq|*lum_expr=st(1,X);ld(0)", CLASS_STATEFUL);
    expect("geq|*lum_expr=st(0,ld(0)+1)", CLASS_STATEFUL);
    expect("geq|*lum_expr=if(lt(T,1),st(0,X));ld(0)", CLASS_STATEFUL);
    expect("geq|*lum_expr=if(lt(T,1),2+st(0,X));ld(0)", CLASS_STATEFUL);
    expect("geq|*lum_expr=st(X,1);ld(X)", CLASS_STATEFUL);
    expect("geq|*lum_expr=st(0,X)|*cb_expr=ld(0)", CLASS_STATEFUL); // each expression has variables of its own
}

static void absurdly_deep_expressions_get_the_careful_answer(void **state)
{
    char text[2048] = "geq|*lum_expr=";

    (void)state;
    for (int i = 0; i < 200; i++)
        strcat(text, "abs(");
    strcat(text, "ld(0)");
    expect(text, CLASS_STATEFUL);
    expect("geq|*lum_expr=))))p(X,Y)((((", CLASS_FRAME);
}

static void the_time_of_day_cannot_be_repeated(void **state)
{
    (void)state;
    assert_false(result_of("rotate|*angle=time(0)|*a=time(0)").repeatable);
    assert_true(result_of("rotate|*angle=t*PI/2|*a=t*PI/2").repeatable);
    assert_false(result_of("drawtext|*text=%{localtime}|expansion=1").repeatable);
    assert_false(result_of("drawtext|*text=%H|*expansion=2").repeatable);
    assert_false(result_of("shufflepixels|seed=-1|s=-1").repeatable);
    assert_true(result_of("shufflepixels|*seed=3|*s=3").repeatable);
}

static void drawn_text_counts_only_by_what_it_computes(void **state)
{
    (void)state;
    expect("drawtext|*text=press n or random(1)|x=0|y=0|expansion=1|timecode=|reload=0|alpha=1", CLASS_FRAME);
    expect("drawtext|*text=frame %{n}|x=0|y=0|expansion=1|timecode=|reload=0|alpha=1", CLASS_COUNTED);
    expect("drawtext|*text=%{eif:frame_num:d}|x=0|y=0|expansion=1|timecode=|reload=0|alpha=1", CLASS_COUNTED);
    expect("drawtext|*text=%{pts}|x=0|y=0|expansion=1|timecode=|reload=0|alpha=1", CLASS_FRAME);
    expect("drawtext|*text=hi|*x=w-tw|*y=x+th|expansion=1|timecode=|reload=0|*fontsize=h/10", CLASS_FRAME);
    expect("drawtext|*text=hi|*x=if(lt(t,1),5,x+1)|y=0|expansion=1|timecode=|reload=0", CLASS_STATEFUL);
    expect("drawtext|*text=hi|x=0|y=0|expansion=1|timecode=|reload=0|*fontsize=20+mod(th,7)", CLASS_STATEFUL);
    expect("drawtext|*text=%{pts} x %{eif:tw:d}|x=0|y=0|expansion=1|timecode=|reload=0", CLASS_STATEFUL);
    expect("drawtext|*text=%{pts} x 5|x=0|y=0|expansion=1|timecode=|reload=0", CLASS_FRAME);
    expect("drawtext|*text=hi|*x=10*n|y=0|expansion=1|timecode=|reload=0|alpha=1", CLASS_COUNTED);
    expect("drawtext|text=|x=0|y=0|expansion=1|*timecode=00:00:00:00|reload=0|alpha=1", CLASS_COUNTED);
    expect("drawtext|*text=hi|x=0|y=0|expansion=1|timecode=|*reload=1|alpha=1", CLASS_STATEFUL);
    assert_true(result_of("drawtext|*text=%{metadata:lavfi.x}|x=0|y=0|timecode=").reads_meta);
}

static void switches_that_are_booleans_are_understood(void **state)
{
    (void)state;
    expect("scdet|threshold=10.000000|t=10.000000|sc_pass=false|s=false", CLASS_FRAME);
    expect("scdet|threshold=10.000000|t=10.000000|*sc_pass=true|*s=true", CLASS_WINDOW);
    expect("find_rect|object=x|discard=false", CLASS_FRAME);
    expect("find_rect|object=x|*discard=true", CLASS_STATEFUL);
}

static void flags_are_understood_as_bits_and_as_names(void **state)
{
    (void)state;
    expect("noise|*alls=10|all_flags=0x00000000|allf=0x00000000|c0_flags=0x00000000", CLASS_FRAME);
    expect("noise|*alls=10|*all_flags=0x00000001|*allf=0x00000001", CLASS_FRAME);
    expect("noise|*alls=10|*all_flags=0x00000002|*allf=0x00000002", CLASS_COUNTED);
    expect("noise|*alls=10|*all_flags=0x0000000b|*allf=0x0000000b", CLASS_COUNTED);
    expect("noise|*alls=10|*all_flags=u+t", CLASS_COUNTED);
    expect("noise|*alls=10|*all_flags=u+p", CLASS_FRAME);
}

static void cuts_by_time_are_frame_by_frame_and_others_are_not(void **state)
{
    (void)state;
    expect("trim|*start=1|*end=3|duration=0|durationi=0|start_frame=-1|end_frame=9223372036854775807", CLASS_FRAME);
    expect("trim|start=INT64_MAX|end=INT64_MAX|duration=0|start_frame=-1|*end_frame=30", CLASS_COUNTED);
    expect("trim|start=INT64_MAX|end=INT64_MAX|duration=0|*start_frame=0|end_frame=9223372036854775807", CLASS_COUNTED);
    expect("trim|start=INT64_MAX|end=INT64_MAX|*duration=1:05|start_frame=-1|end_frame=9223372036854775807", CLASS_STATEFUL);
    expect("select|*expr=eq(pict_type,I)|outputs=1", CLASS_FRAME);
    expect("select|*expr=not(mod(n,2))|outputs=1", CLASS_COUNTED);
    expect("select|*expr=gt(scene,0.4)|outputs=1", CLASS_WINDOW);
    expect("select|*expr=gt(scene,0.4)+eq(n,0)|outputs=1", CLASS_COUNTED);
    expect("select|*expr=isnan(prev_selected_t)+gte(t-prev_selected_t,10)|outputs=1", CLASS_STATEFUL);
    expect("framestep|*step=2", CLASS_COUNTED);
    expect("framestep|*step=1", CLASS_FRAME);
    expect("tpad|start=0|stop=0|start_duration=0|stop_duration=0", CLASS_FRAME);
    expect("tpad|start=0|stop=0|*start_duration=2.5|stop_duration=0", CLASS_STATEFUL);
    expect("loop|loop=0|size=0", CLASS_FRAME);
    expect("loop|*loop=-1|*size=10", CLASS_STATEFUL);
}

static void timestamps_may_be_rewritten_frame_by_frame(void **state)
{
    (void)state;
    expect("setpts|*expr=2*PTS", CLASS_FRAME);
    expect("setpts|*expr=PTS-STARTPTS", CLASS_STATEFUL);
    expect("setpts|*expr=N/25/TB", CLASS_COUNTED);
    expect("settb|*expr=1/1000|*tb=1/1000", CLASS_FRAME);
}

static bool looks_beyond_the_edges(const char *text, unsigned width, const char *format)
{
    Wire__FilterFacts *facts = facts_of(text);
    struct class_result result;

    facts->input_width = width;
    facts->input_format = mem_dup(format);
    result = classes_of(facts);
    wire__filter_facts__free_unpacked(facts, NULL);
    return result.looks_at != NULL;
}

static void blocks_that_reach_beyond_the_edge_look_at_more_than_the_picture(void **state)
{
    static const char fftdnoiz[] = "fftdnoiz|block=32|overlap=0.5|prev=0|next=0|window=1";

    (void)state;
    assert_false(looks_beyond_the_edges(fftdnoiz, 1920, "yuv420p"));
    assert_false(looks_beyond_the_edges(fftdnoiz, 720, "yuv420p")); // the window is zero where its block begins
    assert_true(looks_beyond_the_edges("fftdnoiz|block=32|overlap=0.5|prev=0|next=0|window=0", 720, "yuv420p"));
    assert_false(looks_beyond_the_edges("fftdnoiz|block=32|overlap=0.5|prev=0|next=0|window=0", 720, "yuv444p"));
    assert_true(looks_beyond_the_edges(fftdnoiz, 854, "yuv420p"));
    assert_false(looks_beyond_the_edges(fftdnoiz, 858, "yuv444p"));
    assert_true(looks_beyond_the_edges(fftdnoiz, 0, "yuv444p"));
    assert_true(looks_beyond_the_edges("fftdnoiz|prev=0|next=0", 1920, "yuv420p"));
}

static void of_several_rules_the_first_that_holds_decides(void **state)
{
    (void)state;
    expect("fftdnoiz|prev=0|next=0", CLASS_FRAME);
    expect("fftdnoiz|*prev=1|next=0", CLASS_WINDOW);
    expect("minterpolate|mi_mode=2|me=8", CLASS_STATEFUL);
    expect("minterpolate|mi_mode=2|*me=1", CLASS_WINDOW);
    expect("minterpolate|*mi_mode=dup|me=epzs", CLASS_WINDOW);
    expect("tinterlace|*mode=6|flags=0x00000000", CLASS_WINDOW);
    expect("tinterlace|*mode=4|flags=0x00000000", CLASS_COUNTED);
    expect("scale|*w=100+t|*eval=1", CLASS_STATEFUL);
}

static void who_attaches_and_who_reads_metadata_is_known(void **state)
{
    (void)state;
    assert_true(result_of("cropdetect").meta_later);
    assert_false(result_of("entropy").meta_later); // of the frame itself
    assert_false(result_of("cropdetect").reads_meta);
    assert_true(result_of("metadata|*mode=4").reads_meta);
    assert_true(result_of("codecview").reads_meta);
}

static void who_writes_a_file_about_all_frames_goes_in_order(void **state)
{
    (void)state;
    expect("metadata|*mode=4|file=", CLASS_FRAME);
    expect("metadata|*mode=4|*file=m.txt", CLASS_STATEFUL);
    expect("signature|*filename=s.bin", CLASS_STATEFUL);
    expect("vmafmotion|*stats_file=s.txt", CLASS_STATEFUL);
    assert_string_equal(result_of("metadata|*mode=4|*file=m.txt").why, "writes a file about all frames");
}

static void a_filter_that_is_vouched_for_is_frame_by_frame(void **state)
{
    Wire__FilterFacts *facts = facts_of("frei0r|*filter_name=pixeliz0r");
    struct class_result result = classes_of_vouched(facts);

    (void)state;
    assert_int_equal(result.kind, CLASS_FRAME);
    assert_true(result.steady && result.repeatable);
    assert_null(result.why);
    assert_true(classes_is_called(facts, "frei0r") && classes_is_called(facts, "pixeliz0r"));
    assert_false(classes_is_called(facts, "frei"));
    facts->outputs = 2;
    assert_int_equal(classes_of_vouched(facts).kind, CLASS_STATEFUL);
    wire__filter_facts__free_unpacked(facts, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_of_common_chains_are_frame_by_frame),
        cmocka_unit_test(default_vignette_counts_and_without_dither_only_when_it_names_n),
        cmocka_unit_test(filters_with_a_memory_are_stateful),
        cmocka_unit_test(what_nobody_has_measured_is_stateful),
        cmocka_unit_test(more_than_one_input_or_output_is_stateful),
        cmocka_unit_test(what_is_laid_over_may_be_where_it_was),
        cmocka_unit_test(subtitles_that_overlap_are_drawn_in_order),
        cmocka_unit_test(fade_counts_unless_it_is_told_by_time),
        cmocka_unit_test(n_counts_only_where_it_is_read_for_every_frame),
        cmocka_unit_test(enable_by_time_keeps_the_class_and_by_number_counts),
        cmocka_unit_test(slices_matter_to_a_few_and_to_what_nobody_knows),
        cmocka_unit_test(neighbours_follow_from_the_options),
        cmocka_unit_test(what_changes_times_or_numbers_is_not_steady),
        cmocka_unit_test(what_gives_a_frame_for_each_field_keeps_to_their_times),
        cmocka_unit_test(bwdif_remembers_whether_a_frame_was_interlaced_before),
        cmocka_unit_test(what_sets_flags_by_frames_before_is_stateful),
        cmocka_unit_test(frames_picked_by_their_side_data_are_picked_in_order),
        cmocka_unit_test(enable_on_what_remembers_is_stateful),
        cmocka_unit_test(random_numbers_are_stateful_with_or_without_blanks),
        cmocka_unit_test(a_variable_read_before_it_is_surely_set_is_stateful),
        cmocka_unit_test(absurdly_deep_expressions_get_the_careful_answer),
        cmocka_unit_test(the_time_of_day_cannot_be_repeated),
        cmocka_unit_test(drawn_text_counts_only_by_what_it_computes),
        cmocka_unit_test(switches_that_are_booleans_are_understood),
        cmocka_unit_test(flags_are_understood_as_bits_and_as_names),
        cmocka_unit_test(cuts_by_time_are_frame_by_frame_and_others_are_not),
        cmocka_unit_test(timestamps_may_be_rewritten_frame_by_frame),
        cmocka_unit_test(of_several_rules_the_first_that_holds_decides),
        cmocka_unit_test(blocks_that_reach_beyond_the_edge_look_at_more_than_the_picture),
        cmocka_unit_test(who_writes_a_file_about_all_frames_goes_in_order),
        cmocka_unit_test(a_filter_that_is_vouched_for_is_frame_by_frame),
        cmocka_unit_test(who_attaches_and_who_reads_metadata_is_known),
    };

    return cmocka_run_group_tests_name("classes", tests, NULL, NULL);
}
