#include "cutter.h"

#include "taper.h"

#include <stdio.h>
#include <string.h>

void cutter_init(struct cutter *c, int64_t target_ticks, unsigned max_reorder, double tick_s)
{
    memset(c, 0, sizeof(*c));
    c->target_ticks = target_ticks > 1 ? target_ticks : 1;
    c->last_dts = CUTTER_NO_TIME;
    c->max_reorder = max_reorder;
    c->tick_s = tick_s;
}

void cutter_taper(struct cutter *c, int64_t length_ticks, int64_t brief_ticks, int64_t shortest_ticks)
{
    c->taper_ticks = length_ticks;
    c->brief_ticks = brief_ticks;
    c->shortest_ticks = shortest_ticks;
}

// Times are not trusted: distances are taken without overflow.
static int64_t distance(int64_t from, int64_t to)
{
    int64_t d;

    return __builtin_sub_overflow(to, from, &d) ? INT64_MAX : d;
}

// Notes the time of a packet. Later packets have decode times from here on and are not shown before they are decoded, so older times cannot come
// again.
static const char *note_time(struct cutter *c, const struct cutter_packet *p)
{
    size_t kept = 0;
    unsigned overtaken = 0;

    for (size_t i = 0; i < c->window_count; i++) {
        struct cutter_time time = c->window[i];

        if (time.pts == p->pts)
            return "two packets have the same timestamp";
        if (time.has_order && p->has_order && (time.pts > p->pts) != (time.order > p->order))
            return "timestamps are not in the order in which frames are shown";
        if (time.pts > p->pts)
            overtaken++;
        if (time.pts >= p->dts)
            c->window[kept++] = time;
    }
    c->window_count = kept;
    if (kept == CUTTER_WINDOW)
        return "packets are reordered too far";
    c->window[c->window_count++] = (struct cutter_time){.pts = p->pts, .order = p->order, .has_order = p->has_order};
    // A decoder that learns of the delay on its way would start otherwise in the middle of the stream than it goes on there.
    return overtaken > c->max_reorder ? "frames are reordered further than the stream says" : NULL;
}

// What makes all cuts from here on doubtful.
static const char *doubt(struct cutter *c, const struct cutter_packet *p)
{
    const char *why;

    // Matroska has no decode times, and those of the first few packets cannot be told from the others. Nothing is proven by these.
    if (p->pts == CUTTER_NO_TIME || (p->dts == CUTTER_NO_TIME && c->last_dts != CUTTER_NO_TIME))
        return "a packet has no timestamp";
    if (c->started && p->dts < c->last_dts)
        return "decode times go back";
    if (p->pts < p->dts)
        return "a frame is shown before it is decoded";
    why = note_time(c, p);
    if (why)
        return why;
    if (p->palette)
        return "palettes are sent along with packets";
    if (p->changed)
        return "the stream's parameters change";
    return NULL;
}

static void end_segment(struct cutter *c, int64_t at)
{
    int64_t length = distance(c->segment_start, at);

    if (length > c->longest_segment)
        c->longest_segment = length;
}

static void note_key(struct cutter *c, int64_t pts)
{
    int64_t gap = distance(c->last_key, pts);

    if (gap > c->longest_key_gap)
        c->longest_key_gap = gap;
    c->last_key = pts;
}

static struct cutter_step make_cut(struct cutter *c)
{
    end_segment(c, c->candidate);
    c->segment_start = c->candidate;
    c->holding = false;
    c->cuts++;
    return (struct cutter_step){.held = CUTTER_CUT, .cut_pts = c->candidate};
}

static enum cutter_held drop_candidate(struct cutter *c)
{
    enum cutter_held held = c->holding ? CUTTER_JOIN : CUTTER_WAIT;

    c->holding = false;
    return held;
}

// What a further packet says about the held candidate.
static struct cutter_step judge(struct cutter *c, const struct cutter_packet *p)
{
    if (p->pts < c->candidate) {
        c->leading++;
        return (struct cutter_step){.held = drop_candidate(c)};
    }
    if (p->discard)
        return (struct cutter_step){.held = drop_candidate(c)};
    if (p->dts >= c->candidate)
        return make_cut(c);
    if (c->held_count >= CUTTER_MAX_HELD || (c->held_count > 2 && c->held_bytes > CUTTER_MAX_HELD_BYTES))
        return (struct cutter_step){.held = drop_candidate(c)};
    return (struct cutter_step){.held = CUTTER_WAIT};
}

// How long the running segment is to be.
static int64_t wanted_length(const struct cutter *c)
{
    int64_t gone = distance(c->first_pts, c->segment_start), left = gone < c->taper_ticks ? c->taper_ticks - gone : 0;
    double length = taper_length((double)c->target_ticks, (double)left, (double)c->brief_ticks, (double)c->shortest_ticks);

    return c->taper_ticks > 0 && length < (double)c->target_ticks ? (int64_t)length : c->target_ticks;
}

static bool is_candidate(struct cutter *c, const struct cutter_packet *p)
{
    bool wanted;

    if (!c->started || !p->key)
        return false;
    wanted = distance(c->segment_start, p->pts) >= wanted_length(c);
    if (!p->random_access) {
        c->unproven += wanted;
        return false;
    }
    if (p->dts == CUTTER_NO_TIME || p->corrupt || p->discard || c->last_discard || p->pts <= c->max_pts)
        return false;
    note_key(c, p->pts);
    return wanted;
}

static struct cutter_step stop(struct cutter *c, const struct cutter_packet *p, const char *why)
{
    c->stopped = why;
    c->stopped_at = c->started ? c->max_pts : p->pts;
    return (struct cutter_step){.held = drop_candidate(c)};
}

static void note_progress(struct cutter *c, const struct cutter_packet *p)
{
    if (p->pts == CUTTER_NO_TIME)
        return;
    if (!c->started) {
        c->started = true;
        c->segment_start = c->first_pts = c->max_pts = c->last_key = p->pts;
    }
    if (!c->cuts && p->pts < c->segment_start)
        c->segment_start = c->first_pts = p->pts;
    if (p->pts > c->max_pts)
        c->max_pts = p->pts;
    c->last_dts = p->dts;
    c->last_discard = p->discard;
}

struct cutter_step cutter_put(struct cutter *c, const struct cutter_packet *p)
{
    struct cutter_step step = {.held = CUTTER_WAIT};
    const char *why;

    // Without a time it cannot be told; the decoder sorts it in where it comes.
    if (c->cuts && p->pts != CUTTER_NO_TIME && p->pts < c->segment_start)
        c->late = true;
    if (!c->stopped) {
        why = doubt(c, p);
        if (why)
            step = stop(c, p, why);
    }
    if (!c->stopped) {
        if (c->holding)
            step = judge(c, p);
        if (!c->holding && is_candidate(c, p)) {
            c->holding = true;
            c->candidate = p->pts;
            c->held_count = c->held_bytes = 0;
        }
        if (c->holding) {
            step.hold = true;
            c->held_count++;
            c->held_bytes += p->size_bytes;
        }
    }
    note_progress(c, p);
    return step;
}

struct cutter_step cutter_end(struct cutter *c)
{
    struct cutter_step step = {.held = CUTTER_WAIT};

    if (c->holding)
        step = make_cut(c);
    if (c->started) {
        end_segment(c, c->max_pts);
        note_key(c, c->max_pts);
    }
    return step;
}

static bool too_long(const struct cutter *c, int64_t length)
{
    return (double)length > 1.5 * (double)c->target_ticks;
}

const char *cutter_note(struct cutter *c)
{
    if (!c->started || !too_long(c, c->longest_segment))
        return NULL;
    if (c->stopped && (c->stopped_at == CUTTER_NO_TIME || too_long(c, distance(c->stopped_at, c->max_pts))))
        snprintf(c->note, sizeof(c->note), "no cuts behind %.1f s, where %s",
                 c->stopped_at == CUTTER_NO_TIME ? 0.0 : (double)c->stopped_at * c->tick_s, c->stopped);
    else if (c->leading)
        snprintf(c->note, sizeof(c->note), "open GOPs: frames before %u keyframe%s need what comes before", c->leading, c->leading == 1 ? "" : "s");
    else if (c->unproven)
        snprintf(c->note, sizeof(c->note), "%u keyframe%s not proven to be a place where decoding can start", c->unproven,
                 c->unproven == 1 ? " is" : "s are");
    else if (too_long(c, c->longest_key_gap))
        snprintf(c->note, sizeof(c->note), "keyframes are up to %.1f s apart", (double)c->longest_key_gap * c->tick_s);
    else
        return NULL;
    return c->note;
}
