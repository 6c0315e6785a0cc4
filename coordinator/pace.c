#include "pace.h"

#define LEAST_GAIN 0.25 // of what the second one takes

void pace_add(struct pace *pace, uint64_t worked_ns, uint64_t frames)
{
    pace->worked_ns += worked_ns;
    pace->frames += frames;
}

double pace_expect_ns(const struct pace *own, const struct pace *all, uint64_t frames)
{
    const struct pace *known = own->frames > 0 ? own : all;

    return known->frames > 0 ? (double)known->worked_ns / (double)known->frames * (double)frames : 0;
}

double pace_left_ns(double expected_ns, double elapsed_ns)
{
    return elapsed_ns < expected_ns ? expected_ns - elapsed_ns : elapsed_ns - expected_ns;
}

double pace_gain_ns(double left_ns, double second_ns)
{
    double gain_ns = left_ns - second_ns;

    return gain_ns > LEAST_GAIN * second_ns ? gain_ns : 0;
}
