#include "hub.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IDENTITY_BYTES = 64 };

struct peer {
    struct peer *next;
    uint32_t number;
    size_t identity_bytes;
    char identity[MAX_IDENTITY_BYTES];
    bool refused; // said something wrong; nothing more is heard
};

struct hub {
    void *context;
    struct zsock *zsock;
    const struct hub_events *events;
    void *data;
    char *libraries;
    struct peer *peers;
    uint32_t next_number;
};

static struct peer *by_identity(struct hub *h, const void *identity, size_t size)
{
    for (struct peer *peer = h->peers; peer; peer = peer->next)
        if (peer->identity_bytes == size && memcmp(peer->identity, identity, size) == 0)
            return peer;
    return NULL;
}

static struct peer *by_number(struct hub *h, uint32_t number)
{
    for (struct peer *peer = h->peers; peer; peer = peer->next)
        if (peer->number == number)
            return peer;
    return NULL;
}

static int send_parts(struct hub *h, const struct peer *peer, zmq_msg_t *parts, size_t count)
{
    zmq_msg_init_size(&parts[0], peer->identity_bytes);
    memcpy(zmq_msg_data(&parts[0]), peer->identity, peer->identity_bytes);
    return zsock_send(h->zsock, parts, count);
}

static int send_message(struct hub *h, const struct peer *peer, const Wire__Message *message)
{
    zmq_msg_t parts[2];

    if (!peer)
        return -EHOSTUNREACH;
    protocol_pack(&parts[1], message);
    return send_parts(h, peer, parts, 2);
}

static void drop(struct hub *h, struct peer *peer, const char *why)
{
    if (peer->refused)
        return;
    peer->refused = true;
    h->events->on_dropped(h->data, peer->number, why);
}

static void refuse(struct hub *h, struct peer *peer, const char *reason)
{
    Wire__Refuse body = WIRE__REFUSE__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.reason = (char *)(uintptr_t)reason; // packing only reads
    message.body_case = WIRE__MESSAGE__BODY_REFUSE;
    message.refuse = &body;
    send_message(h, peer, &message);
    drop(h, peer, reason);
}

static void on_hello(struct hub *h, struct peer *peer, const Wire__Hello *hello)
{
    Wire__Welcome body = WIRE__WELCOME__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    if (hello->protocol != PROTOCOL_VERSION) {
        refuse(h, peer, "it speaks another version of the protocol");
        return;
    }
    // Other versions may give other pixels, and the output would depend on who rendered what.
    if (strcmp(hello->libraries, h->libraries) != 0) {
        refuse(h, peer, "its FFmpeg libraries are not the coordinator's");
        return;
    }
    message.body_case = WIRE__MESSAGE__BODY_WELCOME;
    message.welcome = &body;
    send_message(h, peer, &message);
    h->events->on_hello(h->data, peer->number, hello);
}

static void on_chunk(struct hub *h, struct peer *peer, const Wire__Chunk *message, zmq_msg_t *payloads, size_t count)
{
    struct chunk *chunk = NULL;

    if (protocol_chunk_from_parts(&chunk, message, payloads, count) < 0) {
        drop(h, peer, "it sent a damaged chunk");
        return;
    }
    h->events->on_chunk(h->data, peer->number, message->segment, message->attempt, &chunk);
    chunk_free(&chunk);
}

static void on_message(void *data, struct zsock_message *in)
{
    struct hub *h = data;
    const void *identity = zmq_msg_data(&in->parts[0]);
    size_t identity_bytes = zmq_msg_size(&in->parts[0]);
    struct peer *peer = by_identity(h, identity, identity_bytes);
    Wire__Message *m;
    const char *why;

    if (in->count < 2 || identity_bytes > MAX_IDENTITY_BYTES || (peer && peer->refused))
        return;
    m = protocol_unpack(zmq_msg_data(&in->parts[1]), zmq_msg_size(&in->parts[1]), &why);
    if (!peer) {
        // Whoever does not begin with a hello is not one of ours.
        if (!m || m->body_case != WIRE__MESSAGE__BODY_HELLO)
            goto done;
        peer = mem_zalloc(sizeof(*peer));
        peer->number = h->next_number++;
        peer->identity_bytes = identity_bytes;
        memcpy(peer->identity, identity, identity_bytes);
        peer->next = h->peers;
        h->peers = peer;
        on_hello(h, peer, m->hello);
        goto done;
    }
    if (!m) {
        drop(h, peer, why);
        return;
    }
    switch (m->body_case) {
    case WIRE__MESSAGE__BODY_CHUNK:
        on_chunk(h, peer, m->chunk, in->parts + 2, in->count - 2);
        break;
    case WIRE__MESSAGE__BODY_PROBED:
        h->events->on_probed(h->data, peer->number, m->probed);
        break;
    case WIRE__MESSAGE__BODY_DONE:
        h->events->on_done(h->data, peer->number, m->done);
        break;
    case WIRE__MESSAGE__BODY_FAILED:
        h->events->on_failed(h->data, peer->number, m->failed);
        break;
    case WIRE__MESSAGE__BODY_CREDIT:
        h->events->on_credit(h->data, peer->number, m->credit->chunks);
        break;
    case WIRE__MESSAGE__BODY_PONG:
        break;
    default:
        drop(h, peer, "it sent what only a coordinator sends");
        break;
    }

done:
    if (m)
        wire__message__free_unpacked(m, NULL);
}

int hub_open(struct hub **result, uv_loop_t *loop, const char *endpoint, const char *libraries, const struct hub_events *events, void *data)
{
    struct hub *h = mem_zalloc(sizeof(*h));
    int err;

    h->events = events;
    h->data = data;
    h->libraries = mem_dup(libraries);
    h->next_number = 1;
    h->context = zmq_ctx_new();
    if (!h->context) {
        err = -errno;
        goto fail;
    }
    err = zsock_open(&h->zsock, loop, h->context, ZMQ_ROUTER, NULL, on_message, h);
    if (!err)
        err = zsock_bind(h->zsock, endpoint);
    if (err < 0)
        goto fail;
    *result = h;
    return 0;

fail:
    hub_close(&h);
    return err;
}

int hub_send_job(struct hub *h, uint32_t peer, const Wire__Job *job)
{
    Wire__Message message = WIRE__MESSAGE__INIT;

    message.body_case = WIRE__MESSAGE__BODY_JOB;
    message.job = (Wire__Job *)(uintptr_t)job; // packing only reads
    return send_message(h, by_number(h, peer), &message);
}

int hub_send_task(struct hub *h, uint32_t peer, const Wire__Task *task)
{
    Wire__Message message = WIRE__MESSAGE__INIT;

    message.body_case = WIRE__MESSAGE__BODY_TASK;
    message.task = (Wire__Task *)(uintptr_t)task;
    return send_message(h, by_number(h, peer), &message);
}

int hub_send_chunk(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt, const struct chunk *chunk)
{
    static zmq_msg_t parts[CHUNK_MAX_PACKETS + 2]; // loop thread only
    const struct peer *to = by_number(h, peer);
    int count;

    if (!to)
        return -EHOSTUNREACH;
    count = protocol_chunk_to_parts(parts + 1, chunk, segment, attempt);
    if (count < 0)
        return count;
    return send_parts(h, to, parts, (size_t)count + 1);
}

int hub_send_credit(struct hub *h, uint32_t peer, uint32_t chunks)
{
    Wire__Credit body = WIRE__CREDIT__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.chunks = chunks;
    message.body_case = WIRE__MESSAGE__BODY_CREDIT;
    message.credit = &body;
    return send_message(h, by_number(h, peer), &message);
}

int hub_send_cancel(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt)
{
    Wire__Cancel body = WIRE__CANCEL__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.segment = segment;
    body.attempt = attempt;
    message.body_case = WIRE__MESSAGE__BODY_CANCEL;
    message.cancel = &body;
    return send_message(h, by_number(h, peer), &message);
}

int hub_send_bye(struct hub *h, uint32_t peer)
{
    Wire__Empty body = WIRE__EMPTY__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    message.body_case = WIRE__MESSAGE__BODY_BYE;
    message.bye = &body;
    return send_message(h, by_number(h, peer), &message);
}

void hub_forget(struct hub *h, uint32_t number)
{
    for (struct peer **at = &h->peers; *at; at = &(*at)->next) {
        struct peer *peer = *at;

        if (peer->number == number) {
            *at = peer->next;
            free(peer);
            return;
        }
    }
}

struct zsock_traffic hub_traffic(const struct hub *h)
{
    return zsock_traffic(h->zsock);
}

void hub_close(struct hub **hub)
{
    struct hub *h = *hub;

    if (!h)
        return;
    *hub = NULL;
    zsock_close(&h->zsock, 200);
    if (h->context)
        zmq_ctx_term(h->context);
    while (h->peers) {
        struct peer *peer = h->peers;

        h->peers = peer->next;
        free(peer);
    }
    free(h->libraries);
    free(h);
}
