// Clocks in nanoseconds. Any thread.
#ifndef RENDERFARM_CLOCK_H
#define RENDERFARM_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);         // monotonic
uint64_t clock_thread_cpu_ns(void);  // CPU time of the calling thread
uint64_t clock_process_cpu_ns(void); // of all threads of this process

// A time that is to be counted from, when of what has passed since then so much (asleep_ns) is not to count: later by that, but not later than now.
static inline uint64_t clock_excuse(uint64_t since_ns, uint64_t asleep_ns, uint64_t now_ns)
{
    if (since_ns >= now_ns)
        return since_ns;
    return now_ns - since_ns < asleep_ns ? now_ns : since_ns + asleep_ns;
}

#endif
