#include "taper.h"

#include <math.h>

enum {
    LEFT = 6, // no more than this part of what is left
    LEFT_OF_BRIEF = 3,
    SHORTEST = 8, // no less than this part of the full length
    SHORTEST_OF_BRIEF = 3,
};

double taper_length(double length, double left, double brief)
{
    double most = fmax(left / LEFT, fmin(left / LEFT_OF_BRIEF, brief));
    double least = fmax(length / SHORTEST, brief / SHORTEST_OF_BRIEF);

    return fmin(length, fmax(most, least));
}
