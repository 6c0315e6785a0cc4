// Which signals end a process by somebody's wish: a user, a service manager, a batch system. Its work has nothing to do with those.
#ifndef RENDERFARM_SENT_H
#define RENDERFARM_SENT_H

#include <signal.h>
#include <stdbool.h>

static inline bool sent_by_somebody(int number)
{
    switch (number) {
    case SIGKILL:
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
    case SIGQUIT:
    case SIGUSR1:
    case SIGUSR2:
        return true;
    default:
        return false;
    }
}

#endif
