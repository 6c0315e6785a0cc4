#include "mem.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say_out_of_memory(void)
{
    static const char line[] = "renderfarm: out of memory (see ulimit -v and -d)\n";

    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        _exit(1);
}

static _Noreturn void out_of_memory(void)
{
    say_out_of_memory();
    _exit(1);
}

static bool can_map_a_stack(void)
{
    static const size_t stack_bytes = 8 << 20;
    void *stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return stack != MAP_FAILED && munmap(stack, stack_bytes) == 0;
}

// Threads and processes are counted together. Who may make none (see renderer/jail.h) does not find out.
static bool can_make_a_process(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0)
        syscall(SYS_exit_group, 0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
    return pid > 0 || errno == EPERM;
}

// Libraries abort where they cannot have a thread. Whether one could still be had shows that; nothing but system calls may be made here. Then the
// signal takes its course, also where somebody else sent it.
static void on_abort(int number)
{
    static const char line[] = "renderfarm: no more threads or processes can be made (see ulimit -u, and pids.max of the control group)\n";

    if (!can_map_a_stack())
        say_out_of_memory();
    else if (!can_make_a_process() && write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        _exit(1);
    signal(number, SIG_DFL);
    raise(number);
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
