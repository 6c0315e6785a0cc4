#include "null_peers.h"

#include "null_renderer.h"

#include "common/curve.h"
#include "common/mem.h"
#include "common/zsock.h"

#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { MOST_PARTS = ZSOCK_MAX_PARTS };

struct peer {
    struct null_renderer renderer;
    void *socket;
    uv_poll_t poll;
    bool left;
};

static unsigned here;

static void send_parts(void *data, zmq_msg_t *parts, size_t count)
{
    struct peer *peer = data;

    for (size_t i = 0; i < count; i++)
        if (zmq_msg_send(&parts[i], peer->socket, ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0)) < 0)
            zmq_msg_close(&parts[i]);
}

static void leave(struct peer *peer)
{
    peer->left = true;
    uv_poll_stop(&peer->poll);
    if (--here == 0)
        uv_stop(uv_default_loop());
}

// All that is there: the descriptor tells only once of it. zsock.h looks at every socket before every wait, which is no way with a thousand.
static void take_all(struct peer *peer)
{
    zmq_msg_t parts[MOST_PARTS];
    bool more = true;

    while (!peer->left) {
        size_t count = 0;

        do {
            zmq_msg_init(&parts[count]);
            if (zmq_msg_recv(&parts[count], peer->socket, ZMQ_DONTWAIT) < 0) {
                zmq_msg_close(&parts[count]);
                return;
            }
            more = zmq_msg_more(&parts[count++]);
        } while (more && count < MOST_PARTS);
        if (null_renderer_hear(&peer->renderer, parts, count) != NULL_RENDERER_GOES_ON)
            leave(peer);
        for (size_t i = 0; i < count; i++)
            zmq_msg_close(&parts[i]);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    take_all(poll->data);
}

static void set_key(void *socket, const struct curve_key *key)
{
    uint8_t public[CURVE_BYTES];

    crypto_scalarmult_base(public, key->secret);
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, key->coordinator, CURVE_BYTES);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public, CURVE_BYTES);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key->secret, CURVE_BYTES);
}

int null_peers_run(const char *endpoint, unsigned count)
{
    const char *text = getenv("RENDERFARM_KEY");
    struct peer *peers = mem_zalloc(count * sizeof(*peers));
    void *context = zmq_ctx_new();
    struct rlimit files;
    struct curve_key key;

    if (!text || curve_parse(&key, text) < 0 || !context)
        return 1;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, (int)count + 16);
    for (unsigned i = 0; i < count; i++) {
        struct peer *peer = &peers[i];
        int descriptor;
        size_t size = sizeof(descriptor);

        peer->renderer = (struct null_renderer){.send = send_parts, .data = peer};
        peer->socket = zmq_socket(context, ZMQ_DEALER);
        if (!peer->socket) {
            perror("null_peers: no socket");
            return 1;
        }
        set_key(peer->socket, &key);
        if (zmq_connect(peer->socket, endpoint) < 0 || zmq_getsockopt(peer->socket, ZMQ_FD, &descriptor, &size) < 0)
            return 1;
        uv_poll_init(uv_default_loop(), &peer->poll, descriptor);
        peer->poll.data = peer;
        uv_poll_start(&peer->poll, UV_READABLE, on_readable);
        here++;
        null_renderer_hello(&peer->renderer, i, i + 1);
        take_all(peer);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    // What is left belongs to the system.
    return 0;
}
