// common/zsock.h and coordinator/spawner.h over processes and a network that are made up: renderers that speak the protocol byte by byte, work at
// different speeds, and come to grief in all ways that the seed thinks of.
#include "world.h"

#include "common/arena.h"
#include "common/avx.h"
#include "common/mem.h"
#include "common/protocol.h"
#include "common/zsock.h"

#include "coordinator/simulate/gray_video.h"
#include "coordinator/simulate/no_processes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_IN_CHUNK = 4, NO_SLOT = -1 };

struct frame {
    unsigned number;
    uint64_t value;
    bool core;
};

struct known_job {
    uint32_t id;
    const struct video *video;
    bool takes, gives, lent;
    uint32_t first, count; // slots
    struct filter filters[MOST_FILTERS];
    unsigned filter_count;
    bool windows, copies;
};

struct renderer_process {
    struct renderer_process *next;
    uint32_t slot, pid;
    char identity[32];
    bool alive, hung, dying, greeted;
    uint64_t start_tick;
    uint64_t nearest_in_ns, nearest_out_ns; // messages arrive in order
    unsigned slowness;

    struct known_job said, job; // the last one that it was told; the one that it works with, which is that when a task begins
    const char *chain;          // that it has locked itself in for; NULL: none yet

    // The task.
    bool busy, probing, working, input_ended, last_sent;
    uint32_t task_job, segment, attempt, taker, credit, out_sequence, in_sequence;
    int64_t keep_from, keep_to;
    struct chunk_list input;
    struct ahead { // the one to follow
        bool there, cancelled;
        struct known_job said;
        Wire__Task task; // but for what it points to
        struct chunk_list input;
    } ahead;
    struct frame *frames;
    size_t frame_count, frame_room, filtered, given;
    uint64_t packets;
    uint64_t states[MOST_FILTERS];
};

static struct renderer_process *processes;
static uint32_t next_pid;

// The other end.
static struct zsock {
    zsock_on_message on_message;
    void *data;
} * hub_socket;

static void work_on(struct renderer_process *r, uint64_t delay_ns);

// ---- The network ----

enum { MOST_PARTS = 64 };

struct parcel {
    char identity[32];
    size_t count;
    zmq_msg_t parts[];
};

static struct renderer_process *by_identity(const char *identity)
{
    for (struct renderer_process *r = processes; r; r = r->next)
        if (strcmp(r->identity, identity) == 0)
            return r;
    return NULL;
}

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

static void say(struct renderer_process *r, const Wire__Message *message)
{
    struct parcel *parcel = new_parcel(r->identity, strlen(r->identity), 1);

    protocol_pack(&parcel->parts[parcel->count++], message);
    send_parcel(parcel, &r->nearest_out_ns, deliver_to_hub);
}

static void say_chunk(struct renderer_process *r, const struct chunk *chunk)
{
    struct parcel *parcel = new_parcel(r->identity, strlen(r->identity), 1 + chunk->packet_count);

    parcel->count = (size_t)protocol_chunk_to_parts(parcel->parts, chunk, r->segment, r->attempt);
    send_parcel(parcel, &r->nearest_out_ns, deliver_to_hub);
}

// ---- Ends ----

struct end {
    struct renderer_process *process;
    int signal;
};

static void fail(struct renderer_process *r, int code, const char *reason);

static void clear_task(struct renderer_process *r)
{
    chunk_list_clear(&r->input);
    r->frame_count = r->filtered = r->given = 0;
    r->busy = false;
}

static void begin_task(struct renderer_process *r, const Wire__Task *task, const struct known_job *said);

static void end_task(struct renderer_process *r)
{
    struct ahead ahead = r->ahead;

    clear_task(r);
    r->ahead = (struct ahead){0};
    if (!ahead.there)
        return;
    world.counts.ahead++;
    r->input = ahead.input;
    begin_task(r, &ahead.task, &ahead.said);
    if (ahead.cancelled && r->busy && r->segment == ahead.task.segment && r->attempt == ahead.task.attempt)
        fail(r, -ECANCELED, "cancelled");
    else
        work_on(r, 10000);
}

static void take_out(struct renderer_process *r)
{
    struct renderer_process **at = &processes;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
}

static void on_end(void *data)
{
    struct end *end = data;
    struct renderer_process *r = end->process;
    struct spawner_exit exit = {.slot = r->slot, .signal = end->signal, .status = 0, .last_words = ""};

    r->alive = false; // events of it may still come; it is freed with the world
    clear_task(r);
    chunk_list_clear(&r->ahead.input);
    free(end);
    world_say("renderer %u (process %u) is gone, signal %d", r->slot, r->pid, exit.signal);
    no_processes_ended(&exit);
}

static void end_process(struct renderer_process *r, int signal)
{
    struct end *end;

    if (!r->alive || r->dying)
        return;
    r->dying = true;
    end = mem_zalloc(sizeof(*end));
    *end = (struct end){r, signal};
    world_after(100000 + world_random(2000000), on_end, free, end);
}

// ---- What a renderer does ----

static void fail(struct renderer_process *r, int code, const char *reason)
{
    Wire__Failed failed = WIRE__FAILED__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    failed.segment = r->segment;
    failed.attempt = r->attempt;
    failed.code = code;
    failed.reason = (char *)(uintptr_t)reason;
    message.body_case = WIRE__MESSAGE__BODY_FAILED;
    message.failed = &failed;
    say(r, &message);
    end_task(r);
}

static void learn_job(struct known_job *known, const Wire__Job *job)
{
    const char *at = job->filters;

    known->video = &world.videos[job->input->width - 16];
    known->id = job->id;
    known->takes = job->takes_frames;
    known->gives = job->gives_frames;
    known->lent = job->lent;
    known->first = job->arena ? job->arena->first : 0;
    known->count = job->arena ? job->arena->count : 0;
    known->filter_count = 0;
    known->windows = false;
    known->copies = strstr(job->filters, "setsar") != NULL;
    // In the order of the chain; names of other filters (formats between stages) do nothing.
    while (at && *at) {
        size_t length = strcspn(at, ",");

        for (unsigned i = 0; i < known->video->shape.filter_count && !known->copies; i++) {
            const char *name = known->video->shape.filters[i].name;

            if (strlen(name) == length && strncmp(name, at, length) == 0) {
                known->filters[known->filter_count] = known->video->shape.filters[i];
                known->windows |= known->filters[known->filter_count++].kind == FILTER_WINDOW;
                break;
            }
        }
        at += length + (at[length] == ',');
    }
}

static struct frame *add_frame(struct renderer_process *r)
{
    if (r->frame_count == r->frame_room) {
        r->frame_room = r->frame_room ? 2 * r->frame_room : 64;
        r->frames = mem_grow(r->frames, r->frame_room, sizeof(*r->frames));
    }
    return &r->frames[r->frame_count++];
}

static void take_frame(struct renderer_process *r, const AVPacket *packet)
{
    struct frame *frame = add_frame(r);

    frame->number = (unsigned)(packet->pts / PTS_STEP);
    frame->core = r->job.takes ? packet->flags == STAGE_CORE : packet->pts >= r->keep_from && packet->pts < r->keep_to;
    if (!r->job.takes) {
        frame->value = media_decoded(&r->job.video->shape, frame->number);
        return;
    }
    const uint64_t *slot = (const uint64_t *)(const void *)arena_slot(r->job.video->farm->arena, (uint32_t)packet->pos);

    if (!slot || slot[0] != frame->number)
        world_violated("renderer %u gets frame %u, and the slot holds another", r->slot, frame->number);
    frame->value = slot[1];
    if (!r->job.lent)
        arena_release(r->job.video->farm->arena, (uint32_t)packet->pos);
}

// As media.c expects it, but over the frames that are here.
static void filter_all(struct renderer_process *r)
{
    size_t from = r->job.windows ? 0 : r->filtered, count = r->frame_count;
    uint64_t *out;

    if (r->filtered == count)
        return;
    out = mem_zalloc(count * sizeof(*out));
    for (unsigned f = 0; f < r->job.filter_count; f++) {
        const struct filter *filter = &r->job.filters[f];

        for (size_t i = from; i < count; i++) {
            out[i] = media_mix(r->frames[i].value, filter->id);
            if (filter->kind == FILTER_STATE)
                out[i] = r->states[f] = media_mix(r->states[f], out[i]);
            for (size_t j = i > filter->before ? i - filter->before : 0; filter->kind == FILTER_WINDOW && j <= i + filter->after && j < count; j++)
                out[i] = media_mix(out[i], r->frames[j].value);
            if (filter->kind != FILTER_WINDOW)
                out[i] = media_mix(out[i], r->frames[i].value);
        }
        for (size_t i = from; i < count; i++)
            r->frames[i].value = out[i];
    }
    free(out);
    r->filtered = count;
}

static AVPacket *encoded_packet(const struct shape *shape, const struct frame *frame)
{
    AVPacket *packet = av_packet_alloc();
    uint64_t head[2] = {frame->number, frame->value};

    if (!packet || av_new_packet(packet, (int)media_packet_bytes(shape, frame->number, true)) < 0)
        abort();
    memset(packet->data, 0, (size_t)packet->size);
    memcpy(packet->data, head, sizeof(head));
    packet->pts = packet->dts = (int64_t)frame->number * PTS_STEP;
    packet->flags = AV_PKT_FLAG_KEY;
    return packet;
}

// NULL: there is no free slot.
static AVPacket *raw_packet(const struct renderer_process *r, const struct frame *frame)
{
    uint64_t *pixels;
    uint32_t slot;

    if (arena_try(r->job.video->farm->arena, r->job.first, r->job.count, r->taker, &slot) < 0)
        return NULL;
    pixels = (uint64_t *)(void *)arena_slot(r->job.video->farm->arena, slot);
    pixels[0] = frame->number;
    pixels[1] = frame->value;
    return gray_video_frame(slot, (int64_t)frame->number * PTS_STEP, PTS_STEP, 24);
}

// Frames that are ready and not given yet, as a chunk. False: there is nothing to send, or no room.
static bool give(struct renderer_process *r)
{
    size_t ready = r->job.windows && !r->input_ended ? 0 : r->filtered;
    struct chunk *chunk;
    bool ends;

    if (r->credit == 0 || r->last_sent || (r->given == ready && !(r->input_ended && r->filtered == r->frame_count)))
        return false;
    chunk = chunk_new(r->out_sequence);
    while (r->given < ready && chunk->packet_count < FRAMES_IN_CHUNK) {
        const struct frame *frame = &r->frames[r->given];
        AVPacket *packet;

        if (frame->core) {
            packet = r->job.gives ? raw_packet(r, frame) : encoded_packet(&r->job.video->shape, frame);
            if (!packet)
                break;
            chunk_take(chunk, &packet);
        }
        r->given++;
    }
    ends = r->input_ended && r->given == r->frame_count;
    if (chunk->packet_count == 0 && !ends) {
        chunk_free(&chunk);
        return false;
    }
    chunk->last = r->last_sent = ends;
    r->out_sequence++;
    r->credit--;
    r->packets += chunk->packet_count;
    say_chunk(r, chunk);
    chunk_free(&chunk);
    return true;
}

static void answer_probe(struct renderer_process *r)
{
    Wire__Probed probed = WIRE__PROBED__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;
    Wire__FilterFacts facts[MOST_FILTERS], *list[MOST_FILTERS];
    Wire__Option options[MOST_FILTERS], *option_lists[MOST_FILTERS];
    char names[MOST_FILTERS][32], keys[MOST_FILTERS][32], values[MOST_FILTERS][32];

    probed.segment = r->segment;
    probed.attempt = r->attempt;
    gray_video_probed(&probed, PTS_STEP, 24);
    for (unsigned i = 0; i < r->job.video->shape.filter_count; i++) {
        wire__filter_facts__init(&facts[i]);
        wire__option__init(&options[i]);
        names[i][0] = keys[i][0] = values[i][0] = '\0';
        sscanf(r->job.video->shape.filters[i].name, "%31[^=]=%31[^=]=%31s", names[i], keys[i], values[i]);
        facts[i].name = names[i];
        facts[i].inputs = facts[i].outputs = 1;
        facts[i].input_format = facts[i].output_format = (char *)(uintptr_t) "gray";
        options[i].key = keys[i];
        options[i].value = values[i];
        option_lists[i] = &options[i];
        facts[i].options = &option_lists[i];
        facts[i].n_options = keys[i][0] != '\0';
        list[i] = &facts[i];
    }
    probed.filters = list;
    probed.n_filters = r->job.video->shape.filter_count;
    message.body_case = WIRE__MESSAGE__BODY_PROBED;
    message.probed = &probed;
    say(r, &message);
    gray_video_probed_clear(&probed);
    end_task(r);
}

static void tell_done(struct renderer_process *r)
{
    Wire__Done done = WIRE__DONE__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    done.segment = r->segment;
    done.attempt = r->attempt;
    done.packets = done.frames_decoded = done.frames_encoded = r->packets;
    message.body_case = WIRE__MESSAGE__BODY_DONE;
    message.done = &done;
    say(r, &message);
    end_task(r);
}

static void give_credit(struct renderer_process *r)
{
    Wire__Credit credit = WIRE__CREDIT__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    credit.segment = r->segment;
    credit.attempt = r->attempt;
    credit.chunks = 1;
    message.body_case = WIRE__MESSAGE__BODY_CREDIT;
    message.credit = &credit;
    say(r, &message);
}

// The farm that it works for is still there. What the network says twice may come when that has ended.
static bool has_memory(const struct renderer_process *r)
{
    const struct farm *f = r->job.video->farm;

    return f && f->arena && f->crew.borrower == r->job.id >> 16;
}

static bool meets_poison(const struct renderer_process *r, const struct chunk *chunk)
{
    for (size_t i = 0; r->job.video->shape.poisonous && r->job.filter_count > 0 && i < chunk->packet_count; i++)
        if (chunk->packets[i]->pts == (int64_t)r->job.video->shape.poison * PTS_STEP)
            return true;
    return false;
}

static bool comes_to_grief(struct renderer_process *r)
{
    if (world_chance(world.faults.crash)) {
        world.counts.crashes++;
        end_process(r, SIGSEGV);
    } else if (world_chance(world.faults.memory_kill)) {
        world.memory_kills++;
        end_process(r, SIGKILL);
    } else if (world_chance(world.faults.hang)) {
        world.counts.hangs++;
        r->hung = true;
    } else if (world_chance(world.faults.failed) && !r->probing) {
        fail(r, world_random(2) ? -ENOMEM : -EIO, "it is made up");
    } else {
        return false;
    }
    return true;
}

static void on_work(void *data)
{
    struct renderer_process *r = data;
    struct chunk *chunk;

    r->working = false;
    if (!r->alive || r->dying || r->hung || !r->busy || comes_to_grief(r))
        return;
    if ((r->job.takes || r->job.gives) && !has_memory(r)) {
        if (world.faults.twice == 0)
            world_violated("renderer %u works with memory that the farm has given back", r->slot);
        fail(r, -EIO, "what came twice was done long ago");
        return;
    }
    if (give(r)) {
        work_on(r, 100000);
        return;
    }
    if (r->last_sent) {
        tell_done(r);
        return;
    }
    chunk = chunk_list_take(&r->input);
    if (!chunk) {
        if (r->job.gives && r->credit > 0 && r->filtered > r->given)
            work_on(r, 2000000); // a slot may get free
        return;
    }
    if (chunk->sequence != r->in_sequence++) {
        chunk_free(&chunk);
        fail(r, -EPROTO, "a part of its work did not arrive");
        return;
    }
    if (meets_poison(r, chunk) && !r->probing) {
        world.counts.crashes++;
        chunk_free(&chunk);
        end_process(r, SIGSEGV);
        return;
    }
    for (size_t i = 0; i < chunk->packet_count && !r->probing; i++)
        take_frame(r, chunk->packets[i]);
    r->input_ended |= chunk->last;
    give_credit(r);
    if (!r->job.windows || r->input_ended)
        filter_all(r);
    if (r->probing && chunk->last)
        answer_probe(r);
    else
        work_on(r, (uint64_t)(1 + r->slowness) * (50000 + 100000 * chunk->packet_count));
    chunk_free(&chunk);
}

static void work_on(struct renderer_process *r, uint64_t delay_ns)
{
    if (r->working)
        return;
    r->working = true;
    world_after(delay_ns, on_work, NULL, r);
}

static void begin_task(struct renderer_process *r, const Wire__Task *task, const struct known_job *said)
{
    r->busy = true;
    r->job = *said;
    r->probing = task->kind == WIRE__TASK_KIND__PROBE;
    r->task_job = task->job;
    r->segment = task->segment;
    r->attempt = task->attempt;
    r->taker = task->taker;
    r->keep_from = task->keep_from;
    r->keep_to = task->keep_to;
    r->credit = PROTOCOL_FIRST_CREDIT;
    r->out_sequence = r->in_sequence = 0;
    r->packets = 0;
    r->input_ended = r->last_sent = false;
    memset(r->states, 0, sizeof(r->states));
    if (r->task_job != r->job.id) {
        fail(r, -EPROTO, "the job is not known");
        return;
    }
    if (r->chain && strcmp(r->chain, r->job.video->shape.chain) != 0)
        world_violated("renderer %u has locked itself in for '%s' and is to work on '%s'", r->slot, r->chain, r->job.video->shape.chain);
    r->chain = r->job.video->shape.chain;
}

static void take_task(struct renderer_process *r, const Wire__Task *task)
{
    if (!r->busy)
        begin_task(r, task, &r->said);
    else if (!r->ahead.there)
        r->ahead = (struct ahead){.there = true, .said = r->said, .task = *task};
    else
        end_process(r, 0); // a third one: the real one says so and leaves
}

static bool is_at(const struct renderer_process *r, uint32_t segment, uint32_t attempt)
{
    return r->busy && r->segment == segment && r->attempt == attempt;
}

static bool waits(const struct renderer_process *r, uint32_t segment, uint32_t attempt)
{
    return r->ahead.there && r->ahead.task.segment == segment && r->ahead.task.attempt == attempt;
}

static void hear(struct renderer_process *r, const Wire__Message *m, zmq_msg_t *payloads, size_t payload_count)
{
    struct chunk *chunk = NULL;
    bool ahead;

    switch (m->body_case) {
    case WIRE__MESSAGE__BODY_JOB:
        learn_job(&r->said, m->job);
        break;
    case WIRE__MESSAGE__BODY_TASK:
        take_task(r, m->task);
        break;
    case WIRE__MESSAGE__BODY_CHUNK:
        ahead = waits(r, m->chunk->segment, m->chunk->attempt);
        if ((!ahead && !is_at(r, m->chunk->segment, m->chunk->attempt)) || protocol_chunk_from_parts(&chunk, m->chunk, payloads, payload_count) < 0)
            break;
        chunk_list_put(ahead ? &r->ahead.input : &r->input, &chunk);
        work_on(r, 10000);
        break;
    case WIRE__MESSAGE__BODY_CREDIT:
        if (!is_at(r, m->credit->segment, m->credit->attempt))
            break;
        r->credit += m->credit->chunks;
        work_on(r, 10000);
        break;
    case WIRE__MESSAGE__BODY_CANCEL:
        world.counts.cancelled++;
        if (is_at(r, m->cancel->segment, m->cancel->attempt))
            fail(r, -ECANCELED, "cancelled");
        else if (waits(r, m->cancel->segment, m->cancel->attempt))
            r->ahead.cancelled = true;
        break;
    case WIRE__MESSAGE__BODY_REFUSE:
    case WIRE__MESSAGE__BODY_BYE:
        end_process(r, 0);
        break;
    default:
        break;
    }
}

static void deliver_to_renderer(void *data)
{
    struct parcel *parcel = data;
    struct renderer_process *r = by_identity(parcel->identity);
    const char *why;
    Wire__Message *m;

    if (r && r->alive && !r->hung) {
        m = protocol_unpack(zmq_msg_data(&parcel->parts[0]), zmq_msg_size(&parcel->parts[0]), &why);
        if (m) {
            hear(r, m, parcel->parts + 1, parcel->count - 1);
            wire__message__free_unpacked(m, NULL);
        }
    }
    forget_parcel(parcel);
}

static void say_hello(void *data)
{
    struct renderer_process *r = data;
    Wire__Hello hello = WIRE__HELLO__INIT;
    Wire__Message message = WIRE__MESSAGE__INIT;

    if (!r->alive || r->dying)
        return;
    if (world_chance(world.faults.start_fails)) {
        if (world_random(4) == 0)
            r->hung = true;
        else
            end_process(r, SIGABRT);
        return;
    }
    r->greeted = true;
    hello.protocol = PROTOCOL_VERSION;
    hello.libraries = (char *)(uintptr_t)avx_libraries();
    hello.pid = r->pid;
    hello.threads = 1;
    hello.slot = r->slot;
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &hello;
    say(r, &message);
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
    r = by_identity(parcel->identity);
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

// ---- Coming and going ----

uint32_t renderers_start(uint32_t slot)
{
    struct renderer_process *r = mem_zalloc(sizeof(*r));

    r->slot = slot;
    r->pid = ++next_pid;
    snprintf(r->identity, sizeof(r->identity), "renderer-%u-%u", slot, r->pid);
    r->alive = true;
    r->start_tick = world.ticks;
    r->slowness = (world_chance(world.faults.slow) ? 50 : (unsigned)world_random(4)) + (world.far >> slot % 64 & 1 ? 10 : 0); // so that others wait
    r->next = processes;
    processes = r;
    world_say("renderer %u starts (process %u)", slot, r->pid);
    world_after(20000000 + world_random(50000000), say_hello, NULL, r);
    return r->pid;
}

void renderers_kill(uint32_t slot, int signal)
{
    for (struct renderer_process *r = processes; r; r = r->next)
        if (slot == RENDERERS_ALL || r->slot == slot)
            end_process(r, signal);
}

// ---- For the world ----

void renderers_check_none_left(void)
{
    while (processes) {
        struct renderer_process *r = processes;

        if (r->alive)
            world_violated("renderer %u (process %u) is left running", r->slot, r->pid);
        take_out(r);
        free(r->frames);
        free(r);
    }
}

void renderers_check_starts(uint64_t most_ticks)
{
    for (const struct renderer_process *r = processes; r; r = r->next)
        if (r->alive && !r->greeted && world.ticks - r->start_tick > most_ticks)
            world_violated("renderer %u (process %u) does not say hello, and nobody misses it", r->slot, r->pid);
}

void renderers_kill_random(void)
{
    unsigned alive = 0, wanted;

    for (struct renderer_process *r = processes; r; r = r->next)
        alive += r->alive;
    wanted = alive ? (unsigned)world_random(alive) : 0;
    for (struct renderer_process *r = processes; r; r = r->next)
        if (r->alive && wanted-- == 0) {
            world.counts.crashes++;
            end_process(r, SIGKILL);
            return;
        }
}
