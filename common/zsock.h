// A ZeroMQ socket on a libuv loop. Loop thread only.
//
// ZeroMQ's descriptor is edge-triggered: it says "look again", once, and any send or receive may swallow that. So nothing but this file looks at it:
// a poll handle wakes the loop, a check handle reads until the socket is empty, and a prepare handle asks before a wait whether messages are left
// over, and keeps the loop from sleeping if so. It need not ask when the last that was done with the socket was to find it empty.
#ifndef RENDERFARM_ZSOCK_H
#define RENDERFARM_ZSOCK_H

#include <uv.h>
#include <zmq.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZSOCK_MAX_PARTS = 600 };

struct zsock;

// A received message; its parts live until the callback returns.
struct zsock_message {
    zmq_msg_t *parts;
    size_t count;
};

typedef void (*zsock_on_message)(void *data, struct zsock_message *message);

// type is ZMQ_ROUTER or ZMQ_DEALER, or what answers and watches for them: ZMQ_REP, ZMQ_PAIR. identity may be NULL. Returns 0 or a negative code.
int zsock_open(struct zsock **zsock, uv_loop_t *loop, void *context, int type, const char *identity, zsock_on_message on_message, void *data);
int zsock_bind(struct zsock *zsock, const char *endpoint);
int zsock_connect(struct zsock *zsock, const char *endpoint);
// An option of zmq_setsockopt's, before the call that it is for.
int zsock_set(struct zsock *zsock, int option, const void *value, size_t size);
// Before it is bound or connected, over TCP: a connection ends when the other end's kernel has not acknowledged anything for so long, though there
// was something to acknowledge; where nothing else is, it is asked a few times.
int zsock_end_dead(struct zsock *zsock, int after_ms);
// What happens to its connections (a set of ZMQ_EVENT_...) is told at an inproc endpoint, to be connected to by a ZMQ_PAIR.
int zsock_watch(struct zsock *zsock, const char *endpoint, int events);

// Sends all parts as one message without waiting and leaves them closed, also on failure. -EAGAIN: the peer's queue is full; -EHOSTUNREACH: no such
// peer.
int zsock_send(struct zsock *zsock, zmq_msg_t *parts, size_t count);

// What went through so far, payloads and all, without ZeroMQ's own framing.
struct zsock_traffic {
    uint64_t sent_messages, sent_bytes;
    uint64_t received_messages, received_bytes;
    uint64_t busy_ns; // that the loop spent in ZeroMQ's calls
};

struct zsock_traffic zsock_traffic(const struct zsock *zsock);

// Closes at once what was not sent after linger_ms. The memory is gone in a later turn of the loop; *zsock is NULL at once.
void zsock_close(struct zsock **zsock, int linger_ms);

// Ends a ZeroMQ context when its sockets, which are closed, have sent what they still wanted to, for which they may take linger_ms. Waits for that in
// this thread, but not much longer: libzmq has waited for ever for connections whose peer had just died (4.3.4; its issue 2586).
// False: so it seems, and the context stays as it is, with a few threads that sleep, until the process ends.
bool zsock_end_context(void *context, int linger_ms);

#endif
