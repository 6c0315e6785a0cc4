#include "footing.h"

#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

// No more than that: programs that close all numbers that there may be are started from here too.
enum { ENOUGH_FILES = 4096 };

int footing_take(void)
{
    struct rlimit files;
    sigset_t none;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0)
            break; // nothing else may take the number then, either
    mem_explain_aborts();
    // A mask goes along through exec. Behind one that keeps SIGCHLD off nobody learns that a child has ended; SIGTERM is meant for us all the same.
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a limit of a file's size (ulimit -f)
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return INT_MAX;
    if (files.rlim_cur < ENOUGH_FILES && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max < ENOUGH_FILES ? files.rlim_max : ENOUGH_FILES;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return files.rlim_cur < INT_MAX ? (int)files.rlim_cur : INT_MAX;
}

bool footing_ignores_hangup(void)
{
    struct sigaction now;

    return sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}
