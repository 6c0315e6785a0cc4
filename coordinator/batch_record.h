// What a batch remembers of the files that it has made, so that the same command does only what is missing: a file ".renderfarm-batch" in each folder
// of outputs, lines of which the last for a name counts:
//
//   KEY TIME BYTES NAME [MISSING PLAIN [FIRST COUNT]]    made
//   begun TIME NAME                        being made; on disk before anything appears under that name
//   ended TIME NAME                        nothing has appeared under it
//
// Of numbered pictures NAME is the pattern, FIRST the number that they begin with, and TIME is that of the newest, BYTES of all of them.
//
// KEY stands for the options that it was rendered with (see job_key.h), TIME (of change, ns since 1970) and BYTES for the output as
// it was made: one that somebody has changed since is none of ours. MISSING and PLAIN count its holes. In NAME, bytes below 33 and % are %XX.
//
// A process that is killed leaves a file without the line that it was made. So an output that has changed since it was begun is ours as well, whole
// as it may be, as long as no later line says more; what was there before is not, because it is older. (What somebody else puts there after a kill
// and before the batch goes on cannot be told from ours, unless it is older.) A line that makes no sense, such as one that was torn by a full disk or
// a power cut, is ignored: the worst that follows is that a file is rendered again. Blocks on the disk.
#ifndef RENDERFARM_BATCH_RECORD_H
#define RENDERFARM_BATCH_RECORD_H

#include <stdint.h>

struct batch_record;

// Segments that --on-poison has left out of an output.
struct batch_holes {
    uint64_t missing, plain; // their frames are not there, or are there without their filters
};

enum batch_made {
    BATCH_NOT_THERE, // there is no such output; or there are numbered pictures, and whoever writes them has to look whose they are
    BATCH_FOREIGN,   // there is one, and it is not as a batch made it
    BATCH_UNSURE,    // a batch had begun it and was killed; nobody knows whether it is what it should be
    BATCH_OUTDATED,  // a batch made it, of an older input, or with other options or files that those name
    BATCH_MADE,      // it is what would be made again
};

struct batch_record *batch_record_new(void);
// input_ns: when the input was changed. holes: set where it is MADE. Reads each folder's file once, and warns where that is not possible.
enum batch_made batch_record_look(struct batch_record *record, const char *output, const char *key, int64_t input_ns, struct batch_holes *holes);
void batch_record_free(struct batch_record **record);

// These return when the line is on disk: 0 or a negative code.
int batch_record_begin(const char *output); // is being made from now on
// Was made just now. first: the number of the first of numbered pictures.
int batch_record_add(const char *output, const char *key, const struct batch_holes *holes, int64_t first);
int batch_record_end(const char *output); // was begun, and not made
// The record's own path for that output; free().
char *batch_record_path(const char *output);

#endif
