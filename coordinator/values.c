#include "values.h"

#include "memory.h"

#include "common/mem.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int values_choice(const char *text, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}

bool values_count(const char *text, int least, int most, int *out)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most || !isdigit((unsigned char)text[0]))
        return false;
    *out = (int)value;
    return true;
}

bool values_seconds(const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value) || value < 0 || value > 1e6)
        return false;
    *out = value;
    return true;
}

bool values_size(const char *text, uint64_t *out)
{
    static const char letters[] = "KMGT";
    const char *letter;
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isdigit((unsigned char)text[0]) || !isfinite(value) || value < 0)
        return false;
    letter = *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
    if (*end && (!letter || end[1]))
        return false;
    value = letter ? ldexp(value, 10 * (int)(letter - letters + 1)) : value;
    if (value < 1 || value > ldexp(1, 60))
        return false;
    *out = (uint64_t)value;
    return true;
}

bool values_memory(const char *text, uint64_t *out)
{
    char *end;
    double percent = strtod(text, &end);

    if (strcmp(end, "%") != 0)
        return values_size(text, out);
    if (end == text || !(percent > 0 && percent <= 100))
        return false;
    *out = (uint64_t)((double)memory_of_machine() * percent / 100);
    return true;
}

bool values_start_number(const char *text, int64_t *input, int64_t *output)
{
    char *end;

    errno = 0;
    *input = *output = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno)
        return false;
    if (*end == ':' && isdigit((unsigned char)end[1]))
        *output = strtoll(end + 1, &end, 10);
    return !errno && !*end && *input <= VALUES_MOST_NUMBER && *output <= VALUES_MOST_NUMBER;
}

char *values_every(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (!isdigit((unsigned char)text[0]) || !(value > 0) || value > 1e9)
        return NULL;
    if (strcmp(end, "s") == 0)
        return mem_format("select='isnan(prev_selected_t)+gt(floor(t/%.9g),floor(prev_selected_t/%.9g))'", value, value);
    return *end || value != floor(value) ? NULL : mem_format("select='not(mod(n,%.0f))'", value);
}

bool values_sheet(const char *text, int *columns, int *rows)
{
    char *x = mem_dup(text), *at = strchr(x, 'x');
    bool fine = at != NULL;

    if (at)
        *at = '\0';
    fine = fine && values_count(x, 1, 100, columns) && values_count(at + 1, 1, 100, rows);
    free(x);
    return fine;
}

char *values_word(const char **text, const char *stop)
{
    char *word = mem_zalloc(strlen(*text) + 1), *at = word, *taken = word;

    *text += strspn(*text, " \n\t\r");
    while (**text && !strchr(stop, **text)) {
        char c = *(*text)++;

        if (c == '\\' && **text) {
            *at++ = *(*text)++;
            taken = at;
        } else if (c == '\'') {
            while (**text && **text != '\'')
                *at++ = *(*text)++;
            if (**text)
                (*text)++;
            taken = at;
        } else {
            *at++ = c;
        }
    }
    while (at > taken && strchr(" \n\t\r", at[-1]))
        at--;
    *at = '\0';
    return word;
}
