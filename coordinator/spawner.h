// Starting, watching and reaping local renderers. Each gets a slot number, the read end of a pipe as stdin that closes when this process is gone
// (then it leaves by itself), and the endpoint to call. What they say is passed on line by line, and the last of it kept for their end. Loop thread
// only.
#ifndef RENDERFARM_SPAWNER_H
#define RENDERFARM_SPAWNER_H

#include "nursery_process.h"

#include "common/birth.h"

#include <uv.h>

#include <stdbool.h>
#include <stdint.h>

struct spawner;

struct spawner_exit {
    uint32_t slot;
    uint32_t pid;           // 0: it was never born
    int64_t status;         // exit status
    int signal;             // or the signal that ended it, 0 if none
    const char *last_words; // "" or the last lines that it said; until the call returns
};

typedef void (*spawner_on_exit)(void *data, const struct spawner_exit *exit);

// frames_fd: shared memory that each child inherits as ARENA_FD. many: several will be started before spawner_settle; they share the loading of
// libraries then (nursery.h).
struct spawner *spawner_new(uv_loop_t *loop, const char *program, int frames_fd, bool many, spawner_on_exit on_exit, void *data);
// Takes a nursery that was started before anybody knew what for, with the same program and frames_fd: all are born of it until spawner_settle, be it
// but one. Before anything is started.
void spawner_adopt(struct spawner *spawner, struct nursery_process *process);
// Returns 0 or a negative code. *pid is 0 when spawner_pid will tell it.
int spawner_start(struct spawner *spawner, const struct birth_wish *wish, uint32_t *pid);
// Of the one that runs in this slot; 0 while it is not known, which it is before it can have said a word.
uint32_t spawner_pid(struct spawner *spawner, uint32_t slot);
// All that a job begins with have been started: those that follow are started one by one.
void spawner_settle(struct spawner *spawner);
void spawner_kill(struct spawner *spawner, int signal); // all that still run
void spawner_kill_one(struct spawner *spawner, uint32_t slot, int signal);
int spawner_running(const struct spawner *spawner);
// Frees it; all children have exited and been told of, or are no longer of interest.
void spawner_free(struct spawner **spawner);

// The renderer program: $RENDERFARM_RENDERER, else "renderfarm-renderer" beside this program. freed by the caller; NULL and one logged line if there
// is none.
char *spawner_find_renderer(void);

#endif
