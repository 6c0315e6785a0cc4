// The progress line: on a terminal one redrawn line (bar, percent, frames, fps, times real time, ETA, busy renderers); otherwise a line every ten
// seconds; or one JSON object a line on stdout; or nothing. Knows no clock: times are arguments, and progress_text is pure. Loop thread only.
#ifndef RENDERFARM_PROGRESS_H
#define RENDERFARM_PROGRESS_H

#include "options.h"

#include <stdint.h>

struct progress_facts {
    uint64_t frames;                        // finished so far
    uint64_t frames_found;                  // of those, from the cache: they say nothing about the speed
    uint64_t frames_total;                  // estimate, 0 unknown
    double video_s;                         // finished length in seconds of video
    uint64_t segments_done, segments_total; // total 0: unknown yet
    int busy, workers;
    uint64_t elapsed_ns;
    uint64_t output_bytes;
    // Of a batch; files_total is 0 for one file.
    uint64_t files_done, files_total;
    double share;     // of all that is to be done, 0..1
    double left_s;    // of time, or negative: unknown
    const char *file; // the first of those under way, NULL: none
    double file_percent;
};

struct progress;

// For standard error as it is, and around what is logged there; quiet: nothing, unless the mode says otherwise. progress_free comes behind the end of
// log_around.
struct progress *progress_open(enum progress_mode mode, bool quiet);
struct progress *progress_new(enum progress_mode mode, int is_terminal, int columns);
// Formats one state as mode says, without line end; size as snprintf. mode must not be AUTO; columns is for BAR.
// In a batch the name of the file stands at the end, and is shortened where the line is too long.
void progress_text(char *out, size_t size, enum progress_mode mode, int columns, const struct progress_facts *facts);
void progress_show(struct progress *progress, const struct progress_facts *facts, uint64_t now_ns); // decides itself whether something is due
void progress_hide(void *progress);                                               // wipes the redrawn line, for a log line to come: fits log_around
void progress_again(void *progress);                                              // draws it again
void progress_end(struct progress *progress, const struct progress_facts *facts); // last state, line end
void progress_free(struct progress **progress);

#endif
