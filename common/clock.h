// Clocks in nanoseconds. Any thread.
#ifndef RENDERFARM_CLOCK_H
#define RENDERFARM_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);        // monotonic
uint64_t clock_thread_cpu_ns(void); // CPU time of the calling thread
uint64_t clock_process_cpu_ns(void); // of all threads of this process

#endif
