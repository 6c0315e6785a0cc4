// What a coordinator and its nursery (coordinator/nursery.h, renderer/nursery.h) say to each other, over a pair of SOCK_SEQPACKET sockets. The
// coordinator asks for a renderer with a message of what sets it apart (struct birth_wish), and two descriptors: what will be its standard input and
// its standard error. Each renderer says who it is (struct birth) before it does anything else. Both ends close when nothing more is to be said.
#ifndef RENDERFARM_BIRTH_H
#define RENDERFARM_BIRTH_H

#include <stdint.h>

enum { BIRTH_DESCRIPTORS = 2, BIRTH_ENDPOINT = 128 /* more than a socket's path can be */, BIRTH_MOST_THREADS = 1024 };

// A renderer that is started by itself is told the same by its arguments. All bytes are set.
struct birth_wish {
    uint32_t slot;
    int32_t threads, verbosity;
    char endpoint[BIRTH_ENDPOINT]; // to call; with its 0
};

struct birth {
    uint32_t slot, pid;
};

#endif
