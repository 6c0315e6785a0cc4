// A renderer that does nothing: it says what one has to say, and sends back the packets that it gets.
#ifndef TESTS_BENCH_NULL_RENDERER_H
#define TESTS_BENCH_NULL_RENDERER_H

#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <zmq.h>

#include <stdbool.h>

enum { NULL_RENDERER_STEP = 512 }; // of a frame's time; a second has 24 frames

struct null_renderer {
    void (*send)(void *data, zmq_msg_t *parts, size_t count); // takes the parts
    void *data;
    struct null_task {
        bool here, probing;
        uint32_t segment, attempt, next, credit;
        uint64_t packets;
        struct chunk_list out;
    } task, ahead; // the one at hand and the one to follow
};

// place 0: on the coordinator's host.
void null_renderer_hello(struct null_renderer *r, uint32_t slot, uint64_t place);

enum null_renderer_end { NULL_RENDERER_GOES_ON, NULL_RENDERER_ENDS, NULL_RENDERER_FAILED };
enum null_renderer_end null_renderer_hear(struct null_renderer *r, zmq_msg_t *parts, size_t count);

#endif
