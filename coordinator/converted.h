// Streams that are converted: a child process (renderfarm-renderer --convert) decodes and encodes them, because no codec call is made in this
// process. Its packets come through a pipe, which holds it back when we are slower. One that hangs is killed, and one that is killed is started
// again, a few times, with what it has given already passed over. Blocks; inside the mux lane.
#ifndef RENDERFARM_CONVERTED_H
#define RENDERFARM_CONVERTED_H

#include "common/protocol.pb-c.h"

#include <libavcodec/avcodec.h>

#include <stdatomic.h>
#include <stdint.h>

struct converted;

struct converted_wish {
    unsigned stream;
    const char *encoder;
};

struct converted_setup {
    const char *renderer, *input; // the program's path, and the file's
    const struct stat *noted;     // of the input, see input_file_expect; lives as long as converted
    int64_t start_us;             // is taken off all times; AV_NOPTS_VALUE for the file's own
    double stall_s;               // a child that gives no sign of life for longer hangs; 0: it may
    const atomic_bool *hurry;     // becomes true when the rest is not wanted any more: then no call waits for the child. NULL: never
};

// Starts the child and reads what it says of each stream. On failure *why is one sentence.
int converted_open(struct converted **converted, const struct converted_setup *setup, const struct converted_wish *wishes, size_t count, char **why);
// What the child said of the stream; NULL if it was not asked for. Lives as long as converted.
const Wire__ConvertedStream *converted_stream(const struct converted *converted, unsigned stream);

// The next packet, stream_index being the input's stream, in the time base that converted_stream names; *packet is NULL at the end. It stays the same
// until converted_take. A read error in mid-file ends the streams there, as for others_peek, and is logged.
int converted_peek(struct converted *converted, const AVPacket **packet, char **why);
AVPacket *converted_take(struct converted *converted); // the caller owns it

void converted_close(struct converted **converted); // ends the child

#endif
