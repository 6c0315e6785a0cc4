#include "credit.h"

#include "protocol.h"

#include <assert.h>

static_assert((int)CREDIT_AT_ONCE == PROTOCOL_FIRST_CREDIT / 2, "a sender that has used up its credit gets more while half of it lies there");

bool credit_is_due(uint32_t unsaid, bool lying, bool all_here, uint64_t silent_ns)
{
    if (silent_ns >= CREDIT_LIFE_NS)
        return true;
    return unsaid > 0 && !all_here && (!lying || unsaid >= CREDIT_AT_ONCE);
}
