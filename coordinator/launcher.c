#include "launcher.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct launcher {
    pid_t pid; // 0: it was reaped
    pid_t group;
    int status;
};

enum { GRACE_MS = 2000 };

extern char **environ;

static bool stands_for_all(const char *address, size_t length)
{
    return (length == 1 && *address == '*') || (length == 7 && strncmp(address, "0.0.0.0", 7) == 0) ||
           (length == 4 && strncmp(address, "[::]", 4) == 0);
}

// Quoted for a shell, if that is necessary.
static char *quoted(const char *text)
{
    char *quoted = mem_zalloc(strlen(text) * 4 + 3), *at = quoted;

    if (*text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.:_-+=@%[]")] == '\0' && !strpbrk(text, "[]"))
        return strcpy(quoted, text);
    *at++ = '\'';
    for (; *text; text++)
        at = *text == '\'' ? stpcpy(at, "'\\''") : (*at = *text, at + 1);
    *at = '\'';
    return quoted;
}

static char *replaced(char *text, const char *word, const char *value)
{
    const char *at = text, *found;
    char *out = mem_dup("");

    while ((found = strstr(at, word))) {
        char *longer = mem_format("%s%.*s%s", out, (int)(found - at), at, value);

        free(out);
        out = longer;
        at = found + strlen(word);
    }
    found = mem_format("%s%s", out, at);
    free(out);
    free(text);
    return (char *)(uintptr_t)found;
}

const char *launcher_problem(const char *template)
{
    if (!strstr(template, "{endpoint}") && !strstr(template, "{port}"))
        return "it has to hand over {endpoint}, or {port}";
    return NULL;
}

char *launcher_command(const struct launcher_setup *setup, const char *host)
{
    const char *address = setup->endpoint + strlen("tcp://"), *port = strrchr(address, ':') + 1;
    char *endpoint = stands_for_all(address, (size_t)(port - 1 - address)) ? mem_format("tcp://%s:%s", host, port) : mem_dup(setup->endpoint);
    char *renderer = quoted(setup->renderer), *safe_endpoint = quoted(endpoint), *workers = mem_format("%d", setup->workers);
    char *command = mem_dup(setup->template);

    command = replaced(command, "{renderer}", renderer);
    command = replaced(command, "{endpoint}", safe_endpoint);
    command = replaced(command, "{port}", port);
    command = replaced(command, "{workers}", workers);
    free(endpoint);
    free(renderer);
    free(safe_endpoint);
    free(workers);
    return command;
}

// The key fits into an empty pipe, so nobody waits.
static int key_pipe(const char *text)
{
    size_t length = strlen(text);
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    if (write(ends[1], text, length) != (ssize_t)length || write(ends[1], "\n", 1) != 1) {
        close(ends[0]);
        ends[0] = -EIO;
    }
    close(ends[1]);
    return ends[0];
}

static char **environment_with(char *setting)
{
    size_t count = 0;
    char **all;

    while (environ[count])
        count++;
    all = mem_zalloc((count + 2) * sizeof(*all));
    memcpy(all, environ, count * sizeof(*all));
    all[count] = setting;
    return all;
}

static int spawn(struct launcher *l, const char *command, int input, char *const *environment)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    int err;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE); // which are ignored here
    sigaddset(&usual, SIGXFSZ);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO); // our standard output is for figures
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0); // Ctrl-C is ours: it is told to end when the job has ended
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    err = -posix_spawn(&l->pid, "/bin/sh", &files, &attributes, (char *const *)(uintptr_t)argv, environment);
    l->group = l->pid;
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return err;
}

int launcher_start(struct launcher **result, const struct launcher_setup *setup)
{
    struct launcher *l = mem_zalloc(sizeof(*l));
    char host[HOST_NAME_MAX + 1] = "localhost", key[CURVE_TEXT_BYTES], *setting, *command, **environment;
    int input, err;

    gethostname(host, sizeof(host) - 1);
    command = launcher_command(setup, host);
    curve_format(setup->key, key);
    setting = mem_format("RENDERFARM_KEY=%s", key);
    environment = environment_with(setting);
    input = key_pipe(key);
    err = input < 0 ? input : spawn(l, command, input, environment);
    if (input >= 0)
        close(input);
    explicit_bzero(setting, strlen(setting));
    explicit_bzero(key, sizeof(key));
    free(environment);
    free(setting);
    if (err < 0)
        log_error("--launch: cannot start %s: %s", command, err_text(err));
    else
        log_info("launching renderers: %s", command);
    free(command);
    if (err < 0)
        free(l);
    else
        *result = l;
    return err;
}

bool launcher_ended(struct launcher *l, const char **how)
{
    static char text[64];

    if (l->pid && waitpid(l->pid, &l->status, WNOHANG) == l->pid)
        l->pid = 0;
    if (l->pid)
        return false;
    if (WIFSIGNALED(l->status))
        snprintf(text, sizeof(text), "was ended by signal %d (%s)", WTERMSIG(l->status), strsignal(WTERMSIG(l->status)));
    else
        snprintf(text, sizeof(text), "exited with status %d", WEXITSTATUS(l->status));
    *how = text;
    return true;
}

bool launcher_failed(struct launcher *l, const char **how)
{
    return launcher_ended(l, how) && l->status != 0 && kill(-l->group, 0) < 0 && errno == ESRCH;
}

void launcher_end(struct launcher **launcher)
{
    struct launcher *l = *launcher;
    const char *how;

    if (!l)
        return;
    *launcher = NULL;
    if (!launcher_ended(l, &how)) {
        struct pollfd fd = {(int)syscall(SYS_pidfd_open, l->pid, 0), POLLIN, 0};

        // Its renderers were told to leave, and it ends with them; else it is helped.
        if (poll(&fd, 1, GRACE_MS) == 0) {
            kill(-l->pid, SIGTERM);
            poll(&fd, 1, GRACE_MS);
        }
        if (fd.fd >= 0)
            close(fd.fd);
        kill(-l->pid, SIGKILL);
        waitpid(l->pid, &l->status, 0);
    }
    free(l);
}
