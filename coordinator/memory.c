#include "memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

uint64_t memory_of_machine(void)
{
    uint64_t all = uv_get_total_memory(), allowed = uv_get_constrained_memory();

    if (allowed > 0 && (allowed < all || all == 0))
        all = allowed;
    return all > 0 ? all : UINT64_MAX;
}

uint64_t memory_count_in(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoull(line + length + 1, NULL, 10);
    return 0;
}

uint64_t memory_kills(void)
{
    char text[16384]; // proc(5), vmstat: some 180 lines
    int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t n = 0;

    if (fd < 0)
        return 0;
    while (length < sizeof(text) - 1 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)n;
    close(fd);
    text[length] = '\0';
    return memory_count_in(text, "oom_kill");
}

unsigned memory_fits(uint64_t budget, uint64_t taken, uint64_t renderer, unsigned wish)
{
    uint64_t room = budget > taken ? budget - taken : 0, fit = renderer > 0 ? room / renderer : wish;

    return fit < 1 ? 1 : fit < wish ? (unsigned)fit : wish;
}
