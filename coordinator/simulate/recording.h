// What a run of renderfarm cost, read from the file that its --trace wrote: the plan, what each segment took in each stage, what the coordinator's
// lanes and its loop took. Costs are told for any range of frames of a video that is the recorded one, several times in a row. Read once, then
// constant.
#ifndef RENDERFARM_SIMULATE_RECORDING_H
#define RENDERFARM_SIMULATE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One segment of a stage; for the input, what was read of it.
struct recorded_piece {
    uint64_t frames, keyframes; // the input's: packets that promise a frame, and keyframes
    double cpu_ns, wall_ns;     // the input's: of reading
    double helpers_ns;          // of cpu_ns, the threads' beside the renderer's own
    double bytes;               // that came of it
    bool known;
};

struct recorded_pieces {
    struct recorded_piece *pieces;
    size_t count;
    uint64_t frames;        // of all
    uint64_t *frames_until; // before each piece
    double *cost_until, *bytes_until;
};

struct recorded_stage {
    char *filters, *why;
    bool decode, encode, parallel;
    unsigned before, after, run_frames;
    uint64_t frames;
    double width; // threads that a renderer had at work in it, on average: 1 or more
    struct recorded_pieces tasks;
};

struct recording {
    char *input, *filters;
    int workers, threads;
    double duration_s, frame_rate, keyframe_gap_s, wished_segment_s, segment_s;
    size_t frame_bytes;
    bool cuttable;
    char *reason;
    struct recorded_stage *stages;
    size_t stage_count;
    struct recorded_pieces reading; // by segment of the first stage

    // ns
    double open_input, open_output, header, trailer, leave;
    double start, spawn, probe; // of a renderer: until it says hello; of that, what the loop waits for; the look at the first frames
    double message;             // of the loop, for a message that comes in
    double write_byte;
    double wall;
};

enum recording_costs {
    COSTS_CPU, // what the renderers' processors did, with all their threads; a busy machine does not show in it
    COSTS_WALL // the time that tasks took, with all that held them up, on as many cores as there were
};

// Returns 0, or a negative errno and *why, one sentence (free()): -ENOENT and the like, -EINVAL for what is no trace of ours or not whole.
int recording_read(struct recording *recording, const char *path, enum recording_costs costs, char **why);
void recording_clear(struct recording *recording);

// Of the frames [from, to) that leave the pieces, counted through all repetitions.
double recorded_cost(const struct recorded_pieces *pieces, double from, double to); // ns
double recorded_bytes(const struct recorded_pieces *pieces, double from, double to);

#endif
