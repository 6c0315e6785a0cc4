// A job in one word: all that the bytes of its output depend on, but for the input itself. Batches and jobs that were killed know by it whether an
// output is the one that they would make. BLAKE2b, 128 bits. Looks at the disk; any thread.
#ifndef RENDERFARM_JOB_KEY_H
#define RENDERFARM_JOB_KEY_H

#include "options.h"

#include <stdint.h>

enum { JOB_KEY_TEXT = 33 }; // hexadecimal, with its end

// All options that the bytes of an output depend on, with size and time of change of the files that they name, but for those that the job writes
// itself; and of an input of numbered pictures how many they are (0: it is none) and how long all together, because one that is taken away leaves no
// time of change.
void job_key(const struct options *options, uint64_t pictures, uint64_t bytes, char key[JOB_KEY_TEXT]);

#endif
