#include "input_file.h"

#include "common/err.h"

#include <libavutil/error.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 64 << 10,
    SAMPLES = 64, // behind the head, as far as the file went when it was noted
    SAMPLE_BYTES = 4 << 10,
};

static bool add_part(crypto_generichash_state *state, int fd, off_t from, size_t size)
{
    uint8_t bytes[HEAD_BYTES];

    if (pread(fd, bytes, size, from) != (ssize_t)size)
        return false;
    crypto_generichash_update(state, bytes, size);
    return true;
}

// The head of a file and samples of the rest of its first `size` bytes, the last ones among them. False: they cannot be read.
static bool hash_content(const char *path, off_t size, uint8_t hash[INPUT_FILE_HASH])
{
    size_t head = size < HEAD_BYTES ? (size_t)size : HEAD_BYTES;
    off_t room = size - (off_t)head - SAMPLE_BYTES;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    crypto_generichash_state state;
    bool read;

    if (fd < 0)
        return false;
    crypto_generichash_init(&state, NULL, 0, INPUT_FILE_HASH);
    read = add_part(&state, fd, 0, head);
    if (room < 0 && size > HEAD_BYTES)
        read = read && add_part(&state, fd, HEAD_BYTES, (size_t)(size - HEAD_BYTES));
    for (int i = 0; room >= 0 && i < SAMPLES && read; i++)
        read = add_part(&state, fd, (off_t)head + room * i / (SAMPLES - 1), SAMPLE_BYTES);
    close(fd);
    crypto_generichash_final(&state, hash, INPUT_FILE_HASH);
    return read;
}

bool input_file_is_same(const struct stat *before, const struct stat *after)
{
    return before->st_dev == after->st_dev && before->st_ino == after->st_ino;
}

bool input_file_was_written(const struct stat *before, const struct stat *after)
{
    return before->st_size != after->st_size || before->st_mtim.tv_sec != after->st_mtim.tv_sec || before->st_mtim.tv_nsec != after->st_mtim.tv_nsec;
}

int input_file_expect(const struct stat *noted, const char *path, char **why)
{
    struct stat now;

    if (!noted || stat(path, &now) < 0 || input_file_is_same(noted, &now))
        return 0;
    return err_why(why, -EIO, "%s has become another file since the job began; the output would be a mixture of both", path);
}

void input_file_note(struct input_file *file, const char *path)
{
    file->known = stat(path, &file->about) == 0 && S_ISREG(file->about.st_mode);
    file->sampled = file->known && hash_content(path, file->about.st_size, file->content);
}

static bool differs(const struct input_file *file, const char *path)
{
    uint8_t content[INPUT_FILE_HASH];

    return file->sampled && (!hash_content(path, file->about.st_size, content) || memcmp(content, file->content, sizeof(content)) != 0);
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
    // One that does not grow was written into, wherever that was.
    if (input_file_was_written(&file->about, &now) && (now.st_size == file->about.st_size || differs(file, path)))
        return err_why(why, -EIO, "%s was written anew while it was read; the output would be a mixture of both", path);
    return 0;
}
