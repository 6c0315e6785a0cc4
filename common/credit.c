#include "credit.h"

#include "protocol.h"

#include <assert.h>

// Far below a second, which is what the least of the coordinator's patience is.
#define LIFE_NS UINT64_C(200000000)

static_assert((int)CREDIT_AT_ONCE == PROTOCOL_FIRST_CREDIT / 2, "a sender that has used up its credit gets more while half of it lies there");

bool credit_is_due(uint32_t unsaid, bool lying, bool all_here, uint64_t silent_ns)
{
    if (unsaid == 0)
        return false;
    if (silent_ns >= LIFE_NS)
        return true;
    return !all_here && (!lying || unsaid >= CREDIT_AT_ONCE);
}
