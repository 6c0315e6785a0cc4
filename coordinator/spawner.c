#include "spawner.h"

#include "last_words.h"
#include "nursery.h"
#include "process.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// uv_spawn forks, which copies this process's page tables: ten times what posix_spawn takes, and all renderers of a large machine are started one
// after the other. So children are started and reaped here.
struct child {
    struct child *next;
    struct spawner *spawner; // NULL: nobody is interested any more
    uint32_t slot;
    pid_t pid;        // 0: it is not born yet, or never will be
    int doom;         // the signal that it gets when it is born; 0: none
    bool unborn;      // and never will be
    int life;         // closes with this process, and the child sees it
    uv_pipe_t speech; // its stderr
    struct last_words words;
    bool exited, silent; // its end is told when it has exited and all that it said is read
    int64_t status;
    int signal;
};

struct spawner {
    uv_loop_t *loop;
    uv_signal_t ends; // of children; active while there are any
    char *program;
    int frames_fd;
    bool many;               // are to be started soon
    struct nursery *nursery; // that they are born of; or NULL
    spawner_on_exit on_exit;
    void *data;
    struct child *children;
};

static const char *wished_program(void)
{
    const char *wish = getenv("RENDERFARM_RENDERER");

    return wish && *wish ? wish : NULL;
}

struct spawner *spawner_new(uv_loop_t *loop, const char *program, int frames_fd, bool many, spawner_on_exit on_exit, void *data)
{
    struct spawner *s = mem_zalloc(sizeof(*s));

    s->loop = loop;
    s->program = mem_dup(program);
    s->frames_fd = frames_fd;
    s->many = many && !wished_program(); // another program may not know of it
    s->on_exit = on_exit;
    s->data = data;
    uv_signal_init(loop, &s->ends);
    s->ends.data = s;
    return s;
}

void spawner_settle(struct spawner *s)
{
    s->many = false;
    if (s->nursery)
        nursery_settle(s->nursery);
}

static void on_speech_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end_life(struct child *child)
{
    if (child->life >= 0)
        close(child->life);
    child->life = -1;
}

static void close_child(struct child *child)
{
    end_life(child);
    uv_close((uv_handle_t *)&child->speech, on_speech_closed);
}

static void tell_end(struct child *child)
{
    char words[LAST_WORDS_LINES * LAST_WORDS_LENGTH];
    struct spawner *s = child->spawner;
    struct spawner_exit fact = {
        .slot = child->slot, .pid = (uint32_t)child->pid, .status = child->status, .signal = child->signal, .last_words = words};

    if (!s || !child->exited || !child->silent)
        return; // without s nobody is interested any more: spawner_free has closed the handles, or it is told already
    child->spawner = NULL;
    last_words_text(&child->words, words, sizeof(words));
    for (struct child **at = &s->children; *at; at = &(*at)->next) {
        if (*at == child) {
            *at = child->next;
            break;
        }
    }
    if (!s->children)
        uv_signal_stop(&s->ends);
    close_child(child);
    s->on_exit(s->data, &fact);
}

// Its standard error may be held by a wish that nobody has read, in a socket that others have too.
static void end_unborn(struct child *child)
{
    uv_read_stop((uv_stream_t *)&child->speech);
    child->exited = child->silent = true;
    child->signal = child->doom;
    tell_end(child);
}

static void reap(struct child *child)
{
    int status;

    if (child->unborn && !child->exited) {
        end_unborn(child);
        return;
    }
    if (child->exited || !child->pid || waitpid(child->pid, &status, WNOHANG) != child->pid)
        return;
    child->exited = true;
    child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    child->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    tell_end(child);
}

// Only our own: libuv has children too.
static void on_ends(uv_signal_t *handle, int number)
{
    struct spawner *s = handle->data;
    struct child *child, *next;

    (void)number;
    if (s->nursery)
        nursery_reap(s->nursery);
    for (child = s->children; child; child = next) {
        next = child->next;
        reap(child);
    }
}

static void on_birth(void *data, const struct birth *birth)
{
    struct spawner *s = data;
    struct child *child = s->children;

    while (child && (child->slot != birth->slot || child->pid))
        child = child->next;
    if (!child)
        return;
    child->pid = (pid_t)birth->pid;
    child->unborn = false;
    if (child->doom)
        kill(child->pid, child->doom);
    // It may have ended before we knew that it was ours. That is told from the loop, not out of whatever call has made us hear of it.
    kill(getpid(), SIGCHLD);
}

static void pass_on(void *data, const char *line)
{
    (void)data;
    log_relay(line);
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char bytes[4096]; // read to its end in the same call

    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_speech(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct child *child = stream->data;

    if (size > 0)
        last_words_put(&child->words, buffer->base, (size_t)size, pass_on, NULL);
    if (size >= 0)
        return;
    uv_read_stop(stream);
    last_words_end(&child->words, pass_on, NULL);
    child->silent = true;
    if (!child->pid && child->spawner && child->spawner->nursery)
        nursery_hear(child->spawner->nursery);
    if (!child->pid) {
        // Nobody has its standard error any more, so it was not born and never will be. Whoever takes its place is started by itself.
        child->exited = true;
        child->status = child->doom ? 0 : 1;
        child->signal = child->doom;
        if (child->spawner)
            child->spawner->many = false;
    }
    tell_end(child);
}

// ends[0] is read from, ends[1] written to.
static int make_pipe(int ends[2])
{
    int err = 0;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        ends[i] = process_raise_fd(ends[i]);
        err = ends[i] < 0 ? ends[i] : err;
    }
    for (int i = 0; i < 2 && err < 0; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return err;
}

static int run(const struct spawner *s, const struct birth_wish *wish, int life, int speech, pid_t *pid)
{
    char connect[BIRTH_ENDPOINT + 32], slot[32], threads[32], verbosity[32];
    char *argv[] = {s->program, connect, slot, threads, verbosity, NULL};

    snprintf(connect, sizeof(connect), "--connect=%s", wish->endpoint);
    snprintf(slot, sizeof(slot), "--slot=%06u", wish->slot);
    snprintf(threads, sizeof(threads), "--threads=%d", wish->threads);
    snprintf(verbosity, sizeof(verbosity), "--verbosity=%d", wish->verbosity);
    return process_start(argv, life, speech, s->frames_fd, pid);
}

static void use_nursery(struct spawner *s, struct nursery_process *process)
{
    s->nursery = nursery_new(s->loop, process, on_birth, s);
    if (!s->nursery)
        nursery_process_end(process);
}

void spawner_adopt(struct spawner *s, struct nursery_process *process)
{
    s->many = true;
    use_nursery(s, process);
}

// 0: it will be born.
static int ask_nursery(struct spawner *s, const struct birth_wish *wish, int life, int speech)
{
    struct nursery_process process;

    if (s->many && !s->nursery && nursery_process_start(&process, s->program, s->frames_fd) == 0)
        use_nursery(s, &process);
    return s->many && s->nursery ? nursery_ask(s->nursery, wish, life, speech) : -ENOENT;
}

// Takes both ends that are ours.
static void add_child(struct spawner *s, uint32_t slot, pid_t pid, int life, int speech)
{
    struct child *child = mem_zalloc(sizeof(*child));

    child->spawner = s;
    child->slot = slot;
    child->pid = pid;
    child->life = life;
    child->speech.data = child;
    uv_pipe_init(s->loop, &child->speech, 0);
    uv_pipe_open(&child->speech, speech);
    uv_read_start((uv_stream_t *)&child->speech, give_buffer, on_speech);
    child->next = s->children;
    s->children = child;
}

int spawner_start(struct spawner *s, const struct birth_wish *wish, uint32_t *pid)
{
    int life[2], speech[2], err;
    pid_t started = 0;

    err = make_pipe(life);
    if (err < 0)
        return err;
    err = make_pipe(speech);
    if (err < 0) {
        close(life[0]);
        close(life[1]);
        return err;
    }
    // Before it can end.
    uv_signal_start(&s->ends, on_ends, SIGCHLD);
    err = ask_nursery(s, wish, life[0], speech[1]);
    if (err < 0)
        err = run(s, wish, life[0], speech[1], &started);
    close(life[0]);
    close(speech[1]);
    if (err < 0) {
        close(life[1]);
        close(speech[0]);
        if (!s->children)
            uv_signal_stop(&s->ends);
        return err;
    }
    add_child(s, wish->slot, started, life[1], speech[0]);
    *pid = (uint32_t)started;
    return 0;
}

uint32_t spawner_pid(struct spawner *s, uint32_t slot)
{
    if (s->nursery)
        nursery_hear(s->nursery);
    for (const struct child *child = s->children; child; child = child->next)
        if (child->slot == slot && !child->exited)
            return (uint32_t)child->pid;
    return 0;
}

static void signal_child(struct child *child, int signal)
{
    struct nursery *nursery = child->spawner->nursery;

    if (child->pid && !child->exited)
        kill(child->pid, signal);
    if (child->pid)
        return;
    child->doom = signal;
    if (signal != SIGKILL)
        return;
    if (nursery && !child->unborn) {
        // It may be what hangs. Whoever it has not killed has told its birth before, and gets its doom now.
        nursery_kill(nursery);
        nursery_hear(nursery);
        child->unborn = !child->pid;
        kill(getpid(), SIGCHLD); // its end is told from the loop
    }
    end_life(child); // last: it is killed, and does not leave by itself
}

void spawner_kill(struct spawner *s, int signal)
{
    for (struct child *child = s->children; child; child = child->next)
        signal_child(child, signal);
    if (signal == SIGKILL && s->nursery)
        nursery_dismiss(s->nursery);
}

void spawner_kill_one(struct spawner *s, uint32_t slot, int signal)
{
    for (struct child *child = s->children; child; child = child->next)
        if (child->slot == slot)
            signal_child(child, signal);
}

int spawner_running(const struct spawner *s)
{
    int running = 0;

    for (const struct child *child = s->children; child; child = child->next)
        running++;
    return running;
}

static void on_spawner_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void spawner_free(struct spawner **spawner)
{
    struct spawner *s = *spawner;

    if (!s)
        return;
    *spawner = NULL;
    while (s->children) {
        struct child *child = s->children;

        s->children = child->next;
        child->spawner = NULL;
        close_child(child);
    }
    nursery_free(&s->nursery);
    free(s->program);
    uv_close((uv_handle_t *)&s->ends, on_spawner_closed);
}

char *spawner_find_renderer(void)
{
    char *path;

    if (wished_program())
        return mem_dup(wished_program());
    path = process_beside("renderfarm-renderer");
    if (!path) {
        log_error("cannot find out where this program is: /proc/self/exe: %s", strerror(errno));
        return NULL;
    }
    if (access(path, X_OK) == 0)
        return path;
    log_error("%s: the renderer program is missing beside renderfarm; reinstall, or name it in RENDERFARM_RENDERER", path);
    free(path);
    return NULL;
}
