// The last lines that a process said before its end, out of the bytes that come from its stderr. Pure. Not thread-safe.
#ifndef RENDERFARM_LAST_WORDS_H
#define RENDERFARM_LAST_WORDS_H

#include <stddef.h>

enum { LAST_WORDS_LINES = 4, LAST_WORDS_LENGTH = 400 }; // a longer line is cut off

struct last_words {
    char lines[LAST_WORDS_LINES][LAST_WORDS_LENGTH]; // a ring
    size_t count;                                    // of lines that have ended, ever
    char open[LAST_WORDS_LENGTH];                    // the line that has not ended yet
    size_t open_length;
};

// More bytes. Each line that ends with them is told, without its end; control characters are blanks. line may be NULL.
void last_words_put(struct last_words *words, const char *bytes, size_t size, void (*line)(void *data, const char *text), void *data);
// No more bytes: what is open is a line as well.
void last_words_end(struct last_words *words, void (*line)(void *data, const char *text), void *data);
// All of them, the oldest first, with " / " between; "" if there are none. Cut off to size.
void last_words_text(const struct last_words *words, char *text, size_t size);

#endif
