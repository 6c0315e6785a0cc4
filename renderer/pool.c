#include "pool.h"

#include "common/clock.h"
#include "common/mem.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct pool {
    int threads; // fixed
    pthread_mutex_t lock;
    pthread_cond_t work, done;

    /* Guarded by lock. */
    pthread_t *helpers;
    int helper_count;
    bool started, busy, quit;
    int named; // helpers that have taken their number
    void (*job)(void *data, int index, int count);
    void *data;
    int count, next, running; // of the batch: all jobs, the next to take, those that are being done
    uint64_t *cpu_ns;         // per helper
};

// Takes jobs until none is left. Called and left with the lock held.
static void do_jobs(struct pool *pool)
{
    while (pool->next < pool->count) {
        int index = pool->next++;

        pool->running++;
        pthread_mutex_unlock(&pool->lock);
        pool->job(pool->data, index, pool->count);
        pthread_mutex_lock(&pool->lock);
        pool->running--;
    }
}

static void *helper_main(void *data)
{
    struct pool *pool = data;
    char name[32];
    int helper;

    pthread_mutex_lock(&pool->lock);
    helper = pool->named++;
    snprintf(name, sizeof(name), "slice-%d", helper + 1);
    pthread_setname_np(pthread_self(), name);
    while (!pool->quit) {
        uint64_t start_ns;

        if (pool->next >= pool->count) {
            pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        start_ns = clock_thread_cpu_ns();
        do_jobs(pool);
        pool->cpu_ns[helper] += clock_thread_cpu_ns() - start_ns;
        if (!pool->running)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct pool *pool_new(int threads)
{
    struct pool *pool = mem_zalloc(sizeof(*pool));

    pool->threads = threads < 1 ? 1 : threads;
    pool->cpu_ns = mem_zalloc((size_t)pool->threads * sizeof(*pool->cpu_ns));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    return pool;
}

// Called with the lock held, which the helpers wait for.
static void start_helpers(struct pool *pool)
{
    sigset_t all, before;

    pool->started = true;
    pool->helpers = mem_zalloc((size_t)(pool->threads - 1) * sizeof(*pool->helpers));
    // Signals are the loop thread's business.
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->helper_count < pool->threads - 1) {
        if (pthread_create(&pool->helpers[pool->helper_count], NULL, helper_main, pool))
            break;
        pool->helper_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int pool_run(struct pool *pool, int count, void (*job)(void *data, int index, int count), void *data)
{
    bool alone = pool->threads == 1 || count <= 1;

    if (!alone) {
        pthread_mutex_lock(&pool->lock);
        alone = pool->busy;
        if (!alone) {
            if (!pool->started)
                start_helpers(pool);
            pool->busy = true;
            pool->job = job;
            pool->data = data;
            pool->next = 0;
            pool->count = count;
            pthread_cond_broadcast(&pool->work);
            do_jobs(pool);
            while (pool->running)
                pthread_cond_wait(&pool->done, &pool->lock);
            pool->count = pool->next = 0;
            pool->busy = false;
        }
        pthread_mutex_unlock(&pool->lock);
    }
    if (alone)
        for (int i = 0; i < count; i++)
            job(data, i, count);
    return 0;
}

int pool_threads(const struct pool *pool)
{
    return pool->threads;
}

uint64_t pool_cpu_ns(struct pool *pool)
{
    uint64_t cpu_ns = 0;

    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < pool->helper_count; i++)
        cpu_ns += pool->cpu_ns[i];
    pthread_mutex_unlock(&pool->lock);
    return cpu_ns;
}

void pool_helpers_cpu_ns(struct pool *pool, uint64_t *cpu_ns)
{
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i + 1 < pool->threads; i++)
        cpu_ns[i] = pool->cpu_ns[i];
    pthread_mutex_unlock(&pool->lock);
}

void pool_free(struct pool **pool)
{
    struct pool *p = *pool;

    if (!p)
        return;
    *pool = NULL;
    pthread_mutex_lock(&p->lock);
    assert(!p->busy);
    p->quit = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->helper_count; i++)
        pthread_join(p->helpers[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->helpers);
    free(p->cpu_ns);
    free(p);
}
