#include "desk.h"

#include "jail.h"
#include "needs.h"
#include "pool.h"
#include "render.h"

#include "common/clock.h"
#include "common/credit.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"
#include "common/side_files.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// Encoded packets that wait for the coordinator's credit. A renderer that is ahead of its turn goes on until this is full.
enum { MAX_WAITING_BYTES = 192 << 20 };

struct desk_task {
    Wire__Message *message;   // NULL: there is none
    Wire__Message *job;       // said before it; NULL: it is of the one before
    bool cancelled, all_here; // all_here: the last of its chunks has come
    struct chunk_list in;
};

struct desk {
    // Fixed after start.
    pthread_t thread;
    int threads;
    bool network;
    void (*on_change)(void *data);
    void *data;

    // Guarded by lock.
    pthread_mutex_t lock;
    pthread_cond_t changed;
    Wire__Message *said_job;      // and no task behind it yet
    struct desk_task task, ahead; // the running one, until its result is taken; the one to follow
    bool task_is_new;
    struct chunk_list out;
    uint32_t consumed;  // input chunks of the running task, and the coordinator does not know
    uint64_t acted_ns;  // when the render thread last took a chunk or had a frame
    uint64_t told_ns;   // up to when the coordinator knows that it did
    uint64_t waited_ns; // by the running task, for chunks
    Wire__Message *result;
};

static const Wire__Task *task_of(const struct desk *desk)
{
    return desk->task.message ? desk->task.message->task : NULL;
}

// With the lock held. How long it takes is of interest only where a network is in between.
static void wait_for_chunk(struct desk *desk)
{
    uint64_t since_ns = desk->network && !desk->task.in.first ? clock_now_ns() : 0;

    while (!desk->task.in.first && !desk->task.cancelled)
        pthread_cond_wait(&desk->changed, &desk->lock);
    if (since_ns > 0)
        desk->waited_ns += clock_now_ns() - since_ns;
}

// With the lock held. Time is the render thread's: one that hangs gives no sign of life by what comes for it.
static bool sign_is_due(const struct desk *desk)
{
    return credit_is_due(desk->consumed, desk->task.in.first, desk->task.all_here, desk->acted_ns - desk->told_ns);
}

static int take(void *data, struct chunk **chunk)
{
    struct desk *desk = data;
    bool due;

    pthread_mutex_lock(&desk->lock);
    wait_for_chunk(desk);
    *chunk = desk->task.cancelled ? NULL : chunk_list_take(&desk->task.in);
    if (*chunk) {
        desk->consumed++;
        desk->acted_ns = clock_now_ns();
    }
    due = sign_is_due(desk);
    pthread_mutex_unlock(&desk->lock);
    if (!*chunk)
        return -ECANCELED;
    if (due)
        desk->on_change(desk->data);
    return 0;
}

static int put(void *data, struct chunk **chunk)
{
    struct desk *desk = data;
    bool cancelled;

    pthread_mutex_lock(&desk->lock);
    while (desk->out.size_bytes > MAX_WAITING_BYTES && !desk->task.cancelled)
        pthread_cond_wait(&desk->changed, &desk->lock);
    cancelled = desk->task.cancelled;
    if (!cancelled)
        chunk_list_put(&desk->out, chunk);
    pthread_mutex_unlock(&desk->lock);
    if (cancelled)
        return -ECANCELED;
    desk->on_change(desk->data);
    return 0;
}

static void alive(void *data)
{
    struct desk *desk = data;
    bool due;

    pthread_mutex_lock(&desk->lock);
    desk->acted_ns = clock_now_ns();
    due = sign_is_due(desk);
    pthread_mutex_unlock(&desk->lock);
    if (due)
        desk->on_change(desk->data);
}

static bool is_cancelled(void *data)
{
    struct desk *desk = data;
    bool cancelled;

    pthread_mutex_lock(&desk->lock);
    cancelled = desk->task.cancelled;
    pthread_mutex_unlock(&desk->lock);
    return cancelled;
}

static Wire__Message *new_message(Wire__Message__BodyCase body_case)
{
    Wire__Message *message = mem_zalloc(sizeof(*message));

    wire__message__init(message);
    message->body_case = body_case;
    return message;
}

static Wire__Message *failure(const Wire__Task *task, int err, const char *why)
{
    Wire__Message *message = new_message(WIRE__MESSAGE__BODY_FAILED);
    Wire__Failed *failed = mem_zalloc(sizeof(*failed));

    wire__failed__init(failed);
    message->failed = failed;
    failed->segment = task->segment;
    failed->attempt = task->attempt;
    failed->code = err;
    failed->reason = mem_dup(why ? why : err_text(err));
    return message;
}

static Wire__Message *work(struct render *render, const Wire__Task *task, const struct render_io *io)
{
    Wire__Message *message;
    uint64_t start_ns = clock_now_ns(), start_cpu_ns = clock_process_cpu_ns();
    char *why = NULL;
    int err;

    if (task->kind == WIRE__TASK_KIND__PROBE) {
        message = new_message(WIRE__MESSAGE__BODY_PROBED);
        message->probed = mem_zalloc(sizeof(*message->probed));
        wire__probed__init(message->probed);
        err = render_probe(render, task, io, message->probed, &why);
        message->probed->segment = task->segment;
        message->probed->attempt = task->attempt;
    } else {
        message = new_message(WIRE__MESSAGE__BODY_DONE);
        message->done = mem_zalloc(sizeof(*message->done));
        wire__done__init(message->done);
        err = render_segment(render, task, io, message->done, &why);
        message->done->segment = task->segment;
        message->done->attempt = task->attempt;
        message->done->wall_ns = clock_now_ns() - start_ns;
        message->done->has_process_cpu_ns = 1;
        message->done->process_cpu_ns = clock_process_cpu_ns() - start_cpu_ns;
    }
    if (err < 0) {
        wire__message__free_unpacked(message, NULL);
        message = failure(task, err, why);
    }
    free(why);
    return message;
}

// Behind the checks of the first job, for they open what is opened only once (and fontconfig writes its caches), and before the first packet.
static void enter_jail(struct jail *jail, const struct jail *need, bool network)
{
    static const char *const networks[] = {[JAIL_NETWORK_NONE] = "no", [JAIL_NETWORK_CALL] = "calling", [JAIL_NETWORK_ALL] = "yes"};
    static const char *const files[] = {[JAIL_FILES_SYSTEM] = "the system's", [JAIL_FILES_READ] = "all, to read", [JAIL_FILES_ALL] = "all"};
    struct jail_report report;

    *jail = *need;
    if (network && need->network == JAIL_NETWORK_NONE)
        jail->network = JAIL_NETWORK_CALL;
    report = jail_enter(jail);
    log_debug("jail: files: %s%s; network: %s; system calls: %s", files[jail->files],
              report.files || jail->files == JAIL_FILES_ALL ? "" : " (not held back: this kernel has no Landlock)", networks[jail->network],
              report.system_calls ? "filtered" : "not filtered: this kernel has no seccomp");
}

static void free_message(Wire__Message **message)
{
    if (*message)
        wire__message__free_unpacked(*message, NULL);
    *message = NULL;
}

static void *render_thread(void *data)
{
    struct desk *desk = data;
    struct render_io io = {.take = take, .put = put, .cancelled = is_cancelled, .alive = alive, .data = desk};
    struct pool *pool = pool_new(desk->threads);
    struct render *render = NULL;
    Wire__Message *job = NULL; // until there is a render for it: where memory lacked the coordinator tries again, and does not repeat the job
    struct jail jail;
    bool jailed = false;

    for (;;) { // until the process ends
        Wire__Message *new_job, *result;
        const Wire__Task *task;

        pthread_mutex_lock(&desk->lock);
        while (!desk->task_is_new)
            pthread_cond_wait(&desk->changed, &desk->lock);
        desk->task_is_new = false;
        task = task_of(desk);
        new_job = desk->task.job;
        desk->task.job = NULL;
        pthread_mutex_unlock(&desk->lock);
        if (new_job) {
            render_free(&render);
            free_message(&job);
            job = new_job;
        }

        log_debug("segment %u is begun", task->segment);
        result = NULL;
        if (job) {
            struct jail need = needs_of(job->job);
            char *why = NULL;
            int err;

            err = !jailed || needs_covered(&jail, &need) ? 0
                                                         : err_why(&why, -EPERM, "this renderer has given up what the job's filters or encoder need");
            if (err >= 0 && desk->network && !jailed)
                err = side_files_check(job->job, &why);
            if (err >= 0)
                err = render_new(&render, job->job, pool, &why);
            if (err >= 0 && !jailed) {
                enter_jail(&jail, &need, desk->network);
                jailed = true;
            }
            if (err < 0)
                result = failure(task, err, why);
            else
                free_message(&job);
            free(why);
        }
        if (!result)
            result = render ? work(render, task, &io) : failure(task, -EPROTO, "a task came without a job");

        pthread_mutex_lock(&desk->lock);
        if (desk->network && result->body_case == WIRE__MESSAGE__BODY_DONE) {
            result->done->has_waited_ns = 1;
            result->done->waited_ns = desk->waited_ns;
        }
        if (desk->task.cancelled) // nobody waits for them any more
            chunk_list_clear(&desk->out);
        chunk_list_clear(&desk->task.in);
        desk->result = result;
        pthread_mutex_unlock(&desk->lock);
        desk->on_change(desk->data);
    }
    return NULL;
}

struct desk *desk_new(int threads, bool network, void (*on_change)(void *data), void *data)
{
    struct desk *desk = mem_zalloc(sizeof(*desk));

    desk->threads = threads;
    desk->network = network;
    desk->on_change = on_change;
    desk->data = data;
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->changed, NULL);
    if (pthread_create(&desk->thread, NULL, render_thread, desk) != 0) {
        free(desk);
        return NULL;
    }
    pthread_setname_np(desk->thread, "render");
    return desk;
}

static void clear_task(struct desk_task *task)
{
    free_message(&task->message);
    free_message(&task->job);
    chunk_list_clear(&task->in);
    *task = (struct desk_task){0};
}

// With the lock held: the task that was put ahead runs.
static void begin(struct desk *desk)
{
    desk->task = desk->ahead;
    desk->ahead = (struct desk_task){0};
    desk->task_is_new = desk->task.message != NULL;
    desk->consumed = 0;
    desk->acted_ns = desk->told_ns = clock_now_ns();
    desk->waited_ns = 0;
    pthread_cond_broadcast(&desk->changed);
}

void desk_put_job(struct desk *desk, Wire__Message *job)
{
    pthread_mutex_lock(&desk->lock);
    free_message(&desk->said_job);
    desk->said_job = job;
    pthread_mutex_unlock(&desk->lock);
}

bool desk_put_task(struct desk *desk, Wire__Message *task)
{
    bool taken = false;

    pthread_mutex_lock(&desk->lock);
    if (!desk->ahead.message) {
        desk->ahead = (struct desk_task){.message = task, .job = desk->said_job};
        desk->said_job = NULL;
        taken = true;
        if (desk->task.message)
            log_debug("segment %u is here ahead of its turn", task->task->segment);
        else
            begin(desk);
    }
    pthread_mutex_unlock(&desk->lock);
    return taken;
}

static bool is(const struct desk_task *task, uint32_t segment, uint32_t attempt)
{
    return task->message && task->message->task->segment == segment && task->message->task->attempt == attempt;
}

// NULL: it is over, or was never here.
static struct desk_task *find(struct desk *desk, uint32_t segment, uint32_t attempt)
{
    return is(&desk->task, segment, attempt) ? &desk->task : is(&desk->ahead, segment, attempt) ? &desk->ahead : NULL;
}

bool desk_put_chunk(struct desk *desk, uint32_t segment, uint32_t attempt, struct chunk **chunk)
{
    struct desk_task *task;
    bool taken = false;

    pthread_mutex_lock(&desk->lock);
    task = find(desk, segment, attempt);
    if (task && !task->cancelled && !(task == &desk->task && desk->result)) {
        task->all_here |= (*chunk)->last;
        chunk_list_put(&task->in, chunk);
        taken = true;
        pthread_cond_broadcast(&desk->changed);
    }
    pthread_mutex_unlock(&desk->lock);
    return taken;
}

bool desk_is_at(struct desk *desk, uint32_t segment, uint32_t attempt)
{
    bool is_at;

    pthread_mutex_lock(&desk->lock);
    is_at = is(&desk->task, segment, attempt);
    pthread_mutex_unlock(&desk->lock);
    return is_at;
}

void desk_cancel(struct desk *desk, uint32_t segment, uint32_t attempt)
{
    struct desk_task *task;

    pthread_mutex_lock(&desk->lock);
    task = find(desk, segment, attempt);
    if (task) {
        task->cancelled = true;
        if (task == &desk->task && desk->result) // else it is cleared when there is one
            chunk_list_clear(&desk->out);
        pthread_cond_broadcast(&desk->changed);
    }
    pthread_mutex_unlock(&desk->lock);
}

bool desk_clear(struct desk *desk)
{
    bool clear;

    pthread_mutex_lock(&desk->lock);
    clear_task(&desk->ahead);
    free_message(&desk->said_job);
    if (desk->result) {
        free_message(&desk->result);
        clear_task(&desk->task);
        chunk_list_clear(&desk->out);
    } else if (desk->task.message) {
        desk->task.cancelled = true;
        pthread_cond_broadcast(&desk->changed);
    }
    desk->consumed = 0;
    clear = !desk->task.message;
    pthread_mutex_unlock(&desk->lock);
    return clear;
}

bool desk_take_sign(struct desk *desk, uint32_t *consumed, uint32_t *segment, uint32_t *attempt)
{
    bool due;

    pthread_mutex_lock(&desk->lock);
    due = desk->task.message && !desk->result && sign_is_due(desk);
    if (due) {
        *segment = task_of(desk)->segment;
        *attempt = task_of(desk)->attempt;
        *consumed = desk->consumed;
        desk->consumed = 0;
        desk->told_ns = desk->acted_ns;
    }
    pthread_mutex_unlock(&desk->lock);
    return due;
}

struct chunk *desk_take_chunk(struct desk *desk, uint32_t *segment, uint32_t *attempt)
{
    struct chunk *chunk;

    pthread_mutex_lock(&desk->lock);
    chunk = desk->task.message && !desk->task.cancelled ? chunk_list_take(&desk->out) : NULL;
    if (chunk) {
        *segment = task_of(desk)->segment;
        *attempt = task_of(desk)->attempt;
        desk->told_ns = desk->acted_ns;
        pthread_cond_broadcast(&desk->changed);
    }
    pthread_mutex_unlock(&desk->lock);
    return chunk;
}

Wire__Message *desk_take_result(struct desk *desk)
{
    Wire__Message *result = NULL;

    pthread_mutex_lock(&desk->lock);
    if (desk->result && !desk->out.first) {
        result = desk->result;
        desk->result = NULL;
        clear_task(&desk->task);
        begin(desk);
    }
    pthread_mutex_unlock(&desk->lock);
    return result;
}
