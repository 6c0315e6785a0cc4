#include "door.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HANDSHAKE_MS = 5000,
    // Of one message part. Larger than any packet that a codec makes of a picture that we know of; a renderer on this host may send more.
    MOST_MESSAGE_BYTES = 256 << 20,
    // Messages that a renderer may have on the way: its credit, and a few short ones.
    MOST_WAITING = 64,
    // Connections that have not proved their key yet.
    MOST_STRANGERS = 256,
    // Files that this process needs for other things.
    OTHER_FILES = 256,
    MOST_FILES = 1 << 16,
    // A line each, then only a counter: it may be somebody's mistake.
    MOST_TOLD = 3,
    BACKLOG = 128,
};

struct door {
    struct door_setup *setup;
    void *context; // of its own, so that a flood keeps no local renderer waiting
    struct zsock *zsock, *handler, *monitor;
    int listen_fd;
    bool bound;
    uint64_t open; // connections
    // Those of them that may have proved nothing yet: of this time, as long as a handshake may take, and of the one before. ZeroMQ does not say of
    // every connection that ends whether it was a stranger's, so they are forgotten by the clock: whoever came before that is in or gone.
    uint64_t young, old;
    uint64_t turned_ns;
    uint64_t most_open;
    bool shut;
    unsigned told;
};

static const char user[] = "renderer"; // of all messages from those who were let in
static const char handler_endpoint[] = "inproc://zeromq.zap.01", monitor_endpoint[] = "inproc://door";

// The two halves of "tcp://ADDRESS:PORT"; the brackets around an address are left out.
static bool split(const char *endpoint, char *address, size_t size, char port[6])
{
    const char *start, *colon;
    size_t length;
    char *end;

    if (strncmp(endpoint, "tcp://", 6) != 0)
        return false;
    start = endpoint + 6;
    colon = strrchr(start, ':');
    if (!colon || colon == start || !isdigit((unsigned char)colon[1]) || strlen(colon + 1) > 5 || strtol(colon + 1, &end, 10) > 65535 || *end)
        return false;
    length = (size_t)(colon - start);
    if (*start == '[') {
        if (length < 3 || start[length - 1] != ']')
            return false;
        start++;
        length -= 2;
    } else if (memchr(start, ':', length)) {
        return false;
    }
    if (length >= size)
        return false;
    memcpy(address, start, length);
    address[length] = '\0';
    strcpy(port, colon + 1);
    for (const char *at = address; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(".-_:%*", *at))
            return false;
    return true;
}

bool door_endpoint_is_valid(const char *endpoint)
{
    char address[DOOR_ENDPOINT_BYTES], port[6];

    return strlen(endpoint) < DOOR_ENDPOINT_BYTES - 6 && split(endpoint, address, sizeof(address), port);
}

// ---- Keys ----

static void tell_unknown(struct door *d, const char *address, const uint8_t *key)
{
    char hex[CURVE_HEX_BYTES];

    d->setup->counts.unknown_keys++;
    if (d->told++ >= MOST_TOLD)
        return;
    curve_hex(key, hex);
    log_warn("%s knocked with a key that is not authorised: %s", address, hex);
}

// Whoever adds a key, or takes one off, while the job runs expects it to hold from then on. A look at the file is cheap beside the handshake that
// asks for it, and no stranger can have it read.
static bool is_authorised(struct door *d, const uint8_t *key)
{
    struct curve_file *file = &d->setup->authorised;
    char *why = NULL;
    int changed = curve_file_refresh(file, &why);

    if (changed < 0)
        log_warn("%s; who was authorised before still is", why);
    else if (changed > 0)
        log_info("%s has changed: %zu keys are authorised", file->path, file->list.count);
    free(why);
    return curve_list_has(&file->list, key) || curve_list_has(&d->setup->launched, key);
}

// RFC 27, ZAP: version, request, domain, address, identity, mechanism, credentials.
static void on_question(void *data, struct zsock_message *in)
{
    struct door *d = data;
    bool known = in->count == 7 && zmq_msg_size(&in->parts[6]) == CURVE_BYTES && zmq_msg_size(&in->parts[5]) == 5 &&
                 memcmp(zmq_msg_data(&in->parts[5]), "CURVE", 5) == 0;
    const char *text[6] = {"1.0", "", "400", "not authorised", "", ""}; // version, request, status, text, user, more
    zmq_msg_t parts[6];

    if (known && is_authorised(d, zmq_msg_data(&in->parts[6]))) {
        text[2] = "200";
        text[3] = "";
        text[4] = user;
    } else if (known) {
        char address[64] = "";

        snprintf(address, sizeof(address), "%.*s", (int)zmq_msg_size(&in->parts[3]), (const char *)zmq_msg_data(&in->parts[3]));
        tell_unknown(d, address, zmq_msg_data(&in->parts[6]));
    }
    for (size_t i = 0; i < 6; i++) {
        zmq_msg_init_size(&parts[i], i == 1 && in->count > 1 ? zmq_msg_size(&in->parts[1]) : strlen(text[i]));
        memcpy(zmq_msg_data(&parts[i]), i == 1 && in->count > 1 ? zmq_msg_data(&in->parts[1]) : text[i], zmq_msg_size(&parts[i]));
    }
    zsock_send(d->handler, parts, 6);
}

// ---- Connections ----

// A filter that lets nothing through: no connection is begun, those that are there go on. ZeroMQ itself can only close all of them.
static void set_shut(struct door *d, bool shut)
{
    static struct sock_filter nothing[] = {{.code = BPF_RET | BPF_K, .k = 0}};
    const struct sock_fprog program = {.len = 1, .filter = nothing};
    int unused = 0;

    if (d->shut == shut)
        return;
    if (shut && setsockopt(d->listen_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        return;
    if (!shut)
        setsockopt(d->listen_fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused));
    d->shut = shut;
    d->setup->counts.shut += shut;
    log_debug("%s: %s", d->setup->endpoint, shut ? "too many connections at a time; shut for a while" : "open again");
}

static void forget_gone(struct door *d, uint64_t now_ns)
{
    const uint64_t limit_ns = HANDSHAKE_MS * UINT64_C(1000000);

    if (now_ns - d->turned_ns < limit_ns)
        return;
    d->old = now_ns - d->turned_ns < 2 * limit_ns ? d->young : 0;
    d->young = 0;
    d->turned_ns = now_ns;
}

static void one_less(struct door *d)
{
    if (d->old > 0)
        d->old--;
    else if (d->young > 0)
        d->young--;
}

static void open_or_shut(struct door *d)
{
    while (d->open < d->old + d->young)
        one_less(d);
    // With some distance, so that it is not opened for each one that goes.
    if (d->old + d->young >= MOST_STRANGERS || d->open >= d->most_open)
        set_shut(d, true);
    else if (d->old + d->young < MOST_STRANGERS / 2 && d->open < d->most_open - d->most_open / 8)
        set_shut(d, false);
}

static void on_connection(void *data, struct zsock_message *in)
{
    struct door *d = data;
    uint16_t event;

    if (in->count < 1 || zmq_msg_size(&in->parts[0]) < sizeof(event))
        return;
    memcpy(&event, zmq_msg_data(&in->parts[0]), sizeof(event));
    forget_gone(d, clock_now_ns());
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        d->setup->counts.connections++;
        d->open++;
        d->young++;
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        d->setup->counts.admitted++;
        one_less(d);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        d->open -= d->open > 0;
        break;
    default: // a handshake that failed, in one way or another; DISCONNECTED follows
        one_less(d);
        break;
    }
    open_or_shut(d);
}

void door_tick(struct door *d, uint64_t now_ns)
{
    forget_gone(d, now_ns);
    open_or_shut(d);
}

// ---- Opening ----

// Every connection is an open file.
static void make_room(struct door *d)
{
    struct rlimit files = {.rlim_cur = 1024, .rlim_max = 1024};

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < MOST_FILES) {
        files.rlim_cur = files.rlim_max < MOST_FILES ? files.rlim_max : MOST_FILES;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur > MOST_FILES)
        files.rlim_cur = MOST_FILES;
    d->most_open = files.rlim_cur > 2 * OTHER_FILES ? files.rlim_cur - OTHER_FILES : OTHER_FILES;
}

// In numbers, as ZeroMQ wants it; with the port that was free.
static int tell_address(struct door *d)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    char address[INET6_ADDRSTRLEN + 16], port[16];

    if (getsockname(d->listen_fd, (struct sockaddr *)&bound, &size) < 0)
        return -errno;
    if (getnameinfo((struct sockaddr *)&bound, size, address, sizeof(address), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -EADDRNOTAVAIL;
    snprintf(d->setup->endpoint, sizeof(d->setup->endpoint), bound.ss_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", address, port);
    return 0;
}

static const char *way_out(int err)
{
    return err == -EADDRINUSE      ? "; another program listens there, or another job: port 0 takes one that is free"
           : err == -EADDRNOTAVAIL ? "; it has to be an address of this host, or * for all"
           : err == -EACCES        ? "; ports below 1024 are the system's"
                                   : "";
}

// Our own, for set_shut. *why: what there is to say beside the error, or in its place.
static int listen_at(struct door *d, const char **why)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    char address[DOOR_ENDPOINT_BYTES], port[6];
    int one = 1, err = -EINVAL, unknown;

    if (!split(d->setup->endpoint, address, sizeof(address), port))
        return err;
    if (strcmp(address, "*") == 0)
        hints.ai_family = AF_INET;
    unknown = getaddrinfo(strcmp(address, "*") == 0 ? NULL : address, port, &hints, &found);
    if (unknown) {
        *why = gai_strerror(unknown);
        return -EADDRNOTAVAIL;
    }
    d->listen_fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    err = 0;
    if (d->listen_fd < 0 || setsockopt(d->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(d->listen_fd, found->ai_addr, found->ai_addrlen) < 0 || listen(d->listen_fd, BACKLOG) < 0)
        err = -errno;
    freeaddrinfo(found);
    return err ? err : tell_address(d);
}

struct number {
    int option, value;
};

static int set_numbers(struct zsock *zsock, const struct number *numbers, size_t count)
{
    int err = 0;

    for (size_t i = 0; i < count && !err; i++)
        err = zsock_set(zsock, numbers[i].option, &numbers[i].value, sizeof(numbers[i].value));
    return err;
}

static int open_socket(struct door *d, uv_loop_t *loop, zsock_on_message on_message, void *data, const char **why)
{
    const int64_t most_bytes = MOST_MESSAGE_BYTES;
    int err = zsock_open(&d->zsock, loop, d->context, ZMQ_ROUTER, NULL, on_message, data);

    if (!err)
        err = curve_serve(d->zsock, &d->setup->key);
    if (!err)
        err = zsock_set(d->zsock, ZMQ_MAXMSGSIZE, &most_bytes, sizeof(most_bytes));
    if (!err)
        err = listen_at(d, why);
    if (err)
        return err;
    const struct number numbers[] = {{ZMQ_USE_FD, d->listen_fd}, {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS}, {ZMQ_RCVHWM, MOST_WAITING}};

    err = set_numbers(d->zsock, numbers, sizeof(numbers) / sizeof(numbers[0]));
    if (!err)
        err = zsock_end_dead(d->zsock, PROTOCOL_DEAD_MS);
    if (!err && strchr(d->setup->endpoint, '['))
        err = set_numbers(d->zsock, &(struct number){ZMQ_IPV6, 1}, 1);
    return err;
}

// The watcher and the one who asks for keys are there before the first connection.
static int open_watch(struct door *d, uv_loop_t *loop)
{
    int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    int none = 0, err = zsock_open(&d->handler, loop, d->context, ZMQ_REP, NULL, on_question, d);

    if (!err)
        err = zsock_bind(d->handler, handler_endpoint);
    if (!err)
        err = zsock_watch(d->zsock, monitor_endpoint, events);
    if (!err)
        err = zsock_open(&d->monitor, loop, d->context, ZMQ_PAIR, NULL, on_connection, d);
    if (!err)
        err = zsock_set(d->monitor, ZMQ_RCVHWM, &none, sizeof(none)); // the counts are right or of no use
    if (!err)
        err = zsock_connect(d->monitor, monitor_endpoint);
    return err;
}

int door_open(struct door **result, uv_loop_t *loop, struct door_setup *setup, zsock_on_message on_message, void *data)
{
    struct door *d = mem_zalloc(sizeof(*d));
    const char *why = NULL;
    int err;

    d->setup = setup;
    d->listen_fd = -1;
    make_room(d);
    d->context = zmq_ctx_new();
    err = !d->context ? -errno : !zmq_has("curve") ? -ENOTSUP : open_socket(d, loop, on_message, data, &why);
    if (!err)
        err = open_watch(d, loop);
    if (!err) {
        d->bound = true; // from here on the file is the socket's
        err = zsock_bind(d->zsock, setup->endpoint);
    }
    if (!err) {
        *result = d;
        return 0;
    }
    if (why)
        log_error("--listen=%s: the address is not known: %s", setup->endpoint, why);
    else
        log_error("--listen=%s: %s%s", setup->endpoint, err == -ENOTSUP ? "ZeroMQ was built without CURVE" : err_text(err), way_out(err));
    if (d->listen_fd >= 0 && !d->bound)
        close(d->listen_fd);
    door_close(&d, 0);
    return err;
}

struct zsock *door_socket(struct door *d)
{
    return d->zsock;
}

bool door_admitted(zmq_msg_t *part)
{
    const char *who = zmq_msg_gets(part, "User-Id");

    return who && strcmp(who, user) == 0;
}

void door_close(struct door **door, int linger_ms)
{
    struct door *d = *door;

    if (!d)
        return;
    *door = NULL;
    zsock_close(&d->monitor, 0);
    zsock_close(&d->zsock, linger_ms); // and with it the listening file
    zsock_close(&d->handler, 0);
    if (d->context)
        zsock_end_context(d->context, linger_ms);
    free(d);
}
