// The recorded video, several times in a row: coordinator/source.h, sink.h and writer.h, and the plan.
#include "virtual.h"

#include "common/mem.h"
#include "common/packets.h"

#include "coordinator/sink.h"
#include "coordinator/source.h"
#include "coordinator/taper.h"
#include "coordinator/writer.h"

#include <math.h>
#include <stdlib.h>

static const struct recording *recording(void)
{
    return virtual.machine->recording;
}

uint64_t media_input_frames(void)
{
    return recording()->reading.frames * virtual.machine->repeat;
}

// ---- What frames cost ----

// A frame of a stage's input in frames of its output: filters may drop or add some.
static double put_out(size_t stage, double frame)
{
    uint64_t in = stage == 0 ? recording()->reading.frames : recording()->stages[stage - 1].tasks.frames;

    return frame * (double)recording()->stages[stage].tasks.frames / (double)in;
}

double media_cost(size_t stage, uint64_t from, uint64_t to)
{
    return recorded_cost(&recording()->stages[stage].tasks, put_out(stage, (double)from), put_out(stage, (double)to));
}

double media_bytes(size_t stage, uint64_t from, uint64_t to)
{
    return recorded_bytes(&recording()->stages[stage].tasks, put_out(stage, (double)from), put_out(stage, (double)to));
}

uint64_t media_frames(size_t stage, uint64_t from, uint64_t to)
{
    return (uint64_t)floor(put_out(stage, (double)to) + 1e-6) - (uint64_t)floor(put_out(stage, (double)from) + 1e-6);
}

// ---- The plan ----

// As recorded, but that a longer video may be cut into longer segments: those that the real plan takes for its length.
void __wrap_plan_make(struct plan *plan, const struct plan_input *input);
void __real_plan_make(struct plan *plan, const struct plan_input *input);

// Frames a second that came to the stage that encodes; filters in it may have made more of them.
static double rate_taken(void)
{
    const struct recording *r = recording();
    uint64_t frames = r->stage_count > 0 ? r->stages[r->stage_count - 1].frames : 0;

    return frames > 0 && r->duration_s > 0 ? (double)frames / r->duration_s : r->frame_rate;
}

void __wrap_plan_make(struct plan *plan, const struct plan_input *input)
{
    struct plan_input plain = *input;
    struct plan lengths;

    plain.duration_s = recording()->duration_s * virtual.machine->repeat;
    plain.frame_rate = rate_taken();
    plain.frame_bytes = recording()->frame_bytes;
    plain.segment_s = virtual.machine->segment_s > 0 ? virtual.machine->segment_s : recording()->wished_segment_s;
    plain.cuttable = plain.one_segment = plain.encode_stream = false;
    plain.why_not_cuttable = "recorded so";
    plain.filter_count = 0;
    plain.chain = "";
    plain.encoder_format = "gray";
    __real_plan_make(&lengths, &plain); // decode, and encode in runs
    *plan = (struct plan){
        .segment_s = lengths.segment_s, .taper_s = lengths.taper_s, .chain = mem_dup(recording()->filters), .reason = mem_dup(recording()->reason)};
    for (size_t i = 0; i < recording()->stage_count; i++) {
        const struct recorded_stage *stage = &recording()->stages[i];
        bool again = virtual.machine->repeat > 1 || virtual.machine->segment_s > 0;
        unsigned neighbours = stage->before + stage->after, run = stage->run_frames, brief = lengths.stages[lengths.stage_count - 1].brief_frames;

        if (again && stage->encode && stage->parallel && run > 0 && lengths.stage_count > 1)
            run = lengths.stages[lengths.stage_count - 1].run_frames;
        plan->stages = mem_grow(plan->stages, plan->stage_count + 1, sizeof(*plan->stages));
        plan->stages[plan->stage_count++] = (struct plan_stage){.decode = stage->decode,
                                                                .encode = stage->encode,
                                                                .parallel = stage->parallel,
                                                                .filters = mem_dup(stage->filters),
                                                                .before = stage->before,
                                                                .after = stage->after,
                                                                .run_frames = run > neighbours ? run : neighbours,
                                                                .frames = stage->frames * virtual.machine->repeat,
                                                                .brief_frames = brief,
                                                                .why = mem_dup(stage->why)};
    }
    plan_clear(&lengths);
}

// ---- coordinator/source.h ----

struct source {
    bool cut, as_recorded;
    uint64_t segment_frames;
    double taper_s;
    uint64_t frame;    // the next, of all
    size_t piece;      // of the recording that it is in
    uint64_t in_piece; // frames of that piece that are read
    uint64_t in_segment;
    uint32_t segment, sequence;
    bool at_first;
};

int source_open(struct source **source, const char *path, struct source_facts *facts, char **why)
{
    AVCodecParameters *par = avcodec_parameters_alloc();

    (void)why;
    (void)path;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_H264;
    par->width = par->height = 16;
    *facts = (struct source_facts){.duration_s = recording()->duration_s * virtual.machine->repeat,
                                   .frames = (int64_t)media_input_frames(),
                                   .width = 16,
                                   .height = 16,
                                   .cuttable = recording()->cuttable,
                                   .why_not_cuttable = recording()->cuttable ? NULL : mem_dup("recorded so"),
                                   .keyframe_gap_s = recording()->keyframe_gap_s,
                                   .codec_name = mem_dup("h264"),
                                   .format_name = mem_dup("recorded")};
    packets_parameters_to_wire(&facts->parameters, par);
    avcodec_parameters_free(&par);
    facts->time_base = packets_rational_to_wire((AVRational){1, 25 * PTS_STEP});
    facts->frame_rate = packets_rational_to_wire((AVRational){25, 1});
    *source = mem_zalloc(sizeof(**source));
    virtual.lane_ns = recording()->open_input;
    return 0;
}

// Numbered pictures are a matter of the real one.
int source_open_pictures(struct source **source, const char *path, const struct pictures_setup *setup, struct source_facts *facts, char **why)
{
    (void)setup;
    return source_open(source, path, facts, why);
}

// Only its size is of interest: it has no bytes.
static AVPacket *input_packet(uint64_t frame)
{
    AVPacket *packet = av_packet_alloc();

    if (!packet)
        abort(); // small allocations succeed or the process ends, see mem.h
    packet->size = (int)fmin(recorded_bytes(&recording()->reading, (double)frame, (double)frame + 1), MOST_PACKET_BYTES);
    packet->pts = packet->dts = (int64_t)frame * PTS_STEP;
    return packet;
}

int source_head(struct source *s, size_t min_packets, size_t min_bytes, struct chunk_list *head, bool *eof, char **why)
{
    struct chunk *chunk = chunk_new(0);
    AVPacket *packet = input_packet(0);

    (void)s;
    (void)min_packets;
    (void)min_bytes;
    (void)why;
    *eof = false;
    chunk_take(chunk, &packet);
    chunk_list_put(head, &chunk);
    return 0;
}

void source_start(struct source *s, bool cut, double segment_s, double taper_s)
{
    s->cut = cut && segment_s > 0;
    s->as_recorded = virtual.machine->repeat == 1 && virtual.machine->segment_s == 0;
    s->segment_frames = (uint64_t)ceil(segment_s * recording()->frame_rate - 1e-6);
    s->taper_s = taper_s;
}

// Nothing is in a cache here.
void source_leave_out(struct source *s, const struct gaps *gaps)
{
    (void)s;
    (void)gaps;
}

// Whether a keyframe comes next: they are spread evenly over what was read as one segment, which begins with one.
static bool at_keyframe(const struct source *s)
{
    const struct recorded_piece *piece = &recording()->reading.pieces[s->piece];
    uint64_t keyframes = piece->keyframes > 0 ? piece->keyframes : 1, gop = piece->frames / keyframes;

    return s->in_piece == 0 || (gop > 0 && s->in_piece % gop == 0 && piece->frames - s->in_piece >= gop);
}

static uint64_t segment_frames(const struct source *s)
{
    double rate = recording()->frame_rate, left = s->taper_s * rate - (double)(s->frame - s->in_segment);

    return s->taper_s > 0 ? (uint64_t)taper_length((double)s->segment_frames, fmax(0, left), PLAN_SHORTEST_S * rate, rate / 2) : s->segment_frames;
}

static bool segment_ends(const struct source *s)
{
    if (!s->cut || s->in_segment == 0)
        return false;
    return s->as_recorded ? s->in_piece == 0 : s->in_segment >= segment_frames(s) && at_keyframe(s);
}

static void next_frame(struct source *s)
{
    s->frame++;
    s->in_segment++;
    if (++s->in_piece < recording()->reading.pieces[s->piece].frames)
        return;
    s->in_piece = 0;
    do
        s->piece = (s->piece + 1) % recording()->reading.count;
    while (recording()->reading.pieces[s->piece].frames == 0);
}

int source_next(struct source *s, struct source_run *run, char **why)
{
    uint64_t all = media_input_frames(), from = s->frame;
    struct chunk *chunk;

    (void)why;
    *run = (struct source_run){0};
    if (s->frame == all) {
        run->eof = true;
        return 0;
    }
    chunk = chunk_new(s->sequence++);
    run->segment = s->segment;
    run->first = chunk->sequence == 0;
    run->keep_from = INT64_MIN;
    run->keep_to = INT64_MAX;
    do {
        AVPacket *packet = input_packet(s->frame);

        run->last_pts = packet->pts;
        chunk_take(chunk, &packet);
        next_frame(s);
    } while (s->frame < all && !segment_ends(s) && !chunk_full(chunk));
    run->frames_hint = s->frame - from;
    chunk->last = s->frame == all || segment_ends(s);
    if (chunk->last) {
        s->segment++;
        s->sequence = 0;
        s->in_segment = 0;
    }
    run->chunk = chunk;
    virtual.lane_ns = recorded_cost(&recording()->reading, (double)from, (double)s->frame);
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
    uint64_t bytes;
};

struct writer {
    struct sink *sink;
};

int sink_open(struct sink **sink, const struct sink_setup *setup, struct sink_facts *facts, char **why)
{
    (void)setup;
    (void)why;
    *facts = (struct sink_facts){.encoder = mem_dup("recorded")};
    *sink = mem_zalloc(sizeof(**sink));
    virtual.lane_ns = recording()->open_output;
    return 0;
}

int sink_start(struct sink *sink, const Wire__Probed *video, char **why)
{
    (void)sink;
    (void)video;
    (void)why;
    virtual.lane_ns = recording()->header;
    return 0;
}

struct sink_part *sink_take_parts(struct sink *sink)
{
    (void)sink;
    return NULL;
}

uint64_t sink_bytes(const struct sink *sink)
{
    return sink->bytes;
}

void sink_close(struct sink **sink)
{
    free(*sink);
    *sink = NULL;
}

void sink_facts_clear(struct sink_facts *facts)
{
    free(facts->encoder);
    *facts = (struct sink_facts){0};
}

struct writer *writer_new(struct sink *sink, unsigned reorder_delay, int64_t frame_step)
{
    struct writer *w = mem_zalloc(sizeof(*w));

    (void)reorder_delay;
    (void)frame_step;
    w->sink = sink;
    return w;
}

int writer_write(struct writer *w, uint32_t segment, struct chunk **chunk, char **why)
{
    (void)segment;
    (void)why;
    virtual.lane_ns = (double)(*chunk)->size_bytes * recording()->write_byte;
    w->sink->bytes += (*chunk)->size_bytes;
    virtual.prediction->frames += (*chunk)->packet_count;
    chunk_free(chunk);
    return 0;
}

int writer_finish(struct writer *writer, char **why)
{
    (void)writer;
    (void)why;
    virtual.lane_ns = recording()->trailer;
    return 0;
}

void writer_free(struct writer **writer)
{
    free(*writer);
    *writer = NULL;
}
