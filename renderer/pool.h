// Threads that share the slices of a frame: a few helpers, and the caller, who works along. One caller at a time; a job that calls pool_run again, or
// another thread that calls it meanwhile, simply does its jobs by itself. All threads of the renderer are made here, and its only lock is here.
#ifndef RENDERFARM_POOL_H
#define RENDERFARM_POOL_H

#include <stdint.h>

struct pool;

// threads - 1 helpers, named slice-1, slice-2...; with one thread everything runs in the caller. The helpers are started for the first batch that has
// work for them, so that they inherit the jail of who calls for it; where the system gives fewer threads, those do it all.
struct pool *pool_new(int threads);

// Calls job(data, 0, count) to job(data, count - 1, count), in any order and at the same time, and returns when all are done. Always 0 for now.
int pool_run(struct pool *pool, int count, void (*job)(void *data, int index, int count), void *data);

int pool_threads(const struct pool *pool);
uint64_t pool_cpu_ns(struct pool *pool); // CPU time that the helpers have spent in jobs so far
// The same of each helper; room for threads - 1.
void pool_helpers_cpu_ns(struct pool *pool, uint64_t *cpu_ns);
void pool_free(struct pool **pool);      // NULL is fine

#endif
