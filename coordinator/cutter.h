// Where a stream of packets may be cut so that the pieces decode to the same frames as the whole. Pure: sees flags and times, no files, no decoders.
//
// A cut before packet K is proven when a decoder can start at K, every packet before K shows before it and every packet from K on shows at or after it. The last
// is certain once a packet decodes at or after the time that K shows, because no packet shows before it decodes; until then K and what follows it wait.
// Anything odd (a missing or falling time, packets to be discarded around, a palette or parameters that came in the stream) ends the cutting: what
// is left is one segment.
#ifndef RENDERFARM_CUTTER_H
#define RENDERFARM_CUTTER_H

#include <stdbool.h>
#include <stdint.h>

#define CUTTER_NO_TIME INT64_MIN

struct cutter_packet {
    int64_t pts, dts; // CUTTER_NO_TIME where there is none
    bool start;       // a decoder can start here
    bool discard;     // decoded, but not shown
    bool odd;         // carries a palette, new parameters and the like
};

enum cutter_verdict {
    CUTTER_PASS,    // everything so far, this packet included, belongs to the segment that is open
    CUTTER_WAIT,    // this packet and those since the last PASS or CUT wait for a verdict
    CUTTER_CUT,     // the oldest waiting packet begins a new segment; all that waited and this one belong to it
    CUTTER_REFUSE_WAIT, // what waited belongs to the open segment; this packet now waits
};

struct cutter {
    int64_t target;      // least length of a segment
    const char *stopped; // why there will be no more cuts, a clause; NULL while there may
    bool any, waiting, last_discard;
    int64_t segment_pts; // where the open segment begins
    int64_t greatest_pts, last_dts, candidate_pts;
    int64_t longest;     // between cuts, for the note
};

// target in units of the packets' times, > 0; cut = false: never.
void cutter_init(struct cutter *cutter, bool cut, int64_t target);
enum cutter_verdict cutter_put(struct cutter *cutter, const struct cutter_packet *packet);
// The end of the stream. True: what waits is a segment of its own.
bool cutter_end(struct cutter *cutter);

#endif
