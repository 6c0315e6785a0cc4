// The nursery (nursery.h) as a process that nobody has spoken to yet. Of the C library alone: renderfarm starts it before it becomes the coordinator.
// Any thread.
#ifndef RENDERFARM_NURSERY_PROCESS_H
#define RENDERFARM_NURSERY_PROCESS_H

#include <sys/types.h>

struct nursery_process {
    pid_t pid;  // a child of this process; 0: there is none
    int socket; // our end, which does not block; it ends when that is closed
};

// program: the renderers'. frames_fd: the shared memory for frames of whoever is born of it. Returns 0 or a negative code.
int nursery_process_start(struct nursery_process *process, const char *program, int frames_fd);
// At once; what it was asked for and has not begun does not come. There is none afterwards, and may have been none before.
void nursery_process_end(struct nursery_process *process);

#endif
