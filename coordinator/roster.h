// Known renderers: slot, peer, state, what each works on and how far its credit reaches. Pure. Not thread-safe.
#ifndef RENDERFARM_ROSTER_H
#define RENDERFARM_ROSTER_H

#include "freight.h"
#include "pace.h"

#include "common/chunk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum renderer_state { RENDERER_STARTING, RENDERER_READY, RENDERER_BUSY, RENDERER_GONE };
const char *renderer_state_name(enum renderer_state state);

// A task that a renderer was given, and how far its input was sent.
struct roster_task {
    uint32_t segment, attempt;
    uint32_t faults;              // of the segment's earlier attempts
    uint32_t credit, most_credit; // chunks that it can still be sent, and that it ever can
    struct chunk *cursor;         // the last chunk that was sent; NULL: none
    size_t begun;                 // frames of the one behind it that were sent already, to another host
    uint32_t messages;            // that they went there in
    bool all_sent;
    bool whole; // all of its input was here when it was dealt
};

struct renderer {
    uint32_t slot; // 0, 1, 2...; a replacement takes over the slot
    bool remote;   // on another host: it comes and goes by itself, and another one may get the slot
    bool far;      // what is said to it, or by it, takes its time
    uint32_t peer; // the hub's number; 0 while starting
    uint32_t pid;
    uint32_t ended_pid;        // of the one before it in this slot, whose words may still be on their way
    uint32_t stage;            // of the plan, that it works for
    enum renderer_state state; // changed by roster_set_state only
    uint32_t job;              // the id of the job that it knows, 0: none
    bool condemned;            // ended by us, because it hung or broke the rules
    bool dismissed;            // told to leave, and not to be replaced
    uint64_t start_at_ns;      // while gone: when its replacement is due
    uint64_t spawn_ns;         // that its start took this process
    uint32_t losses;           // in this slot since the last one that got something done
    struct pace pace;          // of what it has done
    // While a remote one is there.
    char host[72];
    uint64_t place, entered_ns; // see Hello
    uint64_t joined_ns;
    bool cut_off;           // its connection is gone
    struct freight freight; // of the first one of a host that is there: what is known of the way to it
    // While busy.
    bool probing;
    struct roster_task task;
    uint64_t received; // packets or frames that it sent, and
    uint64_t received_bytes;
    uint32_t owed;     // chunks that it sent and was not given new credit for
    uint64_t since_ns; // when the task was sent
    uint64_t heard_ns; // when it last gave a sign of life, see watch.h
    bool second;       // it renders the segment beside another, see farm_second.c; what it sent is
    struct chunk_list spare;
    bool cancelled; // it was told to stop, and has not said yet that it did
    // The task that follows was sent already, too.
    bool has_ahead;
    struct roster_task ahead;
    bool called_back; // that one: it goes to another, and the renderer will say when its turn comes that it has left it
    uint32_t failed_starts;
};

struct roster {
    struct renderer *renderers; // one per slot
    size_t count;
};

void roster_init(struct roster *roster, size_t count);
void roster_grow(struct roster *roster, size_t count); // to that many slots; pointers to renderers change
void roster_clear(struct roster *roster);
void roster_set_state(struct renderer *renderer, enum renderer_state state);
void roster_end_task(struct renderer *renderer, uint64_t now_ns);        // it is READY, or BUSY with the task that was sent ahead
struct renderer *roster_by_peer(struct roster *roster, uint32_t peer);   // NULL: unknown
struct renderer *roster_by_place(struct roster *roster, uint64_t place); // a remote one that is there; NULL: none
struct renderer *roster_guest(struct roster *roster);                    // a slot for a remote one, GONE; pointers to renderers change
// It is busy, and does nothing until more comes: of its input (all credit has come back, so of what it was sent it has left nothing lying), or credit
// for its results.
bool roster_waits_for_input(const struct renderer *renderer);
bool roster_waits_for_credit(const struct renderer *renderer);
size_t roster_guests(const struct roster *roster); // slots for remote ones
size_t roster_remote(const struct roster *roster); // remote ones that are there
size_t roster_count(const struct roster *roster, enum renderer_state state);

#endif
