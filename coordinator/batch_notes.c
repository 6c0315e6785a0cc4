#include "batch_notes.h"

#include "pictures.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

// An output that waits to be verified: the batch made it, and not with the options that were asked for.
static const char unverified[JOB_KEY_TEXT] = "00000000000000000000000000000000";

static const char foreign_then[] = "takes what is made now for somebody else's, and leaves it alone unless -y is given";

void batch_notes_init(struct batch_notes *notes, uv_loop_t *loop)
{
    lane_init(&notes->lane, loop);
}

bool batch_notes_busy(const struct batch_notes *notes)
{
    return lane_busy(&notes->lane);
}

// Once for all: what cannot be written now will most likely not be for the next file either.
static void tell_unwritten(struct batch_note *note, const char *what_follows)
{
    char *path = batch_record_path(note->options->output);

    if (!note->notes->told)
        log_warn("%s: cannot be written: %s; the same command %s", path, err_text(note->err), what_follows);
    note->notes->told = true;
    free(path);
}

// ---- Before a job ----

// The pass will find it and end: what is there by now and may not be replaced is somebody else's, or there is no input.
static bool is_in_vain(const struct options *o)
{
    return (!o->overwrite && access(o->output, F_OK) == 0) || (access(o->input, R_OK) < 0 && !pictures_is_input(o->input));
}

// In the lane.
static void write_begin(void *data)
{
    struct batch_note *note = data;

    if (note->unsure || is_in_vain(note->options))
        return;
    note->err = batch_record_begin(note->options->output);
    note->begun = note->err == 0;
}

static void on_begin_written(void *data)
{
    struct batch_note *note = data;

    if (note->err < 0)
        tell_unwritten(note, foreign_then);
    note->on_begun(note->data);
}

void batch_notes_begin(struct batch_notes *notes, struct batch_note *note, lane_call on_begun, void *data)
{
    note->notes = notes;
    note->on_begun = on_begun;
    note->data = data;
    lane_run(&notes->lane, write_begin, on_begin_written, note);
}

// ---- After it ----

static int64_t first_number(const struct options *o)
{
    return o->output_start_number >= 0 ? o->output_start_number : 1;
}

// In the lane.
static void write_end(void *data)
{
    struct batch_note *note = data;
    const char *output = note->options->output;
    int err = note->made ? batch_record_add(output, note->made, &note->holes, first_number(note->options)) : -ENOENT;

    // Somebody may have taken away what was just made.
    note->err = err == -ENOENT ? batch_record_end(output) : err;
}

static void on_end_written(void *data)
{
    struct batch_note *note = data;

    if (note->err < 0 && note->made)
        tell_unwritten(note, note->begun || note->unsure ? "renders again what is made now" : foreign_then);
    else if (note->err < 0)
        tell_unwritten(note, "replaces what somebody else puts where a file could not be made");
}

void batch_notes_end(struct batch_notes *notes, struct batch_note *note, enum batch_outcome outcome)
{
    note->notes = notes;
    note->made = outcome == BATCH_WAS_MADE ? note->key : outcome == BATCH_NOT_VERIFIED ? unverified : NULL;
    // Where nothing was made, what an earlier batch has left stays in doubt.
    if (note->made || note->begun)
        lane_run(&notes->lane, write_end, on_end_written, note);
}

// ---- Holes ----

void batch_note_count_holes(struct batch_note *note, const struct poison *poison)
{
    for (size_t i = 0; i < poison->count; i++) {
        note->holes.missing += poison->entries[i].way == POISON_SKIP;
        note->holes.plain += poison->entries[i].way == POISON_COPY;
    }
}

bool batch_note_has_holes(const struct batch_note *note)
{
    return note->holes.missing + note->holes.plain > 0;
}

char *batch_note_text_of_holes(const struct batch_note *note)
{
    const struct batch_holes *holes = &note->holes;
    char *missing, *text;

    if (!batch_note_has_holes(note))
        return NULL;
    missing = holes->missing == 0 ? mem_dup("") : mem_format("%" PRIu64 " segment%s missing", holes->missing, holes->missing == 1 ? " is" : "s are");
    text = holes->plain == 0 ? mem_dup(missing)
                             : mem_format("%s%s%" PRIu64 " segment%s there without %s filters", missing, holes->missing ? ", " : "", holes->plain,
                                          holes->plain == 1 ? " is" : "s are", holes->plain == 1 ? "its" : "their");
    free(missing);
    return text;
}
