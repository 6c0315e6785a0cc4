// A file that appears under its name only when it is whole. It is written without a name where the file system can do that, so that not even a killed
// process leaves anything behind; elsewhere under ".NAME.renderfarm-PID.part" in the same folder. Blocks; one thread at a time.
#ifndef RENDERFARM_OUTPUT_FILE_H
#define RENDERFARM_OUTPUT_FILE_H

#include "finished.h"

#include <stdbool.h>

struct output_file {
    char *path;      // as the user sees it
    char *target;    // path with symbolic links followed
    char *folder;    // of target
    char *temporary; // NULL while the file has no name
    bool overwrite;
    int fd; // -1: not open
};

// Zeroes the struct first, writes nothing. -EEXIST if it is there and overwrite is not set, -EINVAL if it is the input, or another code; *why is one
// sentence.
int output_file_check(struct output_file *file, const char *path, const char *input, bool overwrite, char **why);
// Creates it, and removes what killed processes left of the same file. fd is open for reading and writing.
int output_file_create(struct output_file *file, char **why);
// Syncs, leaves the word (NULL: none), gives the file its name and syncs the folder. On failure the file is gone.
int output_file_publish(struct output_file *file, const struct finished *finished, char **why);
// 0, or why no file of that name can be written, as far as that can be told without doing it.
int output_file_writable(const char *path);
// Whether both names are those of one file, or would be if it was there. Devices and pipes may have several uses.
bool output_file_is_same(const char *one, const char *other);
// Removes what was not published. Always leaves a zeroed struct.
void output_file_clear(struct output_file *file);

#endif
