#include "last_words.h"

#include <stdio.h>
#include <string.h>

static void end_line(struct last_words *w, void (*line)(void *data, const char *text), void *data)
{
    char *slot = w->lines[w->count % LAST_WORDS_LINES];

    if (w->open_length == 0)
        return; // an empty one says nothing
    w->open[w->open_length] = '\0';
    memcpy(slot, w->open, w->open_length + 1);
    w->count++;
    w->open_length = 0;
    if (line)
        line(data, slot);
}

void last_words_put(struct last_words *w, const char *bytes, size_t size, void (*line)(void *data, const char *text), void *data)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c == '\n')
            end_line(w, line, data);
        else if (w->open_length < LAST_WORDS_LENGTH - 1)
            w->open[w->open_length++] = c < ' ' || c == 127 ? ' ' : (char)c;
    }
}

void last_words_end(struct last_words *w, void (*line)(void *data, const char *text), void *data)
{
    end_line(w, line, data);
}

void last_words_text(const struct last_words *w, char *text, size_t size)
{
    size_t first = w->count > LAST_WORDS_LINES ? w->count - LAST_WORDS_LINES : 0, length = 0;

    text[0] = '\0';
    for (size_t i = first; i < w->count && length < size; i++) {
        int n = snprintf(text + length, size - length, "%s%s", i == first ? "" : " / ", w->lines[i % LAST_WORDS_LINES]);

        length += n > 0 ? (size_t)n : 0;
    }
}
