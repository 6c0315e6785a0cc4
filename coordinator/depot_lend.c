// Who gets a renderer next, and which.
#include "depot_state.h"

#include "common/clock.h"
#include "common/mem.h"

#include <string.h>

// Plans with stages that may be begun while others are at work, where there are fewer workers: one ends while the next begins.
enum { LEAST_BEGUN = 2 };

static void lend(struct depot *d, struct renderer *renderer, struct tenant *to, size_t stage)
{
    struct place *place = &d->places[renderer->slot];
    struct depot_tenant *tenant = to->tenant;
    struct renderer *lent;

    crew_grow(tenant->crew, d->crew.roster.count);
    lent = &tenant->crew->roster.renderers[renderer->slot];
    if (!place->kind)
        place->kind = mem_dup(tenant->kind);
    roster_set_state(renderer, RENDERER_BUSY);
    roster_set_state(lent, RENDERER_STARTING);
    roster_set_state(lent, RENDERER_READY);
    lent->peer = renderer->peer;
    lent->pid = renderer->pid;
    lent->losses = renderer->losses;
    lent->job = place->last == to->number ? place->job : 0;
    lent->stage = (uint32_t)stage;
    lent->heard_ns = clock_now_ns();
    place->holder = tenant;
    place->work = tenant->stage_count > 0 ? tenant->works[stage] : DEPOT_PROBE;
    place->last = to->number;
    place->stage = stage;
}

static void take_back(struct depot *d, struct renderer *renderer)
{
    struct place *place = &d->places[renderer->slot];
    struct renderer *lent = &place->holder->crew->roster.renderers[renderer->slot];

    place->job = lent->job;
    place->holder = NULL;
    renderer->losses = lent->losses;
    roster_set_state(lent, RENDERER_GONE);
    roster_set_state(renderer, RENDERER_READY);
}

void depot_collect(struct depot *d)
{
    for (size_t i = 0; i < d->crew.roster.count; i++) {
        struct depot_tenant *holder = d->places[i].holder;

        if (holder && holder->crew->roster.renderers[i].state == RENDERER_READY) {
            take_back(d, &d->crew.roster.renderers[i]);
            holder->pump(holder->data);
        }
    }
}

// ---- Who ----

static unsigned lent_for(const struct depot *d, enum depot_work work)
{
    unsigned count = 0;

    for (size_t i = 0; i < d->crew.roster.count; i++)
        count += d->places[i].holder && d->places[i].work == work;
    return count;
}

static bool has_one_for(const struct depot *d, const struct depot_tenant *tenant, size_t stage)
{
    for (size_t i = 0; i < d->crew.roster.count; i++)
        if (d->places[i].holder == tenant && d->places[i].stage == stage)
            return true;
    return false;
}

static bool is_staged(const struct tenant *entry)
{
    return entry->tenant->stage_count > 1;
}

// How many more may be lent for that stage, by the rules above.
static unsigned allowance(const struct depot *d, const struct tenant *entry, size_t stage)
{
    const struct depot_tenant *tenant = entry->tenant;
    unsigned lent, least;

    if (tenant->stage_count == 0)
        return !has_one_for(d, tenant, stage);
    if (is_staged(entry) && !entry->begun)
        return 0;
    least = is_staged(entry) && !has_one_for(d, tenant, stage);
    if (tenant->works[stage] == DEPOT_ORDER)
        return least;
    lent = lent_for(d, tenant->works[stage]);
    return lent < d->most ? d->most - lent : least;
}

static unsigned due(const struct depot *d, const struct tenant *entry, size_t stage)
{
    unsigned wish = entry->tenant->wish(entry->tenant->data, stage), allowed = wish > 0 ? allowance(d, entry, stage) : 0;

    return wish < allowed ? wish : allowed;
}

// A plan with stages is begun when all such plans before have what they can use, and there are renderers left.
static bool may_begin_another(const struct depot *d, unsigned begun)
{
    unsigned all = 0;

    if (begun >= d->most && begun >= LEAST_BEGUN)
        return false;
    for (enum depot_work work = 0; work < DEPOT_WORKS; work++)
        all += lent_for(d, work);
    return lent_for(d, DEPOT_FINISH) < d->most && lent_for(d, DEPOT_PREPARE) < d->most && all <= 2 * d->most;
}

static bool begin_staged(struct depot *d)
{
    unsigned begun = 0;

    for (size_t i = 0; i < d->tenant_count; i++) {
        struct tenant *entry = &d->tenants[i];

        if (!is_staged(entry))
            continue;
        if (!entry->begun) {
            entry->begun = begun == 0 || may_begin_another(d, begun);
            return entry->begun; // its share is to be lent before the next one is asked
        }
        if (!entry->tenant->is_dealt(entry->tenant->data))
            return false;
        begun++;
    }
    return false;
}

// ---- Which ----

static bool is_free(const struct depot *d, const struct renderer *renderer)
{
    return renderer->state == RENDERER_READY && !renderer->dismissed && !renderer->condemned && !d->places[renderer->slot].renewed;
}

// How well it fits, 0: not at all. One that knows the job need not be told it again, and one that has worked need not be asked to lock itself in.
static int fitness(const struct place *place, const struct tenant *to, size_t stage)
{
    if (place->kind && strcmp(place->kind, to->tenant->kind) != 0)
        return 0;
    return place->last == to->number && place->stage == stage ? 3 : place->kind ? 2 : 1;
}

// One that can do the tenant's kind of work; NULL: there is none. One that cannot makes room for another.
static struct renderer *free_renderer(struct depot *d, const struct tenant *to, size_t stage)
{
    struct renderer *best = NULL, *other = NULL;
    int most = 0;

    for (size_t i = 0; i < d->crew.roster.count; i++) {
        struct renderer *renderer = &d->crew.roster.renderers[i];
        int fits = is_free(d, renderer) ? fitness(&d->places[i], to, stage) : -1;

        if (fits == 0)
            other = renderer;
        if (fits > most) {
            best = renderer;
            most = fits;
        }
    }
    if (!best && other)
        depot_renew(d, other);
    return best;
}

// Returns how many it is short of.
static unsigned serve(struct depot *d, struct tenant *to, size_t stage)
{
    struct depot_tenant *tenant = to->tenant;
    unsigned wish;

    while ((wish = due(d, to, stage)) > 0) {
        struct renderer *renderer = free_renderer(d, to, stage);
        uint32_t slot;

        if (!renderer)
            return wish;
        slot = renderer->slot;
        lend(d, renderer, to, stage);
        tenant->pump(tenant->data);
        // Pumping may have ended it, but nobody leaves before the loop has turned.
        if (tenant->crew->roster.renderers[slot].state == RENDERER_READY) {
            take_back(d, &d->crew.roster.renderers[slot]);
            return 0;
        }
    }
    return 0;
}

// How many processes more are needed for that, when so many are promised for each kind of work.
static unsigned lacking(const struct depot *d, const struct tenant *to, size_t stage, unsigned missing, unsigned *promised)
{
    enum depot_work work = to->tenant->works[stage];
    unsigned taken = lent_for(d, work) + promised[work], room = taken < d->most ? d->most - taken : 0;

    if (work == DEPOT_ORDER || missing == 0)
        return missing;
    missing = missing < room ? missing : room;
    promised[work] += missing;
    return missing == 0 && !has_one_for(d, to->tenant, stage) ? 1 : missing;
}

// Returns how many processes it is short of.
static size_t serve_all(struct depot *d)
{
    unsigned promised[DEPOT_WORKS] = {0};
    size_t short_of = 0;

    for (size_t i = 0; i < d->tenant_count; i++) {
        struct tenant *to = &d->tenants[i];

        // From the last stage, which lets go of what those before have made.
        for (size_t stage = to->tenant->stage_count; stage-- > 0;) {
            unsigned missing = serve(d, to, stage);

            if (is_staged(to))
                short_of += lacking(d, to, stage, missing, promised);
        }
    }
    return short_of;
}

void depot_lend(struct depot *d)
{
    size_t short_of;

    for (size_t i = 0; i < d->tenant_count; i++)
        if (d->tenants[i].tenant->stage_count == 0)
            serve(d, &d->tenants[i], 0);
    short_of = serve_all(d);
    if (begin_staged(d))
        short_of = serve_all(d);
    depot_start_more(d, short_of);
}
