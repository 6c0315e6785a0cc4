#include "tests/support/batch.h"

#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

const char *batch_long_clip(const char *name, int number, int seconds)
{
    const char *path = trial_path(name);

    trial_ffmpeg("-f", "lavfi", "-i", trial_format("testsrc2=size=160x120:rate=25:duration=%d,hue=h=%d", seconds, 30 * number), "-c:v", "libx264",
                 "-preset", "ultrafast", "-g", "10", "-f", strstr(name, ".mkv") ? "matroska" : "mp4", "-y", trial_format("file:%s", path), NULL);
    return path;
}

const char *batch_clip(const char *name, int number)
{
    return batch_long_clip(name, number, 1);
}

const char *batch_folder(const char *name)
{
    const char *path = trial_path(name);

    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

void batch_prepare(void)
{
    batch_folder("in");
    batch_folder("in/more");
    batch_clip("in/a.mp4", 0);
    batch_clip("in/b.mkv", 1);
    batch_clip("in/more/c.mp4", 2);
}

void batch_assert_status(const struct command *command, int status)
{
    if (command->status != status)
        fail_msg("status %d instead of %d: %s", command->status, status, command->err);
}

const struct command *batch_run_list(const char *text, const char *option)
{
    struct command *command;

    trial_write(trial_path("list"), text, strlen(text));
    command = trial_start(ARGUMENTS("--batch", trial_path("list"), "-v", "--progress=off", "--workers=2", option));
    command_wait(command, 120);
    return command;
}

void batch_assert_as_alone(const char *name, const char *filter)
{
    const char *alone = trial_path("alone"), *extension = strrchr(name, '.');

    alone = trial_format("%s%s", alone, extension);
    trial_render(trial_path(trial_format("in/%s", name)), alone, "-y", BATCH_CHEAP, filter, NULL);
    assert_string_equal(trial_sha256(trial_path(trial_format("out/%s", name))), trial_sha256(alone));
}

unsigned batch_count_told(const char *said, const char *text)
{
    unsigned count = 0;

    for (const char *at = said; (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

struct command *batch_start_slow(void)
{
    return trial_start(ARGUMENTS("-v", "-v", BATCH_CHEAP, "--workers=2", "--segment=0.4", "--filter=nlmeans=r=11", "--progress=off", trial_path("in"),
                                 trial_path("out")));
}
