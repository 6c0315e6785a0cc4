#include "cache_folder.h"

#include "common/mem.h"

#include <sodium.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ENTRY_NAME = CACHE_KEY_TEXT + 8, // with its zero
    TEMPORARY_LETTERS = 6,
    TEMPORARY_NAME = 5 + TEMPORARY_LETTERS + 1,
    MOST_TRIES = 20,
    SLACK = 16, // when the folder is full, this part of the limit is made free, so that not every entry that comes has to look through it
};

static const char entry_suffix[] = ".segment", temporary_prefix[] = ".tmp-", tag_name[] = "CACHEDIR.TAG";
static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                          "# This folder holds finished segments that renderfarm can make again. It may be removed at any time.\n"
                          "# About cache directory tags: https://bford.info/cachedir/\n";

struct cache_folder {
    char *path;
    int fd; // -1: not made yet
    bool own;
    uint64_t limit_bytes;
    uint64_t held_bytes; // of all entries: as of the last look, and what we have stored since
    struct cache_folder_counts counts;
};

struct cache_store {
    struct cache_key key;
    char name[TEMPORARY_NAME];
    FILE *file; // locked for as long as it is open
};

// Names.

static void entry_name(char name[ENTRY_NAME], const struct cache_key *key)
{
    cache_key_text(key, name);
    strcat(name, entry_suffix);
}

static bool is_entry(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    return digits == 2 * CACHE_KEY_BYTES && strcmp(name + digits, entry_suffix) == 0;
}

static bool is_temporary(const char *name)
{
    size_t length = strlen(temporary_prefix);

    return strncmp(name, temporary_prefix, length) == 0 && strspn(name + length, "abcdefghijklmnopqrstuvwxyz") == TEMPORARY_LETTERS &&
           strlen(name) == length + TEMPORARY_LETTERS;
}

static void temporary_name(char name[TEMPORARY_NAME])
{
    size_t length = strlen(temporary_prefix);

    strcpy(name, temporary_prefix);
    for (size_t i = 0; i < TEMPORARY_LETTERS; i++)
        name[length + i] = (char)('a' + randombytes_uniform(26));
    name[length + TEMPORARY_LETTERS] = '\0';
}

// Regular, and with the name itself, not behind a link.
static bool is_ordinary(int folder_fd, const char *name, struct stat *about)
{
    return fstatat(folder_fd, name, about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about->st_mode);
}

// A second descriptor: readdir must not move the place of the first, and closedir closes what it is given.
static DIR *list(int folder_fd)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

// Entries, least recently used first.

struct entry {
    char name[ENTRY_NAME];
    struct timespec used;
    uint64_t size_bytes;
};

static int by_use(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

// Reads all entries, free(), and their total.
static size_t list_entries(const struct cache_folder *f, struct entry **entries, uint64_t *total_bytes)
{
    DIR *dir = list(f->fd);
    const struct dirent *found;
    size_t count = 0, room = 0;

    *entries = NULL;
    *total_bytes = 0;
    while (dir && (found = readdir(dir))) {
        struct stat about;

        if (!is_entry(found->d_name) || !is_ordinary(f->fd, found->d_name, &about))
            continue;
        if (count == room) {
            room = room ? 2 * room : 64;
            *entries = mem_grow(*entries, room, sizeof(**entries));
        }
        (*entries)[count] = (struct entry){.used = about.st_mtim, .size_bytes = (uint64_t)about.st_size};
        memcpy((*entries)[count++].name, found->d_name, ENTRY_NAME);
        *total_bytes += (uint64_t)about.st_size;
    }
    if (dir)
        closedir(dir);
    return count;
}

static void make_room(struct cache_folder *f)
{
    struct entry *entries;
    size_t count;

    if (!f->limit_bytes || f->held_bytes <= f->limit_bytes)
        return;
    // Other programs may have stored and removed some meanwhile.
    count = list_entries(f, &entries, &f->held_bytes);
    if (f->held_bytes > f->limit_bytes) {
        qsort(entries, count, sizeof(*entries), by_use);
        for (size_t i = 0; i < count && f->held_bytes > f->limit_bytes - f->limit_bytes / SLACK; i++) {
            if (unlinkat(f->fd, entries[i].name, 0) == 0)
                f->counts.evicted++;
            else if (errno != ENOENT)
                continue;
            f->held_bytes -= entries[i].size_bytes;
        }
    }
    free(entries);
}

// Half-written files.

static bool lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

// Network file systems lock only what is open for writing.
static void remove_if_left_over(int folder_fd, const char *name)
{
    int fd = openat(folder_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat about;

    if (fd < 0)
        return;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && lock(fd))
        unlinkat(folder_fd, name, 0);
    close(fd);
}

static void remove_left_overs(const struct cache_folder *f)
{
    DIR *dir = list(f->fd);
    const struct dirent *found;

    while (dir && (found = readdir(dir)))
        if (is_temporary(found->d_name))
            remove_if_left_over(f->fd, found->d_name);
    if (dir)
        closedir(dir);
}

// A descriptor that is locked, or -errno. Another program that takes it for left over between the two calls has unlinked it by the time we lock it.
static int make_temporary(const struct cache_folder *f, char name[TEMPORARY_NAME])
{
    for (int i = 0; i < MOST_TRIES; i++) {
        struct stat about;
        int fd;

        temporary_name(name);
        fd = openat(f->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return -errno;
        // A file system without locks is good enough: then nobody takes anything away there.
        if ((lock(fd) || errno != EWOULDBLOCK) && fstat(fd, &about) == 0 && about.st_nlink > 0)
            return fd;
        close(fd);
    }
    return -EAGAIN;
}

// The folder.

static int open_folder(const struct cache_folder *f)
{
    int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (f->own ? O_NOFOLLOW : 0));

    // With O_DIRECTORY and O_NOFOLLOW a link is ENOTDIR or ELOOP, as the file system likes.
    return fd >= 0 ? fd : errno == ELOOP ? -ENOTDIR : -errno;
}

// -ENOENT when there is none yet.
static int find_folder(struct cache_folder *f)
{
    int fd = f->fd >= 0 ? f->fd : open_folder(f);

    if (fd < 0)
        return fd;
    f->fd = fd;
    return 0;
}

// Whether it could be made: the folder around it takes a new name.
static int check_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = !slash ? mem_dup(".") : mem_format("%.*s", slash == path ? 1 : (int)(slash - path), path);
    struct stat about;
    int err = 0;

    if (!*path)
        err = -ENOENT;
    else if (stat(parent, &about) < 0)
        err = -errno;
    else if (!S_ISDIR(about.st_mode))
        err = -ENOTDIR;
    else if (faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) < 0)
        err = -errno;
    free(parent);
    return err;
}

static void put_tag(int folder_fd)
{
    int fd = openat(folder_fd, tag_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    if (fd < 0)
        return;
    if (write(fd, tag, sizeof(tag) - 1) < 0)
        unlinkat(folder_fd, tag_name, 0); // a courtesy to backups, nothing more
    close(fd);
}

static int make_folder(struct cache_folder *f)
{
    bool made;
    int err;

    if (f->fd >= 0)
        return 0;
    made = mkdir(f->path, 0777) == 0;
    if (!made && errno != EEXIST)
        return -errno;
    err = find_folder(f);
    if (err >= 0 && made)
        put_tag(f->fd);
    return err;
}

static void forget_folder(struct cache_folder *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    f->held_bytes = 0;
}

// Behind a trailing slash a link would be followed.
static char *without_slashes(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return mem_format("%.*s", (int)length, path);
}

int cache_folder_open(struct cache_folder **result, const char *path, uint64_t limit_bytes, bool own)
{
    struct cache_folder *f;
    struct entry *entries;
    int err;

    *result = NULL;
    if (sodium_init() < 0)
        return -EIO;
    f = mem_zalloc(sizeof(*f));
    *f = (struct cache_folder){.path = without_slashes(path), .fd = -1, .own = own, .limit_bytes = limit_bytes};
    err = find_folder(f);
    if (err == -ENOENT) {
        err = check_parent(f->path);
    } else if (err >= 0 && faccessat(f->fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        err = -errno;
    } else if (err >= 0) {
        remove_left_overs(f);
        list_entries(f, &entries, &f->held_bytes);
        free(entries);
        make_room(f);
    }
    if (err < 0)
        cache_folder_close(&f);
    *result = f;
    return err;
}

void cache_folder_close(struct cache_folder **folder)
{
    if (!*folder)
        return;
    forget_folder(*folder);
    free((*folder)->path);
    free(*folder);
    *folder = NULL;
}

FILE *cache_folder_peek(struct cache_folder *f, const struct cache_key *key)
{
    char name[ENTRY_NAME];
    struct stat about;
    FILE *file = NULL;
    int fd;

    entry_name(name, key);
    // Another program may have made the folder since.
    fd = find_folder(f) >= 0 ? openat(f->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
        file = fdopen(fd, "r");
    if (!file && fd >= 0)
        close(fd);
    return file;
}

FILE *cache_folder_lookup(struct cache_folder *f, const struct cache_key *key)
{
    FILE *file = cache_folder_peek(f, key);

    if (!file) {
        f->counts.missed++;
        return NULL;
    }
    futimens(fileno(file), NULL); // somebody else's entry may stay as old as it is
    f->counts.found++;
    return file;
}

// The size of an entry, 0 when it is not there.
static uint64_t entry_bytes(const struct cache_folder *f, const char *name)
{
    struct stat about;

    return is_ordinary(f->fd, name, &about) ? (uint64_t)about.st_size : 0;
}

static void count_gone(struct cache_folder *f, uint64_t bytes)
{
    f->held_bytes -= bytes < f->held_bytes ? bytes : f->held_bytes;
}

void cache_folder_drop(struct cache_folder *f, const struct cache_key *key)
{
    char name[ENTRY_NAME];
    uint64_t bytes;

    if (f->fd < 0)
        return;
    entry_name(name, key);
    bytes = entry_bytes(f, name);
    if (unlinkat(f->fd, name, 0) < 0)
        return;
    count_gone(f, bytes);
    f->counts.dropped++;
}

int cache_folder_begin(struct cache_folder *f, const struct cache_key *key, struct cache_store **result)
{
    struct cache_store *store;
    int fd, err;

    *result = NULL;
    err = make_folder(f);
    if (err < 0)
        return err;
    store = mem_zalloc(sizeof(*store));
    store->key = *key;
    fd = make_temporary(f, store->name);
    if (fd == -ENOENT) {
        // Somebody has removed the folder.
        forget_folder(f);
        err = make_folder(f);
        fd = err < 0 ? err : make_temporary(f, store->name);
    }
    store->file = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (!store->file) {
        err = fd < 0 ? fd : -errno;
        if (fd >= 0) {
            unlinkat(f->fd, store->name, 0);
            close(fd);
        }
        free(store);
        return err;
    }
    *result = store;
    return 0;
}

FILE *cache_store_file(struct cache_store *store)
{
    return store->file;
}

static int put_to_disk(struct cache_folder *f, struct cache_store *store)
{
    char name[ENTRY_NAME];
    struct stat about;
    uint64_t replaced;

    if (ferror(store->file))
        return -EIO; // whoever wrote knows more
    if (fflush(store->file) != 0 || fsync(fileno(store->file)) < 0 || fstat(fileno(store->file), &about) < 0)
        return -errno;
    entry_name(name, &store->key);
    replaced = entry_bytes(f, name);
    if (renameat(f->fd, store->name, f->fd, name) < 0)
        return -errno;
    // The name lasts once the folder is on disk. Some network file systems cannot do this; then a power cut costs an entry.
    fsync(f->fd);
    count_gone(f, replaced);
    f->held_bytes += (uint64_t)about.st_size;
    f->counts.stored++;
    f->counts.stored_bytes += (uint64_t)about.st_size;
    return 0;
}

int cache_folder_commit(struct cache_folder *f, struct cache_store **store)
{
    int err = put_to_disk(f, *store);

    if (err < 0) {
        cache_folder_abort(f, store);
        return err;
    }
    fclose((*store)->file); // all is written
    free(*store);
    *store = NULL;
    make_room(f);
    return 0;
}

void cache_folder_abort(struct cache_folder *f, struct cache_store **store)
{
    if (!*store)
        return;
    if (f->fd >= 0)
        unlinkat(f->fd, (*store)->name, 0);
    fclose((*store)->file);
    free(*store);
    *store = NULL;
}

int cache_folder_remove(struct cache_folder *f)
{
    const struct dirent *found;
    struct stat about;
    DIR *dir;
    int err;

    if (!f->own)
        return 0;
    err = find_folder(f);
    if (err < 0)
        return err == -ENOENT ? 0 : err;
    dir = list(f->fd);
    while (dir && (found = readdir(dir))) {
        if (is_temporary(found->d_name))
            remove_if_left_over(f->fd, found->d_name);
        else if ((is_entry(found->d_name) || strcmp(found->d_name, tag_name) == 0) && is_ordinary(f->fd, found->d_name, &about))
            unlinkat(f->fd, found->d_name, 0);
    }
    if (dir)
        closedir(dir);
    // Last, because it tells why the others are there.
    if (is_ordinary(f->fd, CACHE_FOLDER_FINISHED, &about))
        unlinkat(f->fd, CACHE_FOLDER_FINISHED, 0);
    forget_folder(f);
    if (rmdir(f->path) < 0 && errno != ENOENT)
        err = errno == EEXIST ? -ENOTEMPTY : -errno;
    return err;
}

int cache_folder_remove_empty(struct cache_folder *f)
{
    return f->fd < 0 || cache_folder_entries(f) > 0 ? 0 : cache_folder_remove(f);
}

const struct cache_folder_counts *cache_folder_counts(const struct cache_folder *f)
{
    return &f->counts;
}

uint64_t cache_folder_entries(const struct cache_folder *f)
{
    struct entry *entries;
    uint64_t bytes;
    size_t count = f->fd >= 0 ? list_entries(f, &entries, &bytes) : 0;

    if (f->fd >= 0)
        free(entries);
    return count;
}
