#include "outlet.h"

#include <stdlib.h>

void outlet_init(struct outlet *out, uv_loop_t *loop, const struct sink_setup *setup, void (*on_change)(void *data), void *data)
{
    *out = (struct outlet){.on_change = on_change, .data = data, .setup = *setup};
    lane_init(&out->lane, loop);
}

bool outlet_busy(const struct outlet *out)
{
    return lane_busy(&out->lane);
}

static void open_in_lane(void *data)
{
    struct outlet *out = data;

    out->err = sink_open(&out->sink, &out->setup, &out->facts, &out->why);
}

static void on_open(void *data)
{
    struct outlet *out = data;

    if (!out->err)
        out->state = OUTLET_OPEN;
    out->on_change(out->data);
}

// A frame's length in the encoder's time base, at least 1.
static int64_t frame_step(const Wire__Probed *video)
{
    const Wire__Rational *rate = video->output_frame_rate, *tb = video->output_time_base;
    double step = 1;

    if (rate && rate->num > 0 && rate->den > 0)
        step = (double)rate->den / rate->num * tb->den / tb->num + 0.5;
    return step >= 1 ? (int64_t)step : 1;
}

static void start_in_lane(void *data)
{
    struct outlet *out = data;

    out->err = sink_start(out->sink, out->video, &out->why);
    if (!out->err)
        out->writer = writer_new(out->sink, out->video->has_reorder_delay ? out->video->reorder_delay : 0, frame_step(out->video));
}

static void on_start(void *data)
{
    struct outlet *out = data;

    if (!out->err)
        out->state = OUTLET_STARTED;
    out->on_change(out->data);
}

static void write_in_lane(void *data)
{
    struct outlet *out = data;

    out->err = writer_write(out->writer, out->segment, &out->chunk, &out->why);
}

static void on_written(void *data)
{
    struct outlet *out = data;

    out->written_bytes = out->queued_bytes;
    out->queued_bytes = 0;
    out->on_change(out->data);
}

static void finish_in_lane(void *data)
{
    struct outlet *out = data;

    out->err = writer_finish(out->writer, &out->why);
}

static void on_finish(void *data)
{
    struct outlet *out = data;

    if (!out->err)
        out->state = OUTLET_FINISHED;
    out->on_change(out->data);
}

void outlet_open(struct outlet *out)
{
    lane_run(&out->lane, open_in_lane, on_open, out);
}

void outlet_start(struct outlet *out, const Wire__Probed *video)
{
    out->video = video;
    lane_run(&out->lane, start_in_lane, on_start, out);
}

void outlet_write(struct outlet *out, uint32_t segment, struct chunk **chunk)
{
    out->segment = segment;
    out->chunk = *chunk;
    out->queued_bytes = (*chunk)->size_bytes;
    *chunk = NULL;
    lane_run(&out->lane, write_in_lane, on_written, out);
}

void outlet_finish(struct outlet *out)
{
    out->written_bytes = 0;
    lane_run(&out->lane, finish_in_lane, on_finish, out);
}

uint64_t outlet_bytes(const struct outlet *out)
{
    return sink_bytes(out->sink);
}

void outlet_clear(struct outlet *out)
{
    chunk_free(&out->chunk);
    writer_free(&out->writer);
    sink_close(&out->sink);
    sink_facts_clear(&out->facts);
    free(out->why);
}
