// Renderers that are made up, and what the files that make them up share: renderers.c has them come and go, network.c carries messages, words.c has
// what they say, work.c what they hear and do, and frames.c what becomes of frames. Nobody else includes this.
#ifndef TESTS_SIMULATION_RENDERERS_H
#define TESTS_SIMULATION_RENDERERS_H

#include "world.h"

#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <zmq.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
    unsigned number;
    uint64_t value;
    bool core;
};

struct known_job {
    uint32_t id;
    const struct video *video;
    bool takes, gives, lent;
    uint32_t first, count; // slots
    struct filter filters[MOST_FILTERS];
    unsigned filter_count;
    bool windows, copies;
};

struct renderer_process {
    struct renderer_process *next;
    uint32_t slot, pid;
    char identity[32];
    bool alive, hung, dying, greeted;
    uint64_t start_tick;
    uint64_t nearest_in_ns, nearest_out_ns; // messages arrive in order
    unsigned slowness;

    struct known_job said, job; // the last one that it was told; the one that it works with, which is that when a task begins
    const char *chain;          // that it has locked itself in for; NULL: none yet

    // The task.
    bool busy, probing, working, input_ended, last_sent;
    uint32_t task_job, segment, attempt, taker, credit, out_sequence, in_sequence, unsaid;
    uint64_t told_ns; // of chunks that it has begun with
    int64_t keep_from, keep_to;
    struct chunk_list input;
    struct ahead { // the one to follow
        bool there, cancelled;
        struct known_job said;
        Wire__Task task; // but for what it points to
        struct chunk_list input;
    } ahead;
    struct frame *frames;
    size_t frame_count, frame_room, filtered, given;
    uint64_t packets;
    uint64_t states[MOST_FILTERS];
};

// renderers.c
struct renderer_process *renderers_by_identity(const char *identity);
void renderers_end(struct renderer_process *r, int signal); // in a moment; 0: by itself

// network.c
void network_say(struct renderer_process *r, const Wire__Message *message);
void network_say_chunk(struct renderer_process *r, const struct chunk *chunk);

// words.c: of the task that it has.
void words_hello(struct renderer_process *r);
void words_probed(struct renderer_process *r);
void words_credit(struct renderer_process *r); // for the chunk that it begins with, when it is time
void words_done(struct renderer_process *r);
void words_failed(struct renderer_process *r, int code, const char *reason);

// work.c
void work_hear(struct renderer_process *r, const Wire__Message *m, zmq_msg_t *payloads, size_t payload_count);
void work_clear(struct renderer_process *r); // drops what it was at, and what was to follow

// frames.c
void frames_take(struct renderer_process *r, const AVPacket *packet);
void frames_filter(struct renderer_process *r); // all that are there
bool frames_give(struct renderer_process *r);   // as a chunk, what is ready; false: there is nothing to send, or no room

#endif
