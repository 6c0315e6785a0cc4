// The process that the first renderers are born of (renderer/nursery.h): it loads the libraries once for all of them. It lives while a job starts,
// and is not needed: whoever is not born of it is started by itself. Loop thread only.
#ifndef RENDERFARM_COORDINATOR_NURSERY_H
#define RENDERFARM_COORDINATOR_NURSERY_H

#include "nursery_process.h"

#include "common/birth.h"

#include <uv.h>

struct nursery;

// Takes the process; NULL: it cannot be used, and stays the caller's. on_birth: a renderer lives. A renderer that never says so has not come to life;
// its standard error is closed then.
struct nursery *nursery_new(uv_loop_t *loop, struct nursery_process *process, void (*on_birth)(void *data, const struct birth *birth), void *data);
// Asks for a renderer; input and speech stay the caller's. Returns 0 or a negative code: then it has to be started in another way.
int nursery_ask(struct nursery *nursery, const struct birth_wish *wish, int input, int speech);
// Hears what has been said up to now.
void nursery_hear(struct nursery *nursery);
// No more will be asked for: it ends when all that were are born.
void nursery_settle(struct nursery *nursery);
// It hangs, perhaps, or one that was to tell its birth does: who was asked for and has not told it does not come. There is somebody of that kind.
void nursery_kill(struct nursery *nursery);
// Nobody has any use for it. Of one that has ended nothing is touched: its group's number may be another's by then.
void nursery_dismiss(struct nursery *nursery);
// SIGCHLD has come.
void nursery_reap(struct nursery *nursery);
// Accepts NULL, and leaves it. What it was asked for and has not told its birth does not come, and is gone when this returns.
void nursery_free(struct nursery **nursery);

#endif
