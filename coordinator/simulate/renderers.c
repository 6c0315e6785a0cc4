// coordinator/hub.h and coordinator/spawner.h over renderers and a network that only take time.
#include "gray_video.h"
#include "no_processes.h"
#include "virtual.h"

#include "common/arena.h"
#include "common/frames.h"
#include "common/mem.h"
#include "common/protocol.h"

#include "coordinator/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOT_RETRY_NS = 1000000, // in the real one the kernel wakes who waits
    SMALL_MESSAGE_BYTES = 100,
};

// A chunk of input on its way through a renderer.
struct intake_chunk {
    struct intake_chunk *next;
    uint64_t from;   // its first core frame, of the stage's input
    uint64_t frames; // core frames
    uint64_t done;   // of those
    uint32_t *slots; // to release, of all frames; NULL: none
    size_t slot_count;
    bool last;
};

enum process_state { PROCESS_STARTING, PROCESS_IDLE, PROCESS_WORKING, PROCESS_WAITS_INPUT, PROCESS_WAITS_CREDIT, PROCESS_WAITS_SLOT, PROCESS_GONE };

struct process {
    struct process *next;
    uint32_t slot, peer;
    unsigned host;
    enum process_state state;

    // The job that it knows.
    uint32_t stage;
    bool takes, gives, lent;
    uint32_t first_slot, slot_count;
    size_t frames_in_chunk;

    // The task.
    bool busy, probing, retrying, cancelled;
    bool ended, closed; // its input; its output, whose last chunk is made
    uint32_t segment, attempt, credit, sequence;
    struct intake_chunk *first, **last;
    uint64_t step;         // frames that are being worked on
    struct chunk *open;    // what came of them and is not sent yet
    double open_bytes;     // of encoded packets, a part of a byte with them
    struct chunk_list out; // whole chunks
    uint64_t ready;        // raw frames that wait for a slot
    uint64_t ready_from;   // the first of them
    uint64_t packets;
    // The one to follow.
    struct ahead {
        bool there, cancelled;
        uint32_t stage, segment, attempt;
        struct intake_chunk *first, **last;
    } ahead;
};

static struct process *processes;
static struct process **by_number; // all, by peer
static uint32_t next_peer;

static struct hub {
    const struct hub_events *events;
    void *data;
    struct zsock_traffic traffic;
} * the_hub;

static void work_on(struct process *p);

static unsigned *count_of(enum process_state state)
{
    static unsigned gone;

    switch (state) {
    case PROCESS_STARTING:
        return &virtual.counts.starting;
    case PROCESS_IDLE:
        return &virtual.counts.idle;
    case PROCESS_WORKING:
        return &virtual.counts.working;
    case PROCESS_WAITS_INPUT:
        return &virtual.counts.waits_input;
    case PROCESS_WAITS_CREDIT:
        return &virtual.counts.waits_credit;
    case PROCESS_WAITS_SLOT:
        return &virtual.counts.waits_slot;
    default:
        return &gone;
    }
}

static void look_for_serial(void)
{
    virtual.serial_stage = UINT32_MAX;
    for (const struct process *p = processes; p && virtual.farm && virtual.farm->stage_count > 1; p = p->next)
        if (p->state == PROCESS_WORKING && !p->probing && p->stage < virtual.farm->stage_count && !virtual.farm->stages[p->stage].plan->parallel &&
            p->stage < virtual.serial_stage)
            virtual.serial_stage = p->stage;
}

static void set_state(struct process *p, enum process_state state)
{
    if (p->state == state)
        return;
    --*count_of(p->state);
    ++*count_of(state);
    p->state = state;
    if (p->takes || p->gives)
        look_for_serial();
}

// ---- The network ----

// Of each host's link when it is free again.
static struct link {
    double out_ns, in_ns;
} * links;

static double later(double a, double b)
{
    return a > b ? a : b;
}

// How long a message takes from one host to another; the links are taken one after the other, and a message is on both at a time.
static double transfer_ns(unsigned from, unsigned to, double bytes)
{
    double now = (double)virtual.now_ns, takes, begins_out, begins_in;

    if (from == to)
        return LOCAL_LATENCY_NS;
    takes = virtual.machine->bytes_per_s > 0 ? bytes / virtual.machine->bytes_per_s * 1e9 : 0;
    begins_out = later(now, links[from].out_ns);
    links[from].out_ns = begins_out + takes;
    begins_in = later(begins_out, links[to].in_ns);
    links[to].in_ns = begins_in + takes;
    return links[to].in_ns - now + virtual.machine->latency_ns;
}

// A message to the coordinator.
struct letter {
    uint32_t peer, segment, attempt, credit;
    enum { LETTER_HELLO, LETTER_PROBED, LETTER_CHUNK, LETTER_CREDIT, LETTER_DONE } kind;
    struct chunk *chunk;
    uint64_t packets;
    uint32_t slot;
};

static void answer_probe(const struct letter *letter);

static void on_letter(void *data)
{
    struct letter *letter = data;
    Wire__Hello hello = WIRE__HELLO__INIT;
    Wire__Credit credit = WIRE__CREDIT__INIT;
    Wire__Done done = WIRE__DONE__INIT;

    if (!the_hub)
        goto done;
    the_hub->traffic.received_messages++;
    switch (letter->kind) {
    case LETTER_HELLO:
        // Here they come from the spawner, wherever they are.
        virtual.farm->crew.roster.renderers[letter->slot].far = letter->slot % virtual.machine->hosts != 0;
        hello.pid = letter->peer;
        hello.slot = letter->slot;
        hello.threads = 1;
        the_hub->events->on_hello(the_hub->data, letter->peer, &hello);
        break;
    case LETTER_PROBED:
        answer_probe(letter);
        break;
    case LETTER_CHUNK:
        the_hub->events->on_chunk(the_hub->data, letter->peer, letter->segment, letter->attempt, &letter->chunk);
        break;
    case LETTER_CREDIT:
        credit.segment = letter->segment;
        credit.attempt = letter->attempt;
        credit.chunks = letter->credit;
        the_hub->events->on_credit(the_hub->data, letter->peer, &credit);
        break;
    case LETTER_DONE:
        done.segment = letter->segment;
        done.attempt = letter->attempt;
        done.packets = done.frames_decoded = done.frames_encoded = letter->packets;
        the_hub->events->on_done(the_hub->data, letter->peer, &done);
        break;
    }

done:
    chunk_free(&letter->chunk);
    free(letter);
}

static void on_arrival(void *data)
{
    virtual_post(virtual.machine->recording->message, on_letter, data);
}

static void send_letter(const struct process *p, const struct letter *what, double bytes)
{
    struct letter *letter = mem_copy(what, sizeof(*what));

    letter->peer = p->peer;
    letter->slot = p->slot;
    letter->segment = p->segment;
    letter->attempt = p->attempt;
    virtual_after(transfer_ns(p->host, 0, bytes), on_arrival, letter);
}

// ---- What a renderer does ----

// Only its size is of interest: it has no bytes.
static AVPacket *encoded_packet(uint64_t number, double bytes)
{
    AVPacket *packet = av_packet_alloc();

    if (!packet)
        abort();
    packet->size = bytes < (double)MOST_PACKET_BYTES ? (int)bytes : MOST_PACKET_BYTES;
    packet->pts = packet->dts = (int64_t)number * PTS_STEP;
    return packet;
}

static void close_open(struct process *p, bool last)
{
    if (!p->open)
        p->open = chunk_new(0);
    p->open->sequence = p->sequence++;
    p->open->last = last;
    p->packets += p->open->packet_count;
    chunk_list_put(&p->out, &p->open);
}

// Raw frames as far as there are slots. False: there is none for the next.
static bool store_frames(struct process *p)
{
    while (p->ready > 0) {
        uint32_t slot;
        AVPacket *packet;

        if (arena_try(virtual.farm->arena, p->first_slot, p->slot_count, p->slot, &slot) < 0)
            return false;
        if (!p->open)
            p->open = chunk_new(0);
        packet = gray_video_frame(slot, (int64_t)p->ready_from++ * PTS_STEP, PTS_STEP, 25);
        chunk_take(p->open, &packet);
        p->ready--;
        if (p->open->packet_count >= p->frames_in_chunk)
            close_open(p, false);
    }
    return true;
}

static void encode(struct process *p, uint64_t from, uint64_t to)
{
    uint64_t first = media_frames(p->stage, 0, from), count = media_frames(p->stage, from, to);

    p->open_bytes += media_bytes(p->stage, from, to);
    for (uint64_t i = 0; i < count; i++) {
        double bytes = p->open_bytes / (double)(count - i);
        AVPacket *packet = encoded_packet(first + i, bytes);

        p->open_bytes -= packet->size;
        if (p->open && chunk_full(p->open))
            close_open(p, false);
        if (!p->open)
            p->open = chunk_new(0);
        chunk_take(p->open, &packet);
    }
}

static void send_out(struct process *p)
{
    while (p->credit > 0 && p->out.first) {
        struct letter letter = {.kind = LETTER_CHUNK, .chunk = chunk_list_take(&p->out)};

        p->credit--;
        send_letter(p, &letter, (double)letter.chunk->size_bytes);
    }
}

static void begin_ahead(struct process *p);

static void end_task(struct process *p)
{
    struct letter letter = {.kind = LETTER_DONE, .packets = p->packets};

    send_letter(p, &letter, SMALL_MESSAGE_BYTES);
    p->busy = false;
    if (p->ahead.there)
        begin_ahead(p);
    else
        set_state(p, PROCESS_IDLE);
}

static void drop_first(struct process *p)
{
    struct intake_chunk *chunk = p->first;

    for (size_t i = 0; i < chunk->slot_count; i++)
        arena_release(virtual.farm->arena, chunk->slots[i]);
    p->first = chunk->next;
    if (!p->first)
        p->last = &p->first;
    free(chunk->slots);
    free(chunk);
}

// An answer of any kind says that it has stopped.
static void stop_task(struct process *p)
{
    while (p->first)
        drop_first(p);
    chunk_list_clear(&p->out);
    chunk_free(&p->open);
    p->ready = 0;
    end_task(p);
}

static void on_step(void *data)
{
    struct process *p = data;
    struct intake_chunk *chunk = p->first;
    uint64_t from = chunk->from + chunk->done;

    if (p->state == PROCESS_GONE)
        return;
    if (p->cancelled) {
        stop_task(p);
        return;
    }
    chunk->done += p->step;
    if (p->gives) {
        p->ready_from = p->ready > 0 ? p->ready_from : media_frames(p->stage, 0, from);
        p->ready += media_frames(p->stage, from, from + p->step);
    } else {
        encode(p, from, from + p->step);
    }
    if (chunk->done >= chunk->frames) {
        p->ended |= chunk->last;
        drop_first(p);
    }
    set_state(p, PROCESS_WAITS_INPUT);
    work_on(p);
}

static void on_retry(void *data)
{
    struct process *p = data;

    p->retrying = false;
    if (p->state != PROCESS_GONE && p->busy)
        work_on(p);
}

// Idempotent: goes on with whatever can be gone on with.
static void work_on(struct process *p)
{
    struct intake_chunk *chunk;
    double cost_ns;

    if (!p->busy || p->probing || p->state == PROCESS_WORKING)
        return;
    if (!store_frames(p)) {
        send_out(p);
        set_state(p, PROCESS_WAITS_SLOT);
        if (!p->retrying) {
            p->retrying = true;
            virtual_after(SLOT_RETRY_NS, on_retry, p);
        }
        return;
    }
    if (p->ended && !p->closed) {
        close_open(p, true);
        p->closed = true;
    }
    send_out(p);
    if (p->ended) {
        if (p->out.first)
            set_state(p, PROCESS_WAITS_CREDIT);
        else
            end_task(p);
        return;
    }
    chunk = p->first;
    if (!chunk) {
        set_state(p, PROCESS_WAITS_INPUT);
        return;
    }
    if (chunk->done == 0) {
        struct letter letter = {.kind = LETTER_CREDIT, .credit = 1};

        send_letter(p, &letter, SMALL_MESSAGE_BYTES);
    }
    p->step = chunk->frames - chunk->done;
    if (p->gives && p->step > p->frames_in_chunk)
        p->step = p->frames_in_chunk;
    set_state(p, PROCESS_WORKING);
    cost_ns = media_cost(p->stage, chunk->from + chunk->done, chunk->from + chunk->done + p->step);
    virtual.prediction->work_ns += cost_ns;
    virtual_work(p->host, cost_ns, on_step, p);
}

// What the plan is made of comes from the recording, see __wrap_plan_make; here is only what a probe has to have.
static void answer_probe(const struct letter *letter)
{
    Wire__Probed probed = WIRE__PROBED__INIT;
    Wire__FilterFacts facts = WIRE__FILTER_FACTS__INIT, *list = &facts;

    gray_video_probed(&probed, PTS_STEP, 25);
    probed.segment = letter->segment;
    probed.attempt = letter->attempt;
    facts.name = (char *)(uintptr_t) "recorded";
    facts.has_frame_bytes = 1;
    facts.frame_bytes = virtual.machine->recording->frame_bytes;
    probed.filters = &list;
    probed.n_filters = 1;
    the_hub->events->on_probed(the_hub->data, letter->peer, &probed);
    gray_video_probed_clear(&probed);
}

static void on_probe_done(void *data)
{
    struct process *p = data;

    if (p->state == PROCESS_GONE)
        return;
    p->busy = p->probing = false;
    set_state(p, PROCESS_IDLE);
    send_letter(p, &(struct letter){.kind = LETTER_PROBED}, 10 * SMALL_MESSAGE_BYTES);
}

// ---- coordinator/hub.h ----

int hub_open(struct hub **hub, uv_loop_t *loop, const char *endpoint, const char *libraries, const struct hub_events *events, void *data)
{
    (void)loop;
    (void)endpoint;
    (void)libraries;
    the_hub = mem_zalloc(sizeof(*the_hub));
    *the_hub = (struct hub){.events = events, .data = data};
    *hub = the_hub;
    links = mem_zalloc(virtual.machine->hosts * sizeof(*links));
    return 0;
}

static struct process *by_peer(uint32_t peer)
{
    struct process *p = peer >= 1 && peer <= next_peer ? by_number[peer] : NULL;

    return p && p->state != PROCESS_GONE ? p : NULL;
}

// A message to a renderer.
struct parcel {
    struct process *to;
    enum { PARCEL_JOB, PARCEL_TASK, PARCEL_CHUNK, PARCEL_CREDIT, PARCEL_CANCEL, PARCEL_BYE } kind;
    bool takes, gives, lent, probing;
    uint32_t first_slot, slot_count, segment, attempt, credit, stage;
    size_t frames_in_chunk;
    struct intake_chunk *chunk;
};

static void leave(struct process *p);

static void begin_task(struct process *p, uint32_t stage, uint32_t segment, uint32_t attempt)
{
    p->busy = true;
    p->cancelled = false;
    p->segment = segment;
    p->attempt = attempt;
    p->stage = stage;
    p->credit = PROTOCOL_FIRST_CREDIT;
    p->sequence = 0;
    p->ended = p->closed = false;
    p->packets = p->ready = 0;
    p->open_bytes = 0;
    set_state(p, p->probing ? PROCESS_STARTING : PROCESS_WAITS_INPUT);
}

static void begin_ahead(struct process *p)
{
    struct ahead ahead = p->ahead;

    p->ahead.there = false;
    if (ahead.first) {
        p->first = ahead.first;
        p->last = ahead.last;
    }
    begin_task(p, ahead.stage, ahead.segment, ahead.attempt);
    if (ahead.cancelled)
        stop_task(p);
    else
        work_on(p);
}

static void take_task(struct process *p, const struct parcel *parcel)
{
    if (p->busy) {
        p->ahead = (struct ahead){.there = true, .stage = parcel->stage, .segment = parcel->segment, .attempt = parcel->attempt};
        p->ahead.last = &p->ahead.first;
        return;
    }
    p->probing = parcel->probing;
    begin_task(p, parcel->stage, parcel->segment, parcel->attempt);
    if (p->probing)
        virtual_work(p->host, virtual.machine->recording->probe, on_probe_done, p);
}

static bool is_at(const struct process *p, const struct parcel *parcel)
{
    return p->busy && p->segment == parcel->segment && p->attempt == parcel->attempt;
}

static bool waits(const struct process *p, const struct parcel *parcel)
{
    return p->ahead.there && p->ahead.segment == parcel->segment && p->ahead.attempt == parcel->attempt;
}

static void take_chunk(struct process *p, struct intake_chunk *chunk, bool ahead)
{
    struct intake_chunk ***last = ahead ? &p->ahead.last : &p->last;

    **last = chunk;
    *last = &chunk->next;
    if (!ahead)
        work_on(p);
}

static void on_parcel(void *data)
{
    struct parcel *parcel = data;
    struct process *p = parcel->to;

    if (p->state == PROCESS_GONE) {
        if (parcel->chunk)
            free(parcel->chunk->slots);
        free(parcel->chunk);
        free(parcel);
        return;
    }
    switch (parcel->kind) {
    case PARCEL_JOB:
        p->takes = parcel->takes;
        p->gives = parcel->gives;
        p->lent = parcel->lent;
        p->first_slot = parcel->first_slot;
        p->frames_in_chunk = parcel->frames_in_chunk;
        p->slot_count = parcel->slot_count;
        break;
    case PARCEL_TASK:
        take_task(p, parcel);
        break;
    case PARCEL_CHUNK:
        if (is_at(p, parcel) || waits(p, parcel)) {
            take_chunk(p, parcel->chunk, waits(p, parcel));
            break;
        }
        free(parcel->chunk->slots);
        free(parcel->chunk);
        break;
    case PARCEL_CREDIT:
        if (!is_at(p, parcel))
            break;
        p->credit += parcel->credit;
        work_on(p);
        break;
    case PARCEL_CANCEL:
        if (waits(p, parcel))
            p->ahead.cancelled = true;
        if (!is_at(p, parcel))
            break;
        p->cancelled = true;
        if (p->state != PROCESS_WORKING)
            stop_task(p);
        break;
    case PARCEL_BYE:
        leave(p);
        break;
    }
    free(parcel);
}

static int send_parcel(uint32_t peer, const struct parcel *what, double bytes)
{
    struct process *to = by_peer(peer);
    struct parcel *parcel;

    if (!to)
        return -EHOSTUNREACH;
    parcel = mem_copy(what, sizeof(*what));
    parcel->to = to;
    the_hub->traffic.sent_messages++;
    virtual_after(transfer_ns(0, to->host, bytes), on_parcel, parcel);
    return 0;
}

int hub_send_job(struct hub *h, uint32_t peer, const Wire__Job *job)
{
    struct parcel parcel = {.kind = PARCEL_JOB, .takes = job->takes_frames, .gives = job->gives_frames, .lent = job->lent};

    (void)h;
    if (job->arena) {
        parcel.first_slot = job->arena->first;
        parcel.frames_in_chunk = frames_in_chunk(job->arena->slot_bytes);
        parcel.slot_count = job->arena->count;
    }
    return send_parcel(peer, &parcel, 10 * SMALL_MESSAGE_BYTES);
}

int hub_send_task(struct hub *h, uint32_t peer, const Wire__Task *task)
{
    const struct renderer *renderer = roster_by_peer(&virtual.farm->crew.roster, peer);
    struct parcel parcel = {.kind = PARCEL_TASK,
                            .probing = task->kind == WIRE__TASK_KIND__PROBE,
                            .segment = task->segment,
                            .attempt = task->attempt,
                            .stage = renderer ? renderer->stage : 0};

    (void)h;
    return send_parcel(peer, &parcel, SMALL_MESSAGE_BYTES);
}

int hub_send_chunk(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt, const struct chunk *chunk)
{
    const struct process *p = by_peer(peer);
    const struct renderer *renderer = roster_by_peer(&virtual.farm->crew.roster, peer);
    struct parcel parcel = {.kind = PARCEL_CHUNK, .segment = segment, .attempt = attempt};
    struct intake_chunk *in;

    (void)h;
    if (!p || !renderer)
        return -EHOSTUNREACH;
    if (renderer->probing)
        return 0; // the probe takes its time without them
    in = parcel.chunk = mem_zalloc(sizeof(*in));
    in->last = chunk->last;
    const struct stage *stage = &virtual.farm->stages[renderer->stage];
    bool takes = stage->job.takes_frames;

    for (size_t i = 0; i < chunk->packet_count; i++) {
        const AVPacket *packet = chunk->packets[i];

        if (takes && packet->flags != STAGE_CORE)
            continue;
        if (in->frames++ == 0)
            in->from = (uint64_t)packet->pts / PTS_STEP;
    }
    if (takes && !stage->job.lent && chunk->packet_count > 0) {
        in->slots = mem_zalloc(chunk->packet_count * sizeof(*in->slots));
        for (size_t i = 0; i < chunk->packet_count; i++)
            in->slots[in->slot_count++] = (uint32_t)chunk->packets[i]->pos;
    }
    return send_parcel(peer, &parcel, (double)chunk->size_bytes);
}

int hub_send_credit(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt, uint32_t chunks)
{
    (void)h;
    return send_parcel(peer, &(struct parcel){.kind = PARCEL_CREDIT, .segment = segment, .attempt = attempt, .credit = chunks}, SMALL_MESSAGE_BYTES);
}

int hub_send_cancel(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt)
{
    (void)h;
    return send_parcel(peer, &(struct parcel){.kind = PARCEL_CANCEL, .segment = segment, .attempt = attempt}, SMALL_MESSAGE_BYTES);
}

int hub_send_bye(struct hub *h, uint32_t peer)
{
    (void)h;
    return send_parcel(peer, &(struct parcel){.kind = PARCEL_BYE}, SMALL_MESSAGE_BYTES);
}

// For renderers on other hosts that come by themselves. Here all are the coordinator's own, wherever they are.
int hub_listen(struct hub *h, uv_loop_t *loop, struct door_setup *setup)
{
    (void)h;
    (void)loop;
    (void)setup;
    return 0;
}

void hub_tick(struct hub *h, uint64_t now_ns)
{
    (void)h;
    (void)now_ns;
}

bool hub_is_remote(const struct hub *h, uint32_t peer)
{
    (void)h;
    (void)peer;
    return false;
}

const char *hub_address(const struct hub *h, uint32_t peer)
{
    (void)h;
    (void)peer;
    return "";
}

int hub_send_away(struct hub *h, uint32_t peer, const char *reason, bool again)
{
    (void)reason;
    (void)again;
    return hub_send_bye(h, peer);
}

void hub_forget(struct hub *h, uint32_t peer)
{
    (void)h;
    (void)peer;
}

const char *hub_renderers_libraries(const struct hub *hub)
{
    (void)hub;
    return NULL; // nothing is kept
}

struct zsock_traffic hub_traffic(const struct hub *h)
{
    return h->traffic;
}

void hub_close(struct hub **hub)
{
    free(*hub);
    *hub = the_hub = NULL;
    free(links);
    links = NULL;
}

// ---- Coming and going ----

static void on_started(void *data)
{
    struct process *p = data;

    if (p->state == PROCESS_GONE)
        return;
    set_state(p, PROCESS_IDLE);
    send_letter(p, &(struct letter){.kind = LETTER_HELLO}, 10 * SMALL_MESSAGE_BYTES);
}

static void on_spawned(void *data)
{
    struct process *p = data;

    virtual_work(p->host, virtual.machine->recording->start, on_started, p);
}

// The loop is at it all the while.
uint32_t renderers_start(uint32_t slot)
{
    struct process *p = mem_zalloc(sizeof(*p));

    p->slot = slot;
    p->host = slot % virtual.machine->hosts;
    p->peer = ++next_peer;
    by_number = mem_grow(by_number, next_peer + 1, sizeof(struct process *));
    by_number[next_peer] = p;
    p->last = &p->first;
    p->state = PROCESS_GONE;
    set_state(p, PROCESS_STARTING);
    p->next = processes;
    processes = p;
    virtual_post(virtual.machine->recording->spawn, on_spawned, p);
    return p->peer;
}

struct farewell {
    uint32_t slot;
};

static void on_gone(void *data)
{
    struct farewell *farewell = data;
    struct spawner_exit fact = {.slot = farewell->slot, .last_words = ""};

    free(farewell);
    no_processes_ended(&fact);
}

static void leave(struct process *p)
{
    struct farewell *farewell;

    if (p->state == PROCESS_GONE)
        return;
    set_state(p, PROCESS_GONE);
    farewell = mem_zalloc(sizeof(*farewell));
    farewell->slot = p->slot;
    virtual_after(virtual.machine->recording->leave, on_gone, farewell);
}

void renderers_kill(uint32_t slot, int signal)
{
    (void)signal;
    for (struct process *p = processes; p; p = p->next)
        if (slot == RENDERERS_ALL || p->slot == slot)
            leave(p);
}

static void free_chunks(struct intake_chunk *chunk)
{
    while (chunk) {
        struct intake_chunk *next = chunk->next;

        free(chunk->slots);
        free(chunk);
        chunk = next;
    }
}

void renderers_end(void)
{
    while (processes) {
        struct process *p = processes;

        processes = p->next;
        free_chunks(p->first);
        free_chunks(p->ahead.there ? p->ahead.first : NULL);
        chunk_free(&p->open);
        chunk_list_clear(&p->out);
        free(p);
    }
    free(by_number);
    by_number = NULL;
    next_peer = 0;
    virtual.counts = (struct virtual_counts){0};
}
