// What cannot be cut in its packets is rendered in stages, or in one piece, says so, and is exact too.
#include "tests/support/trial.h"

#include <json-c/json.h>

#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

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

// Chains of all kinds: in stages, exact, in several segments, and one line that names the filter.
static void chain_is_rendered_in_stages(void **state)
{
    static const char *const chains[][2] = {
        {"hflip,hqdn3d=8", "hqdn3d"},
        {"unsharp,hqdn3d,scale=160:90,lagfun,negate", "hqdn3d"},
        {"tmix=frames=3", "tmix"},
        {"yadif,eq=contrast=1.2,tmedian=radius=2,hqdn3d", "yadif"},
        {"deflicker=size=7", "deflicker"},
        {"hue=h=n*3", "hue"},
        {"vignette", "vignette"},
        {"fps=11,unsharp", "fps"},
        {"bwdif=mode=send_field,hflip", "bwdif"},
        {"bwdif=mode=send_field,hqdn3d", "bwdif"},
        {"detelecine,tmix=frames=3", "detelecine"},
        {"tmix=frames=3,estdif,unsharp", "tmix"},
        {"minterpolate=fps=37:mi_mode=blend", "minterpolate"},
        {"mpdecimate,format=gbrp,curves=preset=vintage", "mpdecimate"},
        {"format=gray,hqdn3d,format=rgb24,hflip", "hqdn3d"},
        {"select='mod(n,3)',hqdn3d", "select"},
    };

    for (size_t i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
        const char *said;

        assert_true(segments_of("plain.mp4", chains[i][0], &said) > 1);
        assert_says(said, chains[i][1]);
        assert_says(said, "stages");
        assert_int_equal(trial_teardown(state), 0);
        assert_int_equal(trial_setup(state), 0);
    }
}

// One that came beside another stays where it was put when that goes: who begins then must not draw it elsewhere.
static void subtitles_that_overlap_are_drawn_in_order_and_others_are_not(void **state)
{
    static const char apart[] =
        "1\n00:00:00,100 --> 00:00:01,500\nOne\n\n2\n00:00:01,500 --> 00:00:04,000\nTwo\n\n3\n00:00:01,500 --> 00:00:04,000\nMe too\n",
                      beside[] = "1\n00:00:00,100 --> 00:00:01,500\nOne\n\n2\n00:00:00,700 --> 00:00:04,000\nTwo\n";
    const char *titles = trial_path("titles.srt"), *chain = trial_format("subtitles=%s", titles), *said;

    (void)state;
    trial_write(titles, apart, sizeof(apart) - 1);
    assert_true(segments_of("plain.mp4", chain, &said) > 1);
    assert_string_equal(said, "");
    trial_write(titles, beside, sizeof(beside) - 1);
    assert_true(segments_of("plain.mp4", chain, &said) > 1);
    assert_says(said, "[decode] in order > [subtitles] in order > [encode] parallel");
    assert_says(said, "leaves each subtitle where it was put");
}

// libass takes titles that are indented, and the order of fields that the script says; libavformat's reader does neither.
static void subtitles_that_only_libass_sees_overlap_are_drawn_in_order(void **state)
{
    static const char *const scripts[] = {
        "[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,0:00:00.10,0:00:01.50,One\n Dialogue: "
        "0,0:00:00.70,0:00:04.00,Two\n",
        "[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Layer, End, Start, Text\nDialogue: 0,0:00:01.50,0:00:00.10,One\nDialogue: "
        "0,0:00:04.00,0:00:00.70,Two\n",
    };
    const char *titles = trial_path("titles.ass"), *chain = trial_format("ass=%s", titles), *said;

    (void)state;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        trial_write(titles, scripts[i], strlen(scripts[i]));
        assert_true(segments_of("plain.mp4", chain, &said) > 1);
        assert_says(said, "leaves each subtitle where it was put");
    }
}

static void graph_that_branches_frame_by_frame_is_cut_without_a_word(void **state)
{
    const char *said;

    (void)state;
    assert_true(segments_of("plain.mp4", "split[a][b];[a]hflip[c];[b][c]blend=all_mode=average", &said) > 1);
    assert_string_equal(said, "");
}

static void graph_that_branches_otherwise_is_encoded_in_parallel(void **state)
{
    const char *said;

    (void)state;
    assert_true(segments_of("plain.mp4", "split[a][b];[a]hqdn3d,format=rgb24[c];[b][c]overlay=x=n", &said) > 1);
    assert_says(said, "[decode filters] in order > [encode] parallel");
    assert_true(segments_of("mpeg4.avi", "split[a][b];[a]hflip[c];[b][c]hstack", &said) > 1);
    assert_says(said, "[decode filters] in order > [encode] parallel");
}

static void long_gop_is_split_without_a_word(void **state)
{
    const char *said;

    (void)state;
    assert_true(segments_of("long-gop.mp4", "hflip", &said) > 1);
    assert_string_equal(said, "");
}

static void bytes_are_the_same_for_any_number_of_workers(void **state)
{
    static const char *const how[][2] = {
        {"--workers=1", "--threads=1"}, {"--workers=2", "--threads=4"}, {"--workers=3", "--threads=1"}, {"--workers=8", "--threads=2"}};
    const char *input = trial_sample("long-gop.mp4"), *first = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(how) / sizeof(*how); i++) {
        const char *path = trial_path("out.mp4"), *hash;

        trial_render(input, path, "-y", "-q", "--filter=unsharp,hqdn3d,tmix=frames=3,eq=contrast=1.1", "--segment=0.5", how[i][0], how[i][1], NULL);
        hash = trial_sha256(path);
        if (first)
            assert_string_equal(hash, first);
        else
            first = hash;
    }
}

static void one_encoder_gives_the_packets_of_ffmpeg(void **state)
{
    const char *input = trial_sample("plain.mp4"), *ours = trial_path("ours.mkv"), *theirs = trial_path("theirs.mkv");

    (void)state;
    // Without what x264 does not repeat from one CPU's instructions to the other's.
    trial_ffmpeg("-filter_threads", "8", "-i", input, "-map", "0:v:0", "-vf", "unsharp,hqdn3d", "-fps_mode", "passthrough", "-c:v", "libx264",
                 "-threads", "1", "-crf", "25", "-mbtree", "0", theirs, NULL);
    trial_render(input, ours, "-q", "--no-audio", "--encode=stream", "--filter=unsharp,hqdn3d", "--codec=libx264", "--crf=25",
                 "--encoder-options=mbtree=0", "--workers=3", NULL);
    assert_string_equal(trial_packets(ours, "v"), trial_packets(theirs, "v"));
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
    assert_true(segments_of("mpeg4.avi", "hflip", &said) > 1);
    assert_says(said, "mpeg4");
}

static void one_segment_can_be_asked_for(void **state)
{
    const char *path = trial_path("out.mkv");

    (void)state;
    trial_render(trial_sample("plain.mp4"), path, "--segment=0", "--codec=ffv1", trial_format("--stats=%s", trial_path("s.json")), NULL);
    assert_non_null(strstr(trial_output(ARGUMENTS("grep", "segments\"", trial_path("s.json"))), ":1"));
}

static const char *explained(const char *sample, const char *option)
{
    return trial_output(ARGUMENTS(trial_program(), "--explain", option, trial_sample(sample), trial_path("never.mp4")));
}

static void assert_explains(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("no \"%s\" in\n%s", wanted, text);
}

static void explain_tells_stages_and_cuts_and_renders_nothing(void **state)
{
    const char *text = explained("plain.mp4", "--segment=1");

    (void)state;
    assert_explains(text, "stage 1: decode, encode: parallel");
    assert_explains(text, "cuts at (s): 1.000 2.000 3.000\n");
    assert_explains(text, "limit: 4 segments, the longest of 1.00 s");
    text = explained("plain.mp4", "--filter=unsharp,hqdn3d,tmix=frames=4");
    assert_explains(text, "stage 3: hqdn3d: in order, in one process: the filter hqdn3d carries state from frame to frame");
    assert_explains(text, "stage 4: tmix, encode: parallel, in segments of 48 frames, with 3 frames before and 0 after");
    text = explained("mpeg4.avi", "--no-audio");
    assert_explains(text, "not simply cut, because the codec mpeg4");
    assert_int_not_equal(access(trial_path("never.mp4"), F_OK), 0);
}

static void seams_are_verified(void **state)
{
    const char *out = trial_path("out.mkv");
    const char *said = trial_render(trial_sample("plain.mp4"), out, "--verify", "--segment=1", "--filter=unsharp", "--codec=ffv1", NULL);

    (void)state;
    assert_says(said, "out.mkv: 3 of 3 seams identical; all ");
    said = trial_render(trial_sample("plain.mp4"), out, "-y", "--verify", "--filter=hqdn3d,tmix=frames=4", "--codec=ffv1", NULL);
    assert_explains(said, "out.mkv: 5 of 5 seams identical; all 96 frames");
}

static void a_signal_while_it_is_verified_leaves_the_output(void **state)
{
    const char *out = trial_path("out.mkv");
    struct command *command =
        trial_start(ARGUMENTS("-v", "--verify", "--filter=nlmeans=r=11", "--workers=2", "--progress=off", trial_sample("plain.mp4"), out));
    const char *written = command_wait_for_error(command, 0, "out.mkv: 96 frames in ", 60);

    (void)state;
    assert_non_null(written);
    assert_non_null(command_wait_for_error(command, (size_t)(written - command->err), "renderer 0 is ready", 60));
    kill(command->pid, SIGINT);
    command_wait(command, 20);
    assert_int_equal(command->status, 130);
    assert_non_null(strstr(command->err, "out.mkv is there, but it was not compared to its end\n"));
    assert_null(strstr(command->err, "not written"));
    trial_assert_only(trial_path("."), "out.mkv", "tmp", NULL);
}

// Another file takes the input's place before the comparison has come far.
static void what_has_changed_is_not_compared(void **state)
{
    const char *input = trial_path("in.mp4"), *other = trial_path("other.mp4");
    struct command *command;

    (void)state;
    trial_ffmpeg("-i", trial_sample("plain.mp4"), "-c", "copy", input, NULL);
    trial_ffmpeg("-i", trial_sample("plain.mp4"), "-t", "2", "-c", "copy", other, NULL);
    command = trial_start(ARGUMENTS("-v", "--verify", "--filter=nlmeans=r=11", "--workers=2", "--progress=off", input, trial_path("out.mkv")));
    assert_non_null(command_wait_for_error(command, 0, "out.mkv: 96 frames in ", 60));
    assert_int_equal(rename(other, input), 0);
    command_wait(command, 60);
    assert_int_equal(command->status, 1);
    assert_non_null(strstr(command->err, "out.mkv is there, but it cannot be compared: "));
    assert_null(strstr(command->err, "do not use it"));
}

// The user is wrong about hqdn3d, and --verify is there to find out.
static void vouching_wrongly_is_found_by_verify(void **state)
{
    struct command *command;
    const char *out = trial_path("out.mkv");

    (void)state;
    command =
        trial_run(trial_sample("plain.mp4"), out, "--segment=1", "--filter=hqdn3d", "--parallel-safe=hqdn3d,tmix", "--verify", "--codec=ffv1", NULL);
    assert_int_equal(command->status, 1);
    assert_non_null(strstr(command->err, "--parallel-safe=tmix: there is no such filter in the chain"));
    assert_non_null(strstr(command->err, "0 of 3 seams identical"));
    assert_non_null(strstr(command->err, "render again with --segment=0"));
}

// Byte for byte what ffmpeg makes: as one file with one beginning, whatever the number of segments that there would be.
static void what_is_made_in_one_piece_has_one_encoder(void **state)
{
    static const char *const names[] = {"out.gif", "out.apng", "out.webp"};
    const char *input = trial_sample("plain.mp4");

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *path = trial_path(names[i]), *expected = trial_path(trial_format("ffmpeg-%s", names[i]));

        trial_ffmpeg("-i", input, "-t", "2", "-map", "0:v:0", "-c:v", "ffv1", "-y", trial_path("two.mkv"), NULL);
        assert_says(trial_render(trial_path("two.mkv"), path, "--segment=0.5", NULL), "in one piece");
        trial_ffmpeg("-y", "-i", trial_path("two.mkv"), "-map", "0:v:0", "-fps_mode", "passthrough", expected, NULL);
        assert_string_equal(trial_sha256(path), trial_sha256(expected));
    }
}

// Of an encoder that reorders frames too: the same number of them, at the times that ffmpeg gives those that go back.
static void times_that_go_back_are_no_matter_for_b_frames(void **state)
{
    const char *chain = "setpts='if(lt(N,20),PTS,PTS-10/25/TB)'";
    const char *input = trial_sample("plain.mp4"), *path = trial_path("farm.mkv"), *expected = trial_path("serial.mkv");

    (void)state;
    trial_ffmpeg("-i", input, "-map", "0:v:0", "-vf", chain, "-fps_mode", "passthrough", "-c:v", "ffv1", expected, NULL);
    trial_render(input, path, "--codec=libx264", "--encoder-options=qp=0:bf=3", "--no-audio", trial_format("--filter=%s", chain), NULL);
    trial_assert_same_frames(path, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(chain_is_rendered_in_stages),
        TRIAL(subtitles_that_overlap_are_drawn_in_order_and_others_are_not),
        TRIAL(subtitles_that_only_libass_sees_overlap_are_drawn_in_order),
        TRIAL(graph_that_branches_frame_by_frame_is_cut_without_a_word),
        TRIAL(graph_that_branches_otherwise_is_encoded_in_parallel),
        TRIAL(long_gop_is_split_without_a_word),
        TRIAL(bytes_are_the_same_for_any_number_of_workers),
        TRIAL(what_is_made_in_one_piece_has_one_encoder),
        TRIAL(one_encoder_gives_the_packets_of_ffmpeg),
        TRIAL(times_that_go_back_are_no_matter_for_b_frames),
        TRIAL(filter_that_depends_on_its_own_frame_only_is_cut_without_a_word),
        TRIAL(matroska_with_b_frames_is_cut_too),
        TRIAL(codec_that_does_not_restart_is_named),
        TRIAL(one_segment_can_be_asked_for),
        TRIAL(explain_tells_stages_and_cuts_and_renders_nothing),
        TRIAL(seams_are_verified),
        TRIAL(a_signal_while_it_is_verified_leaves_the_output),
        TRIAL(what_has_changed_is_not_compared),
        TRIAL(vouching_wrongly_is_found_by_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
