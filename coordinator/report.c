#include "report.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

void report_init(struct report *r, const struct options *options)
{
    *r = (struct report){.begun_ns = clock_now_ns()};
    r->stats = (struct stats){
        .start_ns = r->begun_ns,
        .workers = options->workers,
        .threads = options->threads,
        .input = options->input,
        .output = options->output,
        .renderer_count = (size_t)options->workers,
    };
    r->stats.renderers = mem_zalloc(r->stats.renderer_count * sizeof(*r->stats.renderers));
    for (size_t i = 0; i < r->stats.renderer_count; i++)
        r->stats.renderers[i].slot = (uint32_t)i;
    if (options->in_batch)
        return;
    r->progress = progress_open(options->progress, options->verbosity < 0);
}

void report_grow(struct report *r, size_t renderers)
{
    r->stats.renderers = mem_grow(r->stats.renderers, renderers, sizeof(*r->stats.renderers));
    for (; r->stats.renderer_count < renderers; r->stats.renderer_count++)
        r->stats.renderers[r->stats.renderer_count] = (struct stats_renderer){.slot = (uint32_t)r->stats.renderer_count};
}

uint64_t report_turn(struct report *r, uint64_t now_ns, uint64_t idle_ns)
{
    uint64_t turn_ns = 0;

    if (r->last_turn_ns) {
        uint64_t wall_ns = now_ns - r->last_turn_ns, waited_ns = idle_ns - r->last_idle_ns;

        turn_ns = wall_ns > waited_ns ? wall_ns - waited_ns : 0;
        if (turn_ns > r->stats.loop_max_ns)
            r->stats.loop_max_ns = turn_ns;
    }
    r->last_turn_ns = now_ns;
    r->last_idle_ns = idle_ns;
    return turn_ns;
}

uint64_t report_busy_ns(const struct report *r)
{
    uint64_t busy_ns = 0;

    for (size_t i = 0; i < r->stats.renderer_count; i++)
        busy_ns += r->stats.renderers[i].busy_ns;
    return busy_ns;
}

void report_first_task(struct report *r)
{
    if (!r->stats.first_task_ns)
        r->stats.first_task_ns = clock_now_ns();
}

// And what its decoder found.
static void count_frames(struct report *r, const Wire__Done *done, double first_error_s)
{
    r->stats.frames += done->frames_encoded;
    r->frames_left_out += done->packets < done->frames_encoded ? done->frames_encoded - done->packets : 0;
    if (done->decode_errors == 0)
        return;
    r->stats.decode_errors += done->decode_errors;
    if (r->first_decode_error && r->first_decode_error_s <= first_error_s)
        return;
    free(r->first_decode_error);
    r->first_decode_error = mem_dup(done->first_error ? done->first_error : "damaged data");
    r->first_decode_error_s = first_error_s;
}

void report_done(struct report *r, uint32_t slot, const Wire__Done *done, bool written, uint64_t busy_ns, double first_error_s)
{
    struct stats_renderer *renderer = &r->stats.renderers[slot];

    renderer->busy_ns += busy_ns;
    renderer->segments++;
    if (done->peak_memory_bytes > renderer->peak_memory_bytes)
        renderer->peak_memory_bytes = done->peak_memory_bytes;
    r->stats.segments += written;
    r->stats.decode_cpu_ns += done->decode_cpu_ns;
    r->stats.filter_cpu_ns += done->filter_cpu_ns;
    r->stats.encode_cpu_ns += done->encode_cpu_ns;
    count_frames(r, done, first_error_s);
}

void report_found(struct report *r, const Wire__Done *done, double first_error_s)
{
    r->stats.segments++;
    r->stats.segments_found++;
    count_frames(r, done, first_error_s);
}

void report_rates(struct report *r, const Wire__Rational *in, const Wire__Rational *out)
{
    if (in && out && in->num > 0 && in->den > 0 && out->num > 0 && out->den > 0)
        r->out_of_in = (double)out->num / out->den * in->den / in->num;
}

void report_lost(struct report *r, uint64_t frames)
{
    r->frames_done -= frames < r->frames_done ? frames : r->frames_done;
    r->stats.lost_frames += frames;
}

void report_facts(const struct report *r, const struct source_facts *facts, uint64_t frames_read, struct progress_facts *state)
{
    // By the container some are counted that an edit list hides.
    double in = frames_read ? (double)frames_read : (double)facts->frames, out = r->out_of_in > 0 ? r->out_of_in : 1;

    *state = (struct progress_facts){
        .frames = r->frames_done,
        .frames_found = r->frames_found,
        .frames_total = in > 0 ? (uint64_t)llrint(in * out) : 0,
        .elapsed_ns = clock_now_ns() - r->begun_ns,
        .output_bytes = r->stats.output_bytes,
    };
    if (state->frames_total > 0 && facts->duration_s > 0)
        state->video_s = (double)r->frames_done / (double)state->frames_total * facts->duration_s;
    if (state->frames_total < state->frames)
        state->frames_total = state->frames;
}

void report_show(struct report *r, const struct source_facts *facts, uint64_t segments_done, uint64_t segments_total, uint64_t frames_read, int busy,
                 int workers)
{
    struct progress_facts state;

    if (!r->progress)
        return;
    report_facts(r, facts, frames_read, &state);
    state.segments_done = segments_done;
    state.segments_total = segments_total;
    state.busy = busy;
    state.workers = workers;
    progress_show(r->progress, &state, clock_now_ns());
}

char *report_finish(struct report *r, const struct options *options, const struct source_facts *facts)
{
    struct stats *s = &r->stats;
    struct progress_facts state = {0};
    char *outcome;

    s->end_ns = clock_now_ns();
    s->video_s = facts->duration_s;
    stats_children(s);
    stats_self(s);
    state.frames = state.frames_total = s->frames;
    state.frames_found = r->frames_found;
    state.video_s = facts->duration_s;
    state.segments_done = state.segments_total = s->segments;
    state.workers = s->workers;
    state.elapsed_ns = s->end_ns - s->start_ns;
    state.output_bytes = s->output_bytes;
    if (r->progress)
        progress_end(r->progress, &state);
    if (s->decode_errors > 0)
        log_warn("%s: %" PRIu64 " packets or pictures are damaged, the first at %.2f s: %s", s->input, s->decode_errors, r->first_decode_error_s,
                 r->first_decode_error);
    if (r->frames_left_out > 0)
        log_warn("%s: the encoder %s left out %" PRIu64 " frames", s->output, s->codec, r->frames_left_out);
    if (s->segments_found > 0)
        log_info("%" PRIu64 " of the segments were there already", s->segments_found);
    outcome = mem_format("%" PRIu64 " frames in %" PRIu64 " segments, %.2f s, efficiency %.0f %%", s->frames, s->segments,
                         (double)(s->end_ns - s->start_ns) / 1e9, 100 * stats_efficiency(s));
    log_info("%s: %s", s->output, outcome);
    if (options->stats_path) {
        int err = stats_write(s, options->stats_path);

        if (err < 0)
            log_warn("%s: statistics cannot be written: %s", options->stats_path, err_text(err));
    }
    return outcome;
}

void report_clear(struct report *r)
{
    if (r->progress) {
        progress_hide(r->progress);
        log_around(NULL, NULL, NULL);
        progress_free(&r->progress);
    }
    free(r->stats.renderers);
    free(r->first_decode_error);
}
