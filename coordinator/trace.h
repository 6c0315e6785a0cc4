// --trace: what the farm did when, as Chrome trace events (JSON array format, "Trace Event Format", Google 2016), which Perfetto and chrome://tracing
// open. A track for the loop, one for each lane, one for each renderer; a slice for each call and each task, and for a segment of the output the time
// that it waited to be dealt and to be written. Text is gathered in memory and written in a lane, so that the loop never waits; what comes while too
// much is on its way is counted and left out. The closing bracket may be missing: then the job was killed, and the file is still good. Loop thread
// only; all calls take NULL, and do nothing.
#ifndef RENDERFARM_TRACE_H
#define RENDERFARM_TRACE_H

#include "lane.h"
#include "plan.h"

#include "common/protocol.pb-c.h"

#include <stdint.h>

struct trace;

// Opens the files, which are replaced if both can be opened; each may be NULL: the events, and a page that shows them (see page.h). A negative errno,
// and *which is the one that cannot be written (-ENXIO: a pipe from which nobody reads). on_idle: trace_busy holds no longer. Blocks for a moment.
int trace_open(struct trace **trace, uv_loop_t *loop, const char *path, const char *page_path, uint64_t start_ns, void (*on_idle)(void *data),
               void *data, const char **which);

// Times are those of clock_now_ns. name is a clause without quotes or newlines, or is escaped.
void trace_turn(struct trace *trace, uint64_t from_ns, uint64_t to_ns);                                 // of the loop; short ones are left out
void trace_lane(struct trace *trace, struct lane *lane, const char *name);                              // from now on its calls are traced
void trace_renderer(struct trace *trace, uint32_t slot, uint32_t stage, const char *what, int threads); // what its track is called
// What is to be done, in which stages; once. Everything is read at once, and nothing kept.
struct trace_job {
    const char *input, *output, *encoder;
    int workers, threads;
    double duration_s, frame_rate, keyframe_gap_s; // 0: unknown
    double wished_segment_s;                       // by the user; 0: none
    size_t frame_bytes;                            // of a slot between stages
    bool cuttable;
    uint64_t loop_cpu_ns; // of the loop's thread so far
    const struct plan *plan;
};
void trace_job(struct trace *trace, uint64_t now_ns, const struct trace_job *job);
// What the call of that lane was that has ended just now: in its callback. arguments: members of a JSON object.
void trace_call(struct trace *trace, const struct lane *lane, const char *what, const char *arguments, ...) __attribute__((format(printf, 4, 5)));
// A renderer is there, which was begun at from_ns; it cost the loop spawn_ns. It has looked at the first frames.
void trace_started(struct trace *trace, uint32_t slot, uint64_t from_ns, uint64_t to_ns, uint64_t spawn_ns);
void trace_probed(struct trace *trace, uint32_t slot, uint64_t from_ns, uint64_t to_ns);
// A task came to its end, which was given received_bytes and gave bytes (payloads). done: what it spent its time on; NULL: it was lost.
struct trace_task {
    uint32_t slot, stage, segment, attempt;
    uint64_t from_ns, to_ns, received_bytes, bytes;
    double video_s; // where it begins
    const Wire__Done *done;
};
void trace_task(struct trace *trace, const struct trace_task *task);
// The job went well. loop_cpu_ns: of the loop's thread.
void trace_end(struct trace *trace, uint64_t now_ns, const char *outcome, uint64_t frames, uint64_t loop_cpu_ns, uint64_t received_messages);
// A segment that was read went to a renderer; one of the output's is finished, and is written.
void trace_dealt(struct trace *trace, uint32_t segment, uint64_t read_ns, uint64_t now_ns);
void trace_finished(struct trace *trace, uint32_t segment, uint64_t now_ns);
void trace_written(struct trace *trace, uint32_t segment, uint64_t now_ns);
// What there is at a time.
struct trace_counts {
    uint64_t shelf_bytes, assembly_bytes; // that wait: input, finished work
    unsigned busy;                        // renderers at work
    uint64_t waiting, out;                // the window: segments, of all stages, that wait for a renderer, and that are with one
    uint64_t credits;                     // chunks that may go to renderers now
    uint64_t frames, frame_slots;         // raw frames in shared memory, and room for them
    uint64_t memory, largest;             // bytes of this process, and of the largest renderer so far
};
void trace_counters(struct trace *trace, uint64_t now_ns, const struct trace_counts *counts);

bool trace_busy(const struct trace *trace);
// Writes the rest; when it is not busy any more trace_close closes the file, and returns what went wrong on the way: a negative errno or 0.
void trace_flush(struct trace *trace);
int trace_close(struct trace **trace);

// One event's text, for tests: name is escaped for JSON. Returns what snprintf would.
int trace_slice_text(char *out, size_t size, const char *name, unsigned track, double from_us, double duration_us, const char *arguments);

#endif
