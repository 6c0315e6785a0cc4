#include "others.h"

#include "common/demux.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/retime.h"

#include <errno.h>
#include <stdlib.h>

struct others {
    AVFormatContext *input;
    struct retime retime;
    bool *wanted;
    AVPacket *next; // read and not taken
    bool ended;
};

int others_open(struct others **result, const char *path, int64_t start_us, char **why)
{
    struct others *o = mem_zalloc(sizeof(*o));
    int err;

    err = demux_open(&o->input, path);
    if (err >= 0)
        err = avformat_find_stream_info(o->input, NULL);
    if (err < 0) {
        err_why(why, err, "%s: %s", path, err_text(err));
        others_close(&o);
        return err;
    }
    retime_init(&o->retime, o->input, start_us);
    o->ended = true; // until others_want
    *result = o;
    return 0;
}

const AVFormatContext *others_input(const struct others *o)
{
    return o->input;
}

int64_t others_offset_us(const struct others *o)
{
    return o->retime.offset_us;
}

void others_want(struct others *o, const bool *wanted)
{
    unsigned count = o->input->nb_streams;

    free(o->wanted);
    o->wanted = mem_copy(wanted, count * sizeof(*wanted));
    for (unsigned i = 0; i < count; i++) {
        if (wanted[i])
            o->ended = false;
        o->input->streams[i]->discard = wanted[i] || retime_needs(&o->retime, i) ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
}

int others_peek(struct others *o, const AVPacket **packet, char **why)
{
    int err = 0;

    *packet = o->next;
    if (o->next || o->ended)
        return 0;
    o->next = av_packet_alloc();
    if (!o->next)
        return err_why(why, AVERROR(ENOMEM), "%s: %s", o->input->url, err_text(AVERROR(ENOMEM)));
    while ((err = demux_read(o->input, o->next)) >= 0) {
        if (retime_packet(&o->retime, o->next) && o->wanted[o->next->stream_index]) {
            retime_copy(&o->retime, o->next);
            *packet = o->next;
            return 0;
        }
        av_packet_unref(o->next);
    }
    if (err != AVERROR_EOF)
        log_warn("%s: the streams beside the video end early: %s", o->input->url, err_text(err));
    av_packet_free(&o->next);
    o->ended = true;
    return 0;
}

AVPacket *others_take(struct others *o)
{
    AVPacket *packet = o->next;

    o->next = NULL;
    return packet;
}

void others_close(struct others **others)
{
    struct others *o = *others;

    if (!o)
        return;
    av_packet_free(&o->next);
    retime_clear(&o->retime);
    avformat_close_input(&o->input);
    free(o->wanted);
    free(o);
    *others = NULL;
}
