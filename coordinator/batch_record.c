#include "batch_record.h"

#include "common/mem.h"

#include <sodium.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_name[] = ".renderfarm-batch", format[] = "renderfarm batch 1";

struct line {
    char *name; // escaped
    char key[BATCH_KEY_TEXT];
    int64_t changed_ns;
    uint64_t bytes;
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

// ---- Keys ----

static void add_text(crypto_generichash_state *hash, const char *text)
{
    crypto_generichash_update(hash, (const unsigned char *)(text ? text : "\xff"), (text ? strlen(text) : 1) + 1);
}

void batch_key(const struct options *o, char key[BATCH_KEY_TEXT])
{
    crypto_generichash_state hash;
    unsigned char bytes[(BATCH_KEY_TEXT - 1) / 2];
    char numbers[128];

    crypto_generichash_init(&hash, NULL, 0, sizeof(bytes));
    add_text(&hash, format);
    add_text(&hash, o->filter);
    add_text(&hash, o->codec);
    add_text(&hash, o->pixel_format);
    snprintf(numbers, sizeof(numbers), "%a %d %d %d %d %d %d", o->segment_s, o->one_segment, o->encode_stream, o->no_audio, o->no_subtitles,
             o->no_autorotate, (int)o->on_poison);
    add_text(&hash, numbers);
    for (size_t i = 0; i < o->encoder_option_count; i++) {
        add_text(&hash, o->encoder_options[i].key);
        add_text(&hash, o->encoder_options[i].value);
    }
    for (size_t i = 0; i < o->vouched_count; i++)
        add_text(&hash, o->vouched[i]);
    crypto_generichash_final(&hash, bytes, sizeof(bytes));
    sodium_bin2hex(key, BATCH_KEY_TEXT, bytes, sizeof(bytes));
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

static bool parse(struct line *line, char *text)
{
    char name[3 * 256], key[BATCH_KEY_TEXT];
    int end = 0;

    if (sscanf(text, "%32[0-9a-f] %" SCNd64 " %" SCNu64 " %767s%n", key, &line->changed_ns, &line->bytes, name, &end) != 4 || text[end] ||
        strlen(key) != BATCH_KEY_TEXT - 1)
        return false;
    memcpy(line->key, key, sizeof(key));
    line->name = mem_dup(name);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct line *first = a, *second = b;
    int order = strcmp(first->name, second->name);

    return order ? order : first->number < second->number ? -1 : 1;
}

static void read_folder(struct folder *folder)
{
    char *path = mem_format("%s/%s", folder->path, file_name), *text = NULL;
    FILE *file = fopen(path, "re");
    size_t size = 0, kept = 0;
    ssize_t length;

    free(path);
    if (!file)
        return;
    while ((length = getline(&text, &size, file)) > 0) {
        struct line line = {.number = folder->count};

        if (text[length - 1] == '\n')
            text[length - 1] = '\0';
        if (!parse(&line, text))
            continue;
        folder->lines = mem_grow(folder->lines, folder->count + 1, sizeof(*folder->lines));
        folder->lines[folder->count++] = line;
    }
    free(text);
    fclose(file);
    if (folder->count == 0)
        return;
    qsort(folder->lines, folder->count, sizeof(*folder->lines), by_name);
    // The last of each name.
    for (size_t i = 0; i < folder->count; i++) {
        if (i + 1 < folder->count && strcmp(folder->lines[i].name, folder->lines[i + 1].name) == 0)
            free(folder->lines[i].name);
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

static int64_t changed_ns(const struct stat *about)
{
    return about->st_mtim.tv_sec * INT64_C(1000000000) + about->st_mtim.tv_nsec;
}

struct batch_record *batch_record_new(void)
{
    return mem_zalloc(sizeof(struct batch_record));
}

enum batch_made batch_record_look(struct batch_record *r, const char *output, const char *key, int64_t input_ns)
{
    enum batch_made made = BATCH_FOREIGN;
    char *path, *name;
    const struct folder *folder;
    const struct line *line;
    struct stat about;

    if (stat(output, &about) < 0)
        return BATCH_NOT_THERE;
    split(output, &path, &name);
    folder = folder_of(r, path);
    line = folder->count ? bsearch(name, folder->lines, folder->count, sizeof(*folder->lines), compare_name) : NULL;
    if (line && line->changed_ns == changed_ns(&about) && line->bytes == (uint64_t)about.st_size)
        made = strcmp(line->key, key) == 0 && input_ns <= line->changed_ns ? BATCH_MADE : BATCH_OUTDATED;
    free(path);
    free(name);
    return made;
}

// ---- Writing ----

int batch_record_add(const char *output, const char *key)
{
    char *folder, *name, *path, *line;
    struct stat about;
    int err = 0, fd = -1;

    if (stat(output, &about) < 0)
        return -errno;
    split(output, &folder, &name);
    path = mem_format("%s/%s", folder, file_name);
    line = mem_format("%s %" PRId64 " %" PRId64 " %s\n", key, changed_ns(&about), (int64_t)about.st_size, name);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
    // One write, at the end: two batches in one folder do not get into each other's lines.
    if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
        err = fd < 0 || errno ? -errno : -ENOSPC;
    if (fd >= 0)
        close(fd);
    free(folder);
    free(name);
    free(path);
    free(line);
    return err;
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
