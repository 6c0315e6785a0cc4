#include "hub.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_IDENTITY_BYTES = 64,
    MOST_PEERS = 1 << 14, // even a renderer with a good key cannot make us remember more names
    LINGER_MS = 200,
    LINGER_FAR_MS = 1000,
};

// A socket, and so one of the two kinds of peers.
struct port {
    struct hub *hub;
    struct zsock *zsock;
    bool remote;
};

struct peer {
    struct peer *next;
    const struct port *port;
    char address[64];
    uint64_t heard_ns, pinged_ns; // remote ones
    uint32_t number;
    size_t identity_bytes;
    char identity[MAX_IDENTITY_BYTES];
    bool unreachable;
    bool refused;       // said something wrong; nothing more is heard
    Wire__Hello *hello; // that has to wait, see on_hello; NULL mostly
};

struct hub {
    void *context;
    struct port local, remote;
    struct door *door; // NULL without remote renderers
    const struct hub_events *events;
    void *data;
    const struct door_setup *setup;
    char *libraries;
    char *all_libraries; // with those that only renderers load, of the first of them; NULL: there was none
    char *cpu;           // of this host's renderers, of whom the first is to be; NULL: there are none
    char *footing;       // see hub_renderers_libraries
    char why[200];       // of the last refusal
    struct peer *peers;
    size_t peer_count;
    uint32_t next_number;
    uint64_t ticked_ns;
};

static struct peer *by_identity(const struct port *port, const void *identity, size_t size)
{
    for (struct peer *peer = port->hub->peers; peer; peer = peer->next)
        if (peer->port == port && peer->identity_bytes == size && memcmp(peer->identity, identity, size) == 0)
            return peer;
    return NULL;
}

static struct peer *by_number(const struct hub *h, uint32_t number)
{
    for (struct peer *peer = h->peers; peer; peer = peer->next)
        if (peer->number == number)
            return peer;
    return NULL;
}

static void free_peer(struct peer *peer)
{
    if (peer->hello)
        wire__hello__free_unpacked(peer->hello, NULL);
    free(peer);
}

static int send_parts(const struct peer *peer, zmq_msg_t *parts, size_t count)
{
    zmq_msg_init_size(&parts[0], peer->identity_bytes);
    memcpy(zmq_msg_data(&parts[0]), peer->identity, peer->identity_bytes);
    return zsock_send(peer->port->zsock, parts, count);
}

static int send_message(const struct peer *peer, const Wire__Message *message)
{
    zmq_msg_t parts[2];

    if (!peer)
        return -EHOSTUNREACH;
    protocol_pack(&parts[1], message);
    return send_parts(peer, parts, 2);
}

static void drop(struct hub *h, struct peer *peer, const char *why)
{
    if (peer->refused)
        return;
    peer->refused = true;
    h->events->on_dropped(h->data, peer->number, why);
}

static int send_refuse(const struct peer *peer, const char *reason, bool again)
{
    Wire__Refuse body = WIRE__REFUSE__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.reason = (char *)(uintptr_t)reason; // packing only reads
    body.has_again = body.again = again;
    message.body_case = WIRE__MESSAGE__BODY_REFUSE;
    message.refuse = &body;
    return send_message(peer, &message);
}

// A peer that was silent for too long, and finds its way back to us.
static void tell_forgotten(const struct port *port, const void *identity, size_t identity_bytes)
{
    struct peer peer = {.port = port, .identity_bytes = identity_bytes};

    memcpy(peer.identity, identity, identity_bytes);
    send_refuse(&peer, "the coordinator has given up this renderer", true);
}

static void refuse(struct hub *h, struct peer *peer, const char *reason)
{
    send_refuse(peer, reason, false);
    drop(h, peer, reason);
}

// What an object of a renderer's libraries is in all renderers': its build, with its length; NULL: it is not there.
static const char *find_build(const char *libraries, const char *name, size_t name_size, size_t *size)
{
    for (const char *at = libraries; (at = strchr(at, ' '));) {
        if (strncmp(++at, name, name_size) == 0 && at[name_size] == '=') {
            at += name_size + 1;
            *size = strcspn(at, " ");
            return at;
        }
    }
    return NULL;
}

// Which library it is, where that can be told. The name comes from who knows whom.
static const char *difference(struct hub *h, const char *libraries)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+_-";

    for (const char *at = libraries; (at = strchr(at, ' '));) {
        size_t name_size = strspn(++at, letters), size;
        const char *build = at + name_size + 1, *ours;

        if (strncmp(at, "lib", 3) != 0 || name_size > 64 || at[name_size] != '=')
            continue;
        ours = find_build(h->all_libraries, at, name_size, &size);
        if (ours && size == strcspn(build, " ") && strncmp(ours, build, size) == 0)
            continue;
        snprintf(h->why, sizeof(h->why), ours ? "its %.*s is not that of the other renderers" : "it runs with %.*s, which the other renderers do not",
                 (int)name_size, at);
        return h->why;
    }
    return "its libraries are not those of the other renderers";
}

static void on_hello(struct hub *h, struct peer *peer, const Wire__Hello *hello);

static void keep_hello(struct peer *peer, const Wire__Hello *hello)
{
    size_t size = wire__hello__get_packed_size(hello);
    uint8_t *bytes = mem_zalloc(size);

    wire__hello__pack(hello, bytes);
    peer->hello = wire__hello__unpack(NULL, size, bytes);
    free(bytes);
}

static void hear_kept_hellos(struct hub *h)
{
    struct peer *peer = h->peers;

    while (peer) {
        Wire__Hello *hello = peer->hello;

        if (!hello || peer->refused) {
            peer = peer->next;
            continue;
        }
        peer->hello = NULL;
        on_hello(h, peer, hello);
        wire__hello__free_unpacked(hello, NULL);
        peer = h->peers; // any of them may be gone
    }
}

static void on_hello(struct hub *h, struct peer *peer, const Wire__Hello *hello)
{
    Wire__Welcome body = WIRE__WELCOME__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;
    bool first = !h->all_libraries;

    if (hello->protocol != PROTOCOL_VERSION) {
        refuse(h, peer, "it speaks another version of the protocol");
        return;
    }
    // Other versions may give other pixels, and the output would depend on who rendered what.
    if (strncmp(hello->libraries, h->libraries, strlen(h->libraries)) != 0) {
        refuse(h, peer, "its FFmpeg libraries are not the coordinator's");
        return;
    }
    if (!first && strcmp(hello->libraries, h->all_libraries) != 0) {
        refuse(h, peer, difference(h, hello->libraries));
        return;
    }
    // Or one from elsewhere that is quicker would have those of this host refused.
    if (first && h->cpu && peer->port->remote) {
        keep_hello(peer, hello);
        return;
    }
    if (first)
        h->all_libraries = mem_dup(hello->libraries);
    message.body_case = WIRE__MESSAGE__BODY_WELCOME;
    message.welcome = &body;
    send_message(peer, &message);
    h->events->on_hello(h->data, peer->number, hello);
    if (first)
        hear_kept_hellos(h);
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

static struct peer *add_peer(const struct port *port, const void *identity, size_t identity_bytes, zmq_msg_t *part)
{
    struct hub *h = port->hub;
    struct peer *peer = mem_zalloc(sizeof(*peer));
    const char *address = port->remote ? zmq_msg_gets(part, "Peer-Address") : NULL;

    peer->port = port;
    peer->number = h->next_number++;
    peer->identity_bytes = identity_bytes;
    memcpy(peer->identity, identity, identity_bytes);
    snprintf(peer->address, sizeof(peer->address), "%s", address ? address : "");
    peer->next = h->peers;
    h->peers = peer;
    h->peer_count++;
    return peer;
}

static void on_message(void *data, struct zsock_message *in)
{
    const struct port *port = data;
    struct hub *h = port->hub;
    const void *identity = zmq_msg_data(&in->parts[0]);
    size_t identity_bytes = zmq_msg_size(&in->parts[0]);
    struct peer *peer = by_identity(port, identity, identity_bytes);
    Wire__Message *m;
    const char *why;

    if (in->count < 2 || identity_bytes > MAX_IDENTITY_BYTES || (peer && peer->refused))
        return;
    m = protocol_unpack(zmq_msg_data(&in->parts[1]), zmq_msg_size(&in->parts[1]), &why);
    if (!peer) {
        // Whoever does not begin with a hello is not one of ours, or not any more.
        if (port->remote && !door_admitted(&in->parts[1]))
            goto done;
        if (port->remote && m && m->body_case == WIRE__MESSAGE__BODY_PONG)
            tell_forgotten(port, identity, identity_bytes);
        if (!m || m->body_case != WIRE__MESSAGE__BODY_HELLO || h->peer_count >= MOST_PEERS)
            goto done;
        peer = add_peer(port, identity, identity_bytes, &in->parts[1]);
        peer->heard_ns = peer->pinged_ns = port->remote ? clock_now_ns() : 0;
        on_hello(h, peer, m->hello);
        goto done;
    }
    if (!m) {
        drop(h, peer, why);
        return;
    }
    if (port->remote)
        peer->heard_ns = clock_now_ns();
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
        h->events->on_credit(h->data, peer->number, m->credit);
        break;
    case WIRE__MESSAGE__BODY_PONG:
        break;
    case WIRE__MESSAGE__BODY_BYE:
        if (port->remote) {
            h->events->on_bye(h->data, peer->number);
            break;
        }
        drop(h, peer, "it sent what only a coordinator sends");
        break;
    default:
        drop(h, peer, "it sent what only a coordinator sends");
        break;
    }

done:
    if (m)
        wire__message__free_unpacked(m, NULL);
}

int hub_open(struct hub **result, uv_loop_t *loop, const char *endpoint, const char *libraries, const char *cpu, const struct hub_events *events,
             void *data)
{
    struct hub *h = mem_zalloc(sizeof(*h));
    int err;

    h->events = events;
    h->data = data;
    h->libraries = mem_dup(libraries);
    h->cpu = mem_dup(cpu);
    h->next_number = 1;
    h->context = zmq_ctx_new();
    if (!h->context) {
        err = -errno;
        goto fail;
    }
    h->local.hub = h->remote.hub = h;
    h->remote.remote = true;
    err = zsock_open(&h->local.zsock, loop, h->context, ZMQ_ROUTER, NULL, on_message, &h->local);
    if (!err)
        err = zsock_bind(h->local.zsock, endpoint);
    if (err < 0)
        goto fail;
    *result = h;
    return 0;

fail:
    hub_close(&h);
    return err;
}

int hub_listen(struct hub *h, uv_loop_t *loop, struct door_setup *setup)
{
    int err = door_open(&h->door, loop, setup, on_message, &h->remote);

    h->setup = setup;
    if (!err)
        h->remote.zsock = door_socket(h->door);
    return err;
}

// A peer whose connection is closed cannot be sent to, and comes back as another one: so that is noticed at once.
static void ping(struct peer *peer, uint64_t now_ns)
{
    Wire__Empty body = WIRE__EMPTY__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    if (peer->refused || now_ns - peer->pinged_ns < PROTOCOL_PING_NS)
        return;
    peer->pinged_ns = now_ns;
    message.body_case = WIRE__MESSAGE__BODY_PING;
    message.ping = &body;
    peer->unreachable = send_message(peer, &message) == -EHOSTUNREACH;
}

// NULL: all have been heard of, or were dropped.
static struct peer *find_silent(struct hub *h, uint64_t now_ns)
{
    for (struct peer *peer = h->peers; peer; peer = peer->next)
        if (peer->port->remote && (peer->unreachable || now_ns - peer->heard_ns > PROTOCOL_LOST_NS))
            return peer;
    return NULL;
}

void hub_tick(struct hub *h, uint64_t now_ns)
{
    // This process was stopped, and what peers said since then is still to be read.
    uint64_t asleep_ns = h->ticked_ns && now_ns - h->ticked_ns > PROTOCOL_PING_NS ? now_ns - h->ticked_ns : 0;
    struct peer *silent;

    h->ticked_ns = now_ns;
    if (!h->door)
        return;
    door_tick(h->door, now_ns);
    for (struct peer *peer = h->peers; peer; peer = peer->next) {
        if (!peer->port->remote)
            continue;
        peer->heard_ns = clock_excuse(peer->heard_ns, asleep_ns, now_ns);
        ping(peer, now_ns);
    }
    while ((silent = find_silent(h, now_ns))) {
        uint32_t number = silent->number;

        drop(h, silent, silent->unreachable ? "lost its connection" : "gave no sign of life");
        hub_forget(h, number);
    }
}

bool hub_is_remote(const struct hub *h, uint32_t number)
{
    const struct peer *peer = by_number(h, number);

    return peer && peer->port->remote;
}

const char *hub_address(const struct hub *h, uint32_t number)
{
    const struct peer *peer = by_number(h, number);

    return peer ? peer->address : "";
}

int hub_send_away(struct hub *h, uint32_t number, const char *reason, bool again)
{
    struct peer *peer = by_number(h, number);
    int err;

    if (!peer)
        return -EHOSTUNREACH;
    err = send_refuse(peer, reason, again);
    peer->refused = true;
    return err;
}

int hub_send_job(struct hub *h, uint32_t peer, const Wire__Job *job)
{
    Wire__Message message = WIRE__MESSAGE__INIT;

    message.body_case = WIRE__MESSAGE__BODY_JOB;
    message.job = (Wire__Job *)(uintptr_t)job; // packing only reads
    return send_message(by_number(h, peer), &message);
}

int hub_send_task(struct hub *h, uint32_t peer, const Wire__Task *task)
{
    Wire__Message message = WIRE__MESSAGE__INIT;

    message.body_case = WIRE__MESSAGE__BODY_TASK;
    message.task = (Wire__Task *)(uintptr_t)task;
    return send_message(by_number(h, peer), &message);
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
    return send_parts(to, parts, (size_t)count + 1);
}

int hub_send_credit(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt, uint32_t chunks)
{
    Wire__Credit body = WIRE__CREDIT__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.segment = segment;
    body.attempt = attempt;
    body.chunks = chunks;
    message.body_case = WIRE__MESSAGE__BODY_CREDIT;
    message.credit = &body;
    return send_message(by_number(h, peer), &message);
}

int hub_send_cancel(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt)
{
    Wire__Cancel body = WIRE__CANCEL__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.segment = segment;
    body.attempt = attempt;
    message.body_case = WIRE__MESSAGE__BODY_CANCEL;
    message.cancel = &body;
    return send_message(by_number(h, peer), &message);
}

int hub_send_sweep(struct hub *h, uint32_t peer, uint64_t offset, uint64_t size)
{
    Wire__Sweep body = WIRE__SWEEP__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.offset = offset;
    body.size = size;
    message.body_case = WIRE__MESSAGE__BODY_SWEEP;
    message.sweep = &body;
    return send_message(by_number(h, peer), &message);
}

int hub_send_bye(struct hub *h, uint32_t peer)
{
    Wire__Empty body = WIRE__EMPTY__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    message.body_case = WIRE__MESSAGE__BODY_BYE;
    message.bye = &body;
    return send_message(by_number(h, peer), &message);
}

void hub_forget(struct hub *h, uint32_t number)
{
    for (struct peer **at = &h->peers; *at; at = &(*at)->next) {
        struct peer *peer = *at;

        if (peer->number == number) {
            *at = peer->next;
            free_peer(peer);
            h->peer_count--;
            return;
        }
    }
}

const char *hub_renderers_libraries(struct hub *h)
{
    const char *cpu = h->setup ? h->setup->cpu : h->cpu;

    // Made once: files of a batch ask one after the other, and what the first was given is read in its lane.
    if (h->all_libraries && !h->footing)
        h->footing = mem_format("%s on %s", h->all_libraries, cpu ? cpu : "any processor");
    return h->footing;
}

struct zsock_traffic hub_traffic(const struct hub *h)
{
    struct zsock_traffic all = zsock_traffic(h->local.zsock), far;

    if (!h->remote.zsock)
        return all;
    far = zsock_traffic(h->remote.zsock);
    all.sent_messages += far.sent_messages;
    all.sent_bytes += far.sent_bytes;
    all.received_messages += far.received_messages;
    all.received_bytes += far.received_bytes;
    all.busy_ns += far.busy_ns;
    return all;
}

void hub_close(struct hub **hub)
{
    struct hub *h = *hub;

    if (!h)
        return;
    *hub = NULL;
    door_close(&h->door, LINGER_FAR_MS);
    zsock_close(&h->local.zsock, LINGER_MS);
    if (h->context)
        zsock_end_context(h->context, LINGER_MS);
    while (h->peers) {
        struct peer *peer = h->peers;

        h->peers = peer->next;
        free_peer(peer);
    }
    free(h->libraries);
    free(h->all_libraries);
    free(h->cpu);
    free(h->footing);
    free(h);
}
