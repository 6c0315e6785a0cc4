// One stage of a plan at work: what it is to do (its job), what waits for it (shelf), who does what (scheduler), what came out and waits for its turn
// (assembler). A stage behind another is fed with the frames that come out of that, in order, and deals them into runs. Loop thread only.
#ifndef RENDERFARM_STAGE_H
#define RENDERFARM_STAGE_H

#include "assembler.h"
#include "plan.h"
#include "scheduler.h"
#include "shelf.h"

#include "common/arena.h"

enum { STAGE_CORE = 0, STAGE_BEFORE = 1, STAGE_AFTER = 2 }; // a frame's part in a run, in its packet's flags; see Task in protocol.proto

struct stage {
    const struct plan_stage *plan;
    Wire__Job job;  // fields are borrowed, but for those that stage_take_link makes
    bool job_known; // a stage behind another learns the rest of its job from its first frame
    struct scheduler *scheduler;
    struct assembler *assembler;
    struct shelf shelf;
    bool input_ended;

    // Slots that its frames go to.
    Wire__Arena slots;

    // Frames that came in.
    uint64_t frames;
    uint32_t run;        // that the last one belongs to
    uint64_t in_run;     // how many of it have come
    unsigned run_length; // 0 before the first
    int64_t last_pts;
    struct chunk *open; // frames for a run, on their way to the shelf
    uint32_t open_run;
    struct AVPacket **history; // the last plan->before of them, each a holder of its slot
    size_t history_count;
};

void stage_init(struct stage *stage, const struct plan_stage *plan, const Wire__Job *job);
void stage_clear(struct stage *stage);

// Takes a chunk of frames from the stage before. Returns 0, or -EPROTO when a frame makes no sense, or -ERANGE when times do not rise where runs
// have neighbours.
int stage_feed(struct stage *stage, struct arena *arena, struct chunk **chunk);
void stage_feed_end(struct stage *stage);
bool stage_finished(const struct stage *stage); // all of its output is taken

// Whether there is room for what one more run gives, when so many frames of running ones are still to come.
bool stage_has_room(const struct stage *stage, const struct arena *arena, uint64_t promised);

#endif
