// A long way: a TCP relay on 127.0.0.1 that hands on every byte so many milliseconds after it came, in both directions. Kernels that have no netem
// cannot delay a link by themselves.
//
// usage: relay PORT MILLISECONDS     prints the port that it listens at; ends when its standard input does
#include "common/mem.h"

#include <uv.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_QUEUED_BYTES = 4 << 20 }; // then the sender has to wait, as it would for a link that is full

struct parcel {
    struct parcel *next;
    uint64_t due_ms;
    uv_write_t write;
    uv_buf_t bytes; // none: the end
};

// One direction of a connection.
struct way {
    uv_tcp_t *from, *to;
    struct parcel *first, **last;
    size_t queued_bytes;
    bool paused;
    uv_timer_t timer;
};

struct connection {
    uv_tcp_t near, far;
    uv_connect_t connect;
    struct way there, back;
    int open; // handles
};

static uint64_t delay_ms;
static struct sockaddr_in target;

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;

    if (--c->open > 0)
        return;
    for (struct way *way = &c->there;; way = &c->back) {
        while (way->first) {
            struct parcel *parcel = way->first;

            way->first = parcel->next;
            free(parcel->bytes.base);
            free(parcel);
        }
        if (way == &c->back)
            break;
    }
    free(c);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void close_all(struct connection *c)
{
    close_handle((uv_handle_t *)&c->near);
    close_handle((uv_handle_t *)&c->far);
    close_handle((uv_handle_t *)&c->there.timer);
    close_handle((uv_handle_t *)&c->back.timer);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    *buffer = uv_buf_init(mem_zalloc(suggested), (unsigned)suggested);
}

static void on_written(uv_write_t *write, int status)
{
    struct parcel *parcel = write->data;

    (void)status; // the other end notices by reading
    free(parcel->bytes.base);
    free(parcel);
}

static void hand_on(uv_timer_t *timer)
{
    struct connection *c = timer->data;
    struct way *way = timer == &c->there.timer ? &c->there : &c->back;
    uint64_t now_ms = uv_now(uv_default_loop());

    while (way->first && way->first->due_ms <= now_ms) {
        struct parcel *parcel = way->first;

        way->first = parcel->next;
        if (!way->first)
            way->last = &way->first;
        if (!parcel->bytes.base) {
            free(parcel);
            close_all(c);
            return;
        }
        way->queued_bytes -= parcel->bytes.len;
        parcel->write.data = parcel;
        if (uv_write(&parcel->write, (uv_stream_t *)way->to, &parcel->bytes, 1, on_written) < 0)
            on_written(&parcel->write, 0);
    }
    if (way->paused && way->queued_bytes < MOST_QUEUED_BYTES) {
        way->paused = false;
        uv_read_start((uv_stream_t *)way->from, give_buffer, on_read);
    }
    if (way->first)
        uv_timer_start(timer, hand_on, way->first->due_ms - now_ms, 0);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;
    struct way *way = stream == (uv_stream_t *)&c->near ? &c->there : &c->back;
    struct parcel *parcel;

    if (size == 0) {
        free(buffer->base);
        return;
    }
    parcel = mem_zalloc(sizeof(*parcel));
    parcel->due_ms = uv_now(uv_default_loop()) + delay_ms;
    if (size > 0)
        parcel->bytes = uv_buf_init(buffer->base, (unsigned)size);
    else
        free(buffer->base);
    *way->last = parcel;
    way->last = &parcel->next;
    way->queued_bytes += size > 0 ? (size_t)size : 0;
    if (size < 0 || way->queued_bytes >= MOST_QUEUED_BYTES) {
        way->paused = size > 0;
        uv_read_stop(stream);
    }
    if (way->first == parcel)
        uv_timer_start(&way->timer, hand_on, delay_ms, 0);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct connection *c = connect->data;

    if (status < 0) {
        close_all(c);
        return;
    }
    uv_tcp_nodelay(&c->near, 1);
    uv_tcp_nodelay(&c->far, 1);
    uv_read_start((uv_stream_t *)&c->near, give_buffer, on_read);
    uv_read_start((uv_stream_t *)&c->far, give_buffer, on_read);
}

static void init_way(struct way *way, uv_tcp_t *from, uv_tcp_t *to, struct connection *c)
{
    way->from = from;
    way->to = to;
    way->last = &way->first;
    uv_timer_init(uv_default_loop(), &way->timer);
    way->timer.data = c;
    c->open++;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct connection *c;

    if (status < 0)
        return;
    c = mem_zalloc(sizeof(*c));
    uv_tcp_init(uv_default_loop(), &c->near);
    uv_tcp_init(uv_default_loop(), &c->far);
    c->near.data = c->far.data = c->connect.data = c;
    c->open = 2;
    init_way(&c->there, &c->near, &c->far, c);
    init_way(&c->back, &c->far, &c->near, c);
    if (uv_accept(server, (uv_stream_t *)&c->near) < 0 || uv_tcp_connect(&c->connect, &c->far, (const struct sockaddr *)&target, on_connected) < 0)
        close_all(c);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    char bytes[64];

    (void)poll;
    (void)status;
    (void)events;
    if (read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0)
        exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    int length = sizeof(address);
    uv_tcp_t server;
    uv_poll_t input;

    if (argc != 3) {
        fprintf(stderr, "usage: relay PORT MILLISECONDS\n");
        return 2;
    }
    delay_ms = strtoull(argv[2], NULL, 10);
    uv_ip4_addr("127.0.0.1", atoi(argv[1]), &target);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(uv_default_loop(), &server);
    if (uv_tcp_bind(&server, (const struct sockaddr *)&address, 0) < 0 || uv_listen((uv_stream_t *)&server, 64, on_connection) < 0 ||
        uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length) < 0)
        return 1;
    printf("%d\n", (int)(uint16_t)(address.sin_port << 8 | address.sin_port >> 8));
    fflush(stdout);
    if (uv_poll_init(uv_default_loop(), &input, STDIN_FILENO) == 0) // it may be a file, which cannot be watched
        uv_poll_start(&input, UV_READABLE | UV_DISCONNECT, on_input);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
