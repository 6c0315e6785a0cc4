// Where a stream may be cut, told by short lists of packets.
#include "coordinator/cutter.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NONE CUTTER_NO_TIME
#define KEY .key = true, .random_access = true

enum { MAX_CUTS = 32 };

struct result {
    int64_t cuts[MAX_CUTS];
    size_t cut_at[MAX_CUTS]; // number of packets before the cut
    size_t count, most_held;
    bool late;
    char note[200];
};

// Follows the cutter as the source does, and sees to it that no packet is lost.
static struct result feed_to(struct cutter c, const struct cutter_packet *packets, size_t count)
{
    struct result r = {0};
    size_t given = 0, held = 0;

    for (size_t i = 0; i <= count; i++) {
        struct cutter_step step = i < count ? cutter_put(&c, &packets[i]) : cutter_end(&c);

        if (step.held != CUTTER_WAIT)
            assert_true(held > 0);
        if (step.held == CUTTER_CUT) {
            assert_true(r.count < MAX_CUTS);
            r.cut_at[r.count] = given;
            r.cuts[r.count++] = step.cut_pts;
            assert_int_equal(packets[given].pts, step.cut_pts);
        }
        if (step.held != CUTTER_WAIT) {
            given += held;
            held = 0;
        }
        if (i == count)
            break;
        if (step.hold) {
            held++;
        } else {
            assert_int_equal(held, 0);
            given++;
        }
        if (held > r.most_held)
            r.most_held = held;
    }
    assert_int_equal(held, 0);
    assert_int_equal(given, count);
    r.late = c.late;
    if (cutter_note(&c))
        strncpy(r.note, cutter_note(&c), sizeof(r.note) - 1);
    return r;
}

static struct result feed_reordering(const struct cutter_packet *packets, size_t count, int64_t target, unsigned max_reorder)
{
    struct cutter c;

    cutter_init(&c, target, max_reorder, 0.1);
    return feed_to(c, packets, count);
}

static struct result feed(const struct cutter_packet *packets, size_t count, int64_t target)
{
    return feed_reordering(packets, count, target, UINT_MAX);
}

#define FEED(target, ...)                                                                                                                            \
    feed((const struct cutter_packet[]){__VA_ARGS__}, sizeof((struct cutter_packet[]){__VA_ARGS__}) / sizeof(struct cutter_packet), target)

static void closed_gops_are_cut_at_their_keyframes(void **state)
{
    // I P B, decoded one frame ahead of what is shown.
    struct result r = FEED(1, {.pts = 1, .dts = 0, KEY}, {.pts = 3, .dts = 1}, {.pts = 2, .dts = 2}, {.pts = 4, .dts = 3, KEY}, {.pts = 6, .dts = 4},
                           {.pts = 5, .dts = 5}, {.pts = 7, .dts = 6, KEY}, {.pts = 8, .dts = 7});

    (void)state;
    assert_int_equal(r.count, 2);
    assert_int_equal(r.cuts[0], 4);
    assert_int_equal(r.cut_at[0], 3);
    assert_int_equal(r.cuts[1], 7);
    assert_int_equal(r.cut_at[1], 6);
    assert_int_equal(r.most_held, 1);
}

static void frames_shown_before_their_keyframe_forbid_the_cut(void **state)
{
    struct result r = FEED(1, {.pts = 1, .dts = 0, KEY}, {.pts = 4, .dts = 1, KEY}, {.pts = 2, .dts = 2}, {.pts = 3, .dts = 3},
                           {.pts = 7, .dts = 4, KEY}, {.pts = 5, .dts = 5}, {.pts = 6, .dts = 6});

    (void)state;
    assert_int_equal(r.count, 0);
    assert_string_equal(r.note, "open GOPs: frames before 2 keyframes need what comes before");
}

static void a_keyframe_shown_before_earlier_packets_is_no_cut(void **state)
{
    struct result r = FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 5, .dts = 1}, {.pts = 4, .dts = 2, KEY}, {.pts = 6, .dts = 6});

    (void)state;
    assert_int_equal(r.count, 0);
}

static void segments_are_as_long_as_asked_or_longer(void **state)
{
    struct cutter_packet packets[100] = {0};
    struct result r;

    (void)state;
    for (int i = 0; i < 100; i++)
        packets[i] = (struct cutter_packet){.pts = i, .dts = i, .key = i % 4 == 0, .random_access = i % 4 == 0};
    r = feed(packets, 100, 30);
    assert_int_equal(r.count, 3);
    assert_int_equal(r.cuts[0], 32);
    assert_int_equal(r.cuts[1], 64);
    assert_int_equal(r.cuts[2], 96);
    assert_string_equal(r.note, "");
}

static void segments_get_shorter_towards_the_end(void **state)
{
    // No more than a sixth of what is left, up to 15 a third, and never less than 5.
    static const int64_t cuts[] = {133, 160, 183, 202, 218, 233, 248, 263, 275, 283, 288, 293, 298};
    struct cutter_packet packets[300] = {0};
    struct cutter c;
    struct result r;

    (void)state;
    for (int i = 0; i < 300; i++)
        packets[i] = (struct cutter_packet){.pts = 100 + i, .dts = 100 + i, KEY};
    cutter_init(&c, 40, UINT_MAX, 0.1);
    cutter_taper(&c, 200, 15, 5);
    r = feed_to(c, packets, 200);
    for (size_t i = 0; i < r.count; i++)
        assert_int_equal(r.cuts[i], cuts[i]);
    assert_int_equal(r.count, sizeof(cuts) / sizeof(*cuts));
    assert_string_equal(r.note, "");
    // What lies behind the end that was expected.
    r = feed_to(c, packets, 220);
    assert_int_equal(r.cuts[r.count - 1], 318);
}

static void extreme_lengths_do_no_harm(void **state)
{
    const struct cutter_packet packets[] = {{.pts = INT64_MIN + 1, .dts = INT64_MIN + 1, KEY}, {.pts = INT64_MAX, .dts = INT64_MAX, KEY}};
    struct cutter c;

    (void)state;
    cutter_init(&c, INT64_MAX, UINT_MAX, 0.1);
    cutter_taper(&c, INT64_MAX, INT64_MAX, INT64_MAX);
    feed_to(c, packets, 2);
    cutter_init(&c, 1, UINT_MAX, 0.1);
    cutter_taper(&c, 1, 0, 0);
    feed_to(c, packets, 2);
}

static void intra_only_streams_are_cut_at_every_packet_if_asked(void **state)
{
    struct result r = FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 1, .dts = 1, KEY}, {.pts = 2, .dts = 2, KEY}, {.pts = 3, .dts = 3, KEY});

    (void)state;
    assert_int_equal(r.count, 3);
    assert_int_equal(r.cut_at[2], 3);
}

static void a_flagged_keyframe_without_proof_is_no_cut(void **state)
{
    struct result r = FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 5, .dts = 5, .key = true}, {.pts = 9, .dts = 9});

    (void)state;
    assert_int_equal(r.count, 0);
    assert_string_equal(r.note, "1 keyframe is not proven to be a place where decoding can start");
}

static void a_proof_without_the_flag_is_no_cut(void **state)
{
    assert_int_equal(FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 5, .dts = 5, .random_access = true}, {.pts = 9, .dts = 9}).count, 0);
    (void)state;
}

static void a_missing_timestamp_ends_all_cutting(void **state)
{
    struct result r = FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 1, .dts = 1, KEY}, {.pts = 2, .dts = 2, KEY}, {.pts = NONE, .dts = 3},
                           {.pts = 4, .dts = 4, KEY}, {.pts = 5, .dts = 5, KEY});

    (void)state;
    // The keyframe before it was not confirmed yet.
    assert_int_equal(r.count, 1);
    assert_int_equal(r.cuts[0], 1);
    assert_string_equal(r.note, "no cuts behind 0.2 s, where a packet has no timestamp");
    assert_int_equal(FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 1, .dts = NONE}, {.pts = 2, .dts = 2, KEY}, {.pts = 3, .dts = 3}).count, 0);
}

static void decode_times_may_be_missing_until_there_is_the_first(void **state)
{
    // As Matroska has it: I P B, then a keyframe.
    struct result r = FEED(1, {.pts = 0, .dts = NONE, KEY}, {.pts = 3, .dts = NONE}, {.pts = 1, .dts = 0}, {.pts = 2, .dts = 1},
                           {.pts = 4, .dts = 2, KEY}, {.pts = 7, .dts = 3}, {.pts = 5, .dts = 4});

    (void)state;
    assert_int_equal(r.count, 1);
    assert_int_equal(r.cuts[0], 4);
    // A keyframe without one is no cut, and a stream without any is never cut.
    assert_int_equal(FEED(1, {.pts = 0, .dts = NONE, KEY}, {.pts = 3, .dts = NONE, KEY}, {.pts = 5, .dts = 5}).count, 0);
    assert_int_equal(FEED(1, {.pts = 0, .dts = NONE, KEY}, {.pts = 3, .dts = NONE, KEY}, {.pts = 5, .dts = NONE, KEY}).count, 0);
}

static void discarded_packets_around_forbid_the_cut(void **state)
{
    (void)state;
    // Itself, before it, and between it and its confirmation.
    assert_int_equal(FEED(2, {.pts = 0, .dts = 0, KEY}, {.pts = 2, .dts = 1, KEY, .discard = true}, {.pts = 4, .dts = 4}).count, 0);
    assert_int_equal(FEED(2, {.pts = 0, .dts = 0, KEY}, {.pts = 1, .dts = 1, .discard = true}, {.pts = 2, .dts = 2, KEY}, {.pts = 4, .dts = 4}).count,
                     0);
    assert_int_equal(FEED(2, {.pts = 0, .dts = 0, KEY}, {.pts = 3, .dts = 1, KEY}, {.pts = 4, .dts = 2, .discard = true}, {.pts = 5, .dts = 5}).count,
                     0);
    // Far away they do not matter.
    assert_int_equal(FEED(2, {.pts = 0, .dts = 0, KEY, .discard = true}, {.pts = 1, .dts = 1}, {.pts = 2, .dts = 2, KEY}, {.pts = 4, .dts = 4}).count,
                     1);
}

static void palettes_and_changed_parameters_end_all_cutting(void **state)
{
    struct result r = FEED(1, {.pts = 0, .dts = 0, KEY, .palette = true}, {.pts = 1, .dts = 1, KEY}, {.pts = 2, .dts = 2});

    (void)state;
    assert_int_equal(r.count, 0);
    r = FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 1, .dts = 1, KEY}, {.pts = 2, .dts = 2}, {.pts = 3, .dts = 3, KEY, .changed = true},
             {.pts = 4, .dts = 4, KEY}, {.pts = 5, .dts = 5});
    assert_int_equal(r.count, 1);
    assert_int_equal(r.cuts[0], 1);
    assert_string_equal(r.note, "no cuts behind 0.2 s, where the stream's parameters change");
}

static void damaged_keyframes_are_no_cuts(void **state)
{
    struct result r = FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 1, .dts = 1, KEY, .corrupt = true}, {.pts = 2, .dts = 2}, {.pts = 3, .dts = 3, KEY});

    (void)state;
    assert_int_equal(r.count, 1);
    assert_int_equal(r.cuts[0], 3);
}

static void times_that_go_back_end_all_cutting(void **state)
{
    (void)state;
    assert_int_equal(FEED(1, {.pts = 5, .dts = 5, KEY}, {.pts = 4, .dts = 4}, {.pts = 6, .dts = 6, KEY}, {.pts = 7, .dts = 7}).count, 0);
    assert_int_equal(FEED(1, {.pts = 5, .dts = 6, KEY}, {.pts = 7, .dts = 7, KEY}, {.pts = 8, .dts = 8}).count, 0);
}

static void two_fields_with_one_time_are_never_parted(void **state)
{
    assert_int_equal(FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 4, .dts = 2, KEY}, {.pts = 4, .dts = 2, KEY}, {.pts = 8, .dts = 8, KEY}).count, 0);
    (void)state;
}

static void a_packet_from_before_a_cut_is_noticed(void **state)
{
    struct result r =
        FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 10, .dts = 10, KEY}, {.pts = 11, .dts = 11}, {.pts = 5, .dts = 5}, {.pts = 12, .dts = 12});

    (void)state;
    assert_int_equal(r.count, 1);
    assert_true(r.late);
    assert_false(FEED(1, {.pts = 0, .dts = 0, KEY}, {.pts = 10, .dts = 10, KEY}, {.pts = 11, .dts = 11}).late);
}

static void more_reordering_than_was_found_at_the_start_ends_all_cutting(void **state)
{
    const struct cutter_packet packets[] = {{.pts = 0, .dts = -1, KEY}, {.pts = 2, .dts = 0, KEY}, {.pts = 3, .dts = 2},
                                            {.pts = 8, .dts = 3},       {.pts = 6, .dts = 4},      {.pts = 5, .dts = 5},
                                            {.pts = 10, .dts = 9, KEY}, {.pts = 11, .dts = 11}};

    (void)state;
    assert_int_equal(feed_reordering(packets, 8, 1, 2).count, 2);
    assert_int_equal(feed_reordering(packets, 8, 1, 1).count, 1);
}

static void timestamps_that_contradict_the_stream_are_not_believed(void **state)
{
    (void)state;
    // I P B, with the times of decoding in place of those of showing.
    assert_int_equal(FEED(1, {.pts = 0, .dts = 0, .has_order = true, .order = 0, KEY}, {.pts = 1, .dts = 1, .has_order = true, .order = 4},
                          {.pts = 2, .dts = 2, .has_order = true, .order = 2}, {.pts = 3, .dts = 3, .has_order = true, .order = 10, KEY},
                          {.pts = 4, .dts = 4})
                         .count,
                     0);
    assert_int_equal(FEED(1, {.pts = 0, .dts = -1, .has_order = true, .order = 0, KEY}, {.pts = 2, .dts = 0, .has_order = true, .order = 4},
                          {.pts = 1, .dts = 1, .has_order = true, .order = 2}, {.pts = 3, .dts = 2, .has_order = true, .order = 10, KEY},
                          {.pts = 4, .dts = 4})
                         .count,
                     1);
}

static void the_end_of_the_stream_confirms_the_last_keyframe(void **state)
{
    struct result r = FEED(1, {.pts = 1, .dts = 0, KEY}, {.pts = 3, .dts = 1, KEY}, {.pts = 4, .dts = 2});

    (void)state;
    assert_int_equal(r.count, 1);
    assert_int_equal(r.cut_at[0], 1);
    assert_int_equal(r.most_held, 2);
}

static void only_so_much_is_held(void **state)
{
    struct cutter_packet packets[2000] = {0};
    struct result r;

    (void)state;
    // Decode times lag so far behind that nothing is ever confirmed.
    for (int i = 0; i < 2000; i++)
        packets[i] = (struct cutter_packet){
            .pts = 1000000 + i, .dts = i < 1 ? 1000000 : 1000000 + i / 4, .key = i == 1, .random_access = i == 1, .size_bytes = 10};
    r = feed(packets, 2000, 1);
    assert_true(r.most_held <= CUTTER_MAX_HELD);
    for (int i = 0; i < 2000; i++)
        packets[i].dts = i < 1 ? 999000 : packets[i].pts - 100, packets[i].size_bytes = 8 << 20, packets[i].key = packets[i].random_access = i == 200;
    r = feed(packets, 300, 1);
    assert_int_equal(r.count, 0);
    assert_true(r.most_held <= 9);
}

static void far_apart_keyframes_are_told(void **state)
{
    struct result r = FEED(10, {.pts = 0, .dts = 0, KEY}, {.pts = 50, .dts = 50}, {.pts = 104, .dts = 104, KEY}, {.pts = 110, .dts = 110});

    (void)state;
    assert_int_equal(r.count, 1);
    assert_string_equal(r.note, "keyframes are up to 10.4 s apart");
}

static void an_empty_stream_has_no_cuts_and_no_note(void **state)
{
    struct result r = feed(NULL, 0, 5);

    (void)state;
    assert_int_equal(r.count, 0);
    assert_string_equal(r.note, "");
}

static void extreme_times_do_no_harm(void **state)
{
    (void)state;
    FEED(1, {.pts = INT64_MIN + 1, .dts = INT64_MIN + 1, KEY}, {.pts = INT64_MAX, .dts = INT64_MAX, KEY}, {.pts = INT64_MAX, .dts = INT64_MAX});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_gops_are_cut_at_their_keyframes),
        cmocka_unit_test(frames_shown_before_their_keyframe_forbid_the_cut),
        cmocka_unit_test(a_keyframe_shown_before_earlier_packets_is_no_cut),
        cmocka_unit_test(segments_are_as_long_as_asked_or_longer),
        cmocka_unit_test(segments_get_shorter_towards_the_end),
        cmocka_unit_test(extreme_lengths_do_no_harm),
        cmocka_unit_test(intra_only_streams_are_cut_at_every_packet_if_asked),
        cmocka_unit_test(a_flagged_keyframe_without_proof_is_no_cut),
        cmocka_unit_test(a_proof_without_the_flag_is_no_cut),
        cmocka_unit_test(a_missing_timestamp_ends_all_cutting),
        cmocka_unit_test(decode_times_may_be_missing_until_there_is_the_first),
        cmocka_unit_test(discarded_packets_around_forbid_the_cut),
        cmocka_unit_test(palettes_and_changed_parameters_end_all_cutting),
        cmocka_unit_test(damaged_keyframes_are_no_cuts),
        cmocka_unit_test(times_that_go_back_end_all_cutting),
        cmocka_unit_test(two_fields_with_one_time_are_never_parted),
        cmocka_unit_test(a_packet_from_before_a_cut_is_noticed),
        cmocka_unit_test(more_reordering_than_was_found_at_the_start_ends_all_cutting),
        cmocka_unit_test(timestamps_that_contradict_the_stream_are_not_believed),
        cmocka_unit_test(the_end_of_the_stream_confirms_the_last_keyframe),
        cmocka_unit_test(only_so_much_is_held),
        cmocka_unit_test(far_apart_keyframes_are_told),
        cmocka_unit_test(an_empty_stream_has_no_cuts_and_no_note),
        cmocka_unit_test(extreme_times_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
