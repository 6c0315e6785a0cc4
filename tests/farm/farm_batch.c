// Many files as one job: each output is that of a job of its own, what is done is not done again, and one bad file harms no other.
#include "tests/support/trial.h"

#include "tests/support/command.h"

#include <json-c/json.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CHEAP "--preset=ultrafast"

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

// So many seconds of video at a path in the trial's folder, whose folder has to be there; number makes it another one.
static const char *long_clip(const char *name, int number, int seconds)
{
    const char *path = trial_path(name);

    trial_ffmpeg("-f", "lavfi", "-i", trial_format("testsrc2=size=160x120:rate=25:duration=%d,hue=h=%d", seconds, 30 * number), "-c:v", "libx264",
                 "-preset", "ultrafast", "-g", "10", "-f", strstr(name, ".mkv") ? "matroska" : "mp4", "-y", trial_format("file:%s", path), NULL);
    return path;
}

static const char *clip(const char *name, int number)
{
    return long_clip(name, number, 1);
}

static const char *folder(const char *name)
{
    const char *path = trial_path(name);

    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

// in/a.mp4, in/b.mkv, in/more/c.mp4.
static void prepare(void)
{
    folder("in");
    folder("in/more");
    clip("in/a.mp4", 0);
    clip("in/b.mkv", 1);
    clip("in/more/c.mp4", 2);
}

// The batch of in and out, with further arguments; what it said is in the command.
#define batch(...) trial_run(trial_path("in"), trial_path("out"), CHEAP, trial_workers(), __VA_ARGS__, NULL)

static void assert_status(const struct command *command, int status)
{
    if (command->status != status)
        fail_msg("status %d instead of %d: %s", command->status, status, command->err);
}

// What a list comes to.
static const struct command *run_list(const char *text, const char *option)
{
    struct command *command;

    trial_write(trial_path("list"), text, strlen(text));
    command = trial_start(ARGUMENTS("--batch", trial_path("list"), "-v", "--progress=off", "--workers=2", option));
    command_wait(command, 120);
    return command;
}

// That the output is what a job of its own makes.
static void assert_as_alone(const char *name, const char *filter)
{
    const char *alone = trial_path("alone"), *extension = strrchr(name, '.');

    alone = trial_format("%s%s", alone, extension);
    trial_render(trial_path(trial_format("in/%s", name)), alone, "-y", CHEAP, filter, NULL);
    assert_string_equal(trial_sha256(trial_path(trial_format("out/%s", name))), trial_sha256(alone));
}

static void a_folder_becomes_a_folder(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    trial_write(trial_path("in/notes.txt"), "no video\n", 9);
    trial_write(trial_path("in/.hidden.mp4"), "not looked at\n", 14);
    command = batch("--filter=unsharp");
    assert_status(command, 0);
    assert_told(command->err, "3 ok, 0 skipped, 0 failed: 75 frames in ");
    assert_told(command->err, "; 1 other file was left out (see --include)");
    assert_as_alone("a.mp4", "--filter=unsharp");
    assert_as_alone("b.mkv", "--filter=unsharp");
    assert_as_alone("more/c.mp4", "--filter=unsharp");
    trial_assert_only(trial_path("out"), "a.mp4", "b.mkv", "more", ".renderfarm-batch", NULL);
}

static void stages_are_as_alone(void **state)
{
    (void)state;
    prepare();
    assert_status(batch("--filter=hqdn3d,unsharp"), 0);
    assert_as_alone("a.mp4", "--filter=hqdn3d,unsharp");
    assert_as_alone("more/c.mp4", "--filter=hqdn3d,unsharp");
}

// The process of the renderer in that slot that came last.
static pid_t process_of(const struct command *command, unsigned slot)
{
    const char *text = trial_format("renderer %u is ready (process ", slot), *found = NULL;

    for (const char *at = command->err; (at = strstr(at, text)); at += strlen(text))
        found = at;
    assert_non_null(found);
    return (pid_t)strtol(found + strlen(text), NULL, 10);
}

static unsigned count_of(const char *said, const char *text)
{
    unsigned count = 0;

    for (const char *at = said; (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

// Six files in three parallel stages and two in order, and no more processes than two such files can use.
static void stages_share_the_renderers(void **state)
{
    const char *filter = "--filter=hflip,hqdn3d,unsharp,deflicker,negate";
    const struct command *command;

    (void)state;
    prepare();
    for (int i = 0; i < 3; i++)
        long_clip(trial_format("in/d%d.mp4", i), i, 2);
    command = trial_run(trial_path("in"), trial_path("out"), "-v", CHEAP, "--workers=2", filter, NULL);
    assert_status(command, 0);
    assert_told(command->err, "6 ok, 0 skipped, 0 failed: 225 frames");
    assert_int_equal(count_of(command->err, "(said once for all files)"), 1);
    if (count_of(command->err, " is ready (process ") > 2 * 2 + 2 * 5)
        fail_msg("too many processes: %s", command->err);
    assert_as_alone("a.mp4", filter);
    assert_as_alone("more/c.mp4", filter);
    assert_as_alone("d2.mp4", filter);
}

static void streams_share_the_renderers(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    command = trial_run(trial_path("in"), trial_path("out"), "-v", CHEAP, "--workers=2", "--encode=stream", NULL);
    assert_status(command, 0);
    if (count_of(command->err, " is ready (process ") > 2 * 2 + 2 * 2)
        fail_msg("too many processes: %s", command->err);
    assert_as_alone("a.mp4", "--encode=stream");
    assert_as_alone("more/c.mp4", "--encode=stream");
}

// While the last stage of one is at work the next is begun: as long as there are cores for it.
static void stages_of_the_next_file_do_not_wait(void **state)
{
    struct command *command;
    const char *done;

    (void)state;
    prepare();
    command = trial_start(
        ARGUMENTS("-v", "-v", CHEAP, "--workers=4", "--filter=hqdn3d,nlmeans=r=11", "--progress=off", trial_path("in"), trial_path("out")));
    command_wait(command, 120);
    assert_status(command, 0);
    done = strstr(command->err, "out/a.mp4: 25 frames in ");
    assert_non_null(done);
    *(char *)(uintptr_t)done = '\0';
    assert_true(count_of(command->err, "stage 0: segment 0 goes to renderer ") >= 2);
}

// A renderer that did one stage of a file has not locked itself out of what the next one has to read.
static void stages_may_read_what_the_chain_names(void **state)
{
    static const char cube[] = "LUT_3D_SIZE 2\n1 1 1\n0 1 1\n1 0 1\n0 0 1\n1 1 0\n0 1 0\n1 0 0\n0 0 0\n";
    const char *filter;

    (void)state;
    prepare();
    trial_write(trial_path("negative.cube"), cube, sizeof(cube) - 1);
    filter = trial_format("--filter=hflip,hqdn3d,lut3d=%s", trial_path("negative.cube"));
    assert_status(trial_run(trial_path("in"), trial_path("out"), CHEAP, filter, "--workers=1", NULL), 0);
    assert_as_alone("b.mkv", filter);
}

// The one that goes through the video in order is lost: that file starts over, and no other does.
static void a_killed_renderer_of_a_stage_is_replaced(void **state)
{
    const char *filter = "--filter=hflip,hqdn3d,nlmeans=r=11", *told = "stage 1: segment 0 goes to renderer ";
    struct command *command;

    (void)state;
    prepare();
    command = trial_start(ARGUMENTS("-v", "-v", CHEAP, "--workers=2", filter, "--progress=off", trial_path("in"), trial_path("out")));
    assert_non_null(command_wait_for_error(command, 0, told, 60));
    kill(process_of(command, (unsigned)atoi(strstr(command->err, told) + strlen(told))), SIGKILL);
    command_wait(command, 120);
    assert_status(command, 0);
    assert_told(command->err, "was ended by signal 9 (Killed)");
    assert_told(command->err, "3 ok, 0 skipped, 0 failed: 75 frames");
    assert_as_alone("a.mp4", filter);
    assert_as_alone("more/c.mp4", filter);
}

static void verify_looks_at_each_file(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    command = batch("--segment=0.4", "--verify");
    assert_status(command, 0);
    assert_told(command->err, "a.mp4: 2 of 2 seams identical");
    assert_told(command->err, "c.mp4: 2 of 2 seams identical");
}

static void what_is_not_verified_yet_is_done_again(void **state)
{
    const char *filter = "--filter=nlmeans=r=11";
    struct command *command;

    (void)state;
    prepare();
    command = trial_start(ARGUMENTS("-v", CHEAP, "--workers=1", filter, "--verify", "--progress=off", trial_path("in"), trial_path("out")));
    if (!command_wait_for_error(command, 0, "out/a.mp4: 25 frames in ", 60))
        fail_msg("%s", command->err);
    kill(command->pid, SIGINT);
    command_wait(command, 20);
    assert_status(command, 130);
    assert_told(command->err, "0 ok, 0 skipped, 0 failed, 3 not done");
    assert_told(batch("-v", filter, "--verify")->err, "3 ok, 0 skipped, 0 failed");
}

static void what_is_done_is_not_done_again(void **state)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    const struct command *command;

    (void)state;
    prepare();
    assert_status(batch("-q"), 0);
    command = batch("-q");
    assert_status(command, 0);
    assert_string_equal(command->err, "");
    assert_told(batch("-v")->err, "0 ok, 3 skipped, 0 failed\n");
    // A new input.
    assert_int_equal(utimensat(AT_FDCWD, trial_path("in/a.mp4"), times, 0), 0);
    command = batch("--dry-run");
    assert_told(command->out, trial_format("render   %s -> %s\n", trial_path("in/a.mp4"), trial_path("out/a.mp4")));
    assert_told(command->out, "1 of 3 files to be rendered\n");
    assert_told(batch("--dry-run")->out, "1 of 3 files to be rendered\n"); // it was only told
    assert_told(batch("-v")->err, "1 ok, 2 skipped, 0 failed: 25 frames");
    // A file that is missing.
    assert_int_equal(unlink(trial_path("out/b.mkv")), 0);
    assert_told(batch("-v")->err, "1 ok, 2 skipped, 0 failed: 25 frames");
    // Other options; the number of workers is none.
    assert_told(batch("--crf=30")->err, "3 ok, 0 skipped, 0 failed");
    assert_told(batch("--crf=30", "--workers=1")->err, "0 ok, 3 skipped, 0 failed");
    assert_told(batch("--crf=30", "--filter=negate")->err, "3 ok, 0 skipped, 0 failed");
}

static const struct command *skips(const char *list, size_t skipped)
{
    const struct command *command = run_list(list, "-v");

    assert_status(command, 0);
    assert_told(command->err, trial_format("%zu ok, %zu skipped, 0 failed", 1 - skipped, skipped));
    return command;
}

static void other_pictures_are_other_options(void **state)
{
    static const char *const sheets[] = {"--contact-sheet=2x2", "--contact-sheet=3x3", "--poster"}, *const numbers[] = {
                                                                                                        "--framerate=25", "--framerate=50",
                                                                                                        "--start-number=3", "--missing=hold"};
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    const char *pattern = trial_path("frames/%03d.png"), *list;

    (void)state;
    prepare();
    folder("frames");
    trial_ffmpeg("-i", trial_path("in/a.mp4"), "-frames:v", "6", pattern, NULL);
    for (size_t i = 0; i < 3; i++) {
        list = trial_format("%s %s %s\n", trial_path("in/a.mp4"), trial_path("sheet.png"), sheets[i]);
        skips(list, 0);
        skips(list, 1);
    }
    for (size_t i = 0; i < 4; i++) {
        list = trial_format("%s %s %s\n", pattern, trial_path("o.mkv"), numbers[i]);
        skips(list, 0);
        skips(list, 1);
    }
    // A frame is new, one is taken away, and an older one put there.
    trial_ffmpeg("-y", "-i", trial_path("frames/001.png"), "-update", "1", trial_path("frames/002.png"), NULL);
    skips(list, 0);
    skips(list, 1);
    assert_int_equal(unlink(trial_path("frames/006.png")), 0);
    skips(list, 0);
    skips(list, 1);
    assert_int_equal(link(trial_path("frames/001.png"), trial_path("frames/006.png")), 0);
    assert_int_equal(utimensat(AT_FDCWD, trial_path("frames/006.png"), old, 0), 0);
    skips(list, 0);
    skips(list, 1);
    // The same as a folder.
    list = trial_format("%s %s\n", trial_path("frames"), trial_path("folder.mkv"));
    skips(list, 0);
    skips(list, 1);
    assert_int_equal(unlink(trial_path("frames/006.png")), 0);
    skips(list, 0);
}

static void numbered_pictures_are_not_made_again(void **state)
{
    const char *list = trial_format("%s '%s'\n", trial_path("in/a.mp4"), trial_path("out/%03d.png")), *third, *after;
    const char *other = trial_format("%s '%s' --filter=negate\n", trial_path("in/a.mp4"), trial_path("out/%03d.png"));
    const struct command *command;

    (void)state;
    prepare();
    skips(list, 0);
    third = trial_sha256(trial_path("out/003.png"));
    skips(list, 1);
    // One is missing.
    assert_int_equal(unlink(trial_path("out/003.png")), 0);
    skips(list, 0);
    assert_string_equal(trial_sha256(trial_path("out/003.png")), third);
    skips(list, 1);
    // Other options, and back.
    skips(other, 0);
    assert_string_not_equal(trial_sha256(trial_path("out/003.png")), third);
    skips(other, 1);
    skips(list, 0);
    // One that is somebody else's by now.
    trial_write(trial_path("out/003.png"), "precious", 8);
    after = trial_sha256(trial_path("out/003.png"));
    command = run_list(list, "-v");
    assert_status(command, 1);
    assert_told(command->err, "exists already; use --overwrite (-y) to replace it and what follows");
    assert_string_equal(trial_sha256(trial_path("out/003.png")), after);
    assert_status(run_list(list, "-y"), 0);
    skips(list, 1);
}

static void what_is_not_ours_is_not_touched(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    assert_status(batch("-q"), 0);
    trial_write(trial_path("out/a.mp4"), "precious", 8);
    command = batch("-v");
    assert_status(command, 1);
    assert_told(command->err, "is there and was not made by a batch, or has been changed since; -y replaces it");
    assert_told(command->err, "0 ok, 2 skipped, 1 failed");
    assert_told(batch("-y")->err, "1 ok, 2 skipped, 0 failed");
    assert_as_alone("a.mp4", "-q");
}

static void a_bad_file_harms_no_other(void **state)
{
    struct json_object *top, *files, *value;
    const struct command *command;

    (void)state;
    prepare();
    trial_write(trial_path("in/aa.mp4"), "this is no video", 16);
    command = batch(trial_format("--stats=%s", trial_path("stats.json")));
    assert_status(command, 1);
    assert_told(command->err, "3 ok, 0 skipped, 1 failed");
    assert_told(command->err, "\nFAILED ");
    trial_assert_only(trial_path("out"), "a.mp4", "b.mkv", "more", ".renderfarm-batch", NULL);
    top = json_object_from_file(trial_path("stats.json"));
    assert_true(json_object_object_get_ex(top, "files", &files));
    assert_int_equal(json_object_array_length(files), 4);
    assert_true(json_object_object_get_ex(json_object_array_get_idx(files, 1), "state", &value));
    assert_string_equal(json_object_get_string(value), "failed");
    assert_true(json_object_object_get_ex(json_object_array_get_idx(files, 0), "frames", &value));
    assert_int_equal(json_object_get_int(value), 25);
    json_object_put(top);
    // It is mended.
    clip("in/aa.mp4", 3);
    command = batch("-v");
    assert_status(command, 0);
    assert_told(command->err, "1 ok, 3 skipped, 0 failed");
}

static void figures_replace_no_file_of_the_batch(void **state)
{
    const char *input = trial_path("in/a.mp4"), *before, *list;
    const struct command *command;

    (void)state;
    prepare();
    folder("out");
    before = trial_sha256(input);
    command = batch(trial_format("--stats=%s", trial_path("in/../in/a.mp4")));
    assert_status(command, 2);
    assert_told(command->err, "--stats must not be an input or an output, and ");
    assert_status(batch(trial_format("--stats=%s", trial_path("out/a.mp4"))), 2);
    list = trial_format("%s %s\n%s '%s'\n", input, trial_path("one.mkv"), trial_path("in/b.mkv"), trial_path("out/%03d.png"));
    assert_status(run_list(list, trial_format("--stats=%s", input)), 2);
    assert_status(run_list(list, trial_format("--stats=%s", trial_path("one.mkv"))), 2);
    assert_status(run_list(list, trial_format("--stats=%s", trial_path("out/005.png"))), 2);
    assert_string_equal(trial_sha256(input), before);
    trial_assert_only(trial_path("out"), NULL);
    // A file of the folder that is none of the batch's.
    assert_status(batch(trial_format("--stats=%s", trial_path("out/stats.json"))), 0);
}

static void fail_fast_stops_at_the_first(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    trial_write(trial_path("in/0.mp4"), "this is no video", 16);
    command = batch("--fail-fast", "--workers=1", "--filter=nlmeans");
    assert_status(command, 1);
    assert_told(command->err, ", 1 failed, ");
    assert_told(command->err, "not done  ");
}

static void every_name_is_a_name(void **state)
{
    static const char *const names[] = {"in/-y.mp4",   "in/a  b.mp4", "in/line\nfeed.mp4", "in/\xe9t\xe9 \xf0\x9f\x8e\xac.mp4",
                                        "in/100%.mp4", "in/'\".mp4"};
    const struct command *command;

    (void)state;
    folder("in");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        clip(names[i], (int)i);
    command = batch("-v");
    assert_status(command, 0);
    assert_told(command->err, "6 ok, 0 skipped, 0 failed");
    trial_assert_only(trial_path("out"), "-y.mp4", "a  b.mp4", "line\nfeed.mp4", "\xe9t\xe9 \xf0\x9f\x8e\xac.mp4", "100%.mp4", "'\".mp4",
                      ".renderfarm-batch", NULL);
    assert_told(batch("-v")->err, "0 ok, 6 skipped, 0 failed");
}

static void two_inputs_have_two_outputs(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    clip("in/a.mkv", 4);
    command = batch("--ext=.mov");
    assert_status(command, 1);
    assert_told(command->err, "its output would be that of");
    assert_told(command->err, "3 ok, 0 skipped, 1 failed");
    trial_assert_only(trial_path("out"), "a.mov", "b.mov", "more", ".renderfarm-batch", NULL);
}

static void globs_choose(void **state)
{
    (void)state;
    prepare();
    trial_write(trial_path("in/notes.txt"), "no video\n", 9);
    assert_told(batch("--dry-run", "--include=*.mp4", "--exclude=a*")->out, "1 of 1 files to be rendered\n");
    assert_told(batch("--dry-run", "--exclude=more/*")->out, "2 of 2 files to be rendered\n");
    assert_told(batch("--dry-run", "--include=*.txt", "--include=b.*")->out, "2 of 2 files to be rendered\n");
}

static void odd_folders(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    // The output inside the input; a second time, when it is full.
    for (int i = 0; i < 2; i++) {
        command = trial_run(trial_path("in"), trial_path("in/more/out/"), "-v", CHEAP, NULL);
        assert_status(command, 0);
        assert_told(command->err, i == 0 ? "3 ok, 0 skipped" : "0 ok, 3 skipped");
    }
    command = trial_run(trial_path("in"), trial_path("in/."), NULL);
    assert_status(command, 2);
    assert_told(command->err, "input and output are the same folder");
    // Links that go round, and one to nothing.
    assert_int_equal(symlink("..", trial_path("in/more/again")), 0);
    assert_int_equal(symlink("nowhere.mp4", trial_path("in/lost.mp4")), 0);
    command = batch("-v");
    assert_status(command, 1);
    assert_told(command->err, "a link leads back to a folder that it lies in");
    assert_told(command->err, "lost.mp4: it is a link to nothing");
    // No videos at all.
    folder("empty");
    command = trial_run(trial_path("empty"), trial_path("nothing"), NULL);
    assert_status(command, 0);
    assert_told(command->err, "/empty: there is nothing to render in it\n");
    assert_told(command->err, "0 ok, 0 skipped, 0 failed\n");
    // A file where the folder should be.
    trial_write(trial_path("file"), "", 0);
    command = trial_run(trial_path("in"), trial_path("file/out/"), "--include=a.mp4", NULL);
    assert_status(command, 1);
    assert_told(command->err, "the folder cannot be made: ");
}

static void a_list_names_jobs(void **state)
{
    const char *in = trial_path("in/a.mp4"), *deep = trial_path("deep/down/b.mkv");
    const struct command *command;

    (void)state;
    prepare();
    command = run_list(trial_format("# what is to be done\n\n%s %s --codec=ffv1\n  '%s' \"%s\" --filter='negate, hflip' # and this\n%s %s\\ two.mp4",
                                    in, trial_path("one.mkv"), trial_path("in/b.mkv"), deep, in, trial_path("number")),
                       "--filter=hflip");
    assert_status(command, 0);
    assert_told(command->err, "3 ok, 0 skipped, 0 failed");
    assert_string_equal(trial_probe(trial_path("one.mkv"), "v", "stream=codec_name"), "codec_name=ffv1\n");
    trial_render(in, trial_path("alone.mkv"), "--codec=ffv1", "--filter=hflip", NULL);
    assert_string_equal(trial_sha256(trial_path("one.mkv")), trial_sha256(trial_path("alone.mkv")));
    trial_render(trial_path("in/b.mkv"), trial_path("alone.mkv"), "-y", "--filter=negate, hflip", NULL);
    assert_string_equal(trial_sha256(deep), trial_sha256(trial_path("alone.mkv")));
    assert_int_equal(access(trial_path("number two.mp4"), F_OK), 0);
}

static void no_job_replaces_what_another_reads(void **state)
{
    const char *input = trial_path("in/a.mp4"), *link_path = trial_path("link.mp4"), *before;
    const char *const spelt[] = {trial_path("./in//a.mp4"), link_path};
    const struct command *command;

    (void)state;
    prepare();
    assert_int_equal(symlink(input, link_path), 0);
    before = trial_sha256(input);
    for (size_t i = 0; i < 4; i++) {
        const char *one = trial_format("%s %s\n", trial_path("in/b.mkv"), spelt[i / 2]);
        const char *other = trial_format("%s %s\n", input, trial_path("out.mp4"));

        command = run_list(i % 2 ? trial_format("%s%s", one, other) : trial_format("%s%s", other, one), "-y");
        assert_status(command, 1);
        assert_told(command->err, trial_format("its output is the input of another job: %s\n", spelt[i / 2]));
        assert_string_equal(trial_sha256(input), before);
    }
    command = run_list(trial_format("%s %s\n%s %s\n", input, trial_path("new/o.mkv"), input, trial_path("new//o.mkv")), "-v");
    assert_status(command, 1);
    assert_told(command->err, "its output would be that of ");
    assert_told(command->err, "1 ok, 0 skipped, 1 failed");
}

static void a_wrong_list_is_told(void **state)
{
    static const struct {
        const char *text, *told;
        int status;
    } wrong[] = {
        {"in.mp4\n", "list:1: a job is an input and an output, and maybe options", 2},
        {"#\n\na b\n'c d\n", "list:4: a quote has no end", 2},
        {"a b --wrong=1\n", "list:1: the options of this job are not right", 2},
        {"a b extra\n", "one input and one output, please: 'extra' is too many", 2},
        {"a b --crf\n", "--crf needs a value", 2},
        {"-a -b --crf=20\n", "-a: there is no such file", 1},
        {"a b\na c --workers=7\n", "list:2: options of all jobs, such as --workers, --memory and --progress, belong to the command", 2},
        {"a.mp4 b.mp4\nb.mp4 c.mp4\n", "its output is the input of another job: b.mp4", 1},
        {"/nowhere.mp4 b.mp4\n", "/nowhere.mp4: there is no such file", 1},
        {"\n", "0 ok, 0 skipped, 0 failed\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct command *command = run_list(wrong[i].text, "-v");

        assert_status(command, wrong[i].status);
        assert_told(command->err, wrong[i].told);
    }
    assert_int_equal(access("b.mp4", F_OK), -1);
    assert_told(trial_run("a", "b", "--batch=c", NULL)->err, "--batch=LIST names all inputs and outputs; 'a' is too many");
    folder("in");
    assert_told(batch("--explain")->err, "--explain is for one file at a time; --dry-run lists the files of a batch");
}

// Files of four segments, that take a while.
static struct command *start_slow(void)
{
    return trial_start(
        ARGUMENTS("-v", "-v", CHEAP, "--workers=2", "--segment=0.4", "--filter=nlmeans=r=11", "--progress=off", trial_path("in"), trial_path("out")));
}

static void a_killed_renderer_is_replaced(void **state)
{
    const char *filter = "--filter=nlmeans=r=11", *alone = trial_path("alone.mp4");
    struct command *command;

    (void)state;
    prepare();
    command = start_slow();
    assert_non_null(command_wait_for_error(command, 0, " goes to renderer 0 ", 60));
    kill(process_of(command, 0), SIGKILL);
    command_wait(command, 120);
    assert_status(command, 0);
    assert_told(command->err, "renderer 0 was ended by signal 9 (Killed)");
    trial_render(trial_path("in/a.mp4"), alone, "-y", CHEAP, "--segment=0.4", filter, NULL);
    assert_string_equal(trial_sha256(trial_path("out/a.mp4")), trial_sha256(alone));
    trial_render(trial_path("in/more/c.mp4"), alone, "-y", CHEAP, "--segment=0.4", filter, NULL);
    assert_string_equal(trial_sha256(trial_path("out/more/c.mp4")), trial_sha256(alone));
}

static void ctrl_c_keeps_what_is_done(void **state)
{
    struct command *command;
    const struct command *again;
    int done;

    (void)state;
    prepare();
    long_clip("in/more/c.mp4", 2, 20); // it will not be done before the signal is there
    command = start_slow();
    if (!command_wait_for_error(command, 0, "out/a.mp4: 25 frames in ", 60))
        fail_msg("%s", command->err);
    kill(command->pid, SIGINT);
    command_wait(command, 10);
    assert_status(command, 130);
    assert_told(command->err, "ended by Ctrl-C; all that is done stays, and the same command goes on from here\n");
    done = strstr(command->err, "out/b.mkv: 25 frames in ") ? 2 : 1; // this one may well be
    assert_told(command->err, trial_format("%d ok, 0 skipped, 0 failed, %d not done", done, 3 - done));
    again = batch("-v", "--segment=0.4", "--filter=nlmeans=r=11");
    assert_status(again, 0);
    assert_told(again->err, trial_format("%d ok, %d skipped, 0 failed", 3 - done, done));
    trial_assert_only(trial_path("out"), "a.mp4", "b.mkv", "more", ".renderfarm-batch", NULL);
}

static void a_second_ctrl_c_ends_at_once(void **state)
{
    struct command *command;

    (void)state;
    prepare();
    command = start_slow();
    assert_non_null(command_wait_for_error(command, 0, " goes to renderer ", 60));
    kill(command->pid, SIGINT);
    kill(command->pid, SIGTERM);
    command_wait(command, 10);
    assert_true(command->status == 130 || command->status == 143);
}

static void a_list_may_be_asked_for_in_short(void **state)
{
    const char *list = trial_path("list"), *words[] = {"--bat", "--batc", "--ba"};

    (void)state;
    prepare();
    for (size_t i = 0; i < 6; i++) {
        const char *text = trial_format("%s %s --filter=negate\n", trial_path("in/a.mp4"), trial_path(trial_format("%zu.mp4", i)));
        const char *word = words[i / 2];
        struct command *command;

        trial_write(list, text, strlen(text));
        command = trial_start(i % 2 ? ARGUMENTS("-v", word, list, "--progress=off", CHEAP)
                                    : ARGUMENTS("-v", trial_format("%s=%s", word, list), "--progress=off", CHEAP));
        command_wait(command, 60);
        assert_status(command, 0);
        assert_told(command->err, "1 ok, 0 skipped, 0 failed");
    }
}

static void a_byte_order_mark_is_no_name(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    command = run_list(trial_format("\xef\xbb\xbf%s %s\n", trial_path("in/a.mp4"), trial_path("o.mkv")), "-v");
    assert_status(command, 0);
}

// A graph whose output has a label, as people write them.
static void frames_of_a_labelled_graph(void **state)
{
    static const char *const ways[] = {"--every=10", "--poster"}, *const names[] = {"%03d.png", "poster.png"};

    (void)state;
    prepare();
    for (size_t i = 0; i < 2; i++)
        assert_status(run_list(trial_format("%s '%s' --filter='[in]split[a][b];[b]negate[c];[a][c]overlay[out]' %s\n", trial_path("in/a.mp4"),
                                            trial_path(names[i]), ways[i]),
                               "-v"),
                      0);
    assert_int_equal(access(trial_path("003.png"), F_OK), 0);
    assert_int_equal(access(trial_path("004.png"), F_OK), -1);
    assert_int_equal(access(trial_path("poster.png"), F_OK), 0);
}

// Takes away all lines that a file was made, as a process leaves it that was killed before it could write them.
static void forget_what_was_made(void)
{
    const char *path = trial_path("out/.renderfarm-batch");
    size_t size, kept = 0;
    char *text = trial_read(path, &size), *next;

    for (char *line = text; *line; line = next) {
        next = strchr(line, '\n') + 1;
        if (strncmp(line, "begun ", 6) == 0) {
            memmove(text + kept, line, (size_t)(next - line));
            kept += (size_t)(next - line);
        }
    }
    trial_write(path, text, kept);
}

static void what_a_kill_left_is_made_again(void **state)
{
    const char *path = trial_path("out/.renderfarm-batch");
    const struct command *command;
    struct stat about;

    (void)state;
    prepare();
    assert_status(batch("-q"), 0);
    forget_what_was_made();
    command = batch("-v");
    assert_status(command, 0);
    assert_told(command->err, "2 ok, 1 skipped, 0 failed"); // more/c.mp4 is in a record of its own
    assert_told(batch("-v")->err, "0 ok, 3 skipped, 0 failed");
    // The last line is torn.
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(truncate(path, about.st_size - 30), 0);
    assert_told(batch("-v")->err, "1 ok, 2 skipped, 0 failed");
    assert_told(batch("-v")->err, "0 ok, 3 skipped, 0 failed");
    assert_as_alone("a.mp4", "-q");
    assert_as_alone("b.mkv", "-q");
}

static void a_killed_batch_goes_on(void **state)
{
    const char *filter = "--filter=nlmeans=r=11";
    struct command *command;

    (void)state;
    prepare();
    command = start_slow();
    if (!command_wait_for_error(command, 0, "out/a.mp4: 25 frames in ", 60))
        fail_msg("%s", command->err);
    kill(command->pid, SIGKILL);
    command_wait(command, 10);
    assert_status(batch("-v", "--segment=0.4", filter), 0);
    trial_render(trial_path("in/a.mp4"), trial_path("alone.mp4"), "-y", CHEAP, "--segment=0.4", filter, NULL);
    assert_string_equal(trial_sha256(trial_path("out/a.mp4")), trial_sha256(trial_path("alone.mp4")));
}

static void what_failed_in_a_batch_gives_no_right_to_the_name(void **state)
{
    const struct command *command;

    (void)state;
    folder("in");
    trial_write(trial_path("in/a.mp4"), "this is no video", 16);
    assert_status(batch("-q"), 1);
    trial_write(trial_path("out/a.mp4"), "precious", 8);
    command = batch("-q");
    assert_status(command, 1);
    assert_told(command->err, "is there and was not made by a batch");
}

static void a_record_that_cannot_be_written_is_told(void **state)
{
    const struct command *command;

    (void)state;
    prepare();
    folder("out");
    folder("out/.renderfarm-batch");
    command = batch("--progress=off");
    assert_status(command, 0);
    assert_told(command->err, trial_format("%s: cannot be written: Is a directory; the same command takes what is made now for somebody else's",
                                           trial_path("out/.renderfarm-batch")));
    assert_int_equal(count_of(command->err, ".renderfarm-batch: cannot be written"), 1);
    command = batch("-v");
    assert_status(command, 1);
    assert_told(command->err, ".renderfarm-batch: cannot be read: Is a directory; what is there already is taken for somebody else's");
    assert_told(command->err, "0 ok, 1 skipped, 2 failed");
}

static void holes_are_told_each_time(void **state)
{
    static const char *const ways[] = {"skip", "copy"}, *const told[] = {"1 segment is missing", "1 segment is there without its filters"};
    const char *chain = "--segment=0.5 --filter=frei0r=filter_name=crash:filter_params=1.2 --parallel-safe=crash";

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *output = trial_path("out.mp4");
        const char *list = trial_format("%s %s %s --on-poison=%s\n", trial_sample("silent.mp4"), output, chain, ways[i]);
        const struct command *command = run_list(list, CHEAP);

        assert_status(command, 3);
        assert_told(command->err, trial_format("x  %s: %s\n", output, told[i]));
        assert_told(command->err, "1 ok, 0 skipped, 0 failed, 1 incomplete: ");
        command = run_list(list, CHEAP);
        assert_status(command, 3);
        assert_told(command->err, trial_format("  %s: it is there, but %s; remove it to try again\n", output, told[i]));
        assert_told(command->err, "0 ok, 1 skipped, 0 failed, 1 incomplete");
    }
}

static long peak_of(const char *files)
{
    struct command *command = trial_start(ARGUMENTS("-v", CHEAP, "--workers=2", "--progress=off", files, trial_format("%s.out/", files)));
    const char *text = "coordinator took ", *told;

    command_wait(command, 240);
    assert_status(command, 0);
    told = strstr(command->err, text);
    assert_non_null(told);
    return strtol(told + strlen(text), NULL, 10);
}

// A folder with so many names of one clip.
static const char *many(const char *name, int count)
{
    const char *path = folder(name), *original = trial_path("in/a.mp4");

    for (int i = 0; i < count; i++) {
        char link_path[512];

        snprintf(link_path, sizeof(link_path), "%s/%05d.mp4", path, i);
        assert_int_equal(link(original, link_path), 0);
    }
    return path;
}

static void memory_does_not_grow_with_files(void **state)
{
    long few, lots;

    (void)state;
    trial_needs_true_memory();
    folder("in");
    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=0.2", trial_path("in/a.mp4"), NULL);
    few = peak_of(many("few", 15));
    lots = peak_of(many("lots", 150));
    if (lots > few + 8)
        fail_msg("%ld MB for 150 files, %ld MB for 15", lots, few);
}

static void ten_thousand_files_are_listed(void **state)
{
    struct command *command;

    (void)state;
    folder("in");
    clip("in/a.mp4", 0);
    command = trial_start(ARGUMENTS("--dry-run", many("lots", 10000), trial_path("out")));
    command_wait(command, 60);
    assert_status(command, 0);
    assert_told(command->out, "10000 of 10000 files to be rendered\n");
}

static void the_shell_loop_does_the_same(void **state)
{
    const char *job = "cp {} {out} && echo {/} {/.} {//} {.} >>log";
    struct command *command;
    char here[4000];
    size_t size;

    (void)state;
    prepare();
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(rename(trial_path("in/a.mp4"), trial_path("in/it's a.mp4")), 0);
    command =
        trial_start_program(ARGUMENTS("sh", "-c", "cd \"$1\" && \"$2\"/scripts/render-directory in out \"$3\"", "sh", trial_path("."), here, job));
    command_wait(command, 60);
    assert_status(command, 0);
    assert_told(command->err, "3 done, 0 there already, 0 failed\n");
    trial_assert_only(trial_path("out"), "it's a.mp4", "b.mkv", "more", NULL);
    assert_string_equal(trial_read(trial_path("log"), &size), "b.mkv b in in/b\nit's a.mp4 it's a in in/it's a\nc.mp4 c in/more in/more/c\n");
    // Nothing is missing, and then something that fails.
    command = trial_start_program(ARGUMENTS("scripts/render-directory", trial_path("in"), trial_path("out"), "false"));
    command_wait(command, 60);
    assert_status(command, 0);
    command = trial_start_program(ARGUMENTS("scripts/render-directory", "--ext=mov", trial_path("in"), trial_path("out"), "false"));
    command_wait(command, 60);
    assert_status(command, 1);
    // One of the two tasks of a Slurm array.
    command = trial_start_program(ARGUMENTS("env", "SLURM_ARRAY_TASK_ID=5", "SLURM_ARRAY_TASK_MIN=5", "SLURM_ARRAY_TASK_COUNT=2",
                                            "scripts/render-directory", "--dry-run", trial_path("in"), trial_path("other"), "{/}"));
    command_wait(command, 60);
    assert_string_equal(command->out, "bash -c b.mkv \nbash -c c.mp4 \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(a_folder_becomes_a_folder),
        TRIAL(stages_are_as_alone),
        TRIAL(stages_share_the_renderers),
        TRIAL(streams_share_the_renderers),
        TRIAL(stages_of_the_next_file_do_not_wait),
        TRIAL(stages_may_read_what_the_chain_names),
        TRIAL(a_killed_renderer_of_a_stage_is_replaced),
        TRIAL(verify_looks_at_each_file),
        TRIAL(what_is_not_verified_yet_is_done_again),
        TRIAL(what_is_done_is_not_done_again),
        TRIAL(other_pictures_are_other_options),
        TRIAL(numbered_pictures_are_not_made_again),
        TRIAL(what_is_not_ours_is_not_touched),
        TRIAL(a_bad_file_harms_no_other),
        TRIAL(figures_replace_no_file_of_the_batch),
        TRIAL(fail_fast_stops_at_the_first),
        TRIAL(every_name_is_a_name),
        TRIAL(two_inputs_have_two_outputs),
        TRIAL(globs_choose),
        TRIAL(odd_folders),
        TRIAL(a_list_names_jobs),
        TRIAL(no_job_replaces_what_another_reads),
        TRIAL(a_wrong_list_is_told),
        TRIAL(a_list_may_be_asked_for_in_short),
        TRIAL(a_byte_order_mark_is_no_name),
        TRIAL(frames_of_a_labelled_graph),
        TRIAL(a_killed_renderer_is_replaced),
        TRIAL(ctrl_c_keeps_what_is_done),
        TRIAL(a_second_ctrl_c_ends_at_once),
        TRIAL(what_a_kill_left_is_made_again),
        TRIAL(a_killed_batch_goes_on),
        TRIAL(what_failed_in_a_batch_gives_no_right_to_the_name),
        TRIAL(a_record_that_cannot_be_written_is_told),
        TRIAL(holes_are_told_each_time),
        TRIAL(memory_does_not_grow_with_files),
        TRIAL(ten_thousand_files_are_listed),
        TRIAL(the_shell_loop_does_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
