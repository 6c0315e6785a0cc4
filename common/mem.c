#include "mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
    static const char line[] = "renderfarm: out of memory\n";

    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        _exit(1);
    _exit(1);
}

void *mem_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *mem_grow(void *old, size_t count, size_t size)
{
    void *p = reallocarray(old, count ? count : 1, size);

    if (!p)
        out_of_memory();
    return p;
}

char *mem_dup(const char *text)
{
    return text ? mem_copy(text, strlen(text) + 1) : NULL;
}

void *mem_copy(const void *data, size_t size)
{
    void *p = mem_zalloc(size);

    if (size)
        memcpy(p, data, size);
    return p;
}

char *mem_format(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        out_of_memory();
    va_end(args);
    return text;
}
