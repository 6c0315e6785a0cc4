// How much may wait in this process's memory, in bytes. Whoever brings more waits, in the file or in a renderer.
#ifndef RENDERFARM_ROOM_H
#define RENDERFARM_ROOM_H

#include <stddef.h>

struct room {
    size_t shelf;    // input packets, with those that renderers have and that are kept for another
    size_t ahead;    // ... but what many renderers have is more than that, and they need the next all the same
    size_t assembly; // results that wait for their turn
    size_t spare;    // what second renderers of segments have sent
    size_t write;    // results on their way to the disk
};

// The same at all times.
const struct room *room(void);

#endif
