// What came of each file of a batch: the closing table for people, and the same as JSON. Pure but for writing.
#ifndef RENDERFARM_BATCH_TABLE_H
#define RENDERFARM_BATCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum batch_state {
    BATCH_WAITING, // at the end: not begun, or not brought to its end
    BATCH_RUNNING,
    BATCH_OK,
    BATCH_SKIPPED, // nothing had to be done
    BATCH_FAILED,
};

struct batch_row {
    const char *input, *output; // output is NULL where there is none
    enum batch_state state;
    const char *why; // a sentence that may begin with the name and a colon; of one that is ok only where it is incomplete
    uint64_t frames;
    double wall_s, video_s; // from the first to the last, of that file alone; the length of the video
    bool incomplete;        // it is there, but for what --on-poison has left out
};

struct batch_sums {
    size_t counts[BATCH_FAILED + 1]; // by state
    size_t incomplete;               // of those that are ok or skipped
    uint64_t frames;
    size_t others; // files that were left out, see batch_list.h
    double wall_s;
    int workers;
};

void batch_sum(struct batch_sums *sums, const struct batch_row *rows, size_t count);
// A heading, a row for each file, and the sums in a sentence.
void batch_table_print(FILE *out, const struct batch_row *rows, size_t count, const struct batch_sums *sums);
// Returns 0 or a negative code.
int batch_table_write(const char *path, const struct batch_row *rows, size_t count, const struct batch_sums *sums);

#endif
