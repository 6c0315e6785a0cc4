// How fast renderers are by what they have done, and whether one that has nothing to do had better begin what another one is still at. Times are
// what a task took from its sending to its result, so a slow connection counts as a slow renderer. Pure.
#ifndef RENDERFARM_PACE_H
#define RENDERFARM_PACE_H

#include <stdint.h>

struct pace {
    uint64_t worked_ns, frames;
};

void pace_add(struct pace *pace, uint64_t worked_ns, uint64_t frames);

// What so many frames will take it, ns. Of one that has done nothing yet, what they take the others; 0: nobody knows.
double pace_expect_ns(const struct pace *own, const struct pace *all, uint64_t frames);

// How much longer it will be at what it was expected to take expected_ns for and is at for elapsed_ns: that longer than expected it may take as long
// again.
double pace_left_ns(double expected_ns, double elapsed_ns);

// How much sooner the work would be done if a second one began it now, ns; 0: it is not worth it, for the gain has to be a good part of second_ns, as
// all of this is a guess. left_ns: of the one that is at it; second_ns: what it will take the other.
double pace_gain_ns(double left_ns, double second_ns);

#endif
