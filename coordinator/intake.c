#include "intake.h"

#include "input_file.h"

#include "common/err.h"

#include <errno.h>
#include <stdlib.h>

enum { HEAD_PACKETS = 32, HEAD_BYTES = 1 << 20 };

void intake_init(struct intake *in, uv_loop_t *loop, const char *path, void (*on_change)(void *data), void *data)
{
    *in = (struct intake){.on_change = on_change, .data = data, .path = path};
    lane_init(&in->lane, loop);
}

bool intake_busy(const struct intake *in)
{
    return lane_busy(&in->lane);
}

static void read_head(struct intake *in)
{
    size_t packets = in->head_bytes <= HEAD_BYTES ? HEAD_PACKETS : in->head_bytes >> 12;
    struct chunk *chunk;

    in->err = source_head(in->source, packets, in->head_bytes, &in->head, &in->head_is_all, &in->why);
    if (!in->head.first) {
        chunk = chunk_new(0);
        chunk_list_put(&in->head, &chunk);
    }
    for (chunk = in->head.first; chunk; chunk = chunk->next)
        chunk->last = chunk == in->head.last;
}

static void open_in_lane(void *data)
{
    struct intake *in = data;

    in->err = pictures_is_input(in->path) ? source_open_pictures(&in->source, in->path, &in->pictures, &in->facts, &in->why)
                                          : source_open(&in->source, in->path, &in->facts, &in->why);
    if (!in->err && in->pictures.framerate.num > 0 && !in->facts.pictures)
        in->err = err_why(&in->why, -EINVAL, "%s: --framerate is for numbered pictures, such as frames/%%06d.png", in->path);
    if (!in->err)
        in->err = input_file_expect(in->noted, in->path, &in->why);
    in->head_bytes = HEAD_BYTES;
    if (!in->err)
        read_head(in);
}

static void head_in_lane(void *data)
{
    struct intake *in = data;

    in->head_bytes *= 4;
    chunk_list_clear(&in->head);
    read_head(in);
}

static void read_in_lane(void *data)
{
    struct intake *in = data;

    in->err = source_next(in->source, &in->run, &in->why);
}

static void on_open(void *data)
{
    struct intake *in = data;

    in->opened = in->err == 0;
    in->on_change(in->data);
}

static void on_call(void *data)
{
    struct intake *in = data;

    in->on_change(in->data);
}

void intake_open(struct intake *in)
{
    lane_run(&in->lane, open_in_lane, on_open, in);
}

void intake_read_head(struct intake *in)
{
    lane_run(&in->lane, head_in_lane, on_call, in);
}

void intake_read(struct intake *in)
{
    lane_run(&in->lane, read_in_lane, on_call, in);
}

void intake_clear(struct intake *in)
{
    chunk_list_clear(&in->head);
    chunk_free(&in->run.chunk);
    free(in->run.extradata);
    free(in->why);
    source_close(&in->source);
    source_facts_clear(&in->facts);
}
