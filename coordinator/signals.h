// The signals that ask this process to end: Ctrl-C, SIGTERM and SIGHUP (unless nohup has it ignored), as events of a loop. Loop thread only.
#ifndef RENDERFARM_SIGNALS_H
#define RENDERFARM_SIGNALS_H

#include <uv.h>

// What is said when a job, and --verify, is ended: the signal's name, and the output.
#define SIGNALS_UNWRITTEN "ended by %s; %s was not written"
#define SIGNALS_UNVERIFIED "ended by %s; %s is there, but it was not compared to its end"

struct signals {
    uv_signal_t handles[3];
    void (*on_signal)(void *data, int signal);
    void *data;
};

// The signals are handled until they are closed, and as before afterwards.
void signals_open(struct signals *signals, uv_loop_t *loop, void (*on_signal)(void *data, int signal), void *data);
void signals_close(struct signals *signals); // its memory is the loop's until the next turn has begun

// For people: "Ctrl-C", "Terminated".
const char *signals_name(int signal);

#endif
