// Segments that were read and are not rendered yet: their input packets, kept until the result is in, so that lost work can go out again. A segment
// that grows beyond SHELF_KEEP_BYTES (a serial job over a long video) is not kept: what was sent is let go, and such a segment cannot be repeated.
// Pure. Not thread-safe.
#ifndef RENDERFARM_SHELF_H
#define RENDERFARM_SHELF_H

#include "common/chunk.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHELF_KEEP_BYTES = 16 << 20 };

struct shelf_segment {
    struct shelf_segment *next;
    uint32_t number;
    int64_t keep_from, keep_to; // input time base
    uint8_t *extradata;         // in place of the job's; owned
    size_t extradata_size;
    struct chunk_list chunks;
    uint32_t next_sequence; // for whoever makes its chunks
    bool complete;          // its last chunk is here
    bool ready;             // enough is here to begin with
    bool held_back;         // somebody still finds out whether it has to be rendered at all
    bool asked;             // and has asked the cache
    bool settled;           // it has not: what still comes of it is let go
    bool repeatable;        // nothing was let go
    bool dealt;             // a renderer has it, or a part of it
    uint64_t read_ns;       // when it was begun to be read; 0: unknown
    int64_t first_pts;      // of the stage's own frames; INT64_MIN where it is told by keep_from
    int64_t last_pts;       // input time base
    bool behind_gap;        // what is before it is left out; it begins with frames that nobody wants
    bool lacks_frames;      // some of its own, or of its neighbours: it cannot be rendered
    int64_t *times;         // of the stage's own frames, where they are noted; owned
    size_t time_count, time_room;
    bool damaged; // one of these is
};

struct shelf {
    struct shelf_segment *first, *last;
    size_t size_bytes; // of all chunks
    size_t kept_bytes; // of those, of segments that renderers have, and that are kept whole to be sent again
};

struct shelf_segment *shelf_add(struct shelf *shelf, uint32_t number); // numbers rise
struct shelf_segment *shelf_find(const struct shelf *shelf, uint32_t number);
void shelf_put(struct shelf *shelf, struct shelf_segment *segment, struct chunk **chunk);
// All chunks before `until` (NULL: all) have been sent to the renderer. Lets them go if the segment has grown too large to keep.
void shelf_sent(struct shelf *shelf, struct shelf_segment *segment, const struct chunk *until);
// The renderer is lost: it waits again.
void shelf_lost(struct shelf *shelf, struct shelf_segment *segment);
// Lets go of all chunks; the segment stays.
void shelf_drop(struct shelf *shelf, struct shelf_segment *segment);
void shelf_remove(struct shelf *shelf, uint32_t number);
void shelf_clear(struct shelf *shelf);

#endif
