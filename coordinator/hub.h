// The socket of all renderers: bytes to facts, facts to bytes. Knows who is connected, checks what they say and when they may say it, and drops a
// peer that breaks the protocol; what a fact means for the job is the farm's business. Loop thread only.
#ifndef RENDERFARM_HUB_H
#define RENDERFARM_HUB_H

#include "common/chunk.h"
#include "common/protocol.pb-c.h"
#include "common/zsock.h"

#include <uv.h>

#include <stdbool.h>
#include <stdint.h>

struct hub;

// Facts; peer is a number that the hub gives, never used twice. Messages are the hub's and live until the call returns; a chunk is taken by clearing
// *chunk.
struct hub_events {
    void (*on_hello)(void *data, uint32_t peer, const Wire__Hello *hello);
    void (*on_chunk)(void *data, uint32_t peer, uint32_t segment, uint32_t attempt, struct chunk **chunk);
    void (*on_probed)(void *data, uint32_t peer, const Wire__Probed *probed);
    void (*on_done)(void *data, uint32_t peer, const Wire__Done *done);
    void (*on_failed)(void *data, uint32_t peer, const Wire__Failed *failed);
    void (*on_credit)(void *data, uint32_t peer, uint32_t chunks);
    void (*on_dropped)(void *data, uint32_t peer, const char *why); // the peer broke the rules, or cannot be reached
};

// Binds endpoint ("ipc://..."). Renderers whose libraries differ from ours are refused.
int hub_open(struct hub **hub, uv_loop_t *loop, const char *endpoint, const char *libraries, const struct hub_events *events, void *data);

// Each returns 0 or a negative code; a peer that cannot be sent to is dropped in the next turn by whoever asked.
int hub_send_job(struct hub *hub, uint32_t peer, const Wire__Job *job);
int hub_send_task(struct hub *hub, uint32_t peer, const Wire__Task *task);
int hub_send_chunk(struct hub *hub, uint32_t peer, uint32_t segment, uint32_t attempt, const struct chunk *chunk);
int hub_send_credit(struct hub *hub, uint32_t peer, uint32_t chunks);
int hub_send_cancel(struct hub *hub, uint32_t peer, uint32_t segment, uint32_t attempt);
int hub_send_bye(struct hub *hub, uint32_t peer);
void hub_forget(struct hub *hub, uint32_t peer); // it is gone; what it still says is ignored

struct zsock_traffic hub_traffic(const struct hub *hub); // with all renderers so far
void hub_close(struct hub **hub);

#endif
