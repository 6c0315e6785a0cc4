// One finished segment as a file: the chunks that its renderer sent, in order, and its Done. Knows a FILE and nothing of where it lies. A file is not
// trusted: whatever is not exactly as it was written, from a flipped bit to a file under another's name, is noticed. (It is no protection against
// somebody who forges an entry on purpose, checksums and all: then this code stays safe, but the video is theirs.)
//
//   entry    = header *chunk [times] end     nothing follows the end
//   header   = "RFCACHE1" key(32) checksum(16)
//   chunk    = record(1)  Wire__Chunk, then the payloads of its packets one behind the other
//   times    = record(3)  of the frames that the segment was made of: of each, how much later it is than the one before (LEB128), the first than 0
//                         (the same, zigzag)
//   end      = record(2)  Wire__Done
//   record   = kind(4) message_bytes(4) payload_bytes(8) checksum(16) message payload
//
// Numbers are little endian. A checksum is BLAKE2b with 128 bits, of the header over the magic and the key; of a record over the key, the record's
// number (8 bytes; 0, 1, 2...), its first 16 bytes, message and payload. Sequences count from 0, the last chunk alone is marked as such, and the end
// tells as many packets as there are. Segment and attempt are 0 in all messages: the reader's caller knows whose turn it is.
//
// Any thread, one at a time. Calls block on the file.
#ifndef RENDERFARM_CACHE_ENTRY_H
#define RENDERFARM_CACHE_ENTRY_H

#include "cache_key.h"

#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <stdio.h>

// What has gone by. Private to this file.
struct cache_entry_state {
    FILE *file; // the caller's
    struct cache_key key;
    uint64_t record, packets;
    uint32_t next_sequence;
    bool last;  // the last chunk has gone by
    bool timed; // so have the times
};

struct cache_entry_writer {
    struct cache_entry_state state;
};

// All return 0, -EPROTO when chunks or their number do not follow (then the entry must be dropped: nothing is written), or a negative errno
// such as -ENOSPC. The file stays the caller's, to flush and close; so does the chunk.
int cache_entry_write_open(struct cache_entry_writer *writer, FILE *file, const struct cache_key *key);
int cache_entry_write_chunk(struct cache_entry_writer *writer, const struct chunk *chunk);
// Times that rise; -EINVAL for others and for far too many, and nothing is written.
int cache_entry_write_times(struct cache_entry_writer *writer, const int64_t *times, size_t count);
int cache_entry_write_done(struct cache_entry_writer *writer, const Wire__Done *done);

struct cache_entry_reader {
    struct cache_entry_state state;
    uint64_t size; // of the file
};

// The file must be seekable and at its beginning. Returns 0, -EBADMSG for what is not an entry with this key, as it was written, or a negative errno
// (-EIO, -ENOMEM...). The file stays the caller's in every case.
int cache_entry_read_open(struct cache_entry_reader *reader, FILE *file, const struct cache_key *key);
// The next chunk, or behind the last one the end: exactly one of *chunk and *done is set, the other NULL, both NULL on failure. What it gives is the
// caller's. Not to be called again after *done or a failure. Allocates no more than the file is large, whatever it says.
int cache_entry_read_next(struct cache_entry_reader *reader, struct chunk **chunk, Wire__Done **done);
// Only the times, free(), without a look at what the chunks hold. -ENOENT: there are none.
int cache_entry_read_times(FILE *file, const struct cache_key *key, int64_t **times, size_t *count);

#endif
