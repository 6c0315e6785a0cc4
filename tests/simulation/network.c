// common/zsock.h over a network that is made up: messages take their time, and some are lost, come late, come twice or are not what was sent.
#include "renderers.h"

#include "common/mem.h"
#include "common/protocol.h"
#include "common/zsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The other end.
static struct zsock {
    zsock_on_message on_message;
    void *data;
} * hub_socket;

enum { MOST_PARTS = 64 };

struct parcel {
    char identity[32];
    size_t count;
    zmq_msg_t parts[];
};

static void forget_parcel(void *data)
{
    struct parcel *parcel = data;

    for (size_t i = 0; i < parcel->count; i++)
        zmq_msg_close(&parcel->parts[i]);
    free(parcel);
}

// With room for so many parts, and none yet.
static struct parcel *new_parcel(const char *identity, size_t identity_bytes, size_t parts)
{
    struct parcel *parcel = mem_zalloc(sizeof(*parcel) + parts * sizeof(parcel->parts[0]));

    if (identity_bytes >= sizeof(parcel->identity) || parts > MOST_PARTS)
        abort();
    memcpy(parcel->identity, identity, identity_bytes);
    return parcel;
}

static struct parcel *copy_of(struct parcel *parcel)
{
    struct parcel *copy = new_parcel(parcel->identity, strlen(parcel->identity), parcel->count);

    for (; copy->count < parcel->count; copy->count++) {
        zmq_msg_init(&copy->parts[copy->count]);
        zmq_msg_copy(&copy->parts[copy->count], &parcel->parts[copy->count]);
    }
    return copy;
}

static void send_parcel(struct parcel *parcel, uint64_t *nearest_ns, void (*deliver)(void *data))
{
    uint64_t at_ns = world.now_ns + 20000 + world_random(200000);

    world.counts.messages++;
    if (world_chance(world.faults.lost)) {
        world_say("a message from or to %s is lost", parcel->identity);
        world.counts.lost++;
        forget_parcel(parcel);
        return;
    }
    if (world_chance(world.faults.late)) {
        world_say("a message from or to %s will be late", parcel->identity);
        world.counts.late++;
        at_ns += world_random(4000000000);
    } else {
        at_ns = at_ns > *nearest_ns ? at_ns : *nearest_ns + 1;
        *nearest_ns = at_ns;
    }
    if (world_chance(world.faults.twice)) {
        world_say("a message from or to %s will come twice", parcel->identity);
        world.counts.twice++;
        world_after(at_ns - world.now_ns + world_random(1000000), deliver, forget_parcel, copy_of(parcel));
    }
    if (world_chance(world.faults.garbage)) {
        // What arrives flipped in a bit is the transport's to notice (TCP, CURVE); this is what strangers say.
        size_t size = 1 + world_random(60);

        world.counts.garbage++;
        zmq_msg_close(&parcel->parts[0]);
        zmq_msg_init_size(&parcel->parts[0], size);
        for (size_t i = 0; i < size; i++)
            ((uint8_t *)zmq_msg_data(&parcel->parts[0]))[i] = (uint8_t)world_random(256);
    }
    world_after(at_ns - world.now_ns, deliver, forget_parcel, parcel);
}

static void deliver_to_hub(void *data)
{
    struct parcel *parcel = data;
    struct zsock_message message = {.count = parcel->count + 1};
    zmq_msg_t parts[1 + MOST_PARTS];

    if (hub_socket) {
        zmq_msg_init_size(&parts[0], strlen(parcel->identity));
        memcpy(zmq_msg_data(&parts[0]), parcel->identity, strlen(parcel->identity));
        memcpy(parts + 1, parcel->parts, parcel->count * sizeof(*parts)); // lent
        message.parts = parts;
        hub_socket->on_message(hub_socket->data, &message);
        zmq_msg_close(&parts[0]);
        memcpy(parcel->parts, parts + 1, parcel->count * sizeof(*parts));
    }
    forget_parcel(parcel);
}

void network_say(struct renderer_process *r, const Wire__Message *message)
{
    struct parcel *parcel = new_parcel(r->identity, strlen(r->identity), 1);

    protocol_pack(&parcel->parts[parcel->count++], message);
    send_parcel(parcel, &r->nearest_out_ns, deliver_to_hub);
}

void network_say_chunk(struct renderer_process *r, const struct chunk *chunk)
{
    struct parcel *parcel = new_parcel(r->identity, strlen(r->identity), 1 + chunk->packet_count);

    parcel->count = (size_t)protocol_chunk_to_parts(parcel->parts, chunk, r->segment, r->attempt);
    send_parcel(parcel, &r->nearest_out_ns, deliver_to_hub);
}

static void deliver_to_renderer(void *data)
{
    struct parcel *parcel = data;
    struct renderer_process *r = renderers_by_identity(parcel->identity);
    const char *why;
    Wire__Message *m;

    if (r && r->alive && !r->hung) {
        m = protocol_unpack(zmq_msg_data(&parcel->parts[0]), zmq_msg_size(&parcel->parts[0]), &why);
        if (m) {
            work_hear(r, m, parcel->parts + 1, parcel->count - 1);
            wire__message__free_unpacked(m, NULL);
        }
    }
    forget_parcel(parcel);
}

// ---- common/zsock.h ----

int zsock_open(struct zsock **zsock, uv_loop_t *loop, void *context, int type, const char *identity, zsock_on_message on_message, void *data)
{
    (void)loop;
    (void)context;
    (void)type;
    (void)identity;
    *zsock = mem_zalloc(sizeof(**zsock));
    **zsock = (struct zsock){on_message, data};
    hub_socket = *zsock;
    return 0;
}

int zsock_bind(struct zsock *zsock, const char *endpoint)
{
    (void)zsock;
    (void)endpoint;
    return 0;
}

// For renderers on other hosts, of which there are none here.
int zsock_connect(struct zsock *zsock, const char *endpoint)
{
    return zsock_bind(zsock, endpoint);
}

int zsock_end_dead(struct zsock *zsock, int after_ms)
{
    (void)zsock;
    (void)after_ms;
    return 0;
}

int zsock_set(struct zsock *zsock, int option, const void *value, size_t size)
{
    (void)zsock;
    (void)option;
    (void)value;
    (void)size;
    return 0;
}

int zsock_watch(struct zsock *zsock, const char *endpoint, int events)
{
    (void)events;
    return zsock_bind(zsock, endpoint);
}

int zsock_send(struct zsock *zsock, zmq_msg_t *parts, size_t count)
{
    struct parcel *parcel = new_parcel(zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0]), count - 1);
    struct renderer_process *r;

    (void)zsock;
    zmq_msg_close(&parts[0]);
    memcpy(parcel->parts, parts + 1, (count - 1) * sizeof(*parts));
    parcel->count = count - 1;
    r = renderers_by_identity(parcel->identity);
    if (!r || !r->alive) {
        forget_parcel(parcel);
        return -EHOSTUNREACH;
    }
    send_parcel(parcel, &r->nearest_in_ns, deliver_to_renderer);
    return 0;
}

struct zsock_traffic zsock_traffic(const struct zsock *zsock)
{
    (void)zsock;
    return (struct zsock_traffic){0};
}

void zsock_close(struct zsock **zsock, int linger_ms)
{
    (void)linger_ms;
    free(*zsock);
    *zsock = hub_socket = NULL;
}
