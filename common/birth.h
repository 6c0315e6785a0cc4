// What a coordinator and its nursery (coordinator/nursery.h, renderer/nursery.h) say to each other, over a pair of SOCK_SEQPACKET sockets. The
// coordinator asks for a renderer with a message of its slot's number, a uint32_t, and two descriptors: what will be its standard input and its
// standard error. Each renderer says who it is before it does anything else. Both ends close when nothing more is to be said.
#ifndef RENDERFARM_BIRTH_H
#define RENDERFARM_BIRTH_H

#include <stdint.h>

enum { BIRTH_DESCRIPTORS = 2 };

struct birth {
    uint32_t slot, pid;
};

#endif
