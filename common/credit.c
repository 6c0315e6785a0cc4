#include "credit.h"

// Far below what the coordinator's patience is counted in.
#define LIFE_NS UINT64_C(1000000000)

bool credit_is_due(uint32_t unsaid, bool lying, bool all_here, uint64_t silent_ns)
{
    if (unsaid == 0)
        return false;
    if (silent_ns >= LIFE_NS)
        return true;
    return !all_here && (!lying || unsaid >= CREDIT_AT_ONCE);
}
