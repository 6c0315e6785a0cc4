#include "chain.h"

#include "common/mem.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// The end of the filter that begins here: a comma or the end of the text. NULL if something stands there that no plain chain has.
static const char *filter_end(const char *at)
{
    bool quoted = false;

    for (; *at; at++) {
        if (*at == '\'')
            quoted = !quoted; // a backslash means nothing between quotes
        else if (quoted)
            continue;
        else if (*at == '\\' && at[1])
            at++;
        else if (*at == ',')
            return at;
        else if (strchr("[];", *at))
            return NULL;
    }
    return quoted ? NULL : at;
}

// Whether what ends here ends with a backslash that takes the next character as it is.
static bool is_escaped(const char *from, const char *at)
{
    size_t backslashes = 0;

    while (at > from && at[-1] == '\\') {
        backslashes++;
        at--;
    }
    return backslashes % 2 == 1;
}

// A blank behind a backslash is part of the filter; without it the backslash would take the comma that comes next.
static char *trimmed(const char *from, const char *to)
{
    char *text;

    while (from < to && isspace((unsigned char)*from))
        from++;
    while (to > from && isspace((unsigned char)to[-1]) && !is_escaped(from, to - 1))
        to--;
    text = mem_zalloc((size_t)(to - from) + 1);
    memcpy(text, from, (size_t)(to - from));
    return text;
}

char **chain_split(const char *text, size_t *count)
{
    char **filters = mem_zalloc(sizeof(*filters));

    *count = 0;
    while (*text) {
        const char *end = filter_end(text);

        if (!end) {
            chain_free(&filters);
            *count = 0;
            return NULL;
        }
        filters = mem_grow(filters, *count + 2, sizeof(*filters));
        filters[(*count)++] = trimmed(text, end);
        filters[*count] = NULL;
        text = *end ? end + 1 : end;
    }
    return filters;
}

void chain_free(char ***filters)
{
    if (!*filters)
        return;
    for (char **at = *filters; *at; at++)
        free(*at);
    free(*filters);
    *filters = NULL;
}
