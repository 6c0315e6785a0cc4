// Counters and timings of a job; they count, progress and the closing report print. Loop thread only.
#ifndef RENDERFARM_STATS_H
#define RENDERFARM_STATS_H

#include <stdint.h>
#include <stddef.h>

struct stats_renderer {
    uint32_t slot, pid;
    uint64_t busy_ns; // between a task's sending and its result
    uint64_t segments, frames;
    uint64_t peak_memory_bytes;
    char host[72]; // "": this one
};

// How often a process was put aside: because it waited, because others had their turn.
struct stats_switches {
    uint64_t voluntary, involuntary;
};

// Messages between the coordinator and its renderers, payloads included.
struct stats_ipc {
    uint64_t messages, sent_bytes, received_bytes;
    uint64_t busy_ns; // that the coordinator's loop spent on sending and receiving them
};

struct stats {
    uint64_t start_ns, end_ns;                 // monotonic
    uint64_t first_task_ns;                    // when the first segment was given to a renderer; 0: never
    uint64_t missing_segments, plain_segments; // left out, and there without their filters, by --on-poison
    uint64_t frames, segments, retries, decode_errors;
    uint64_t segments_found;  // of the segments, from the cache
    uint64_t frames_left_out; // by the decoder, for that reason
    // What renderers that were lost had done in vain: frames that had come back, and how long they had worked on these and on what was in the making.
    uint64_t lost_frames, lost_ns;
    uint64_t output_bytes;
    int workers, threads;
    uint64_t remote_ns; // that renderers on other hosts were there, all together
    uint64_t decode_cpu_ns, filter_cpu_ns, encode_cpu_ns;
    uint64_t loop_max_ns;
    uint64_t coordinator_peak_bytes, coordinator_cpu_ns;
    uint64_t renderers_cpu_ns; // whole processes of this host, as the system counts them
    uint64_t remote_cpu_ns;    // of renderers on other hosts, in their tasks
    struct stats_switches coordinator_switches, renderers_switches;
    struct stats_ipc ipc;
    const char *input, *output, *codec;
    double video_s;            // length of the video
    const char *serial_reason; // NULL when parallel
    struct stats_renderer *renderers;
    size_t renderer_count;
};

// CPU time of useful work over workers x wall, 0..1.
double stats_efficiency(const struct stats *stats);
// Writes the JSON object (keys wall_s, first_task_s, frames, segments, missing_segments, plain_segments, workers, threads, retries, lost_frames,
// lost_s, cpu_s{decode,filter,encode,renderers,remote,coordinator,total}, renderers[], efficiency, loop_max_ms,
// peak_memory_bytes{coordinator,renderers[]}, context_switches{coordinator,renderers}, ipc, ...). Returns 0 or -errno.
int stats_write(const struct stats *stats, const char *path);
// What the system counted for this process: peak resident memory, CPU time, context switches.
void stats_self(struct stats *stats);
// For its children that have ended: CPU time and context switches. Nearly all of them are renderers; converters of other streams count along.
void stats_children(struct stats *stats);

#endif
