// Videos become numbered pictures and the other way round: the pixels are ffmpeg's, each file is there only when it is whole.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

static void assert_status(const struct command *command, int status)
{
    if (command->status != status)
        fail_msg("status %d instead of %d: %s", command->status, status, command->err);
}

static const char *folder(const char *name)
{
    const char *path = trial_path(name);

    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

// A second of video of that pixel format, losslessly.
static const char *clip(const char *format, const char *colours)
{
    const char *path = trial_path("clip.mkv");

    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=98x66:rate=25:duration=1", "-vf", trial_format("format=%s%s", format, colours), "-c:v", "ffv1",
                 "-g", "5", path, NULL);
    return path;
}

// The pictures' pixels, as ffmpeg decodes them.
static const char *pixels(const char *pattern)
{
    return trial_output(ARGUMENTS("ffmpeg", "-nostdin", "-v", "error", "-i", pattern, "-f", "framemd5", "-"));
}

static void assert_fine(const char *name, int count)
{
    for (int i = 1; i <= count; i++)
        trial_output(ARGUMENTS("pngcheck", "-q", trial_format("%s/%06d.png", trial_path(name), i)));
}

static void pixels_are_those_of_ffmpeg(void **state)
{
    static const char *const formats[][2] = {
        {"yuv420p", ""},     {"yuv420p", ",scale=out_range=pc:out_color_matrix=bt709,setparams=colorspace=bt709:range=pc"},
        {"yuv422p10le", ""}, {"yuv444p12le", ""},
        {"gray", ""},        {"gray16le", ""},
        {"bgra", ""},        {"gbrp16le", ""},
        {"yuva420p", ""},    {"bgr0", ""},
    };

    (void)state;
    folder("ours");
    folder("theirs");
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const char *input = clip(formats[i][0], formats[i][1]);

        trial_render(input, trial_path("ours/%06d.png"), "-y", trial_workers(), NULL);
        trial_ffmpeg("-i", input, "-fps_mode", "passthrough", trial_path("theirs/%06d.png"), NULL);
        assert_string_equal(pixels(trial_path("ours/%06d.png")), pixels(trial_path("theirs/%06d.png")));
        assert_string_equal(trial_probe(trial_path("ours/000001.png"), "v", "stream=pix_fmt"),
                            trial_probe(trial_path("theirs/000001.png"), "v", "stream=pix_fmt"));
        assert_fine("ours", 25);
    }
}

static void options_of_pictures(void **state)
{
    const char *input = clip("yuv420p", ""), *out = trial_path("out/%06d.png"), *wanted;

    (void)state;
    folder("out");
    trial_render(input, out, NULL);
    wanted = pixels(out);
    for (int level = 0; level <= 9; level += 3) {
        trial_render(input, out, "-y", trial_format("--png-level=%d", level), "--png-filter=mixed", NULL);
        assert_string_equal(pixels(out), wanted);
        assert_fine("out", 25);
    }
    assert_told(trial_run(input, out, "-y", "--png-level=10", NULL)->err, "level");
    assert_told(trial_run(input, out, "-y", "--png-filter=best", NULL)->err, "filter");
    assert_status(trial_run(input, trial_path("out.mp4"), "--png-level=1", NULL), 2);
    assert_told(trial_output(ARGUMENTS("pngcheck", "-t", trial_path("out/000003.png"))), "Timestamp:\n    0.080000\n");
    // From another number.
    trial_render(input, trial_path("out/x%d.png"), "--start-number=7", NULL);
    assert_int_equal(access(trial_path("out/x7.png"), F_OK), 0);
    assert_int_equal(access(trial_path("out/x31.png"), F_OK), 0);
    assert_int_equal(access(trial_path("out/x32.png"), F_OK), -1);
}

// All bytes of all files.
static const char *bytes_of(const char *name)
{
    return trial_output(ARGUMENTS("sh", "-c", "cd \"$1\" && sha256sum *", "sh", trial_path(name)));
}

static void bytes_are_the_same_for_any_number_of_workers(void **state)
{
    const char *input = clip("yuv420p", ""), *one;

    (void)state;
    folder("1");
    folder("3");
    trial_render(input, trial_path("1/%06d.png"), "--workers=1", "--segment=0.3", "--filter=unsharp", NULL);
    trial_render(input, trial_path("3/%06d.png"), "--workers=3", "--segment=0.3", "--filter=unsharp", NULL);
    one = bytes_of("1");
    assert_string_equal(one, bytes_of("3"));
    trial_render(input, trial_path("3/%06d.png"), "-y", "--workers=2", "--segment=0.3", "--filter=unsharp", "--no-cache", NULL);
    assert_string_equal(one, bytes_of("3"));
}

static void frames_that_are_there_stay(void **state)
{
    const char *input = clip("yuv420p", ""), *out = trial_path("out/%06d.png"), *calm;
    const struct command *command;

    (void)state;
    folder("out");
    trial_render(input, out, NULL);
    calm = bytes_of("out");
    trial_assert_nothing_left();
    // Without a mark they are somebody's.
    command = trial_run(input, out, NULL);
    assert_status(command, 1);
    assert_told(command->err, "000001.png: exists already; use --overwrite (-y)");
    assert_string_equal(bytes_of("out"), calm);
    trial_render(input, out, "-y", NULL);
    assert_string_equal(bytes_of("out"), calm);
    // Longer than before.
    trial_write(trial_path("out/000026.png"), "old", 3);
    assert_told(trial_render(input, out, "-y", NULL), "000026.png and what follows is of an earlier sequence");
}

static void ctrl_c_keeps_whole_frames(void **state)
{
    const char *input = clip("yuv420p", ""), *out = trial_path("out/%06d.png"), *calm;
    struct command *command;
    const struct command *again;

    (void)state;
    folder("calm");
    folder("out");
    trial_render(input, trial_path("calm/%06d.png"), "--segment=0.2", "--filter=nlmeans=r=9", NULL);
    calm = bytes_of("calm");
    command = trial_start(ARGUMENTS("-v", "-v", "--workers=1", "--segment=0.2", "--filter=nlmeans=r=9", "--progress=off", input, out));
    assert_non_null(command_wait_for_error(command, 0, "segment 2 goes to renderer ", 60));
    kill(command->pid, SIGINT);
    command_wait(command, 20);
    assert_status(command, 130);
    again = trial_run(input, out, "-v", "--segment=0.2", "--filter=nlmeans=r=9", NULL);
    assert_status(again, 0);
    assert_string_equal(bytes_of("out"), calm);
}

static void a_full_disk_is_told(void **state)
{
    const char *input = clip("yuv420p", "");
    struct command *command = trial_start_program(ARGUMENTS("unshare", "-m", "sh", "-c",
                                                            "mkdir \"$3/small\" && mount -t tmpfs -o size=96k none \"$3/small\" && { \"$1\" \"$2\" "
                                                            "\"$3/small/%06d.png\" -q; s=$?; ls \"$3/small\"; exit $s; }",
                                                            "sh", trial_program(), input, trial_path(".")));

    (void)state;
    command_wait(command, 60);
    assert_status(command, 1);
    assert_told(command->err, "No space left on device; the frames before it are whole, and the same command goes on from there");
    assert_told(command->out, "000001.png\n");
}

static void no_folder_and_no_permission_are_told(void **state)
{
    const char *input = clip("yuv420p", "");

    (void)state;
    assert_told(trial_run(input, trial_path("nowhere/%06d.png"), NULL)->err, "there is no folder ");
    assert_told(trial_run(input, trial_path("x%y%d.png"), NULL)->err, "as in frames/%06d.png");
    assert_told(trial_run(input, trial_path("%d%d.png"), NULL)->err, "one number is wanted in the name");
    assert_status(trial_run(input, trial_path("%d.png"), "--codec=libx264", NULL), 2);
}

// ---- As an input ----

static void pictures_become_a_video(void **state)
{
    static const char *const formats[] = {"yuv420p", "gray", "gray16le", "bgra", "gbrp16le"};

    (void)state;
    folder("in");
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        const char *in = trial_path("in/%06d.png");

        trial_ffmpeg("-i", clip(formats[i], ""), in, NULL);
        trial_ffmpeg("-framerate", "30000/1001", "-i", in, "-vf", "hflip", "-c:v", "ffv1", trial_path("theirs.mkv"), NULL);
        trial_render(in, trial_path("ours.mkv"), "-y", "--framerate=30000/1001", "--filter=hflip", "--codec=ffv1", "--segment=0.2", NULL);
        trial_assert_same_frames(trial_path("ours.mkv"), trial_path("theirs.mkv"));
        assert_string_equal(
            trial_probe(trial_path("ours.mkv"), "v", "stream=r_frame_rate,avg_frame_rate,pix_fmt,width,height,sample_aspect_ratio"),
            trial_probe(trial_path("theirs.mkv"), "v", "stream=r_frame_rate,avg_frame_rate,pix_fmt,width,height,sample_aspect_ratio"));
    }
    // The same as a glob and as a folder; the default rate is ffmpeg's.
    trial_ffmpeg("-i", trial_path("in/%06d.png"), "-c:v", "ffv1", trial_path("theirs.mkv"), NULL);
    trial_render(trial_path("in/0000*.png"), trial_path("ours.mkv"), "-y", "--codec=ffv1", NULL);
    trial_assert_same_frames(trial_path("ours.mkv"), trial_path("theirs.mkv"));
    trial_render(trial_path("in"), trial_path("ours.mkv"), "-y", "--codec=ffv1", "--filter=null", NULL);
    trial_assert_same_frames(trial_path("ours.mkv"), trial_path("theirs.mkv"));
}

static void pictures_become_pictures(void **state)
{
    (void)state;
    folder("in");
    folder("out");
    trial_ffmpeg("-i", clip("bgra", ""), trial_path("in/%06d.png"), NULL);
    trial_render(trial_path("in/%06d.png"), trial_path("out/%06d.png"), "--start-number=11:1", NULL);
    trial_ffmpeg("-start_number", "11", "-i", trial_path("in/%06d.png"), "-c:v", "copy", "-f", "image2", trial_path("in/copy%06d.png"), NULL);
    assert_string_equal(pixels(trial_path("out/%06d.png")), pixels(trial_path("in/copy%06d.png")));
}

static void stages_and_verify_work_on_pictures(void **state)
{
    (void)state;
    folder("in");
    trial_ffmpeg("-i", clip("yuv420p", ""), trial_path("in/%06d.png"), NULL);
    trial_ffmpeg("-filter_threads", "8", "-i", trial_path("in/%06d.png"), "-vf", "hqdn3d,unsharp", "-c:v", "ffv1", trial_path("theirs.mkv"), NULL);
    assert_told(trial_render(trial_path("in"), trial_path("ours.mkv"), "--filter=hqdn3d,unsharp", "--codec=ffv1", "--verify", NULL),
                "seams identical");
    trial_assert_same_frames(trial_path("ours.mkv"), trial_path("theirs.mkv"));
}

static void what_is_missing_stops_or_is_mended(void **state)
{
    const struct command *command;
    const char *in, *out = trial_path("out.mkv");

    (void)state;
    folder("in");
    in = trial_path("in/%06d.png");
    trial_ffmpeg("-i", clip("yuv420p", ""), in, NULL);
    assert_int_equal(unlink(trial_path("in/000013.png")), 0);
    assert_int_equal(truncate(trial_path("in/000017.png"), 200), 0);
    command = trial_run(in, out, "--codec=ffv1", NULL);
    assert_status(command, 1);
    assert_told(command->err, "in/000013.png is missing; --missing=hold repeats the one before it, --missing=skip leaves it out");
    assert_int_equal(access(out, F_OK), -1);
    assert_told(trial_render(in, out, "--missing=hold", "--codec=ffv1", NULL), "in/000017.png: it is cut off; the one before it stands in for it");
    assert_told(trial_probe(out, "v", "stream_tags=DURATION"), "00:00:01.0");
    trial_render(in, out, "-y", "--missing=skip", "--codec=ffv1", NULL);
    assert_told(trial_probe(out, "v", "stream_tags=DURATION"), "00:00:00.92");
    assert_told(trial_run(trial_path("in/x%d.png"), out, "-y", NULL)->err, "there are no such pictures (.png)");
    assert_told(trial_run(trial_path("clip.mkv"), out, "-y", "--framerate=24", NULL)->err, "--framerate is for numbered pictures");
    assert_status(trial_run(in, out, "-y", "--framerate=fast", NULL), 2);
    assert_status(trial_run(in, out, "-y", "--missing=maybe", NULL), 2);
}

static void stills_are_taken_every_so_often(void **state)
{
    const char *input = trial_path("clip.mkv"), *out = trial_path("out/%d.png");
    const struct command *command;

    (void)state;
    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=98x66:rate=10:duration=4", "-c:v", "ffv1", "-g", "5", input, NULL);
    folder("out");
    folder("theirs");
    trial_ffmpeg("-i", input, "-vf", "hflip,select='not(mod(n,7))'", "-fps_mode", "passthrough", trial_path("theirs/%d.png"), NULL);
    trial_render(input, out, "--every=7", "--filter=hflip", NULL);
    assert_string_equal(pixels(out), pixels(trial_path("theirs/%d.png")));
    trial_render(input, trial_path("out/s%d.png"), "--every=1.5s", NULL);
    assert_told(trial_output(ARGUMENTS("pngcheck", "-t", trial_path("out/s2.png"))), "Timestamp:\n    1.500000\n");
    assert_told(trial_output(ARGUMENTS("pngcheck", "-t", trial_path("out/s3.png"))), "Timestamp:\n    3.000000\n");
    assert_int_equal(access(trial_path("out/s4.png"), F_OK), -1);
    command = trial_run(input, out, "-y", "--every=0", NULL);
    assert_status(command, 2);
    assert_told(command->err, "--every must be a number of frames, or of seconds such as 2.5s, not '0'");
}

static void one_picture_of_a_whole_video(void **state)
{
    const char *input = trial_path("clip.mkv"), *out = trial_path("out.png"), *theirs = trial_path("theirs.png");
    const struct command *command;

    (void)state;
    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=98x66:rate=10:duration=4", "-c:v", "ffv1", "-g", "5", input, NULL);
    trial_render(input, out, "--poster", NULL);
    trial_ffmpeg("-i", input, "-vf", "select=eq(n\\,4)", "-frames:v", "1", theirs, NULL);
    assert_string_equal(pixels(out), pixels(theirs));
    command = trial_run(input, out, "--poster", NULL);
    assert_status(command, 1);
    assert_told(command->err, "out.png: exists already");
    command = trial_run(input, out, "-y", "--contact-sheet=3x2", NULL);
    if (strstr(command->err, "font"))
        skip(); // there is none here
    assert_status(command, 0);
    // 3 x 2 cells of 320 x 216, with gaps of 8.
    assert_string_equal(trial_probe(out, "v", "stream=width,height"), "width=992\nheight=456\n");
    // More cells than frames: those that there are.
    trial_render(input, out, "-y", "--contact-sheet=10x6", NULL);
    assert_told(trial_run(input, trial_path("%d.png"), "--poster", NULL)->err, "--poster and --contact-sheet make one picture, such as sheet.png");
    assert_told(trial_run(input, out, "-y", "--contact-sheet=3", NULL)->err, "--contact-sheet must be COLUMNSxROWS");
    assert_status(trial_run(input, out, "-y", "--contact-sheet=0x3", NULL), 2);
    assert_status(trial_run(input, out, "-y", "--poster", "--verify", NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(pixels_are_those_of_ffmpeg),
        TRIAL(options_of_pictures),
        TRIAL(bytes_are_the_same_for_any_number_of_workers),
        TRIAL(frames_that_are_there_stay),
        TRIAL(ctrl_c_keeps_whole_frames),
        TRIAL(a_full_disk_is_told),
        TRIAL(no_folder_and_no_permission_are_told),
        TRIAL(stills_are_taken_every_so_often),
        TRIAL(one_picture_of_a_whole_video),
        TRIAL(pictures_become_a_video),
        TRIAL(pictures_become_pictures),
        TRIAL(stages_and_verify_work_on_pictures),
        TRIAL(what_is_missing_stops_or_is_mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
