// The words of a list of jobs, line by line.
#include "fuzz.h"

#include "coordinator/batch_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    const char *at = text;
    unsigned lines = 1;

    for (bool more = true; more && *at;) {
        const char *before = at;
        char **words = NULL;
        size_t count = 0;

        more = batch_list_words(&at, &lines, &words, &count);
        if (at <= before || (size_t)(at - text) > size || lines > size + 1)
            abort();
        for (size_t i = 0; i < count; i++)
            free(words[i]);
        free(words);
    }
    free(text);
    return 0;
}
