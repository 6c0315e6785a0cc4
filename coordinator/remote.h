// What a job has for renderers on other hosts and what outlives its passes: the key, who may join, the address, and the process that --launch
// started. Loop thread only.
#ifndef RENDERFARM_REMOTE_H
#define RENDERFARM_REMOTE_H

#include "door.h"
#include "launcher.h"
#include "mishaps.h"
#include "options.h"

struct remote {
    struct door_setup door;
    char cpu[224];               // of the renderers, see avx_cpu; "": the first one's is to be
    bool mixed_cpus;             // --mixed-cpus
    struct curve_key for_others; // the key that launched renderers get
    struct launcher *launcher;   // NULL: none
    uint64_t joined, left, lost, refused;
    uint64_t alone_since_ns; // since when nobody is here who could work; 0: somebody is
    bool waiting_told, failure_told;
    struct mishaps mishaps;   // what failed there
    uint64_t nobody_since_ns; // since when nobody is here for some of that; 0: somebody is
};

// Reads or makes keys. Returns 0, or the exit status after a line on stderr.
int remote_open(struct remote **remote, const struct options *options);
// Starts the command of --launch, once; the door is open by then. Returns 0 or a negative code after a line on stderr.
int remote_launch(struct remote *remote, const struct options *options, const char *renderer);
void remote_close(struct remote **remote); // what was launched is ended

#endif
