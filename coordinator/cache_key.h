// Under what name a finished segment is kept: a hash over everything that its bytes depend on. Equal keys mean equal results, so a key may cost time
// but never leaves anything out; where two jobs differ in something that might not matter, their keys differ. BLAKE2b, 256 bits. Any thread.
//
// What no key sees: what a file names in turn that is no list of media (a LUT of a LUT's, say), plugins that plugins load, and the fonts of other
// hosts.
#ifndef RENDERFARM_CACHE_KEY_H
#define RENDERFARM_CACHE_KEY_H

#include "plan.h"

#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CACHE_KEY_BYTES = 32, CACHE_KEY_TEXT = 2 * CACHE_KEY_BYTES + 1 };

struct cache_key {
    uint8_t bytes[CACHE_KEY_BYTES];
};

// Lower-case hexadecimal digits, ended by a zero.
void cache_key_text(const struct cache_key *key, char text[CACHE_KEY_TEXT]);

// What all segments of a job depend on.
struct cache_job_key {
    struct cache_key results; // of a segment whose packets are known
    struct cache_key cuts;    // that, and what decides which packets a segment has
    bool positions;           // the filters may ask where in its file a packet lies
};

// libraries: what the renderers run with, and on. jobs: one for each stage, before any work has begun, since later stages learn a part of theirs from
// the first frame, which follows from the rest. Their ids and arenas do not count. filters: as probed. Reads the files that options of the filters
// and the encoder name (such as lut3d=file=...), and frei0r plugins, and looks at the system's fonts where a filter may choose of them, so it blocks.
// Returns 0, -ENOTSUP when the filter movie reads something other than one file, or when a filter is given a list of files, or a negative errno when
// a file cannot be read to its end.
int cache_job_key_make(struct cache_job_key *key, const char *libraries, const Wire__Job *const *jobs, size_t job_count, const struct plan *plan,
                       Wire__FilterFacts *const *filters, size_t filter_count);

// A segment by the content of its packets, in whichever chunks they come. Times are in the input's time base. Pure.
void cache_key_of_packets(struct cache_key *key, const struct cache_job_key *job, int64_t keep_from, int64_t keep_to, const uint8_t *extradata,
                          size_t extradata_size, const struct chunk_list *chunks);

// An input file by its size, time of change and content: of a file of more than CACHE_FILE_WHOLE_BYTES samples of the content. Whoever writes into
// the middle of a large file and sets its time back is not noticed.
enum { CACHE_FILE_WHOLE_BYTES = 6 << 20 };

struct cache_file_id {
    struct cache_key content;
};

// Blocks. Returns 0, -EINVAL for what is no ordinary file, -ENOTSUP for a list of others, which says nothing of what is in those, or a negative
// errno.
int cache_file_identify(struct cache_file_id *id, const char *path);

// A segment by its number in a file, for one that is too large to be read before it is known, and for plans of several stages. Pure.
void cache_key_of_file(struct cache_key *key, const struct cache_job_key *job, const struct cache_file_id *id, uint32_t segment);

#endif
