// Work that a renderer on another host says it cannot do. The same work would fail the same way on this host, but on another one a file may be
// missing, or memory, so there the renderer is sent away and its work goes on; until it has failed on several hosts, or there is nobody left who
// could do it.
#include "farm_state.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <libavutil/error.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// For another one to come who may be able to: those that were started together do not call in the same moment.
#define PATIENCE_NS UINT64_C(10000000000)

// All hosts have the same libraries, or would have been refused: what is not in one's is in none.
static bool is_same_everywhere(int code)
{
    return code == AVERROR_FILTER_NOT_FOUND || code == AVERROR_ENCODER_NOT_FOUND || code == AVERROR_DECODER_NOT_FOUND ||
           code == AVERROR_OPTION_NOT_FOUND;
}

bool farm_may_be_hosts_fault(const struct renderer *renderer, int code)
{
    bool another_way = code == ERR_AGAIN_DECODING_ALL || code == ERR_AGAIN_ONE_GRAPH || code == ERR_AGAIN_ONE_SEGMENT || code == -EMSGSIZE;

    return renderer->remote && !renderer->cancelled && !another_way && code != -ECANCELED && !is_same_everywhere(code);
}

struct mishap_host farm_host_of(const struct farm *f, uint32_t peer, const char *name)
{
    struct mishap_host host = {0};

    snprintf(host.name, sizeof(host.name), "%s", name);
    snprintf(host.address, sizeof(host.address), "%s", hub_address(f->crew.hub, peer));
    return host;
}

bool farm_failed_there(const struct farm *f, const struct renderer *renderer, uint32_t stage, uint32_t segment)
{
    const struct mishaps *mishaps = renderer->remote && f->pass->remote ? &f->pass->remote->mishaps : NULL;
    struct mishap_host host;

    if (!mishaps || !mishaps_anywhere(mishaps, stage, segment))
        return false;
    host = farm_host_of(f, renderer->peer, renderer->host);
    return mishaps_at(mishaps, stage, segment, &host, renderer->joined_ns);
}

struct renderer *farm_prober(struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->state == RENDERER_READY && !farm_failed_there(f, renderer, MISHAPS_PROBE, 0))
            return renderer;
    }
    return NULL;
}

static const char *way_out(int code)
{
    return code == -ENOENT || code == -EACCES || code == -EPERM
               ? "; a file that a filter names has to be there on each host, under the same path (one that does not begin with / is looked for where "
                 "renderfarm-renderer was started)"
               : "";
}

// The job's end, or its turn to something else (--on-poison). how: what has come of it otherwise.
static void give_up(struct farm *f, const struct mishap *mishap, const char *how)
{
    struct mishap last = *mishap; // its place in the list is given up, too
    struct stage *stage;
    char *cause;

    mishaps_end(&f->pass->remote->mishaps, last.stage, last.segment);
    if (last.stage == MISHAPS_PROBE || f->state != FARM_RUNNING) {
        farm_fail(f, farm_status_of(last.code), "%s: on %s: %s; %s%s", f->options->input, last.host.name, last.reason, how, way_out(last.code));
        return;
    }
    stage = &f->stages[last.stage];
    cause = mem_format(": on %s: %s; %s%s", last.host.name, last.reason, how, way_out(last.code));
    scheduler_on_failed(stage->scheduler, last.segment);
    farm_give_up_segment(f, stage, last.segment, cause);
    free(cause);
}

static struct mishap describe(const struct farm *f, const struct renderer *renderer, const Wire__Failed *failed)
{
    struct mishap mishap = {
        .stage = renderer->probing ? MISHAPS_PROBE : renderer->stage,
        .segment = renderer->probing ? 0 : failed->segment,
        .code = failed->code,
        .at_ns = clock_now_ns(),
        .host = farm_host_of(f, renderer->peer, renderer->host),
    };

    snprintf(mishap.reason, sizeof(mishap.reason), "%s", failed->reason);
    return mishap;
}

static void tell(struct farm *f, const struct renderer *was, const struct mishap *mishap)
{
    // One line for all of a host; what happens to the others says nothing new.
    bool first = mishaps_on_host(&f->pass->remote->mishaps, mishap, was->joined_ns);

    if (first)
        log_warn("renderer %u on %s was sent away: %s%s%s", was->slot, was->host, mishap->reason,
                 farm_has_work(was) ? "; its work goes to another" : "", way_out(mishap->code));
    else
        log_info("renderer %u on %s was sent away, too: %s", was->slot, was->host, mishap->reason);
}

void farm_on_mishap(struct farm *f, struct renderer *renderer, const Wire__Failed *failed)
{
    struct mishap mishap = describe(f, renderer, failed);
    struct renderer was = *renderer;
    unsigned hosts = mishaps_add(&f->pass->remote->mishaps, &mishap);
    bool can_wait = was.probing || stage_can_repeat(&f->stages[was.stage], mishap.segment);

    tell(f, &was, &mishap);
    hub_send_away(f->crew.hub, was.peer, mishap.reason, false);
    farm_let_go_remote(f, renderer);
    f->pass->remote->lost++;
    if (hosts >= MISHAPS_MOST_HOSTS && (was.probing || (!can_wait && farm_has_work(&was)))) {
        farm_fail(f, farm_status_of(mishap.code), "%s: on %s: %s; %u hosts failed at it", f->options->input, mishap.host.name, mishap.reason, hosts);
    } else if (was.probing) {
        f->state = FARM_OPENING; // probe again
    } else {
        farm_lose_work(f, &was, false, "failed", "");
        if (hosts >= MISHAPS_MOST_HOSTS && f->state == FARM_RUNNING && scheduler_is_waiting(f->stages[was.stage].scheduler, mishap.segment))
            give_up(f, &mishap, "several hosts failed at it");
    }
    farm_pump(f);
}

// Whether it waits for somebody to do it.
static bool waits(const struct farm *f, const struct mishap *mishap)
{
    if (f->state == FARM_OPENING)
        return mishap->stage == MISHAPS_PROBE || (f->local_workers == 0 && roster_remote(&f->crew.roster) == 0); // what failed comes behind the probe
    return f->state == FARM_RUNNING && mishap->stage < f->stage_count && scheduler_is_waiting(f->stages[mishap->stage].scheduler, mishap->segment);
}

// Those of this host come back when they were lost.
static bool somebody_can(const struct farm *f, const struct mishap *mishap)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        const struct renderer *renderer = &f->crew.roster.renderers[i];

        if (mishap->stage != MISHAPS_PROBE && f->state == FARM_RUNNING && renderer->stage != mishap->stage)
            continue;
        if (renderer->remote ? renderer->state != RENDERER_GONE && !farm_failed_there(f, renderer, mishap->stage, mishap->segment)
                             : !renderer->dismissed && farm_may_work(f, renderer))
            return true;
    }
    return false;
}

void farm_tick_mishaps(struct farm *f, uint64_t now_ns)
{
    struct remote *r = f->pass->remote;
    const struct mishap *lonely = NULL;

    for (size_t i = 0; i < r->mishaps.count && !lonely; i++)
        if (waits(f, &r->mishaps.entries[i]) && !somebody_can(f, &r->mishaps.entries[i]))
            lonely = &r->mishaps.entries[i];
    if (!lonely)
        r->nobody_since_ns = 0;
    else if (r->nobody_since_ns == 0)
        r->nobody_since_ns = now_ns;
    else if (now_ns - r->nobody_since_ns > PATIENCE_NS)
        give_up(f, lonely, "nobody else is here to do it");
}
