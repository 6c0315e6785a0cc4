// Starting a program of ours. Of the C library alone. Any thread.
#ifndef RENDERFARM_PROCESS_H
#define RENDERFARM_PROCESS_H

#include <sys/types.h>

// Apart from the terminal's group, with no signal blocked or ignored, and with no files but these: standard input, standard error and the shared
// memory for frames (ARENA_FD). argv as for execv; argv[0] is the program. Returns 0 or a negative code.
int process_start(char *const *argv, int input, int speech, int frames_fd, pid_t *pid);
// Above the numbers that a child's own files get; takes fd. The new number or a negative code.
int process_raise_fd(int fd);
// The path of a program in the folder of this one; whether it is there has to be seen. free() it; NULL: this one's own cannot be found, and errno
// says why.
char *process_beside(const char *name);

#endif
