#include "input_file.h"

#include "common/err.h"

#include <libavutil/error.h>

#include <errno.h>

void input_file_note(struct input_file *file, const char *path)
{
    file->known = stat(path, &file->about) == 0 && S_ISREG(file->about.st_mode);
}

int input_file_check(const struct input_file *file, const char *path, int read_error, char **why)
{
    struct stat now;

    if (read_error < 0 && read_error != AVERROR_EOF)
        return err_why(why, -EIO, "%s cannot be read to its end: %s; the same command goes on when it can", path, err_text(read_error));
    if (file->known && stat(path, &now) == 0 && now.st_dev == file->about.st_dev && now.st_ino == file->about.st_ino &&
        now.st_size < file->about.st_size)
        return err_why(why, -EIO, "%s became shorter while it was read; what is missing would be missing in the output", path);
    return 0;
}
