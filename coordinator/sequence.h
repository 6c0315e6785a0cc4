// Names of numbered pictures: a pattern such as "frames/%06d.png", with one number in the file's name, "%%" for a percent sign and the ending .png.
// Pure but for what reads a folder.
#ifndef RENDERFARM_SEQUENCE_H
#define RENDERFARM_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sequence_pattern {
    char *folder;         // "frames/", or "" for the current one
    char *before, *after; // of the file's name, without percent signs
    int digits;           // at least
    bool alone;           // no number: one picture
};

// Whether an output of this name is meant as numbered pictures; see sequence_parse for whether it can be.
bool sequence_is_output(const char *path);

// Zeroes the struct first; on failure (-EINVAL) it is cleared, and *why is one sentence.
int sequence_parse(struct sequence_pattern *pattern, const char *path, char **why);
// The same for a name that stands for one picture: a percent sign is one, and every number gives this name.
void sequence_parse_one(struct sequence_pattern *pattern, const char *path);
void sequence_clear(struct sequence_pattern *pattern);

// The file's name without its folder, and with it; free().
char *sequence_name(const struct sequence_pattern *pattern, int64_t number);
char *sequence_path(const struct sequence_pattern *pattern, int64_t number);
// The number that a name (without folder) was made of; false for names that were not.
bool sequence_number(const struct sequence_pattern *pattern, const char *name, int64_t *number);

// What a name stands for as an input: the files of a pattern, of a folder or of a glob (see pictures_is_input).
struct sequence_sum {
    size_t count;
    uint64_t bytes;
    int64_t oldest_ns, newest_ns; // when they were changed, ns since 1970; 0: there are none
};

// From number `from` on, where there are numbers. Blocks. -EINVAL: it stands for no pictures; or another negative errno.
int sequence_sum_up(struct sequence_sum *sum, const char *name, int64_t from);
// Whether the path leads to one of these files, by whatever way, or to one that would be among them. Blocks.
bool sequence_has(const char *name, const char *path);

// The numbers, from `from` on, of the files that are there, rising; free(). Blocks. 0 or a negative errno.
int sequence_list(const struct sequence_pattern *pattern, int64_t from, int64_t **numbers, size_t *count);

#endif
