#include "nursery.h"

#include "process.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct nursery {
    uv_poll_t poll;
    int socket;
    pid_t pid; // 0: it has ended
    bool settled, over;
    void (*on_birth)(void *data, const struct birth *birth);
    void *data;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    nursery_hear(poll->data);
}

static int open_socket(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    for (int i = 0; i < 2; i++)
        ends[i] = process_raise_fd(ends[i]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return 0;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return -EMFILE;
}

// The other end is one of a program that waits.
static int make_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

struct nursery *nursery_start(uv_loop_t *loop, char *const *argv, int frames_fd, void (*on_birth)(void *data, const struct birth *birth), void *data)
{
    struct nursery *n;
    int ends[2], null, err;

    if (open_socket(ends) < 0)
        return NULL;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    n = mem_zalloc(sizeof(*n));
    // Those who are born become children of this process when the one between has gone.
    err = null < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : make_blocking(ends[1]);
    if (!err)
        err = process_start(argv, ends[1], null, frames_fd, &n->pid);
    if (null >= 0)
        close(null);
    close(ends[1]);
    if (err < 0 || uv_poll_init(loop, &n->poll, ends[0]) < 0) {
        close(ends[0]); // which ends it
        free(n);
        return NULL;
    }
    n->socket = ends[0];
    n->on_birth = on_birth;
    n->data = data;
    n->poll.data = n;
    uv_poll_start(&n->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&n->poll); // who waits for renderers has them to wait for
    return n;
}

int nursery_ask(struct nursery *n, uint32_t slot, int input, int speech)
{
    int descriptors[BIRTH_DESCRIPTORS] = {input, speech};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(descriptors))];
    } control = {0};
    struct iovec part = {.iov_base = &slot, .iov_len = sizeof(slot)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    if (n->settled || n->over)
        return -ESHUTDOWN;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(descriptors));
    memcpy(CMSG_DATA(header), descriptors, sizeof(descriptors));
    return sendmsg(n->socket, &message, MSG_NOSIGNAL) == sizeof(slot) ? 0 : -errno;
}

void nursery_hear(struct nursery *n)
{
    struct birth birth;
    ssize_t size;

    // A nursery that is killed before it has read all wishes resets the connection, and that comes in front of births that it has told.
    while (!n->over) {
        size = recv(n->socket, &birth, sizeof(birth), 0);
        if (size == sizeof(birth)) {
            n->on_birth(n->data, &birth);
        } else if (size < 0 && errno == EAGAIN) {
            return;
        } else if (size == 0 || (errno != EINTR && errno != ECONNRESET)) {
            n->over = true;
            uv_poll_stop(&n->poll);
        }
    }
}

void nursery_settle(struct nursery *n)
{
    if (!n->settled)
        shutdown(n->socket, SHUT_WR);
    n->settled = true;
}

void nursery_kill(struct nursery *n)
{
    if (n->pid)
        kill(n->pid, SIGKILL);
}

void nursery_reap(struct nursery *n)
{
    if (n->pid && waitpid(n->pid, NULL, WNOHANG) == n->pid)
        n->pid = 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void nursery_free(struct nursery **nursery)
{
    struct nursery *n = *nursery;

    if (!n)
        return;
    *nursery = NULL;
    nursery_kill(n);
    if (n->pid)
        waitpid(n->pid, NULL, 0); // it has nothing to do before it is gone
    uv_close((uv_handle_t *)&n->poll, on_closed);
    close(n->socket);
}
