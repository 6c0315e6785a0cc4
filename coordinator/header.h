// What a container says before its first packet: its streams and what is known of each, chapters, programs, tags. Nothing is written here. Inside the
// mux lane.
#ifndef RENDERFARM_HEADER_H
#define RENDERFARM_HEADER_H

#include "converted.h"
#include "others.h"
#include "streams.h"

#include "common/protocol.pb-c.h"

#include <libavformat/avformat.h>

#include <stdbool.h>
#include <stdint.h>

// Of one input stream.
struct header_track {
    int output;           // its stream in the output, -1 for none
    AVRational time_base; // of the packets that come in
    int64_t delay;        // to be added to all their times, in time_base
};

// All of it is the caller's.
struct header {
    AVFormatContext *output; // of the container; filled here
    const Wire__Probed *video;
    const char *encoder; // its name, where the renderers have not said it
    bool autorotate;     // so the pictures are upright, and the output's need not be turned
    struct others *others;
    struct converted *converted; // NULL: nothing is
    const struct streams *streams;
    struct header_track *tracks; // one per input stream; filled here
};

// Returns 0 or an error.
int header_fill(const struct header *header);

#endif
