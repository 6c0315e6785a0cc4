#include "sink_kinds.h"

#include "sequence.h"

#include <stdlib.h>
#include <string.h>

void sink_facts_clear(struct sink_facts *facts)
{
    for (size_t i = 0; i < facts->note_count; i++)
        free(facts->notes[i]);
    free(facts->notes);
    free(facts->encoder);
    memset(facts, 0, sizeof(*facts));
}

const char *sink_others(const struct sink_setup *setup)
{
    return setup->others && *setup->others ? *setup->others : setup->input;
}

int sink_open(struct sink **sink, const struct sink_setup *setup, struct sink_facts *facts, char **why)
{
    memset(facts, 0, sizeof(*facts));
    return setup->one_picture || sequence_is_output(setup->output) ? sink_sequence_open(sink, setup, facts, why)
                                                                   : sink_media_open(sink, setup, facts, why);
}

int sink_start(struct sink *sink, const Wire__Probed *video, char **why)
{
    return sink->kind->start(sink, video, why);
}

int sink_write(struct sink *sink, struct chunk **chunk, char **why)
{
    return sink->kind->write(sink, chunk, why);
}

struct sink_part *sink_take_parts(struct sink *sink)
{
    return sink->kind->take_parts ? sink->kind->take_parts(sink) : NULL;
}

int sink_finish(struct sink *sink, char **why)
{
    return sink->kind->finish(sink, why);
}

uint64_t sink_bytes(const struct sink *sink)
{
    return sink->kind->bytes(sink);
}

void sink_close(struct sink **sink)
{
    if (!*sink)
        return;
    (*sink)->kind->close(*sink);
    *sink = NULL;
}
