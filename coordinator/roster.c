#include "roster.h"

#include "common/mem.h"
#include "common/protocol.h"

#include <assert.h>
#include <stdlib.h>

const char *renderer_state_name(enum renderer_state state)
{
    static const char *const names[] = {"starting", "ready", "busy", "gone"};

    return names[state];
}

void roster_init(struct roster *roster, size_t count)
{
    *roster = (struct roster){0};
    roster_grow(roster, count);
}

void roster_grow(struct roster *roster, size_t count)
{
    if (count <= roster->count)
        return;
    roster->renderers = mem_grow(roster->renderers, count, sizeof(*roster->renderers));
    for (; roster->count < count; roster->count++)
        roster->renderers[roster->count] = (struct renderer){.slot = (uint32_t)roster->count, .state = RENDERER_GONE};
}

void roster_clear(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        chunk_list_clear(&roster->renderers[i].spare);
    free(roster->renderers);
    *roster = (struct roster){0};
}

void roster_set_state(struct renderer *renderer, enum renderer_state state)
{
    static const bool allowed[4][4] = {
        [RENDERER_STARTING] = {[RENDERER_READY] = true, [RENDERER_GONE] = true},
        [RENDERER_READY] = {[RENDERER_BUSY] = true, [RENDERER_GONE] = true},
        [RENDERER_BUSY] = {[RENDERER_READY] = true, [RENDERER_GONE] = true},
        [RENDERER_GONE] = {[RENDERER_STARTING] = true},
    };

    assert(allowed[renderer->state][state]);
    renderer->state = state;
    if (state == RENDERER_STARTING) {
        renderer->peer = 0;
        renderer->job = 0;
        renderer->condemned = renderer->cut_off = false;
        renderer->pace = (struct pace){0};
    }
    if (state != RENDERER_BUSY) {
        renderer->probing = false;
        renderer->task = (struct roster_task){0};
        renderer->owed = 0;
        renderer->received = renderer->received_bytes = 0;
        renderer->second = renderer->cancelled = false;
        renderer->has_ahead = renderer->called_back = false;
        chunk_list_clear(&renderer->spare);
    }
}

bool roster_waits_for_input(const struct renderer *renderer)
{
    return renderer->state == RENDERER_BUSY && renderer->task.credit == renderer->task.most_credit && !renderer->task.all_sent;
}

bool roster_waits_for_credit(const struct renderer *renderer)
{
    return renderer->state == RENDERER_BUSY && renderer->owed >= PROTOCOL_FIRST_CREDIT;
}

void roster_end_task(struct renderer *renderer, uint64_t now_ns)
{
    struct roster_task ahead = renderer->ahead;
    bool has_ahead = renderer->has_ahead, called_back = renderer->called_back;

    roster_set_state(renderer, RENDERER_READY);
    if (!has_ahead)
        return;
    roster_set_state(renderer, RENDERER_BUSY);
    renderer->task = ahead;
    renderer->cancelled = called_back;
    renderer->since_ns = renderer->heard_ns = now_ns;
}

struct renderer *roster_by_peer(struct roster *roster, uint32_t peer)
{
    for (size_t i = 0; i < roster->count; i++) {
        struct renderer *renderer = &roster->renderers[i];

        if (renderer->peer == peer && (renderer->state == RENDERER_READY || renderer->state == RENDERER_BUSY))
            return renderer;
    }
    return NULL;
}

struct renderer *roster_by_place(struct roster *roster, uint64_t place)
{
    for (size_t i = 0; i < roster->count; i++) {
        struct renderer *renderer = &roster->renderers[i];

        if (renderer->remote && renderer->state != RENDERER_GONE && renderer->place == place)
            return renderer;
    }
    return NULL;
}

struct renderer *roster_guest(struct roster *roster)
{
    for (size_t i = 0; i < roster->count; i++)
        if (roster->renderers[i].remote && roster->renderers[i].state == RENDERER_GONE)
            return &roster->renderers[i];
    roster_grow(roster, roster->count + 1);
    roster->renderers[roster->count - 1].remote = true;
    return &roster->renderers[roster->count - 1];
}

size_t roster_guests(const struct roster *roster)
{
    size_t count = 0;

    for (size_t i = 0; i < roster->count; i++)
        count += roster->renderers[i].remote;
    return count;
}

size_t roster_remote(const struct roster *roster)
{
    size_t count = 0;

    for (size_t i = 0; i < roster->count; i++)
        count += roster->renderers[i].remote && roster->renderers[i].state != RENDERER_GONE;
    return count;
}

size_t roster_count(const struct roster *roster, enum renderer_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < roster->count; i++)
        count += roster->renderers[i].state == state;
    return count;
}
