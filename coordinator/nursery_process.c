#include "nursery_process.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

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

int nursery_process_start(struct nursery_process *process, const char *program, int frames_fd)
{
    // Each who is born puts its own number in place of the slot's, so that a list of processes tells them apart.
    const char *argv[] = {program, "--nursery", "--slot=000000", NULL};
    int ends[2], null, err = open_socket(ends);

    *process = (struct nursery_process){.socket = -1};
    if (err < 0)
        return err;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    err = null < 0 ? -errno : make_blocking(ends[1]);
    if (!err)
        err = process_start((char *const *)(uintptr_t)argv, ends[1], null, frames_fd, &process->pid);
    if (null >= 0)
        close(null);
    close(ends[1]);
    if (err < 0) {
        process->pid = 0;
        close(ends[0]);
        return err;
    }
    process->socket = ends[0];
    return 0;
}

void nursery_process_end(struct nursery_process *process)
{
    if (process->pid) {
        kill(process->pid, SIGKILL);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        close(process->socket);
    }
    *process = (struct nursery_process){.socket = -1};
}
