// One stage of a plan at work: what it is to do (its job), what waits for it (shelf), who does what (scheduler), what came out and waits for its turn
// (assembler). A stage behind another is fed with the frames that come out of that, in order, and deals them into runs. A run's frames are held here
// until it is done, so that it can be given out again; only a stage in order, which cannot be repeated, lets its renderer release them one by one.
// Loop thread only.
#ifndef RENDERFARM_STAGE_H
#define RENDERFARM_STAGE_H

#include "assembler.h"
#include "plan.h"
#include "scheduler.h"
#include "shelf.h"

#include "common/arena.h"

// Ids of jobs: that before there are stages, and behind it two for each stage, its own and that without its filters.
enum { STAGE_JOB_PROBE = 1, STAGE_JOB_FIRST };

enum { STAGE_CORE = 0, STAGE_BEFORE = 1, STAGE_AFTER = 2 }; // a frame's part in a run, in its packet's flags; see Task in protocol.proto

struct stage {
    const struct plan_stage *plan;
    Wire__Job job;      // fields are borrowed, but for those that take_link makes of the first frame
    bool job_known;     // a stage behind another learns the rest of its job from its first frame
    char *copy_filters; // see stage_copy_job
    struct scheduler *scheduler;
    struct assembler *assembler;
    struct shelf shelf;
    bool input_ended;
    bool holds_back; // segments wait for stage_let_go or stage_settle before they are dealt

    struct arena *arena; // NULL where no frames come or go
    Wire__Arena slots;   // that its frames go to
    uint32_t reserve;    // of them, for those who take the frames

    uint64_t given; // packets or frames that its segments gave, as their renderers counted them

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

    // Frames that do not come, because what would be made of them is known.
    struct stage_gap {
        uint32_t segment; // of the stage before, that they would come in front of
        uint64_t from, until;
    } * gaps;
    size_t gap_count;
    uint64_t left_out; // of frames
    uint32_t closed;   // runs before it have all that they will get, for that reason
    bool notes_times;
};

void stage_init(struct stage *stage, uint32_t number, const struct plan_stage *plan, const Wire__Job *job);
// The memory that its frames come from and go to; before the first frame.
void stage_set_arena(struct stage *stage, struct arena *arena);
void stage_clear(struct stage *stage);

// Takes a chunk of frames from the stage before. Returns 0, or -EPROTO when a frame makes no sense, or -ERANGE when times do not rise where runs
// have neighbours, or ERR_AGAIN_DECODING_ALL as stage_reach.
int stage_feed(struct stage *stage, struct chunk **chunk);
// Frames [from, until) will not come. A gap is told before the frames behind it are fed.
void stage_on_gap(struct stage *stage, uint32_t segment, uint64_t from, uint64_t until);
// What comes next is of that segment of the stage before; UINT32_MAX: nothing does. Runs that lack frames wait all the same, to be settled. Returns
// 0, or ERR_AGAIN_DECODING_ALL when not as many frames have come as should have before a gap, or one of these runs is to be rendered.
int stage_reach(struct stage *stage, uint32_t segment);
void stage_feed_end(struct stage *stage);
// A chunk of frames that one of its renderers gave: they are the coordinator's from now on.
void stage_accept(struct stage *stage, const struct chunk *chunk);
// The job without its filters: frames go to the encoder as they are, but for size and format, which are the encoder's. Only of a stage that encodes.
// Lives as long as the stage; each call fills the same one anew.
Wire__Job stage_copy_job(struct stage *stage, const Wire__CodecParameters *encoded);
// More of a segment is here; ready: enough to begin with.
void stage_on_frames(struct stage *stage, struct shelf_segment *segment, uint64_t frames, bool ready);
// A segment that was held back is to be rendered.
void stage_let_go(struct stage *stage, uint32_t number);
// A segment that waits needs no renderer, because what comes of it is known otherwise. What it would have been made of is let go, now and as it
// comes.
void stage_settle(struct stage *stage, uint32_t number);
// Nothing will come of a segment that waits: it is left out.
void stage_skip(struct stage *stage, uint32_t number);
// A segment is done: what it was made of is not needed any more.
void stage_on_done(struct stage *stage, uint32_t number);
// A segment's renderer is lost: what it was making is forgotten, so that another one can begin anew.
void stage_on_lost(struct stage *stage, uint32_t number, uint32_t renderer);
// Whether a lost segment can be rendered again: all that goes into it is still here.
bool stage_can_repeat(const struct stage *stage, uint32_t number);
bool stage_finished(const struct stage *stage); // all of its output is taken

// Whether there is room for what the segment will give. For the one whose turn it is there always is: its frames go on as they come. Others keep
// theirs until their turn, so they are only begun where that leaves enough for it, and for the run behind that is being filled.
bool stage_has_room(const struct stage *stage, uint32_t number);

#endif
