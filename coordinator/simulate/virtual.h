// A farm in virtual time: the coordinator's own code (farm, stages, scheduler, shelf, assembler, crew) over processors, a network, a disk and
// renderers that only cost time, as much as a recording says. Discrete events; nothing is left to chance, so the same recording and machine give the
// same times. What stands in for the system: clock and lane (clockwork.c), hub (post.c), spawner and private_folder (no_processes.c), source,
// sink, writer and plan_make (media.c), farm_run (pass.c). One thread, one pass at a time.
#ifndef RENDERFARM_SIMULATE_VIRTUAL_H
#define RENDERFARM_SIMULATE_VIRTUAL_H

#include "recording.h"

#include "coordinator/farm_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PTS_STEP = 1000, // of one frame, in all time bases here
    MOST_PACKET_BYTES = 1 << 30,
    MOST_SEGMENTS = 50000, // of a stage: half a day of video in segments of a second; each costs us time for every number of workers
};

// What is to be predicted.
struct machine {
    const struct recording *recording;
    unsigned workers;
    unsigned cores;     // of all hosts together
    unsigned hosts;     // the coordinator is on the first; renderers are dealt to all in turn
    double bytes_per_s; // of each host's link, in each direction; 0: no limit
    double latency_ns;  // between hosts; on one it is LOCAL_LATENCY_NS
    unsigned repeat;    // the recorded video so many times in a row
    double segment_s;   // as --segment, 0: as recorded, or what the plan makes of the length when it is repeated
};

// Why cores were idle.
enum idle_cause {
    IDLE_START,    // renderers start, the first frames are looked at
    IDLE_READER,   // the input is being read
    IDLE_SHELF,    // no more input may wait in memory
    IDLE_AHEAD,    // no more segments may be on their way
    IDLE_LOOP,     // what is due is on its way, through the coordinator's loop or the network
    IDLE_WRITER,   // the output is being written
    IDLE_ASSEMBLY, // finished work has no room until its turn
    IDLE_SLOTS,    // frames between stages have no room
    IDLE_SERIAL,   // a stage in order is at work
    IDLE_FEW,      // there are fewer segments than cores
    IDLE_TAIL,     // the last segments are being rendered
    IDLE_END,      // the output is being finished
    IDLE_CAUSES,
};

struct prediction {
    unsigned workers;
    int status;
    const char *too_much; // why it was given up: "it has ...", "it takes ..."; NULL: it was not
    uint64_t wall_ns, frames;
    uint32_t segments;                    // of the output
    double idle_ns[IDLE_CAUSES];          // core times time
    double reader_ns, writer_ns, loop_ns; // that these were busy
    double work_ns;                       // of the renderers
    const char *serial;                   // the stage in order that was busy longest; "decode", say; NULL
    uint64_t most_shelf_bytes, most_held_bytes;
};

// Runs one job. Returns its exit status: 0, or 1 when there was too much of it.
int virtual_run(const struct machine *machine, struct prediction *prediction);

// ---- Between the files ----

struct virtual_counts {
    unsigned starting, working, idle, waits_input, waits_credit, waits_slot;
};

struct virtual_farm {
    const struct machine *machine;
    struct prediction *prediction;
    uint64_t now_ns, order;
    uint64_t posts; // what has come to the loop so far
    struct farm *farm;
    bool closed;
    double lane_ns;               // what the lane's call that has just been made takes
    struct virtual_counts counts; // of renderer processes
    unsigned serial_stage;        // the first stage in order that is at work; UINT32_MAX: none
};

extern struct virtual_farm virtual;

enum { LOCAL_LATENCY_NS = 50000 };

// clockwork.c
void virtual_after(double delay_ns, void (*happen)(void *data), void *data);
bool virtual_step(void); // false: nothing will happen any more
// Work of so many ns on a core of that host; all that is at work there shares its cores evenly.
void virtual_work(unsigned host, double work_ns, void (*done)(void *data), void *data);
// The same for work that width threads (1 or more, on average) do side by side, where there are cores for them; work_ns is what all of them do.
void virtual_work_wide(unsigned host, double work_ns, double width, void (*done)(void *data), void *data);
// Something comes to the coordinator's loop, which takes one at a time.
void virtual_post(double work_ns, void (*handle)(void *data), void *data);
void virtual_start(unsigned hosts, unsigned cores);
void virtual_end(void);

// renderers.c
void renderers_end(void);

// media.c
uint64_t media_input_frames(void); // of the whole video
// Of the frames of that stage's input, [from, to): what they cost and what comes of them.
double media_cost(size_t stage, uint64_t from, uint64_t to);
double media_bytes(size_t stage, uint64_t from, uint64_t to);
uint64_t media_frames(size_t stage, uint64_t from, uint64_t to);

#endif
