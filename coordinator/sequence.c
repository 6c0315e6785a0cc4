#include "sequence.h"

#include "common/err.h"
#include "common/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MOST_DIGITS = 18 };

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool ends_in_png(const char *path)
{
    size_t length = strlen(path);

    return length >= 4 && strcasecmp(path + length - 4, ".png") == 0;
}

// "%d", "%6d", "%06d": where it ends, and how many digits; NULL for anything else.
static const char *end_of_number(const char *percent, int *digits)
{
    const char *at = percent + 1;

    *digits = 0;
    while (isdigit((unsigned char)*at) && *digits <= MOST_DIGITS)
        *digits = *digits * 10 + (*at++ - '0');
    return *at == 'd' ? at + 1 : NULL;
}

bool sequence_is_output(const char *path)
{
    int digits;

    if (!ends_in_png(path))
        return false;
    for (const char *at = path; (at = strchr(at, '%')); at += at[1] == '%' ? 2 : 1)
        if (at[1] != '%' && end_of_number(at, &digits))
            return true;
    return false;
}

static int refuse(struct sequence_pattern *p, const char *path, const char *cause, char **why)
{
    sequence_clear(p);
    return err_why(why, -EINVAL, "%s: %s, as in frames/%%06d.png", path, cause);
}

int sequence_parse(struct sequence_pattern *p, const char *path, char **why)
{
    const char *name = base_name(path);
    char *text = mem_zalloc(strlen(name) + 1), *to = text;
    bool found = false;

    *p = (struct sequence_pattern){.folder = mem_format("%.*s", (int)(name - path), path)};
    for (const char *at = name; *at;) {
        const char *end;
        int digits;

        if (*at != '%' || at[1] == '%') {
            *to++ = *at;
            at += *at == '%' ? 2 : 1;
            continue;
        }
        end = end_of_number(at, &digits);
        if (!end || found || digits > MOST_DIGITS) {
            free(text);
            return refuse(p, path, !end ? "a % that begins no number is written %%" : "one number is wanted in the name", why);
        }
        found = true;
        p->digits = digits;
        p->before = mem_dup(text);
        memset(text, 0, (size_t)(to - text));
        to = text;
        at = end;
    }
    p->after = text;
    if (strchr(p->folder, '%') && sequence_is_output(p->folder))
        return refuse(p, path, "the number belongs into the file's name", why);
    return found ? 0 : refuse(p, path, "the name has no number", why);
}

void sequence_parse_one(struct sequence_pattern *p, const char *path)
{
    const char *name = base_name(path);

    *p = (struct sequence_pattern){
        .folder = mem_format("%.*s", (int)(name - path), path), .before = mem_dup(name), .after = mem_dup(""), .alone = true};
}

void sequence_clear(struct sequence_pattern *p)
{
    free(p->folder);
    free(p->before);
    free(p->after);
    *p = (struct sequence_pattern){0};
}

char *sequence_name(const struct sequence_pattern *p, int64_t number)
{
    if (p->alone)
        return mem_dup(p->before);
    return mem_format("%s%0*" PRId64 "%s", p->before, p->digits, number, p->after);
}

char *sequence_path(const struct sequence_pattern *p, int64_t number)
{
    if (p->alone)
        return mem_format("%s%s", p->folder, p->before);
    return mem_format("%s%s%0*" PRId64 "%s", p->folder, p->before, p->digits, number, p->after);
}

bool sequence_number(const struct sequence_pattern *p, const char *name, int64_t *number)
{
    size_t before = strlen(p->before), after = strlen(p->after), length = strlen(name);
    const char *digits = name + before;
    size_t count = length - before - after;

    *number = 0;
    if (p->alone)
        return strcmp(name, p->before) == 0;
    if (length <= before + after || count > MOST_DIGITS || count < (size_t)p->digits || strncmp(name, p->before, before) != 0 ||
        strcmp(name + length - after, p->after) != 0)
        return false;
    // No more zeros in front than the pattern would write.
    if (digits[0] == '0' && count > (size_t)(p->digits > 1 ? p->digits : 1))
        return false;
    *number = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isdigit((unsigned char)digits[i]))
            return false;
        *number = *number * 10 + (digits[i] - '0');
    }
    return true;
}

static int rising(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int sequence_list(const struct sequence_pattern *p, int64_t from, int64_t **numbers, size_t *count)
{
    DIR *folder = opendir(*p->folder ? p->folder : ".");
    const struct dirent *entry;
    size_t room = 0;
    int err;

    *numbers = NULL;
    *count = 0;
    if (!folder)
        return -errno;
    while ((errno = 0, entry = readdir(folder))) {
        int64_t number;

        if (!sequence_number(p, entry->d_name, &number) || (number < from && !p->alone))
            continue;
        if (*count == room) {
            room = room ? 2 * room : 256;
            *numbers = mem_grow(*numbers, room, sizeof(**numbers));
        }
        (*numbers)[(*count)++] = number;
    }
    err = -errno;
    closedir(folder);
    if (*count > 0)
        qsort(*numbers, *count, sizeof(**numbers), rising);
    return err;
}

// ---- All that a name stands for ----

struct names {
    char *folder;                    // with a slash at its end, or "" for the current one
    char *glob;                      // of the files in it; NULL: those of the pattern
    struct sequence_pattern pattern; // from number `from` on
    int64_t from;
};

static bool names_open(struct names *n, const char *name, int64_t from)
{
    struct stat about;
    char *why = NULL;
    bool is_folder = stat(name, &about) == 0 && S_ISDIR(about.st_mode);

    *n = (struct names){.from = from};
    if (!is_folder && sequence_is_output(name)) {
        if (sequence_parse(&n->pattern, name, &why) < 0) {
            free(why);
            return false;
        }
        n->folder = mem_dup(n->pattern.folder);
        return true;
    }
    if (!is_folder && (!ends_in_png(name) || !strpbrk(base_name(name), "*?[")))
        return false;
    n->folder = is_folder ? mem_format("%s/", name) : mem_format("%.*s", (int)(base_name(name) - name), name);
    n->glob = mem_dup(is_folder ? "*.[pP][nN][gG]" : base_name(name));
    return true;
}

static void names_close(struct names *n)
{
    sequence_clear(&n->pattern);
    free(n->folder);
    free(n->glob);
}

static bool names_fit(const struct names *n, const char *file)
{
    int64_t number;

    if (n->glob)
        return fnmatch(n->glob, file, FNM_PERIOD) == 0;
    return sequence_number(&n->pattern, file, &number) && number >= n->from;
}

static const char *names_folder(const struct names *n)
{
    return *n->folder ? n->folder : ".";
}

static void add_up(struct sequence_sum *sum, const struct stat *about)
{
    int64_t changed_ns = about->st_mtim.tv_sec * INT64_C(1000000000) + about->st_mtim.tv_nsec;

    if (sum->count == 0 || changed_ns < sum->oldest_ns)
        sum->oldest_ns = changed_ns;
    if (sum->count == 0 || changed_ns > sum->newest_ns)
        sum->newest_ns = changed_ns;
    sum->bytes += (uint64_t)about->st_size;
    sum->count++;
}

int sequence_sum_up(struct sequence_sum *sum, const char *name, int64_t from)
{
    const struct dirent *entry;
    struct names names;
    struct stat about;
    DIR *folder;
    int err;

    *sum = (struct sequence_sum){0};
    if (!names_open(&names, name, from))
        return -EINVAL;
    folder = opendir(names_folder(&names));
    err = folder ? 0 : -errno;
    while (folder && (errno = 0, entry = readdir(folder)))
        if (names_fit(&names, entry->d_name) && fstatat(dirfd(folder), entry->d_name, &about, 0) == 0)
            add_up(sum, &about);
    if (folder) {
        err = -errno;
        closedir(folder);
    }
    names_close(&names);
    return err;
}

// One that is there: links of both kinds lead to it, too. Files whose number is another one need not be asked for.
static bool names_have(const struct names *n, const struct stat *wanted)
{
    DIR *folder = opendir(names_folder(n));
    const struct dirent *entry;
    bool found = false;

    while (folder && !found && (entry = readdir(folder))) {
        struct stat about;

        found = names_fit(n, entry->d_name) && (entry->d_ino == wanted->st_ino || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) &&
                fstatat(dirfd(folder), entry->d_name, &about, 0) == 0 && about.st_dev == wanted->st_dev && about.st_ino == wanted->st_ino;
    }
    if (folder)
        closedir(folder);
    return found;
}

static bool in_folder(const struct names *n, const char *path)
{
    char *folder = mem_format("%.*s", (int)(base_name(path) - path), path);
    struct stat ours, other;
    bool same =
        stat(names_folder(n), &ours) == 0 && stat(*folder ? folder : ".", &other) == 0 && ours.st_dev == other.st_dev && ours.st_ino == other.st_ino;

    free(folder);
    return same;
}

bool sequence_has(const char *name, const char *path)
{
    struct names names;
    struct stat about;
    bool has;

    if (!names_open(&names, name, 0))
        return false;
    has = names_fit(&names, base_name(path)) && in_folder(&names, path);
    if (!has && stat(path, &about) == 0 && S_ISREG(about.st_mode))
        has = names_have(&names, &about);
    names_close(&names);
    return has;
}
