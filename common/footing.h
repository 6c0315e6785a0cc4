// What a program takes for granted of whoever started it: the three standard descriptors, files that it may open, that signals get through, and that
// a write that fails says so instead of ending it; and that an end for want of memory is told, see mem.h. Before anything else is done.
#ifndef RENDERFARM_FOOTING_H
#define RENDERFARM_FOOTING_H

#include <stdbool.h>

// Opens /dev/null in place of a standard descriptor that is closed: the next file opened would take its number, and get what is printed. Raises a low
// limit of open files as far as it may. Returns that limit, or INT_MAX for more.
int footing_take(void);
// nohup: who started it wants it to go on when the terminal is gone. Any thread.
bool footing_ignores_hangup(void);

#endif
