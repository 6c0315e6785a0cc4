// Renderers that only take time: they come and go, and each is at any time in one state, which the reasons for idle cores are counted from.
#include "renderers.h"

#include "no_processes.h"

#include "common/mem.h"

#include <stdlib.h>

static struct process *processes;
static struct process **by_number; // all, by peer
static uint32_t next_peer;

static unsigned *count_of(enum process_state state)
{
    static unsigned gone;

    switch (state) {
    case PROCESS_STARTING:
        return &virtual.counts.starting;
    case PROCESS_IDLE:
        return &virtual.counts.idle;
    case PROCESS_WORKING:
        return &virtual.counts.working;
    case PROCESS_WAITS_INPUT:
        return &virtual.counts.waits_input;
    case PROCESS_WAITS_CREDIT:
        return &virtual.counts.waits_credit;
    case PROCESS_WAITS_SLOT:
        return &virtual.counts.waits_slot;
    default:
        return &gone;
    }
}

static void look_for_serial(void)
{
    virtual.serial_stage = UINT32_MAX;
    for (const struct process *p = processes; p && virtual.farm && virtual.farm->stage_count > 1; p = p->next)
        if (p->state == PROCESS_WORKING && !p->probing && p->task.stage < virtual.farm->stage_count &&
            !virtual.farm->stages[p->task.stage].plan->parallel && p->task.stage < virtual.serial_stage)
            virtual.serial_stage = p->task.stage;
}

void renderers_set_state(struct process *p, enum process_state state)
{
    if (p->state == state)
        return;
    --*count_of(p->state);
    ++*count_of(state);
    p->state = state;
    if (p->job.takes || p->job.gives)
        look_for_serial();
}

struct process *renderers_by_peer(uint32_t peer)
{
    struct process *p = peer >= 1 && peer <= next_peer ? by_number[peer] : NULL;

    return p && p->state != PROCESS_GONE ? p : NULL;
}

static void on_started(void *data)
{
    struct process *p = data;

    if (p->state == PROCESS_GONE)
        return;
    renderers_set_state(p, PROCESS_IDLE);
    post_hello(p);
}

static void on_spawned(void *data)
{
    struct process *p = data;

    virtual_work(p->host, virtual.machine->recording->start, on_started, p);
}

// The loop is at it all the while.
uint32_t renderers_start(uint32_t slot)
{
    struct process *p = mem_zalloc(sizeof(*p));

    p->slot = slot;
    p->host = slot % virtual.machine->hosts;
    p->peer = ++next_peer;
    by_number = mem_grow(by_number, next_peer + 1, sizeof(struct process *));
    by_number[next_peer] = p;
    p->last = &p->first;
    p->state = PROCESS_GONE;
    renderers_set_state(p, PROCESS_STARTING);
    p->next = processes;
    processes = p;
    virtual_post(virtual.machine->recording->spawn, on_spawned, p);
    return p->peer;
}

struct farewell {
    uint32_t slot;
};

static void on_gone(void *data)
{
    struct farewell *farewell = data;
    struct spawner_exit fact = {.slot = farewell->slot, .last_words = ""};

    free(farewell);
    no_processes_ended(&fact);
}

void renderers_leave(struct process *p)
{
    struct farewell *farewell;

    if (p->state == PROCESS_GONE)
        return;
    renderers_set_state(p, PROCESS_GONE);
    farewell = mem_zalloc(sizeof(*farewell));
    farewell->slot = p->slot;
    virtual_after(virtual.machine->recording->leave, on_gone, farewell);
}

void renderers_kill(uint32_t slot, int signal)
{
    (void)signal;
    for (struct process *p = processes; p; p = p->next)
        if (slot == RENDERERS_ALL || p->slot == slot)
            renderers_leave(p);
}

void renderers_end(void)
{
    while (processes) {
        struct process *p = processes;

        processes = p->next;
        work_clear(p);
        free(p);
    }
    free(by_number);
    by_number = NULL;
    next_peer = 0;
    virtual.counts = (struct virtual_counts){0};
}
