// Whether a file that takes long to read stays what it was. Blocks on the disk. Any thread.
#ifndef RENDERFARM_INPUT_FILE_H
#define RENDERFARM_INPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { INPUT_FILE_HASH = 32 };

struct input_file {
    bool known; // false for what is no regular file
    struct stat about;
    bool sampled;                     // else it could not be read
    uint8_t content[INPUT_FILE_HASH]; // of its head, and of samples of the rest
};

// Of two looks at one name: whether the same file is there, and whether it has been written in between, as far as its length and time tell. Pure.
bool input_file_is_same(const struct stat *before, const struct stat *after);
bool input_file_was_written(const struct stat *before, const struct stat *after);

// Behind an open by name, with what there was when the job began (NULL: not known): -EIO, with one sentence, when another file has got the name
// since. What one job opens several times has to be one file.
int input_file_expect(const struct stat *noted, const char *path, char **why);

void input_file_note(struct input_file *file, const char *path);
// After it was read. read_error: of the last read, a negative errno or AVERROR_EOF or 0. Returns -EIO, with one sentence, when something of the file
// could not be read, has gone since it was noted, or is another one now. One that grows, a recording say, may do so: it is the same as long as what
// was there is, as far as samples tell. Who has put another file in its place has done no harm: the one that is open is still whole.
int input_file_check(const struct input_file *file, const char *path, int read_error, char **why);

#endif
