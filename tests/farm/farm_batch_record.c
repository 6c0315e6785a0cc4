// What a batch knows of earlier ones: what is done is not done again, what is not ours is not touched, and what a kill has left is made again.
#include "tests/support/batch.h"

#include <fcntl.h>
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

static void what_is_not_verified_yet_is_done_again(void **state)
{
    const char *filter = "--filter=nlmeans=r=11";
    struct command *command;

    (void)state;
    batch_prepare();
    command = trial_start(ARGUMENTS("-v", BATCH_CHEAP, "--workers=1", filter, "--verify", "--progress=off", trial_path("in"), trial_path("out")));
    if (!command_wait_for_error(command, 0, "out/a.mp4: 25 frames in ", 60))
        fail_msg("%s", command->err);
    kill(command->pid, SIGINT);
    command_wait(command, 20);
    batch_assert_status(command, 130);
    assert_told(command->err, "0 ok, 0 skipped, 0 failed, 3 not done");
    assert_told(batch("-v", filter, "--verify")->err, "3 ok, 0 skipped, 0 failed");
}

static void what_is_done_is_not_done_again(void **state)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    const struct command *command;

    (void)state;
    batch_prepare();
    batch_assert_status(batch("-q"), 0);
    command = batch("-q");
    batch_assert_status(command, 0);
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
    const struct command *command = batch_run_list(list, "-v");

    batch_assert_status(command, 0);
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
    batch_prepare();
    batch_folder("frames");
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
    batch_prepare();
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
    command = batch_run_list(list, "-v");
    batch_assert_status(command, 1);
    assert_told(command->err, "exists already; use --overwrite (-y) to replace it and what follows");
    assert_string_equal(trial_sha256(trial_path("out/003.png")), after);
    batch_assert_status(batch_run_list(list, "-y"), 0);
    skips(list, 1);
}

static void what_is_not_ours_is_not_touched(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    batch_assert_status(batch("-q"), 0);
    trial_write(trial_path("out/a.mp4"), "precious", 8);
    command = batch("-v");
    batch_assert_status(command, 1);
    assert_told(command->err, "is there and was not made by a batch, or has been changed since; -y replaces it");
    assert_told(command->err, "0 ok, 2 skipped, 1 failed");
    assert_told(batch("-y")->err, "1 ok, 2 skipped, 0 failed");
    batch_assert_as_alone("a.mp4", "-q");
}

static void ctrl_c_keeps_what_is_done(void **state)
{
    struct command *command;
    const struct command *again;
    int done;

    (void)state;
    batch_prepare();
    batch_long_clip("in/more/c.mp4", 2, 20); // it will not be done before the signal is there
    command = batch_start_slow();
    if (!command_wait_for_error(command, 0, "out/a.mp4: 25 frames in ", 60))
        fail_msg("%s", command->err);
    kill(command->pid, SIGINT);
    command_wait(command, 10);
    batch_assert_status(command, 130);
    assert_told(command->err, "ended by Ctrl-C; all that is done stays, and the same command goes on from here\n");
    done = strstr(command->err, "out/b.mkv: 25 frames in ") ? 2 : 1; // this one may well be
    assert_told(command->err, trial_format("%d ok, 0 skipped, 0 failed, %d not done", done, 3 - done));
    again = batch("-v", "--segment=0.4", "--filter=nlmeans=r=11");
    batch_assert_status(again, 0);
    assert_told(again->err, trial_format("%d ok, %d skipped, 0 failed", 3 - done, done));
    trial_assert_only(trial_path("out"), "a.mp4", "b.mkv", "more", ".renderfarm-batch", NULL);
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
    batch_prepare();
    batch_assert_status(batch("-q"), 0);
    forget_what_was_made();
    command = batch("-v");
    batch_assert_status(command, 0);
    assert_told(command->err, "2 ok, 1 skipped, 0 failed"); // more/c.mp4 is in a record of its own
    assert_told(batch("-v")->err, "0 ok, 3 skipped, 0 failed");
    // The last line is torn.
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(truncate(path, about.st_size - 30), 0);
    assert_told(batch("-v")->err, "1 ok, 2 skipped, 0 failed");
    assert_told(batch("-v")->err, "0 ok, 3 skipped, 0 failed");
    batch_assert_as_alone("a.mp4", "-q");
    batch_assert_as_alone("b.mkv", "-q");
}

static void a_killed_batch_goes_on(void **state)
{
    const char *filter = "--filter=nlmeans=r=11";
    struct command *command;

    (void)state;
    batch_prepare();
    command = batch_start_slow();
    if (!command_wait_for_error(command, 0, "out/a.mp4: 25 frames in ", 60))
        fail_msg("%s", command->err);
    kill(command->pid, SIGKILL);
    command_wait(command, 10);
    batch_assert_status(batch("-v", "--segment=0.4", filter), 0);
    trial_render(trial_path("in/a.mp4"), trial_path("alone.mp4"), "-y", BATCH_CHEAP, "--segment=0.4", filter, NULL);
    assert_string_equal(trial_sha256(trial_path("out/a.mp4")), trial_sha256(trial_path("alone.mp4")));
}

static void what_failed_in_a_batch_gives_no_right_to_the_name(void **state)
{
    const struct command *command;

    (void)state;
    batch_folder("in");
    trial_write(trial_path("in/a.mp4"), "this is no video", 16);
    batch_assert_status(batch("-q"), 1);
    trial_write(trial_path("out/a.mp4"), "precious", 8);
    command = batch("-q");
    batch_assert_status(command, 1);
    assert_told(command->err, "is there and was not made by a batch");
}

static void a_record_that_cannot_be_written_is_told(void **state)
{
    const struct command *command;

    (void)state;
    batch_prepare();
    batch_folder("out");
    batch_folder("out/.renderfarm-batch");
    command = batch("--progress=off");
    batch_assert_status(command, 0);
    assert_told(command->err, trial_format("%s: cannot be written: Is a directory; the same command takes what is made now for somebody else's",
                                           trial_path("out/.renderfarm-batch")));
    assert_int_equal(batch_count_told(command->err, ".renderfarm-batch: cannot be written"), 1);
    command = batch("-v");
    batch_assert_status(command, 1);
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
        const struct command *command = batch_run_list(list, BATCH_CHEAP);

        batch_assert_status(command, 3);
        assert_told(command->err, trial_format("x  %s: %s\n", output, told[i]));
        assert_told(command->err, "1 ok, 0 skipped, 0 failed, 1 incomplete: ");
        command = batch_run_list(list, BATCH_CHEAP);
        batch_assert_status(command, 3);
        assert_told(command->err, trial_format("  %s: it is there, but %s; remove it to try again\n", output, told[i]));
        assert_told(command->err, "0 ok, 1 skipped, 0 failed, 1 incomplete");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(what_is_not_verified_yet_is_done_again),
        TRIAL(what_is_done_is_not_done_again),
        TRIAL(other_pictures_are_other_options),
        TRIAL(numbered_pictures_are_not_made_again),
        TRIAL(what_is_not_ours_is_not_touched),
        TRIAL(ctrl_c_keeps_what_is_done),
        TRIAL(what_a_kill_left_is_made_again),
        TRIAL(a_killed_batch_goes_on),
        TRIAL(what_failed_in_a_batch_gives_no_right_to_the_name),
        TRIAL(a_record_that_cannot_be_written_is_told),
        TRIAL(holes_are_told_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
