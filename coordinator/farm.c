#include "farm_state.h"

#include "memory.h"
#include "named_files.h"
#include "sequence.h"
#include "sheet.h"

#include "common/arena.h"
#include "common/avx.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/side_files.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICES = 8 }; // of a frame, for filters whose pictures depend on it: the same for every --threads

void farm_start_ending(struct farm *f, int status)
{
    if (f->state == FARM_ENDING)
        return;
    f->state = FARM_ENDING;
    f->exit_status = status;
    if (f->cache)
        cache_end(f->cache, status == 0);
    if (status == 0) {
        crew_say_bye(&f->crew);
    } else {
        // Those on other hosts wait for the next pass, if there is one.
        if (f->pass->remote && f->pass->again == AGAIN_NO && f->crew.hub)
            crew_say_bye(&f->crew);
        crew_kill(&f->crew);
        outlet_hurry(&f->outlet);
    }
}

void farm_fail(struct farm *f, int status, const char *format, ...)
{
    char text[1800];
    va_list args;

    if (f->state == FARM_ENDING)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_error("%s", text);
    if (!f->pass->why)
        f->pass->why = mem_dup(text);
    farm_start_ending(f, status);
}

void farm_start_over(struct farm *f, enum again again)
{
    // A job that has failed, or was interrupted, is not begun anew for what a call says that was still on its way.
    if (f->state == FARM_ENDING)
        return;
    f->pass->again = again;
    f->pass->first_task_ns = f->report.stats.first_task_ns;
    f->pass->lost_frames += f->report.frames_done - f->report.frames_found;
    f->pass->lost_ns += report_busy_ns(&f->report);
    for (size_t i = 0; i < f->crew.roster.count; i++)
        if (f->crew.roster.renderers[i].state == RENDERER_BUSY)
            f->pass->lost_ns += clock_now_ns() - f->crew.roster.renderers[i].since_ns;
    farm_start_ending(f, 1);
}

void farm_change_way(struct farm *f, enum again way, const char *why)
{
    log_info("%s; starting over, %s", why, way == AGAIN_ONE_GRAPH ? "with all filters in one stage" : "as one segment");
    free(f->pass->why_way);
    f->pass->why_way = mem_dup(why);
    if (f->pass->remote)
        mishaps_forget_work(&f->pass->remote->mishaps);
    farm_start_over(f, way);
}

struct stage *farm_first_stage(const struct farm *f)
{
    return &f->stages[0];
}

struct stage *farm_last_stage(const struct farm *f)
{
    return &f->stages[f->stage_count - 1];
}

int farm_status_of(int err)
{
    return err == -EINVAL || err == -ERANGE || err == AVERROR_FILTER_NOT_FOUND || err == AVERROR_ENCODER_NOT_FOUND ||
                   err == AVERROR_OPTION_NOT_FOUND
               ? 2
               : 1;
}

double farm_seconds(const struct farm *f, int64_t pts)
{
    const Wire__Rational *tb = f->job.input_time_base;

    return pts == INT64_MIN || pts == INT64_MAX || !tb ? 0 : (double)pts * tb->num / tb->den;
}

void farm_segment_span(const struct farm *f, const struct stage *stage, uint32_t number, double *from_s, double *to_s)
{
    const struct shelf_segment *segment = shelf_find(&stage->shelf, number);
    const Wire__Rational *tb = stage->job.input_time_base;

    *from_s = *to_s = 0;
    if (segment && stage->plan->decode) {
        *from_s = farm_seconds(f, segment->keep_from);
        *to_s = farm_seconds(f, segment->last_pts);
    } else if (segment && tb && segment->first_pts != INT64_MIN) {
        *from_s = (double)segment->first_pts * tb->num / tb->den;
        *to_s = (double)segment->last_pts * tb->num / tb->den;
    }
}

void farm_segment_times(const struct farm *f, const struct stage *stage, uint32_t number, char *text, size_t size)
{
    double from_s, to_s;

    farm_segment_span(f, stage, number, &from_s, &to_s);
    snprintf(text, size, "%.2f s to %.2f s", from_s, to_s);
}

static void start_probe(struct farm *f)
{
    struct renderer *renderer = farm_prober(f);

    if (!renderer || !f->intake.opened || f->outlet.state != OUTLET_OPEN || intake_busy(&f->intake))
        return;
    if (f->options->sheet_columns > 0 && !f->sheet_filters) {
        const Wire__Rational *rate = f->intake.facts.frame_rate;

        if (!(f->intake.facts.duration_s > 0) && !f->options->poster) {
            farm_fail(f, 1, "%s: its length is not known, so its frames cannot be spread over a sheet", f->options->input);
            return;
        }
        f->job.filters = f->sheet_filters = sheet_filters(f->options, f->intake.facts.duration_s, rate->num > 0 ? (double)rate->den / rate->num : 0);
    }
    f->job.id = STAGE_JOB_PROBE;
    f->job.input = f->intake.facts.parameters;
    f->job.has_pictures = f->job.pictures = f->intake.facts.pictures;
    f->job.input_time_base = f->intake.facts.time_base;
    f->job.input_frame_rate = f->intake.facts.frame_rate;
    f->job.input_average_rate = f->intake.facts.average_rate;
    f->job.input_side_data = f->intake.facts.side_data;
    f->job.n_input_side_data = f->intake.facts.side_data_count;
    f->job.encoder = f->outlet.facts.encoder;
    f->job.global_header = f->outlet.facts.global_header;
    f->probe_attempt++;
    f->state = FARM_PROBING;
    farm_send_task(f, renderer, NULL, f->probe_attempt);
}

// Everything is rendered. What does not have to wait for the output is done while its end is written: renderers leave, and the first of them gives
// the memory of their frames back; if there is none it goes with the last process that has it.
static void let_renderers_go(struct farm *f)
{
    bool swept = !f->arena;

    for (size_t i = 0; i < f->crew.roster.count && !f->crew.borrowed; i++) {
        struct renderer *renderer = &f->crew.roster.renderers[i];

        if (renderer->remote)
            continue;
        if (!swept && renderer->state == RENDERER_READY)
            swept = hub_send_sweep(f->crew.hub, renderer->peer, f->arena_offset, f->arena_size) == 0;
        crew_dismiss(&f->crew, renderer);
    }
}

// Once all renderers have left and all lanes are empty, nothing holds the loop any more.
static void end_when_quiet(struct farm *f)
{
    if (crew_running(&f->crew) > 0) {
        farm_hurry(f);
        return;
    }
    if (intake_busy(&f->intake) || outlet_busy(&f->outlet) || (f->cache && cache_busy(f->cache)) || trace_busy(f->trace))
        return;
    farm_close(f);
}

void farm_pump(struct farm *f)
{
    if (f->state == FARM_OPENING) {
        // After the input: of one that cannot be read, the source has the better word.
        if (f->intake.opened && f->outlet.state == OUTLET_CLOSED && !outlet_busy(&f->outlet))
            outlet_open(&f->outlet);
        start_probe(f);
    }
    if (f->state == FARM_EXPLAINING && !intake_busy(&f->intake))
        intake_read(&f->intake);
    if (f->state == FARM_STARTING && f->outlet.state == OUTLET_STARTED && farm_cache_ready(f)) {
        farm_leave_out(f);
        f->state = FARM_RUNNING;
    }
    if (f->state == FARM_RUNNING) {
        farm_skip_poison(f); // first: what follows from it is due now, and nothing else may come
        farm_write_next(f);
        farm_read_ahead(f);
        farm_ask_cache(f);
        farm_play_cache(f);
        if (f->state == FARM_RUNNING && stage_finished(farm_last_stage(f)) && !outlet_busy(&f->outlet)) {
            f->state = FARM_FINISHING;
            let_renderers_go(f);
            if (f->pass->poison.count > 0)
                finished_clear(&f->finished); // the same command is to try once more
            if (f->pass->second)
                farm_start_ending(f, 0);
            else
                outlet_finish(&f->outlet);
        }
    }
    if (f->state == FARM_FINISHING && f->outlet.state == OUTLET_FINISHED) {
        f->report.stats.output_bytes = outlet_bytes(&f->outlet);
        farm_start_ending(f, 0);
    }
    if (f->state == FARM_PROBING || f->state == FARM_RUNNING) {
        farm_deal(f);
        farm_pay_credit(f);
    }
    if (f->state == FARM_ENDING)
        end_when_quiet(f);
}

// The rest follows from its exit.
static void replace_hanging(struct farm *f)
{
    uint64_t now_ns = clock_now_ns();
    struct renderer *renderer = watch_find(&f->watch, &f->crew.roster, now_ns);

    if (!renderer || f->state == FARM_ENDING)
        return;
    log_warn("renderer %u hangs: no sign of life for %.0f s (see --stall-timeout)", renderer->slot, (double)(now_ns - renderer->heard_ns) / 1e9);
    renderer->heard_ns = now_ns;
    crew_condemn(&f->crew, renderer, "it hangs");
}

static void trace_now(struct farm *f)
{
    struct trace_counts counts = {
        .busy = (unsigned)roster_count(&f->crew.roster, RENDERER_BUSY),
        .largest = f->peak_bytes,
    };
    size_t resident;

    if (uv_resident_set_memory(&resident) == 0)
        counts.memory = resident;
    for (size_t i = 0; i < f->stage_count; i++) {
        const struct stage *stage = &f->stages[i];

        counts.shelf_bytes += stage->shelf.size_bytes;
        counts.assembly_bytes += assembler_held_bytes(stage->assembler);
        counts.waiting += scheduler_available(stage->scheduler);
        counts.out += scheduler_outstanding(stage->scheduler);
        counts.frame_slots += stage->slots.count;
        counts.frames += stage->arena ? stage->slots.count - arena_free_count(stage->arena, stage->slots.first, stage->slots.count) : 0;
    }
    for (size_t i = 0; i < f->crew.roster.count; i++)
        counts.credits += f->crew.roster.renderers[i].state == RENDERER_BUSY ? f->crew.roster.renderers[i].task.credit : 0;
    trace_counters(f->trace, clock_now_ns(), &counts);
}

void farm_tick(struct farm *f)
{
    if (f->state == FARM_RUNNING || f->state == FARM_FINISHING) {
        const struct scheduler *scheduler = farm_last_stage(f)->scheduler;
        int busy = (int)roster_count(&f->crew.roster, RENDERER_BUSY); // of a plan with stages more than there are cores
        int workers = f->local_workers + (int)roster_remote(&f->crew.roster);
        bool all_known = f->stage_count == 1 ? f->input_ended : farm_last_stage(f)->input_ended;

        report_show(&f->report, &f->intake.facts, scheduler_done_count(scheduler), all_known ? scheduler_total(scheduler) : 0,
                    f->input_ended ? f->frames_read : 0, busy < workers ? busy : workers, workers);
    }
    replace_hanging(f);
    farm_start_due(f);
    if (f->trace && f->state != FARM_ENDING)
        trace_now(f);
    farm_tick_remote(f);
    farm_deal_seconds(f);
    // The slots of frames are given back in silence, and so may a job come to its end: where the last renderer could not be started again, say.
    if (f->arena || f->state == FARM_ENDING)
        farm_pump(f);
}

static int visit_side_file(void *data, const char *key, const char *path)
{
    (void)key;
    side_files_add(data, path);
    return 0;
}

// What renderers on other hosts have to have as it is here.
static void name_side_files(struct farm *f)
{
    named_files_read_by(f->options, visit_side_file, &f->job);
    if (named_files_chooses_fonts(f->job.filters))
        side_files_add_fonts(&f->job);
}

static void init_job(struct farm *f)
{
    const struct options *o = f->options;

    wire__job__init(&f->job);
    f->job.filters = o->filter ? o->filter : (char *)"";
    f->job.autorotate = !o->no_autorotate;
    f->job.pixel_format = o->pixel_format;
    f->job.slices = SLICES;
    f->job.has_fingerprints = f->pass->verify != NULL;
    f->job.fingerprints = !f->pass->verify ? WIRE__FINGERPRINTS__NONE : f->pass->second ? WIRE__FINGERPRINTS__INSTEAD : WIRE__FINGERPRINTS__BESIDE;
    f->job.n_encoder_options = o->encoder_option_count;
    f->job.encoder_options = mem_zalloc((o->encoder_option_count + 1) * sizeof(*f->job.encoder_options));
    for (size_t i = 0; i < o->encoder_option_count; i++) {
        Wire__Option *option = mem_zalloc(sizeof(*option));

        wire__option__init(option);
        option->key = o->encoder_options[i].key;
        option->value = o->encoder_options[i].value;
        f->job.encoder_options[i] = option;
    }
    if (f->pass->remote)
        name_side_files(f);
}

static void clear_job(struct farm *f)
{
    side_files_clear(&f->job);
    for (size_t i = 0; i < f->job.n_encoder_options; i++)
        free(f->job.encoder_options[i]);
    free(f->job.encoder_options);
    free(f->sheet_filters);
    // The rest is borrowed from options, facts and probe.
}

void farm_init(struct farm *f, const struct options *options, struct pass *pass)
{
    f->options = options;
    f->pass = pass;
    f->one_graph = pass->again == AGAIN_ONE_GRAPH;
    f->one_segment = options->one_segment || pass->again == AGAIN_ONE_SEGMENT;
    pass->again = AGAIN_NO;
    f->local_workers = options->workers > 0 ? options->workers : pass->remote ? 0 : 1;
    report_init(&f->report, options);
    if (pass->start_ns > 0)
        f->report.stats.start_ns = pass->start_ns;
    pass->start_ns = f->report.stats.start_ns;
    f->report.stats.first_task_ns = pass->first_task_ns;
    // A pass that came to nothing may have done so because renderers were taken for hanging that were only slow.
    f->memory_kills = memory_kills();
    watch_init(&f->watch, options->stall_s * pow(4, pass->faults));
    intake_init(&f->intake, f->loop, options->input, farm_on_intake, f);
    f->intake.noted = pass->input;
    f->intake.pictures = (struct pictures_setup){.framerate = options->framerate, .start_number = options->start_number, .missing = options->missing};
    init_job(f);
}

static void on_trace_idle(void *data)
{
    farm_pump(data);
}

// A pass that is repeated writes its trace over that of the one before.
static int open_trace(struct farm *f)
{
    const char *path = f->options->trace_path;
    int err = trace_open(&f->trace, f->loop, path, f->options->page_path, f->report.begun_ns, on_trace_idle, f, &path);

    if (err < 0) {
        log_error("%s: the %s cannot be written: %s", path, path == f->options->trace_path ? "trace" : "report",
                  err == -ENXIO ? "nobody reads from this pipe" : err_text(err));
        return err;
    }
    trace_lane(f->trace, &f->intake.lane, "reading");
    trace_lane(f->trace, &f->outlet.lane, "writing");
    for (unsigned i = 0; sequence_is_output(f->options->output) && i < f->outlet.hands.count; i++)
        trace_lane(f->trace, &f->outlet.hands.hands[i].lane, "writing files");
    if (f->cache)
        trace_lane(f->trace, cache_lane(f->cache), "cache");
    return 0;
}

int farm_start(struct farm *f)
{
    const struct options *o = f->options;
    int err = 0;

    if (f->pass->depot)
        farm_borrow(f);
    else
        err = crew_init(&f->crew, f->loop, f->local_workers, o->threads, o->verbosity, &farm_hub_events, farm_on_renderer_exit, f);
    if (!err && f->pass->remote)
        err = hub_listen(f->crew.hub, f->loop, &f->pass->remote->door);
    if (!err && f->pass->remote)
        log_info("listening at %s", f->pass->remote->door.endpoint);
    if (!err && f->pass->remote)
        err = remote_launch(f->pass->remote, o, f->crew.program);
    if (err < 0)
        return err;
    struct sink_setup setup = {
        .input = o->input,
        .output = o->output,
        .noted = f->pass->input,
        .codec = o->codec,
        .one_picture = o->sheet_columns > 0,
        .start_number = o->output_start_number >= 0 ? o->output_start_number : 1,
        .overwrite = o->overwrite || o->explain || f->pass->second,
        .no_audio = o->no_audio,
        .no_subtitles = o->no_subtitles,
        .no_other_video = o->no_other_video,
        .autorotate = !o->no_autorotate,
        .renderer = f->crew.program,
        .stall_s = o->stall_s,
        .start_s = &f->intake.facts.start_s,
        .others = &f->intake.facts.others_path,
        .finished = &f->finished,
    };

    finished_init(&f->finished, o);
    outlet_init(&f->outlet, f->loop, &setup, farm_on_outlet, f);
    farm_open_cache(f);
    if ((o->trace_path || o->page_path) && !f->pass->second && open_trace(f) < 0)
        return -EIO;
    intake_open(&f->intake);
    for (size_t i = 0; i < f->crew.roster.count && !f->crew.borrowed && !err; i++)
        err = crew_start(&f->crew, &f->crew.roster.renderers[i]);
    return err;
}

void farm_clear(struct farm *f)
{
    if (f->trace) {
        int err = trace_close(&f->trace);

        if (err < 0)
            log_warn("%s: the trace is not whole: %s", f->options->trace_path ? f->options->trace_path : f->options->page_path, err_text(err));
    }
    report_clear(&f->report);
    cache_free(&f->cache);
    finished_clear(&f->finished);
    outlet_clear(&f->outlet);
    intake_clear(&f->intake);
    crew_clear(&f->crew);
    for (size_t i = 0; i < f->stage_count; i++)
        stage_clear(&f->stages[i]);
    free(f->stages);
    arena_unmap(&f->arena);
    if (f->crew.borrowed)
        farm_give_back(f);
    if (f->probed)
        wire__message__free_unpacked(f->probed, NULL);
    clear_job(f);
    chunk_list_clear(&f->intake.head);
    plan_clear(&f->plan);
}
