// The output: video packets in, in order. Every function blocks and runs inside the mux lane, where it does not say otherwise. Two kinds, chosen by
// the output's name (sink.c):
//
// - One file (sink_media.c), with everything else from the input beside the video. The sink opens the input a second time and reads the other streams
//   just ahead of the video that is written, so that nothing piles up in memory. It writes beside the output's name and renames when all is synced.
// - Numbered pictures (sink_sequence.c): each packet is a file of its own, which appears under its name when it is whole. These files need no order,
// and
//   many are written at once.
#ifndef RENDERFARM_SINK_H
#define RENDERFARM_SINK_H

#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct sink;
struct finished;

struct sink_setup {
    const char *input, *output;
    const struct stat *noted; // the input, see input_file_expect
    const char *codec;        // encoder or codec name that the user asked for; NULL: what the container prefers
    bool overwrite, no_audio, no_subtitles, no_other_video;
    int64_t start_number;     // of numbered pictures
    bool one_picture;         // the output is one picture
    bool autorotate;          // the display matrix is used up by the renderers
    const char *renderer;     // path of the renderer program, which also converts audio and subtitles
    char *const *others;      // the file to take everything else from, where that is not the input; known when the sink is opened. NULL: the input
    double stall_s;           // so long a process that converts may give no sign of life; 0: for ever
    const atomic_bool *hurry; // whoever waits for such a process gives up when this becomes true; NULL: never
    const struct finished *finished; // left when one file is whole; NULL: nothing is. It lives as long as the sink
    const double *start_s;           // what the source takes off all timestamps (source_facts.start_s); NULL: the start time of the file
};

// Opened, nothing written: what has been decided. Strings are owned by the facts.
struct sink_facts {
    char *encoder;      // name of the encoder to use
    bool global_header; // the container wants the encoder's parameters apart
    char **notes;       // one line per thing that the user should know (a stream converted, ...)
    size_t note_count;
};

void sink_facts_clear(struct sink_facts *facts);

// Checks the output (name, folder, exists, is the input), guesses the container, decides what becomes of each other stream and refuses what cannot be
// kept. On failure *why is one sentence (free()) and nothing is left on disk. A usage-like mistake (unknown encoder, exists without overwrite) is
// -EINVAL or -EEXIST.
int sink_open(struct sink **sink, const struct sink_setup *setup, struct sink_facts *facts, char **why);

// Writes the header to the temporary file. video is what the probe said of the encoder's output.
int sink_start(struct sink *sink, const Wire__Probed *video, char **why);

// Writes the chunk's video packets (encoder's time base, decode timestamps already rebuilt), each after the other streams' packets that belong before
// it. Takes the chunk.
int sink_write(struct sink *sink, struct chunk **chunk, char **why);

// What sink_write has left to be done, in whatever order and by any thread: a file each. `order` rises from part to part.
struct sink_part {
    struct sink_part *next;
    size_t bytes;
    int64_t order;
    int (*write)(struct sink_part *part, char **why); // blocks; beside other parts' and the sink's own calls
    void (*free)(struct sink_part *part);             // whether it was written or not
};

// Those of the calls before, in order; NULL: none. They are the caller's, to be freed before sink_finish or sink_close.
struct sink_part *sink_take_parts(struct sink *sink);

// The rest of the other streams, the trailer, fsync, rename.
int sink_finish(struct sink *sink, char **why);

uint64_t sink_bytes(const struct sink *sink); // written so far; any thread

// Before sink_finish succeeded: removes the temporary file. Always frees.
void sink_close(struct sink **sink);

#endif
