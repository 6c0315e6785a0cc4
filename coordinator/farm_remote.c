// Renderers on other hosts: who may join, what follows when one leaves or is lost, and what is said while nobody is here.
#include "farm_state.h"

#include "common/clock.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// After the command of --launch has ended, for renderers that are still on their way.
#define LONELY_NS UINT64_C(30000000000)

// Refusals that are told of; the rest is counted.
enum { MOST_TOLD = 20 };

bool farm_remote_takes_frames(const struct farm *f)
{
    const struct plan_stage *last = f->stage_count > 1 ? &f->plan.stages[f->stage_count - 1] : NULL;

    return f->pass->remote && last && last->parallel && last->encode;
}

// What a remote renderer gives is packets, so it works for the last stage. What it takes are packets, or frames with their pixels in them.
// UINT32_MAX: there is nothing that it could do.
static uint32_t stage_for_remote(const struct farm *f)
{
    if (f->stage_count <= 1)
        return 0;
    return farm_remote_takes_frames(f) ? (uint32_t)f->stage_count - 1 : UINT32_MAX;
}

static bool has_work_for_remote(const struct farm *f)
{
    return stage_for_remote(f) != UINT32_MAX;
}

void farm_let_go_remote(struct farm *f, struct renderer *renderer)
{
    hub_forget(f->crew.hub, renderer->peer);
    f->report.stats.remote_ns += clock_now_ns() - renderer->joined_ns;
    roster_set_state(renderer, RENDERER_GONE);
}

void farm_plan_remote(struct farm *f)
{
    if (!f->pass->remote)
        return;
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->remote)
            renderer->stage = stage_for_remote(f);
        if (renderer->remote && renderer->state == RENDERER_READY && !has_work_for_remote(f)) {
            hub_send_bye(f->crew.hub, renderer->peer);
            farm_let_go_remote(f, renderer);
        }
    }
    if (!has_work_for_remote(f))
        log_warn("renderers on other hosts have nothing to do: the last stage of this plan is in order, and frames go through this host's memory");
}

static void count_refused(struct farm *f, const char *host, const char *reason)
{
    if (f->pass->remote->refused++ < MOST_TOLD)
        log_warn("a renderer on %s was refused: %s", host, reason);
}

static void refuse(struct farm *f, uint32_t peer, const char *host, const char *reason)
{
    hub_send_away(f->crew.hub, peer, reason, false);
    count_refused(f, host, reason);
}

void farm_on_remote_refused(struct farm *f, uint32_t peer, const char *why)
{
    count_refused(f, hub_address(f->crew.hub, peer), why);
}

// Takes its place, with the work of whoever had it before.
static void admit(struct farm *f, uint32_t peer, const Wire__Hello *hello, const char *host)
{
    struct renderer *renderer = roster_guest(&f->crew.roster);

    report_grow(&f->report, f->crew.roster.count);
    roster_set_state(renderer, RENDERER_STARTING);
    roster_set_state(renderer, RENDERER_READY);
    renderer->peer = peer;
    renderer->far = true;
    renderer->pid = hello->pid;
    renderer->stage = stage_for_remote(f);
    renderer->place = hello->place;
    renderer->entered_ns = hello->since_ns;
    renderer->joined_ns = renderer->heard_ns = clock_now_ns();
    renderer->losses = 0;
    renderer->freight = (struct freight){0};
    snprintf(renderer->host, sizeof(renderer->host), "%s", host);
    snprintf(f->report.stats.renderers[renderer->slot].host, sizeof(f->report.stats.renderers[0].host), "%s", host);
    f->pass->remote->joined++;
    f->pass->remote->waiting_told = false;
    log_info("renderer %u is ready (process %u on %s)", renderer->slot, renderer->pid, host);
}

// The pass ends: one that comes now need not call again, unless there is another pass.
static void tell_end(struct farm *f, uint32_t peer)
{
    if (f->pass->again == AGAIN_NO)
        hub_send_bye(f->crew.hub, peer);
    hub_forget(f->crew.hub, peer);
}

void farm_on_remote_hello(struct farm *f, uint32_t peer, const Wire__Hello *hello)
{
    struct remote *r = f->pass->remote;
    struct renderer *former = roster_by_place(&f->crew.roster, hello->place);
    const char *address = hub_address(f->crew.hub, peer), *cpu = hello->cpu ? hello->cpu : "", *trouble;
    char host[72], reason[600];
    struct mishap_host from;

    snprintf(host, sizeof(host), "%s", hello->host && *hello->host ? hello->host : address);
    if (former && former->entered_ns >= hello->since_ns) {
        hub_forget(f->crew.hub, peer); // an old word that took its time
        return;
    }
    if (former && f->state != FARM_ENDING)
        farm_lose_remote(f, former, hello->ended ? hello->ended : "lost its connection", hello->ended && !hello->killed);
    if (f->state == FARM_ENDING) {
        tell_end(f, peer);
        return;
    }
    from = farm_host_of(f, peer, host);
    if (!*r->cpu)
        snprintf(r->cpu, sizeof(r->cpu), "%s", cpu);
    if (!has_work_for_remote(f)) {
        hub_send_bye(f->crew.hub, peer);
        hub_forget(f->crew.hub, peer);
    } else if ((trouble = mishaps_unwelcome(&r->mishaps, &from))) {
        snprintf(reason, sizeof(reason), "renderers of its host have failed again and again: %s", trouble);
        refuse(f, peer, host, reason);
    } else if (strcmp(cpu, r->cpu) != 0 && !r->mixed_cpus) {
        snprintf(reason, sizeof(reason), "its processor (%s) is not like the others' (%s), so its pixels might differ; --mixed-cpus lets it join",
                 cpu, r->cpu);
        refuse(f, peer, host, reason);
    } else {
        admit(f, peer, hello, host);
    }
    farm_pump(f);
}

void farm_lose_remote(struct farm *f, struct renderer *renderer, const char *how, bool fault)
{
    struct renderer was = *renderer;
    const char *then = !farm_has_work(&was) ? "" : "; its work goes to another";

    farm_let_go_remote(f, renderer);
    if (f->state == FARM_ENDING)
        return;
    f->pass->remote->lost++;
    log_warn("renderer %u on %s %s%s", was.slot, was.host, how, then);
    farm_lose_work(f, &was, fault, how, "");
}

void farm_on_remote_bye(struct farm *f, struct renderer *renderer)
{
    struct renderer was = *renderer;

    farm_let_go_remote(f, renderer);
    if (f->state == FARM_ENDING)
        return;
    f->pass->remote->left++;
    log_info("renderer %u on %s leaves%s", was.slot, was.host, farm_has_work(&was) ? "; its work goes to another" : "");
    farm_lose_work(f, &was, false, "left", "");
    farm_pump(f);
}

// Of a command that never got as far as a renderer. Without an address of the user's nobody else knows where to call.
static void tell_failed_launch(struct farm *f)
{
    struct remote *r = f->pass->remote;
    const char *how;

    if (!r->launcher || r->failure_told || r->joined > 0 || !launcher_failed(r->launcher, &how))
        return;
    r->failure_told = true;
    if (f->local_workers == 0 && !f->options->listen)
        farm_fail(f, 1, "the command of --launch %s, and started no renderer", how);
    else
        log_warn("the command of --launch %s, and started no renderer", how);
}

// Nobody here works, and nobody there.
static void wait_for_renderers(struct farm *f, uint64_t now_ns)
{
    struct remote *r = f->pass->remote;
    const char *how = "";

    if (f->local_workers > 0 || roster_remote(&f->crew.roster) > 0) {
        r->alone_since_ns = 0;
        return;
    }
    if (r->alone_since_ns == 0)
        r->alone_since_ns = now_ns;
    if (r->launcher && launcher_ended(r->launcher, &how) && now_ns - r->alone_since_ns > LONELY_NS)
        farm_fail(f, 1, "the command of --launch %s, and no renderer has called for %.0f s", how, (double)(now_ns - r->alone_since_ns) / 1e9);
    else if (!r->waiting_told && !r->launcher)
        log_warn("waiting for renderers at %s", r->door.endpoint);
    r->waiting_told = true;
}

void farm_tick_remote(struct farm *f)
{
    uint64_t now_ns = clock_now_ns();

    if (!f->pass->remote || f->state == FARM_ENDING)
        return;
    hub_tick(f->crew.hub, now_ns);
    for (size_t i = 0; i < f->crew.roster.count && f->state != FARM_ENDING; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (!renderer->remote || renderer->state == RENDERER_GONE)
            continue;
        if (renderer->cut_off)
            farm_lose_remote(f, renderer, "lost its connection", false);
        else if (renderer->condemned)
            farm_lose_remote(f, renderer, "was sent away", true);
    }
    if (f->state != FARM_ENDING)
        farm_tick_mishaps(f, now_ns);
    if (f->state != FARM_ENDING)
        tell_failed_launch(f);
    if (f->state != FARM_ENDING)
        wait_for_renderers(f, now_ns);
    farm_pump(f);
}

void farm_tell_remote(struct farm *f)
{
    const struct remote *r = f->pass->remote;
    const struct door_counts *c = r ? &r->door.counts : NULL;

    for (size_t i = 0; i < f->crew.roster.count; i++)
        if (f->crew.roster.renderers[i].remote && f->crew.roster.renderers[i].state != RENDERER_GONE)
            f->report.stats.remote_ns += clock_now_ns() - f->crew.roster.renderers[i].joined_ns;
    if (!r)
        return;
    log_info("other hosts: %" PRIu64 " renderers joined, %" PRIu64 " left, %" PRIu64 " were lost, %" PRIu64 " refused; %" PRIu64
             " connections, of which %" PRIu64 " had no right key and %" PRIu64 " were none of ours",
             r->joined, r->left, r->lost, r->refused, c->connections, c->unknown_keys,
             c->connections > c->admitted + c->unknown_keys ? c->connections - c->admitted - c->unknown_keys : 0);
}
