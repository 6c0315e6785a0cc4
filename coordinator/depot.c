#include "depot_state.h"

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FAILED_STARTS = 3 };

#define BACK_OFF_NS UINT64_C(200000000)
#define START_AGAIN_NS UINT64_C(2000000000) // where there was no process or memory for one

static struct tenant *entry_of(const struct depot *d, const struct depot_tenant *tenant)
{
    for (size_t i = 0; i < d->tenant_count; i++)
        if (d->tenants[i].tenant == tenant)
            return &d->tenants[i];
    return NULL;
}

// ---- Processes ----

static bool start(struct depot *d, struct renderer *renderer)
{
    d->places[renderer->slot].renewed = false;
    if (crew_start(&d->crew, renderer) == 0)
        return true;
    // What is lacking now may be there later; until then others go on.
    renderer->start_at_ns = clock_now_ns() + START_AGAIN_NS;
    if (roster_count(&d->crew.roster, RENDERER_GONE) < d->crew.roster.count)
        return false;
    d->leaving = true;
    d->on_fail(d->data);
    return false;
}

void depot_start_due(struct depot *d)
{
    uint64_t now_ns = clock_now_ns();

    for (size_t i = 0; i < d->most && !d->leaving; i++)
        if (d->crew.roster.renderers[i].state == RENDERER_GONE && now_ns >= d->crew.roster.renderers[i].start_at_ns)
            start(d, &d->crew.roster.renderers[i]);
}

static void grow(struct depot *d)
{
    size_t count = d->crew.roster.count + 1;

    crew_grow(&d->crew, count);
    d->places = mem_grow(d->places, count, sizeof(*d->places));
    d->places[count - 1] = (struct place){0};
}

void depot_start_more(struct depot *d, size_t starting)
{
    uint64_t now_ns = clock_now_ns();
    size_t on_their_way = 0;

    for (size_t i = 0; i < d->crew.roster.count; i++) {
        const struct renderer *renderer = &d->crew.roster.renderers[i];

        // Who waits for its back-off is not replaced by yet another one.
        on_their_way += renderer->state == RENDERER_STARTING || (renderer->state == RENDERER_GONE && now_ns < renderer->start_at_ns) ||
                        (d->places[i].renewed && renderer->state != RENDERER_GONE);
    }
    for (size_t i = 0; on_their_way < starting && !d->leaving; i++) {
        if (i == d->crew.roster.count)
            grow(d);
        if (d->crew.roster.renderers[i].state != RENDERER_GONE || now_ns < d->crew.roster.renderers[i].start_at_ns)
            continue;
        if (!start(d, &d->crew.roster.renderers[i]))
            return;
        on_their_way++;
    }
}

void depot_renew(struct depot *d, struct renderer *renderer)
{
    d->places[renderer->slot].renewed = true;
    renderer->heard_ns = clock_now_ns();
    hub_send_bye(d->crew.hub, renderer->peer);
}

// Nobody gets another task while a probe waits for a renderer.
static void call_back(struct depot *d)
{
    bool wanted = false;

    for (size_t i = 0; i < d->tenant_count && !wanted; i++) {
        const struct depot_tenant *tenant = d->tenants[i].tenant;

        wanted = tenant->stage_count == 0 && tenant->wish(tenant->data, 0) > 0;
    }
    for (size_t i = 0; i < d->tenant_count; i++)
        d->tenants[i].tenant->crew->called_back = wanted;
}

// What memory does not suffice for, but for those that a plan with stages could not go on without.
static void let_surplus_go(struct depot *d)
{
    size_t needed = 0;

    for (size_t i = 0; i < d->tenant_count; i++)
        if (d->tenants[i].tenant->stage_count > 1 && d->tenants[i].tenant->stage_count > needed)
            needed = d->tenants[i].tenant->stage_count;
    for (size_t i = d->most + needed; d->most < d->workers && i < d->crew.roster.count; i++)
        if (d->crew.roster.renderers[i].state == RENDERER_READY && !d->places[i].renewed)
            depot_renew(d, &d->crew.roster.renderers[i]);
}

// It starts, or was told to leave. Nobody else looks after those.
static bool is_on_its_way(const struct depot *d, const struct renderer *renderer)
{
    return renderer->state == RENDERER_STARTING || (renderer->state == RENDERER_READY && d->places[renderer->slot].renewed);
}

static void replace_hanging(struct depot *d)
{
    uint64_t now_ns = clock_now_ns(), asleep_ns = 0;

    // This process was stopped, and the others with it.
    if (d->looked_ns && now_ns - d->looked_ns > d->stall_ns / 2)
        asleep_ns = now_ns - d->looked_ns;
    d->looked_ns = now_ns;
    for (size_t i = 0; i < d->crew.roster.count; i++) {
        struct renderer *renderer = &d->crew.roster.renderers[i];

        renderer->heard_ns = clock_excuse(renderer->heard_ns, asleep_ns, now_ns);
        if (!is_on_its_way(d, renderer) || now_ns - renderer->heard_ns <= d->stall_ns)
            continue;
        log_warn("renderer %u hangs while it %s (see --stall-timeout)", renderer->slot, renderer->state == RENDERER_STARTING ? "starts" : "leaves");
        renderer->heard_ns = now_ns;
        crew_condemn(&d->crew, renderer, "it hangs");
    }
}

void depot_turn(struct depot *d)
{
    depot_collect(d);
    if (d->leaving)
        return;
    replace_hanging(d);
    depot_start_due(d);
    depot_lend(d);
    let_surplus_go(d);
    call_back(d);
}

void depot_limit(struct depot *d, unsigned most, const char *why)
{
    if (most >= d->most)
        return;
    d->most = most;
    log_warn("%s; %u of %u renderers work at once", why, most, d->workers);
}

unsigned depot_workers(const struct depot *d)
{
    return d->workers;
}

int depot_busy(const struct depot *d)
{
    return (int)roster_count(&d->crew.roster, RENDERER_BUSY);
}

bool depot_is_news(struct depot *d, const char *text)
{
    size_t i = 0;

    for (; i < DEPOT_MOST_TOLD && d->told[i]; i++)
        if (strcmp(d->told[i], text) == 0)
            return false;
    if (i < DEPOT_MOST_TOLD)
        d->told[i] = mem_dup(text);
    return true;
}

// ---- Memory for frames ----

uint64_t depot_take_memory(struct depot *d, uint64_t size)
{
    return parts_take(&d->memory, size);
}

struct returned {
    struct depot *depot;
    uint64_t offset, size;
};

static void forget(void *data)
{
    const struct returned *r = data;

    arena_forget(r->depot->crew.frames_fd, r->offset, r->size);
}

static void on_forgotten(void *data)
{
    struct returned *r = data;

    parts_give(&r->depot->memory, r->offset);
    free(r);
}

void depot_give_memory(struct depot *d, uint64_t offset, uint64_t size)
{
    struct returned *r = mem_zalloc(sizeof(*r));

    *r = (struct returned){d, offset, size};
    lane_run(&d->sweeper, forget, on_forgotten, r);
}

uint64_t depot_memory(const struct depot *d)
{
    return d->memory.bytes;
}

// ---- What renderers say ----

static struct depot_tenant *holder_of(struct depot *d, uint32_t peer)
{
    struct renderer *renderer = roster_by_peer(&d->crew.roster, peer);

    return renderer ? d->places[renderer->slot].holder : NULL;
}

// For what is said of an attempt, which becomes the holder's own number; NULL: it was another one's.
static struct depot_tenant *holder_for(struct depot *d, uint32_t peer, uint32_t *attempt)
{
    struct depot_tenant *holder = holder_of(d, peer);

    return holder && crew_own_attempt(holder->crew, peer, attempt) ? holder : NULL;
}

static void on_hello(void *data, uint32_t peer, const Wire__Hello *hello)
{
    struct depot *d = data;
    struct renderer *renderer = hello->slot < d->crew.roster.count ? &d->crew.roster.renderers[hello->slot] : NULL;

    if (!crew_awaits(&d->crew, renderer, hello->pid)) {
        hub_forget(d->crew.hub, peer);
        return;
    }
    renderer->peer = peer;
    renderer->failed_starts = 0;
    roster_set_state(renderer, RENDERER_READY);
    log_info("renderer %u is ready (process %u)", renderer->slot, renderer->pid);
    if (d->leaving)
        crew_dismiss(&d->crew, renderer);
}

static void on_chunk(void *data, uint32_t peer, uint32_t segment, uint32_t attempt, struct chunk **chunk)
{
    struct depot_tenant *holder = holder_for(data, peer, &attempt);

    if (holder)
        holder->events->on_chunk(holder->data, peer, segment, attempt, chunk);
}

static void on_probed(void *data, uint32_t peer, const Wire__Probed *probed)
{
    Wire__Probed own = *probed;
    struct depot_tenant *holder = holder_for(data, peer, &own.attempt);

    if (holder)
        holder->events->on_probed(holder->data, peer, &own);
}

static void on_done(void *data, uint32_t peer, const Wire__Done *done)
{
    Wire__Done own = *done;
    struct depot_tenant *holder = holder_for(data, peer, &own.attempt);

    if (holder)
        holder->events->on_done(holder->data, peer, &own);
}

static void on_failed(void *data, uint32_t peer, const Wire__Failed *failed)
{
    Wire__Failed own = *failed;
    struct depot_tenant *holder = holder_for(data, peer, &own.attempt);

    if (holder)
        holder->events->on_failed(holder->data, peer, &own);
}

static void on_credit(void *data, uint32_t peer, const Wire__Credit *credit)
{
    Wire__Credit own = *credit;
    struct depot_tenant *holder = holder_for(data, peer, &own.attempt);

    if (holder)
        holder->events->on_credit(holder->data, peer, &own);
}

// Only renderers on other hosts say it, and there are none.
static void on_bye(void *data, uint32_t peer)
{
    struct depot *d = data;

    hub_forget(d->crew.hub, peer);
}

static void on_dropped(void *data, uint32_t peer, const char *why)
{
    struct depot *d = data;
    struct renderer *renderer = roster_by_peer(&d->crew.roster, peer);
    struct depot_tenant *holder = holder_of(d, peer);

    if (holder) {
        holder->events->on_dropped(holder->data, peer, why);
        return;
    }
    log_warn("a renderer was sent away: %s", why);
    if (renderer)
        crew_condemn(&d->crew, renderer, why);
}

static const struct hub_events events = {
    .on_hello = on_hello,
    .on_chunk = on_chunk,
    .on_probed = on_probed,
    .on_done = on_done,
    .on_failed = on_failed,
    .on_credit = on_credit,
    .on_bye = on_bye,
    .on_dropped = on_dropped,
};

// ---- Their ends ----

// One that was here, or on its way.
static void lose_own(struct depot *d, const struct renderer *was, const struct spawner_exit *fact)
{
    struct renderer *renderer = &d->crew.roster.renderers[was->slot];
    struct place *place = &d->places[was->slot];
    char how[80];

    if (was->peer)
        hub_forget(d->crew.hub, was->peer);
    if (d->leaving || place->renewed)
        return;
    if (fact->signal)
        snprintf(how, sizeof(how), "was ended by signal %d (%s)", fact->signal, strsignal(fact->signal));
    else
        snprintf(how, sizeof(how), "exited with status %" PRId64, fact->status);
    renderer->failed_starts += was->state == RENDERER_STARTING && fact->signal != SIGKILL;
    if (renderer->failed_starts >= MAX_FAILED_STARTS) {
        log_error("%s does not start: it %s%s%s", d->crew.program, how, *fact->last_words ? "; it said: " : "", fact->last_words);
        d->leaving = true;
        d->on_fail(d->data);
        return;
    }
    renderer->start_at_ns = fact->signal == SIGKILL ? 0 : clock_now_ns() + BACK_OFF_NS;
    log_warn("renderer %u %s", was->slot, how);
}

static void on_exit_of(void *data, const struct spawner_exit *fact)
{
    struct depot *d = data;
    struct renderer *renderer = &d->crew.roster.renderers[fact->slot];
    struct renderer was = *renderer;
    struct place *place = &d->places[fact->slot];
    struct depot_tenant *holder = place->holder;

    renderer->start_at_ns = 0;
    renderer->ended_pid = fact->pid;
    roster_set_state(renderer, RENDERER_GONE);
    if (holder) {
        const struct renderer *lent = &holder->crew->roster.renderers[fact->slot];

        place->holder = NULL;
        holder->on_exit(holder->data, fact);
        renderer->losses = lent->losses;
        renderer->start_at_ns = lent->start_at_ns;
    } else {
        lose_own(d, &was, fact);
    }
    free(place->kind);
    *place = (struct place){0};
    depot_start_due(d);
}

// ---- Tenants, beginning and end ----

void depot_lend_to(struct depot *d, struct crew *crew)
{
    crew_borrow(crew, &d->crew);
}

void depot_join(struct depot *d, struct depot_tenant *tenant)
{
    d->tenants = mem_grow(d->tenants, d->tenant_count + 1, sizeof(*d->tenants));
    d->tenants[d->tenant_count++] = (struct tenant){.tenant = tenant, .number = ++d->next_number};
    tenant->crew->borrower = (uint32_t)d->next_number;
}

void depot_leave(struct depot *d, struct depot_tenant *tenant)
{
    struct tenant *entry = entry_of(d, tenant);

    if (!entry)
        return;
    memmove(entry, entry + 1, (size_t)(d->tenants + d->tenant_count - entry - 1) * sizeof(*entry));
    d->tenant_count--;
}

int depot_open(struct depot **depot, uv_loop_t *loop, int workers, int threads, double stall_s, int verbosity, void (*on_fail)(void *data),
               void *data)
{
    struct depot *d = mem_zalloc(sizeof(*d));
    int err;

    d->places = mem_zalloc((size_t)workers * sizeof(*d->places));
    d->workers = d->most = (unsigned)workers;
    d->stall_ns = (uint64_t)(stall_s * 1e9);
    d->on_fail = on_fail;
    d->data = data;
    lane_init(&d->sweeper, loop);
    err = crew_init(&d->crew, loop, workers, threads, verbosity, &events, on_exit_of, d);
    for (size_t i = 0; i < d->crew.roster.count && !err; i++)
        err = crew_start(&d->crew, &d->crew.roster.renderers[i]);
    crew_settle(&d->crew);
    if (err < 0)
        d->leaving = true;
    *depot = d;
    return err;
}

void depot_dismiss(struct depot *d)
{
    d->leaving = true;
    crew_say_bye(&d->crew);
}

int depot_running(const struct depot *d)
{
    return crew_running(&d->crew);
}

void depot_kill(struct depot *d)
{
    d->leaving = true;
    crew_kill(&d->crew);
}

void depot_abandon(struct depot *d)
{
    crew_abandon(&d->crew);
}

void depot_close(struct depot *d)
{
    crew_close(&d->crew);
}

void depot_free(struct depot **depot)
{
    struct depot *d = *depot;

    if (!d)
        return;
    *depot = NULL;
    for (size_t i = 0; i < d->crew.roster.count; i++)
        free(d->places[i].kind);
    crew_clear(&d->crew);
    free(d->places);
    free(d->tenants);
    parts_clear(&d->memory);
    for (size_t i = 0; i < DEPOT_MOST_TOLD; i++)
        free(d->told[i]);
    free(d);
}
