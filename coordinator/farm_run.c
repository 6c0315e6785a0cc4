// What holds a pass together in a real process: the loop, signals, timers.
#include "farm_state.h"
#include "signals.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#include <signal.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 200,
    LEAVE_MS = 2000, // renderers that were told to leave
};

static void on_leave_timer(uv_timer_t *timer)
{
    struct farm *f = timer->data;

    crew_kill(&f->crew);
}

void farm_hurry(struct farm *f)
{
    if (!uv_is_active((uv_handle_t *)&f->leave_timer))
        uv_timer_start(&f->leave_timer, on_leave_timer, LEAVE_MS, LEAVE_MS);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct farm *f = handle->data;

    if (--f->handles == 0)
        f->on_closed(f->on_closed_data);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

void farm_close(struct farm *f)
{
    close_handle((uv_handle_t *)&f->tick_timer);
    close_handle((uv_handle_t *)&f->leave_timer);
    close_handle((uv_handle_t *)&f->turn_end);
    crew_close(&f->crew);
}

void farm_abandon(struct farm *f)
{
    crew_abandon(&f->crew);
}

// This pass has come to nothing, and the next one is not begun. True: it is not to be.
static bool interrupt_between(struct farm *f, int signal)
{
    if (f->state != FARM_ENDING || f->pass->again == AGAIN_NO || f->pass->signal)
        return false;
    f->pass->again = AGAIN_NO;
    f->pass->signal = signal;
    f->exit_status = 128 + signal;
    log_error(f->pass->second ? SIGNALS_UNVERIFIED : SIGNALS_UNWRITTEN, signals_name(signal), f->options->output);
    return true;
}

void farm_interrupt(struct farm *f, int signal)
{
    if (interrupt_between(f, signal))
        return;
    if ((f->state == FARM_ENDING && f->exit_status != 0) || (f->state == FARM_FINISHING && f->pass->signal)) {
        // The second time: whatever still waits for a disk is left alone.
        farm_abandon(f);
        _exit(128 + signal);
    }
    f->pass->signal = signal;
    if (f->state == FARM_FINISHING)
        log_warn("%s: all is rendered, and it is finished in a moment", f->options->output);
    else
        farm_fail(f, 128 + signal, f->pass->second ? SIGNALS_UNVERIFIED : SIGNALS_UNWRITTEN, signals_name(signal), f->options->output);
    farm_pump(f);
}

static void on_tick_timer(uv_timer_t *timer)
{
    farm_tick(timer->data);
}

static void on_turn_end(uv_prepare_t *handle)
{
    struct farm *f = handle->data;
    uint64_t now_ns = uv_hrtime(); // once: turns do not overlap
    uint64_t turn_ns = report_turn(&f->report, now_ns, uv_metrics_idle_time(f->loop));

    trace_turn(f->trace, now_ns - turn_ns, now_ns);
}

static void init_handles(struct farm *f)
{
    uv_timer_init(f->loop, &f->tick_timer);
    uv_timer_init(f->loop, &f->leave_timer);
    uv_prepare_init(f->loop, &f->turn_end);
    f->handles = 3;
    f->tick_timer.data = f->leave_timer.data = f->turn_end.data = f;
    uv_prepare_start(&f->turn_end, on_turn_end);
    uv_timer_start(&f->tick_timer, on_tick_timer, TICK_MS, TICK_MS);
}

// Times tell little of files. The lane is idle by now.
static void name_damaged_picture(struct farm *f)
{
    struct report *r = &f->report;
    const Wire__Rational *tb = f->intake.facts.time_base;
    char *path = NULL, *text;

    if (f->intake.facts.pictures && r->first_decode_error)
        path = source_picture_path(f->intake.source, llrint(r->first_decode_error_s * tb->den / tb->num));
    if (!path)
        return;
    text = mem_format("%s, %s", path, r->first_decode_error);
    free(path);
    free(r->first_decode_error);
    r->first_decode_error = text;
}

// What a pass that went well leaves to say.
static void tell_end(struct farm *f)
{
    char *outcome;

    if (f->options->explain || f->pass->second)
        return;
    f->report.stats.retries = f->pass->retries;
    f->report.stats.lost_frames += f->pass->lost_frames;
    f->report.stats.lost_ns += f->pass->lost_ns;
    f->report.stats.ipc = (struct stats_ipc){
        .messages = f->crew.traffic.sent_messages + f->crew.traffic.received_messages,
        .sent_bytes = f->crew.traffic.sent_bytes,
        .received_bytes = f->crew.traffic.received_bytes,
        .busy_ns = f->crew.traffic.busy_ns,
    };
    for (size_t i = 0; i < f->stage_count; i++) {
        f->report.stats.retries += scheduler_retries(f->stages[i].scheduler);
        if (f->pass->verify && i + 1 < f->stage_count && scheduler_total(f->stages[i].scheduler) > 1)
            verify_on_hidden_seams(f->pass->verify, scheduler_total(f->stages[i].scheduler) - 1);
    }
    for (size_t i = 0; i < f->pass->poison.count; i++) {
        f->report.stats.missing_segments += f->pass->poison.entries[i].way == POISON_SKIP;
        f->report.stats.plain_segments += f->pass->poison.entries[i].way == POISON_COPY;
    }
    f->report.stats.codec = f->job.encoder;
    if (f->why_one_encoder)
        f->report.frames_left_out = 0; // it may make one packet of them all
    farm_tell_remote(f);
    name_damaged_picture(f);
    outcome = report_finish(&f->report, f->options, &f->intake.facts);
    trace_end(f->trace, f->report.stats.end_ns, outcome, f->report.stats.frames, clock_thread_cpu_ns(), f->crew.traffic.received_messages);
    free(outcome);
    if (f->plan.stages[0].parallel && source_cut_note(f->intake.source))
        log_info("%s", source_cut_note(f->intake.source));
}

struct farm *farm_begin(uv_loop_t *loop, const struct options *options, struct pass *pass, void (*on_closed)(void *data), void *data)
{
    struct farm *f = mem_zalloc(sizeof(*f));

    f->loop = loop;
    f->on_closed = on_closed;
    f->on_closed_data = data;
    init_handles(f);
    farm_init(f, options, pass);
    if (farm_start(f) < 0)
        farm_start_ending(f, 1);
    farm_pump(f);
    return f;
}

int farm_end(struct farm **farm)
{
    struct farm *f = *farm;
    int status = f->exit_status;

    *farm = NULL;
    if (status == 0)
        tell_end(f);
    else if (f->pass->again == AGAIN_NO)
        farm_tell_kept(f);
    farm_clear(f);
    free(f);
    return status;
}

// ---- A pass with a loop of its own ----

struct own_loop {
    uv_loop_t loop;
    struct signals signals;
    struct farm *farm;
};

static void on_signal(void *data, int signal)
{
    struct own_loop *own = data;

    farm_interrupt(own->farm, signal);
}

static void on_closed(void *data)
{
    struct own_loop *own = data;

    signals_close(&own->signals);
}

int farm_run(const struct options *options, struct pass *pass)
{
    struct own_loop own;
    int status;

    uv_loop_init(&own.loop);
    uv_loop_configure(&own.loop, UV_METRICS_IDLE_TIME);
    signals_open(&own.signals, &own.loop, on_signal, &own);
    own.farm = farm_begin(&own.loop, options, pass, on_closed, &own);
    uv_run(&own.loop, UV_RUN_DEFAULT);
    status = farm_end(&own.farm);
    uv_run(&own.loop, UV_RUN_NOWAIT); // handles that spawner_free closed
    uv_loop_close(&own.loop);
    return status;
}
