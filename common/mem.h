// Small allocations: they succeed or the process ends with a line. Frame-sized ones use the libraries' calls and are checked. Any thread.
//
// Libraries abort where they cannot have a thread or memory, and say little or nothing.
#ifndef RENDERFARM_MEM_H
#define RENDERFARM_MEM_H

#include <stddef.h>

void mem_explain_aborts(void); // from now on: an abort where there is no memory says so

void *mem_zalloc(size_t size);
void *mem_grow(void *old, size_t count, size_t size); // realloc of count items; contents beyond the old size are not set
char *mem_dup(const char *text);                      // NULL gives NULL
void *mem_copy(const void *data, size_t size);
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
