// Files and fonts that a job names and does not carry: whether another host has the same. What one host has not at all its filters will find out;
// what is there and is another one they would take without a word. Blocks on the disk. Any thread.
#ifndef RENDERFARM_SIDE_FILES_H
#define RENDERFARM_SIDE_FILES_H

#include "common/protocol.pb-c.h"

// The file goes into the job as it is here; nothing happens when it cannot be read, or is there already. *named_files grows; its entries and the list
// are from malloc.
void side_files_add(Wire__Job *job, const char *path);
void side_files_add_fonts(Wire__Job *job);
// Frees what the two have put there.
void side_files_clear(Wire__Job *job);

// On another host: 0, or -EINVAL and one sentence in *why when something is there and is not the same.
int side_files_check(const Wire__Job *job, char **why);

#endif
