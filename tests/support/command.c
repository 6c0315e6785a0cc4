#include "command.h"

#include "common/clock.h"
#include "common/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MARK "RENDERFARM_TEST_RUN"

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static const char *mark(void)
{
    static char text[64];

    if (!text[0])
        snprintf(text, sizeof(text), MARK "=%d", (int)getpid());
    return text;
}

void command_start(struct command *c, const char *const *arguments)
{
    int out[2], err[2];

    *c = (struct command){.status = -1, .out = mem_dup(""), .err = mem_dup("")};
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        fail_msg("pipe: %s", strerror(errno));
    fflush(NULL);
    c->pid = fork();
    if (c->pid < 0)
        fail_msg("fork: %s", strerror(errno));
    if (c->pid == 0) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that is killed takes its command along
        dup2(nothing, STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        putenv((char *)mark());
        execvp(arguments[0], (char *const *)arguments);
        fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
        _exit(127);
    }
    setpgid(c->pid, c->pid); // on both sides, so that it holds whoever runs first
    close(out[1]);
    close(err[1]);
    c->out_fd = out[0];
    c->err_fd = err[0];
    fcntl(c->out_fd, F_SETFL, O_NONBLOCK);
    fcntl(c->err_fd, F_SETFL, O_NONBLOCK);
    c->pidfd = open_pidfd(c->pid);
    if (c->pidfd < 0)
        fail_msg("pidfd_open: %s", strerror(errno));
}

// Takes all that a pipe holds; closes it at its end.
static void take(int *fd, char **text)
{
    char buffer[16384];
    ssize_t n;

    while (*fd >= 0 && (n = read(*fd, buffer, sizeof(buffer))) != 0) {
        size_t length = strlen(*text);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        *text = mem_grow(*text, length + (size_t)n + 1, 1);
        memcpy(*text + length, buffer, (size_t)n);
        (*text)[length + (size_t)n] = '\0';
    }
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int left_ms(uint64_t deadline_ns)
{
    uint64_t now = clock_now_ns();

    return now >= deadline_ns ? 0 : (int)((deadline_ns - now) / 1000000 + 1);
}

// One turn: waits for output or the end. False at the deadline.
static bool turn(struct command *c, uint64_t deadline_ns)
{
    struct pollfd fds[3] = {{c->pidfd, POLLIN, 0}, {c->out_fd, POLLIN, 0}, {c->err_fd, POLLIN, 0}};
    int status, n = poll(fds, 3, left_ms(deadline_ns));

    if (n == 0)
        return false;
    // The process is asked first: what it wrote before its end is in the pipes by then.
    if (waitpid(c->pid, &status, WNOHANG) == c->pid)
        c->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    take(&c->out_fd, &c->out);
    take(&c->err_fd, &c->err);
    return true;
}

static uint64_t deadline_in(double s)
{
    return clock_now_ns() + (uint64_t)(s * 1e9);
}

bool command_wait_for(struct command *c, const char *text, double deadline_s)
{
    uint64_t deadline_ns = deadline_in(deadline_s);

    while (!strstr(c->out, text) && c->status < 0) {
        if (!turn(c, deadline_ns))
            return false;
    }
    return strstr(c->out, text) != NULL;
}

const char *command_wait_for_error(struct command *c, size_t from, const char *text, double deadline_s)
{
    uint64_t deadline_ns = deadline_in(deadline_s);

    while ((strlen(c->err) < from || !strstr(c->err + from, text)) && c->status < 0) {
        if (!turn(c, deadline_ns))
            return NULL;
    }
    return strlen(c->err) < from ? NULL : strstr(c->err + from, text);
}

void command_wait(struct command *c, double deadline_s)
{
    uint64_t deadline_ns = deadline_in(deadline_s);

    while (c->status < 0) {
        if (turn(c, deadline_ns))
            continue;
        c->timed_out = true;
        kill(-c->pid, SIGKILL);
        deadline_ns = deadline_in(10);
    }
}

void command_clear(struct command *c)
{
    if (c->pid > 0 && c->status < 0) {
        kill(-c->pid, SIGKILL);
        command_wait(c, 10);
    }
    if (c->pid > 0) {
        close(c->pidfd);
        if (c->out_fd >= 0)
            close(c->out_fd);
        if (c->err_fd >= 0)
            close(c->err_fd);
    }
    free(c->out);
    free(c->err);
    *c = (struct command){0};
}

void command_run(struct command *c, const char *const *arguments, double deadline_s)
{
    command_start(c, arguments);
    command_wait(c, deadline_s);
}

// ---- What was left running ----

static size_t read_proc(const char *pid, const char *what, char *out, size_t size)
{
    char path[300];
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%s/%s", pid, what);
    file = fopen(path, "re");
    if (!file)
        return 0;
    n = fread(out, 1, size - 1, file);
    fclose(file);
    out[n] = '\0';
    return n;
}

static bool carries_mark(const char *pid)
{
    static char environment[1 << 17];
    size_t size = read_proc(pid, "environ", environment, sizeof(environment));

    for (size_t at = 0; at < size; at += strlen(environment + at) + 1) {
        if (strcmp(environment + at, mark()) == 0)
            return true;
    }
    return false;
}

// Gone, or a zombie that only waits for its parent to look?
static bool ended(const char *pid, int patience_ms)
{
    struct pollfd fd = {open_pidfd(atoi(pid)), POLLIN, 0};
    int n = 1;

    if (fd.fd >= 0) {
        n = poll(&fd, 1, patience_ms);
        close(fd.fd);
    }
    return n != 0;
}

const char *command_left_running(double patience_s)
{
    static char text[1024];
    uint64_t deadline_ns = deadline_in(patience_s);
    size_t length = 0;
    DIR *proc = opendir("/proc");

    assert_non_null(proc);
    for (struct dirent *entry; (entry = readdir(proc)) && length < sizeof(text) - 100;) {
        char name[64] = "?";

        if (atoi(entry->d_name) <= 0 || atoi(entry->d_name) == getpid() || !carries_mark(entry->d_name) || ended(entry->d_name, left_ms(deadline_ns)))
            continue;
        read_proc(entry->d_name, "comm", name, sizeof(name));
        name[strcspn(name, "\n")] = '\0';
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s %s", length ? ", " : "", entry->d_name, name);
    }
    closedir(proc);
    return length ? text : NULL;
}
