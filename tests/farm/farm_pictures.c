// Videos become numbered pictures and the other way round: the pixels are ffmpeg's, each file is there only when it is whole.
#include "tests/support/trial.h"

#include "tests/support/command.h"
#include "tests/support/range.h"

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

// What says how luma and chroma make colours: pictures have none of it left, so it has to be taken account of here.
static void matrix_and_range_are_those_of_the_video(void **state)
{
    static const char *const matrices[] = {"bt709", "smpte170m", "bt2020nc"}, *const ranges[] = {"tv", "pc"};
    const char *first = NULL;

    (void)state;
    folder("ours");
    folder("theirs");
    for (size_t i = 0; i < 6; i++) {
        const char *input = clip("yuv420p", trial_format(",setparams=colorspace=%s:range=%s", matrices[i / 2], ranges[i % 2])), *pixels_are;

        trial_render(input, trial_path("ours/%06d.png"), "-y", trial_workers(), NULL);
        trial_ffmpeg("-i", input, "-fps_mode", "passthrough", trial_path("theirs/%06d.png"), NULL);
        pixels_are = pixels(trial_path("ours/%06d.png"));
        assert_string_equal(pixels_are, pixels(trial_path("theirs/%06d.png")));
        if (first)
            assert_string_not_equal(pixels_are, first); // otherwise this shows nothing
        else
            first = pixels_are;
    }
}

static void options_of_pictures(void **state)
{
    static const char *const filters[] = {"none", "sub", "up", "avg", "paeth", "mixed", "auto"};
    const char *input = clip("yuv420p", ""), *out = trial_path("out/%06d.png"), *wanted;

    (void)state;
    folder("out");
    trial_render(input, out, NULL);
    wanted = pixels(out);
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        trial_render(input, out, "-y", trial_format("--png-filter=%s", filters[i]), "--png-level=auto", NULL);
        assert_string_equal(pixels(out), wanted);
        assert_fine("out", 25);
    }
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

// What these files are by, whose names are words: the same file again has the same one.
static const char *inodes(const char *name, const char *files)
{
    return trial_output(ARGUMENTS("sh", "-c", "cd \"$1\" && ls -i -- $2", "sh", trial_path(name), files));
}

static void killed_coordinator_leaves_whole_frames_that_stay(void **state)
{
    const char *input = clip("yuv420p", ""), *out = trial_path("out/%06d.png"), *calm, *left, *before;
    struct command *command;
    int frames = 0;

    (void)state;
    folder("calm");
    folder("out");
    trial_render(input, trial_path("calm/%06d.png"), "--segment=0.2", "--filter=nlmeans=r=9", NULL);
    calm = bytes_of("calm");
    command = trial_start(ARGUMENTS("-v", "-v", "--workers=1", "--segment=0.2", "--filter=nlmeans=r=9", "--no-cache", "--progress=off", input, out));
    assert_non_null(command_wait_for_error(command, 0, "segment 3 goes to renderer ", 60));
    kill(command->pid, SIGKILL);
    command_wait(command, 20);
    assert_status(command, 128 + SIGKILL);
    // Not one after the other, perhaps: many are written at once.
    left = trial_output(ARGUMENTS("ls", trial_path("out")));
    for (const char *at = left; (at = strstr(at, ".png")); at++)
        frames++;
    assert_int_in_range(frames, 1, 20);
    trial_output(ARGUMENTS("sh", "-c", "cd \"$1\" && pngcheck -q ./*", "sh", trial_path("out")));
    before = inodes("out", left);
    assert_told(trial_render(input, out, "--segment=0.2", "--filter=nlmeans=r=9", "--no-cache", NULL),
                trial_format("%d frames are there already, of a render that was interrupted; those that are right stay", frames));
    assert_string_equal(bytes_of("out"), calm);
    assert_string_equal(inodes("out", left), before);
    // The mark is gone, so they are somebody's now.
    assert_status(trial_run(input, out, NULL), 1);
}

static void killed_renderer_changes_nothing(void **state)
{
    const char *input = clip("yuv420p", ""), *out = trial_path("out/%06d.png"), *text = "renderer 0 is ready (process ", *ready, *calm;
    struct command *command;

    (void)state;
    folder("calm");
    folder("out");
    trial_render(input, trial_path("calm/%06d.png"), "--segment=0.2", "--filter=nlmeans=r=9", NULL);
    calm = bytes_of("calm");
    command = trial_start(ARGUMENTS("-v", "-v", "--workers=2", "--segment=0.2", "--filter=nlmeans=r=9", "--progress=off", input, out));
    assert_non_null(command_wait_for_error(command, 0, "segment 1 goes to renderer ", 60));
    ready = command_wait_for_error(command, 0, text, 60);
    assert_non_null(ready);
    kill((pid_t)strtol(ready + strlen(text), NULL, 10), SIGKILL);
    command_wait(command, 60);
    assert_status(command, 0);
    assert_told(command->err, "renderer 0 was ended by signal 9 (Killed); its work goes to another");
    assert_string_equal(bytes_of("out"), calm);
}

static void a_full_disk_is_told(void **state)
{
    const char *input = clip("yuv420p", "");
    struct command *command = trial_start_program(ARGUMENTS("unshare", "-m", "sh", "-c",
                                                            "mkdir \"$3/small\" && mount -t tmpfs -o size=96k none \"$3/small\" && { \"$1\" \"$2\" "
                                                            "\"$3/small/%06d.png\" -q; s=$?; ls \"$3/small\"; exit $s; }",
                                                            "sh", trial_program(), input, trial_path(".")));

    const char *full;
    int last;

    (void)state;
    command_wait(command, 60);
    assert_status(command, 1);
    assert_told(command->err, "No space left on device; the frames before it are whole, and the same command goes on from there");
    // Many are written at once; all in front of the one that is named are there.
    full = strstr(command->err, "/small/");
    assert_non_null(full);
    last = atoi(full + strlen("/small/"));
    assert_int_in_range(last, 2, 25);
    for (int i = 1; i < last; i++)
        assert_told(command->out, trial_format("%06d.png\n", i));
}

static void no_folder_and_no_permission_are_told(void **state)
{
    const char *input = clip("yuv420p", ""), *script;
    struct command *command;

    (void)state;
    assert_told(trial_run(input, trial_path("nowhere/%06d.png"), NULL)->err, "there is no folder ");
    assert_told(trial_run(input, trial_path("."), NULL)->err, "/%06d.png");
    // Permissions hold nobody up who is root; a file system that is not to be written to does.
    script = geteuid() ? "chmod 555 \"$3/locked\" && \"$1\" \"$2\" \"$3/locked/%06d.png\" -q"
                       : "mount -t tmpfs -o ro none \"$3/locked\" && \"$1\" \"$2\" \"$3/locked/%06d.png\" -q";
    folder("locked");
    command = trial_start_program(geteuid() ? ARGUMENTS("sh", "-c", script, "sh", trial_program(), input, trial_path("."))
                                            : ARGUMENTS("unshare", "-m", "sh", "-c", script, "sh", trial_program(), input, trial_path(".")));
    command_wait(command, 60);
    assert_status(command, 1);
    assert_told(command->err, geteuid() ? "cannot be written to: Permission denied" : "cannot be written to: Read-only file system");
    trial_assert_only(trial_path("locked"), NULL);
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

        trial_ffmpeg("-i", clip(formats[i], ""), "-vf", "setsar=4/3", in, NULL);
        trial_ffmpeg("-framerate", "30000/1001", "-i", in, "-vf", "hflip", "-c:v", "ffv1", trial_path("theirs.mkv"), NULL);
        trial_render(in, trial_path("ours.mkv"), "-y", "--framerate=30000/1001", "--filter=hflip", "--codec=ffv1", "--segment=0.2", NULL);
        trial_assert_same_frames(trial_path("ours.mkv"), trial_path("theirs.mkv"));
        assert_string_equal(
            trial_probe(trial_path("ours.mkv"), "v", "stream=r_frame_rate,avg_frame_rate,pix_fmt,width,height,sample_aspect_ratio,color_range"),
            trial_probe(trial_path("theirs.mkv"), "v", "stream=r_frame_rate,avg_frame_rate,pix_fmt,width,height,sample_aspect_ratio,color_range"));
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

static void one_of_another_kind_stops_or_is_mended(void **state)
{
    const struct command *command;
    const char *in, *out = trial_path("out.mkv");

    (void)state;
    folder("in");
    in = trial_path("in/%06d.png");
    trial_ffmpeg("-i", clip("yuv420p", ""), in, NULL);
    trial_ffmpeg("-i", trial_path("in/000001.png"), "-vf", "scale=50:50", trial_path("in/000009.png"), NULL);
    command = trial_run(in, out, "--codec=ffv1", NULL);
    assert_status(command, 1);
    assert_told(command->err, "in/000009.png is of another kind than the first (50 x 50, 8 bit RGB instead of 98 x 66, 8 bit RGB); --missing=hold");
    assert_int_equal(access(out, F_OK), -1);
    trial_ffmpeg("-i", trial_path("in/000001.png"), "-pix_fmt", "gray", trial_path("in/000009.png"), NULL);
    assert_told(trial_run(in, out, "--codec=ffv1", NULL)->err, "98 x 66, 8 bit grey instead of 98 x 66, 8 bit RGB");
    trial_render(in, out, "--missing=skip", "--codec=ffv1", NULL);
    assert_told(trial_probe(out, "v", "stream_tags=DURATION"), "00:00:00.96");
    // Root may read every file, so a folder stands in its place.
    assert_int_equal(unlink(trial_path("in/000009.png")), 0);
    folder("in/000009.png");
    assert_told(trial_run(in, out, "-y", "--codec=ffv1", NULL)->err, "in/000009.png cannot be read: ");
}

static uint32_t crc_of(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

// Pixels that make no sense, and a checksum that says that they are as they were written.
static void spoil(const char *path)
{
    size_t size, at = 8;
    uint8_t *png = trial_read(path, &size);

    while (memcmp(png + at + 4, "IDAT", 4) != 0)
        at += 12 + ((size_t)png[at + 2] << 8 | png[at + 3]);
    size_t length = (size_t)png[at + 2] << 8 | png[at + 3];

    memset(png + at + 8, 0x55, length);
    for (int i = 0; i < 4; i++)
        png[at + 8 + length + (size_t)i] = (uint8_t)(crc_of(png + at + 4, length + 4) >> (24 - 8 * i));
    trial_write(path, png, size);
}

static void pixels_that_make_no_sense_stop_with_the_name(void **state)
{
    const struct command *command;
    const char *in, *out = trial_path("out.mkv"), *cache = trial_format("--cache=%s", trial_path("cache"));

    (void)state;
    folder("in");
    in = trial_path("in/%06d.png");
    trial_ffmpeg("-i", clip("yuv420p", ""), in, NULL);
    spoil(trial_path("in/000017.png"));
    assert_int_equal(unlink(trial_path("in/000004.png")), 0);
    command = trial_run(in, out, "--start-number=5", "--codec=ffv1", "--segment=0.2", cache, NULL);
    assert_status(command, 1);
    assert_told(command->err, "in/000017.png cannot be decoded: libpng: ");
    assert_int_equal(access(out, F_OK), -1);
    assert_told(trial_render(in, out, "--missing=skip", "--codec=ffv1", "--segment=0.2", cache, NULL), "in/000017.png, libpng: ");
    assert_int_equal(atoi(strrchr(trial_output(ARGUMENTS("ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of",
                                                         "csv", out)),
                                  ',') +
                          1),
                     23);
    // The cache makes nothing good either.
    command = trial_run(in, out, "-y", "--start-number=5", "--codec=ffv1", "--segment=0.2", cache, NULL);
    assert_status(command, 1);
    assert_told(command->err, "in/000017.png cannot be decoded: libpng: ");
    // Nor do frames in shared memory.
    command = trial_run(in, out, "-y", "--start-number=5", "--codec=ffv1", "--filter=hqdn3d,unsharp", NULL);
    assert_status(command, 1);
    assert_told(command->err, "in/000017.png cannot be decoded: libpng: ");
    // The first one, which everything is known from.
    assert_int_equal(truncate(trial_path("in/000001.png"), 100), 0);
    assert_told(trial_run(in, out, "-y", NULL)->err, "in/000001.png: it is cut off; --missing=hold");
    assert_told(trial_render(in, out, "-y", "--missing=skip", NULL), "in/000001.png: it is cut off; it is left out");
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
    assert_null(strstr(command->err, "because")); // nobody chose its filters
    // 3 x 2 cells of 320 x 216, with gaps of 8.
    assert_string_equal(trial_probe(out, "v", "stream=width,height"), "width=992\nheight=456\n");
    // A single frame is behind none of the places.
    trial_ffmpeg("-i", input, "-frames:v", "1", "-c", "copy", trial_path("one.mkv"), NULL);
    trial_render(trial_path("one.mkv"), out, "-y", "--contact-sheet=3x2", NULL);
    trial_render(trial_path("one.mkv"), out, "-y", "--poster", NULL);
    trial_ffmpeg("-i", trial_path("one.mkv"), theirs, NULL);
    assert_string_equal(pixels(out), pixels(theirs));
    // Nobody knows where a tenth of it is.
    trial_ffmpeg("-i", input, "-c:v", "libx264", "-qp", "0", "-f", "h264", trial_path("raw.h264"), NULL);
    assert_told(trial_run(trial_path("raw.h264"), out, "-y", "--contact-sheet=3x2", NULL)->err, "its length is not known");
    trial_render(trial_path("raw.h264"), out, "-y", "--poster", NULL);
    trial_ffmpeg("-i", trial_path("raw.h264"), "-frames:v", "1", theirs, NULL);
    assert_string_equal(pixels(out), pixels(theirs));
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
        TRIAL(matrix_and_range_are_those_of_the_video),
        TRIAL(options_of_pictures),
        TRIAL(bytes_are_the_same_for_any_number_of_workers),
        TRIAL(frames_that_are_there_stay),
        TRIAL(ctrl_c_keeps_whole_frames),
        TRIAL(killed_coordinator_leaves_whole_frames_that_stay),
        TRIAL(killed_renderer_changes_nothing),
        TRIAL(a_full_disk_is_told),
        TRIAL(no_folder_and_no_permission_are_told),
        TRIAL(stills_are_taken_every_so_often),
        TRIAL(one_picture_of_a_whole_video),
        TRIAL(pictures_become_a_video),
        TRIAL(pictures_become_pictures),
        TRIAL(stages_and_verify_work_on_pictures),
        TRIAL(what_is_missing_stops_or_is_mended),
        TRIAL(one_of_another_kind_stops_or_is_mended),
        TRIAL(pixels_that_make_no_sense_stop_with_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
