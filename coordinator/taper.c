#include "taper.h"

#include <math.h>

// Parts of what is left that a segment may have, and that part of its full length that it has at the least.
enum { LEFT = 6, LEFT_OF_BRIEF = 3, SHORTEST = 8 };

double taper_length(double length, double left, double brief, double shortest)
{
    double most = fmax(left / LEFT, fmin(left / LEFT_OF_BRIEF, brief));
    double least = fmax(length / SHORTEST, shortest);

    return fmin(length, fmax(most, least));
}
