#include "batch_record.h"

#include "job_key.h"
#include "sequence.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_name[] = ".renderfarm-batch";

#define NEVER INT64_MAX

// What a line says of its name, or several together.
struct line {
    char *name; // escaped
    bool made;
    char key[JOB_KEY_TEXT]; // from here on: as it was made
    int64_t changed_ns;
    uint64_t bytes;
    struct batch_holes holes;
    int64_t first;     // of numbered pictures
    uint64_t pictures; // 0: it is one file
    int64_t begun_ns;  // NEVER: it is not being made
    size_t number;
};

struct folder {
    char *path;
    struct line *lines; // by name, one for each
    size_t count;
};

struct batch_record {
    struct folder *folders;
    size_t count;
};

static int64_t changed_ns(const struct stat *about)
{
    return about->st_mtim.tv_sec * INT64_C(1000000000) + about->st_mtim.tv_nsec;
}

// ---- Names ----

static char *escaped(const char *name)
{
    char *text = mem_zalloc(3 * strlen(name) + 1), *at = text;

    for (; *name; name++) {
        if ((unsigned char)*name <= ' ' || *name == '%')
            at += sprintf(at, "%%%02X", (unsigned char)*name);
        else
            *at++ = *name;
    }
    return text;
}

// Both for the caller to free.
static void split(const char *path, char **folder, char **name)
{
    const char *slash = strrchr(path, '/');

    *folder = !slash ? mem_dup(".") : slash == path ? mem_dup("/") : mem_format("%.*s", (int)(slash - path), path);
    *name = escaped(slash ? slash + 1 : path);
}

// ---- Reading ----

static bool parse_more(struct line *line, const char *text)
{
    int end = 0, all = 0,
        found = sscanf(text, " %" SCNu64 " %" SCNu64 "%n %" SCNd64 " %" SCNu64 "%n", &line->holes.missing, &line->holes.plain, &end, &line->first,
                       &line->pictures, &all);

    return found >= 2 && text[found == 4 ? all : end] == '\0';
}

static bool parse_made(struct line *line, const char *text)
{
    char name[3 * 256], key[JOB_KEY_TEXT];
    int end = 0;

    if (sscanf(text, "%32[0-9a-f] %" SCNd64 " %" SCNu64 " %767s%n", key, &line->changed_ns, &line->bytes, name, &end) != 4 ||
        strlen(key) != JOB_KEY_TEXT - 1)
        return false;
    if (text[end] && !parse_more(line, text + end))
        return false;
    memcpy(line->key, key, sizeof(key));
    line->made = true;
    line->name = mem_dup(name);
    return true;
}

static bool parse_begun(struct line *line, const char *text)
{
    char name[3 * 256], word[6];
    int end = 0;

    if (sscanf(text, "%5s %" SCNd64 " %767s%n", word, &line->begun_ns, name, &end) != 3 || text[end])
        return false;
    if (strcmp(word, "ended") == 0)
        line->begun_ns = NEVER;
    else if (strcmp(word, "begun") != 0)
        return false;
    line->name = mem_dup(name);
    return true;
}

// Without its line feed a line is torn: the name may be longer.
static bool parse(struct line *line, char *text, size_t length)
{
    if (text[length - 1] != '\n')
        return false;
    text[length - 1] = '\0';
    line->begun_ns = NEVER;
    return parse_made(line, text) || parse_begun(line, text);
}

// What a later line leaves of earlier ones: how it was made last stays known while it is made again, because it may never come to that.
static void add_earlier(struct line *line, struct line *earlier)
{
    char *name = line->name;

    if (!line->made && earlier->made) {
        earlier->begun_ns = line->begun_ns;
        *line = *earlier;
        earlier->name = name;
    }
    free(earlier->name);
}

static int by_name(const void *a, const void *b)
{
    const struct line *first = a, *second = b;
    int order = strcmp(first->name, second->name);

    return order ? order : first->number < second->number ? -1 : 1;
}

static void tell_unreadable(const char *path, int err)
{
    log_warn("%s: cannot be read: %s; what is there already is taken for somebody else's", path, err_text(err));
}

static void read_folder(struct folder *folder)
{
    char *path = mem_format("%s/%s", folder->path, file_name), *text = NULL;
    FILE *file = fopen(path, "re");
    size_t size = 0, kept = 0;
    ssize_t length;

    if (!file) {
        if (errno != ENOENT)
            tell_unreadable(path, -errno);
        free(path);
        return;
    }
    errno = 0;
    while ((length = getline(&text, &size, file)) > 0) {
        struct line line = {.number = folder->count};

        if (!parse(&line, text, (size_t)length))
            continue;
        folder->lines = mem_grow(folder->lines, folder->count + 1, sizeof(*folder->lines));
        folder->lines[folder->count++] = line;
    }
    if (ferror(file))
        tell_unreadable(path, -errno);
    free(path);
    free(text);
    fclose(file);
    if (folder->count == 0)
        return;
    qsort(folder->lines, folder->count, sizeof(*folder->lines), by_name);
    for (size_t i = 0; i < folder->count; i++) {
        if (i + 1 < folder->count && strcmp(folder->lines[i].name, folder->lines[i + 1].name) == 0)
            add_earlier(&folder->lines[i + 1], &folder->lines[i]);
        else
            folder->lines[kept++] = folder->lines[i];
    }
    folder->count = kept;
}

static const struct folder *folder_of(struct batch_record *r, const char *path)
{
    // Files of a folder come one after the other.
    for (size_t i = r->count; i > 0; i--)
        if (strcmp(r->folders[i - 1].path, path) == 0)
            return &r->folders[i - 1];
    r->folders = mem_grow(r->folders, r->count + 1, sizeof(*r->folders));
    r->folders[r->count] = (struct folder){.path = mem_dup(path)};
    read_folder(&r->folders[r->count]);
    return &r->folders[r->count++];
}

static int compare_name(const void *key, const void *line)
{
    return strcmp(key, ((const struct line *)line)->name);
}

struct batch_record *batch_record_new(void)
{
    return mem_zalloc(sizeof(struct batch_record));
}

static const struct line *line_of(struct batch_record *r, const char *output)
{
    const struct folder *folder;
    const struct line *line;
    char *path, *name;

    split(output, &path, &name);
    folder = folder_of(r, path);
    line = folder->count ? bsearch(name, folder->lines, folder->count, sizeof(*folder->lines), compare_name) : NULL;
    free(path);
    free(name);
    return line;
}

// Numbered pictures that are not as they were made may be those of a render that was interrupted, or somebody's: whoever writes them finds out.
static enum batch_made look_at_pictures(const struct line *line, const char *output, const char *key, int64_t input_ns)
{
    struct sequence_sum sum;

    if (!line || sequence_sum_up(&sum, output, line->made ? line->first : 0) < 0 || sum.count == 0)
        return BATCH_NOT_THERE;
    if (line->made && line->pictures == sum.count && line->changed_ns == sum.newest_ns && line->bytes == sum.bytes)
        return strcmp(line->key, key) == 0 && input_ns <= line->changed_ns ? BATCH_MADE : BATCH_OUTDATED;
    // Some were taken away, and nothing else was done.
    if (line->made && sum.count < line->pictures && sum.newest_ns <= line->changed_ns && sum.bytes < line->bytes)
        return BATCH_OUTDATED;
    return line->begun_ns <= sum.oldest_ns ? BATCH_UNSURE : BATCH_NOT_THERE;
}

static enum batch_made look_at_file(const struct line *line, const struct stat *about, const char *key, int64_t input_ns)
{
    if (line && line->made && line->changed_ns == changed_ns(about) && line->bytes == (uint64_t)about->st_size)
        return strcmp(line->key, key) == 0 && input_ns <= line->changed_ns ? BATCH_MADE : BATCH_OUTDATED;
    return line && line->begun_ns <= changed_ns(about) ? BATCH_UNSURE : BATCH_FOREIGN;
}

enum batch_made batch_record_look(struct batch_record *r, const char *output, const char *key, int64_t input_ns, struct batch_holes *holes)
{
    bool numbered = sequence_is_output(output);
    const struct line *line;
    enum batch_made made;
    struct stat about;

    if (!numbered && stat(output, &about) < 0)
        return BATCH_NOT_THERE;
    line = line_of(r, output);
    made = numbered ? look_at_pictures(line, output, key, input_ns) : look_at_file(line, &about, key, input_ns);
    if (made == BATCH_MADE)
        *holes = line->holes;
    return made;
}

// ---- Writing ----

char *batch_record_path(const char *output)
{
    char *folder, *name, *path;

    split(output, &folder, &name);
    path = mem_format("%s/%s", folder, file_name);
    free(folder);
    free(name);
    return path;
}

// The record that an output belongs to, open for one more line.
struct place {
    char *path, *name;
    int fd;
};

static int open_place(struct place *p, const char *output)
{
    char *folder;

    split(output, &folder, &p->name);
    free(folder);
    p->path = batch_record_path(output);
    p->fd = open(p->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    return p->fd < 0 ? -errno : 0;
}

static void close_place(struct place *p)
{
    if (p->fd >= 0)
        close(p->fd);
    free(p->path);
    free(p->name);
}

// A new file is only there for sure once its folder is on disk.
static void sync_folder(const char *path)
{
    char *folder = mem_format("%.*s", (int)(strlen(path) - strlen(file_name)), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd); // some network file systems cannot do this
        close(fd);
    }
    free(folder);
}

// A line that was torn must not run on into the next one. The blank makes that it makes no sense, wherever it was torn.
static const char *torn_end(int fd, int64_t size)
{
    char last = '\n';

    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' ? " torn\n" : "";
}

static int append(const struct place *p, const char *line)
{
    struct stat about;
    ssize_t written, length;
    char *text;
    int err = 0;

    if (fstat(p->fd, &about) < 0)
        return -errno;
    text = mem_format("%s%s", torn_end(p->fd, about.st_size), line);
    length = (ssize_t)strlen(text);
    // One write, at the end: two batches in one folder do not get into each other's lines.
    written = write(p->fd, text, (size_t)length);
    if (written >= 0 && written < length)
        err = -ENOSPC;
    else if (written < 0 || fdatasync(p->fd) < 0)
        err = -errno;
    else if (about.st_size == 0)
        sync_folder(p->path);
    free(text);
    return err;
}

// The end of a line, as far as there is something to be said; free().
static char *rest_of_line(const struct batch_holes *holes, const struct sequence_sum *pictures, int64_t first)
{
    if (pictures)
        return mem_format(" %" PRIu64 " %" PRIu64 " %" PRId64 " %zu", holes->missing, holes->plain, first, pictures->count);
    return holes->missing + holes->plain > 0 ? mem_format(" %" PRIu64 " %" PRIu64, holes->missing, holes->plain) : mem_dup("");
}

static int add_made(const char *output, const char *key, int64_t time_ns, uint64_t bytes, const char *rest)
{
    struct place place;
    int err = open_place(&place, output);

    if (err == 0) {
        char *line = mem_format("%s %" PRId64 " %" PRIu64 " %s%s\n", key, time_ns, bytes, place.name, rest);

        err = append(&place, line);
        free(line);
    }
    close_place(&place);
    return err;
}

int batch_record_add(const char *output, const char *key, const struct batch_holes *holes, int64_t first)
{
    bool numbered = sequence_is_output(output);
    struct sequence_sum sum;
    struct stat about;
    char *rest;
    int err = 0;

    if (numbered)
        err = sequence_sum_up(&sum, output, first);
    else if (stat(output, &about) < 0)
        err = -errno;
    if (err < 0 || (numbered && sum.count == 0))
        return err < 0 ? err : -ENOENT;
    rest = rest_of_line(holes, numbered ? &sum : NULL, first);
    err = numbered ? add_made(output, key, sum.newest_ns, sum.bytes, rest) : add_made(output, key, changed_ns(&about), (uint64_t)about.st_size, rest);
    free(rest);
    return err;
}

static int add_word(const char *output, const char *word)
{
    struct place place;
    struct stat about;
    int err = open_place(&place, output);

    // The time as the disk has it that the output will be on: it may be that of another host, or count in whole seconds.
    if (err == 0 && (futimens(place.fd, NULL) < 0 || fstat(place.fd, &about) < 0))
        err = -errno;
    if (err == 0) {
        char *line = mem_format("%s %" PRId64 " %s\n", word, changed_ns(&about), place.name);

        err = append(&place, line);
        free(line);
    }
    close_place(&place);
    return err;
}

int batch_record_begin(const char *output)
{
    return add_word(output, "begun");
}

int batch_record_end(const char *output)
{
    return add_word(output, "ended");
}

void batch_record_free(struct batch_record **record)
{
    struct batch_record *r = *record;

    for (size_t i = 0; r && i < r->count; i++) {
        for (size_t j = 0; j < r->folders[i].count; j++)
            free(r->folders[i].lines[j].name);
        free(r->folders[i].lines);
        free(r->folders[i].path);
    }
    if (r)
        free(r->folders);
    free(r);
    *record = NULL;
}
