// Which files a job's filters and encoder need beside the packets. The chain and the options are the user's own and are trusted, so a name that
// sounds like it is enough: a filter that can be told a file may read files. Reads libavfilter's and libavcodec's tables, initialises nothing. Any
// thread.
#ifndef RENDERFARM_NEEDS_H
#define RENDERFARM_NEEDS_H

#include "jail.h"
#include "common/protocol.pb-c.h"

struct jail needs_of(const Wire__Job *job);
// Whether a process that was jailed for one may take the other on.
bool needs_covered(const struct jail *jail, const struct jail *need);

#endif
