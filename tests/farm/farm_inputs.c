// Inputs that are odd: what has to be minded where a stream is cut, each in a small clip, against one ffmpeg run.
#include "tests/support/trial.h"

#include <setjmp.h>

#include <cmocka.h>

#define PICTURE "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=160x96:rate=25:duration=3 -pix_fmt yuv420p "
#define SMALLER "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=128x96:rate=25:duration=1 -pix_fmt yuv420p "
#define COPY "ffmpeg -v error -nostdin -y -i "
#define X264 "-c:v libx264 -preset veryfast -threads 1 -g 12 "

// What makes it, by a shell in a folder of its own; the clip's name comes last.
static const struct {
    const char *what, *commands, *clip;
} inputs[] = {
    {"open_gops", PICTURE X264 "-bf 3 -x264-params open-gop=1 a.mp4", "a.mp4"},
    {"open_gops_in_a_transport_stream", PICTURE X264 "-bf 3 -x264-params open-gop=1 a.ts", "a.ts"},
    {"hevc_with_leading_pictures", PICTURE "-c:v libx265 -preset ultrafast -x265-params log-level=none:open-gop=1:keyint=12:bframes=4:pools=1 a.mp4",
     "a.mp4"},
    {"one_long_gop", PICTURE X264 "-g 1000 a.mp4", "a.mp4"},
    {"a_size_that_changes", PICTURE X264 "a.ts && " SMALLER X264 "b.ts && cat a.ts b.ts >c.ts", "c.ts"},
    {"a_size_that_changes_where_nothing_can_be_cut",
     PICTURE "-c:v mpeg4 -g 10 -f m4v a.m4v && " SMALLER "-c:v mpeg4 -g 10 -f m4v b.m4v && cat a.m4v b.m4v >c.m4v", "c.m4v"},
    {"a_palette_that_changes",
     PICTURE "-vf 'split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1' -pix_fmt pal8 -c:v rawvideo a.avi", "a.avi"},
    {"pictures_of_two_fields", PICTURE "-vf interlace -c:v mpeg2video -flags +ildct+ilme -alternate_scan 1 -g 9 -bf 2 a.ts", "a.ts"},
    {"frames_that_are_hidden_vp9", PICTURE "-c:v libvpx-vp9 -g 20 -auto-alt-ref 1 -lag-in-frames 16 -cpu-used 8 -b:v 200k a.webm", "a.webm"},
    {"frames_that_are_hidden_av1", PICTURE "-c:v libsvtav1 -preset 12 -g 20 a.mkv 2>/dev/null", "a.mkv"},
    {"an_edit_list", PICTURE X264 "-bf 3 a.mp4 && ffmpeg -v error -nostdin -ss 1.3 -i a.mp4 -c copy b.mp4", "b.mp4"},
    {"packets_before_zero", PICTURE X264 "-bf 3 a.mp4 && " COPY "a.mp4 -c copy -movflags negative_cts_offsets b.mp4", "b.mp4"},
    {"no_presentation_times", PICTURE "-c:v mpeg4 -bf 2 -g 10 a.avi", "a.avi"},
    {"no_times_at_all", PICTURE X264 "-bf 2 a.h264", "a.h264"},
    {"times_that_repeat", PICTURE X264 "a.ts && cat a.ts a.ts >b.ts", "b.ts"},
    {"a_clock_that_wraps", PICTURE X264 "-bf 2 a.mp4 && " COPY "a.mp4 -c copy -output_ts_offset 95441.5 b.ts", "b.ts"},
    {"a_recording_that_was_cut_anywhere", PICTURE "-c:v mpeg2video -bf 2 -g 9 a.mpg && tail -c +15001 a.mpg >b.mpg", "b.mpg"},
    {"a_rate_that_varies",
     PICTURE "-vf \"select='mod(n,7)*mod(n,5)',setpts='PTS+mod(N,3)*0.01/TB'\" -fps_mode vfr -enc_time_base 1/1000 " X264 "a.mkv", "a.mkv"},
    {"a_rate_in_its_headers_that_it_does_not_have",
     PICTURE "-vf \"select='mod(n,7)*mod(n,5)',setpts='PTS+mod(N,3)*0.01/TB'\" -fps_mode vfr -enc_time_base 1/1000 " X264 "a.mp4 && " COPY
             "a.mp4 -c copy -bsf:v h264_metadata=tick_rate=24000/1001 b.ts",
     "b.ts"},
    {"times_that_begin_anew", PICTURE "-c:v libvpx -g 20 -deadline realtime a.ivf && (cat a.ivf; tail -c +33 a.ivf) >b.ivf", "b.ivf"},
    {"a_rate_in_its_headers_that_changes", PICTURE X264 "a.ts && " COPY "a.ts -c copy -bsf:v h264_metadata=tick_rate=10 b.ts && cat a.ts b.ts >c.ts",
     "c.ts"},
    {"sound_that_jumps_further_than_the_pictures",
     PICTURE X264 "a.mp4 && ffmpeg -v error -nostdin -f lavfi -i sine=duration=3.6 a.wav && " COPY "a.mp4 -i a.wav -c:v copy -c:a mp2 a.ts && "
                  "cat a.ts a.ts a.ts >b.ts",
     "b.ts"},
    {"frames_that_are_left_out", PICTURE "-vf \"select='not(mod(n,3))'\" -fps_mode vfr -c:v mpeg4 a.avi", "a.avi"},
};

static void input_is_exact(void **state)
{
    const size_t i = *(const size_t *)*state;
    const char *input, *path, *expected;

    trial_setup(NULL);
    input = trial_path(inputs[i].clip);
    path = trial_path("farm.mkv");
    expected = trial_path("serial.mkv");
    trial_output((const char *const[]){"bash", "-c", trial_format("cd '%s' && %s", trial_path("."), inputs[i].commands), NULL});
    trial_ffmpeg("-threads", "1", "-i", input, "-map", "0:v:0", "-fps_mode", "passthrough", "-c:v", "ffv1", expected, NULL);
    trial_render(input, path, "-y", "-q", "--codec=ffv1", "--segment=0.5", "--workers=3", NULL);
    trial_assert_same_frames(path, expected);
    // And in stages, where the decoder works in order.
    trial_ffmpeg("-threads", "1", "-i", input, "-map", "0:v:0", "-vf", "hqdn3d,negate", "-fps_mode", "passthrough", "-c:v", "ffv1", expected, NULL);
    trial_render(input, path, "-y", "-q", "--codec=ffv1", "--segment=0.5", "--workers=3", "--filter=hqdn3d,negate", NULL);
    trial_assert_same_frames(path, expected);
    assert_int_equal(trial_teardown(NULL), 0);
}

int main(void)
{
    enum { COUNT = sizeof(inputs) / sizeof(*inputs) };
    struct CMUnitTest tests[COUNT];
    static char names[COUNT][80];
    static size_t numbers[COUNT];

    // These make their own trial, because cmocka hands a test either its setup's state or ours.
    for (size_t i = 0; i < COUNT; i++) {
        numbers[i] = i;
        snprintf(names[i], sizeof(names[i]), "input_with_%s_is_exact", inputs[i].what);
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = input_is_exact, .initial_state = &numbers[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
