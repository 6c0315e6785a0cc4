// What the files of the depot share: depot.c has the processes and what they say, depot_lend.c decides who gets one. Nobody else includes this. Loop
// thread only.
#ifndef RENDERFARM_DEPOT_STATE_H
#define RENDERFARM_DEPOT_STATE_H

#include "depot.h"
#include "lane.h"
#include "parts.h"

#include <stdbool.h>

enum { DEPOT_MOST_TOLD = 16 }; // what is remembered to have been; beyond that all is news

struct place {
    struct depot_tenant *holder; // NULL: it is here
    enum depot_work work;        // that it is lent for
    uint64_t last;               // the tenant that had it last, by its number
    size_t stage;                // of that tenant's plan
    uint32_t job;                // of that tenant's, that the renderer knows
    char *kind;                  // of work that it has done; NULL: none yet
    bool renewed;                // told to leave; another one takes its place when one is needed
};

struct tenant {
    struct depot_tenant *tenant;
    uint64_t number;
    bool begun; // its stages may have renderers
};

struct depot {
    struct crew crew;
    struct place *places; // one per slot
    struct tenant *tenants;
    size_t tenant_count;
    uint64_t next_number;
    unsigned workers, most; // that there are, and that may be lent for one kind of work
    struct parts memory;    // of the crew's frames_fd
    struct lane sweeper;    // gives it back
    char *told[DEPOT_MOST_TOLD];
    uint64_t stall_ns, looked_ns; // how long one may take to start or leave; when that was looked at last
    bool leaving;
    void (*on_fail)(void *data);
    void *data;
};

// depot.c
void depot_start_due(struct depot *d); // those that are always there
// Further ones, so that so many of all are on their way.
void depot_start_more(struct depot *d, size_t starting);
// It leaves, because it is of no use as it is.
void depot_renew(struct depot *d, struct renderer *renderer);

// depot_lend.c
void depot_lend(struct depot *d);
void depot_collect(struct depot *d); // what is lent and not used, from all of them

#endif
