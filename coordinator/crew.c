#include "crew.h"

#include "early.h"

#include "common/arena.h"
#include "common/avx.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/frames.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int make_folder(struct crew *c)
{
    int err = private_folder_make(&c->folder);

    if (err < 0) {
        log_error("%s: cannot make a folder for sockets: %s; TMPDIR names where it is to be", c->folder.path, err_text(err));
        return err;
    }
    snprintf(c->endpoint, sizeof(c->endpoint), "ipc://%s/hub", c->folder.path);
    return 0;
}

// A nursery that is there already has the shared memory, too.
static int make_spawner(struct crew *c, uv_loop_t *loop, int workers, spawner_on_exit on_exit, void *data)
{
    struct early early;
    bool born = workers > 0 && early_claim(&early);

    early_end(); // nobody else will need it
    c->frames_fd = born ? early.frames_fd : arena_create();
    if (c->frames_fd < 0) {
        log_error("cannot make shared memory for frames: %s", err_text(c->frames_fd));
        return c->frames_fd;
    }
    c->spawner = spawner_new(loop, c->program, c->frames_fd, workers > 1, on_exit, data);
    if (born)
        spawner_adopt(c->spawner, &early.nursery);
    return 0;
}

int crew_init(struct crew *c, uv_loop_t *loop, int workers, int threads, int verbosity, const struct hub_events *events, spawner_on_exit on_exit,
              void *data)
{
    int err;

    c->folder.lock_fd = -1;
    c->threads = threads;
    c->verbosity = verbosity;
    roster_init(&c->roster, (size_t)workers);
    c->program = spawner_find_renderer();
    if (!c->program)
        return -ENOENT;
    err = make_folder(c);
    if (err < 0)
        return err;
    err = hub_open(&c->hub, loop, c->endpoint, avx_libraries(), workers > 0 ? avx_cpu() : NULL, events, data);
    if (err < 0) {
        log_error("%s: cannot open the socket for renderers: %s", c->endpoint, err_text(err));
        return err;
    }
    return make_spawner(c, loop, workers, on_exit, data);
}

void crew_borrow(struct crew *c, const struct crew *owner)
{
    *c = (struct crew){
        .hub = owner->hub,
        .spawner = owner->spawner,
        .program = mem_dup(owner->program),
        .threads = owner->threads,
        .verbosity = owner->verbosity,
        .borrowed = true,
        .frames_fd = owner->frames_fd,
        .folder.lock_fd = -1,
    };
    roster_init(&c->roster, owner->roster.count);
}

void crew_grow(struct crew *c, size_t count)
{
    roster_grow(&c->roster, count);
}

int crew_start(struct crew *c, struct renderer *renderer)
{
    struct birth_wish wish = {.slot = renderer->slot, .threads = c->threads, .verbosity = c->verbosity};
    int err;

    snprintf(wish.endpoint, sizeof(wish.endpoint), "%s", c->endpoint);
    roster_set_state(renderer, RENDERER_STARTING);
    renderer->heard_ns = clock_now_ns();
    err = spawner_start(c->spawner, &wish, &renderer->pid);
    renderer->spawn_ns = clock_now_ns() - renderer->heard_ns;
    if (err < 0) {
        roster_set_state(renderer, RENDERER_GONE);
        log_error("%s: cannot start a renderer: %s%s", c->program, err_text(err),
                  err == -EMFILE   ? " (see ulimit -n)"
                  : err == -EAGAIN ? " (see ulimit -u)"
                                   : "");
    }
    return err;
}

static bool is_starting(struct crew *c, struct renderer *renderer, uint32_t pid)
{
    if (renderer->remote || renderer->state != RENDERER_STARTING)
        return false;
    if (!renderer->pid)
        renderer->pid = spawner_pid(c->spawner, renderer->slot);
    return renderer->pid == pid;
}

bool crew_awaits(struct crew *c, struct renderer *renderer, uint32_t pid)
{
    bool awaited = renderer && is_starting(c, renderer, pid);

    if (!awaited && !(renderer && renderer->ended_pid == pid)) // that one was killed with its hello on the way
        log_warn("somebody who is none of our renderers said hello; ignored");
    return awaited;
}

void crew_settle(struct crew *c)
{
    if (!c->borrowed && c->spawner)
        spawner_settle(c->spawner);
}

// Messages of frames that are on the way to another host at a time. They are small, see frames_message, and should fill a fast link with a long way.
enum { FAR_FRAMES_CREDIT = 8 };

enum { BORROWER_SHIFT = 16, JOB_SHIFT = 10 };

// A number of the crew's own as renderers know it.
static uint32_t marked(const struct crew *c, uint32_t number)
{
    return c->borrower << BORROWER_SHIFT | (number & ((1U << BORROWER_SHIFT) - 1));
}

// The same for an attempt, with a part of the job's number where renderers go from stage to stage: each has segments of the same numbers.
static uint32_t marked_attempt(const struct crew *c, const struct renderer *renderer, uint32_t attempt)
{
    uint32_t own = attempt & ((1U << JOB_SHIFT) - 1), job = c->borrowed ? renderer->job & ((1U << (BORROWER_SHIFT - JOB_SHIFT)) - 1) : 0;

    return marked(c, job << JOB_SHIFT | own);
}

bool crew_own_attempt(struct crew *c, uint32_t peer, uint32_t *attempt)
{
    const struct renderer *renderer = roster_by_peer(&c->roster, peer);
    bool own = renderer && *attempt == marked_attempt(c, renderer, *attempt);

    *attempt &= (1U << JOB_SHIFT) - 1;
    return own;
}

void crew_send_task(struct crew *c, struct renderer *renderer, const Wire__Job *job, const Wire__Task *task, uint64_t now_ns)
{
    Wire__Task marked_task = *task;
    uint32_t credit = renderer->remote && job->takes_frames ? FAR_FRAMES_CREDIT : PROTOCOL_FIRST_CREDIT;
    struct roster_task given = {.segment = task->segment, .attempt = task->attempt, .credit = credit, .most_credit = credit};

    if (renderer->job != job->id) {
        Wire__Job marked_job = *job;

        marked_job.id = marked(c, job->id);
        hub_send_job(c->hub, renderer->peer, &marked_job);
        renderer->job = job->id;
    }
    marked_task.job = marked(c, task->job);
    marked_task.attempt = marked_attempt(c, renderer, task->attempt);
    hub_send_task(c->hub, renderer->peer, &marked_task);
    if (renderer->state == RENDERER_BUSY) {
        renderer->has_ahead = true;
        renderer->ahead = given;
        return;
    }
    roster_set_state(renderer, RENDERER_BUSY);
    renderer->probing = task->kind == WIRE__TASK_KIND__PROBE;
    renderer->task = given;
    renderer->since_ns = now_ns;
}

static int send_chunk(struct crew *c, const struct renderer *renderer, const struct roster_task *task, const struct chunk *chunk)
{
    return hub_send_chunk(c->hub, renderer->peer, task->segment, marked_attempt(c, renderer, task->attempt), chunk);
}

// A part of it, with pixels.
static int send_frames(struct crew *c, const struct renderer *renderer, struct roster_task *task, const struct chunk *chunk, struct arena *pixels)
{
    struct chunk *message = frames_message(pixels, chunk, task->begun);
    int err = -ENOMEM;

    if (message) {
        message->sequence = task->messages++;
        task->begun += message->packet_count;
        err = send_chunk(c, renderer, task, message);
    }
    chunk_free(&message);
    return err;
}

void crew_send_chunks(struct crew *c, struct renderer *renderer, struct roster_task *task, const struct chunk_list *list, struct arena *pixels)
{
    while (task->credit > 0 && !task->all_sent) {
        struct chunk *next = task->cursor ? task->cursor->next : list->first;

        if (!next)
            return;
        if ((pixels ? send_frames(c, renderer, task, next, pixels) : send_chunk(c, renderer, task, next)) < 0) {
            // It is gone or as good as gone; its exit is what the rest follows from. It is not condemned for that: it may have been killed a moment
            // ago by somebody else, and then its work is not to blame.
            renderer->cut_off = true;
            if (!renderer->remote)
                spawner_kill_one(c->spawner, renderer->slot, SIGKILL);
            return;
        }
        task->credit--;
        if (pixels && task->begun < next->packet_count)
            continue;
        task->begun = 0;
        task->cursor = next;
        task->all_sent = next->last;
    }
}

void crew_condemn(struct crew *c, struct renderer *renderer, const char *why)
{
    renderer->condemned = true;
    if (renderer->remote) {
        hub_send_away(c->hub, renderer->peer, why, true);
        return;
    }
    spawner_kill_one(c->spawner, renderer->slot, SIGKILL);
}

void crew_dismiss(struct crew *c, struct renderer *renderer)
{
    renderer->dismissed = true;
    if (renderer->state == RENDERER_READY)
        hub_send_bye(c->hub, renderer->peer);
}

void crew_cancel(struct crew *c, struct renderer *renderer)
{
    hub_send_cancel(c->hub, renderer->peer, renderer->task.segment, marked_attempt(c, renderer, renderer->task.attempt));
    renderer->cancelled = true;
    renderer->task.cursor = NULL;
    chunk_list_clear(&renderer->spare);
}

void crew_call_back(struct crew *c, struct renderer *renderer)
{
    hub_send_cancel(c->hub, renderer->peer, renderer->ahead.segment, marked_attempt(c, renderer, renderer->ahead.attempt));
    renderer->called_back = true;
    renderer->ahead.cursor = NULL;
}

void crew_pay(struct crew *c, struct renderer *renderer)
{
    hub_send_credit(c->hub, renderer->peer, renderer->task.segment, marked_attempt(c, renderer, renderer->task.attempt), renderer->owed);
    renderer->owed = 0;
}

static void kill_lent(struct crew *c)
{
    for (size_t i = 0; i < c->roster.count; i++)
        if (c->roster.renderers[i].state == RENDERER_BUSY)
            spawner_kill_one(c->spawner, c->roster.renderers[i].slot, SIGKILL);
}

void crew_say_bye(struct crew *c)
{
    // Who is idle is taken back; who is not has no use here any more.
    if (c->borrowed) {
        kill_lent(c);
        return;
    }
    for (size_t i = 0; i < c->roster.count; i++) {
        struct renderer *renderer = &c->roster.renderers[i];

        if (renderer->peer)
            hub_send_bye(c->hub, renderer->peer);
        else if (renderer->state == RENDERER_STARTING)
            spawner_kill_one(c->spawner, renderer->slot, SIGKILL); // it cannot hear yet
    }
}

void crew_kill(struct crew *c)
{
    if (c->borrowed)
        kill_lent(c);
    else if (c->spawner)
        spawner_kill(c->spawner, SIGKILL);
}

int crew_running(const struct crew *c)
{
    if (c->borrowed)
        return (int)(c->roster.count - roster_count(&c->roster, RENDERER_GONE));
    return c->spawner ? spawner_running(c->spawner) : 0;
}

void crew_close(struct crew *c)
{
    if (c->borrowed)
        c->hub = NULL;
    if (c->hub)
        c->traffic = hub_traffic(c->hub);
    hub_close(&c->hub);
}

void crew_abandon(struct crew *c)
{
    crew_kill(c);
    if (!c->borrowed)
        private_folder_remove(&c->folder, "hub");
}

void crew_clear(struct crew *c)
{
    if (!c->borrowed)
        spawner_free(&c->spawner);
    roster_clear(&c->roster);
    free(c->program);
    if (!c->borrowed && c->frames_fd > 0)
        close(c->frames_fd);
    if (!c->borrowed)
        private_folder_remove(&c->folder, "hub");
}
