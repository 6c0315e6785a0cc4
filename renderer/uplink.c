#include "uplink.h"

#include "desk.h"
#include "jail.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"
#include "common/zsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct uplink {
    void *context;
    struct zsock *zsock;
    uv_async_t wake;
    struct desk *desk;
    uint32_t credit; // chunks that may still be sent for the running attempt
};

// The process has nothing to save: what it worked on is dealt to another.
static _Noreturn void leave(int status)
{
    _exit(status);
}

static int send_message(struct uplink *u, const Wire__Message *message)
{
    zmq_msg_t part;

    protocol_pack(&part, message);
    return zsock_send(u->zsock, &part, 1);
}

static void send_credit(struct uplink *u, uint32_t chunks)
{
    Wire__Credit body = WIRE__CREDIT__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

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
        leave(1);
    }
    chunk_free(chunk);
}

// Idempotent: sends whatever the desk has that may be sent.
static void pump(struct uplink *u)
{
    uint32_t consumed = desk_take_consumed(u->desk), segment, attempt;
    Wire__Message *result;

    if (consumed > 0)
        send_credit(u, consumed);
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
    leave(1);
}

static void on_message(void *data, struct zsock_message *in)
{
    struct uplink *u = data;
    struct chunk *chunk = NULL;
    const char *why;
    Wire__Message *m = protocol_unpack(zmq_msg_data(&in->parts[0]), zmq_msg_size(&in->parts[0]), &why);

    if (!m)
        nonsense(why);
    switch (m->body_case) {
    case WIRE__MESSAGE__BODY_WELCOME:
        break;
    case WIRE__MESSAGE__BODY_REFUSE:
        log_error("the coordinator refused this renderer: %s", m->refuse->reason);
        leave(1);
    case WIRE__MESSAGE__BODY_JOB:
        desk_put_job(u->desk, m);
        m = NULL;
        break;
    case WIRE__MESSAGE__BODY_TASK:
        u->credit = PROTOCOL_FIRST_CREDIT;
        if (!desk_put_task(u->desk, m))
            nonsense("a task while one is running");
        m = NULL;
        break;
    case WIRE__MESSAGE__BODY_CHUNK:
        if (protocol_chunk_from_parts(&chunk, m->chunk, in->parts + 1, in->count - 1) < 0)
            nonsense("a damaged chunk");
        desk_put_chunk(u->desk, m->chunk->segment, m->chunk->attempt, &chunk);
        chunk_free(&chunk); // not taken: of an attempt that is over
        break;
    case WIRE__MESSAGE__BODY_CREDIT:
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
    case WIRE__MESSAGE__BODY_BYE:
        leave(0);
    default:
        nonsense("what only a renderer sends");
    }
    if (m)
        wire__message__free_unpacked(m, NULL);
    pump(u);
}

static int say_hello(struct uplink *u, uint32_t slot, int threads)
{
    Wire__Hello body = WIRE__HELLO__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    body.protocol = PROTOCOL_VERSION;
    body.libraries = (char *)(uintptr_t)avx_libraries(); // packing only reads
    body.pid = (uint32_t)getpid();
    body.threads = (uint32_t)threads;
    body.slot = slot;
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &body;
    return send_message(u, &message);
}

int uplink_open(struct uplink **result, uv_loop_t *loop, const char *endpoint, uint32_t slot, int threads)
{
    struct uplink *u = mem_zalloc(sizeof(*u));
    bool network = strncmp(endpoint, "ipc:", 4) != 0;
    char identity[64];
    int err;

    snprintf(identity, sizeof(identity), "renderer-%u-%d", slot, (int)getpid());
    uv_async_init(loop, &u->wake, on_wake);
    u->wake.data = u;
    u->desk = desk_new(threads, network, wake, u);
    if (!u->desk)
        return -EAGAIN;
    // From here on the loop's thread needs no more files, nor do ZeroMQ's, which are still to come (but that a host's name is looked up in files).
    // What the render thread needs the job will tell.
    jail_close_files(network ? JAIL_FILES_READ : JAIL_FILES_SYSTEM);
    u->context = zmq_ctx_new();
    if (!u->context)
        return -errno;
    err = zsock_open(&u->zsock, loop, u->context, ZMQ_DEALER, identity, on_message, u);
    if (!err)
        err = zsock_connect(u->zsock, endpoint);
    if (err < 0)
        return err;
    *result = u;
    return say_hello(u, slot, threads);
}
