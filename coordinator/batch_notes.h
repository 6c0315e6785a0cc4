// What a batch notes of its jobs in the records (batch_record.h) while it works, so that after a kill nothing is in doubt but what was being made
// just then. Each line waits for the disk, so they are written in a lane of their own, in the order of the calls. A line that cannot be written harms
// no job: a warning says so, once for all of them, and what follows from it. Loop thread only.
#ifndef RENDERFARM_BATCH_NOTES_H
#define RENDERFARM_BATCH_NOTES_H

#include "batch_record.h"
#include "job_key.h"
#include "lane.h"
#include "options.h"
#include "poison.h"

#include <stdbool.h>

struct batch_notes {
    struct lane lane;
    bool told; // that a record cannot be written
};

// Of one job. It stays where it is, and its options as they are, until no line is on its way (batch_notes_busy).
struct batch_note {
    const struct options *options; // the job's; lent
    char key[JOB_KEY_TEXT];        // of these options, see job_key
    struct batch_holes holes;      // of the output: as the record has them, or as they were counted
    bool unsure;                   // the record says that an earlier batch had begun it

    // From here on batch_notes' own; zeros at first.
    bool begun;       // the record says that this one has
    const char *made; // the key of its last line; NULL: it was not made
    int err;          // of its last line
    struct batch_notes *notes;
    lane_call on_begun;
    void *data;
};

enum batch_outcome {
    BATCH_NOT_MADE,
    BATCH_NOT_VERIFIED, // the output is there, and nobody has said yet that it is what it should be: the same command makes it again
    BATCH_WAS_MADE,
};

void batch_notes_init(struct batch_notes *notes, uv_loop_t *loop);
// Whether a line is on its way.
bool batch_notes_busy(const struct batch_notes *notes);
// Before anything can appear under the output's name. on_begun(data) comes whether or not the line could be written; until then the note is the
// lane's.
void batch_notes_begin(struct batch_notes *notes, struct batch_note *note, lane_call on_begun, void *data);
// After the job, also of one that was never begun. With its holes, which have been counted.
void batch_notes_end(struct batch_notes *notes, struct batch_note *note, enum batch_outcome outcome);

// Adds those that a pass has left in the output.
void batch_note_count_holes(struct batch_note *note, const struct poison *poison);
bool batch_note_has_holes(const struct batch_note *note);
// "2 segments are missing, 1 segment is there without its filters"; free(). NULL: there are none.
char *batch_note_text_of_holes(const struct batch_note *note);

#endif
