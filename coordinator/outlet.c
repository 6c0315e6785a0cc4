#include "outlet.h"

#include <stdlib.h>

// The lane's call has ended, or the hands have: what has gone wrong is the loop's to tell. Of the hands that is certain when they are empty.
static void note_result(struct outlet *out)
{
    if (lane_busy(&out->lane) || (out->result >= 0 && out->hands.err >= 0) || hands_busy(&out->hands) || out->err < 0)
        return;
    out->err = out->result < 0 ? out->result : out->hands.err;
    out->why = out->result < 0 ? out->result_why : out->hands.why;
    if (out->result < 0)
        out->result_why = NULL;
    else
        out->hands.why = NULL;
}

static void on_hands(void *data)
{
    struct outlet *out = data;

    note_result(out);
    out->on_change(out->data);
}

void outlet_init(struct outlet *out, uv_loop_t *loop, const struct sink_setup *setup, void (*on_change)(void *data), void *data)
{
    *out = (struct outlet){.on_change = on_change, .data = data, .setup = *setup};
    out->setup.hurry = &out->hurry;
    lane_init(&out->lane, loop);
    hands_init(&out->hands, loop, on_hands, out);
}

bool outlet_busy(const struct outlet *out)
{
    return lane_busy(&out->lane) || hands_busy(&out->hands);
}

bool outlet_takes(const struct outlet *out)
{
    return !lane_busy(&out->lane) && !hands_full(&out->hands) && out->result >= 0;
}

size_t outlet_queued_bytes(const struct outlet *out)
{
    return out->lane_bytes + hands_queued_bytes(&out->hands);
}

static void open_in_lane(void *data)
{
    struct outlet *out = data;

    out->result = sink_open(&out->sink, &out->setup, &out->facts, &out->result_why);
}

// The lane's call has ended; where it went well, that is the state now.
static void end_call(struct outlet *out, enum outlet_state state)
{
    note_result(out);
    if (!out->result)
        out->state = state;
    out->on_change(out->data);
}

static void on_open(void *data)
{
    end_call(data, OUTLET_OPEN);
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

    out->result = sink_start(out->sink, out->video, &out->result_why);
    if (!out->result)
        out->writer = writer_new(out->sink, out->video->has_reorder_delay ? out->video->reorder_delay : 0, frame_step(out->video));
}

static void on_start(void *data)
{
    end_call(data, OUTLET_STARTED);
}

static void write_in_lane(void *data)
{
    struct outlet *out = data;

    out->result = writer_write(out->writer, out->segment, &out->chunk, &out->result_why);
    out->parts = sink_take_parts(out->sink);
}

static void on_written(void *data)
{
    struct outlet *out = data;

    out->written_bytes = out->lane_bytes;
    out->lane_bytes = 0;
    if (out->parts)
        hands_write(&out->hands, out->parts);
    out->parts = NULL;
    end_call(out, out->state);
}

static void finish_in_lane(void *data)
{
    struct outlet *out = data;

    out->result = writer_finish(out->writer, &out->result_why);
}

static void on_finish(void *data)
{
    end_call(data, OUTLET_FINISHED);
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
    out->lane_bytes = (*chunk)->size_bytes;
    *chunk = NULL;
    lane_run(&out->lane, write_in_lane, on_written, out);
}

void outlet_finish(struct outlet *out)
{
    out->written_bytes = 0;
    lane_run(&out->lane, finish_in_lane, on_finish, out);
}

void outlet_hurry(struct outlet *out)
{
    out->hurry = true;
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
    hands_clear(&out->hands);
    free(out->result_why);
    free(out->why);
}
