#include "fonts.h"

#include "mem.h"

#include <sodium.h>

#include <dirent.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MOST_FILES = 100000, // of all folders, so that a link to / costs no more than that
    MOST_CONFIGURATIONS = 500,
    CONFIGURATION_BYTES = 1 << 20,
};

struct fonts {
    crypto_generichash_state hash;
    bool for_hosts;
    const char *root, *home; // "" where there is none
    unsigned files, configurations;
};

static void add_text(struct fonts *f, const char *text)
{
    crypto_generichash_update(&f->hash, (const unsigned char *)(text ? text : "\xff"), (text ? strlen(text) : 1) + 1);
}

static void add_file(struct fonts *f, const FTSENT *entry)
{
    const struct stat *about = entry->fts_statp;
    int64_t facts[] = {about->st_size, f->for_hosts ? 0 : about->st_mtim.tv_sec, f->for_hosts ? 0 : about->st_mtim.tv_nsec};

    add_text(f, f->for_hosts ? entry->fts_name : entry->fts_path);
    crypto_generichash_update(&f->hash, (const unsigned char *)facts, sizeof(facts));
    f->files++;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

// With all below it, links followed; as fontconfig does, names that begin with a dot are left out. One that is not there is nothing.
static void add_folder(struct fonts *f, const char *path)
{
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *walk = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    FTSENT *entry;

    while (walk && (entry = fts_read(walk)) && f->files < MOST_FILES) {
        if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
            fts_set(walk, entry, FTS_SKIP);
        } else if (entry->fts_info == FTS_F) {
            add_file(f, entry);
        }
    }
    if (walk)
        fts_close(walk);
}

static void add_configuration(struct fonts *f, const char *path);

static int is_configuration(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static void add_configurations(struct fonts *f, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_configuration, alphasort);

    for (int i = 0; i < count; i++) {
        char *path = mem_format("%s/%s", folder, entries[i]->d_name);

        add_configuration(f, path);
        free(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

typedef void (*add_place)(struct fonts *f, const char *path);

// base, below it, path; as it is where there is no base.
static void add_below(struct fonts *f, const char *base, const char *path, add_place add)
{
    char *whole;

    if (base && !*base)
        return;
    whole = base ? mem_format("%s/%s", base, path) : mem_format("%s%s", f->root, path);
    add(f, whole);
    free(whole);
}

// A path of the configuration: what it is relative to is said by an attribute, or by its kind. All that it may be is not much more.
static void add_named(struct fonts *f, const char *path, const char *configuration, add_place add)
{
    static const char *const xdg[][2] = {{"XDG_DATA_HOME", ".local/share"}, {"XDG_CONFIG_HOME", ".config"}};
    const char *slash = strrchr(configuration, '/');
    char *folder;

    if (*path == '/') {
        add_below(f, NULL, path, add);
        return;
    }
    if (*path == '~') {
        add_below(f, f->home, path + 1, add);
        return;
    }
    folder = mem_format("%.*s", slash ? (int)(slash - configuration) : 0, configuration);
    add_below(f, folder, path, add);
    free(folder);
    for (size_t i = 0; i < sizeof(xdg) / sizeof(xdg[0]); i++) {
        char *standard = mem_format("%s/%s", f->home, xdg[i][1]);

        add_below(f, getenv(xdg[i][0]) ? getenv(xdg[i][0]) : standard, path, add);
        free(standard);
    }
}

static void add_files_or_folder(struct fonts *f, const char *path)
{
    struct stat about;

    if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        add_configurations(f, path);
    else
        add_configuration(f, path);
}

// What stands in elements of that name, comments or not.
static void add_elements(struct fonts *f, const char *text, const char *name, const char *configuration, add_place add)
{
    size_t length = strlen(name);

    while ((text = strchr(text, '<'))) {
        const char *from = strchr(++text, '>');

        if (from && strncmp(text, name, length) == 0 && strchr(" \t\r\n>", text[length])) {
            size_t blanks = strspn(++from, " \t\r\n"), size = strcspn(from + blanks, "<");
            char *path;

            while (size > 0 && strchr(" \t\r\n", from[blanks + size - 1]))
                size--;
            path = mem_format("%.*s", (int)size, from + blanks);
            if (size > 0)
                add_named(f, path, configuration, add);
            free(path);
        }
    }
}

static void add_configuration(struct fonts *f, const char *path)
{
    FILE *file = f->configurations < MOST_CONFIGURATIONS ? fopen(path, "re") : NULL;
    char *text;
    size_t size;

    if (!file)
        return;
    f->configurations++; // one that includes itself comes to its end, too
    text = mem_zalloc(CONFIGURATION_BYTES + 1);
    size = fread(text, 1, CONFIGURATION_BYTES, file);
    fclose(file);
    if (!f->for_hosts)
        add_text(f, path);
    crypto_generichash_update(&f->hash, (const unsigned char *)text, size);
    add_elements(f, text, "dir", path, add_folder);
    add_elements(f, text, "include", path, add_files_or_folder);
    free(text);
}

// Where fontconfig looks for its first file. It takes one; all are few. Without any it knows where fonts mostly are.
static void add_first_configurations(struct fonts *f)
{
    const char *file = getenv("FONTCONFIG_FILE"), *listed = getenv("FONTCONFIG_PATH"), *name = file && *file ? file : "fonts.conf";
    char *places = mem_dup(listed ? listed : ""), *rest = places, *place;

    if (*name == '/') {
        add_below(f, NULL, name, add_configuration);
    } else {
        while ((place = strsep(&rest, ":")))
            add_below(f, place, name, add_configuration);
        place = mem_format("/etc/fonts/%s", name);
        add_below(f, NULL, place, add_configuration);
        free(place);
    }
    free(places);
}

static void sum_up(uint8_t sum[FONTS_SUM_BYTES], bool for_hosts)
{
    static const char *const variables[] = {"FONTCONFIG_FILE", "FONTCONFIG_PATH", "FONTCONFIG_SYSROOT", "FC_LANG", "LC_ALL", "LC_CTYPE", "LANG"};
    const char *root = getenv("FONTCONFIG_SYSROOT"), *home = getenv("HOME");
    struct fonts f = {.for_hosts = for_hosts, .root = root ? root : "", .home = home ? home : ""};

    crypto_generichash_init(&f.hash, NULL, 0, FONTS_SUM_BYTES);
    for (size_t i = 0; !for_hosts && i < sizeof(variables) / sizeof(variables[0]); i++)
        add_text(&f, getenv(variables[i]));
    add_first_configurations(&f);
    if (f.configurations == 0) {
        add_below(&f, NULL, "/usr/share/fonts", add_folder);
        add_below(&f, NULL, "/usr/local/share/fonts", add_folder);
        add_below(&f, f.home, ".local/share/fonts", add_folder);
        add_below(&f, f.home, ".fonts", add_folder);
    }
    crypto_generichash_final(&f.hash, sum, FONTS_SUM_BYTES);
}

void fonts_sum_up(uint8_t sum[FONTS_SUM_BYTES])
{
    sum_up(sum, false);
}

void fonts_sum_up_for_hosts(uint8_t sum[FONTS_SUM_BYTES])
{
    sum_up(sum, true);
}
