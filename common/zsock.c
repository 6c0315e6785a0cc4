#include "zsock.h"

#include "clock.h"
#include "mem.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Then other handles have their go: what a message takes to be dealt with grows with its parts and with its bytes.
enum { PARTS_PER_TURN = 256, BYTES_PER_TURN = 2 << 20 };

enum { TERM_MS = 1000 }; // what ends at all ends in less

struct zsock {
    void *socket;
    zsock_on_message on_message;
    void *data;
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    int open_handles;
    bool closing, draining;
    bool settled; // it was found empty, and nothing was asked of it since: the descriptor will tell of more
    struct zsock_traffic traffic;
};

// Also without waiting they look into a mailbox now and then, and a signal may come in between: then nothing is sent, or received, yet.
static int send_part(struct zsock *z, zmq_msg_t *part, int flags)
{
    int rc;

    do
        rc = zmq_msg_send(part, z->socket, ZMQ_DONTWAIT | flags);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

static int receive_part(struct zsock *z, zmq_msg_t *part)
{
    int rc;

    do
        rc = zmq_msg_recv(part, z->socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

// Receives one whole multipart. Parts beyond the limit are read and thrown away; the message then counts as empty and is skipped.
static int receive(struct zsock *z, zmq_msg_t *parts, size_t *count)
{
    bool more = true, too_long = false;
    size_t n = 0;
    int err;

    while (more) {
        zmq_msg_t *part = &parts[n < ZSOCK_MAX_PARTS ? n : ZSOCK_MAX_PARTS - 1];

        if (n >= ZSOCK_MAX_PARTS) {
            zmq_msg_close(part);
            too_long = true;
        }
        zmq_msg_init(part);
        err = receive_part(z, part);
        if (err < 0) {
            for (size_t i = 0; i <= n && i < ZSOCK_MAX_PARTS; i++)
                zmq_msg_close(&parts[i]);
            return err;
        }
        more = zmq_msg_more(part);
        n++;
    }
    if (n > ZSOCK_MAX_PARTS)
        n = ZSOCK_MAX_PARTS;
    *count = n;
    if (too_long) {
        for (size_t i = 0; i < n; i++)
            zmq_msg_close(&parts[i]);
        *count = 0;
    }
    return 0;
}

static void drain(struct zsock *z)
{
    static _Thread_local zmq_msg_t parts[ZSOCK_MAX_PARTS];
    int64_t parts_left = PARTS_PER_TURN, bytes_left = BYTES_PER_TURN;

    if (z->draining)
        return;
    z->draining = true;
    while (parts_left > 0 && bytes_left > 0 && !z->closing) {
        struct zsock_message message = {.parts = parts};
        uint64_t start_ns = clock_now_ns(), bytes = 0;
        int err = receive(z, parts, &message.count);

        z->traffic.busy_ns += clock_now_ns() - start_ns;
        z->settled = err == -EAGAIN;
        if (err < 0)
            break;
        for (size_t k = 0; k < message.count; k++)
            bytes += zmq_msg_size(&parts[k]);
        z->traffic.received_messages++;
        z->traffic.received_bytes += bytes;
        parts_left -= (int64_t)message.count + 1;
        bytes_left -= (int64_t)bytes;
        if (message.count > 0)
            z->on_message(z->data, &message);
        for (size_t k = 0; k < message.count; k++)
            zmq_msg_close(&parts[k]);
    }
    z->draining = false;
}

// Others that are ready at the same time come first: what they send may bring answers in the same turn.
static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct zsock *z = handle->data;

    (void)status;
    (void)events;
    z->settled = false;
}

static void on_check(uv_check_t *handle)
{
    struct zsock *z = handle->data;

    if (!z->settled)
        drain(z);
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; // its being active is what keeps the loop from sleeping
}

static void on_prepare(uv_prepare_t *handle)
{
    struct zsock *z = handle->data;
    uint32_t events = 0;
    size_t size = sizeof(int);

    if (!z->settled && zmq_getsockopt(z->socket, ZMQ_EVENTS, &events, &size) == 0)
        z->settled = !(events & ZMQ_POLLIN);
    if (z->settled)
        uv_idle_stop(&z->idle);
    else
        uv_idle_start(&z->idle, on_idle);
}

static void on_closed(uv_handle_t *handle)
{
    struct zsock *z = handle->data;

    if (--z->open_handles == 0)
        free(z);
}

int zsock_open(struct zsock **result, uv_loop_t *loop, void *context, int type, const char *identity, zsock_on_message on_message, void *data)
{
    struct zsock *z = mem_zalloc(sizeof(*z));
    int64_t max_message = INT64_C(1) << 30;
    // A listener and its connections have the socket's linger of when it was bound, and keep it: with libzmq's own, for ever, a connection whose peer
    // has died just before never ends. zsock_close says how long what is left may take.
    int one = 1, no_linger = 0, fd, err;
    size_t size = sizeof(fd);

    z->on_message = on_message;
    z->data = data;
    z->socket = zmq_socket(context, type);
    if (!z->socket) {
        err = -errno;
        free(z);
        return err;
    }
    if ((identity && zmq_setsockopt(z->socket, ZMQ_ROUTING_ID, identity, strlen(identity)) < 0) ||
        zmq_setsockopt(z->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger)) < 0 ||
        zmq_setsockopt(z->socket, ZMQ_MAXMSGSIZE, &max_message, sizeof(max_message)) < 0 ||
        (type == ZMQ_ROUTER && zmq_setsockopt(z->socket, ZMQ_ROUTER_MANDATORY, &one, sizeof(one)) < 0) ||
        zmq_getsockopt(z->socket, ZMQ_FD, &fd, &size) < 0) {
        err = -errno;
        goto fail;
    }
    err = uv_poll_init(loop, &z->poll, fd);
    if (err < 0)
        goto fail;
    uv_prepare_init(loop, &z->prepare);
    uv_check_init(loop, &z->check);
    uv_idle_init(loop, &z->idle);
    z->poll.data = z->prepare.data = z->check.data = z->idle.data = z;
    z->open_handles = 4;
    uv_poll_start(&z->poll, UV_READABLE, on_poll);
    uv_prepare_start(&z->prepare, on_prepare);
    uv_check_start(&z->check, on_check);
    *result = z;
    return 0;

fail:
    zmq_close(z->socket);
    free(z);
    return err;
}

int zsock_bind(struct zsock *z, const char *endpoint)
{
    z->settled = false;
    return zmq_bind(z->socket, endpoint) < 0 ? -errno : 0;
}

int zsock_connect(struct zsock *z, const char *endpoint)
{
    z->settled = false;
    return zmq_connect(z->socket, endpoint) < 0 ? -errno : 0;
}

int zsock_set(struct zsock *z, int option, const void *value, size_t size)
{
    return zmq_setsockopt(z->socket, option, value, size) < 0 ? -errno : 0;
}

int zsock_end_dead(struct zsock *z, int after_ms)
{
    enum { PROBES = 3 };

    const struct {
        int option, value;
    } numbers[] = {
        {ZMQ_TCP_MAXRT, after_ms}, // also of the probes
        {ZMQ_TCP_KEEPALIVE, 1},          {ZMQ_TCP_KEEPALIVE_IDLE, after_ms / 1000 / PROBES}, {ZMQ_TCP_KEEPALIVE_INTVL, after_ms / 1000 / PROBES},
        {ZMQ_TCP_KEEPALIVE_CNT, PROBES},
    };
    int err = 0;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !err; i++)
        err = zsock_set(z, numbers[i].option, &numbers[i].value, sizeof(numbers[i].value));
    return err;
}

int zsock_watch(struct zsock *z, const char *endpoint, int events)
{
    return zmq_socket_monitor(z->socket, endpoint, events) < 0 ? -errno : 0;
}

int zsock_send(struct zsock *z, zmq_msg_t *parts, size_t count)
{
    uint64_t start_ns = clock_now_ns(), bytes = 0;
    int err = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += zmq_msg_size(&parts[i]);
        if (!err)
            err = send_part(z, &parts[i], i + 1 < count ? ZMQ_SNDMORE : 0);
        if (err)
            zmq_msg_close(&parts[i]);
    }
    z->settled = false;
    z->traffic.busy_ns += clock_now_ns() - start_ns;
    if (!err) {
        z->traffic.sent_messages++;
        z->traffic.sent_bytes += bytes;
    }
    return err;
}

struct zsock_traffic zsock_traffic(const struct zsock *z)
{
    return z->traffic;
}

void zsock_close(struct zsock **zsock, int linger_ms)
{
    struct zsock *z = *zsock;

    if (!z)
        return;
    *zsock = NULL;
    z->closing = true;
    uv_poll_stop(&z->poll);
    uv_close((uv_handle_t *)&z->poll, on_closed);
    uv_close((uv_handle_t *)&z->prepare, on_closed);
    uv_close((uv_handle_t *)&z->check, on_closed);
    uv_close((uv_handle_t *)&z->idle, on_closed);
    zmq_setsockopt(z->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    zmq_close(z->socket);
}

struct ending {
    void *context;
    sem_t ended;
    atomic_int users; // who waits for the end, and who brings it about: the last of them frees this
};

static void leave_ending(struct ending *ending)
{
    if (atomic_fetch_sub(&ending->users, 1) > 1)
        return;
    sem_destroy(&ending->ended);
    free(ending);
}

static void *end_context(void *data)
{
    struct ending *ending = data;

    while (zmq_ctx_term(ending->context) < 0 && zmq_errno() == EINTR)
        ;
    sem_post(&ending->ended);
    leave_ending(ending);
    return NULL;
}

static struct timespec deadline_in(int ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (ms % 1000) * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000L;
    at.tv_nsec %= 1000000000L;
    return at;
}

bool zsock_end_context(void *context, int linger_ms)
{
    struct timespec deadline = deadline_in(linger_ms + TERM_MS);
    struct ending *ending = mem_zalloc(sizeof(*ending));
    sigset_t all, before;
    pthread_t thread;
    int err;

    ending->context = context;
    ending->users = 2;
    sem_init(&ending->ended, 0, 0);

    // Signals are the loop thread's business.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&thread, NULL, end_context, ending);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        leave_ending(ending);
        leave_ending(ending);
        return false;
    }
    while ((err = sem_clockwait(&ending->ended, CLOCK_MONOTONIC, &deadline)) < 0 && errno == EINTR)
        ;
    // One that does not end keeps its thread.
    if (err < 0)
        pthread_detach(thread);
    else
        pthread_join(thread, NULL);
    leave_ending(ending);
    return err == 0;
}
