// What a filter depends on, from facts that a renderer sends. Input: the filter's name, then its options as KEY=VALUE, one a line; those with a '!'
// in front were given by the user.
#include "fuzz.h"

#include "coordinator/classes.h"

enum { MOST_OPTIONS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *rest = text, *line, *set[MOST_OPTIONS];
    Wire__FilterFacts filter = WIRE__FILTER_FACTS__INIT;
    Wire__Option options[MOST_OPTIONS], *pointers[MOST_OPTIONS];
    struct class_result result;

    filter.name = strsep(&rest, "\n");
    filter.inputs = filter.outputs = 1;
    filter.options = pointers;
    filter.set = set;
    while (filter.n_options < MOST_OPTIONS && (line = strsep(&rest, "\n"))) {
        char *value = strchr(line, '=');
        Wire__Option *option = &options[filter.n_options];

        if (!value)
            continue;
        *value++ = '\0';
        if (*line == '!')
            set[filter.n_set++] = ++line;
        wire__option__init(option);
        option->key = line;
        option->value = value;
        pointers[filter.n_options++] = option;
    }
    result = classes_of(&filter);
    if (result.kind > CLASS_STATEFUL || (result.kind != CLASS_FRAME && !result.why))
        abort();
    classes_of_vouched(&filter);
    classes_is_called(&filter, "glow");
    free(text);
    return 0;
}
