// Many files as one job: each output is that of a job of its own, and one bad file harms no other. What is done already is farm_batch_record's
// matter.
#include "tests/support/batch.h"

#include <json-c/json.h>

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

static void a_folder_becomes_a_folder(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    trial_write(trial_path("in/notes.txt"), "no video\n", 9);
    trial_write(trial_path("in/.hidden.mp4"), "not looked at\n", 14);
    command = batch("--filter=unsharp");
    batch_assert_status(command, 0);
    assert_told(command->err, "3 ok, 0 skipped, 0 failed: 75 frames in ");
    assert_told(command->err, "; 1 other file was left out (see --include)");
    batch_assert_as_alone("a.mp4", "--filter=unsharp");
    batch_assert_as_alone("b.mkv", "--filter=unsharp");
    batch_assert_as_alone("more/c.mp4", "--filter=unsharp");
    trial_assert_only(trial_path("out"), "a.mp4", "b.mkv", "more", ".renderfarm-batch", NULL);
}

static void stages_are_as_alone(void **state)
{
    (void)state;
    batch_prepare();
    batch_assert_status(batch("--filter=hqdn3d,unsharp"), 0);
    batch_assert_as_alone("a.mp4", "--filter=hqdn3d,unsharp");
    batch_assert_as_alone("more/c.mp4", "--filter=hqdn3d,unsharp");
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

// Six files in three parallel stages and two in order, and no more processes than two such files can use.
static void stages_share_the_renderers(void **state)
{
    const char *filter = "--filter=hflip,hqdn3d,unsharp,deflicker,negate";
    const struct command *command;

    (void)state;
    batch_prepare();
    for (int i = 0; i < 3; i++)
        batch_long_clip(trial_format("in/d%d.mp4", i), i, 2);
    command = trial_run(trial_path("in"), trial_path("out"), "-v", BATCH_CHEAP, "--workers=2", filter, NULL);
    batch_assert_status(command, 0);
    assert_told(command->err, "6 ok, 0 skipped, 0 failed: 225 frames");
    assert_int_equal(batch_count_told(command->err, "(said once for all files)"), 1);
    if (batch_count_told(command->err, " is ready (process ") > 2 * 2 + 2 * 5)
        fail_msg("too many processes: %s", command->err);
    batch_assert_as_alone("a.mp4", filter);
    batch_assert_as_alone("more/c.mp4", filter);
    batch_assert_as_alone("d2.mp4", filter);
}

static void streams_share_the_renderers(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    command = trial_run(trial_path("in"), trial_path("out"), "-v", BATCH_CHEAP, "--workers=2", "--encode=stream", NULL);
    batch_assert_status(command, 0);
    if (batch_count_told(command->err, " is ready (process ") > 2 * 2 + 2 * 2)
        fail_msg("too many processes: %s", command->err);
    batch_assert_as_alone("a.mp4", "--encode=stream");
    batch_assert_as_alone("more/c.mp4", "--encode=stream");
}

// While the last stage of one is at work the next is begun: as long as there are cores for it.
static void stages_of_the_next_file_do_not_wait(void **state)
{
    struct command *command;
    const char *done;

    (void)state;
    batch_prepare();
    command = trial_start(
        ARGUMENTS("-v", "-v", BATCH_CHEAP, "--workers=4", "--filter=hqdn3d,nlmeans=r=11", "--progress=off", trial_path("in"), trial_path("out")));
    command_wait(command, 120);
    batch_assert_status(command, 0);
    done = strstr(command->err, "out/a.mp4: 25 frames in ");
    assert_non_null(done);
    *(char *)(uintptr_t)done = '\0';
    assert_true(batch_count_told(command->err, "stage 0: segment 0 goes to renderer ") >= 2);
}

// A renderer that did one stage of a file has not locked itself out of what the next one has to read.
static void stages_may_read_what_the_chain_names(void **state)
{
    static const char cube[] = "LUT_3D_SIZE 2\n1 1 1\n0 1 1\n1 0 1\n0 0 1\n1 1 0\n0 1 0\n1 0 0\n0 0 0\n";
    const char *filter;

    (void)state;
    batch_prepare();
    trial_write(trial_path("negative.cube"), cube, sizeof(cube) - 1);
    filter = trial_format("--filter=hflip,hqdn3d,lut3d=%s", trial_path("negative.cube"));
    batch_assert_status(trial_run(trial_path("in"), trial_path("out"), BATCH_CHEAP, filter, "--workers=1", NULL), 0);
    batch_assert_as_alone("b.mkv", filter);
}

// A sheet has a filter that reads a font, which renderers of plain jobs have locked themselves out of.
static void a_sheet_goes_with_plain_jobs(void **state)
{
    const char *in = trial_path("in/a.mp4"), *text;

    (void)state;
    batch_prepare();
    text = trial_format("%s %s\n%s %s --contact-sheet=2x2\n%s %s\n", in, trial_path("first.mp4"), in, trial_path("sheet.png"), in,
                        trial_path("last.mp4"));
    batch_assert_status(batch_run_list(text, "--workers=1"), 0);
    trial_render(in, trial_path("alone.png"), "--contact-sheet=2x2", NULL);
    assert_string_equal(trial_sha256(trial_path("sheet.png")), trial_sha256(trial_path("alone.png")));
}

// The one that goes through the video in order is lost: that file starts over, and no other does.
static void a_killed_renderer_of_a_stage_is_replaced(void **state)
{
    const char *filter = "--filter=nlmeans=r=11,hqdn3d", *told = "stage 2: segment 0 goes to renderer ";
    struct command *command;

    (void)state;
    batch_prepare();
    batch_long_clip("in/a.mp4", 0, 4); // it is not through when the signal comes
    command = trial_start(ARGUMENTS("-v", "-v", BATCH_CHEAP, "--workers=2", filter, "--progress=off", trial_path("in"), trial_path("out")));
    assert_non_null(command_wait_for_error(command, 0, told, 60));
    kill(process_of(command, (unsigned)atoi(strstr(command->err, told) + strlen(told))), SIGKILL);
    command_wait(command, 120);
    batch_assert_status(command, 0);
    assert_told(command->err, "was ended by signal 9 (Killed); it went through the video in order, so that starts over");
    assert_told(command->err, "3 ok, 0 skipped, 0 failed: 150 frames");
    batch_assert_as_alone("a.mp4", filter);
    batch_assert_as_alone("more/c.mp4", filter);
}

static void verify_looks_at_each_file(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    command = batch("--segment=0.4", "--verify");
    batch_assert_status(command, 0);
    assert_told(command->err, "a.mp4: 2 of 2 seams identical");
    assert_told(command->err, "c.mp4: 2 of 2 seams identical");
}

static void a_bad_file_harms_no_other(void **state)
{
    struct json_object *top, *files, *value;
    const struct command *command;

    (void)state;
    batch_prepare();
    trial_write(trial_path("in/aa.mp4"), "this is no video", 16);
    command = batch(trial_format("--stats=%s", trial_path("stats.json")));
    batch_assert_status(command, 1);
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
    batch_clip("in/aa.mp4", 3);
    command = batch("-v");
    batch_assert_status(command, 0);
    assert_told(command->err, "1 ok, 3 skipped, 0 failed");
}

static void figures_replace_no_file_of_the_batch(void **state)
{
    const char *input = trial_path("in/a.mp4"), *before, *list;
    const struct command *command;

    (void)state;
    batch_prepare();
    batch_folder("out");
    before = trial_sha256(input);
    command = batch(trial_format("--stats=%s", trial_path("in/../in/a.mp4")));
    batch_assert_status(command, 2);
    assert_told(command->err, "--stats must not be an input or an output, and ");
    batch_assert_status(batch(trial_format("--stats=%s", trial_path("out/a.mp4"))), 2);
    list = trial_format("%s %s\n%s '%s'\n", input, trial_path("one.mkv"), trial_path("in/b.mkv"), trial_path("out/%03d.png"));
    batch_assert_status(batch_run_list(list, trial_format("--stats=%s", input)), 2);
    batch_assert_status(batch_run_list(list, trial_format("--stats=%s", trial_path("one.mkv"))), 2);
    batch_assert_status(batch_run_list(list, trial_format("--stats=%s", trial_path("out/005.png"))), 2);
    assert_string_equal(trial_sha256(input), before);
    trial_assert_only(trial_path("out"), NULL);
    // A file of the folder that is none of the batch's.
    batch_assert_status(batch(trial_format("--stats=%s", trial_path("out/stats.json"))), 0);
}

static void fail_fast_stops_at_the_first(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    trial_write(trial_path("in/0.mp4"), "this is no video", 16);
    command = batch("--fail-fast", "--workers=1", "--filter=nlmeans");
    batch_assert_status(command, 1);
    assert_told(command->err, ", 1 failed, ");
    assert_told(command->err, "not done  ");
}

static void every_name_is_a_name(void **state)
{
    static const char *const names[] = {"in/-y.mp4",   "in/a  b.mp4", "in/line\nfeed.mp4", "in/\xe9t\xe9 \xf0\x9f\x8e\xac.mp4",
                                        "in/100%.mp4", "in/'\".mp4"};
    const struct command *command;

    (void)state;
    batch_folder("in");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        batch_clip(names[i], (int)i);
    command = batch("-v");
    batch_assert_status(command, 0);
    assert_told(command->err, "6 ok, 0 skipped, 0 failed");
    trial_assert_only(trial_path("out"), "-y.mp4", "a  b.mp4", "line\nfeed.mp4", "\xe9t\xe9 \xf0\x9f\x8e\xac.mp4", "100%.mp4", "'\".mp4",
                      ".renderfarm-batch", NULL);
    assert_told(batch("-v")->err, "0 ok, 6 skipped, 0 failed");
}

static void two_inputs_have_two_outputs(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    batch_clip("in/a.mkv", 4);
    command = batch("--ext=.mov");
    batch_assert_status(command, 1);
    assert_told(command->err, "its output would be that of");
    assert_told(command->err, "3 ok, 0 skipped, 1 failed");
    trial_assert_only(trial_path("out"), "a.mov", "b.mov", "more", ".renderfarm-batch", NULL);
}

static void globs_choose(void **state)
{
    (void)state;
    batch_prepare();
    trial_write(trial_path("in/notes.txt"), "no video\n", 9);
    assert_told(batch("--dry-run", "--include=*.mp4", "--exclude=a*")->out, "1 of 1 files to be rendered\n");
    assert_told(batch("--dry-run", "--exclude=more/*")->out, "2 of 2 files to be rendered\n");
    assert_told(batch("--dry-run", "--include=*.txt", "--include=b.*")->out, "2 of 2 files to be rendered\n");
}

static void odd_folders(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    // The output inside the input; a second time, when it is full.
    for (int i = 0; i < 2; i++) {
        command = trial_run(trial_path("in"), trial_path("in/more/out/"), "-v", BATCH_CHEAP, NULL);
        batch_assert_status(command, 0);
        assert_told(command->err, i == 0 ? "3 ok, 0 skipped" : "0 ok, 3 skipped");
    }
    command = trial_run(trial_path("in"), trial_path("in/."), NULL);
    batch_assert_status(command, 2);
    assert_told(command->err, "input and output are the same folder");
    // Links that go round, and one to nothing.
    assert_int_equal(symlink("..", trial_path("in/more/again")), 0);
    assert_int_equal(symlink("nowhere.mp4", trial_path("in/lost.mp4")), 0);
    command = batch("-v");
    batch_assert_status(command, 1);
    assert_told(command->err, "a link leads back to a folder that it lies in");
    assert_told(command->err, "lost.mp4: it is a link to nothing");
    // No videos at all.
    batch_folder("empty");
    command = trial_run(trial_path("empty"), trial_path("nothing"), NULL);
    batch_assert_status(command, 0);
    assert_told(command->err, "/empty: there is nothing to render in it\n");
    assert_told(command->err, "0 ok, 0 skipped, 0 failed\n");
    // A file where the folder should be.
    trial_write(trial_path("file"), "", 0);
    command = trial_run(trial_path("in"), trial_path("file/out/"), "--include=a.mp4", NULL);
    batch_assert_status(command, 1);
    assert_told(command->err, "the folder cannot be made: ");
}

static void a_list_names_jobs(void **state)
{
    const char *in = trial_path("in/a.mp4"), *deep = trial_path("deep/down/b.mkv");
    const struct command *command;

    (void)state;
    batch_prepare();
    command =
        batch_run_list(trial_format("# what is to be done\n\n%s %s --codec=ffv1\n  '%s' \"%s\" --filter='negate, hflip' # and this\n%s %s\\ two.mp4",
                                    in, trial_path("one.mkv"), trial_path("in/b.mkv"), deep, in, trial_path("number")),
                       "--filter=hflip");
    batch_assert_status(command, 0);
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
    batch_prepare();
    assert_int_equal(symlink(input, link_path), 0);
    before = trial_sha256(input);
    for (size_t i = 0; i < 4; i++) {
        const char *one = trial_format("%s %s\n", trial_path("in/b.mkv"), spelt[i / 2]);
        const char *other = trial_format("%s %s\n", input, trial_path("out.mp4"));

        command = batch_run_list(i % 2 ? trial_format("%s%s", one, other) : trial_format("%s%s", other, one), "-y");
        batch_assert_status(command, 1);
        assert_told(command->err, trial_format("its output is the input of another job: %s\n", spelt[i / 2]));
        assert_string_equal(trial_sha256(input), before);
    }
    command = batch_run_list(trial_format("%s %s\n%s %s\n", input, trial_path("new/o.mkv"), input, trial_path("new//o.mkv")), "-v");
    batch_assert_status(command, 1);
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
        const struct command *command = batch_run_list(wrong[i].text, "-v");

        batch_assert_status(command, wrong[i].status);
        assert_told(command->err, wrong[i].told);
    }
    assert_int_equal(access("b.mp4", F_OK), -1);
    assert_told(trial_run("a", "b", "--batch=c", NULL)->err, "--batch=LIST names all inputs and outputs; 'a' is too many");
    batch_folder("in");
    assert_told(batch("--explain")->err, "--explain is for one file at a time; --dry-run lists the files of a batch");
}

static void a_killed_renderer_is_replaced(void **state)
{
    const char *filter = "--filter=nlmeans=r=11", *alone = trial_path("alone.mp4");
    struct command *command;

    (void)state;
    batch_prepare();
    command = batch_start_slow();
    assert_non_null(command_wait_for_error(command, 0, " goes to renderer 0 ", 60));
    kill(process_of(command, 0), SIGKILL);
    command_wait(command, 120);
    batch_assert_status(command, 0);
    assert_told(command->err, "renderer 0 was ended by signal 9 (Killed)");
    trial_render(trial_path("in/a.mp4"), alone, "-y", BATCH_CHEAP, "--segment=0.4", filter, NULL);
    assert_string_equal(trial_sha256(trial_path("out/a.mp4")), trial_sha256(alone));
    trial_render(trial_path("in/more/c.mp4"), alone, "-y", BATCH_CHEAP, "--segment=0.4", filter, NULL);
    assert_string_equal(trial_sha256(trial_path("out/more/c.mp4")), trial_sha256(alone));
}

// The program is away when it is replaced, and is back later.
static void a_start_that_fails_is_tried_again(void **state)
{
    const char *program = trial_path("renderer"), *away = trial_path("away"), *failed;
    struct command *command;
    char real[PATH_MAX];

    (void)state;
    batch_prepare();
    assert_non_null(realpath(trial_program(), real));
    assert_int_equal(symlink(trial_format("%s-renderer", real), program), 0);
    setenv("RENDERFARM_RENDERER", program, 1);
    command = batch_start_slow();
    unsetenv("RENDERFARM_RENDERER");
    for (unsigned slot = 0; slot < 2; slot++)
        assert_non_null(command_wait_for_error(command, 0, trial_format(" goes to renderer %u (", slot), 60));
    assert_int_equal(rename(program, away), 0);
    kill(process_of(command, 0), SIGKILL);
    failed = command_wait_for_error(command, 0, trial_format("%s: cannot start a renderer: No such file or directory\n", program), 60);
    assert_int_equal(rename(away, program), 0);
    if (!failed)
        fail_msg("%s", command->err);
    command_wait(command, 120);
    batch_assert_status(command, 0);
    assert_told(command->err, "3 ok, 0 skipped, 0 failed");
}

static void a_second_ctrl_c_ends_at_once(void **state)
{
    struct command *command;

    (void)state;
    batch_prepare();
    command = batch_start_slow();
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
    batch_prepare();
    for (size_t i = 0; i < 6; i++) {
        const char *text = trial_format("%s %s --filter=negate\n", trial_path("in/a.mp4"), trial_path(trial_format("%zu.mp4", i)));
        const char *word = words[i / 2];
        struct command *command;

        trial_write(list, text, strlen(text));
        command = trial_start(i % 2 ? ARGUMENTS("-v", word, list, "--progress=off", BATCH_CHEAP)
                                    : ARGUMENTS("-v", trial_format("%s=%s", word, list), "--progress=off", BATCH_CHEAP));
        command_wait(command, 60);
        batch_assert_status(command, 0);
        assert_told(command->err, "1 ok, 0 skipped, 0 failed");
    }
}

static void a_byte_order_mark_is_no_name(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    command = batch_run_list(trial_format("\xef\xbb\xbf%s %s\n", trial_path("in/a.mp4"), trial_path("o.mkv")), "-v");
    batch_assert_status(command, 0);
}

// A graph whose output has a label, as people write them.
static void frames_of_a_labelled_graph(void **state)
{
    static const char *const ways[] = {"--every=10", "--poster"}, *const names[] = {"%03d.png", "poster.png"};

    (void)state;
    batch_prepare();
    for (size_t i = 0; i < 2; i++)
        batch_assert_status(batch_run_list(trial_format("%s '%s' --filter='[in]split[a][b];[b]negate[c];[a][c]overlay[out]' %s\n",
                                                        trial_path("in/a.mp4"), trial_path(names[i]), ways[i]),
                                           "-v"),
                            0);
    assert_int_equal(access(trial_path("003.png"), F_OK), 0);
    assert_int_equal(access(trial_path("004.png"), F_OK), -1);
    assert_int_equal(access(trial_path("poster.png"), F_OK), 0);
}

static long peak_of(const char *files)
{
    struct command *command = trial_start(ARGUMENTS("-v", BATCH_CHEAP, "--workers=2", "--progress=off", files, trial_format("%s.out/", files)));
    const char *text = "coordinator took ", *told;

    command_wait(command, 240);
    batch_assert_status(command, 0);
    told = strstr(command->err, text);
    assert_non_null(told);
    return strtol(told + strlen(text), NULL, 10);
}

// A folder with so many names of one clip.
static const char *many(const char *name, int count)
{
    const char *path = batch_folder(name), *original = trial_path("in/a.mp4");

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
    batch_folder("in");
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
    batch_folder("in");
    batch_clip("in/a.mp4", 0);
    command = trial_start(ARGUMENTS("--dry-run", many("lots", 10000), trial_path("out")));
    command_wait(command, 60);
    batch_assert_status(command, 0);
    assert_told(command->out, "10000 of 10000 files to be rendered\n");
}

static void the_shell_loop_does_the_same(void **state)
{
    const char *job = "cp {} {out} && echo {/} {/.} {//} {.} >>log";
    struct command *command;
    char here[4000];
    size_t size;

    (void)state;
    batch_prepare();
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(rename(trial_path("in/a.mp4"), trial_path("in/it's a.mp4")), 0);
    command =
        trial_start_program(ARGUMENTS("sh", "-c", "cd \"$1\" && \"$2\"/scripts/render-directory in out \"$3\"", "sh", trial_path("."), here, job));
    command_wait(command, 60);
    batch_assert_status(command, 0);
    assert_told(command->err, "3 done, 0 there already, 0 failed\n");
    trial_assert_only(trial_path("out"), "it's a.mp4", "b.mkv", "more", NULL);
    assert_string_equal(trial_read(trial_path("log"), &size), "b.mkv b in in/b\nit's a.mp4 it's a in in/it's a\nc.mp4 c in/more in/more/c\n");
    // Nothing is missing, and then something that fails.
    command = trial_start_program(ARGUMENTS("scripts/render-directory", trial_path("in"), trial_path("out"), "false"));
    command_wait(command, 60);
    batch_assert_status(command, 0);
    command = trial_start_program(ARGUMENTS("scripts/render-directory", "--ext=mov", trial_path("in"), trial_path("out"), "false"));
    command_wait(command, 60);
    batch_assert_status(command, 1);
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
        TRIAL(a_sheet_goes_with_plain_jobs),
        TRIAL(a_killed_renderer_of_a_stage_is_replaced),
        TRIAL(verify_looks_at_each_file),
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
        TRIAL(a_start_that_fails_is_tried_again),
        TRIAL(a_second_ctrl_c_ends_at_once),
        TRIAL(memory_does_not_grow_with_files),
        TRIAL(ten_thousand_files_are_listed),
        TRIAL(the_shell_loop_does_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
