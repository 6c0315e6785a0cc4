// A world in one process and one thread, for the farm to work in: its clock, its processes, its network and its disk are made up here, and a seed
// decides what happens when and what goes wrong. The same seed gives the same events in the same order. What is real: everything of the coordinator
// that decides (passes, farm, plan, stages, scheduler, roster, watch, assembler, shelf, cache, hub, protocol) and the arena; what is made up stands
// where those meet the system: clock, lane, zsock, spawner, private_folder, source, sink, writer and cache_folder; and for speed (system.c, heap.c) the
// hash, the memory between stages and malloc.
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "coordinator/farm_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PTS_STEP = 512, MOST_FILTERS = 6, MOST_FRAMES = 2000, MOST_PACKET_BYTES = 200000, PLAIN_FRAMES = 6 };

// Chances in a hundred thousand, each time that it could happen. All 0: nothing goes wrong.
struct faults {
    unsigned crash, hang, start_fails, slow, memory_kill, failed; // renderers
    unsigned lost, twice, late, garbage;                          // messages
    unsigned store, rot;                                          // cache: writing fails, what is read is damaged
    unsigned read_error, write_error, slow_disk;                  // input and output
    unsigned kill, stop, interrupt;                               // of the coordinator
};

// What the job is: the same through all of its lives.
struct shape {
    unsigned frames, gop[MOST_FRAMES], gop_count;
    unsigned packet_bytes; // of the input, at most; the output's are a quarter
    bool cuttable;
    bool files; // the output is one for each frame
    struct filter {
        enum filter_kind { FILTER_FRAME, FILTER_STATE, FILTER_WINDOW } kind;
        const char *name;
        unsigned before, after;
        unsigned id;
    } filters[MOST_FILTERS];
    unsigned filter_count;
    char chain[200];
    bool poisonous; // one frame ends every renderer that filters it
    unsigned poison;
    uint64_t expected[MOST_FRAMES]; // what each frame comes to
};

struct world {
    uint64_t seed, fate; // fate: where the random numbers of events are
    uint64_t now_ns, steps, order;
    bool verbose;
    struct shape shape;
    struct faults faults;
    struct options options;
    struct farm *farm; // while a pass runs
    bool closed;       // the pass is over
    bool dead;         // the coordinator was killed: nothing that it still does has an effect
    bool hurried;
    uint64_t memory_kills;
    char input[64]; // a file that is there

    // The output of this pass.
    unsigned next_frame, skipped;
    bool finished;

    struct counts {
        uint64_t jobs, lives, steps, crashes, hangs, messages, lost, twice, late, garbage, kills, found, stored, rotten, failed, staged, cancelled;
    } counts;
};

extern struct world world;

// world.c
uint64_t world_random(uint64_t below); // of events
bool world_chance(unsigned in_100000);
// Something that will happen; forget frees its data when the world ends before.
void world_after(uint64_t delay_ns, void (*happen)(void *data), void (*forget)(void *data), void *data);
bool world_step(void); // lets the next thing happen; false: there is none
void world_forget_all(void);
void world_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Something is wrong with the farm: says the seed and ends the program.
void world_violated(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

// media.c: what frames are worth.
void media_shape(struct shape *shape, uint64_t seed);
void media_plain_shape(struct shape *shape, unsigned segments); // of PLAIN_FRAMES frames each, no filters
uint64_t media_mix(uint64_t a, uint64_t b);
uint64_t media_decoded(unsigned frame);
unsigned media_packet_bytes(unsigned frame, bool encoded);

// files.c
void files_begin(void);
void files_give(unsigned frame, size_t bytes);
struct sink_part *files_take(void);
void files_check_finish(void);
void files_check_close(void);
void files_check_trouble(const char *why); // that frames before the one that failed are there

// renderers.c
void renderers_check_none_left(void);
void renderers_kill_random(void);

// disk.c: outlives the coordinator.
size_t disk_entries(void);
void disk_format(void);

#endif
