// Finished segments are kept and found again: for what they are, and for nothing else.
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

static const char *cache_folder(void)
{
    return trial_path("cache");
}

static long render_with_cache(const char *input, const char *filter)
{
    return resume_finish(resume_start(input, filter, trial_format("--cache=%s", cache_folder())));
}

static void cache_is_kept_and_shared(void **state)
{
    const char *input = resume_clip(), *calm = resume_undisturbed(input, "unsharp");
    int entries;

    (void)state;
    assert_int_equal(render_with_cache(input, "unsharp"), 0);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    entries = resume_count_entries(cache_folder());
    assert_true(entries > 5);
    assert_int_equal(render_with_cache(input, "unsharp"), entries);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    // Another job has other segments.
    assert_int_equal(render_with_cache(input, "unsharp=luma_amount=0.5"), 0);
    assert_int_equal(resume_count_entries(cache_folder()), 2 * entries);
}

// ---- What segments depend on ----

static const char *undisturbed_in_hevc(const char *input, const char *parameters)
{
    trial_render(input, trial_path("calm.mp4"), "-y", "--workers=2", "--segment=0.5", "--codec=libx265", "--preset=ultrafast", parameters,
                 "--no-cache", NULL);
    return trial_sha256(trial_path("calm.mp4"));
}

static void write_lambdas(const char *path, double factor)
{
    char text[140 * 12] = "";
    size_t length = 0;

    for (int i = 0; i < 140; i++) // two tables of 70
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%.2f,", factor * (1 + i % 70));
    trial_write(path, text, length);
}

static void files_that_an_encoders_parameters_name_matter(void **state)
{
    const char *input = resume_clip(), *file = trial_path("lambdas.txt"),
               *parameters = trial_format("--encoder-options=x265-params='log-level=none:lambda-file=%s'", file), *calm, *other;
    struct command *command;

    (void)state;
    write_lambdas(file, 1);
    calm = undisturbed_in_hevc(input, parameters);
    command = trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", "--segment=0.5", "--codec=libx265", "--preset=ultrafast", parameters,
                                    "--progress=off", input, trial_path("out.mp4")));
    resume_kill_when_kept(command, 4);
    write_lambdas(file, 3);
    other = undisturbed_in_hevc(input, parameters);
    assert_string_not_equal(other, calm);
    command = trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", "--segment=0.5", "--codec=libx265", "--preset=ultrafast", parameters,
                                    "--progress=off", input, trial_path("out.mp4")));
    assert_int_equal(resume_finish(command), 0);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), other);
}

// Behind a filter with state segments are known by their numbers in the file, and the file is the list.
static void media_behind_a_list_matter(void **state)
{
    const char *list = trial_path("list.ffconcat"), *text = "ffconcat version 1.0\nfile media.avi\n", *media = trial_path("media.avi"), *calm;

    (void)state;
    trial_write(list, text, strlen(text));
    // So that the list's streams are the same to the last figure.
    trial_ffmpeg("-i", trial_sample("silent.mp4"), "-vf", "scale=160:90", "-c:v", "rawvideo", media, NULL);
    render_with_cache(list, "hqdn3d");
    unlink(media);
    trial_ffmpeg("-i", trial_sample("silent.mp4"), "-vf", "scale=160:90,negate", "-c:v", "rawvideo", media, NULL);
    calm = resume_undisturbed(list, "hqdn3d");
    assert_int_equal(render_with_cache(list, "hqdn3d"), 0);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
}

// A plugin stands for another build of an encoder: it is in the process, and nobody knows what it does.
static void libraries_that_are_loaded_matter(void **state)
{
    const char *input = resume_clip();
    long there, preloaded;

    (void)state;
    there = render_with_cache(input, "unsharp");
    assert_int_equal(there, 0);
    trial_preload("samples/frei0r/warm.so");
    preloaded = render_with_cache(input, "unsharp");
    unsetenv("LD_PRELOAD");
    assert_int_equal(preloaded, 0);
    assert_true(render_with_cache(input, "unsharp") > 5);
}

// Floating-point code differs between processors. Where they may differ all is one again.
static void processors_matter(void **state)
{
    const char *input = resume_clip(), *program = trial_program(), *key = trial_path("farm.key");
    long others = 0;

    (void)state;
    trial_output(ARGUMENTS(trial_format("%.*s/renderfarm-keygen", (int)(strrchr(program, '/') - program), program), key));
    assert_int_equal(render_with_cache(input, "unsharp"), 0);
    for (int i = 0; i < 2; i++) {
        if (others > 0)
            fail_msg("%ld of another job's segments", others);
        others = resume_finish(trial_start(ARGUMENTS("-y", "-v", "-v", "--workers=2", "--segment=0.5", "--filter=unsharp", "--preset=ultrafast",
                                                     "--progress=off", input, trial_path("out.mp4"), trial_format("--cache=%s", cache_folder()),
                                                     "--listen=tcp://127.0.0.1:0", trial_format("--key=%s", key), "--mixed-cpus")));
    }
    assert_true(others > 5);
    assert_true(render_with_cache(input, "unsharp") > 5);
}

static const char *clip_of(const char *name, int seconds)
{
    const char *path = trial_path(name);

    trial_ffmpeg("-f", "lavfi", "-i", trial_format("testsrc2=size=320x180:rate=24:duration=%d", seconds), "-c:v", "libx264", "-preset", "ultrafast",
                 "-g", "12", "-pix_fmt", "yuv420p", "-threads", "1", path, NULL);
    return path;
}

static void longer_input_renders_only_what_is_new(void **state)
{
    const char *longer = clip_of("longer.mp4", 8);

    (void)state;
    render_with_cache(clip_of("short.mp4", 6), "unsharp");
    assert_int_equal(resume_count_entries(cache_folder()), 12);
    assert_int_equal(render_with_cache(longer, "unsharp"), 12);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), resume_undisturbed(longer, "unsharp"));
}

enum damage { FLIPPED, CUT, EMPTIED, SWAPPED };

static void damage_entry(const char *path, enum damage how, const char *other)
{
    size_t size;
    char *data = trial_read(path, &size);
    int fd;

    if (how == SWAPPED)
        data = trial_read(other, &size);
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    if (how == FLIPPED)
        data[size / 2] = (char)~data[size / 2];
    trial_write(path, data, how == CUT ? size - 1 : how == EMPTIED ? 0 : size);
}

// The same job makes them anew. begins_anew: it had left out frames for one that is damaged, and finds what it has made until then.
static void damaged_entries_of(const char *input, const char *filter, bool begins_anew)
{
    const char *calm = resume_undisturbed(input, filter);
    int entries, damaged = 0;
    struct dirent **names;

    render_with_cache(input, filter);
    entries = scandir(cache_folder(), &names, NULL, alphasort);
    for (int i = 0; i < entries; i++) {
        if (strstr(names[i]->d_name, ".segment") && damaged < 8) {
            const char *other = i + 1 < entries ? names[i + 1]->d_name : "";

            damage_entry(trial_format("%s/%s", cache_folder(), names[i]->d_name),
                         (enum damage)(strstr(other, ".segment") ? damaged % 4 : damaged % 3), trial_format("%s/%s", cache_folder(), other));
            damaged++;
        }
    }
    while (entries > 0)
        free(names[--entries]);
    free(names);
    entries = resume_count_entries(cache_folder());
    assert_int_in_range(render_with_cache(input, filter), entries - damaged, begins_anew ? entries - 1 : entries - damaged);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    // They were made anew.
    assert_int_equal(render_with_cache(input, filter), entries);
}

static void damaged_entries_are_rendered_again(void **state)
{
    (void)state;
    damaged_entries_of(resume_clip(), "unsharp", false);
}

static void damaged_entries_of_stages_are_rendered_again(void **state)
{
    (void)state;
    damaged_entries_of(resume_clip(), STAGES, false);
}

// In the order in which they were made.
static int by_age(const struct dirent **a, const struct dirent **b)
{
    struct stat x, y;

    if (stat(trial_format("%s/%s", cache_folder(), (*a)->d_name), &x) < 0 || stat(trial_format("%s/%s", cache_folder(), (*b)->d_name), &y) < 0)
        fail();
    return x.st_mtim.tv_sec != y.st_mtim.tv_sec ? (x.st_mtim.tv_sec > y.st_mtim.tv_sec) - (x.st_mtim.tv_sec < y.st_mtim.tv_sec)
                                                : (x.st_mtim.tv_nsec > y.st_mtim.tv_nsec) - (x.st_mtim.tv_nsec < y.st_mtim.tv_nsec);
}

static void remove_entries(int from, int to)
{
    struct dirent **names;
    int count = scandir(cache_folder(), &names, NULL, by_age), entry = 0;

    for (int i = 0; i < count; i++) {
        if (strstr(names[i]->d_name, ".segment") && entry++ >= from && entry <= to)
            assert_int_equal(unlink(trial_format("%s/%s", cache_folder(), names[i]->d_name)), 0);
        free(names[i]);
    }
    free(names);
}

// Of the same job again and again, other segments are missing each time.
static void missing_here_and_there(const char *input, const char *filter)
{
    static const int missing[][2] = {{9, 12}, {0, 3}, {18, 30}, {5, 6}};
    const char *calm = resume_undisturbed(input, filter), *cache = trial_format("--cache=%s", cache_folder());
    struct command *command;

    render_with_cache(input, filter);
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        remove_entries(missing[i][0], missing[i][1]);
        command = resume_start(input, filter, cache);
        resume_finish(command);
        assert_int_in_range(resume_left_out(command), 24, 287);
        assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    }
    // Nothing is.
    command = resume_start(input, filter, cache);
    resume_finish(command);
    assert_true(resume_left_out(command) > 250);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
    damaged_entries_of(input, filter, true);
}

static void stages_decode_around_what_is_there(void **state)
{
    (void)state;
    missing_here_and_there(resume_gop_clip("in.mp4", "libx264", "24", "-bf", "2"), "unsharp");
}

static void stages_with_neighbours_decode_around_what_is_there(void **state)
{
    (void)state;
    missing_here_and_there(resume_gop_clip("in.mp4", "libx264", "12", "-bf", "2"), "tmix=frames=5");
}

static void what_differs_from_run_to_run_is_not_kept(void **state)
{
    const char *input = resume_clip();

    (void)state;
    render_with_cache(input, "shufflepixels=seed=1");
    assert_true(render_with_cache(input, "shufflepixels=seed=1") > 5);
    render_with_cache(input, "shufflepixels"); // its seed is the clock's
    assert_int_equal(render_with_cache(input, "shufflepixels"), 0);
}

// The last run has two frames, and sees four of those before it: where it is damaged they are needed, and by no other.
static void a_short_last_run_gets_its_neighbours(void **state)
{
    const char *whole = resume_gop_clip("whole.mp4", "libx264", "12", "-bf", "2"), *input = trial_path("in.mp4"), *calm;
    struct dirent **names;
    int entries, damaged = 0;

    (void)state;
    trial_ffmpeg("-i", whole, "-c", "copy", "-frames:v", "50", input, NULL);
    calm = resume_undisturbed(input, "tmix=frames=5");
    render_with_cache(input, "tmix=frames=5");
    entries = scandir(cache_folder(), &names, NULL, alphasort);
    for (int i = 0; i < entries; i++) {
        if (strstr(names[i]->d_name, ".segment")) {
            damage_entry(trial_format("%s/%s", cache_folder(), names[i]->d_name), FLIPPED, NULL);
            render_with_cache(input, "tmix=frames=5");
            assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
            damaged++;
        }
        free(names[i]);
    }
    free(names);
    assert_int_equal(damaged, 5);
}

static void cache_that_cannot_be_is_a_warning(void **state)
{
    const char *input = resume_clip(), *calm = resume_undisturbed(input, "unsharp");
    struct command *command;

    (void)state;
    trial_write(cache_folder(), "in the way", 10);
    command = resume_start(input, "unsharp", trial_format("--cache=%s", cache_folder()));
    assert_int_equal(resume_finish(command), 0);
    resume_assert_told(command->err, "/cache: finished segments cannot be kept: Not a directory");
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
}

static void without_a_cache_nothing_is_kept(void **state)
{
    struct command *command = resume_start(resume_clip(), "unsharp", "--no-cache");

    (void)state;
    assert_true(resume_wait_for(command, " is written", 3));
    kill(command->pid, SIGTERM);
    command_wait(command, 60);
    assert_int_equal(command->status, 143);
    trial_assert_only(trial_path("."), "tmp", "long.mp4", NULL);
}

static void limit_is_held(void **state)
{
    const char *input = resume_clip();
    int all, few;

    (void)state;
    render_with_cache(input, "unsharp");
    all = resume_count_entries(cache_folder());
    trial_render(input, trial_path("out.mp4"), "-y", "--segment=0.5", "--filter=unsharp", "--preset=ultrafast",
                 trial_format("--cache=%s", cache_folder()), "--cache-limit=200k", NULL);
    few = resume_count_entries(cache_folder());
    if (few >= all)
        fail_msg("%d of %d entries are left", few, all);
}

// ---- Disks ----

// A small file system in the folder, for the command alone; skips the test where we may not make one.
static struct command *start_on_small_disk(const char *where, const char *size, const char *const *arguments)
{
    const char *script = trial_format(
        "mount -t tmpfs -o size=%s tmpfs '%s' && { \"$@\"; status=$?; echo status $status, left: $(ls -A '%s'); exit $status; }", size, where, where);
    const char *all[32] = {"unshare", "-m", "sh", "-c", script, "sh", trial_program()};
    struct command probe;
    bool possible;
    size_t count = 7;

    command_run(&probe, ARGUMENTS("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", where), 30);
    possible = probe.status == 0;
    command_clear(&probe);
    if (!possible)
        skip();
    for (; *arguments; arguments++)
        all[count++] = *arguments;
    all[count] = NULL;
    return trial_start_program(all);
}

static void full_disk_for_the_cache_is_a_warning(void **state)
{
    const char *input = resume_clip(), *calm = resume_undisturbed(input, "unsharp"), *small = trial_path("small");
    struct command *command;

    (void)state;
    mkdir(small, 0777);
    command = start_on_small_disk(small, "100k",
                                  ARGUMENTS("-v", "--workers=2", "--segment=0.5", "--filter=unsharp", "--preset=ultrafast", "--progress=off",
                                            trial_format("--cache=%s/cache", small), input, trial_path("out.mp4")));
    resume_finish(command);
    resume_assert_told(command->err, "finished segments cannot be kept: No space left on device");
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
}

static void full_disk_for_the_output_goes_on_when_there_is_room(void **state)
{
    const char *input = resume_clip(), *calm = resume_undisturbed(input, "unsharp"), *small = trial_path("small");
    struct command *command;

    (void)state;
    mkdir(small, 0777);
    command = start_on_small_disk(small, "200k",
                                  ARGUMENTS("-v", "--workers=2", "--segment=0.5", "--filter=unsharp", "--preset=ultrafast", "--progress=off",
                                            trial_format("--cache=%s", cache_folder()), input, trial_format("%s/out.mp4", small)));
    command_wait(command, 120);
    assert_int_equal(command->status, 1);
    resume_assert_told(command->err, "No space left on device");
    resume_assert_told(command->err, "; the same command goes on from there\n");
    assert_true(render_with_cache(input, "unsharp") > 0);
    assert_string_equal(trial_sha256(trial_path("out.mp4")), calm);
}

static void full_disk_that_keeps_nothing_is_left_empty(void **state)
{
    const char *input = resume_clip(), *small = trial_path("small");
    struct command *command;

    (void)state;
    mkdir(small, 0777);
    command = start_on_small_disk(
        small, "16k", ARGUMENTS("--workers=2", "--segment=0.5", "--preset=ultrafast", "--progress=off", input, trial_format("%s/out.mp4", small)));
    command_wait(command, 120);
    assert_string_equal(command->out, "status 1, left:\n");
    assert_null(strstr(command->err, "goes on from there"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(cache_is_kept_and_shared),
        TRIAL(files_that_an_encoders_parameters_name_matter),
        TRIAL(media_behind_a_list_matter),
        TRIAL(libraries_that_are_loaded_matter),
        TRIAL(processors_matter),
        TRIAL(longer_input_renders_only_what_is_new),
        TRIAL(damaged_entries_are_rendered_again),
        TRIAL(damaged_entries_of_stages_are_rendered_again),
        TRIAL(stages_decode_around_what_is_there),
        TRIAL(stages_with_neighbours_decode_around_what_is_there),
        TRIAL(what_differs_from_run_to_run_is_not_kept),
        TRIAL(a_short_last_run_gets_its_neighbours),
        TRIAL(cache_that_cannot_be_is_a_warning),
        TRIAL(without_a_cache_nothing_is_kept),
        TRIAL(limit_is_held),
        TRIAL(full_disk_for_the_cache_is_a_warning),
        TRIAL(full_disk_that_keeps_nothing_is_left_empty),
        TRIAL(full_disk_for_the_output_goes_on_when_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
