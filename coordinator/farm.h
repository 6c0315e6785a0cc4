// One run through a job: builds every part, turns events into calls, pumps, and closes in reverse order. No part knows the farm.
#ifndef RENDERFARM_FARM_H
#define RENDERFARM_FARM_H

#include "options.h"
#include "depot.h"
#include "poison.h"
#include "progress.h"
#include "remote.h"
#include "verify.h"

#include <uv.h>

#include <stdint.h>
#include <sys/stat.h>

// Whether the job is to be done once more from the start, and how.
enum again {
    AGAIN_NO,
    AGAIN_SAME,
    AGAIN_ONE_GRAPH, // with all filters in one graph behind the decoder
    AGAIN_ONE_SEGMENT,
};

// One run through the job, from start to end.
struct pass {
    const struct stat *input; // as it was when all began; NULL: no file, or not known
    enum again again;         // in: how to go about it; out: whether it was in vain
    uint64_t retries;         // passes before this one that were
    uint64_t start_ns;        // of the first of all passes, and of its first task; 0: this is it
    uint64_t first_task_ns;
    uint64_t lost_frames; // what these had done in vain, as in stats.h
    uint64_t lost_ns;
    int faults;            // renderers whose state was lost with them, by what they worked on
    struct poison poison;  // segments that no renderer survives
    struct verify *verify; // NULL without --verify
    struct remote *remote; // NULL without renderers on other hosts
    struct depot *depot;   // that lends the renderers; NULL: the pass has its own
    char *why;             // of a pass that failed: the line that was told
    char *why_way;         // why it goes about it in another way than it would, a clause; NULL: it does not, or the user's wish
    int signal;            // that was to end it, 0: none
    bool second;           // nothing is written: the frames are compared with those of the first pass
    bool decodes_all;      // what seems to be in the cache cannot be relied on
};

struct farm;

// Begins a pass on somebody's loop; options and pass live as long as the farm. on_closed: the pass is over, and farm_end is due.
struct farm *farm_begin(uv_loop_t *loop, const struct options *options, struct pass *pass, void (*on_closed)(void *data), void *data);
// The pass is to end with that status, without a word; with 0 all the same if nothing is left but to finish its output.
void farm_stop(struct farm *farm, int status);
// How far it is.
void farm_facts(const struct farm *farm, struct progress_facts *facts);
// All that it has to do is in the renderers' hands, or has to wait for what is there: others may begin.
bool farm_is_dealt(const struct farm *farm);
// Before an end in haste: its renderers are killed, the folder of their socket goes. Nothing else may be called afterwards.
void farm_abandon(struct farm *farm);
// Ends the pass from outside, as a signal does, unless nothing is left but to finish its output; once more: the process ends at once.
void farm_interrupt(struct farm *farm, int signal);
// Tells what there is to tell and frees the farm. Returns the exit status.
int farm_end(struct farm **farm);

// The same with a loop of its own, and signals that end it. Blocks until the pass is over. Returns the exit status: 0 done, 1 failed, 2 the command
// line asks for what does not exist, 128+n ended by signal n.
int farm_run(const struct options *options, struct pass *pass);

#endif
