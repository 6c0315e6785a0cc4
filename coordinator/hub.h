// The sockets of all renderers, those of this host and those of others: bytes to facts, facts to bytes. Knows who is connected, checks what they say
// and when they may say it, and drops a peer that breaks the protocol or, on another host, gives no sign of life; what a fact means for the job is
// the farm's business. Loop thread only.
#ifndef RENDERFARM_HUB_H
#define RENDERFARM_HUB_H

#include "door.h"

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
    void (*on_credit)(void *data, uint32_t peer, const Wire__Credit *credit);
    void (*on_bye)(void *data, uint32_t peer);                      // it leaves by itself; from other hosts only
    void (*on_dropped)(void *data, uint32_t peer, const char *why); // the peer broke the rules, or cannot be reached
};

// Binds endpoint ("ipc://..."). Renderers are refused whose libraries differ from ours (their names begin with those of ours), or from the first
// one's. cpu: of this host's renderers, see avx_cpu; then the first is to be one of those, and others wait for it. NULL: there are none.
int hub_open(struct hub **hub, uv_loop_t *loop, const char *endpoint, const char *libraries, const char *cpu, const struct hub_events *events,
             void *data);
// Opens the door for other hosts, too. setup lives as long as the hub. One line is logged on failure.
int hub_listen(struct hub *hub, uv_loop_t *loop, struct door_setup *setup);
// A few times a second: asks peers on other hosts for a sign of life, and drops those whose connection has ended or that were silent for
// PROTOCOL_LOST_NS.
void hub_tick(struct hub *hub, uint64_t now_ns);

bool hub_is_remote(const struct hub *hub, uint32_t peer);      // on another host
const char *hub_address(const struct hub *hub, uint32_t peer); // of that host; "" if it is not known. Until the peer is forgotten

// Each returns 0 or a negative code; a peer that cannot be sent to is dropped in the next turn by whoever asked.
int hub_send_job(struct hub *hub, uint32_t peer, const Wire__Job *job);
int hub_send_task(struct hub *hub, uint32_t peer, const Wire__Task *task);
int hub_send_chunk(struct hub *hub, uint32_t peer, uint32_t segment, uint32_t attempt, const struct chunk *chunk);
int hub_send_credit(struct hub *hub, uint32_t peer, uint32_t segment, uint32_t attempt, uint32_t chunks);
int hub_send_cancel(struct hub *hub, uint32_t peer, uint32_t segment, uint32_t attempt);
int hub_send_sweep(struct hub *hub, uint32_t peer, uint64_t offset, uint64_t size);
int hub_send_bye(struct hub *hub, uint32_t peer);
// Tells it to go, and why, and hears it no more. again: another process in its place is welcome.
int hub_send_away(struct hub *hub, uint32_t peer, const char *reason, bool again);
void hub_forget(struct hub *hub, uint32_t peer); // it is gone; what it still says is ignored

// What all renderers run with: libraries, as they said it, and the processor, unless theirs may differ. NULL: there was none yet. The hub's, and
// always the same; any thread may read it.
const char *hub_renderers_libraries(struct hub *hub);
struct zsock_traffic hub_traffic(const struct hub *hub); // with all renderers so far
void hub_close(struct hub **hub);

#endif
