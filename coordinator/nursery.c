#include "nursery.h"

#include "common/mem.h"

#include <errno.h>
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
    struct nursery_process process; // pid 0: it has ended
    pid_t group;                    // of processes, of which all are that have not told their birth
    bool settled, over;
    bool killed; // the whole group
    void (*on_birth)(void *data, const struct birth *birth);
    void *data;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    nursery_hear(poll->data);
}

struct nursery *nursery_new(uv_loop_t *loop, struct nursery_process *process, void (*on_birth)(void *data, const struct birth *birth), void *data)
{
    struct nursery *n = mem_zalloc(sizeof(*n));

    // Those who are born become children of this process when the one between has gone.
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || uv_poll_init(loop, &n->poll, process->socket) < 0) {
        free(n);
        return NULL;
    }
    n->process = *process;
    *process = (struct nursery_process){.socket = -1};
    n->group = n->process.pid;
    n->on_birth = on_birth;
    n->data = data;
    n->poll.data = n;
    uv_poll_start(&n->poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&n->poll); // who waits for renderers has them to wait for
    return n;
}

int nursery_ask(struct nursery *n, const struct birth_wish *wish, int input, int speech)
{
    int descriptors[BIRTH_DESCRIPTORS] = {input, speech};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(descriptors))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)wish, .iov_len = sizeof(*wish)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    if (n->settled || n->over)
        return -ESHUTDOWN;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(descriptors));
    memcpy(CMSG_DATA(header), descriptors, sizeof(descriptors));
    return sendmsg(n->process.socket, &message, MSG_NOSIGNAL) == sizeof(*wish) ? 0 : -errno;
}

void nursery_hear(struct nursery *n)
{
    struct birth birth;
    ssize_t size;

    // A nursery that is killed before it has read all wishes resets the connection, and that comes in front of births that it has told.
    while (!n->over) {
        size = recv(n->process.socket, &birth, sizeof(birth), 0);
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
        shutdown(n->process.socket, SHUT_WR);
    n->settled = true;
}

void nursery_kill(struct nursery *n)
{
    n->killed = true;
    kill(-n->group, SIGKILL);
}

void nursery_dismiss(struct nursery *n)
{
    if (n->process.pid)
        kill(n->process.pid, SIGKILL);
}

void nursery_reap(struct nursery *n)
{
    if (n->process.pid && waitpid(n->process.pid, NULL, WNOHANG) == n->process.pid)
        n->process.pid = 0;
}

// Those who were killed before they have told their birth are nobody's child in particular, and take a moment to go. They became this process's when
// the nursery was gone.
static void reap_unborn(pid_t group)
{
    while (waitpid(-group, NULL, 0) > 0 || errno == EINTR)
        ;
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
    uv_close((uv_handle_t *)&n->poll, on_closed);
    if (n->process.pid) {
        nursery_kill(n);
        nursery_process_end(&n->process);
    } else {
        close(n->process.socket);
    }
    if (n->killed)
        reap_unborn(n->group);
}
