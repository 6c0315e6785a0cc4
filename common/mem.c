#include "mem.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void say_out_of_memory(void)
{
    static const char line[] = "renderfarm: out of memory (see ulimit -v)\n";

    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        _exit(1);
}

static _Noreturn void out_of_memory(void)
{
    say_out_of_memory();
    _exit(1);
}

// Whether a thread could still have its stack shows that; nothing but a system call may be asked here.
static void on_abort(int number)
{
    static const size_t stack_bytes = 8 << 20;
    void *stack = mmap(NULL, stack_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)number;
    if (stack == MAP_FAILED)
        say_out_of_memory();
    else
        munmap(stack, stack_bytes);
}

void mem_explain_aborts(void)
{
    signal(SIGABRT, on_abort);
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
