// Which renderer hangs: it is busy, it has all that it needs from us, and it has given no sign of life (a result, or room for more input) for longer
// than the time-out beyond the longest silence that this job's renderers have come back from. Who was only slow is given four times as long the next
// time. Pure: no clock, no processes. Not thread-safe.
#ifndef RENDERFARM_WATCH_H
#define RENDERFARM_WATCH_H

#include "roster.h"

#include <stdint.h>

struct watch {
    uint64_t timeout_ns;
    uint64_t longest_ns; // silence that ended by itself, or that is to be expected
    uint64_t looked_ns;  // when watch_find was last called; 0: never
};

void watch_init(struct watch *watch, double timeout_s);
// A sign of life from the renderer; also due when it is started and when it is given a task.
void watch_on_sign(struct watch *watch, struct renderer *renderer, uint64_t now_ns);
// The probe took that long for a frame or a few, and all that is sent at a time may take that much for each.
void watch_on_probe(struct watch *watch, uint64_t took_ns);
// The renderer to be replaced, or NULL. Of several the one nearest to the encoder: those before it may wait for it. To be called every now and then:
// if that was not possible for long, then because this process was stopped, and the others with it.
struct renderer *watch_find(struct watch *watch, struct roster *roster, uint64_t now_ns);

#endif
