// What the user is told: the progress line while it runs, the closing line and the statistics at the end. Gathers figures; decides nothing. Loop
// thread only.
#ifndef RENDERFARM_REPORT_H
#define RENDERFARM_REPORT_H

#include "options.h"
#include "progress.h"
#include "source.h"
#include "stats.h"

struct report {
    struct stats stats;
    uint64_t begun_ns;         // this pass; stats.start_ns is that of the first
    struct progress *progress; // NULL: somebody else shows it
    uint64_t frames_done;      // encoded packets that came back
    uint64_t frames_found;     // of those, from the cache
    double out_of_in;          // frames that come of one that is read, by the rates; 0: one
    uint64_t frames_left_out;  // that encoders got, and gave no packet for
    char *first_decode_error;
    double first_decode_error_s;
    uint64_t last_turn_ns, last_idle_ns;
};

void report_init(struct report *report, const struct options *options);
void report_grow(struct report *report, size_t renderers); // to that many renderers
// At the end of each turn of the loop: the time now, and the time that the loop has ever spent waiting. What lies between and was not waited is the
// turn, which is returned.
uint64_t report_turn(struct report *report, uint64_t now_ns, uint64_t idle_ns);
// A segment goes to a renderer; only the first one is of interest.
void report_first_task(struct report *report);
// written: it is a segment of the output, not a step on the way to one.
void report_done(struct report *report, uint32_t slot, const Wire__Done *done, bool written, uint64_t busy_ns, double first_error_s);
// A segment of the output that was there already.
void report_found(struct report *report, const Wire__Done *done, double first_error_s);
// The frame rates of input and output; NULL, 0/1: unknown.
void report_rates(struct report *report, const Wire__Rational *in, const Wire__Rational *out);
// What a renderer has sent is worth nothing: it comes again.
void report_lost(struct report *report, uint64_t frames);
// frames_read: all that will be read, 0 while that is not known.
void report_show(struct report *report, const struct source_facts *facts, uint64_t segments_done, uint64_t segments_total, uint64_t frames_read,
                 int busy, int workers);
// How far it is, without what only the plan knows.
void report_facts(const struct report *report, const struct source_facts *facts, uint64_t frames_read, struct progress_facts *state);
// After a job that went well.
uint64_t report_busy_ns(const struct report *report); // of all renderers
// Returns what the closing line says, "720 frames in 5 segments, 3.21 s, efficiency 91 %"; free().
char *report_finish(struct report *report, const struct options *options, const struct source_facts *facts);
void report_clear(struct report *report);

#endif
