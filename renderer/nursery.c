#include "nursery.h"

#include "common/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWN_FDS = 16 }; // ours are above the numbers that a renderer's get

struct wish {
    uint32_t slot;
    int input, speech;
};

// False: the coordinator wants no more.
static bool receive(int socket, struct wish *wish)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(BIRTH_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = &wish->slot, .iov_len = sizeof(wish->slot)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header;
    int descriptors[BIRTH_DESCRIPTORS];
    ssize_t size;

    do
        size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    header = size == sizeof(wish->slot) ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(descriptors)))
        return false;
    memcpy(descriptors, CMSG_DATA(header), sizeof(descriptors));
    wish->input = descriptors[0];
    wish->speech = descriptors[1];
    return true;
}

static void take_place(int socket, const struct wish *wish)
{
    struct birth birth = {.slot = wish->slot, .pid = (uint32_t)getpid()};

    setsid(); // as posix_spawn would have done it
    if (dup2(wish->input, STDIN_FILENO) < 0 || dup2(wish->speech, STDERR_FILENO) < 0 ||
        send(socket, &birth, sizeof(birth), MSG_NOSIGNAL) != sizeof(birth))
        _exit(1);
    close(wish->input);
    close(wish->speech);
    close(socket);
}

// True in the renderer. The process between ends at once, so that the renderer is the coordinator's child (which is what is called a subreaper), as
// if it had been started by that.
static bool give_birth(int socket, const struct wish *wish)
{
    pid_t between = fork();

    if (between == 0) {
        if (fork() != 0)
            _exit(0);
        take_place(socket, wish);
        return true;
    }
    close(wish->input);
    close(wish->speech);
    if (between > 0)
        waitpid(between, NULL, 0);
    return false;
}

void nursery_run(uint32_t *slot, char *slot_text)
{
    int socket = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, OWN_FDS);
    struct wish wish;

    if (socket < 0)
        _exit(1);
    while (receive(socket, &wish)) {
        if (give_birth(socket, &wish)) {
            char text[16];

            snprintf(text, sizeof(text), "%0*u", (int)strlen(slot_text), wish.slot);
            if (strlen(text) == strlen(slot_text))
                memcpy(slot_text, text, strlen(text));
            *slot = wish.slot;
            return;
        }
    }
    _exit(0);
}
