// A world in one process and one thread, for the farm to work in: its clock, its processes, its network and its disk are made up here, and a seed
// decides what happens when and what goes wrong. The same seed gives the same events in the same order. What is real: everything of the coordinator
// that decides (passes, farm, depot, plan, stages, scheduler, roster, watch, assembler, shelf, cache, hub, protocol) and the arena; what is made up
// stands where those meet the system: clock, lane, zsock, spawner, private_folder, source, sink, writer and cache_folder; and for speed (system.c,
// heap.c) the hash, the memory between stages and malloc.
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "coordinator/farm_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PTS_STEP = 512, MOST_VIDEOS = 4, MOST_FILTERS = 6, MOST_FRAMES = 2000, MOST_PACKET_BYTES = 200000, PLAIN_FRAMES = 6 };

enum { KILLED = 128 + 9 }; // the status of a coordinator that was

#define TICK_NS UINT64_C(200000000)

// Chances in a hundred thousand, each time that it could happen. All 0: nothing goes wrong.
struct faults {
    unsigned crash, hang, start_fails, slow, memory_kill, failed; // renderers
    unsigned lost, twice, late, garbage;                          // messages
    unsigned store, rot;                                          // cache: writing fails, what is read is damaged
    unsigned read_error, write_error, slow_disk;                  // input and output
    unsigned kill, stop, interrupt;                               // of the coordinator
};

// What a video is: the same through all lives of the coordinator.
struct shape {
    unsigned number; // of the video
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

// A video that is to be rendered. There is one, or a batch of several whose farms share their renderers.
struct video {
    struct shape shape;
    struct options options;
    char input[64], output[32]; // the input is a file that is there
    int status;                 // of the last pass
    bool may_leave;             // segments on the disk, because that failed when it was done

    // While a pass runs.
    struct farm *farm;
    bool closed; // it is over
    uint64_t hurry_ns;

    // The output of this pass.
    unsigned next_frame, skipped;
    bool finished;
};

struct world {
    uint64_t seed, fate; // fate: where the random numbers of events are
    uint64_t now_ns, steps, order;
    uint64_t ticks; // of the coordinator's clock, which stands still while it is stopped
    bool verbose;
    struct faults faults;
    struct video videos[MOST_VIDEOS];
    unsigned video_count;
    struct room room;
    uint64_t far; // a bit for each slot whose renderers get their tasks ahead
    bool dead;    // the coordinator was killed: nothing that it still does has an effect
    uint64_t memory_kills;

    struct counts {
        uint64_t jobs, lives, steps, crashes, hangs, messages, lost, twice, late, garbage, kills, found, stored, rotten, failed, staged, cancelled,
            ahead, batches, shared, left_out;
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
struct video *world_video_of(const struct farm *farm);
struct video *world_video_named(const char *path); // its input or its output

// media.c: what frames are worth.
void media_shape(struct shape *shape, unsigned number, uint64_t seed);
void media_like(struct shape *shape, const struct shape *like); // with the same filters
void media_simplify(struct shape *shape, uint64_t seed);        // one stage can do it
void media_cut_short(struct shape *shape);                      // PLAIN_FRAMES from keyframe to keyframe
void media_plain_shape(struct shape *shape, unsigned segments); // of PLAIN_FRAMES frames each, no filters
uint64_t media_mix(uint64_t a, uint64_t b);
uint64_t media_decoded(const struct shape *shape, unsigned frame);
unsigned media_packet_bytes(const struct shape *shape, unsigned frame, bool encoded);

// pass.c: what the farm promises at every moment, and what is the same in a pass with renderers of its own and one with shared ones.
void pass_begin(struct video *video, const struct options *options, struct pass *pass);
void pass_check(const struct video *video);
void pass_say(const struct video *video); // for whoever looks into a violation
int pass_end(struct video *video);
void pass_die(void);       // the coordinator is killed
uint64_t pass_pause(void); // so long it is stopped

// batch.c
void batch_run(void); // a life of the coordinator, for all videos that are not done

// files.c
void files_begin(const struct video *video);
void files_give(const struct video *video, unsigned frame, size_t bytes);
struct sink_part *files_take(const struct video *video);
void files_check_finish(const struct video *video);
void files_check_close(const struct video *video);
void files_check_trouble(const struct video *video, const char *why); // that frames before the one that failed are there

// renderers.c
void renderers_check_none_left(void);
void renderers_check_starts(uint64_t most_ticks); // nobody is waited for that has not said hello for so long
void renderers_kill_random(void);

// disk.c: outlives the coordinator.
size_t disk_entries(void);
void disk_format(void);

#endif
