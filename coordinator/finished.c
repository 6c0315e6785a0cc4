#include "finished.h"

#include "cache.h"
#include "job_key.h"
#include "named_files.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = 512 };

// The time of change of a file's contents: to get a name is no such change.
static char *describe(const struct stat *about)
{
    return mem_format("%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 ".%09ld", (uint64_t)about->st_dev, (uint64_t)about->st_ino,
                      (int64_t)about->st_size, (int64_t)about->st_mtim.tv_sec, about->st_mtim.tv_nsec);
}

void finished_init(struct finished *f, const struct options *o)
{
    char key[JOB_KEY_TEXT], *folder, *input;
    struct stat about;

    *f = (struct finished){.options = o};
    if (o->no_cache || o->cache_path || o->explain || o->dry_run || o->verify || stat(o->input, &about) < 0 || !S_ISREG(about.st_mode))
        return;
    folder = cache_own_path(o->output);
    input = describe(&about);
    job_key(o, 0, 0, key);
    f->path = mem_format("%s/%s", folder, CACHE_FOLDER_FINISHED);
    f->job = mem_format("%s %s", key, input);
    free(folder);
    free(input);
}

static char *word(const struct finished *f, const struct stat *output)
{
    char *file = describe(output), *text = mem_format("%s %s\n", f->job, file);

    free(file);
    return text;
}

static int is_list(void *data, const char *key, const char *path)
{
    (void)data;
    (void)key;
    return named_files_in(path) ? -EEXIST : 0;
}

void finished_note(const struct finished *f, int fd)
{
    struct stat about;
    size_t length;
    char *text;
    int to;

    if (!f->path || fstat(fd, &about) < 0 || named_files_in(f->options->input) || named_files_read_by(f->options, is_list, NULL) < 0)
        return;
    to = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (to < 0)
        return;
    text = word(f, &about);
    length = strlen(text);
    if (write(to, text, length) != (ssize_t)length)
        unlink(f->path);
    free(text);
    close(to);
}

bool finished_is(const struct finished *f, const char *output)
{
    char there[MOST_BYTES], *text;
    struct stat about;
    ssize_t length;
    bool is;
    int fd;

    if (!f->path || stat(output, &about) < 0 || !S_ISREG(about.st_mode))
        return false;
    fd = open(f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    length = read(fd, there, sizeof(there));
    close(fd);
    text = word(f, &about);
    is = length == (ssize_t)strlen(text) && memcmp(there, text, (size_t)length) == 0;
    free(text);
    return is;
}

void finished_clear(struct finished *f)
{
    free(f->path);
    free(f->job);
    *f = (struct finished){.path = NULL};
}
