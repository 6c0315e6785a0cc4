#include "trial.h"

#include "common/mem.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST_KEPT = 4096, MOST_ARGUMENTS = 64 };

#define DEADLINE_S 120

static char folder[PATH_MAX];
static char *kept[MOST_KEPT]; // strings that were returned
static size_t kept_count;
static struct command running; // the last renderfarm

static char *keep(char *text)
{
    if (kept_count == MOST_KEPT)
        fail_msg("too many strings in one test");
    return kept[kept_count++] = text;
}

const char *trial_format(const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return keep(text);
}

static void remove_folder(void)
{
    struct command command;

    command_run(&command, ARGUMENTS("sh", "-c", "chmod -R u+w \"$0\"; rm -rf \"$0\"", folder), DEADLINE_S);
    command_clear(&command);
}

static const char *build_folder(void)
{
    const char *build = getenv("BUILD");

    return build && build[0] ? build : "build";
}

int trial_setup(void **state)
{
    static char base[PATH_MAX];
    const char *wish = getenv("TMPDIR");

    (void)state;
    // Ignored in what a script starts in the background, and what is started from here would ignore it too.
    signal(SIGINT, SIG_DFL);
    if (!base[0])
        snprintf(base, sizeof(base), "%s", wish && wish[0] ? wish : "/tmp");
    if ((size_t)snprintf(folder, sizeof(folder), "%s/renderfarm-trial-XXXXXX", base) >= sizeof(folder) || !mkdtemp(folder))
        return -1;
    // What the programs put aside goes here too, so that it is seen when it stays.
    setenv("TMPDIR", trial_path("tmp"), 1);
    setenv("FREI0R_PATH", trial_format("%s/samples/frei0r", build_folder()), 1);
    return mkdir(trial_path("tmp"), 0700);
}

int trial_teardown(void **state)
{
    const char *left;
    int remaining = 0;
    DIR *tmp;

    (void)state;
    command_clear(&running);
    left = command_left_running(5);
    if (left)
        print_error("left running: %s\n", left);
    tmp = opendir(trial_path("tmp"));
    for (struct dirent *entry; tmp && (entry = readdir(tmp));) {
        if (entry->d_name[0] != '.') {
            print_error("left behind: %s\n", entry->d_name);
            remaining++;
        }
    }
    if (tmp)
        closedir(tmp);
    remove_folder();
    while (kept_count > 0)
        free(kept[--kept_count]);
    return left || remaining ? -1 : 0;
}

const char *trial_path(const char *name)
{
    return trial_format("%s/%s", folder, name);
}

const char *trial_sample(const char *name)
{
    const char *samples = trial_format("%s/samples", build_folder());

    // Does nothing for a sample that is already there.
    trial_output(ARGUMENTS("samples/make", samples, name));
    return trial_format("%s/%s", samples, name);
}

const char *trial_real(const char *name)
{
    const char *clips = getenv("RENDERFARM_CLIPS");
    const char *path = trial_format("%s/%s", clips && clips[0] ? clips : "../shared/clips", name);

    if (access(path, R_OK) < 0) {
        print_message("without %s\n", path);
        skip();
    }
    return path;
}

void trial_needs_true_memory(void)
{
    if (strstr(build_folder(), "address") || strstr(build_folder(), "thread")) {
        print_message("without a true figure: a sanitizer's own memory is counted too\n");
        skip();
    }
}

const char *trial_workers(void)
{
    const char *workers = getenv("RENDERFARM_TEST_WORKERS");

    return trial_format("--workers=%s", workers && workers[0] ? workers : "2");
}

void trial_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");

    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        fail_msg("cannot write %s: %s", path, strerror(errno));
}

void *trial_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    struct stat facts;
    char *data;

    if (!file || fstat(fileno(file), &facts) < 0)
        fail_msg("cannot read %s: %s", path, strerror(errno));
    *size = (size_t)facts.st_size;
    data = keep(mem_zalloc(*size + 1));
    if (fread(data, 1, *size, file) != *size)
        fail_msg("cannot read %s", path);
    fclose(file);
    return data;
}

// ---- Programs ----

void trial_preload(const char *built)
{
    const char *program = trial_program();

    setenv("LD_PRELOAD", trial_format("%.*s/%s", (int)(strrchr(program, '/') - program), program, built), 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
}

static void fail_command(const struct command *c, const char *const *arguments)
{
    char line[4096] = "";
    size_t length = 0;

    for (int i = 0; arguments[i] && length < sizeof(line); i++)
        length += (size_t)snprintf(line + length, sizeof(line) - length, " %s", arguments[i]);
    fail_msg("status %d%s:%s\n%s", c->status, c->timed_out ? " (deadline)" : "", line, c->err);
}

const char *trial_output(const char *const *arguments)
{
    struct command command;
    char *out;

    command_run(&command, arguments, DEADLINE_S);
    if (command.status != 0)
        fail_command(&command, arguments);
    out = keep(command.out);
    command.out = NULL;
    command_clear(&command);
    return out;
}

// Appends arguments up to NULL behind the first count.
static void gather(const char **arguments, size_t count, va_list args)
{
    do {
        assert_true(count < MOST_ARGUMENTS);
        arguments[count] = va_arg(args, const char *);
    } while (arguments[count++]);
}

void trial_ffmpeg(const char *first, ...)
{
    const char *arguments[MOST_ARGUMENTS] = {"ffmpeg", "-nostdin", "-v", "error", "-y", first};
    va_list args;

    va_start(args, first);
    gather(arguments, 6, args);
    va_end(args);
    trial_output(arguments);
}

const char *trial_program(void)
{
    return trial_format("%s/renderfarm", build_folder());
}

struct command *trial_start_program(const char *const *arguments)
{
    command_clear(&running);
    command_start(&running, arguments);
    return &running;
}

struct command *trial_start(const char *const *arguments)
{
    const char *all[MOST_ARGUMENTS] = {trial_program()};
    size_t count = 1;

    while (arguments[count - 1]) {
        assert_true(count < MOST_ARGUMENTS - 1);
        all[count] = arguments[count - 1];
        count++;
    }
    return trial_start_program(all);
}

struct command *trial_run(const char *input, const char *output, ...)
{
    const char *arguments[MOST_ARGUMENTS] = {input, output, "--progress=off"};
    va_list args;

    va_start(args, output);
    gather(arguments, 3, args);
    va_end(args);
    command_wait(trial_start(arguments), DEADLINE_S);
    if (running.timed_out)
        fail_command(&running, arguments);
    return &running;
}

const char *trial_render(const char *input, const char *output, ...)
{
    const char *arguments[MOST_ARGUMENTS] = {input, output, "--progress=off"};
    va_list args;

    va_start(args, output);
    gather(arguments, 3, args);
    va_end(args);
    command_wait(trial_start(arguments), DEADLINE_S);
    if (running.status != 0)
        fail_command(&running, arguments);
    return keep(mem_dup(running.err));
}

// ---- Looking at files ----

const char *trial_frames(const char *path)
{
    return trial_output(
        ARGUMENTS("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"));
}

// One line of both, the first that differs.
static void assert_same_lines(const char *actual, const char *expected, const char *of)
{
    size_t line = 1;

    while (*actual && *expected) {
        size_t a = strcspn(actual, "\n"), b = strcspn(expected, "\n");

        if (a != b || memcmp(actual, expected, a) != 0)
            fail_msg("%s, line %zu of the frames:\n  %.*s\nshould be\n  %.*s", of, line, (int)a, actual, (int)b, expected);
        actual += a + (actual[a] == '\n');
        expected += b + (expected[b] == '\n');
        line++;
    }
    if (*actual || *expected)
        fail_msg("%s: %s frames than expected, from line %zu on", of, *actual ? "more" : "fewer", line);
}

void trial_assert_same_frames(const char *actual, const char *expected)
{
    assert_same_lines(trial_frames(actual), trial_frames(expected), actual);
}

const char *trial_packets(const char *path, const char *specifier)
{
    return trial_output(ARGUMENTS("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", trial_format("0:%s", specifier), "-c", "copy", "-f",
                                  "streamhash", "-hash", "md5", "-"));
}

const char *trial_sha256(const char *path)
{
    return trial_format("%.64s", trial_output(ARGUMENTS("sha256sum", "--", path)));
}

const char *trial_probe(const char *path, const char *specifier, const char *entries)
{
    const char *arguments[MOST_ARGUMENTS] = {"ffprobe", "-v", "error", "-of", "default=noprint_wrappers=1", "-show_entries", entries, path};

    if (specifier) {
        arguments[8] = "-select_streams";
        arguments[9] = specifier;
    }
    return trial_output(arguments);
}

// ---- What was left behind ----

void trial_assert_only(const char *where, ...)
{
    DIR *dir = opendir(where);
    size_t found = 0, wanted = 0;
    va_list args;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        bool known = false;
        const char *name;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        va_start(args, where);
        while ((name = va_arg(args, const char *)))
            known = known || strcmp(name, entry->d_name) == 0;
        va_end(args);
        if (!known)
            fail_msg("%s holds %s", where, entry->d_name);
        found++;
    }
    closedir(dir);
    va_start(args, where);
    while (va_arg(args, const char *))
        wanted++;
    va_end(args);
    if (found != wanted)
        fail_msg("%s holds %zu things instead of %zu", where, found, wanted);
}

void trial_assert_nothing_left(void)
{
    const char *left = command_left_running(0);

    if (left)
        fail_msg("left running: %s", left);
    trial_assert_only(trial_path("tmp"), NULL);
}
