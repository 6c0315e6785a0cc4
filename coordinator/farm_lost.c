#include "farm_state.h"

#include "memory.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/protocol.h"
#include "common/sent.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_FAILED_STARTS = 3, MOST_DOUBLINGS = 5 };

#define FIRST_BACK_OFF_NS UINT64_C(100000000)
#define START_AGAIN_NS UINT64_C(2000000000)

// ---- Memory ----

// Its number among the renderers of its stage.
static unsigned ordinal(const struct farm *f, const struct renderer *renderer)
{
    unsigned before = 0;

    for (uint32_t slot = 0; slot < renderer->slot; slot++)
        before += !f->crew.roster.renderers[slot].remote && f->crew.roster.renderers[slot].stage == renderer->stage;
    return before;
}

bool farm_may_work(const struct farm *f, const struct renderer *renderer)
{
    return f->most_at_once == 0 || renderer->remote || ordinal(f, renderer) < f->most_at_once;
}

static void dismiss_surplus(struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (!farm_may_work(f, renderer) && renderer->state != RENDERER_GONE)
            crew_dismiss(&f->crew, renderer);
    }
}

// Never more again than once did not fit.
static void limit(struct farm *f, unsigned most, const char *why)
{
    unsigned now = f->most_at_once ? f->most_at_once : (unsigned)f->local_workers;

    if (f->crew.borrowed) {
        depot_limit(f->pass->depot, most, why);
        return;
    }
    if (most >= now)
        return;
    f->most_at_once = most;
    log_warn("%s; %u of %d renderers work at once", why, most, f->local_workers);
    dismiss_surplus(f);
}

void farm_limit_by_memory(struct farm *f, uint64_t peak_bytes)
{
    // What the coordinator keeps for each of them, to give it to another.
    uint64_t kept_bytes = f->stage_count > 0 && f->local_workers > 0 ? farm_first_stage(f)->shelf.kept_bytes / (size_t)f->local_workers : 0;
    char why[160];

    if (peak_bytes <= f->peak_bytes)
        return;
    f->peak_bytes = peak_bytes;
    snprintf(why, sizeof(why), "a renderer takes %" PRIu64 " MB, and there are %" PRIu64 " MB for all (see --memory)", peak_bytes >> 20,
             f->options->memory_bytes >> 20);
    limit(f, memory_fits(f->options->memory_bytes, COORDINATOR_BYTES, peak_bytes + kept_bytes, (unsigned)f->local_workers), why);
}

// ---- Segments ----

// For a command line that people copy; free().
static char *quoted(const char *text)
{
    char *quoted = mem_zalloc(strlen(text) * 4 + 3), *at = quoted;

    *at++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            at = stpcpy(at, "'\\''");
        else
            *at++ = *text;
    }
    *at = '\'';
    return quoted;
}

// The command that does the same work without us, at the same times; free(). ffmpeg's -to leaves out the frame of that time.
static char *reproduction(const struct farm *f, double from_s, double to_s)
{
    const Wire__Rational *rate = f->intake.facts.frame_rate;
    double frame_s = rate && rate->num > 0 && rate->den > 0 ? (double)rate->den / rate->num : 0;
    const char *encoder = strcmp(f->job.encoder, PROTOCOL_LIBPNG) == 0 ? "png" : f->job.encoder;
    char *input = quoted(f->options->input), *filter = quoted(f->job.filters), *codec = quoted(encoder);
    char *command = mem_format("ffmpeg -copyts -ss %.3f -to %.3f -i %s%s%s -c:v %s -f null -", from_s, to_s + frame_s, input,
                               *f->job.filters ? " -vf " : "", *f->job.filters ? filter : "", codec);

    free(input);
    free(filter);
    free(codec);
    return command;
}

void farm_give_up_segment(struct farm *f, struct stage *stage, uint32_t number, const char *cause)
{
    enum poison_way way = POISON_STOP;
    char times[64], text[128];

    farm_segment_times(f, stage, number, times, sizeof(times));
    snprintf(text, sizeof(text), "segment %u (%s)", number, times);
    // In order, the segment is the whole video.
    if (stage->plan->parallel && stage_can_repeat(stage, number) && !f->pass->second)
        way = poison_add(&f->pass->poison, (uint32_t)(stage - f->stages), number, f->options->on_poison, stage->plan->encode, text);
    if (way == POISON_STOP) {
        farm_fail(f, 1, "%s: %s%s", f->options->input, text, cause);
        return;
    }
    log_warn("%s: %s%s; it %s (--on-poison)", f->options->input, text, cause, way == POISON_COPY ? "goes on without its filters" : "is left out");
    if (assembler_begun(stage->assembler, number) || (stage != farm_last_stage(f) && farm_last_stage(f)->holds_back))
        farm_start_over(f, AGAIN_SAME); // a part of it is in the output already, or what follows from it may be in the cache
    else
        scheduler_on_other_way(stage->scheduler, number);
}

// All that a renderer said before its end, as a clause.
static void add_last_words(char *text, size_t size, const char *words)
{
    size_t length = strlen(text);

    if (*words && length < size)
        snprintf(text + length, size - length, "; it said: \"%s\"", words);
}

void farm_count_lost(struct farm *f, uint32_t stage, uint64_t received)
{
    if (stage + 1 == f->stage_count)
        report_lost(&f->report, received);
    else
        f->report.stats.lost_frames += received;
}

// The work can be given to another, or has to be given up.
static void lose_segment(struct farm *f, const struct renderer *was, bool fault, const char *how, const char *words)
{
    struct stage *stage = &f->stages[was->stage];
    char cause[1200];
    char *command;
    double from_s, to_s;

    farm_segment_span(f, stage, was->task.segment, &from_s, &to_s);
    stage_on_lost(stage, was->task.segment, was->slot);
    farm_count_lost(f, was->stage, was->received);
    f->report.stats.lost_ns += clock_now_ns() - was->since_ns;
    farm_lose_kept(f, stage, was->task.segment);
    if (scheduler_on_lost(stage->scheduler, was->task.segment, was->task.attempt, was->slot, fault, was->received)) {
        if (farm_second_of(f, stage, was->task.segment))
            farm_take_over(f, farm_second_of(f, stage, was->task.segment));
        return;
    }
    farm_end_seconds(f, stage, was->task.segment);
    command = reproduction(f, from_s, to_s);
    if (fault)
        snprintf(cause, sizeof(cause), " ended %d renderers, the last %s", SCHEDULER_MAX_FAULTS, how);
    else
        snprintf(cause, sizeof(cause), " was not done in %d attempts, because something kills renderers; the last %s", SCHEDULER_MAX_LOSSES, how);
    add_last_words(cause, sizeof(cause), words);
    if (fault)
        snprintf(cause + strlen(cause), sizeof(cause) - strlen(cause), "; to see for yourself: %s", command);
    free(command);
    farm_give_up_segment(f, stage, was->task.segment, cause);
}

// What it knew of the frames before is lost with it.
static void lose_state(struct farm *f, bool fault, const char *how, const char *words)
{
    char cause[1200];

    f->pass->faults += fault;
    if (f->pass->faults < SCHEDULER_MAX_FAULTS) {
        farm_start_over(f, AGAIN_SAME);
        return;
    }
    snprintf(cause, sizeof(cause), "%s", how);
    add_last_words(cause, sizeof(cause), words);
    farm_fail(f, 1, "%s: %d renderers that had to go through it in order came to an end, the last %s", f->options->input, f->pass->faults, cause);
}

// ---- Renderers ----

static void back_off(struct renderer *renderer, bool killed)
{
    uint32_t doublings = renderer->losses < MOST_DOUBLINGS ? renderer->losses : MOST_DOUBLINGS;

    // Who is killed is not to blame, and somebody waits for the next.
    renderer->start_at_ns = killed || renderer->losses == 0 ? 0 : clock_now_ns() + (FIRST_BACK_OFF_NS << doublings);
    renderer->losses += !killed;
}

void farm_start_due(struct farm *f)
{
    uint64_t now_ns = clock_now_ns();

    if (f->crew.borrowed)
        return;
    for (size_t i = 0; i < f->crew.roster.count && f->state != FARM_ENDING; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->state != RENDERER_GONE || renderer->remote || renderer->dismissed || now_ns < renderer->start_at_ns ||
            crew_start(&f->crew, renderer) == 0)
            continue;
        // What is lacking now, processes or memory, may be there later; until then others go on.
        if (roster_count(&f->crew.roster, RENDERER_GONE) < f->crew.roster.count)
            renderer->start_at_ns = now_ns + START_AGAIN_NS;
        else
            farm_start_ending(f, 1);
    }
}

static bool has_limited_time(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

// By somebody else: the user, or the kernel for want of memory. Where the time of a process is limited it is most likely its work that takes longer.
static bool was_killed(const struct renderer *was, const struct spawner_exit *fact)
{
    return !was->condemned && (fact->signal == SIGKILL ? !has_limited_time() : sent_by_somebody(fact->signal));
}

// Of a renderer whose end was not by our wish.
static void on_loss(struct farm *f, const struct renderer *was, const struct spawner_exit *fact)
{
    uint64_t memory_kills_now = memory_kills();
    bool killed = was_killed(was, fact), fault = !killed;
    const char *then = !farm_has_work(was) ? ""
                       : was->probing || stage_can_repeat(&f->stages[was->stage], was->task.segment)
                           ? "; its work goes to another"
                           : "; it went through the video in order, so that starts over";
    char how[128];

    if (fact->signal)
        snprintf(how, sizeof(how), "was ended by signal %d (%s)%s", fact->signal, strsignal(fact->signal),
                 (fact->signal == SIGKILL || fact->signal == SIGXCPU) && has_limited_time() ? "; its CPU time is limited (ulimit -t)" : "");
    else
        snprintf(how, sizeof(how), "exited with status %" PRId64, fact->status);
    if (was->state == RENDERER_STARTING && fault && was->failed_starts + 1 >= MAX_FAILED_STARTS) {
        char cause[1200];

        snprintf(cause, sizeof(cause), "%s", how);
        add_last_words(cause, sizeof(cause), fact->last_words);
        farm_fail(f, 1, "%s does not start: it %s", f->crew.program, cause);
        return;
    }
    log_warn("renderer %u %s%s", was->slot, how, then);
    if (killed && memory_kills_now > f->memory_kills) {
        unsigned busy = (unsigned)roster_count(&f->crew.roster, RENDERER_BUSY); // without it

        fault = busy == 0; // there is nobody to do without
        limit(f, busy > 0 ? busy : 1, "memory ran out");
    }
    f->memory_kills = memory_kills_now;
    farm_lose_work(f, was, fault, how, fact->last_words);
}

void farm_lose_work(struct farm *f, const struct renderer *was, bool fault, const char *how, const char *words)
{
    char there[256];

    if (was->remote) {
        snprintf(there, sizeof(there), "%s on %s", how, was->host);
        how = there;
    }
    farm_lose_ahead(f, was);
    if (was->state == RENDERER_BUSY && !farm_has_work(was))
        farm_lose_second(f, was);
    if (!farm_has_work(was))
        return;
    if (!was->probing)
        trace_task(f->trace, &(struct trace_task){.slot = was->slot,
                                                  .stage = was->stage,
                                                  .segment = was->task.segment,
                                                  .attempt = was->task.attempt,
                                                  .from_ns = was->since_ns,
                                                  .to_ns = clock_now_ns()});
    if (was->probing) {
        if (f->probe_attempt >= SCHEDULER_MAX_FAULTS)
            farm_fail(f, 1, "%s: the first frames end every renderer that looks at them: it %s", f->options->input, how);
        else if (f->state == FARM_PROBING)
            f->state = FARM_OPENING; // probe again
    } else if (stage_can_repeat(&f->stages[was->stage], was->task.segment)) {
        lose_segment(f, was, fault, how, words);
    } else {
        lose_state(f, fault, how, words);
    }
}

void farm_on_renderer_exit(void *data, const struct spawner_exit *fact)
{
    struct farm *f = data;
    struct renderer *renderer = &f->crew.roster.renderers[fact->slot];
    struct renderer was = *renderer;

    renderer->ended_pid = fact->pid;
    roster_set_state(renderer, RENDERER_GONE);
    if (was.peer)
        hub_forget(f->crew.hub, was.peer);
    if (f->state != FARM_ENDING && !(was.dismissed && was.state != RENDERER_BUSY)) {
        renderer->failed_starts += was.state == RENDERER_STARTING && !was_killed(&was, fact);
        back_off(renderer, was_killed(&was, fact));
        on_loss(f, &was, fact);
        farm_start_due(f);
    }
    farm_pump(f);
}
