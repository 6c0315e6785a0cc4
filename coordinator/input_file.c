#include "input_file.h"

#include "common/err.h"

#include <libavutil/error.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_BYTES = 64 << 10 };

// What a file begins with; how many bytes of it there were, at most `most`.
static size_t hash_head(const char *path, size_t most, uint8_t hash[INPUT_FILE_HASH])
{
    uint8_t bytes[HEAD_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? pread(fd, bytes, most, 0) : -1;

    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return 0;
    crypto_generichash(hash, INPUT_FILE_HASH, bytes, (size_t)size, NULL, 0);
    return (size_t)size;
}

bool input_file_is_same(const struct stat *before, const struct stat *after)
{
    return before->st_dev == after->st_dev && before->st_ino == after->st_ino;
}

bool input_file_was_written(const struct stat *before, const struct stat *after)
{
    return before->st_size != after->st_size || before->st_mtim.tv_sec != after->st_mtim.tv_sec || before->st_mtim.tv_nsec != after->st_mtim.tv_nsec;
}

void input_file_note(struct input_file *file, const char *path)
{
    file->known = stat(path, &file->about) == 0 && S_ISREG(file->about.st_mode);
    file->head_bytes = file->known ? hash_head(path, HEAD_BYTES, file->head) : 0;
}

static bool begins_otherwise(const struct input_file *file, const char *path)
{
    uint8_t head[INPUT_FILE_HASH];

    return file->head_bytes > 0 && (hash_head(path, file->head_bytes, head) != file->head_bytes || memcmp(head, file->head, sizeof(head)) != 0);
}

int input_file_check(const struct input_file *file, const char *path, int read_error, char **why)
{
    struct stat now;

    if (read_error < 0 && read_error != AVERROR_EOF)
        return err_why(why, -EIO, "%s cannot be read to its end: %s; the same command goes on when it can", path, err_text(read_error));
    if (!file->known || stat(path, &now) < 0 || !input_file_is_same(&file->about, &now))
        return 0;
    if (now.st_size < file->about.st_size)
        return err_why(why, -EIO, "%s became shorter while it was read; what is missing would be missing in the output", path);
    // One that grows is still the same as far as it was there.
    if (input_file_was_written(&file->about, &now) && begins_otherwise(file, path))
        return err_why(why, -EIO, "%s was written anew while it was read; the output would be a mixture of both", path);
    return 0;
}
