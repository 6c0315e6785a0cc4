#include "sequence.h"

#include "common/err.h"
#include "common/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
