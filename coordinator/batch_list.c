#include "batch_list.h"

#include "sequence.h"

#include "common/err.h"
#include "common/mem.h"

#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

// What people keep videos in. Anything else is asked for with --include.
static const char *const extensions[] = {"3g2", "3gp",  "asf", "avi", "divx",  "dv",  "f4v", "flv",  "gif",  "h264", "h265", "hevc", "ivf",
                                         "m1v", "m2ts", "m2v", "m4v", "mjpeg", "mkv", "mov", "mp4",  "mpeg", "mpg",  "mts",  "mxf",  "nut",
                                         "obu", "ogm",  "ogv", "rm",  "rmvb",  "ts",  "vob", "webm", "wmv",  "wtv",  "y4m"};

static struct batch_item *add(struct batch_list *list)
{
    list->items = mem_grow(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count] = (struct batch_item){0};
    return &list->items[list->count++];
}

static void look_at(struct batch_item *item)
{
    struct sequence_sum sum;
    struct stat about;
    bool is_there = stat(item->input, &about) == 0;

    // As pictures_is_input has it.
    if ((!is_there || S_ISDIR(about.st_mode)) && sequence_sum_up(&sum, item->input, 0) == 0) {
        item->pictures = sum.count;
        item->bytes = sum.bytes;
        item->input_ns = sum.newest_ns;
    }
    if (!is_there || S_ISDIR(about.st_mode))
        return;
    item->bytes = (uint64_t)about.st_size;
    item->input_ns = about.st_mtim.tv_sec * INT64_C(1000000000) + about.st_mtim.tv_nsec;
}

// ---- Folders ----

// The extension with its dot, or the end of the name.
static const char *extension_of(const char *path)
{
    const char *name = strrchr(path, '/'), *dot;

    name = name ? name + 1 : path;
    dot = strrchr(name, '.');
    return dot && dot != name ? dot : name + strlen(name);
}

static bool is_video(const char *path)
{
    const char *extension = extension_of(path);

    for (size_t i = 0; *extension && i < sizeof(extensions) / sizeof(extensions[0]); i++)
        if (strcasecmp(extension + 1, extensions[i]) == 0)
            return true;
    return false;
}

bool batch_list_fits(const char *path, char *const *globs, size_t count)
{
    const char *name = strrchr(path, '/');

    for (size_t i = 0; i < count; i++)
        if (fnmatch(globs[i], path, 0) == 0 || fnmatch(globs[i], name ? name + 1 : path, 0) == 0)
            return true;
    return false;
}

static bool is_wanted(const char *path, const struct batch_filter *filter)
{
    if (batch_list_fits(path, filter->excludes, filter->exclude_count))
        return false;
    return filter->include_count > 0 ? batch_list_fits(path, filter->includes, filter->include_count) : is_video(path);
}

// path: below the folder.
static void add_file(struct batch_list *list, const FTSENT *entry, const char *path, const char *output, const struct batch_filter *filter)
{
    struct batch_item *item;

    if (!is_wanted(path, filter)) {
        list->others++;
        return;
    }
    item = add(list);
    item->input = mem_dup(entry->fts_path);
    item->output = filter->extension ? mem_format("%s/%.*s.%s", output, (int)(extension_of(path) - path), path, filter->extension)
                                     : mem_format("%s/%s", output, path);
    if (entry->fts_info == FTS_SLNONE || entry->fts_info == FTS_NS)
        item->problem = mem_dup(entry->fts_info == FTS_NS ? err_text(-entry->fts_errno) : "it is a link to nothing");
    else
        look_at(item);
}

static void add_problem(struct batch_list *list, const FTSENT *entry, const char *problem)
{
    struct batch_item *item = add(list);

    item->input = mem_dup(entry->fts_path);
    item->problem = mem_dup(problem);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

// One path, without the slashes at its end.
static char *trimmed(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return mem_format("%.*s", (int)length, path);
}

int batch_list_folder(struct batch_list *list, const char *input, const char *output, const struct batch_filter *filter, char **why)
{
    char *root = trimmed(input), *target = trimmed(output);
    char *paths[] = {root, NULL};
    size_t skip = strcmp(root, "/") == 0 ? 1 : strlen(root) + 1;
    struct stat in, out;
    bool out_is_there = stat(target, &out) == 0;
    FTS *walk = NULL;
    FTSENT *entry;
    int err = 0;

    *list = (struct batch_list){0};
    if (stat(root, &in) < 0)
        err = -errno;
    else if (out_is_there && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        err = -EINVAL;
    else if (!(walk = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name)))
        err = -errno;
    if (err < 0)
        *why =
            mem_format("%s: %s", root, err == -EINVAL ? "input and output are the same folder; another one is needed for the output" : err_text(err));
    while (!err && (entry = fts_read(walk))) {
        if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
            fts_set(walk, entry, FTS_SKIP);
            continue;
        }
        switch (entry->fts_info) {
        case FTS_D:
            if (out_is_there && entry->fts_statp->st_dev == out.st_dev && entry->fts_statp->st_ino == out.st_ino)
                fts_set(walk, entry, FTS_SKIP);
            break;
        case FTS_F:
        case FTS_SLNONE:
        case FTS_NS:
            add_file(list, entry, entry->fts_path + skip, target, filter);
            break;
        case FTS_DC:
            add_problem(list, entry, "a link leads back to a folder that it lies in");
            break;
        case FTS_DNR:
        case FTS_ERR:
            if (entry->fts_level == 0) {
                err = -entry->fts_errno;
                *why = mem_format("%s: %s", root, err_text(err));
            } else {
                add_problem(list, entry, err_text(-entry->fts_errno));
            }
            break;
        default:
            break; // a folder on the way back, or no ordinary file
        }
    }
    if (walk)
        fts_close(walk);
    free(root);
    free(target);
    if (err < 0)
        batch_list_clear(list);
    else
        batch_list_check(list);
    return err;
}

// ---- Lists ----

// One word, without its quotes. NULL: a quote has no end.
static char *take_word(const char **text, unsigned *lines)
{
    const char *at = *text;
    size_t length = 0, room = 0;
    char *word = NULL, quote = 0;

    for (; *at && (quote || !strchr(" \t\r\n", *at)); at++) {
        if (length + 2 > room)
            word = mem_grow(word, room = 2 * room + 64, 1);
        *lines += *at == '\n';
        if (*at == quote)
            quote = 0;
        else if (!quote && (*at == '\'' || *at == '"'))
            quote = *at;
        else if (*at == '\\' && quote != '\'' && at[1] && (!quote || strchr("\"\\", at[1])))
            word[length++] = *++at;
        else
            word[length++] = *at;
    }
    *text = at;
    if (quote) {
        free(word);
        return NULL;
    }
    word[length] = '\0';
    return word;
}

bool batch_list_words(const char **text, unsigned *lines, char ***words, size_t *count)
{
    for (;;) {
        char *word;

        *text += strspn(*text, " \t\r");
        if (**text == '#')
            *text += strcspn(*text, "\n");
        if (**text == '\n') {
            (*text)++;
            (*lines)++;
            return true;
        }
        if (!**text)
            return true;
        word = take_word(text, lines);
        if (!word)
            return false;
        *words = mem_grow(*words, *count + 1, sizeof(**words));
        (*words)[(*count)++] = word;
    }
}

static char *read_all(const char *path, int *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = NULL;
    size_t size = 0, got;

    *err = file ? 0 : -errno;
    while (file) {
        text = mem_grow(text, size + 65537, 1);
        got = fread(text + size, 1, 65536, file);
        size += got;
        text[size] = '\0';
        if (got > 0)
            continue;
        if (ferror(file))
            *err = -errno;
        else if (strlen(text) != size)
            *err = -EINVAL;
        if (file != stdin)
            fclose(file);
        file = NULL;
    }
    return text;
}

int batch_list_read(struct batch_list *list, const char *path, char **why)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    unsigned lines = 1;
    int err;
    char *text = read_all(path, &err);
    const char *at = text;

    // A byte order mark, as some editors begin a file with, is no part of the first name.
    if (!err && strncmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    *list = (struct batch_list){0};
    if (err < 0)
        *why = mem_format("%s: %s", name, err == -EINVAL ? "it is no list of jobs, but a binary file" : err_text(err));
    while (!err && *at) {
        char **words = NULL;
        size_t count = 0;
        unsigned line = lines;

        if (!batch_list_words(&at, &lines, &words, &count)) {
            *why = mem_format("%s:%u: a quote has no end", name, line);
            err = -EINVAL;
        } else if (count == 1) {
            *why = mem_format("%s:%u: a job is an input and an output, and maybe options", name, line);
            err = -EINVAL;
        } else if (count >= 2) {
            struct batch_item *item = add(list);

            *item = (struct batch_item){.input = words[0], .output = words[1], .line = line};
            item->option_count = count - 2;
            item->options = mem_zalloc((count - 1) * sizeof(*item->options));
            memcpy(item->options, words + 2, item->option_count * sizeof(*item->options));
            count = 0;
            look_at(item);
        }
        for (size_t i = 0; i < count; i++)
            free(words[i]);
        free(words);
    }
    free(text);
    if (err < 0)
        batch_list_clear(list);
    else
        batch_list_check(list);
    return err;
}

// ---- Both ----

// What a path leads to, whatever way it is spelt: the folder nearest to it that is there, and the rest.
struct place {
    dev_t device;
    ino_t folder;
    char *rest;
    size_t item;
};

// What is not there yet will be folders, no links: "a/../b" is "b". In place.
static void tidy(char *rest)
{
    char *to = rest;

    for (const char *at = rest; *at;) {
        size_t length = strcspn(at, "/");
        const char *next = at + length + strspn(at + length, "/");

        if (length == 2 && strncmp(at, "..", 2) == 0 && to > rest) {
            while (to > rest && *--to != '/')
                ;
        } else if (length > 0 && (length != 1 || *at != '.')) {
            if (to > rest)
                *to++ = '/';
            memmove(to, at, length);
            to += length;
        }
        at = next;
    }
    *to = '\0';
}

// The folder of the first `length` bytes of a path, if it is there.
static bool find_folder(struct place *place, const char *path, size_t length)
{
    char *folder = length == 0 ? mem_dup(".") : mem_format("%.*s", (int)length, path);
    struct stat about;
    bool is_there = stat(folder, &about) == 0;

    free(folder);
    if (is_there) {
        place->device = about.st_dev;
        place->folder = about.st_ino;
        place->rest = mem_dup(path + length);
    }
    return is_there;
}

// A link is followed, as whoever reads or writes the file does. Two names of one file are two: an output takes a name, and leaves the file alone.
static void find_place(struct place *place, const char *path, size_t item)
{
    char resolved[PATH_MAX];
    struct stat about;
    size_t length;

    *place = (struct place){.item = item};
    if (lstat(path, &about) == 0 && S_ISLNK(about.st_mode) && realpath(path, resolved))
        path = resolved;
    length = strlen(path);
    do
        while (length > 0 && path[--length] != '/')
            ;
    while (!find_folder(place, path, length + (path[length] == '/')) && length > 0);
    if (!place->rest)
        place->rest = mem_dup(path);
    tidy(place->rest);
}

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->folder != y->folder)
        return x->folder < y->folder ? -1 : 1;
    return strcmp(x->rest, y->rest);
}

static int by_place_and_item(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = by_place(a, b);

    return order ? order : x->item < y->item ? -1 : 1;
}

// The first of several.
static const struct place *find(const struct place *places, size_t count, const struct place *wanted)
{
    size_t from = 0, to = count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (by_place(&places[middle], wanted) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from < count && by_place(&places[from], wanted) == 0 ? &places[from] : NULL;
}

// The places of all inputs, or of all outputs, sorted.
static struct place *find_places(const struct batch_list *list, bool outputs, size_t *count)
{
    struct place *places = mem_zalloc((list->count + 1) * sizeof(*places));

    *count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const char *path = outputs ? list->items[i].output : list->items[i].input;

        if (path)
            find_place(&places[(*count)++], path, i);
    }
    qsort(places, *count, sizeof(*places), by_place_and_item);
    return places;
}

static void free_places(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(places[i].rest);
    free(places);
}

void batch_list_check(struct batch_list *list)
{
    size_t output_count, input_count;
    struct place *outputs = find_places(list, true, &output_count), *inputs = find_places(list, false, &input_count);

    for (size_t i = 0; i < output_count; i++) {
        struct batch_item *item = &list->items[outputs[i].item];
        const struct place *first = find(outputs, output_count, &outputs[i]), *input = find(inputs, input_count, &outputs[i]);

        // Of its own input it is told when that is opened.
        while (input && input->item == outputs[i].item)
            input = input + 1 < inputs + input_count && by_place(input + 1, input) == 0 ? input + 1 : NULL;
        if (item->problem)
            continue;
        if (first->item != outputs[i].item)
            item->problem = mem_format("its output would be that of %s, too: %s", list->items[first->item].input, item->output);
        else if (input)
            item->problem = mem_format("its output is the input of another job: %s", item->output);
    }
    free_places(outputs, output_count);
    free_places(inputs, input_count);
}

void batch_list_clear(struct batch_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct batch_item *item = &list->items[i];

        free(item->input);
        free(item->output);
        for (size_t j = 0; j < item->option_count; j++)
            free(item->options[j]);
        free(item->options);
        free(item->problem);
    }
    free(list->items);
    *list = (struct batch_list){0};
}
