// Renderers have given up what they do not need, and chains that need files get them.
#include "tests/support/trial.h"

#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>

#include <cmocka.h>

static pid_t renderer_of(const struct command *command)
{
    const char *text = "renderer 0 is ready (process ", *found = command->err ? strstr(command->err, text) : NULL;

    assert_non_null(found);
    return (pid_t)strtol(found + strlen(text), NULL, 10);
}

// The value of a line of /proc/PID/task/TID/status.
static long fact(pid_t pid, const char *thread, const char *name)
{
    char *path = NULL, line[256];
    long value = -1;
    FILE *file;

    assert_true(asprintf(&path, "/proc/%d/task/%s/status", (int)pid, thread) > 0);
    file = fopen(path, "r");
    free(path);
    if (!file)
        return -1; // it has ended
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtol(line + strlen(name) + 1, NULL, 10);
    fclose(file);
    return value;
}

static void every_thread_of_a_renderer_is_jailed(void **state)
{
    const char *input = trial_path("long.mp4");
    struct command *command;
    struct dirent *entry;
    unsigned threads = 0;
    DIR *tasks;
    pid_t pid;

    (void)state;
    trial_ffmpeg("-stream_loop", "3", "-i", trial_sample("silent.mp4"), "-c", "copy", input, NULL);
    command = trial_start(
        ARGUMENTS("-v", "--workers=1", "--threads=2", "--segment=0", "--filter=nlmeans=r=7", "--progress=json", input, trial_path("out.mp4")));
    // The plan is made, so the job was checked and a frame was decoded.
    assert_true(command_wait_for(command, "\"segments_total\":1,\"busy\":1,", 60));
    pid = renderer_of(command);
    tasks = opendir(trial_format("/proc/%d/task", (int)pid));
    assert_non_null(tasks);
    while ((entry = readdir(tasks))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || fact(pid, entry->d_name, "NoNewPrivs") < 0)
            continue;
        threads++;
        assert_int_equal(fact(pid, entry->d_name, "NoNewPrivs"), 1);
        assert_int_equal(fact(pid, entry->d_name, "Seccomp"), 2);
        // That of the beginning and that of the job.
        if (fact(pid, entry->d_name, "Seccomp_filters") >= 0)
            assert_int_equal(fact(pid, entry->d_name, "Seccomp_filters"), 2);
    }
    closedir(tasks);
    assert_true(threads >= 3); // loop, render, ZeroMQ's
    kill(command->pid, SIGTERM);
    command_wait(command, 60);
}

static void filters_read_the_files_that_they_are_told(void **state)
{
    const char *lut = trial_path("swap.cube"), *text = trial_path("text.txt"), *serial = trial_path("serial.mkv"), *out = trial_path("out.mkv");
    const char *input = trial_sample("silent.mp4"), *titles = trial_path("titles.srt"), *chain;

    (void)state;
    trial_write(lut, "LUT_3D_SIZE 2\n0 0 0\n0 1 0\n1 0 0\n1 1 0\n0 0 1\n0 1 1\n1 0 1\n1 1 1\n", 69);
    trial_write(text, "read from a file", 16);
    trial_write(titles, "1\n00:00:00,000 --> 00:00:09,000\nTitle\n", 38);
    chain = trial_format("lut3d=%s,drawtext=textfile=%s:fontsize=20,subtitles=%s", lut, text, titles);
    trial_ffmpeg("-filter_threads", "8", "-i", input, "-map", "0:v:0", "-vf", chain, "-fps_mode", "passthrough", "-c:v", "ffv1", serial, NULL);
    trial_render(input, out, "--codec=ffv1", "--workers=2", trial_format("--filter=%s", chain), NULL);
    trial_assert_same_frames(out, serial);
}

static void filters_write_the_files_that_they_are_told(void **state)
{
    const char *log = trial_path("frames.txt");
    size_t size;

    (void)state;
    trial_render(trial_sample("silent.mp4"), trial_path("out.mkv"), "--codec=ffv1", "--workers=2",
                 trial_format("--filter=signalstats,metadata=print:file=%s", log), NULL);
    trial_read(log, &size);
    assert_true(size > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(every_thread_of_a_renderer_is_jailed),
        TRIAL(filters_read_the_files_that_they_are_told),
        TRIAL(filters_write_the_files_that_they_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
