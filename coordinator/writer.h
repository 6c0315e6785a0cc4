// From encoded chunks in output order to the sink: checks that segments follow one another in time, rebuilds decode timestamps over the whole video
// and hands the packets on. Runs inside the mux lane, like the sink.
#ifndef RENDERFARM_WRITER_H
#define RENDERFARM_WRITER_H

#include "sink.h"

struct writer;

struct writer *writer_new(struct sink *sink, unsigned reorder_delay, int64_t frame_step);
// Takes the chunk. 0 or a negative code and one sentence.
int writer_write(struct writer *writer, uint32_t segment, struct chunk **chunk, char **why);
int writer_finish(struct writer *writer, char **why); // what is still held back for its time, then sink_finish
void writer_free(struct writer **writer);             // not the sink

#endif
