// The input and the output: numbers in place of pictures. A frame is worth a number; a filter makes another number of it, of those before it, or of
// its neighbours, so that a frame that is lost, doubled or filtered out of order changes what comes out.
#include "world.h"

#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"

#include "coordinator/sink.h"
#include "coordinator/source.h"
#include "coordinator/writer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t media_mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a ^ (b + 0x9e3779b97f4a7c15 + (a << 6) + (a >> 2))) * 0xbf58476d1ce4e5b9;

    return (z ^ z >> 31) * 0x94d049bb133111eb;
}

uint64_t media_decoded(const struct shape *shape, unsigned frame)
{
    return media_mix(frame, 1 + shape->number);
}

unsigned media_packet_bytes(const struct shape *shape, unsigned frame, bool encoded)
{
    unsigned most = encoded ? shape->packet_bytes / 4 : shape->packet_bytes;

    return 16 + (unsigned)(media_mix(frame, 2 + encoded) % (most + 1));
}

// ---- The shape of a job ----

static const struct filter some_filters[] = {
    {FILTER_FRAME, "unsharp", 0, 0, 11},        {FILTER_FRAME, "negate", 0, 0, 12},          {FILTER_STATE, "hqdn3d", 0, 0, 13},
    {FILTER_WINDOW, "tmix=frames=3", 2, 0, 14}, {FILTER_WINDOW, "atadenoise=s=5", 2, 2, 15}, {FILTER_WINDOW, "tmedian=radius=1", 0, 2, 16},
};

static void expect(struct shape *s)
{
    for (unsigned i = 0; i < s->frames; i++)
        s->expected[i] = media_decoded(s, i);
    for (unsigned f = 0; f < s->filter_count; f++) {
        const struct filter *filter = &s->filters[f];
        uint64_t out[MOST_FRAMES], state = 0;

        for (unsigned i = 0; i < s->frames; i++) {
            out[i] = media_mix(s->expected[i], filter->id);
            if (filter->kind == FILTER_STATE)
                out[i] = state = media_mix(state, out[i]);
            for (unsigned j = i > filter->before ? i - filter->before : 0; j <= i + filter->after && j < s->frames; j++)
                out[i] = media_mix(out[i], s->expected[j]);
        }
        memcpy(s->expected, out, sizeof(out));
    }
}

static void write_chain(struct shape *s)
{
    s->chain[0] = '\0';
    for (unsigned i = 0; i < s->filter_count; i++)
        snprintf(s->chain + strlen(s->chain), sizeof(s->chain) - strlen(s->chain), "%s%s", i ? "," : "", s->filters[i].name);
}

void media_shape(struct shape *s, unsigned number, uint64_t seed)
{
    uint64_t kept = world.fate;

    world.fate = seed * 0x2545f4914f6cdd1d;
    *s = (struct shape){
        .number = number, .frames = 1 + (unsigned)world_random(world_chance(5000) ? MOST_FRAMES : 300), .cuttable = world_random(4) > 0};
    s->packet_bytes = world_chance(5000) ? MOST_PACKET_BYTES : world_chance(20000) ? 20000 : 200;
    if (s->packet_bytes > 1000 && s->frames > 200)
        s->frames = 200;
    for (unsigned left = s->frames; left > 0; left -= s->gop[s->gop_count++]) {
        unsigned gop = 1 + (unsigned)world_random(world_chance(10000) ? 300 : 40);

        s->gop[s->gop_count] = gop < left ? gop : left;
    }
    s->filter_count = (unsigned)world_random(world_random(3) > 0 ? 3 : MOST_FILTERS);
    for (unsigned i = 0; i < s->filter_count; i++)
        s->filters[i] = some_filters[world_random(sizeof(some_filters) / sizeof(*some_filters))];
    write_chain(s);
    s->poisonous = world_chance(8000) && s->filter_count > 0;
    for (unsigned i = 0; i < s->filter_count; i++)
        s->poisonous &= s->filters[i].kind == FILTER_FRAME;
    s->poison = (unsigned)world_random(s->frames);
    s->files = world_random(4) == 0;
    expect(s);
    world.fate = kept;
}

void media_like(struct shape *s, const struct shape *like)
{
    memcpy(s->filters, like->filters, sizeof(s->filters));
    s->filter_count = like->filter_count;
    s->poisonous &= like->poisonous;
    write_chain(s);
    expect(s);
}

void media_simplify(struct shape *s, uint64_t seed)
{
    unsigned kept = 0;

    s->cuttable = true;
    for (unsigned i = 0; i < s->filter_count; i++)
        if (s->filters[i].kind == FILTER_FRAME)
            s->filters[kept++] = s->filters[i];
    s->filter_count = kept;
    write_chain(s);
    // More often than elsewhere, and at the end, where nothing may come any more that would wake the farm.
    s->poisonous = media_mix(seed, 9) % 3 == 0 && kept > 0;
    if (media_mix(seed, 10) % 2)
        s->poison = s->frames - 1;
    expect(s);
}

void media_cut_short(struct shape *s)
{
    s->gop_count = 0;
    for (unsigned left = s->frames; left > 0; left -= s->gop[s->gop_count++])
        s->gop[s->gop_count] = PLAIN_FRAMES < left ? PLAIN_FRAMES : left;
}

void media_plain_shape(struct shape *s, unsigned segments)
{
    *s = (struct shape){.frames = segments * PLAIN_FRAMES, .gop_count = segments, .packet_bytes = 200, .cuttable = true};
    for (unsigned i = 0; i < segments; i++)
        s->gop[i] = PLAIN_FRAMES;
    expect(s);
}

// ---- coordinator/source.h ----

struct source {
    const struct shape *shape;
    bool cut;
    unsigned segment_frames;
    unsigned frame, gop, in_gop;
    uint32_t segment, sequence;
    unsigned in_segment;
    const struct gaps *gaps;
    int64_t keep_from; // of a piece behind what was left out
};

// The input is no folder and no pattern.
bool pictures_is_input(const char *path)
{
    (void)path;
    return false;
}

int source_open_pictures(struct source **source, const char *path, const struct pictures_setup *setup, struct source_facts *facts, char **why)
{
    (void)source;
    (void)setup;
    (void)facts;
    return err_why(why, -EINVAL, "%s: no pictures here", path);
}

int source_open(struct source **source, const char *path, struct source_facts *facts, char **why)
{
    AVCodecParameters *par = avcodec_parameters_alloc();
    const struct shape *shape = &world_video_named(path)->shape;

    (void)why;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_H264;
    par->width = 16 + (int)shape->number; // how renderers know it
    par->height = 16;
    *facts = (struct source_facts){.duration_s = shape->frames / 24.0,
                                   .frames = shape->frames,
                                   .width = 16,
                                   .height = 16,
                                   .cuttable = shape->cuttable,
                                   .why_not_cuttable = shape->cuttable ? NULL : mem_dup("it is made up"),
                                   .codec_name = mem_dup("h264"),
                                   .format_name = mem_dup("made up")};
    packets_parameters_to_wire(&facts->parameters, par);
    avcodec_parameters_free(&par);
    facts->time_base = packets_rational_to_wire((AVRational){1, 24 * PTS_STEP});
    facts->frame_rate = packets_rational_to_wire((AVRational){24, 1});
    for (unsigned i = 0; i < shape->gop_count; i++)
        facts->keyframe_gap_s = fmax(facts->keyframe_gap_s, shape->gop[i] / 24.0);
    *source = mem_zalloc(sizeof(**source));
    (*source)->shape = shape;
    return 0;
}

// All of a video have the same bytes.
static AVPacket *input_packet(const struct shape *shape, unsigned frame)
{
    static AVBufferRef *bytes[MOST_VIDEOS];
    AVBufferRef **ours = &bytes[shape->number];
    AVPacket *packet = av_packet_alloc();

    if (!*ours) {
        *ours = av_buffer_alloc(16 + MOST_PACKET_BYTES + AV_INPUT_BUFFER_PADDING_SIZE);
        if (*ours)
            memset((*ours)->data, (int)shape->number, (*ours)->size);
    }
    if (!packet || !*ours || !(packet->buf = av_buffer_ref(*ours)))
        abort();
    packet->data = (*ours)->data;
    packet->size = (int)media_packet_bytes(shape, frame, false);
    packet->pts = packet->dts = (int64_t)frame * PTS_STEP;
    packet->duration = PTS_STEP;
    return packet;
}

int source_head(struct source *s, size_t min_packets, size_t min_bytes, struct chunk_list *head, bool *eof, char **why)
{
    struct chunk *chunk = chunk_new(0);

    (void)why;
    (void)min_bytes;
    for (unsigned i = 0; i < s->shape->frames && i < min_packets && i < 8; i++) {
        AVPacket *packet = input_packet(s->shape, i);

        chunk_take(chunk, &packet);
    }
    *eof = s->shape->frames <= 8;
    chunk_list_put(head, &chunk);
    return 0;
}

void source_start(struct source *s, bool cut, double segment_s, double taper_s)
{
    (void)taper_s;
    s->cut = cut && segment_s > 0;
    s->segment_frames = (unsigned)(segment_s * 24);
}

void source_leave_out(struct source *s, const struct gaps *gaps)
{
    s->gaps = gaps;
    s->keep_from = INT64_MIN;
}

static bool can_leave_out(const struct source *s, struct gaps_jump *jump)
{
    unsigned behind;
    struct gaps_gop gop;

    if (!s->gaps || s->in_gop > 0 || s->frame == s->shape->frames)
        return false;
    behind = s->frame + s->shape->gop[s->gop];
    gop = (struct gaps_gop){(int64_t)s->frame * PTS_STEP, (int64_t)(behind - 1) * PTS_STEP, s->shape->gop[s->gop]};
    return gaps_leave_out(s->gaps, &gop, behind < s->shape->frames ? (int64_t)behind * PTS_STEP : GAPS_NO_TIME, jump);
}

// Where a segment begins.
static void leave_out(struct source *s, struct source_run *run)
{
    struct gaps_jump jump;

    while (can_leave_out(s, &jump)) {
        if (run->gap_until == 0)
            run->gap_from = jump.from;
        run->gap_until = jump.until;
        run->frames_hint += s->shape->gop[s->gop];
        s->frame += s->shape->gop[s->gop++];
        s->keep_from = jump.keep_from;
        world.counts.left_out++;
    }
}

static int64_t keep_end(const struct source *s)
{
    unsigned frame = s->frame, gop = s->gop, frames = 0;

    while (s->cut && frame < s->shape->frames) {
        frame += s->shape->gop[gop];
        frames += s->shape->gop[gop++];
        if (frames >= s->segment_frames)
            break;
    }
    return !s->cut || frame >= s->shape->frames ? INT64_MAX : (int64_t)frame * PTS_STEP;
}

int source_next(struct source *s, struct source_run *run, char **why)
{
    struct chunk *chunk;
    struct gaps_jump jump;
    bool segment_ends = false;

    *run = (struct source_run){0};
    if (world_chance(world.faults.read_error)) {
        *why = mem_dup("made-up input: Input/output error");
        return -EIO;
    }
    if (s->sequence == 0)
        leave_out(s, run);
    if (s->frame == s->shape->frames) {
        run->eof = true;
        return 0;
    }
    chunk = chunk_new(s->sequence++);
    run->segment = s->segment;
    run->first = chunk->sequence == 0;
    if (run->first) {
        run->keep_from = s->gaps ? s->keep_from : s->segment == 0 ? INT64_MIN : (int64_t)s->frame * PTS_STEP;
        run->keep_to = keep_end(s);
    }
    while (s->frame < s->shape->frames && !segment_ends && chunk->packet_count < 1 + media_mix(s->frame, 4) % 20) {
        AVPacket *packet = input_packet(s->shape, s->frame++);

        run->last_pts = packet->pts;
        run->frames_hint++;
        chunk_take(chunk, &packet);
        s->in_segment++;
        if (++s->in_gop == s->shape->gop[s->gop]) {
            s->in_gop = 0;
            s->gop++;
            segment_ends = (s->cut && s->in_segment >= s->segment_frames) || can_leave_out(s, &jump);
        }
    }
    chunk->last = segment_ends || s->frame == s->shape->frames;
    if (chunk->last) {
        s->segment++;
        s->sequence = 0;
        s->in_segment = 0;
    }
    run->chunk = chunk;
    return 0;
}

char *source_picture_path(const struct source *s, int64_t pts)
{
    (void)s;
    (void)pts;
    return NULL;
}

const char *source_damage(const struct source *s)
{
    (void)s;
    return NULL;
}

const char *source_cut_note(const struct source *s)
{
    (void)s;
    return NULL;
}

void source_close(struct source **source)
{
    free(*source);
    *source = NULL;
}

// ---- coordinator/sink.h and writer.h ----

struct sink {
    struct video *video;
};

struct writer {
    struct video *video;
    uint32_t segment;
};

int sink_open(struct sink **sink, const struct sink_setup *setup, struct sink_facts *facts, char **why)
{
    (void)why;
    *facts = (struct sink_facts){.encoder = mem_dup("made-up")};
    *sink = mem_zalloc(sizeof(**sink));
    (*sink)->video = world_video_named(setup->output);
    files_begin((*sink)->video);
    return 0;
}

void sink_facts_clear(struct sink_facts *facts)
{
    free(facts->encoder);
    *facts = (struct sink_facts){0};
}

int sink_start(struct sink *sink, const Wire__Probed *video, char **why)
{
    (void)sink;
    (void)video;
    (void)why;
    return 0;
}

struct sink_part *sink_take_parts(struct sink *sink)
{
    return files_take(sink->video);
}

uint64_t sink_bytes(const struct sink *sink)
{
    (void)sink;
    return 0;
}

void sink_close(struct sink **sink)
{
    if (*sink)
        files_check_close((*sink)->video);
    free(*sink);
    *sink = NULL;
}

struct writer *writer_new(struct sink *sink, unsigned reorder_delay, int64_t frame_step)
{
    struct writer *writer = mem_zalloc(sizeof(*writer));

    (void)reorder_delay;
    (void)frame_step;
    writer->video = sink->video;
    writer->video->next_frame = writer->video->skipped = 0;
    writer->video->finished = false;
    return writer;
}

// Whether the user's wish about segments that fail may have changed what comes of this one; an earlier stage changes all that follow.
static bool may_differ(const struct video *v, uint32_t segment)
{
    const struct poison *poison = &v->farm->pass->poison;

    for (size_t i = 0; i < poison->count; i++)
        if (poison->entries[i].stage + 1 < v->farm->stage_count || poison->entries[i].segment == segment)
            return true;
    return false;
}

static bool may_lack_frames(const struct video *v)
{
    const struct poison *poison = &v->farm->pass->poison;

    for (size_t i = 0; i < poison->count; i++)
        if (poison->entries[i].way == POISON_SKIP)
            return true;
    return false;
}

static void check_packet(struct video *v, const AVPacket *packet, uint32_t segment)
{
    uint64_t frame, value;

    memcpy(&frame, packet->data, 8);
    memcpy(&value, packet->data + 8, 8);
    if (v->finished)
        world_violated("frame %llu is written behind the end", (unsigned long long)frame);
    if (frame < v->next_frame)
        world_violated("frame %llu is written after frame %u", (unsigned long long)frame, v->next_frame - 1);
    if (frame >= v->shape.frames)
        world_violated("frame %llu of %u is written", (unsigned long long)frame, v->shape.frames);
    if (frame != v->next_frame && !may_lack_frames(v))
        world_violated("frame %u is missing, frame %llu comes in its place", v->next_frame, (unsigned long long)frame);
    v->skipped += (unsigned)frame - v->next_frame;
    if (value != v->shape.expected[frame] && !may_differ(v, segment))
        world_violated("frame %llu is not what it should be", (unsigned long long)frame);
    if ((unsigned)packet->size != media_packet_bytes(&v->shape, (unsigned)frame, true))
        world_violated("the packet of frame %llu has %d bytes", (unsigned long long)frame, packet->size);
    v->next_frame = (unsigned)frame + 1;
    if (v->shape.files)
        files_give(v, (unsigned)frame, (size_t)packet->size);
}

int writer_write(struct writer *writer, uint32_t segment, struct chunk **chunk, char **why)
{
    if (!world.dead && world_chance(world.faults.write_error)) {
        *why = mem_dup("made-up output: No space left on device");
        return -ENOSPC;
    }
    if (segment < writer->segment)
        world_violated("segment %u is written after segment %u", segment, writer->segment);
    writer->segment = segment;
    for (size_t i = 0; i < (*chunk)->packet_count && !world.dead; i++)
        check_packet(writer->video, (*chunk)->packets[i], segment);
    chunk_free(chunk);
    return 0;
}

int writer_finish(struct writer *writer, char **why)
{
    struct video *v = writer->video;

    (void)why;
    if (world.dead)
        return 0;
    files_check_finish(v);
    if (v->next_frame != v->shape.frames && !may_lack_frames(v))
        world_violated("%u of %u frames are written", v->next_frame, v->shape.frames);
    v->skipped += v->shape.frames - v->next_frame;
    v->finished = true;
    return 0;
}

void writer_free(struct writer **writer)
{
    free(*writer);
    *writer = NULL;
}
