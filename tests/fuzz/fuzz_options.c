// The command line: arguments, one a line.
#include "fuzz.h"

#include "coordinator/options.h"

#include <stdbool.h>

enum { MOST_ARGUMENTS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *rest = text, *line, *argv[MOST_ARGUMENTS + 2] = {(char *)(uintptr_t) "renderfarm"};
    struct options options;
    int argc = 1;

    while (argc <= MOST_ARGUMENTS && (line = strsep(&rest, "\n")))
        argv[argc++] = line;
    if (options_parse(&options, argc, argv) == OPTIONS_RUN) {
        bool named = options.batch_list ? !options.input && !options.output : options.input && options.output;
        bool staffed = options.workers > 0 || (options.workers == 0 && (options.listen || options.launch_workers > 0));

        if (!named || !staffed || !options.filter || options.threads < 1)
            abort();
        options_clear(&options);
    }
    free(text);
    return 0;
}
