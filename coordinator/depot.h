// Renderers that several farms share: each is lent to one farm for a task and comes back when that has no more for it. Farms are served in the order
// in which they joined; a farm that only waits for its first frames to be looked at comes before all, because that is short and what follows waits
// for it. Starts and replaces the processes; what a loss means for the work is the farm's to decide. Loop thread only.
#ifndef RENDERFARM_DEPOT_H
#define RENDERFARM_DEPOT_H

#include "crew.h"

#include <uv.h>

enum depot_wish {
    DEPOT_NOTHING, // no renderer is of use now
    DEPOT_ONE,     // one, and soon
    DEPOT_ANY,     // as many as there are
};

// A farm, as the depot sees it. Lives from depot_join to depot_leave.
struct depot_tenant {
    struct crew *crew; // that borrows; slot N of its roster is slot N of the depot's: GONE, or lent
    const char *kind;  // a renderer that has locked itself into one kind of work is replaced before it does another
    const struct hub_events *events;
    spawner_on_exit on_exit;
    enum depot_wish (*wish)(void *data);
    void (*pump)(void *data); // there are new renderers, or fewer
    void *data;               // of these four
};

struct depot;

// Starts the renderers. on_fail: they do not start; a line was logged. One line is logged on failure.
int depot_open(struct depot **depot, uv_loop_t *loop, int workers, int threads, int verbosity, void (*on_fail)(void *data), void *data);
void depot_join(struct depot *depot, struct depot_tenant *tenant);  // its crew has to be initialised with depot_lend_to
void depot_leave(struct depot *depot, struct depot_tenant *tenant); // nothing is lent to it any more
// A crew for a tenant.
void depot_lend_to(struct depot *depot, struct crew *crew);
// Takes back and lends what is due; at every turn of the loop.
void depot_turn(struct depot *depot);
// No more than that many at once, from now on.
void depot_limit(struct depot *depot, unsigned most, const char *why);
int depot_busy(const struct depot *depot); // renderers that are lent

void depot_dismiss(struct depot *depot); // no tenant is left: all renderers are to leave
int depot_running(const struct depot *depot);
void depot_kill(struct depot *depot);
void depot_abandon(struct depot *depot); // before an end in haste, see crew_abandon
void depot_close(struct depot *depot);   // none is running; then the loop can end
void depot_free(struct depot **depot);   // after the loop

#endif
