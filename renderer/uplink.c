#include "uplink.h"

#include "desk.h"
#include "jail.h"
#include "keeper.h"

#include "common/arena.h"
#include "common/avx.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/footing.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"
#include "common/zsock.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 500,
    HANDSHAKE_MS = 5000,
    CONNECT_MS = 5000,
    RECONNECT_MS = 200,
    RECONNECT_MOST_MS = 2000,
    GOODBYE_MS = 500,
};

#define AGAIN_NS UINT64_C(1000000000) // from a connection that failed to the next

struct uplink {
    const struct uplink_setup *setup;
    uv_loop_t *loop;
    void *context;
    struct zsock *zsock; // NULL while there is none
    uv_async_t wake;
    struct desk *desk;
    uint32_t credit; // chunks that may still be sent for the attempt that runs, or for the next one

    // To another host.
    bool remote, welcome;
    bool reached, broken; // of the connection: the keys were right; it ended, and the next tick takes note: a last word may be waiting to be read
    bool answered;        // somebody took a connection, whoever that is
    struct zsock *monitor;
    unsigned connections;
    uint64_t heard_ns;   // or when the connection was begun
    uint64_t alone_ns;   // since when nobody welcomes us
    uint64_t connect_ns; // when the next connection is due, while there is none
    uv_timer_t tick;
    uv_signal_t signals[3];
};

// The process has nothing to save: what it worked on is dealt to another.
static _Noreturn void leave(int status)
{
    _exit(status);
}

static int send_message(struct uplink *u, const Wire__Message *message)
{
    zmq_msg_t part;

    if (!u->zsock)
        return -ENOTCONN;
    protocol_pack(&part, message);
    return zsock_send(u->zsock, &part, 1);
}

static void send_credit(struct uplink *u, uint32_t segment, uint32_t attempt, uint32_t chunks)
{
    Wire__Credit body = WIRE__CREDIT__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.segment = segment;
    body.attempt = attempt;
    body.chunks = chunks;
    message.body_case = WIRE__MESSAGE__BODY_CREDIT;
    message.credit = &body;
    send_message(u, &message);
}

static void send_chunk(struct uplink *u, struct chunk **chunk, uint32_t segment, uint32_t attempt)
{
    static zmq_msg_t parts[CHUNK_MAX_PACKETS + 1]; // loop thread only
    int count = protocol_chunk_to_parts(parts, *chunk, segment, attempt);

    if (count < 0 || zsock_send(u->zsock, parts, (size_t)count) < 0) {
        log_error("cannot send a result to the coordinator");
        leave(KEEPER_AGAIN);
    }
    chunk_free(chunk);
}

static void connect_when_due(struct uplink *u);

// Idempotent: sends whatever the desk has that may be sent.
static void pump(struct uplink *u)
{
    uint32_t consumed, segment, attempt;
    Wire__Message *result;

    if (!u->zsock) {
        connect_when_due(u);
        return;
    }
    if (desk_take_sign(u->desk, &consumed, &segment, &attempt))
        send_credit(u, segment, attempt, consumed);
    while (u->credit > 0) {
        struct chunk *chunk = desk_take_chunk(u->desk, &segment, &attempt);

        if (!chunk)
            break;
        u->credit--;
        send_chunk(u, &chunk, segment, attempt);
    }
    result = desk_take_result(u->desk);
    if (result) {
        send_message(u, result);
        wire__message__free_unpacked(result, NULL);
        u->credit = PROTOCOL_FIRST_CREDIT;
    }
}

static void on_wake(uv_async_t *handle)
{
    pump(handle->data);
}

static void wake(void *data)
{
    struct uplink *u = data;

    uv_async_send(&u->wake);
}

static _Noreturn void nonsense(const char *what)
{
    log_error("the coordinator sent %s; leaving", what);
    leave(KEEPER_FAILED);
}

// What runs is dealt to another; we begin anew.
static void lose(struct uplink *u, const char *why, uint64_t now_ns)
{
    if (!u->zsock)
        return;
    zsock_close(&u->monitor, 0);
    zsock_close(&u->zsock, 0);
    u->connect_ns = now_ns + AGAIN_NS;
    if (u->welcome) {
        u->welcome = u->answered = false;
        u->alone_ns = now_ns;
        log_warn("%s: %s; calling again for %g s", u->setup->endpoint, why, u->setup->wait_s);
    }
    desk_clear(u->desk);
}

static void on_refuse(struct uplink *u, const Wire__Refuse *refuse)
{
    // It gave us up, and we may call again; unless something hangs here, which only another process will cure.
    if (u->remote && refuse->again && desk_clear(u->desk)) {
        lose(u, refuse->reason, clock_now_ns());
        return;
    }
    log_error("the coordinator refused this renderer: %s", refuse->reason);
    leave(refuse->again ? KEEPER_AGAIN : KEEPER_FAILED);
}

static void on_message(void *data, struct zsock_message *in)
{
    struct uplink *u = data;
    struct chunk *chunk = NULL;
    const char *why;
    Wire__Message *m = protocol_unpack(zmq_msg_data(&in->parts[0]), zmq_msg_size(&in->parts[0]), &why);

    if (!m)
        nonsense(why);
    u->heard_ns = u->remote ? clock_now_ns() : 0;
    switch (m->body_case) {
    case WIRE__MESSAGE__BODY_WELCOME:
        u->welcome = true;
        if (u->setup->welcomed)
            *u->setup->welcomed = true;
        break;
    case WIRE__MESSAGE__BODY_REFUSE:
        on_refuse(u, m->refuse);
        break;
    case WIRE__MESSAGE__BODY_JOB:
        desk_put_job(u->desk, m);
        m = NULL;
        break;
    case WIRE__MESSAGE__BODY_TASK:
        if (!desk_put_task(u->desk, m))
            nonsense("a third task while one is running");
        m = NULL;
        break;
    case WIRE__MESSAGE__BODY_CHUNK:
        if (protocol_chunk_from_parts(&chunk, m->chunk, in->parts + 1, in->count - 1) < 0)
            nonsense("a damaged chunk");
        desk_put_chunk(u->desk, m->chunk->segment, m->chunk->attempt, &chunk);
        chunk_free(&chunk); // not taken: of an attempt that is over
        break;
    case WIRE__MESSAGE__BODY_CREDIT:
        if (desk_is_at(u->desk, m->credit->segment, m->credit->attempt))
            u->credit += m->credit->chunks;
        break;
    case WIRE__MESSAGE__BODY_CANCEL:
        desk_cancel(u->desk, m->cancel->segment, m->cancel->attempt);
        break;
    case WIRE__MESSAGE__BODY_PING: {
        Wire__Empty body = WIRE__EMPTY__INIT;
        Wire__Message pong = WIRE__MESSAGE__INIT;

        pong.body_case = WIRE__MESSAGE__BODY_PONG;
        pong.pong = &body;
        send_message(u, &pong);
        break;
    }
    case WIRE__MESSAGE__BODY_SWEEP:
        if (u->setup->key)
            nonsense("a part of memory that is not shared");
        arena_forget(ARENA_FD, m->sweep->offset, m->sweep->size);
        break;
    case WIRE__MESSAGE__BODY_BYE:
        leave(KEEPER_LEFT);
    default:
        nonsense("what only a renderer sends");
    }
    if (m)
        wire__message__free_unpacked(m, NULL);
    pump(u);
}

// ---- To another host ----

bool uplink_is_remote(const char *endpoint)
{
    return strncmp(endpoint, "ipc:", 4) != 0;
}

// For what all renderers of this host meet: one of them tells.
static enum log_level told_by_one(const struct uplink *u)
{
    return u->setup->slot == 0 ? LOG_ERROR : LOG_INFO;
}

static void on_connection(void *data, struct zsock_message *in)
{
    struct uplink *u = data;
    uint16_t event;

    if (in->count < 1 || zmq_msg_size(&in->parts[0]) < sizeof(event))
        return;
    memcpy(&event, zmq_msg_data(&in->parts[0]), sizeof(event));
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        u->answered = true;
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        u->reached = true;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        log_line(told_by_one(u), "%s: the coordinator does not let this key in; it has to be on its list of authorised keys", u->setup->endpoint);
        leave(KEEPER_FAILED);
    case ZMQ_EVENT_DISCONNECTED:
        // Before that ZeroMQ itself tries again.
        u->broken |= u->reached;
        break;
    default: // a handshake that failed, after which ZeroMQ may not try again
        u->broken = true;
        break;
    }
}

static int set_far(struct uplink *u)
{
    static const struct {
        int option, value;
    } numbers[] = {
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_CONNECT_TIMEOUT, CONNECT_MS},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MOST_MS},
    };
    int err = curve_call(u->zsock, u->setup->key), ipv6 = 1;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !err; i++)
        err = zsock_set(u->zsock, numbers[i].option, &numbers[i].value, sizeof(numbers[i].value));
    if (!err)
        err = zsock_end_dead(u->zsock, PROTOCOL_DEAD_MS);
    if (!err && strchr(u->setup->endpoint, '['))
        err = zsock_set(u->zsock, ZMQ_IPV6, &ipv6, sizeof(ipv6));
    return err;
}

static int watch_connection(struct uplink *u)
{
    int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    char endpoint[64];
    int err;

    snprintf(endpoint, sizeof(endpoint), "inproc://connection-%u", u->connections);
    err = zsock_watch(u->zsock, endpoint, events);
    if (!err)
        err = zsock_open(&u->monitor, u->loop, u->context, ZMQ_PAIR, NULL, on_connection, u);
    return err ? err : zsock_connect(u->monitor, endpoint);
}

// ---- Connecting ----

static int say_hello(struct uplink *u)
{
    Wire__Hello body = WIRE__HELLO__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;
    char host[HOST_NAME_MAX + 1] = "";

    body.protocol = PROTOCOL_VERSION;
    body.libraries = (char *)(uintptr_t)avx_all_libraries(); // packing only reads
    body.pid = (uint32_t)getpid();
    body.threads = (uint32_t)u->setup->threads;
    body.slot = u->setup->slot;
    if (u->remote) {
        gethostname(host, sizeof(host) - 1);
        body.host = host;
        body.cpu = (char *)(uintptr_t)avx_cpu();
        body.has_place = body.has_since_ns = 1;
        body.place = u->setup->place;
        body.since_ns = clock_now_ns();
        // The second connection of this process takes the place of its first.
        body.ended = u->connections == 1 ? (char *)(uintptr_t)u->setup->ended : NULL;
        body.has_killed = body.killed = u->setup->killed;
    }
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &body;
    return send_message(u, &message);
}

static int call(struct uplink *u)
{
    unsigned char random[16];
    char identity[64];
    int err;

    u->connections++;
    u->reached = u->broken = false;
    u->credit = PROTOCOL_FIRST_CREDIT;
    u->heard_ns = clock_now_ns();
    // Across hosts numbers of processes say little, and nobody is to guess a name.
    randombytes_buf(random, sizeof(random));
    if (u->remote)
        sodium_bin2hex(identity, sizeof(identity), random, sizeof(random));
    else
        snprintf(identity, sizeof(identity), "renderer-%u-%d", u->setup->slot, (int)getpid());
    err = zsock_open(&u->zsock, u->loop, u->context, ZMQ_DEALER, identity, on_message, u);
    if (!err && u->remote)
        err = set_far(u);
    if (!err && u->remote)
        err = watch_connection(u);
    if (!err)
        err = zsock_connect(u->zsock, u->setup->endpoint);
    return err ? err : say_hello(u);
}

static void connect_when_due(struct uplink *u)
{
    int err;

    if (!desk_clear(u->desk) || clock_now_ns() < u->connect_ns)
        return;
    err = call(u);
    if (err < 0) {
        log_error("%s: %s", u->setup->endpoint, err_text(err));
        leave(KEEPER_FAILED);
    }
}

// Asks for what ZeroMQ asked for in vain, and does not tell. There is nothing else left to do, so it may wait.
static bool is_name_known(const char *endpoint)
{
    char name[256];
    const char *start = endpoint + strlen("tcp://"), *end = strrchr(start, ':');
    struct addrinfo *found = NULL;
    int err;

    if (!end || *start == '[' || (size_t)(end - start) >= sizeof(name))
        return true;
    snprintf(name, sizeof(name), "%.*s", (int)(end - start), start);
    err = getaddrinfo(name, NULL, NULL, &found);
    if (!err)
        freeaddrinfo(found);
    return err != EAI_NONAME && err != EAI_NODATA;
}

static _Noreturn void give_up(const struct uplink *u)
{
    const char *endpoint = u->setup->endpoint, *why;

    if (u->reached)
        why = "a coordinator is there, and has no word for us";
    else if (u->answered)
        why = "somebody answers there who is no coordinator that this key is for (see renderfarm-keygen --for)";
    else if (!is_name_known(endpoint))
        why = "the name of its host is not known here";
    else
        why = "nobody listens there, or nothing gets through";
    log_line(told_by_one(u), "%s: no coordinator could be reached for %g s: %s; leaving", endpoint, u->setup->wait_s, why);
    leave(KEEPER_FAILED);
}

static void on_tick(uv_timer_t *timer)
{
    struct uplink *u = timer->data;
    uint64_t now_ns = clock_now_ns();

    if (u->zsock && u->broken)
        lose(u, "the connection was lost", now_ns);
    if (u->zsock && now_ns - u->heard_ns > (u->welcome ? PROTOCOL_LOST_NS : PROTOCOL_WELCOME_NS))
        lose(u, "nothing was heard of the coordinator", now_ns);
    if (!u->welcome && (double)(now_ns - u->alone_ns) / 1e9 > u->setup->wait_s)
        give_up(u);
    if (!u->zsock)
        connect_when_due(u);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct uplink *u = handle->data;
    Wire__Empty body = WIRE__EMPTY__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    (void)number;
    message.body_case = WIRE__MESSAGE__BODY_BYE;
    message.bye = &body;
    if (u->welcome && send_message(u, &message) == 0) {
        zsock_close(&u->monitor, 0);
        zsock_close(&u->zsock, GOODBYE_MS);
        zsock_end_context(u->context, GOODBYE_MS);
    }
    leave(KEEPER_LEFT);
}

static void prepare_far(struct uplink *u)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    u->alone_ns = clock_now_ns();
    uv_timer_init(u->loop, &u->tick);
    u->tick.data = u;
    uv_timer_start(&u->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(u->loop, &u->signals[i]);
        u->signals[i].data = u;
        if (numbers[i] != SIGHUP || !footing_ignores_hangup())
            uv_signal_start(&u->signals[i], on_signal, numbers[i]);
    }
}

int uplink_open(struct uplink **result, uv_loop_t *loop, const struct uplink_setup *setup)
{
    struct uplink *u = mem_zalloc(sizeof(*u));

    u->setup = setup;
    u->loop = loop;
    u->remote = uplink_is_remote(setup->endpoint);
    avx_cpu();
    avx_all_libraries();
    uv_async_init(loop, &u->wake, on_wake);
    u->wake.data = u;
    u->desk = desk_new(setup->threads, u->remote, wake, u);
    if (!u->desk)
        return -EAGAIN;
    if (u->remote)
        prepare_far(u);
    // From here on the loop's thread needs no more files, nor do ZeroMQ's, which are still to come (but that a host's name is looked up in files).
    // What the render thread needs the job will tell.
    jail_close_files(u->remote ? JAIL_FILES_READ : JAIL_FILES_SYSTEM);
    u->context = zmq_ctx_new();
    if (!u->context)
        return -errno;
    *result = u;
    return call(u);
}
