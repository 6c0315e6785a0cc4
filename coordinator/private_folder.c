#include "private_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_BASE = 40, RANDOM_LETTERS = 6, MOST_TRIES = 10 };

static const char prefix[] = "renderfarm-hub."; // of nobody else's folders

static const char *base_folder(void)
{
    const char *base = getenv("TMPDIR");

    return base && *base && strlen(base) < LONGEST_BASE ? base : "/tmp";
}

// -1: there is none of that name, or it is not one that mkdtemp made for us.
static int open_folder(int base_fd, const char *name)
{
    int fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat about;

    if (fd >= 0 && fstat(fd, &about) == 0 && about.st_uid == geteuid() && (about.st_mode & 0777) == 0700)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static bool is_name_of_ours(const char *name)
{
    size_t length = strlen(prefix);

    return strncmp(name, prefix, length) == 0 && strlen(name) == length + RANDOM_LETTERS;
}

// A folder that is in the making and not locked yet may be taken away too; its maker notices and makes another.
static void remove_left_over(const char *base)
{
    DIR *dir = opendir(base);
    const struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        int fd = is_name_of_ours(entry->d_name) ? open_folder(dirfd(dir), entry->d_name) : -1;

        if (fd < 0)
            continue;
        // Nothing but its socket is ever in there; a folder with more in it stays.
        if (lock(fd) && (unlinkat(fd, "hub", 0) == 0 || errno == ENOENT))
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
        close(fd);
    }
    closedir(dir);
}

int private_folder_make(struct private_folder *folder)
{
    const char *base = base_folder();

    *folder = (struct private_folder){.lock_fd = -1};
    remove_left_over(base);
    for (int i = 0; i < MOST_TRIES; i++) {
        struct stat about;

        snprintf(folder->path, sizeof(folder->path), "%s/%sXXXXXX", base, prefix);
        if (!mkdtemp(folder->path)) // 0700
            return -errno;
        folder->lock_fd = open_folder(AT_FDCWD, folder->path);
        // A file system without locks is good enough: then nobody takes anything away there.
        if (folder->lock_fd >= 0 && (lock(folder->lock_fd) || errno != EWOULDBLOCK) && stat(folder->path, &about) == 0)
            return 0;
        if (folder->lock_fd >= 0)
            close(folder->lock_fd);
        folder->lock_fd = -1;
        rmdir(folder->path);
    }
    return -EAGAIN;
}

void private_folder_remove(struct private_folder *folder, const char *file)
{
    if (folder->lock_fd < 0)
        return;
    unlinkat(folder->lock_fd, file, 0);
    rmdir(folder->path);
    close(folder->lock_fd);
    *folder = (struct private_folder){.lock_fd = -1};
}
