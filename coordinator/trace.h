// --trace: what the farm did when, as Chrome trace events (JSON array format, "Trace Event Format", Google 2016), which Perfetto and chrome://tracing
// open. A track for the loop, one for each lane, one for each renderer; a slice for each call and each task, and for a segment of the output the time
// that it waited to be dealt and to be written. Text is gathered in memory and written in a lane, so that the loop never waits; what comes while too
// much is on its way is counted and left out. The closing bracket may be missing: then the job was killed, and the file is still good. Loop thread
// only; all calls take NULL, and do nothing.
#ifndef RENDERFARM_TRACE_H
#define RENDERFARM_TRACE_H

#include "lane.h"

#include "common/protocol.pb-c.h"

#include <stdint.h>

struct trace;

// Opens the file, which is replaced; a negative errno. Blocks for a moment.
int trace_open(struct trace **trace, uv_loop_t *loop, const char *path, uint64_t start_ns);

// Times are those of clock_now_ns. name is a clause without quotes or newlines, or is escaped.
void trace_turn(struct trace *trace, uint64_t from_ns, uint64_t to_ns);                    // of the loop; short ones are left out
void trace_lane(struct trace *trace, struct lane *lane, const char *name);                 // from now on its calls are traced
void trace_renderer(struct trace *trace, uint32_t slot, uint32_t stage, const char *what); // what its track is called
// A task came to its end. done: what it spent its time on; NULL: it was lost.
void trace_task(struct trace *trace, uint32_t slot, uint32_t stage, uint32_t segment, uint32_t attempt, uint64_t from_ns, uint64_t to_ns,
                const Wire__Done *done);
// A segment that was read went to a renderer; one of the output's is finished, and is written.
void trace_dealt(struct trace *trace, uint32_t segment, uint64_t read_ns, uint64_t now_ns);
void trace_finished(struct trace *trace, uint32_t segment, uint64_t now_ns);
void trace_written(struct trace *trace, uint32_t segment, uint64_t now_ns);
// Bytes that wait: input, finished work; renderers at work.
void trace_counters(struct trace *trace, uint64_t now_ns, uint64_t shelf_bytes, uint64_t assembly_bytes, unsigned busy);

bool trace_busy(const struct trace *trace);
// Writes the rest; when it is not busy any more trace_close closes the file, and returns what went wrong on the way: a negative errno or 0.
void trace_flush(struct trace *trace);
int trace_close(struct trace **trace);

// One event's text, for tests: name is escaped for JSON. Returns what snprintf would.
int trace_slice_text(char *out, size_t size, const char *name, unsigned track, double from_us, double duration_us, const char *arguments);

#endif
