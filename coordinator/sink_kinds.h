// What the kinds of sink are to sink.c, and nobody else includes: each begins with a struct sink. The functions are those of sink.h.
#ifndef RENDERFARM_SINK_KINDS_H
#define RENDERFARM_SINK_KINDS_H

#include "sink.h"

struct sink_kind {
    int (*start)(struct sink *sink, const Wire__Probed *video, char **why);
    int (*write)(struct sink *sink, struct chunk **chunk, char **why);
    struct sink_part *(*take_parts)(struct sink *sink); // NULL: it never has any
    int (*finish)(struct sink *sink, char **why);
    uint64_t (*bytes)(const struct sink *sink);
    void (*close)(struct sink *sink); // frees it
};

struct sink {
    const struct sink_kind *kind;
};

const char *sink_others(const struct sink_setup *setup); // where everything but the video comes from

int sink_media_open(struct sink **sink, const struct sink_setup *setup, struct sink_facts *facts, char **why);
int sink_sequence_open(struct sink **sink, const struct sink_setup *setup, struct sink_facts *facts, char **why);

#endif
