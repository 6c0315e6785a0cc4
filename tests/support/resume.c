#include "resume.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

void resume_assert_told(const char *said, const char *text)
{
    if (!strstr(said, text))
        fail_msg("'%s' is not in: %s", text, said);
}

const char *resume_clip(void)
{
    const char *path = trial_path("long.mp4");

    if (access(path, F_OK) < 0)
        trial_ffmpeg("-stream_loop", "2", "-i", trial_sample("plain.mp4"), "-c", "copy", path, NULL);
    return path;
}

static const char *chain(const char *filter)
{
    return trial_format("--filter=%s", filter);
}

struct command *resume_start(const char *input, const char *filter, const char *wish)
{
    return trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", "--segment=0.5", chain(filter), "--preset=ultrafast", "--progress=off", input,
                                 trial_path("out.mp4"), wish));
}

const char *resume_undisturbed(const char *input, const char *filter)
{
    trial_render(input, trial_path("calm.mp4"), "-y", "--workers=2", "--segment=0.5", chain(filter), "--preset=ultrafast", "--no-cache", NULL);
    return trial_sha256(trial_path("calm.mp4"));
}

bool resume_wait_for(struct command *command, const char *text, int times)
{
    size_t seen = 0;

    for (int i = 0; i < times; i++) {
        const char *found = command_wait_for_error(command, seen, text, 60);

        if (!found)
            return false;
        seen = (size_t)(found - command->err) + strlen(text);
    }
    return true;
}

long resume_finish(struct command *command)
{
    const char *found;

    command_wait(command, 120);
    if (command->status != 0)
        fail_msg("status %d: %s", command->status, command->err);
    found = strstr(command->err, " of the segments were there already");
    while (found && found > command->err && found[-1] != ' ')
        found--;
    return found ? strtol(found, NULL, 10) : 0;
}

int resume_count_entries(const char *where)
{
    DIR *dir = opendir(where);
    const struct dirent *entry;
    int count = 0;

    while (dir && (entry = readdir(dir)))
        count += strstr(entry->d_name, ".segment") != NULL;
    if (dir)
        closedir(dir);
    return count;
}

const char *resume_gop_clip(const char *name, const char *codec, const char *gop, const char *more, const char *value)
{
    const char *path = trial_path(name);

    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=12", "-c:v", codec, "-g", gop, more, value, "-pix_fmt", "yuv420p",
                 "-threads", "1", path, NULL);
    return path;
}

void resume_kill_when_kept(struct command *command, int segments)
{
    assert_true(resume_wait_for(command, " is kept", segments));
    kill(command->pid, SIGKILL);
    command_wait(command, 60);
    assert_int_equal(command->status, 128 + SIGKILL);
}

long resume_left_out(const struct command *command)
{
    const char *at = command->err;
    long sum = 0, from, to;

    while ((at = strstr(at, "renderfarm: frames "))) {
        if (sscanf(at, "renderfarm: frames %ld to %ld need not be decoded", &from, &to) == 2)
            sum += to - from + 1;
        at++;
    }
    return sum;
}
