// Renderers in virtual time, and what the files that make them up share: renderers.c has them come and go, work.c has them work, and post.c carries
// what they and the coordinator tell each other. Nobody else includes this.
#ifndef RENDERFARM_SIMULATE_RENDERERS_H
#define RENDERFARM_SIMULATE_RENDERERS_H

#include "virtual.h"

#include "common/chunk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A chunk of input on its way through a renderer.
struct intake_chunk {
    struct intake_chunk *next;
    uint64_t from;   // its first core frame, of the stage's input
    uint64_t frames; // core frames
    uint64_t done;   // of those
    uint32_t *slots; // to release, of all frames; NULL: none
    size_t slot_count;
    bool last;
};

struct known_job {
    bool takes, gives;
    uint32_t first_slot, slot_count;
    size_t frames_in_chunk;
};

struct task_at {
    uint32_t stage, segment, attempt;
};

enum process_state { PROCESS_STARTING, PROCESS_IDLE, PROCESS_WORKING, PROCESS_WAITS_INPUT, PROCESS_WAITS_CREDIT, PROCESS_WAITS_SLOT, PROCESS_GONE };

struct process {
    struct process *next;
    uint32_t slot, peer;
    unsigned host;
    enum process_state state;
    struct known_job job;

    // The task.
    struct task_at task;
    bool busy, probing, retrying, cancelled;
    uint64_t waits_since_ns; // for a slot; 0: it does not
    bool ended, closed;      // its input; its output, whose last chunk is made
    uint32_t credit, sequence;
    uint32_t unsaid; // chunks that it has begun with and given no credit for
    uint64_t told_ns;
    struct intake_chunk *first, **last;
    uint64_t step;         // frames that are being worked on
    struct chunk *open;    // what came of them and is not sent yet
    double open_bytes;     // of encoded packets, a part of a byte with them
    struct chunk_list out; // whole chunks
    uint64_t ready;        // raw frames that wait for a slot
    uint64_t ready_from;   // the first of them
    uint64_t packets;
    // The one to follow.
    struct ahead {
        bool there, cancelled;
        struct task_at task;
        struct intake_chunk *first, **last;
    } ahead;
};

// renderers.c
struct process *renderers_by_peer(uint32_t peer); // NULL: it is gone, or never was
void renderers_set_state(struct process *p, enum process_state state);
void renderers_leave(struct process *p);

// work.c. What is for another task than those that a renderer has is without effect.
void work_begin(struct process *p, const struct task_at *task, bool probing); // or lets it wait, if there is one
void work_on_chunk(struct process *p, uint32_t segment, uint32_t attempt, struct intake_chunk **chunk);
void work_on_credit(struct process *p, uint32_t segment, uint32_t attempt, uint32_t chunks);
void work_on_cancel(struct process *p, uint32_t segment, uint32_t attempt);
struct intake_chunk *work_intake(const struct stage *stage, const struct chunk *chunk); // what it means to a renderer of that stage
void work_forget(struct intake_chunk **chunk);
void work_clear(struct process *p); // for good

// post.c: from a renderer to the coordinator.
void post_hello(const struct process *p);
void post_probed(const struct process *p);
void post_chunk(const struct process *p, struct chunk **chunk);
void post_credit(const struct process *p, uint32_t chunks);
void post_done(const struct process *p);

#endif
