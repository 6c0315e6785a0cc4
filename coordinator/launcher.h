// The command of --launch: it starts renderers elsewhere, in whatever way (srun, ssh, mpirun, kubectl). It is run by a shell, in a process group of
// its own; the renderers' key goes to it through the environment (RENDERFARM_KEY) and on its standard input, for ssh. What it says goes to our
// stderr. That it has ended well proves nothing: what it started may be elsewhere, and renderers are known by their calling. Outlives passes, so it
// is no child of a loop. One thread.
#ifndef RENDERFARM_LAUNCHER_H
#define RENDERFARM_LAUNCHER_H

#include "common/curve.h"

#include <stdbool.h>
#include <stdint.h>

struct launcher;

struct launcher_setup {
    const char *template; // {renderer} {endpoint} {port} {workers} {key} are replaced
    const char *renderer; // the renderer program's path here
    const char *endpoint; // where the coordinator listens; for an address that stands for all, the host's name is put in its place
    int workers;
    const struct curve_key *key;
};

// NULL: it names nothing that a launcher knows (an unknown {word} is left to the shell), else what is wrong with it. Static storage.
const char *launcher_problem(const char *template);
// The command that will be run; free().
char *launcher_command(const struct launcher_setup *setup, const char *host);

// One line is logged on failure.
int launcher_start(struct launcher **launcher, const struct launcher_setup *setup);
// Whether it has come to its end; *how is then a clause ("exited with status 1"), in static storage.
bool launcher_ended(struct launcher *launcher, const char **how);
// It failed, and nothing that it started here is left, so that nothing will come of it any more.
bool launcher_failed(struct launcher *launcher, const char **how);
// SIGTERM to its group and, after two seconds, SIGKILL. NULL is fine.
void launcher_end(struct launcher **launcher);

#endif
