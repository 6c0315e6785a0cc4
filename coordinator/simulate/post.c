// coordinator/hub.h over a network that only takes time: letters to the coordinator, parcels to renderers.
#include "gray_video.h"
#include "renderers.h"

#include "common/frames.h"
#include "common/mem.h"

#include "coordinator/hub.h"

#include <errno.h>
#include <stdlib.h>

enum { SMALL_MESSAGE_BYTES = 100, LARGE_MESSAGE_BYTES = 10 * SMALL_MESSAGE_BYTES };

static struct hub {
    const struct hub_events *events;
    void *data;
    struct zsock_traffic traffic;
} * the_hub;

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

// ---- To the coordinator ----

struct letter {
    uint32_t peer, segment, attempt, credit;
    enum { LETTER_HELLO, LETTER_PROBED, LETTER_CHUNK, LETTER_CREDIT, LETTER_DONE } kind;
    struct chunk *chunk;
    uint64_t packets;
    uint32_t slot;
};

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
    letter->segment = p->task.segment;
    letter->attempt = p->task.attempt;
    virtual_after(transfer_ns(p->host, 0, bytes), on_arrival, letter);
}

void post_hello(const struct process *p)
{
    send_letter(p, &(struct letter){.kind = LETTER_HELLO}, LARGE_MESSAGE_BYTES);
}

void post_probed(const struct process *p)
{
    send_letter(p, &(struct letter){.kind = LETTER_PROBED}, LARGE_MESSAGE_BYTES);
}

void post_chunk(const struct process *p, struct chunk **chunk)
{
    send_letter(p, &(struct letter){.kind = LETTER_CHUNK, .chunk = *chunk}, (double)(*chunk)->size_bytes);
    *chunk = NULL;
}

void post_credit(const struct process *p, uint32_t chunks)
{
    send_letter(p, &(struct letter){.kind = LETTER_CREDIT, .credit = chunks}, SMALL_MESSAGE_BYTES);
}

void post_done(const struct process *p)
{
    send_letter(p, &(struct letter){.kind = LETTER_DONE, .packets = p->packets}, SMALL_MESSAGE_BYTES);
}

// ---- To renderers ----

struct parcel {
    struct process *to;
    enum { PARCEL_JOB, PARCEL_TASK, PARCEL_CHUNK, PARCEL_CREDIT, PARCEL_CANCEL, PARCEL_BYE } kind;
    struct known_job job;
    struct task_at task;
    bool probing;
    uint32_t credit;
    struct intake_chunk *chunk;
};

static void on_parcel(void *data)
{
    struct parcel *parcel = data;
    struct process *p = parcel->to;
    const struct task_at *task = &parcel->task;

    if (p->state == PROCESS_GONE) {
        work_forget(&parcel->chunk);
        free(parcel);
        return;
    }
    switch (parcel->kind) {
    case PARCEL_JOB:
        p->job = parcel->job;
        break;
    case PARCEL_TASK:
        work_begin(p, task, parcel->probing);
        break;
    case PARCEL_CHUNK:
        work_on_chunk(p, task->segment, task->attempt, &parcel->chunk);
        break;
    case PARCEL_CREDIT:
        work_on_credit(p, task->segment, task->attempt, parcel->credit);
        break;
    case PARCEL_CANCEL:
        work_on_cancel(p, task->segment, task->attempt);
        break;
    case PARCEL_BYE:
        renderers_leave(p);
        break;
    }
    free(parcel);
}

static int send_parcel(uint32_t peer, const struct parcel *what, double bytes)
{
    struct process *to = renderers_by_peer(peer);
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
    struct parcel parcel = {.kind = PARCEL_JOB, .job = {.takes = job->takes_frames, .gives = job->gives_frames}};

    (void)h;
    if (job->arena) {
        parcel.job.first_slot = job->arena->first;
        parcel.job.frames_in_chunk = frames_in_chunk(job->arena->slot_bytes, job->arena->count);
        parcel.job.slot_count = job->arena->count;
    }
    return send_parcel(peer, &parcel, LARGE_MESSAGE_BYTES);
}

int hub_send_task(struct hub *h, uint32_t peer, const Wire__Task *task)
{
    const struct renderer *renderer = roster_by_peer(&virtual.farm->crew.roster, peer);
    struct parcel parcel = {.kind = PARCEL_TASK, .probing = task->kind == WIRE__TASK_KIND__PROBE};

    (void)h;
    parcel.task = (struct task_at){.stage = renderer ? renderer->stage : 0, .segment = task->segment, .attempt = task->attempt};
    return send_parcel(peer, &parcel, SMALL_MESSAGE_BYTES);
}

int hub_send_chunk(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt, const struct chunk *chunk)
{
    const struct renderer *renderer = roster_by_peer(&virtual.farm->crew.roster, peer);
    struct parcel parcel = {.kind = PARCEL_CHUNK, .task = {.segment = segment, .attempt = attempt}};

    (void)h;
    if (!renderers_by_peer(peer) || !renderer)
        return -EHOSTUNREACH;
    if (renderer->probing)
        return 0; // the probe takes its time without them
    parcel.chunk = work_intake(&virtual.farm->stages[renderer->stage], chunk);
    return send_parcel(peer, &parcel, (double)chunk->size_bytes);
}

int hub_send_credit(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt, uint32_t chunks)
{
    struct parcel parcel = {.kind = PARCEL_CREDIT, .task = {.segment = segment, .attempt = attempt}, .credit = chunks};

    (void)h;
    return send_parcel(peer, &parcel, SMALL_MESSAGE_BYTES);
}

int hub_send_cancel(struct hub *h, uint32_t peer, uint32_t segment, uint32_t attempt)
{
    struct parcel parcel = {.kind = PARCEL_CANCEL, .task = {.segment = segment, .attempt = attempt}};

    (void)h;
    return send_parcel(peer, &parcel, SMALL_MESSAGE_BYTES);
}

int hub_send_sweep(struct hub *h, uint32_t peer, uint64_t offset, uint64_t size)
{
    (void)h;
    (void)peer;
    (void)offset;
    (void)size;
    return 0;
}

int hub_send_bye(struct hub *h, uint32_t peer)
{
    (void)h;
    return send_parcel(peer, &(struct parcel){.kind = PARCEL_BYE}, SMALL_MESSAGE_BYTES);
}

// ---- The rest of coordinator/hub.h ----

int hub_open(struct hub **hub, uv_loop_t *loop, const char *endpoint, const char *libraries, const char *cpu, const struct hub_events *events,
             void *data)
{
    (void)loop;
    (void)endpoint;
    (void)libraries;
    (void)cpu;
    the_hub = mem_zalloc(sizeof(*the_hub));
    *the_hub = (struct hub){.events = events, .data = data};
    *hub = the_hub;
    links = mem_zalloc(virtual.machine->hosts * sizeof(*links));
    return 0;
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

const char *hub_renderers_libraries(struct hub *hub)
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
