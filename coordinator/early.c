#include "early.h"

#include "process.h"

#include "common/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct early received; // with no pid when there is none

static int keep_at_exec(int fd)
{
    return fcntl(fd, F_SETFD, 0) < 0 ? -errno : 0;
}

int early_hand_over(const struct early *e)
{
    char text[64];

    snprintf(text, sizeof(text), "%d:%d:%d", (int)e->nursery.pid, e->nursery.socket, e->frames_fd);
    if (keep_at_exec(e->nursery.socket) < 0 || keep_at_exec(e->frames_fd) < 0 || setenv(EARLY_VARIABLE, text, 1) < 0)
        return -errno;
    return 0;
}

// Digits and nothing else, up to the end character. *text is behind that then.
static bool take_number(const char **text, char end, int *number)
{
    const char *at = *text;
    long value = 0;

    for (; *at >= '0' && *at <= '9' && value <= INT_MAX; at++)
        value = value * 10 + (*at - '0');
    if (at == *text || *at != end || value > INT_MAX)
        return false;
    *number = (int)value;
    *text = at + 1;
    return true;
}

static bool parse(const char *text, struct early *e)
{
    return take_number(&text, ':', &e->nursery.pid) && take_number(&text, ':', &e->nursery.socket) && take_number(&text, '\0', &e->frames_fd);
}

static int socket_fact(int fd, int fact)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, fact, &value, &size) < 0 ? -1 : value;
}

// Of a pair of sockets that this process has made, as whatever program it was.
static bool is_own_socket(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return socket_fact(fd, SO_DOMAIN) == AF_UNIX && socket_fact(fd, SO_TYPE) == SOCK_SEQPACKET &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
}

static bool is_living_child(pid_t pid)
{
    return pid > 0 && waitpid(pid, NULL, WNOHANG) == 0;
}

static bool are_ours(const struct early *e)
{
    return e->nursery.socket > STDERR_FILENO && e->frames_fd > STDERR_FILENO && is_own_socket(e->nursery.socket) && arena_is(e->frames_fd);
}

static void close_both(const struct early *e)
{
    if (e->nursery.socket >= 0)
        close(e->nursery.socket);
    if (e->frames_fd >= 0)
        close(e->frames_fd);
}

void early_receive(void)
{
    const char *text = getenv(EARLY_VARIABLE);
    struct early e;
    bool ours = text && parse(text, &e) && are_ours(&e);

    unsetenv(EARLY_VARIABLE);
    if (!ours)
        return;
    e.nursery.socket = process_raise_fd(e.nursery.socket);
    e.frames_fd = process_raise_fd(e.frames_fd);
    if (!is_living_child(e.nursery.pid)) {
        close_both(&e);
        return;
    }
    received = e;
    if (e.nursery.socket < 0 || e.frames_fd < 0)
        early_end();
}

bool early_claim(struct early *e)
{
    if (!received.nursery.pid)
        return false;
    *e = received;
    received = (struct early){0};
    return true;
}

void early_end(void)
{
    struct early e;

    if (!early_claim(&e))
        return;
    nursery_process_end(&e.nursery);
    if (e.frames_fd >= 0)
        close(e.frames_fd);
}
