// A job that is ended in any way goes on from its finished segments, and the file is that of a job that nobody disturbed.
#include "tests/support/resume.h"

#include "tests/support/range.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define STAGES "unsharp,hqdn3d,tmix=frames=3,eq=contrast=1.1"

static void interrupt(int signal_number, int status, const char *name)
{
    const char *input = resume_clip(), *calm = resume_undisturbed(input, "unsharp");
    struct command *command = resume_start(input, "unsharp", "--threads=1");
    long kept, found;

    assert_true(resume_wait_for(command, " is kept", 3));
    kill(command->pid, signal_number);
    command_wait(command, 60);
    assert_int_equal(command->status, status);
    resume_assert_told(command->err, trial_format("ended by %s; ", name));
    resume_assert_told(command->err, "; the same command goes on from there\n");
    assert_true(access(trial_path("out.mp4"), F_OK) < 0);
    kept = resume_count_entries(trial_path(".out.mp4.renderfarm-cache"));
    assert_true(kept >= 3);
    found = resume_finish(resume_start(input, "unsharp", "--threads=1"));
    assert_int_equal(found, kept);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    trial_assert_only(trial_path("."), "tmp", "long.mp4", "calm.mp4", "out.mp4", NULL);
}

static void ctrl_c_keeps_what_is_finished(void **state)
{
    (void)state;
    interrupt(SIGINT, 130, "Ctrl-C");
}

static void sigterm_keeps_what_is_finished(void **state)
{
    (void)state;
    interrupt(SIGTERM, 143, "Terminated");
}

// nohup: the terminal is gone, and the job is not.
static void a_hangup_that_is_ignored_stays_so(void **state)
{
    struct command *command;

    (void)state;
    signal(SIGHUP, SIG_IGN);
    command = resume_start(resume_clip(), "unsharp", "--threads=1");
    signal(SIGHUP, SIG_DFL);
    assert_true(resume_wait_for(command, " is kept", 3));
    kill(command->pid, SIGHUP);
    resume_finish(command);
    command = resume_start(resume_clip(), "unsharp", "--threads=1");
    assert_true(resume_wait_for(command, " is kept", 3));
    kill(command->pid, SIGHUP);
    command_wait(command, 60);
    assert_int_equal(command->status, 129);
}

static struct command *start_with_all_signals_blocked(void)
{
    sigset_t all, before;
    struct command *command;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    command = resume_start(resume_clip(), "unsharp", "--threads=1");
    sigprocmask(SIG_SETMASK, &before, NULL);
    return command;
}

// What some programs that wait for their own signals hand on to what they start.
static void blocked_signals_get_through(void **state)
{
    struct command *command = start_with_all_signals_blocked();

    (void)state;
    assert_true(resume_wait_for(command, " is kept", 3));
    kill(command->pid, SIGTERM);
    command_wait(command, 60);
    assert_int_equal(command->status, 143);
    resume_finish(start_with_all_signals_blocked());
}

static void second_ctrl_c_ends_at_once(void **state)
{
    struct command *command = resume_start(resume_clip(), "unsharp", "--threads=1");

    (void)state;
    assert_true(resume_wait_for(command, " goes to renderer ", 2));
    kill(command->pid, SIGINT);
    kill(command->pid, SIGINT);
    command_wait(command, 60);
    assert_int_equal(command->status, 130);
}

// Killed again and again, at moments that differ from run to run; what was finished is never rendered twice, so it comes to an end.
static void killed_again_and_again(const char *filter)
{
    const char *input = resume_clip(), *calm = resume_undisturbed(input, filter);
    unsigned moment = 1;

    for (int i = 0; i < 20; i++) {
        struct command *command = resume_start(input, filter, "--threads=1");

        moment = moment * 1103515245 + 12345;
        if (!resume_wait_for(command, "\n", 2 + (int)(moment >> 16) % 12)) {
            resume_finish(command);
            assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
            unlink(trial_path("out.mp4"));
            continue;
        }
        kill(command->pid, SIGKILL);
        command_wait(command, 60);
        assert_int_equal(command->status, 128 + SIGKILL);
    }
    resume_finish(resume_start(input, filter, "--threads=1"));
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    trial_assert_only(trial_path("."), "tmp", "long.mp4", "calm.mp4", "out.mp4", NULL);
}

static void coordinator_may_be_killed_at_any_time(void **state)
{
    (void)state;
    killed_again_and_again("unsharp");
}

static void coordinator_of_stages_may_be_killed_at_any_time(void **state)
{
    (void)state;
    killed_again_and_again(STAGES);
}

// ---- What need not be decoded again ----

// Killed when more than half is there; returns how many frames need not be decoded then.
static long resume(const char *input, const char *filter)
{
    const char *calm = resume_undisturbed(input, filter);
    struct command *command = resume_start(input, filter, "--threads=1");

    resume_kill_when_kept(command, 15);
    command = resume_start(input, filter, "--threads=1");
    assert_true(resume_finish(command) >= 15);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    unlink(trial_path("out.mp4"));
    return resume_left_out(command);
}

// At least those of the first 10 segments: the two renderers are never far apart.
static void stages_decode_only_what_is_missing(void **state)
{
    (void)state;
    assert_int_in_range(resume(resume_gop_clip("in.mp4", "libx264", "30", "-bf", "2"), "nlmeans=r=5"), 120 - 30, 287);
    assert_int_in_range(resume(resume_gop_clip("vp9.mp4", "libvpx-vp9", "30", "-cpu-used", "8"), "nlmeans=r=5"), 120 - 30, 287);
    assert_int_in_range(resume(resume_gop_clip("hevc.mp4", "libx265", "30", "-x265-params", "open-gop=0:log-level=none"), "nlmeans=r=5"), 120 - 30,
                        287);
}

static void stages_with_neighbours_decode_only_what_is_missing(void **state)
{
    (void)state;
    assert_int_in_range(resume(resume_gop_clip("in.mp4", "libx264", "12", "-bf", "2"), "tmix=frames=5,nlmeans=r=5"), 120 - 20, 287);
    assert_int_in_range(resume(resume_gop_clip("in.mkv", "libx264", "12", "-bf", "2"), "tmedian=radius=2,nlmeans=r=5"), 120 - 20, 287);
}

static void open_gops_are_decoded_again(void **state)
{
    (void)state;
    assert_int_equal(resume(resume_gop_clip("in.mpg", "mpeg2video", "30", "-bf", "2"), "tmix=frames=3,nlmeans=r=5"), 0);
    assert_int_equal(resume(resume_gop_clip("in.mkv", "libx264", "30", "-x264-params", "open-gop=1"), "tmix=frames=3,nlmeans=r=5"), 0);
}

// Up to the first frame that is missing several threads decode. Of a damaged stream they would make other frames than one does.
static void damage_behind_what_is_left_out_is_decoded_as_ever(void **state)
{
    const char *whole = resume_gop_clip("whole.mp4", "libx264", "96", "-bf", "2"), *input = trial_path("in.mp4"), *calm;
    struct command *command;

    (void)state;
    trial_ffmpeg("-i", whole, "-c", "copy", "-bsf:v", "noise=amount='if(between(n,255,262),20,0)'", input, NULL);
    calm = resume_undisturbed(input, "nlmeans=r=5");
    resume_kill_when_kept(resume_start(input, "nlmeans=r=5", "--threads=1"), 18);
    command = resume_start(input, "nlmeans=r=5", "--threads=1");
    assert_true(resume_finish(command) >= 15);
    resume_assert_told(command->err, "what is decoded with several threads is damaged; starting over");
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
}

// Its name, size and time are the same.
static void other_input_is_decoded_as_a_whole(void **state)
{
    const char *input = resume_gop_clip("in.mp4", "libx264", "30", "-bf", "2"), *calm;
    struct command *command;
    struct stat about;
    size_t size;
    char *data = trial_read(input, &size);

    (void)state;
    resume_kill_when_kept(resume_start(input, "nlmeans=r=5", "--threads=1"), 15);
    assert_int_equal(stat(input, &about), 0);
    data[size / 2] = (char)~data[size / 2];
    trial_write(input, data, size);
    assert_int_equal(utimensat(AT_FDCWD, input, (const struct timespec[]){about.st_atim, about.st_mtim}, 0), 0);
    calm = resume_undisturbed(input, "nlmeans=r=5");
    command = resume_start(input, "nlmeans=r=5", "--threads=1");
    assert_int_equal(resume_finish(command), 0);
    assert_int_equal(resume_left_out(command), 0);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
}

// ---- A cache of the user's ----

// Between the output's name and the end of the cache.
static void killed_when_all_is_done(void **state)
{
    const char *input = resume_clip(), *output = trial_path("out.mp4"), *calm = resume_undisturbed(input, "unsharp"), *said;
    struct command *command;

    (void)state;
    unlink(output);
    trial_preload("tests/preload/killed_when_whole.so");
    command = trial_run(input, output, "--workers=2", "--segment=0.5", "--filter=unsharp", "--preset=ultrafast", NULL);
    unsetenv("LD_PRELOAD");
    assert_int_equal(command->status, 128 + SIGKILL);
    assert_string_equal(trial_sha256(output), calm);
    assert_true(resume_count_entries(trial_path(".out.mp4.renderfarm-cache")) > 5);
    // Another job finds a file in its way.
    command = trial_run(input, output, "--workers=2", "--segment=0.5", "--filter=negate", "--preset=ultrafast", NULL);
    assert_int_equal(command->status, 1);
    resume_assert_told(command->err, "exists already");
    said = trial_render(input, output, "--workers=1", "--segment=0.5", "--filter=unsharp", "--preset=ultrafast", NULL);
    resume_assert_told(said, "is whole");
    assert_string_equal(trial_sha256(output), calm);
    assert_int_equal(access(trial_path(".out.mp4.renderfarm-cache"), F_OK), -1);
    // Nothing is remembered.
    command = trial_run(input, output, "--workers=2", "--segment=0.5", "--filter=unsharp", "--preset=ultrafast", NULL);
    assert_int_equal(command->status, 1);
    resume_assert_told(command->err, "exists already");
}

static void input_that_becomes_shorter_fails_the_job(void **state)
{
    static const char *const names[] = {"in.mp4", "in.ts", "in.mkv"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *input = trial_path(names[i]);
        struct command *command;
        struct stat about;

        trial_ffmpeg("-i", resume_clip(), "-c", "copy", input, NULL);
        command = resume_start(input, "nlmeans=r=7", "--threads=1");
        assert_true(resume_wait_for(command, " goes to renderer ", 1));
        assert_true(stat(input, &about) == 0 && truncate(input, about.st_size * 3 / 4) == 0);
        command_wait(command, 120);
        assert_int_equal(command->status, 1);
        resume_assert_told(command->err, " became shorter while it was read");
        assert_true(access(trial_path("out.mp4"), F_OK) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(ctrl_c_keeps_what_is_finished),
        TRIAL(sigterm_keeps_what_is_finished),
        TRIAL(a_hangup_that_is_ignored_stays_so),
        TRIAL(blocked_signals_get_through),
        TRIAL(second_ctrl_c_ends_at_once),
        TRIAL(coordinator_may_be_killed_at_any_time),
        TRIAL(coordinator_of_stages_may_be_killed_at_any_time),
        TRIAL(stages_decode_only_what_is_missing),
        TRIAL(stages_with_neighbours_decode_only_what_is_missing),
        TRIAL(open_gops_are_decoded_again),
        TRIAL(damage_behind_what_is_left_out_is_decoded_as_ever),
        TRIAL(other_input_is_decoded_as_a_whole),
        TRIAL(killed_when_all_is_done),
        TRIAL(input_that_becomes_shorter_fails_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
