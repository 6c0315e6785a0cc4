// What is known of encoders whose segments do not make one stream, or not as it was asked for. Pure.
#ifndef RENDERFARM_ENCODERS_H
#define RENDERFARM_ENCODERS_H

#include "common/protocol.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

// Why one encoder has to go over the whole video, a clause; NULL: each segment may have its own. name: the encoder's. Static.
const char *encoders_why_one(const char *name, Wire__Option *const *options, size_t option_count);

// Whether the encoder may by default miss its bit rate by some four million bits before it minds, which many segments add up to a multiple of the
// rate.
bool encoders_may_miss_rate(const char *name, Wire__Option *const *options, size_t option_count);

#endif
