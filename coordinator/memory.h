// How much memory there is for renderers, and whether it has run out. What is read from the kernel goes through pure parsers; the rest reads small
// files of /proc and /sys, which does not block. Loop thread.
#ifndef RENDERFARM_MEMORY_H
#define RENDERFARM_MEMORY_H

#include <stdint.h>

// Bytes that this machine, or the control group that this process is in, has; never 0.
uint64_t memory_of_machine(void);
// How many processes the kernel has ended so far because memory ran out; 0 where it does not say. Only the difference between two calls means
// anything.
uint64_t memory_kills(void);
// The number behind `name` in the text of /proc/vmstat or memory.events; 0 if it is not there.
uint64_t memory_count_in(const char *text, const char *name);
// How many renderers of such a size (bytes, the largest seen) may work at once within the budget, of which `taken` bytes are used otherwise: 1..wish.
unsigned memory_fits(uint64_t budget, uint64_t taken, uint64_t renderer, unsigned wish);

#endif
