// The command line: arguments, one a line.
#include "fuzz.h"

#include "coordinator/options.h"

enum { MOST_ARGUMENTS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *rest = text, *line, *argv[MOST_ARGUMENTS + 2] = {(char *)(uintptr_t) "renderfarm"};
    struct options options;
    int argc = 1;

    while (argc <= MOST_ARGUMENTS && (line = strsep(&rest, "\n")))
        argv[argc++] = line;
    if (options_parse(&options, argc, argv) == OPTIONS_RUN) {
        if (!options.input || !options.output || !options.filter || options.workers < 1 || options.threads < 1)
            abort();
        options_clear(&options);
    }
    free(text);
    return 0;
}
