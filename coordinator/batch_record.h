// What a batch remembers of the files that it has made, so that the same command does only what is missing: a file ".renderfarm-batch" in each folder
// of outputs, one line for each, of which the last counts:
//
//   KEY TIME BYTES NAME
//
// KEY stands for the options that it was rendered with (BLAKE2b, 128 bits, hexadecimal), TIME (of change, ns since 1970) and BYTES for the output as
// it was made: one that somebody has changed since is none of ours. In NAME, bytes below 33 and % are %XX. A line that makes no sense is ignored: the
// worst that follows is that a file is rendered again. Blocks on the disk.
#ifndef RENDERFARM_BATCH_RECORD_H
#define RENDERFARM_BATCH_RECORD_H

#include "options.h"

#include <stdint.h>

enum { BATCH_KEY_TEXT = 33 };

// All options that the bytes of an output depend on. Pure.
void batch_key(const struct options *options, char key[BATCH_KEY_TEXT]);

struct batch_record;

enum batch_made {
    BATCH_NOT_THERE, // there is no such output
    BATCH_FOREIGN,   // there is one, and it is not as a batch made it
    BATCH_OUTDATED,  // a batch made it, of an older input or with other options
    BATCH_MADE,      // it is what would be made again
};

struct batch_record *batch_record_new(void);
// input_ns: when the input was changed. Reads each folder's file once.
enum batch_made batch_record_look(struct batch_record *record, const char *output, const char *key, int64_t input_ns);
// The output was made just now. Returns 0 or a negative code.
int batch_record_add(const char *output, const char *key);
void batch_record_free(struct batch_record **record);

#endif
