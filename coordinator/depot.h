// Renderers that several farms share: each is lent to one farm for a task and comes back when that has no more for it. Farms are served in the order
// in which they joined; a farm that only waits for its first frames to be looked at comes before all, because that is short and what follows waits
// for it. Starts and replaces the processes; what a loss means for the work is the farm's to decide. Loop thread only.
//
// There are as many processes as workers. A plan with several stages needs more: one that goes through the video in order mostly waits, and one that
// decodes may have to wait for room; both sit in the middle of their task then. So stages are lent for apart (depot_work), with as many workers each;
// a stage gets a renderer in any case while it has none, so that a plan that was begun always comes to its end; and processes are added where these
// rules allow more loans than there are. To bound them, and the frames in memory, such a plan is begun only when those before have what they can use.
#ifndef RENDERFARM_DEPOT_H
#define RENDERFARM_DEPOT_H

#include "crew.h"

#include <uv.h>

enum depot_work {
    DEPOT_PROBE,   // the first frames are to be looked at
    DEPOT_FINISH,  // the last stage, mostly the only one: it takes all of a core
    DEPOT_PREPARE, // a parallel stage before it
    DEPOT_ORDER,   // a serial stage before it
    DEPOT_WORKS,
};

// A farm, as the depot sees it. Lives from depot_join to depot_leave.
struct depot_tenant {
    struct crew *crew; // that borrows; slot N of its roster is slot N of the depot's: GONE, or lent
    const char *kind;  // a renderer that has locked itself into one kind of work is replaced before it does another
    // Of the plan, once there is one: what each stage is. Before, all that it can want is a probe, as of stage 0.
    const enum depot_work *works;
    size_t stage_count;
    const struct hub_events *events;
    spawner_on_exit on_exit;
    unsigned (*wish)(void *data, size_t stage); // how many renderers are of use for it now
    bool (*is_dealt)(void *data);               // renderers beyond those that it has are of no use for now
    void (*pump)(void *data);                   // there are new renderers, or fewer
    void *data;                                 // of these five
};

struct depot;

// Starts the renderers. stall_s: one that takes longer to start, or to leave when it is told to, is replaced; what is lent is the farm's to watch.
// on_fail: they do not start; a line was logged. One line is logged on failure.
int depot_open(struct depot **depot, uv_loop_t *loop, int workers, int threads, double stall_s, int verbosity, void (*on_fail)(void *data),
               void *data);
void depot_join(struct depot *depot, struct depot_tenant *tenant);  // its crew has to be initialised with depot_lend_to
void depot_leave(struct depot *depot, struct depot_tenant *tenant); // nothing is lent to it any more
// A crew for a tenant. There may be more renderers later, and slots for them in its roster.
void depot_lend_to(struct depot *depot, struct crew *crew);
// Takes back and lends what is due; at every turn of the loop, and a few times a second.
void depot_turn(struct depot *depot);
// No more than that many for each kind of work at once, from now on.
void depot_limit(struct depot *depot, unsigned most, const char *why);
unsigned depot_workers(const struct depot *depot); // that it was opened with
int depot_busy(const struct depot *depot);         // renderers that are lent

// Whether nobody has told that yet: what holds for many files need not be said for each of them.
bool depot_is_news(struct depot *depot, const char *text);

// A part of the memory that all renderers share, for raw frames; from where on. Given back when no renderer works with it any more; it takes the
// kernel a while, which the loop does not wait for.
uint64_t depot_take_memory(struct depot *depot, uint64_t size);
void depot_give_memory(struct depot *depot, uint64_t offset, uint64_t size);
uint64_t depot_memory(const struct depot *depot); // bytes of all parts that are taken

void depot_dismiss(struct depot *depot); // no tenant is left: all renderers are to leave
int depot_running(const struct depot *depot);
void depot_kill(struct depot *depot);
void depot_abandon(struct depot *depot); // before an end in haste, see crew_abandon
void depot_close(struct depot *depot);   // none is running; then the loop can end
void depot_free(struct depot **depot);   // after the loop

#endif
