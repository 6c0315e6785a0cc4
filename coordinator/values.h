// What stands behind the = of an option, from text. A function that returns false has found something else there, and may have written what it had by
// then.
#ifndef RENDERFARM_VALUES_H
#define RENDERFARM_VALUES_H

#include <stdbool.h>
#include <stdint.h>

enum { VALUES_MOST_NUMBER = 1000000000 }; // of pictures

// The place of the text among the names, which end with NULL; -1: it is none of them.
int values_choice(const char *text, const char *const *names);
bool values_count(const char *text, int least, int most, int *out);
bool values_seconds(const char *text, double *out);
// "1500000", "12G", "1.5T": powers of 1024, as GNU's tools count.
bool values_size(const char *text, uint64_t *out);
// Also as a share of what there is: "80%".
bool values_memory(const char *text, uint64_t *out);
// "N" or "IN:OUT".
bool values_start_number(const char *text, int64_t *input, int64_t *output);
// "4x5".
bool values_sheet(const char *text, int *columns, int *rows);
// The filter that keeps one frame out of so many ("24"), or the first one in each so many seconds ("2.5s"); NULL for anything else.
char *values_every(const char *text);
// Copies up to a character of `stop`, as ffmpeg reads its lists: a backslash takes the next character as it is, quotes take all between them, blanks
// around the word are left out. *text moves to the stop or the end.
char *values_word(const char **text, const char *stop);

#endif
