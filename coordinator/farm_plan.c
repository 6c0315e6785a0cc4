#include "farm_state.h"

#include "classes.h"
#include "encoders.h"
#include "hops.h"

#include "common/clock.h"
#include "common/cores.h"
#include "common/frames.h"
#include "common/log.h"
#include "common/mem.h"

#include <libavutil/pixdesc.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LIKELY_REMOTE = 8 }; // renderers on other hosts that runs are held for, if there are not more of them already

size_t farm_frame_bytes(const struct farm *f)
{
    const Wire__Probed *probed = f->probed->probed;
    size_t bytes = frames_bytes(probed->output->format, probed->output->width, probed->output->height);

    for (size_t i = 0; i < probed->n_filters; i++)
        if (probed->filters[i]->frame_bytes > bytes)
            bytes = (size_t)probed->filters[i]->frame_bytes;
    return bytes;
}

// Each stage has renderers of its own: as many as there are workers for a parallel one, and one for a serial one, which mostly waits. So no stage can
// wait for a core that another one sits on. Where they are lent the depot sees to that.
static int staff_of(const struct farm *f, size_t stage)
{
    return f->plan.stages[stage].parallel ? f->local_workers : 1;
}

static bool has_parallel_before_last(const struct farm *f)
{
    for (size_t i = 0; i + 1 < f->stage_count; i++)
        if (f->plan.stages[i].parallel)
            return true;
    return false;
}

// For the memory between stages: those on other hosts come when they come.
static unsigned expected_workers(const struct farm *f)
{
    unsigned remote = farm_remote_takes_frames(f) ? (unsigned)roster_remote(&f->crew.roster) : 0;

    if (farm_remote_takes_frames(f) && remote < MOST_LIKELY_REMOTE)
        remote = MOST_LIKELY_REMOTE;
    return (unsigned)f->local_workers + remote;
}

static int staff_stages(struct farm *f)
{
    size_t needed = 0, slot = 0;
    int err = 0;

    for (size_t i = 0; i < f->stage_count; i++)
        needed += (size_t)staff_of(f, i);
    for (size_t i = 0; i < f->crew.roster.count; i++)
        f->crew.roster.renderers[i].stage = UINT32_MAX;
    needed += roster_guests(&f->crew.roster);
    crew_grow(&f->crew, needed);
    report_grow(&f->report, f->crew.roster.count);
    for (size_t i = 0; i < f->stage_count; i++)
        for (int j = 0; j < staff_of(f, i); j++) {
            while (f->crew.roster.renderers[slot].remote)
                slot++;
            f->crew.roster.renderers[slot++].stage = (uint32_t)i;
        }
    // Who was one too many before may be the only one of a stage now.
    for (size_t i = 0; i < f->crew.roster.count && err >= 0; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        renderer->dismissed = !farm_may_work(f, renderer);
        if (renderer->dismissed && renderer->state != RENDERER_GONE)
            crew_dismiss(&f->crew, renderer);
        else if (!renderer->dismissed && renderer->state == RENDERER_GONE && !renderer->remote)
            err = crew_start(&f->crew, renderer);
    }
    return err;
}

static int make_arena(struct farm *f, size_t frame_bytes)
{
    struct depot *depot = f->crew.borrowed ? f->pass->depot : NULL;
    uint32_t count = hops_deal(f->stages, f->stage_count, frame_bytes, expected_workers(f), depot ? depot_memory(depot) : 0);
    size_t size = arena_bytes(frame_bytes, count);

    if (size == 0) {
        errno = ENOMEM;
        return -ENOMEM;
    }
    if (depot)
        f->arena_offset = depot_take_memory(depot, size);
    f->arena_size = size;
    f->arena = hops_map(f->crew.frames_fd, f->arena_offset, f->stages, f->stage_count, frame_bytes, count);
    return f->arena ? 0 : -errno;
}

// A name that fits nothing is a slip of the pen.
static void say_vouched(const struct farm *f)
{
    const Wire__Probed *probed = f->probed->probed;

    for (size_t i = 0; i < f->options->vouched_count; i++) {
        size_t at = 0;

        while (at < probed->n_filters && !classes_is_called(probed->filters[at], f->options->vouched[i]))
            at++;
        if (at == probed->n_filters)
            log_warn("--parallel-safe=%s: there is no such filter in the chain", f->options->vouched[i]);
    }
}

// As ffmpeg does: the nearest of those that the encoder takes.
static void say_format(const struct farm *f)
{
    enum AVPixelFormat got = f->probed->probed->output->format, wished = f->options->pixel_format ? av_get_pix_fmt(f->options->pixel_format) : got;

    if (got != wished)
        log_warn("%s: the encoder %s does not take %s; it gets %s", f->options->output, f->job.encoder, f->options->pixel_format,
                 av_get_pix_fmt_name(got));
}

// A tenth of a segment: what comes of that is as near to the bit rate as one encoder gets over the whole video.
static void set_leeway(struct farm *f, const char *encoder)
{
    bool may_miss =
        f->plan.stages[f->plan.stage_count - 1].parallel && encoders_may_miss_rate(encoder, f->job.encoder_options, f->job.n_encoder_options);

    f->job.has_leeway_ms = may_miss;
    f->job.leeway_ms = may_miss ? (uint32_t)fmin(f->plan.segment_s * 100, UINT32_MAX) : 0;
}

int farm_make_plan(struct farm *f)
{
    const Wire__Probed *probed = f->probed->probed;
    const Wire__Rational *rate = probed->output_frame_rate;
    const char *encoder = probed->encoder_name ? probed->encoder_name : f->job.encoder;
    struct plan_input input;

    f->why_one_encoder = encoders_why_one(encoder, f->job.encoder_options, f->job.n_encoder_options);
    input = (struct plan_input){
        .cuttable = f->intake.facts.cuttable,
        .why_not_cuttable = f->intake.facts.why_not_cuttable,
        .duration_s = f->intake.facts.duration_s,
        .keyframe_gap_s = f->intake.facts.keyframe_gap_s,
        .frame_rate = rate && rate->num > 0 && rate->den > 0 ? (double)rate->num / rate->den : 0,
        .frame_bytes = farm_frame_bytes(f),
        .segment_s = f->options->segment_s,
        .one_graph = f->one_graph,
        .one_segment = f->one_segment,
        .why_one_segment = f->options->one_segment ? NULL : f->pass->why_way,
        .encode_stream = f->options->encode_stream || f->why_one_encoder,
        .why_one_encoder = f->why_one_encoder,
        .chain = f->job.filters,
        .decoder_format = f->intake.facts.parameters ? av_get_pix_fmt_name(f->intake.facts.parameters->format) : NULL,
        .encoder_format = av_get_pix_fmt_name(probed->output->format),
        .filters = probed->filters,
        .filter_count = probed->n_filters,
        .vouched = f->options->vouched,
        .vouched_count = f->options->vouched_count,
    };

    if (f->pass->retries == 0 && !f->pass->second) {
        say_vouched(f);
        say_format(f);
    }
    plan_make(&f->plan, &input);
    report_rates(&f->report, f->intake.facts.frame_rate, rate);
    f->job.has_slices_free = f->job.slices_free = f->plan.slices_free;
    set_leeway(f, encoder);
    if (f->options->explain)
        return 0;
    f->stages = mem_zalloc(f->plan.stage_count * sizeof(*f->stages));
    for (; f->stage_count < f->plan.stage_count; f->stage_count++)
        stage_init(&f->stages[f->stage_count], (uint32_t)f->stage_count, &f->plan.stages[f->stage_count], &f->job);
    if (f->crew.borrowed)
        farm_staff_lent(f);
    if (f->stage_count == 1)
        return 0;
    // Stages before the last one need somebody here.
    if (f->local_workers == 0 && f->options->launch && (!farm_remote_takes_frames(f) || has_parallel_before_last(f)))
        f->local_workers = f->options->launch_workers < cores_usable() ? f->options->launch_workers : cores_usable();
    if (f->local_workers == 0 && (!farm_remote_takes_frames(f) || has_parallel_before_last(f))) {
        log_error(
            "--workers=0: between the stages of this plan frames go through this host's memory, so renderers on other hosts cannot do all of it; "
            "give --workers=N (--explain tells more)");
        return -EINVAL;
    }
    if (make_arena(f, input.frame_bytes) < 0) {
        farm_fail(f, 1,
                  errno == EFBIG ? "no memory for frames between stages: files may not be that large here (see ulimit -f)"
                                 : "no memory for frames between stages: %s",
                  strerror(errno));
        return -ENOMEM;
    }
    farm_plan_freight(f, input.frame_bytes);
    return f->crew.borrowed ? 0 : staff_stages(f);
}

static void trace_plan(struct farm *f)
{
    const Wire__Rational *rate = f->probed->probed->output_frame_rate;
    struct trace_job job = {
        .input = f->options->input,
        .output = f->options->output,
        .encoder = f->probed->probed->encoder_name ? f->probed->probed->encoder_name : f->job.encoder,
        .workers = f->options->workers,
        .threads = f->options->threads,
        .duration_s = f->intake.facts.duration_s,
        .frame_rate = rate && rate->num > 0 && rate->den > 0 ? (double)rate->num / rate->den : 0,
        .keyframe_gap_s = f->intake.facts.keyframe_gap_s,
        .wished_segment_s = f->options->segment_s,
        .frame_bytes = farm_frame_bytes(f),
        .cuttable = f->intake.facts.cuttable,
        .loop_cpu_ns = clock_thread_cpu_ns(),
        .plan = &f->plan,
    };

    trace_job(f->trace, clock_now_ns(), &job);
}

static void name_tracks(struct farm *f)
{
    for (size_t i = 0; i < f->crew.roster.count && f->trace; i++) {
        const struct renderer *renderer = &f->crew.roster.renderers[i];
        const struct plan_stage *stage = renderer->stage < f->stage_count ? &f->plan.stages[renderer->stage] : NULL;
        char *filters = stage ? plan_filter_names(&f->plan, stage) : NULL;
        char *what = stage ? mem_format("%s%s%s%s", stage->decode ? "decode " : "", filters, *filters && stage->encode ? " " : "",
                                        stage->encode ? "encode" : "")
                           : NULL;

        if (what)
            trace_renderer(f->trace, renderer->slot, renderer->stage, what, renderer->remote ? 1 : f->options->threads);
        free(filters);
        free(what);
    }
}

void farm_say_plan(struct farm *f)
{
    char *text = plan_describe(&f->plan);
    char *way = f->stage_count > 1 ? mem_format("rendering in stages, because %s: %s", f->plan.reason, text)
                : f->plan.limited  ? mem_format("rendering as one segment on one core: %s", f->plan.reason)
                                   : NULL;
    bool warn = f->plan.limited && !f->sheet_filters && // of filters that the user did not write
                (f->stage_count > 1 ? f->pass->retries == 0 : !f->options->one_segment);

    if (way && warn && (!f->pass->depot || depot_is_news(f->pass->depot, way)))
        log_warn("%s%s", way, f->pass->depot ? " (said once for all files)" : "");
    else if (f->stage_count > 1)
        log_info("%s", way);
    log_info("encoding with %s, %s", f->probed->probed->encoder_name ? f->probed->probed->encoder_name : f->job.encoder,
             f->plan.stages[f->stage_count - 1].parallel ? "in segments" : "in one segment");
    f->report.stats.serial_reason = f->plan.reason;
    name_tracks(f);
    trace_plan(f);
    free(way);
    free(text);
}
