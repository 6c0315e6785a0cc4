// Starting a program of ours. Any thread.
#ifndef RENDERFARM_PROCESS_H
#define RENDERFARM_PROCESS_H

#include <sys/types.h>

// Apart from the terminal's group, with no signal blocked or ignored, and with no files but these: standard input, standard error and the shared
// memory for frames (ARENA_FD). argv as for execv; argv[0] is the program. Returns 0 or a negative code.
int process_start(char *const *argv, int input, int speech, int frames_fd, pid_t *pid);
// Above the numbers that a child's own files get; takes fd. The new number or a negative code.
int process_raise_fd(int fd);

#endif
