// Where a stream may be cut: facts about packets in, in the order of the file; decisions out. A cut before a keyframe K is proven when everything
// before K is shown before it and everything after it is shown after it, so that a decoder that starts with K shows what one shows that read all.
// Packets from K on are held until that is certain. Pure: sees flags, times and sizes, knows no codec and no library. Not thread-safe. Times are in
// the stream's ticks.
//
// Once anything is seen that makes later cuts doubtful (a missing time, times that go back, changed parameters) there are no more cuts: the rest is
// one segment.
#ifndef RENDERFARM_CUTTER_H
#define RENDERFARM_CUTTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CUTTER_NO_TIME INT64_MIN

enum { CUTTER_MAX_HELD = 512, CUTTER_MAX_HELD_BYTES = 64 << 20, CUTTER_WINDOW = 256 };

struct cutter_packet {
    int64_t pts, dts; // CUTTER_NO_TIME if missing; dts may be at the start of the stream
    size_t size_bytes;
    bool has_order;
    int64_t order;      // of showing, by the bitstream: timestamps are believed only as far as they agree
    bool key;           // by the container's flag
    bool random_access; // by the bitstream
    bool discard;       // to be decoded and not shown
    bool corrupt;
    bool palette;
    bool changed; // parameters or picture format change here, or cannot be followed any longer
};

enum cutter_held { CUTTER_WAIT, CUTTER_JOIN, CUTTER_CUT };

struct cutter_step {
    enum cutter_held held; // what was held: stays so, or belongs to the running segment, or is the beginning of the next
    int64_t cut_pts;       // CUTTER_CUT: where the next segment starts
    bool hold;             // the packet itself: to be held (behind what is still held), or else it belongs to the segment that now runs
};

struct cutter {
    int64_t target_ticks, taper_ticks, brief_ticks, shortest_ticks;
    unsigned max_reorder;
    double tick_s;

    bool started, holding;
    const char *stopped; // why there are no more cuts, a clause; NULL while there may be
    bool late;           // a packet came that belongs before a cut that was made: the cut was wrong
    int64_t stopped_at;
    int64_t segment_start, max_pts, last_dts;
    bool last_discard;
    int64_t candidate;
    size_t held_count, held_bytes;
    // Times that a later packet might repeat or overtake.
    struct cutter_time {
        int64_t pts, order;
        bool has_order;
    } window[CUTTER_WINDOW];
    size_t window_count;

    // For the note.
    unsigned cuts, leading, unproven;
    int64_t first_pts, last_key, longest_key_gap, longest_segment;
    char note[160];
};

// target_ticks: the length of segments aimed at. max_reorder: how many packets a decoder holds back from its start on; UINT_MAX for codecs that say
// it in the stream.
void cutter_init(struct cutter *cutter, int64_t target_ticks, unsigned max_reorder, double tick_s);
// Before the first packet: segments get shorter towards the end of a video that is so long, see taper.h.
void cutter_taper(struct cutter *cutter, int64_t length_ticks, int64_t brief_ticks, int64_t shortest_ticks);
struct cutter_step cutter_put(struct cutter *cutter, const struct cutter_packet *packet);
// The end of the stream: what is held is cut off (CUTTER_CUT) or there is nothing held (CUTTER_WAIT).
struct cutter_step cutter_end(struct cutter *cutter);
// After the end: why segments are longer than asked for, a clause; NULL if they are not. Static to the cutter.
const char *cutter_note(struct cutter *cutter);

#endif
