#include "spawner.h"

#include "last_words.h"

#include "common/arena.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct child {
    struct child *next;
    struct spawner *spawner;
    uint32_t slot;
    uv_process_t process;
    uv_pipe_t life;   // closes with this process, and the child sees it
    uv_pipe_t speech; // its stdout and stderr
    struct last_words words;
    int open_handles;
    bool exited, silent; // its end is told when it has exited and all that it said is read
    int64_t status;
    int signal;
};

struct spawner {
    uv_loop_t *loop;
    char *program;
    int frames_fd;
    spawner_on_exit on_exit;
    void *data;
    struct child *children;
};

struct spawner *spawner_new(uv_loop_t *loop, const char *program, int frames_fd, spawner_on_exit on_exit, void *data)
{
    struct spawner *s = mem_zalloc(sizeof(*s));

    s->loop = loop;
    s->program = mem_dup(program);
    s->frames_fd = frames_fd;
    s->on_exit = on_exit;
    s->data = data;
    return s;
}

static void on_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;

    if (--child->open_handles == 0)
        free(child);
}

static void close_child(struct child *child)
{
    uv_close((uv_handle_t *)&child->process, on_closed);
    uv_close((uv_handle_t *)&child->life, on_closed);
    uv_close((uv_handle_t *)&child->speech, on_closed);
}

static void tell_end(struct child *child)
{
    char words[LAST_WORDS_LINES * LAST_WORDS_LENGTH];
    struct spawner *s = child->spawner;
    struct spawner_exit fact = {.slot = child->slot, .status = child->status, .signal = child->signal, .last_words = words};

    if (!s || !child->exited || !child->silent)
        return; // without s nobody is interested any more; spawner_free has closed the handles
    last_words_text(&child->words, words, sizeof(words));
    for (struct child **at = &s->children; *at; at = &(*at)->next) {
        if (*at == child) {
            *at = child->next;
            break;
        }
    }
    close_child(child);
    s->on_exit(s->data, &fact);
}

static void on_child_exit(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;

    child->exited = true;
    child->status = status;
    child->signal = signal;
    tell_end(child);
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
    tell_end(child);
}

int spawner_start(struct spawner *s, uint32_t slot, const char *const *arguments, uint32_t *pid)
{
    struct child *child = mem_zalloc(sizeof(*child));
    uv_stdio_container_t stdio[ARENA_FD + 1] = {{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE},
                                                {.flags = UV_IGNORE},
                                                {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE},
                                                [ARENA_FD] = {.flags = UV_INHERIT_FD}};
    uv_process_options_t options = {.exit_cb = on_child_exit, .file = s->program, .stdio = stdio, .stdio_count = ARENA_FD + 1};
    char **argv;
    size_t count = 0;
    int err;

    while (arguments[count])
        count++;
    argv = mem_zalloc((count + 2) * sizeof(*argv));
    argv[0] = s->program;
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i]; // uv_spawn's argv is not const, but it changes nothing
    options.args = argv;
    // Apart from the terminal's group: Ctrl-C is for the coordinator, which then decides.
    options.flags = UV_PROCESS_DETACHED;
    child->spawner = s;
    child->slot = slot;
    child->process.data = child->life.data = child->speech.data = child;
    child->open_handles = 3;
    uv_pipe_init(s->loop, &child->life, 0);
    uv_pipe_init(s->loop, &child->speech, 0);
    stdio[0].data.stream = (uv_stream_t *)&child->life;
    stdio[2].data.stream = (uv_stream_t *)&child->speech;
    stdio[ARENA_FD].data.fd = s->frames_fd;
    err = uv_spawn(s->loop, &child->process, &options);
    free(argv);
    if (err < 0) {
        close_child(child);
        return err;
    }
    uv_unref((uv_handle_t *)&child->life);
    uv_read_start((uv_stream_t *)&child->speech, give_buffer, on_speech);
    *pid = (uint32_t)child->process.pid;
    child->next = s->children;
    s->children = child;
    return 0;
}

void spawner_kill(struct spawner *s, int signal)
{
    for (struct child *child = s->children; child; child = child->next)
        uv_process_kill(&child->process, signal);
}

void spawner_kill_one(struct spawner *s, uint32_t slot, int signal)
{
    for (struct child *child = s->children; child; child = child->next)
        if (child->slot == slot)
            uv_process_kill(&child->process, signal);
}

int spawner_running(const struct spawner *s)
{
    int running = 0;

    for (const struct child *child = s->children; child; child = child->next)
        running++;
    return running;
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
    free(s->program);
    free(s);
}

char *spawner_find_renderer(void)
{
    const char *wish = getenv("RENDERFARM_RENDERER");
    char self[PATH_MAX];
    ssize_t length;
    char *slash, *path;

    if (wish && *wish)
        return mem_dup(wish);
    length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length < 0) {
        log_error("cannot find out where this program is: /proc/self/exe: %s", strerror(errno));
        return NULL;
    }
    self[length] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    path = mem_format("%s/renderfarm-renderer", self);
    if (access(path, X_OK) == 0)
        return path;
    log_error("%s: the renderer program is missing beside renderfarm; reinstall, or name it in RENDERFARM_RENDERER", path);
    free(path);
    return NULL;
}
