// The renderers and the way to them: for those of this host the socket in its private folder and the processes, for others the door; and the roster
// of both. Starts and replaces local renderers, gives all of them tasks and chunks within their credit. Which task and what follows from a loss is
// the farm's to decide. Loop thread only.
#ifndef RENDERFARM_CREW_H
#define RENDERFARM_CREW_H

#include "hub.h"
#include "private_folder.h"
#include "roster.h"
#include "spawner.h"

#include <uv.h>

struct arena;

struct crew {
    struct hub *hub;
    struct spawner *spawner;
    struct roster roster;
    char *program; // of the renderers
    struct private_folder folder;
    char endpoint[96];
    int threads, verbosity;
    struct zsock_traffic traffic; // known once the crew is closed
    bool borrowed;                // hub and processes are another crew's, and renderers come and go as they are lent
    bool called_back;             // renderers that are lent are wanted elsewhere when they are done
    int frames_fd;                // shared memory for raw frames, inherited by all renderers; of no size until a plan needs it; its owner's
    uint32_t borrower;            // a number for each crew that borrows from the same one, see crew_own_attempt
};

// Makes the folder and the socket. On failure one line was logged; crew_clear is due in any case.
int crew_init(struct crew *crew, uv_loop_t *loop, int workers, int threads, int verbosity, const struct hub_events *events, spawner_on_exit on_exit,
              void *data);
// A crew that works with another one's renderers: as many slots, all GONE until one is lent. It starts none itself. The owner lives longer.
void crew_borrow(struct crew *crew, const struct crew *owner);
// More renderers, slots up to count; they are GONE yet.
void crew_grow(struct crew *crew, size_t count);
// Starts a renderer in a slot that is GONE; one line is logged on failure.
int crew_start(struct crew *crew, struct renderer *renderer);
// Whether this process, which says hello, is that of a local renderer that is starting; a line is logged of one that is none of ours. renderer: in
// whose slot it says to be; NULL: there is no such slot.
bool crew_awaits(struct crew *crew, struct renderer *renderer, uint32_t pid);
// All renderers that the job begins with have been started.
void crew_settle(struct crew *crew);
// Hands a READY renderer a task (with the job first, if it knows another one or none). It is BUSY then. To one that is BUSY it is sent ahead.
void crew_send_task(struct crew *crew, struct renderer *renderer, const Wire__Job *job, const Wire__Task *task, uint64_t now_ns);
// Sends as many chunks of a task of the renderer's, the one at hand or the one that was sent ahead, as it has credit for; what was sent before is
// remembered in the task's cursor. pixels: of frames, for a renderer that does not share them; else NULL.
void crew_send_chunks(struct crew *crew, struct renderer *renderer, struct roster_task *task, const struct chunk_list *list, struct arena *pixels);
// What it does now is of no use. It stays BUSY until it has said that it stopped.
void crew_cancel(struct crew *crew, struct renderer *renderer);
// The task that was sent ahead goes to another.
void crew_call_back(struct crew *crew, struct renderer *renderer);
// Renderers that are lent work for several crews and their stages, whose jobs, segments and attempts have the same numbers: to them the borrower's is
// a part of the job's id, and both are parts of the attempt, so that what comes late or twice of one is never taken for another's. From an attempt as
// the peer knows it to the crew's own; false: it is not of the job that this crew gave it last.
bool crew_own_attempt(struct crew *crew, uint32_t peer, uint32_t *attempt);
// New credit for all that it is owed.
void crew_pay(struct crew *crew, struct renderer *renderer);
// Ends a renderer that hangs or does what it must not; the rest follows from its exit. One on another host is sent away and marked: whoever looks
// after those has to count it as lost.
void crew_condemn(struct crew *crew, struct renderer *renderer, const char *why);
// Lets a renderer go that is not needed any more: at once if it is READY, else it is to be called again when it is.
void crew_dismiss(struct crew *crew, struct renderer *renderer);
void crew_say_bye(struct crew *crew);
void crew_kill(struct crew *crew); // all, or all that are lent, at once: they have nothing to save
int crew_running(const struct crew *crew);
void crew_close(struct crew *crew); // the socket and its handles; then the loop can end
// Before an end in haste: renderers are killed, the folder goes. Nothing else may be called afterwards.
void crew_abandon(struct crew *crew);
void crew_clear(struct crew *crew); // after the loop

#endif
