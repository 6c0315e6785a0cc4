// What a renderer hears and does about it: it learns jobs, works on one task at a time, at its own speed, and comes to grief in all ways that the
// seed thinks of.
#include "renderers.h"

#include "common/protocol.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

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

static void work_on(struct renderer_process *r, uint64_t delay_ns);
static void begin_task(struct renderer_process *r, const Wire__Task *task, const struct known_job *said);
static void fail(struct renderer_process *r, int code, const char *reason);

static void clear_task(struct renderer_process *r)
{
    chunk_list_clear(&r->input);
    r->frame_count = r->filtered = r->given = 0;
    r->busy = false;
}

void work_clear(struct renderer_process *r)
{
    clear_task(r);
    chunk_list_clear(&r->ahead.input);
}

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

static void fail(struct renderer_process *r, int code, const char *reason)
{
    words_failed(r, code, reason);
    end_task(r);
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
        renderers_end(r, SIGSEGV);
    } else if (world_chance(world.faults.memory_kill)) {
        world.memory_kills++;
        renderers_end(r, SIGKILL);
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

static void take_in(struct renderer_process *r, const struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->packet_count && !r->probing; i++)
        frames_take(r, chunk->packets[i]);
    r->input_ended |= chunk->last;
    words_credit(r);
    if (!r->job.windows || r->input_ended)
        frames_filter(r);
    if (r->probing && chunk->last) {
        words_probed(r);
        end_task(r);
    } else {
        work_on(r, (uint64_t)(1 + r->slowness) * (50000 + 100000 * chunk->packet_count));
    }
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
    if (frames_give(r)) {
        work_on(r, 100000);
        return;
    }
    if (r->last_sent) {
        words_done(r);
        end_task(r);
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
        renderers_end(r, SIGSEGV);
        return;
    }
    take_in(r, chunk);
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
    r->out_sequence = r->in_sequence = r->unsaid = 0;
    r->told_ns = world.now_ns;
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
        renderers_end(r, 0); // a third one: the real one says so and leaves
}

static bool is_at(const struct renderer_process *r, uint32_t segment, uint32_t attempt)
{
    return r->busy && r->segment == segment && r->attempt == attempt;
}

static bool waits(const struct renderer_process *r, uint32_t segment, uint32_t attempt)
{
    return r->ahead.there && r->ahead.task.segment == segment && r->ahead.task.attempt == attempt;
}

void work_hear(struct renderer_process *r, const Wire__Message *m, zmq_msg_t *payloads, size_t payload_count)
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
        renderers_end(r, 0);
        break;
    default:
        break;
    }
}
