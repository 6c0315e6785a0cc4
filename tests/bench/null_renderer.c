#include "null_renderer.h"

#include "common/avx.h"
#include "common/clock.h"
#include "common/protocol.h"

#include "coordinator/simulate/gray_video.h"

#include <unistd.h>

static void say(struct null_renderer *r, const Wire__Message *message)
{
    zmq_msg_t part;

    protocol_pack(&part, message);
    r->send(r->data, &part, 1);
}

// What was sent ahead is at hand now.
static void end_task(struct null_renderer *r)
{
    r->task = r->ahead;
    r->ahead = (struct null_task){0};
}

static void answer_probe(struct null_renderer *r)
{
    Wire__Probed probed = WIRE__PROBED__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    probed.segment = r->task.segment;
    probed.attempt = r->task.attempt;
    gray_video_probed(&probed, NULL_RENDERER_STEP, 24);
    message.body_case = WIRE__MESSAGE__BODY_PROBED;
    message.probed = &probed;
    say(r, &message);
    gray_video_probed_clear(&probed);
    end_task(r);
}

static void tell_done(struct null_renderer *r)
{
    Wire__Done done = WIRE__DONE__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    done.segment = r->task.segment;
    done.attempt = r->task.attempt;
    done.packets = done.frames_decoded = done.frames_encoded = r->task.packets;
    message.body_case = WIRE__MESSAGE__BODY_DONE;
    message.done = &done;
    say(r, &message);
    end_task(r);
}

static void send_back(struct null_renderer *r)
{
    static zmq_msg_t parts[CHUNK_MAX_PACKETS + 1];
    struct null_task *task = &r->task;

    while (task->credit > 0 && task->out.first) {
        struct chunk *chunk = chunk_list_take(&task->out);
        bool last = chunk->last;

        chunk->sequence = task->next++;
        task->packets += chunk->packet_count;
        task->credit--;
        r->send(r->data, parts, (size_t)protocol_chunk_to_parts(parts, chunk, task->segment, task->attempt));
        chunk_free(&chunk);
        if (last)
            tell_done(r);
    }
}

static bool is(const struct null_task *task, uint32_t segment, uint32_t attempt)
{
    return task->here && task->segment == segment && task->attempt == attempt;
}

static bool take_chunk(struct null_renderer *r, const Wire__Chunk *wire, zmq_msg_t *parts, size_t count)
{
    struct chunk *chunk = NULL;

    if (protocol_chunk_from_parts(&chunk, wire, parts + 1, count - 1) < 0)
        return false;
    if (is(&r->ahead, wire->segment, wire->attempt))
        chunk_list_put(&r->ahead.out, &chunk);
    else if (!r->task.probing)
        chunk_list_put(&r->task.out, &chunk);
    else if (chunk->last)
        answer_probe(r);
    chunk_free(&chunk);
    send_back(r);
    return true;
}

enum null_renderer_end null_renderer_hear(struct null_renderer *r, zmq_msg_t *parts, size_t count)
{
    enum null_renderer_end end = NULL_RENDERER_GOES_ON;
    Wire__Message answer = WIRE__MESSAGE__INIT;
    Wire__Empty empty = WIRE__EMPTY__INIT;
    const char *why;
    Wire__Message *m = protocol_unpack(zmq_msg_data(&parts[0]), zmq_msg_size(&parts[0]), &why);

    if (!m)
        return NULL_RENDERER_FAILED;
    switch (m->body_case) {
    case WIRE__MESSAGE__BODY_BYE:
    case WIRE__MESSAGE__BODY_REFUSE:
        end = NULL_RENDERER_ENDS;
        break;
    case WIRE__MESSAGE__BODY_TASK:
        *(r->task.here ? &r->ahead : &r->task) = (struct null_task){
            .here = true,
            .probing = m->task->kind == WIRE__TASK_KIND__PROBE,
            .segment = m->task->segment,
            .attempt = m->task->attempt,
            .credit = PROTOCOL_FIRST_CREDIT,
        };
        break;
    case WIRE__MESSAGE__BODY_CHUNK:
        if (!take_chunk(r, m->chunk, parts, count))
            end = NULL_RENDERER_FAILED;
        break;
    case WIRE__MESSAGE__BODY_CREDIT:
        if (is(&r->task, m->credit->segment, m->credit->attempt))
            r->task.credit += m->credit->chunks;
        send_back(r);
        break;
    case WIRE__MESSAGE__BODY_PING:
        answer.body_case = WIRE__MESSAGE__BODY_PONG;
        answer.pong = &empty;
        say(r, &answer);
        break;
    default:
        break;
    }
    wire__message__free_unpacked(m, NULL);
    return end;
}

void null_renderer_hello(struct null_renderer *r, uint32_t slot, uint64_t place)
{
    Wire__Hello hello = WIRE__HELLO__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    hello.protocol = PROTOCOL_VERSION;
    hello.libraries = (char *)(uintptr_t)avx_libraries();
    hello.pid = (uint32_t)getpid();
    hello.threads = 1;
    hello.slot = slot;
    hello.cpu = (char *)(uintptr_t)avx_cpu();
    hello.has_place = hello.has_since_ns = place != 0;
    hello.place = place;
    hello.since_ns = clock_now_ns();
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &hello;
    say(r, &message);
}
