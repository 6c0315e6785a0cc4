// What a renderer does with a task: it takes input in, is busy for as long as the recording says, and gives back as many packets as there were.
#include "gray_video.h"
#include "renderers.h"

#include "common/arena.h"
#include "common/credit.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <math.h>
#include <stdlib.h>

enum { SLOT_RETRY_NS = 1000000 }; // or a thousandth of the wait so far; in the real one the kernel wakes who waits

static void work_on(struct process *p);

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

        if (arena_try(virtual.farm->arena, p->job.first_slot, p->job.slot_count, p->slot, &slot) < 0)
            return false;
        if (!p->open)
            p->open = chunk_new(0);
        packet = gray_video_frame(slot, (int64_t)p->ready_from++ * PTS_STEP, PTS_STEP, 25);
        chunk_take(p->open, &packet);
        p->ready--;
        if (p->open->packet_count >= p->job.frames_in_chunk)
            close_open(p, false);
    }
    return true;
}

static void encode(struct process *p, uint64_t from, uint64_t to)
{
    uint64_t first = media_frames(p->task.stage, 0, from), count = media_frames(p->task.stage, from, to);

    p->open_bytes += media_bytes(p->task.stage, from, to);
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
        struct chunk *chunk = chunk_list_take(&p->out);

        p->credit--;
        post_chunk(p, &chunk);
    }
}

static void begin_ahead(struct process *p);

static void end_task(struct process *p)
{
    post_done(p);
    p->busy = false;
    if (p->ahead.there)
        begin_ahead(p);
    else
        renderers_set_state(p, PROCESS_IDLE);
}

void work_forget(struct intake_chunk **chunk)
{
    if (*chunk)
        free((*chunk)->slots);
    free(*chunk);
    *chunk = NULL;
}

static void drop_first(struct process *p)
{
    struct intake_chunk *chunk = p->first;

    for (size_t i = 0; i < chunk->slot_count; i++)
        arena_release(virtual.farm->arena, chunk->slots[i]);
    p->first = chunk->next;
    if (!p->first)
        p->last = &p->first;
    work_forget(&chunk);
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
    if (p->job.gives) {
        p->ready_from = p->ready > 0 ? p->ready_from : media_frames(p->task.stage, 0, from);
        p->ready += media_frames(p->task.stage, from, from + p->step);
    } else {
        encode(p, from, from + p->step);
    }
    if (chunk->done >= chunk->frames) {
        p->ended |= chunk->last;
        drop_first(p);
    }
    renderers_set_state(p, PROCESS_WAITS_INPUT);
    work_on(p);
}

static void on_retry(void *data)
{
    struct process *p = data;

    p->retrying = false;
    if (p->state != PROCESS_GONE && p->busy)
        work_on(p);
}

// For the chunk that it begins with.
static void give_credit(struct process *p)
{
    bool all_here = false;

    for (const struct intake_chunk *chunk = p->first; chunk; chunk = chunk->next)
        all_here |= chunk->last;
    p->unsaid++;
    if (!credit_is_due(p->unsaid, p->first->next, all_here, virtual.now_ns - p->told_ns))
        return;
    post_credit(p, p->unsaid);
    p->unsaid = 0;
    p->told_ns = virtual.now_ns;
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
        renderers_set_state(p, PROCESS_WAITS_SLOT);
        if (!p->waits_since_ns)
            p->waits_since_ns = virtual.now_ns;
        if (!p->retrying) {
            p->retrying = true;
            virtual_after(fmax(SLOT_RETRY_NS, (double)(virtual.now_ns - p->waits_since_ns) / 1000), on_retry, p);
        }
        return;
    }
    p->waits_since_ns = 0;
    if (p->ended && !p->closed) {
        close_open(p, true);
        p->closed = true;
    }
    send_out(p);
    if (p->ended) {
        if (p->out.first)
            renderers_set_state(p, PROCESS_WAITS_CREDIT);
        else
            end_task(p);
        return;
    }
    chunk = p->first;
    if (!chunk) {
        renderers_set_state(p, PROCESS_WAITS_INPUT);
        return;
    }
    if (chunk->done == 0)
        give_credit(p);
    p->step = chunk->frames - chunk->done;
    if (p->job.gives && p->step > p->job.frames_in_chunk)
        p->step = p->job.frames_in_chunk;
    renderers_set_state(p, PROCESS_WORKING);
    cost_ns = media_cost(p->task.stage, chunk->from + chunk->done, chunk->from + chunk->done + p->step);
    virtual.prediction->work_ns += cost_ns;
    virtual_work_wide(p->host, cost_ns, virtual.machine->recording->stages[p->task.stage].width, on_step, p);
}

static void on_probe_done(void *data)
{
    struct process *p = data;

    if (p->state == PROCESS_GONE)
        return;
    p->busy = p->probing = false;
    renderers_set_state(p, PROCESS_IDLE);
    post_probed(p);
}

static void begin_task(struct process *p, const struct task_at *task)
{
    p->busy = true;
    p->cancelled = false;
    p->task = *task;
    p->credit = PROTOCOL_FIRST_CREDIT;
    p->sequence = 0;
    p->unsaid = 0;
    p->told_ns = virtual.now_ns;
    p->ended = p->closed = false;
    p->packets = p->ready = 0;
    p->open_bytes = 0;
    renderers_set_state(p, p->probing ? PROCESS_STARTING : PROCESS_WAITS_INPUT);
}

static void begin_ahead(struct process *p)
{
    struct ahead ahead = p->ahead;

    p->ahead.there = false;
    if (ahead.first) {
        p->first = ahead.first;
        p->last = ahead.last;
    }
    begin_task(p, &ahead.task);
    if (ahead.cancelled)
        stop_task(p);
    else
        work_on(p);
}

void work_begin(struct process *p, const struct task_at *task, bool probing)
{
    if (p->busy) {
        p->ahead = (struct ahead){.there = true, .task = *task};
        p->ahead.last = &p->ahead.first;
        return;
    }
    p->probing = probing;
    begin_task(p, task);
    if (p->probing)
        virtual_work(p->host, virtual.machine->recording->probe, on_probe_done, p);
}

static bool is_at(const struct process *p, uint32_t segment, uint32_t attempt)
{
    return p->busy && p->task.segment == segment && p->task.attempt == attempt;
}

static bool waits(const struct process *p, uint32_t segment, uint32_t attempt)
{
    return p->ahead.there && p->ahead.task.segment == segment && p->ahead.task.attempt == attempt;
}

void work_on_chunk(struct process *p, uint32_t segment, uint32_t attempt, struct intake_chunk **chunk)
{
    bool ahead = waits(p, segment, attempt);
    struct intake_chunk ***last = ahead ? &p->ahead.last : &p->last;

    if (!ahead && !is_at(p, segment, attempt)) {
        work_forget(chunk);
        return;
    }
    **last = *chunk;
    *last = &(*chunk)->next;
    *chunk = NULL;
    if (!ahead)
        work_on(p);
}

void work_on_credit(struct process *p, uint32_t segment, uint32_t attempt, uint32_t chunks)
{
    if (!is_at(p, segment, attempt))
        return;
    p->credit += chunks;
    work_on(p);
}

void work_on_cancel(struct process *p, uint32_t segment, uint32_t attempt)
{
    if (waits(p, segment, attempt))
        p->ahead.cancelled = true;
    if (!is_at(p, segment, attempt))
        return;
    p->cancelled = true;
    if (p->state != PROCESS_WORKING)
        stop_task(p);
}

struct intake_chunk *work_intake(const struct stage *stage, const struct chunk *chunk)
{
    struct intake_chunk *in = mem_zalloc(sizeof(*in));
    bool takes = stage->job.takes_frames;

    in->last = chunk->last;
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
    return in;
}

static void forget_all(struct intake_chunk *chunk)
{
    while (chunk) {
        struct intake_chunk *next = chunk->next;

        work_forget(&chunk);
        chunk = next;
    }
}

void work_clear(struct process *p)
{
    forget_all(p->first);
    forget_all(p->ahead.there ? p->ahead.first : NULL);
    chunk_free(&p->open);
    chunk_list_clear(&p->out);
}
