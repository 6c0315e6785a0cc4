// What the files of the farm share: its state and the few verbs that they call across. farm.c pumps, starts and ends; farm_run.c has the loop;
// farm_plan.c turns the probe into stages; farm_flow.c reads ahead and writes in order; farm_deal.c gives renderers tasks and credit, farm_ahead.c
// those far away the next one before its time; farm_events.c is what renderers say, farm_lost.c their ends, farm_second.c help for slow ones,
// farm_remote.c those on other hosts, farm_mishap.c what they cannot do, farm_freight.c whether frames are worth their way there, farm_lent.c those
// that farms share, farm_cache.c what the disk keeps. Nobody else includes this. Loop thread only.
#ifndef RENDERFARM_FARM_STATE_H
#define RENDERFARM_FARM_STATE_H

#include "cache.h"
#include "crew.h"
#include "explain.h"
#include "farm.h"
#include "finished.h"
#include "freight.h"
#include "intake.h"
#include "outlet.h"
#include "plan.h"
#include "report.h"
#include "room.h"
#include "stage.h"
#include "trace.h"
#include "watch.h"

#include "common/protocol.h"

#include <uv.h>

enum { COORDINATOR_BYTES = 100 << 20 }; // that this process may take, for --memory

enum farm_state {
    FARM_OPENING,    // input and output are being opened, renderers start
    FARM_PROBING,    // a renderer is looking at the first frames
    FARM_EXPLAINING, // the input is read for its cuts, and nothing is rendered
    FARM_STARTING,   // the output's header is being written
    FARM_RUNNING,
    FARM_FINISHING, // all is rendered; the trailer is being written
    FARM_ENDING,    // done or failed: renderers leave, lanes run empty
};

struct farm {
    const struct options *options;
    struct pass *pass;
    uv_loop_t *loop;
    enum farm_state state;
    int exit_status;
    const char *why_one_encoder; // clause; NULL: segments may have encoders of their own
    bool one_graph;              // because the graph starts anew on the way, in all its filters at once
    bool one_segment;            // by the user's wish or because stages did not work out

    int local_workers; // renderers of a parallel stage on this host

    // Events come from these.
    struct crew crew;
    struct depot_tenant tenant; // where the crew is lent
    enum depot_work *works;     // of the tenant
    struct watch watch;
    uv_timer_t tick_timer, leave_timer;
    uv_prepare_t turn_end;
    unsigned handles; // of these that are not closed yet
    void (*on_closed)(void *data);
    void *on_closed_data;
    struct intake intake;
    struct outlet outlet;
    struct finished finished;

    // The probe.
    uint32_t probe_attempt;
    Wire__Message *probed; // what the probe said, the Message's owner

    // The job.
    Wire__Job job;
    char *sheet_filters; // the chain that makes --contact-sheet; NULL: the user's as it is
    struct plan plan;
    struct stage *stages; // one for each of the plan's; none before the plan is made
    size_t stage_count;
    size_t sent_ahead;                 // tasks that renderers were sent beside the one at hand, and that were not called back
    struct arena *arena;               // frames between stages; NULL with one stage
    uint64_t arena_offset, arena_size; // its part of the memory that renderers share
    uint64_t own_slots;                // in front of the last stage, that this host's renderers need
    double sending_ns;                 // CPU time that a frame costs which goes to another host
    struct pace here;                  // CPU time that the last stage's frames cost which do not
    bool freight_told;
    bool input_ended;
    uint64_t frames_read;
    struct cache *cache; // NULL: nothing is kept

    // Losses.
    unsigned most_at_once; // renderers of a parallel stage that may work; the memory allows no more
    uint64_t peak_bytes;   // the most that a renderer has taken
    uint64_t memory_kills; // of the kernel so far

    // What is told.
    struct report report;
    struct trace *trace; // NULL: none
    struct explain_cuts cuts;
};

// A pass in steps: with everything zeroed but the loop; then what can fail (then farm_start_ending is due); what the clock asks for, five times a
// second; and after the end.
void farm_init(struct farm *f, const struct options *options, struct pass *pass);
int farm_start(struct farm *f);
void farm_tick(struct farm *f);
void farm_clear(struct farm *f);
// Looks at the state and does what is due. May be called at any time, any number of times.
void farm_pump(struct farm *f);
// Ends the job; status 0: all went well. Does nothing when it is ending already.
void farm_start_ending(struct farm *f, int status);
// The same with a line on stderr.
void farm_fail(struct farm *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
// What is done so far is of no use: all of it once more.
void farm_start_over(struct farm *f, enum again again);
// ... in another way, with a line on stderr. why: a clause.
void farm_change_way(struct farm *f, enum again way, const char *why);
// The exit status for an error: is it a mistake in the command line rather than in a file?
int farm_status_of(int err);

struct stage *farm_first_stage(const struct farm *f);
struct stage *farm_last_stage(const struct farm *f);
double farm_seconds(const struct farm *f, int64_t pts); // pts in the input's time base; 0 for none
// The time that a segment covers, seconds; zeros for one that is not known.
void farm_segment_span(const struct farm *f, const struct stage *stage, uint32_t number, double *from_s, double *to_s);
// The same for people.
void farm_segment_times(const struct farm *f, const struct stage *stage, uint32_t number, char *text, size_t size);

// farm_run.c, and the simulation in its place
void farm_hurry(struct farm *f); // renderers that were told to leave get a moment
void farm_close(struct farm *f); // nothing holds the loop any more

// farm_plan.c
int farm_make_plan(struct farm *f); // from the probe; a negative code after a line on stderr
void farm_say_plan(struct farm *f);
size_t farm_frame_bytes(const struct farm *f); // of the largest frame that any stage hands on

// farm_flow.c
void farm_on_intake(void *farm);
void farm_on_outlet(void *farm);
void farm_read_ahead(struct farm *f);
void farm_write_next(struct farm *f);

// farm_deal.c
void farm_send_task(struct farm *f, struct renderer *renderer, const struct shelf_segment *segment, uint32_t attempt); // segment NULL: a probe
void farm_deal(struct farm *f);
void farm_deal_segment(struct farm *f, struct renderer *renderer, uint32_t number);        // as its next task, or ahead
void farm_send_input(struct farm *f, struct renderer *renderer, struct roster_task *task); // of its two, as far as there is credit
void farm_trace_dealt(struct farm *f, const struct renderer *renderer);                    // it begins its task
void farm_skip_poison(struct farm *f); // segments to be left out, once all that belongs to them is here
// The segment whose turn it is waits for a renderer, and none will come to it by itself: all are at others, and wait, too. That does not happen
// before one was lost that nobody stands in for: on another host, or for want of memory.
bool farm_head_is_stuck(const struct farm *f);
void farm_pay_credit(struct farm *f);

// farm_ahead.c
void farm_deal_ahead(struct farm *f);
uint32_t farm_call_back(struct farm *f);                          // for one that is idle: a segment, which waits then, or SCHEDULER_NONE
void farm_end_task(struct farm *f, struct renderer *renderer);    // it has said its last word on the one at hand
void farm_lose_ahead(struct farm *f, const struct renderer *was); // one that is gone

// farm_events.c
extern const struct hub_events farm_hub_events;

// farm_second.c
void farm_deal_seconds(struct farm *f); // to renderers that have nothing else to do, a few times a second
struct renderer *farm_second_of(struct farm *f, const struct stage *stage, uint32_t segment); // that renders it beside the first; NULL: none
bool farm_has_work(const struct renderer *renderer);          // that is its own: it is no second one and was not told to stop
void farm_take_over(struct farm *f, struct renderer *second); // it is the one that counts; the first, if there still is one, stops
void farm_end_seconds(struct farm *f, const struct stage *stage, uint32_t segment); // the first is done
bool farm_has_spare_room(struct farm *f, struct renderer *second); // for more that a second one sends; may make it the one that counts
void farm_lose_second(struct farm *f, const struct renderer *was); // one that has no work of its own is gone

// farm_cache.c
void farm_open_cache(struct farm *f);
void farm_start_cache(struct farm *f); // once the plan is made
bool farm_cache_ready(const struct farm *f);
void farm_leave_out(struct farm *f); // once it is ready: what need not be decoded
// What was left out turns out to be wanted; why is a clause.
#define FARM_FOUND_NO_MORE "a segment that was in the cache is not there any more"
void farm_decode_all(struct farm *f, const char *why);
void farm_ask_cache(struct farm *f);  // about segments that have to be rendered, for all that is known here
void farm_play_cache(struct farm *f); // what is due
void farm_keep(struct farm *f, const struct stage *stage, uint32_t number, const struct chunk *chunk);
void farm_keep_done(struct farm *f, const struct stage *stage, const Wire__Done *done);
void farm_lose_kept(struct farm *f, const struct stage *stage, uint32_t number);
void farm_tell_kept(const struct farm *f); // after a job that came to no end

// farm_remote.c
void farm_plan_remote(struct farm *f);               // the plan is made
bool farm_remote_takes_frames(const struct farm *f); // of a plan with stages they can do the last one
void farm_tick_remote(struct farm *f);
void farm_on_remote_hello(struct farm *f, uint32_t peer, const Wire__Hello *hello);
void farm_on_remote_refused(struct farm *f, uint32_t peer, const char *why); // by the hub
void farm_on_remote_bye(struct farm *f, struct renderer *renderer);
void farm_lose_remote(struct farm *f, struct renderer *renderer, const char *how, bool fault); // how: "lost its connection"
void farm_let_go_remote(struct farm *f, struct renderer *renderer);                            // it is gone
void farm_tell_remote(struct farm *f);                                                         // after a job that went well

// farm_mishap.c
bool farm_may_be_hosts_fault(const struct renderer *renderer, int code);                                         // that it failed
void farm_on_mishap(struct farm *f, struct renderer *renderer, const Wire__Failed *failed);                      // and it is taken to be
bool farm_failed_there(const struct farm *f, const struct renderer *renderer, uint32_t stage, uint32_t segment); // on its host
struct mishap_host farm_host_of(const struct farm *f, uint32_t peer, const char *name);
struct renderer *farm_prober(struct farm *f); // NULL: nobody is free
void farm_tick_mishaps(struct farm *f, uint64_t now_ns);

// farm_freight.c
void farm_plan_freight(struct farm *f, size_t frame_bytes); // memory for frames is dealt
uint64_t farm_freight_room(const struct farm *f);           // runs that may go to other hosts now, for all that it costs this one
bool farm_link_takes(const struct farm *f, const struct renderer *renderer);
void farm_freight_done(struct farm *f, const struct renderer *renderer, const Wire__Done *done); // a run of the last stage

// farm_lent.c
void farm_borrow(struct farm *f);     // renderers from the pass's depot
void farm_staff_lent(struct farm *f); // the plan is made
void farm_give_back(struct farm *f);

// farm_lost.c
void farm_count_lost(struct farm *f, uint32_t stage, uint64_t received); // of an attempt; it comes again
void farm_on_renderer_exit(void *farm, const struct spawner_exit *fact);
// What a renderer that is gone was working on goes to another, or has to be given up. how: a clause; words: the last that it said.
void farm_lose_work(struct farm *f, const struct renderer *was, bool fault, const char *how, const char *words);
// No renderer will bring the segment to its end: poison. cause: a clause ("the filter says ...").
void farm_give_up_segment(struct farm *f, struct stage *stage, uint32_t number, const char *cause);
void farm_start_due(struct farm *f); // renderers whose back-off is over
// Memory.
bool farm_may_work(const struct farm *f, const struct renderer *renderer); // it is not one too many
void farm_limit_by_memory(struct farm *f, uint64_t peak_bytes);            // a renderer took so much

#endif
