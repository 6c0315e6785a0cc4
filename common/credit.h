// When a renderer says (Credit of protocol.proto) that it has begun with chunks that it was sent, or that it lives. Each word wakes threads in two
// processes, so it is not said of every chunk: in time for the sender to go on, and now and then as a sign of life. Pure.
#ifndef RENDERFARM_CREDIT_H
#define RENDERFARM_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

// Of what a peer is owed nobody has to wait for less than this many chunks; half of PROTOCOL_FIRST_CREDIT.
enum { CREDIT_AT_ONCE = 2 };

// How often there is a sign of life, at least, where there is progress: so much longer may a silence be than what is without any.
#define CREDIT_LIFE_NS UINT64_C(500000000)

// unsaid: chunks that were begun with since it was said. lying: others are here and not begun with. all_here: no more will be sent, so that all that
// is left to say is that this one lives. silent_ns: from what was said last, or the task's beginning, to the last progress.
bool credit_is_due(uint32_t unsaid, bool lying, bool all_here, uint64_t silent_ns);

#endif
