// What cannot be cut is rendered in one piece, says so, and is exact too.
#include "tests/support/trial.h"

#include <json-c/json.h>

#include <setjmp.h>

#include <cmocka.h>

// Renders with four workers, compares with ffmpeg, and returns the number of segments; *said is what came on standard error.
static int64_t segments_of(const char *sample, const char *chain, const char **said)
{
    const char *input = trial_sample(sample), *path = trial_path("farm.mkv"), *expected = trial_path("serial.mkv"), *stats = trial_path("stats.json");
    struct json_object *top, *value;
    int64_t segments;

    trial_ffmpeg("-filter_threads", "8", "-i", input, "-map", "0:v:0", "-vf", chain, "-fps_mode", "passthrough", "-c:v", "ffv1", expected, NULL);
    *said = trial_render(input, path, "-y", "--codec=ffv1", "--no-audio", "--segment=1", "--workers=4", trial_format("--filter=%s", chain),
                         trial_format("--stats=%s", stats), NULL);
    trial_assert_same_frames(path, expected);
    top = json_object_from_file(stats);
    assert_true(json_object_object_get_ex(top, "segments", &value));
    segments = json_object_get_int64(value);
    json_object_put(top);
    return segments;
}

static void assert_says(const char *said, const char *word)
{
    const char *end = strchr(said, '\n');

    if (!strstr(said, word) || !end || end[1])
        fail_msg("not one line with \"%s\":\n%s", word, said);
}

static void stateful_filter_is_named_and_rendered_as_one_segment(void **state)
{
    const char *said;

    (void)state;
    assert_int_equal(segments_of("plain.mp4", "hflip,hqdn3d=8", &said), 1);
    assert_says(said, "hqdn3d");
}

static void filter_that_looks_at_neighbours_is_named_and_rendered_as_one_segment(void **state)
{
    const char *said;

    (void)state;
    assert_int_equal(segments_of("plain.mp4", "tmix=frames=3", &said), 1);
    assert_says(said, "tmix");
}

static void filter_that_counts_frames_is_named_and_rendered_as_one_segment(void **state)
{
    const char *said;

    (void)state;
    assert_int_equal(segments_of("plain.mp4", "hue=h=n*3", &said), 1);
    assert_says(said, "hue");
}

static void default_vignette_draws_its_dither_through_the_whole_video(void **state)
{
    const char *said;

    (void)state;
    assert_int_equal(segments_of("plain.mp4", "vignette", &said), 1);
    assert_says(said, "vignette");
}

static void filter_that_depends_on_its_own_frame_only_is_cut_without_a_word(void **state)
{
    const char *said;

    (void)state;
    assert_true(segments_of("plain.mp4", "hflip,vignette=dither=0", &said) > 1);
    assert_string_equal(said, "");
}

static void matroska_with_b_frames_is_cut_too(void **state)
{
    const char *said;

    (void)state;
    assert_true(segments_of("plain.mkv", "hflip", &said) > 1);
    assert_string_equal(said, "");
}

static void codec_that_does_not_restart_is_named(void **state)
{
    const char *said;

    (void)state;
    assert_int_equal(segments_of("mpeg4.avi", "hflip", &said), 1);
    assert_says(said, "mpeg4");
}

static void one_segment_can_be_asked_for(void **state)
{
    const char *path = trial_path("out.mkv");

    (void)state;
    trial_render(trial_sample("plain.mp4"), path, "--segment=0", "--codec=ffv1", trial_format("--stats=%s", trial_path("s.json")), NULL);
    assert_non_null(strstr(trial_output(ARGUMENTS("grep", "segments\"", trial_path("s.json"))), ":1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(stateful_filter_is_named_and_rendered_as_one_segment),
        TRIAL(filter_that_looks_at_neighbours_is_named_and_rendered_as_one_segment),
        TRIAL(filter_that_counts_frames_is_named_and_rendered_as_one_segment),
        TRIAL(default_vignette_draws_its_dither_through_the_whole_video),
        TRIAL(filter_that_depends_on_its_own_frame_only_is_cut_without_a_word),
        TRIAL(matroska_with_b_frames_is_cut_too),
        TRIAL(codec_that_does_not_restart_is_named),
        TRIAL(one_segment_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
