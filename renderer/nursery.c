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

struct asked {
    struct birth_wish wish;
    int input, speech;
};

static bool makes_sense(const struct birth_wish *wish)
{
    return wish->endpoint[0] && memchr(wish->endpoint, '\0', sizeof(wish->endpoint)) && wish->threads >= 1 && wish->threads <= BIRTH_MOST_THREADS;
}

// False: the coordinator wants no more, or talks nonsense.
static bool receive(int socket, struct asked *asked)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(BIRTH_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = &asked->wish, .iov_len = sizeof(asked->wish)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header;
    int descriptors[BIRTH_DESCRIPTORS];
    ssize_t size;

    do
        size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    header = size == sizeof(asked->wish) && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(descriptors)))
        return false;
    memcpy(descriptors, CMSG_DATA(header), sizeof(descriptors));
    asked->input = descriptors[0];
    asked->speech = descriptors[1];
    return makes_sense(&asked->wish);
}

static void take_place(int socket, const struct asked *asked)
{
    struct birth birth = {.slot = asked->wish.slot, .pid = (uint32_t)getpid()};

    if (dup2(asked->input, STDIN_FILENO) < 0 || dup2(asked->speech, STDERR_FILENO) < 0 ||
        send(socket, &birth, sizeof(birth), MSG_NOSIGNAL) != sizeof(birth))
        _exit(1);
    setsid(); // as posix_spawn would have done it; before its birth is told, nobody knows it but as one of the nursery's group
    close(asked->input);
    close(asked->speech);
    close(socket);
}

// True in the renderer. The process between ends at once, so that the renderer is the coordinator's child (which is what is called a subreaper), as
// if it had been started by that.
static bool give_birth(int socket, const struct asked *asked)
{
    pid_t between = fork();

    if (between == 0) {
        if (fork() != 0)
            _exit(0);
        take_place(socket, asked);
        return true;
    }
    close(asked->input);
    close(asked->speech);
    if (between > 0)
        waitpid(between, NULL, 0);
    return false;
}

static void tell_apart(char *slot_text, uint32_t slot)
{
    char text[16];

    snprintf(text, sizeof(text), "%0*u", (int)strlen(slot_text), slot);
    if (strlen(text) == strlen(slot_text))
        memcpy(slot_text, text, strlen(text));
}

void nursery_run(struct birth_wish *wish, char *slot_text)
{
    int socket = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, OWN_FDS);
    struct asked asked;

    if (socket < 0)
        _exit(1);
    while (receive(socket, &asked)) {
        if (give_birth(socket, &asked)) {
            tell_apart(slot_text, asked.wish.slot);
            *wish = asked.wish;
            return;
        }
    }
    _exit(0);
}
