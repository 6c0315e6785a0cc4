// The input's video, read once from front to end and cut into segments. Every function blocks and runs inside the demux lane, one at a time; results
// are plain values that the loop may keep. Other streams are the sink's business: it reads the input for itself.
#ifndef RENDERFARM_SOURCE_H
#define RENDERFARM_SOURCE_H

#include "pictures.h"

#include "common/chunk.h"
#include "common/protocol.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct gaps;
struct source;

struct source_facts {
    // The input half of a job message (input, time base, frame rates, side data), owned by the facts. The other fields are for the farm to fill.
    Wire__CodecParameters *parameters;
    Wire__Rational *time_base, *frame_rate, *average_rate;
    Wire__SideData **side_data;
    size_t side_data_count;
    char *codec_name;      // "h264"
    char *format_name;     // "mov,mp4,m4a,3gp,3g2,mj2"
    double duration_s;     // of the video; 0 when unknown
    double keyframe_gap_s; // the longest time between keyframes, as the file's index says; 0 without one
    int64_t frames;        // an estimate; 0 when unknown
    double start_s;        // that was taken off all timestamps, as ffmpeg does
    int width, height;     // as coded; 0 when unknown
    bool cuttable;         // the codec is on the list of those that may be cut at all
    bool pictures;         // packets are PNG files, to be decoded by libpng; what to do about one that is of no use:
    enum pictures_missing pictures_missing;
    char *others_path;      // the file that holds what there is beside the video
    char *why_not_cuttable; // one clause for people: "the codec mpeg4 is not known to restart at its keyframes"; NULL when cuttable
};

void source_facts_clear(struct source_facts *facts);

// Opens the file and finds its video stream: the first that is no cover picture, or the cover picture if there is nothing else. On failure *why is
// one sentence (free()).
int source_open(struct source **source, const char *path, struct source_facts *facts, char **why);

// The same for numbered pictures, see pictures.h.
int source_open_pictures(struct source **source, const char *path, const struct pictures_setup *setup, struct source_facts *facts, char **why);

// The first packets of the video, for a probe: at least min_packets and min_bytes worth, or all that there is. Fills *head with new references; the
// packets are still given out by source_next. *eof says that this is the whole video. May be called again with more.
int source_head(struct source *source, size_t min_packets, size_t min_bytes, struct chunk_list *head, bool *eof, char **why);

// What the plan decided; once, before the first source_next. segment_s is the length aimed at; 0 or cut=false: all in one segment. taper_s: the
// length of the video, towards whose end segments get shorter; 0: all are alike.
void source_start(struct source *source, bool cut, double segment_s, double taper_s);

// Of a video that is not cut, to be decoded in order: what need not be is left out, and the rest comes as a segment for each piece. gaps: lives on.
// Once, behind source_start.
void source_leave_out(struct source *source, const struct gaps *gaps);

// A run of packets out of one segment.
struct source_run {
    uint32_t segment; // 0, 1, 2...
    bool first;       // of its segment: the fields below are set, and hold for the whole segment
    int64_t keep_from, keep_to;
    uint8_t *extradata; // in place of the job's, NULL for the job's; owned by the run, freed with free()
    size_t extradata_size;
    struct chunk *chunk;  // NULL at the end of the video, and where there is nothing but what was left out; chunk->last marks the segment's last
    uint64_t frames_hint; // packets that promise a frame in this run, or were left out
    bool eof;
    uint64_t gap_from, gap_until; // with first or eof: frames of these numbers are left out before what comes; 0, 0: none
    int64_t last_pts;             // the greatest timestamp in the run, input time base
};

// Reads until a chunk is full or a segment ends. A read error in mid-file ends the video like an end of file (see source_damage). Returns 0 or an
// error (*why); ERR_AGAIN_DECODING_ALL: what was left out should not have been; ERR_AGAIN_ONE_SEGMENT: times go back behind a cut.
int source_next(struct source *source, struct source_run *run, char **why);

// The file that the picture at that time (of the facts' time base) is; NULL for other inputs; free(). May be asked as pictures_path may.
char *source_picture_path(const struct source *source, int64_t pts);

// One sentence if the input ended early or was damaged, as far as seen; NULL if all is well. Static to the source.
const char *source_damage(const struct source *source);
// Why fewer cuts were made than the length asked for, one clause; NULL if nothing stood in the way.
const char *source_cut_note(const struct source *source);

void source_close(struct source **source);

#endif
