// Where the two threads of a renderer meet: the loop thread (uplink) puts a job, a task and its chunks on the desk and takes results off it; the
// render thread takes work and puts results. One task at a time, and one more may lie there that follows. Everything inside is guarded by one lock;
// the loop is woken through on_change, which must be safe to call from any thread (uv_async_send).
#ifndef RENDERFARM_DESK_H
#define RENDERFARM_DESK_H

#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <stdbool.h>

struct desk;

// Starts the render thread, which goes to jail (see jail.h) before its first packet. network: the coordinator is on another host, and may have to be
// called again.
struct desk *desk_new(int threads, bool network, void (*on_change)(void *data), void *data);

// Loop thread. Messages are taken (the whole Message, freed by the desk).
void desk_put_job(struct desk *desk, Wire__Message *job);
bool desk_put_task(struct desk *desk, Wire__Message *task); // false, and not taken: one is being worked on, and another one waits
bool desk_put_chunk(struct desk *desk, uint32_t segment, uint32_t attempt, struct chunk **chunk); // false, and not taken: of neither of them
bool desk_is_at(struct desk *desk, uint32_t segment, uint32_t attempt);                           // it is the one that runs
// Gives up whatever is here, and what came of it. True: nothing runs any more, so another task may come; else it is to be called again after
// on_change.
bool desk_clear(struct desk *desk);
// One that waits is told of as one that runs: when it is its turn, by its result.
void desk_cancel(struct desk *desk, uint32_t segment, uint32_t attempt);

// Loop thread: what has happened since.
// Once it is time to say so: how many input chunks were begun with since, be it none, which says that there is progress.
bool desk_take_sign(struct desk *desk, uint32_t *consumed, uint32_t *segment, uint32_t *attempt);
struct chunk *desk_take_chunk(struct desk *desk, uint32_t *segment, uint32_t *attempt);
Wire__Message *desk_take_result(struct desk *desk); // Probed, Done or Failed, once all chunks are taken; what waits begins

#endif
