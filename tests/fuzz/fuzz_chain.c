// A chain of filters: what it is taken apart into gives the same when it is put together, and the renderer's look at it stays within it.
#include "fuzz.h"

#include "coordinator/chain.h"
#include "renderer/needs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *joined = calloc(1, size + 2);
    Wire__Job job = WIRE__JOB__INIT;
    size_t count, count_again;
    char **filters = chain_split(text, &count), **again;

    if (!joined)
        abort();
    for (size_t i = 0; filters && i < count; i++) {
        if (strlen(joined) + strlen(filters[i]) + (i > 0) > size)
            abort();
        if (i > 0)
            strcat(joined, ",");
        strcat(joined, filters[i]);
    }
    if (filters && count > 0) {
        again = chain_split(joined, &count_again);
        // An empty filter at the end is no filter of its own.
        if (!again || count_again > count || count_again + 1 < count)
            abort();
        for (size_t i = 0; i < count_again; i++)
            if (strcmp(again[i], filters[i]) != 0)
                abort();
        chain_free(&again);
    }
    if (filters)
        chain_free(&filters);
    job.filters = text;
    job.encoder = (char *)(uintptr_t) "ffv1";
    needs_of(&job);
    free(joined);
    free(text);
    return 0;
}
