// On a host that works for a coordinator elsewhere nobody else looks after its renderers: this does. It starts so many processes, starts another one
// for each that crashes, tells the next one how the last one ended, and passes SIGTERM and its like on. Reads nothing that comes over the network.
// One thread; before any other has been started.
#ifndef RENDERFARM_KEEPER_H
#define RENDERFARM_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

// Exit statuses of a renderer. A plugin that ends its process has a status too, 0 or 1 mostly, and nobody means these by it.
enum {
    KEEPER_LEFT = 74,   // it was told to leave, or that there is nothing to do
    KEEPER_AGAIN = 75,  // another one would fare better
    KEEPER_FAILED = 76, // another one would not
};

struct keeper_place {
    uint32_t slot;     // 0, 1, 2...
    uint64_t place;    // random: tells the coordinator who takes whose place
    const char *ended; // how the one before ended ("was ended by signal 11 (Segmentation fault)"); NULL: there was none
    bool killed;       // that was somebody's wish
    bool *welcomed;    // to be set once a coordinator has welcomed it
};

// Returns twice: true in each renderer, with its place; false in the keeper, once all have ended and none is to follow, with the exit status: 0, or 1
// when one of them failed. Who crashes again and again, or for wait_s, and is never welcomed is given up.
bool keeper_run(int renderers, double wait_s, struct keeper_place *place, int *status);

#endif
