// Renderers that are made up come, say hello or do not, and end, by themselves or by a signal.
#include "renderers.h"

#include "common/mem.h"

#include "coordinator/simulate/no_processes.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct renderer_process *processes;
static uint32_t next_pid;

struct renderer_process *renderers_by_identity(const char *identity)
{
    for (struct renderer_process *r = processes; r; r = r->next)
        if (strcmp(r->identity, identity) == 0)
            return r;
    return NULL;
}

// ---- Ends ----

struct end {
    struct renderer_process *process;
    int signal;
};

static void take_out(struct renderer_process *r)
{
    struct renderer_process **at = &processes;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
}

static void on_end(void *data)
{
    struct end *end = data;
    struct renderer_process *r = end->process;
    struct spawner_exit exit = {.slot = r->slot, .pid = r->pid, .signal = end->signal, .status = 0, .last_words = ""};

    r->alive = false; // events of it may still come; it is freed with the world
    work_clear(r);
    free(end);
    world_say("renderer %u (process %u) is gone, signal %d", r->slot, r->pid, exit.signal);
    no_processes_ended(&exit);
}

void renderers_end(struct renderer_process *r, int signal)
{
    struct end *end;

    if (!r->alive || r->dying)
        return;
    r->dying = true;
    end = mem_zalloc(sizeof(*end));
    *end = (struct end){r, signal};
    world_after(100000 + world_random(2000000), on_end, free, end);
}

// ---- Beginnings ----

static void on_hello(void *data)
{
    struct renderer_process *r = data;

    if (!r->alive || r->dying)
        return;
    if (world_chance(world.faults.start_fails)) {
        if (world_random(4) == 0)
            r->hung = true;
        else
            renderers_end(r, SIGABRT);
        return;
    }
    r->greeted = true;
    words_hello(r);
}

uint32_t renderers_start(uint32_t slot)
{
    struct renderer_process *r = mem_zalloc(sizeof(*r));

    r->slot = slot;
    r->pid = ++next_pid;
    snprintf(r->identity, sizeof(r->identity), "renderer-%u-%u", slot, r->pid);
    r->alive = true;
    r->start_tick = world.ticks;
    r->slowness = (world_chance(world.faults.slow) ? 50 : (unsigned)world_random(4)) + (world.far >> slot % 64 & 1 ? 10 : 0); // so that others wait
    r->next = processes;
    processes = r;
    world_say("renderer %u starts (process %u)", slot, r->pid);
    world_after(20000000 + world_random(50000000), on_hello, NULL, r);
    return r->pid;
}

// ---- For the spawner and the world ----

void renderers_kill(uint32_t slot, int signal)
{
    for (struct renderer_process *r = processes; r; r = r->next)
        if (slot == RENDERERS_ALL || r->slot == slot)
            renderers_end(r, signal);
}

void renderers_check_none_left(void)
{
    while (processes) {
        struct renderer_process *r = processes;

        if (r->alive)
            world_violated("renderer %u (process %u) is left running", r->slot, r->pid);
        take_out(r);
        free(r->frames);
        free(r);
    }
}

void renderers_check_starts(uint64_t most_ticks)
{
    for (const struct renderer_process *r = processes; r; r = r->next)
        if (r->alive && !r->greeted && world.ticks - r->start_tick > most_ticks)
            world_violated("renderer %u (process %u) does not say hello, and nobody misses it", r->slot, r->pid);
}

void renderers_kill_random(void)
{
    unsigned alive = 0, wanted;

    for (struct renderer_process *r = processes; r; r = r->next)
        alive += r->alive;
    wanted = alive ? (unsigned)world_random(alive) : 0;
    for (struct renderer_process *r = processes; r; r = r->next)
        if (r->alive && wanted-- == 0) {
            world.counts.crashes++;
            renderers_end(r, SIGKILL);
            return;
        }
}
