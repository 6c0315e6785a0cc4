// What failed on other hosts, where and why: a file that a filter names is not there, or memory is short. For all that is known the host is to blame,
// so the work goes to another one; it has failed for good when it fails on several. Outlives the passes of a job. Pure. Not thread-safe.
#ifndef RENDERFARM_MISHAPS_H
#define RENDERFARM_MISHAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MISHAPS_MOST_HOSTS = 3,   // then the work is to blame
    MISHAPS_MOST_RETURNS = 3, // renderers that come later from a host and fail too; then it is welcome no more
    MISHAPS_REASON_BYTES = 400,
};
#define MISHAPS_PROBE UINT32_MAX // as the stage: the look at the first frames

// A renderer's host: two may have one name, or, behind a router, one address.
struct mishap_host {
    char name[72], address[64];
};

struct mishap {
    uint32_t stage, segment;
    int code;       // see err.h
    uint64_t at_ns; // the last time there
    struct mishap_host host;
    char reason[MISHAPS_REASON_BYTES];
};

struct mishap_record {
    struct mishap_host host;
    uint64_t since_ns;
    unsigned returns;
    char reason[MISHAPS_REASON_BYTES];
};

struct mishaps {
    struct mishap *entries; // one for each piece of work and host
    size_t count;
    struct mishap_record *hosts;
    size_t host_count;
};

// Remembers one. Returns on how many hosts this work has failed.
unsigned mishaps_add(struct mishaps *mishaps, const struct mishap *mishap);
// The same, of a renderer that had joined at joined_ns, for its host. True: it is the first one there.
bool mishaps_on_host(struct mishaps *mishaps, const struct mishap *mishap, uint64_t joined_ns);
// Why no more renderers of the host are wanted; NULL: they are.
const char *mishaps_unwelcome(const struct mishaps *mishaps, const struct mishap_host *host);
// Whether the work has failed there and is nothing for a renderer that joined at joined_ns: one that comes later may find that it was put right.
bool mishaps_at(const struct mishaps *mishaps, uint32_t stage, uint32_t segment, const struct mishap_host *host, uint64_t joined_ns);
bool mishaps_anywhere(const struct mishaps *mishaps, uint32_t stage, uint32_t segment);
void mishaps_end(struct mishaps *mishaps, uint32_t stage, uint32_t segment); // it is to be done in another way
void mishaps_forget_work(struct mishaps *mishaps);                           // numbers of segments mean something else from now on
void mishaps_clear(struct mishaps *mishaps);

#endif
