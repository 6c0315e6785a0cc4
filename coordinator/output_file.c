#include "output_file.h"

#include "common/err.h"
#include "common/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

// The folder of a file; "/" of "/x", "." of "x".
static char *folder_of(const char *path)
{
    size_t length = (size_t)(base_name(path) - path);

    if (length == 0)
        return mem_dup(".");
    return mem_format("%.*s", length == 1 ? 1 : (int)(length - 1), path);
}

int output_file_check(struct output_file *f, const char *path, const char *input, bool overwrite, char **why)
{
    struct stat output_stat, input_stat, folder_stat;
    char resolved[PATH_MAX];
    bool exists;

    memset(f, 0, sizeof(*f));
    f->fd = -1;
    f->path = mem_dup(path);
    f->overwrite = overwrite;
    exists = stat(path, &output_stat) == 0;
    // A link is followed, as if it were opened for writing: the rename must not replace the link itself.
    f->target = mem_dup(exists && realpath(path, resolved) ? resolved : path);
    f->folder = folder_of(f->target);

    if (*base_name(path) == '\0')
        return err_why(why, -EISDIR, "%s: the output must be a file, this is a folder", path);
    if (strlen(base_name(path)) > NAME_MAX)
        return err_why(why, -ENAMETOOLONG, "%s: %s", path, err_text(-ENAMETOOLONG));
    if (!exists && lstat(path, &output_stat) == 0 && S_ISLNK(output_stat.st_mode))
        return err_why(why, -ENOENT, "%s: is a link to nothing, and stays one; name the file that it is to lead to, or remove it", path);
    if (exists && S_ISDIR(output_stat.st_mode))
        return err_why(why, -EISDIR, "%s: the output must be a file, this is a folder", path);
    if (exists && !S_ISREG(output_stat.st_mode))
        return err_why(why, -EINVAL, "%s: the output must be an ordinary file, and this is none", path);
    if (exists && stat(input, &input_stat) == 0 && output_stat.st_dev == input_stat.st_dev && output_stat.st_ino == input_stat.st_ino)
        return err_why(why, -EINVAL, "%s: the output is the input itself; choose another name", path);
    if (exists && !overwrite)
        return err_why(why, -EEXIST, "%s: exists already; use --overwrite (-y) to replace it", path);
    if (stat(f->folder, &folder_stat) < 0) {
        int err = -errno;

        return err == -ENOENT ? err_why(why, err, "%s: there is no folder %s; make it first", path, f->folder)
                              : err_why(why, err, "%s: the folder %s: %s", path, f->folder, err_text(err));
    }
    if (!S_ISDIR(folder_stat.st_mode))
        return err_why(why, -ENOTDIR, "%s: %s is not a folder", path, f->folder);
    if (access(f->folder, W_OK | X_OK) < 0) {
        int err = -errno;

        return err_why(why, err, "%s: the folder %s cannot be written to: %s", path, f->folder, err_text(err));
    }
    return 0;
}

int output_file_writable(const char *path)
{
    struct stat about;
    char *folder;
    int err;

    if (stat(path, &about) == 0)
        return S_ISDIR(about.st_mode) ? -EISDIR : access(path, W_OK) < 0 ? -errno : 0;
    folder = folder_of(path);
    err = access(folder, W_OK | X_OK) < 0 ? -errno : 0;
    free(folder);
    return err;
}

bool output_file_is_same(const char *one, const char *other)
{
    struct stat a, b;
    bool there = stat(one, &a) == 0, other_there = stat(other, &b) == 0, same;
    char *folder, *other_folder;

    if (there != other_there)
        return false;
    if (there)
        return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    if (strcmp(base_name(one), base_name(other)) != 0)
        return false;
    folder = folder_of(one);
    other_folder = folder_of(other);
    same =
        strcmp(folder, other_folder) == 0 || (stat(folder, &a) == 0 && stat(other_folder, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
    free(folder);
    free(other_folder);
    return same;
}

static char *temporary_name(const struct output_file *f)
{
    // NAME_MAX is for the whole name: of a very long one the beginning will do.
    return mem_format("%s/.%.200s.renderfarm-%ld.part", f->folder, base_name(f->target), (long)getpid());
}

// ".NAME.renderfarm-123.part" of the same NAME.
static bool is_temporary(const struct output_file *f, const char *name)
{
    char *prefix = mem_format(".%.200s.renderfarm-", base_name(f->target));
    size_t length = strlen(prefix), digits;
    bool yes = strncmp(name, prefix, length) == 0;

    free(prefix);
    digits = yes ? strspn(name + length, "0123456789") : 0;
    return digits > 0 && strcmp(name + length + digits, ".part") == 0;
}

// Whoever writes one keeps it locked; a killed process does not any more.
static void remove_left_overs(const struct output_file *f)
{
    DIR *dir = opendir(f->folder);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        int fd = *entry->d_name == '.' && is_temporary(f, entry->d_name)
                     ? openat(dirfd(dir), entry->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                     : -1;

        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
        close(fd);
    }
    if (dir)
        closedir(dir);
}

int output_file_create(struct output_file *f, char **why)
{
    int err;

    remove_left_overs(f);
    f->fd = open(f->folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0666);
    if (f->fd >= 0) {
        flock(f->fd, LOCK_EX | LOCK_NB); // for the moment in which it may have a temporary name
        return 0;
    }
    f->temporary = temporary_name(f);
    f->fd = open(f->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (f->fd >= 0) {
        flock(f->fd, LOCK_EX | LOCK_NB);
        return 0;
    }
    err = -errno;
    free(f->temporary);
    f->temporary = NULL;
    return err_why(why, err, "%s: cannot write in the folder %s: %s", f->path, f->folder, err_text(err));
}

// Gives a file without a name one. linkat() never replaces, so a file that is to be replaced needs the detour over the temporary name.
static int give_name(struct output_file *f, const char *name)
{
    char self[64];

    snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    return 0;
}

static int move_to_target(struct output_file *f)
{
    int err;

    if (!f->temporary && !f->overwrite)
        return give_name(f, f->target);
    if (!f->temporary) {
        char *name = temporary_name(f);

        unlink(name); // of an earlier process with our number
        err = give_name(f, name);
        if (err < 0) {
            free(name);
            return err;
        }
        f->temporary = name;
    }
    if (!f->overwrite && renameat2(AT_FDCWD, f->temporary, AT_FDCWD, f->target, RENAME_NOREPLACE) == 0)
        return 0;
    if (!f->overwrite && errno != EINVAL && errno != ENOSYS)
        return -errno;
    return rename(f->temporary, f->target) < 0 ? -errno : 0;
}

int output_file_publish(struct output_file *f, const struct finished *finished, char **why)
{
    int err = 0, folder;

    if (fsync(f->fd) < 0) {
        err = -errno;
        err_why(why, err, "%s: cannot write: %s", f->path, err_text(err));
        goto fail;
    }
    if (finished)
        finished_note(finished, f->fd);
    err = move_to_target(f);
    if (err == -EEXIST) {
        err_why(why, err, "%s: somebody else made this file meanwhile; use --overwrite (-y) to replace it", f->path);
        goto fail;
    }
    if (err < 0) {
        err_why(why, err, "%s: cannot give the finished file its name: %s", f->path, err_text(err));
        goto fail;
    }
    free(f->temporary);
    f->temporary = NULL;
    close(f->fd);
    f->fd = -1;
    // The name lasts once the folder is on disk. Some network file systems cannot do this; the file itself is safe by now.
    folder = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        if (fsync(folder) < 0 && errno == EIO)
            err = err_why(why, -EIO, "%s: cannot write the folder: %s", f->path, err_text(-EIO));
        close(folder);
    }
    return err;

fail:
    output_file_clear(f);
    return err;
}

void output_file_clear(struct output_file *f)
{
    if (f->fd >= 0 && f->path)
        close(f->fd);
    if (f->temporary)
        unlink(f->temporary);
    free(f->path);
    free(f->target);
    free(f->folder);
    free(f->temporary);
    memset(f, 0, sizeof(*f));
    f->fd = -1;
}
