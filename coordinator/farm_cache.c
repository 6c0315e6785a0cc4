#include "farm_state.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED_AHEAD = 32 };

// The last stage's segments are what is kept; a single one in order ends with the job. Not so behind a segment of an earlier stage that was left out
// or went on without its filters: then theirs are not what their key says.
static bool is_kept(const struct farm *f, const struct stage *stage)
{
    return f->cache && stage == farm_last_stage(f) && stage->holds_back;
}

static void on_change(void *data)
{
    farm_pump(data);
}

static void on_trouble(void *data, const char *why)
{
    (void)data;
    log_warn("%s; if this job is interrupted, it will start over (see --cache, --no-cache)", why);
}

static bool fits(const struct farm *f, const Wire__Done *done)
{
    const ProtobufCBinaryData *ours = &f->probed->probed->output->extradata;

    return done->extradata.len == 0 || (done->extradata.len == ours->len && memcmp(done->extradata.data, ours->data, ours->len) == 0);
}

static bool lacks_frames(const struct stage *stage, uint32_t number)
{
    const struct shelf_segment *segment = shelf_find(&stage->shelf, number);

    return segment && segment->lacks_frames;
}

static void on_answer(void *data, uint32_t number, const Wire__Done *done)
{
    struct farm *f = data;
    struct stage *stage = farm_last_stage(f);

    if (f->state != FARM_RUNNING)
        return;
    if (done && fits(f, done) &&
        (!f->pass->verify || verify_on_segment(f->pass->verify, number, done->fingerprints.data, done->fingerprints.len) >= 0)) {
        log_debug("segment %u is in the cache", number);
        report_found(&f->report, done, done->has_first_error_pts ? farm_seconds(f, done->first_error_pts) : 0);
        stage_settle(stage, number);
    } else {
        if (done)
            cache_refuse(f->cache, number);
        if (lacks_frames(stage, number))
            farm_decode_all(f, FARM_FOUND_NO_MORE);
        else
            stage_let_go(stage, number);
    }
    farm_pump(f);
}

// It was whole a moment ago. What is in the output of it already cannot be told from what is not.
static void give_up(struct farm *f, uint32_t number)
{
    log_warn("%s: segment %u has gone bad while it was read; starting over without it", cache_path(f->cache), number);
    farm_start_over(f, AGAIN_SAME);
}

static void on_played(void *data, uint32_t number, struct chunk **chunk, const Wire__Done *done)
{
    struct farm *f = data;
    struct stage *stage = farm_last_stage(f);

    if (f->state != FARM_RUNNING)
        return;
    if (*chunk) {
        f->report.frames_done += (*chunk)->packet_count;
        f->report.frames_found += (*chunk)->packet_count;
        if (assembler_put(stage->assembler, number, chunk) < 0)
            give_up(f, number);
    } else if (!done || assembler_end(stage->assembler, number, done->packets) < 0) {
        give_up(f, number);
    }
    farm_pump(f);
}

static const struct cache_events events = {.on_change = on_change, .on_answer = on_answer, .on_played = on_played, .on_trouble = on_trouble};

void farm_open_cache(struct farm *f)
{
    const struct options *o = f->options;
    char *path;

    if (o->no_cache || o->explain || f->pass->second)
        return;
    path = o->cache_path ? mem_dup(o->cache_path) : cache_own_path(o->output);
    f->cache = cache_new(f->loop, path, o->cache_limit, !o->cache_path, o->input, &events, f);
    free(path);
}

void farm_start_cache(struct farm *f)
{
    const struct plan_stage *last = &f->plan.stages[f->plan.stage_count - 1];
    const Wire__Job **jobs;

    if (!f->cache)
        return;
    // What another run made would not go with what this one makes.
    farm_last_stage(f)->holds_back =
        last->parallel && last->encode && !f->plan.differs && !poison_before(&f->pass->poison, (uint32_t)f->stage_count - 1);
    jobs = mem_zalloc(f->stage_count * sizeof(*jobs));
    for (size_t i = 0; i < f->stage_count; i++)
        jobs[i] = &f->stages[i].job;
    cache_start(f->cache, hub_renderers_libraries(f->crew.hub), jobs, f->stage_count, &f->plan, f->probed->probed->filters,
                f->probed->probed->n_filters);
    free(jobs);
}

bool farm_cache_ready(const struct farm *f)
{
    return !f->cache || cache_ready(f->cache);
}

void farm_leave_out(struct farm *f)
{
    struct stage *stage = farm_last_stage(f);

    if (!is_kept(f, stage) || !plan_may_leave_out(&f->plan))
        return;
    stage->notes_times = true;
    if (cache_gaps(f->cache) && f->intake.facts.cuttable && !f->pass->decodes_all)
        source_leave_out(f->intake.source, cache_gaps(f->cache));
}

void farm_decode_all(struct farm *f, const char *why)
{
    log_debug("%s; starting over, to decode all of the video", why);
    f->pass->decodes_all = true;
    farm_start_over(f, AGAIN_SAME);
}

void farm_ask_cache(struct farm *f)
{
    struct stage *stage = farm_last_stage(f);
    struct shelf_segment *segment, *next;

    for (segment = is_kept(f, stage) ? stage->shelf.first : NULL; segment; segment = next) {
        bool by_content = stage->plan->decode && segment->complete && segment->repeatable;

        next = segment->next; // an answer may come at once, and take it away
        // With the decoder in front, what there is of it is known when it is ready; frames are known by their place in the file.
        if (!segment->held_back || segment->asked || (stage->plan->decode && !segment->ready))
            continue;
        // Nobody waits for those, and each that is found is an open file.
        if (segment->lacks_frames && segment->number > assembler_head(stage->assembler) + ASKED_AHEAD)
            continue;
        segment->asked = true;
        cache_ask(f->cache, segment, by_content);
    }
}

void farm_play_cache(struct farm *f)
{
    const struct stage *stage = farm_last_stage(f);

    if (is_kept(f, stage) && outlet_queued_bytes(&f->outlet) + assembler_head_bytes(stage->assembler) <= room()->write)
        cache_play(f->cache, assembler_head(stage->assembler));
}

// A copy without its filters is not what the key stands for.
static bool is_copy(const struct farm *f, const struct stage *stage, uint32_t number)
{
    return poison_find(&f->pass->poison, (uint32_t)(stage - f->stages), number) != NULL;
}

void farm_keep(struct farm *f, const struct stage *stage, uint32_t number, const struct chunk *chunk)
{
    if (is_kept(f, stage) && !is_copy(f, stage, number))
        cache_keep(f->cache, number, chunk);
}

// Packets know the times of the input.
static bool has_times_of_input(const struct farm *f, const struct stage *stage)
{
    const Wire__Rational *ours = stage->job.input_time_base, *input = f->job.input_time_base;

    return ours->num == input->num && ours->den == input->den;
}

void farm_keep_done(struct farm *f, const struct stage *stage, const Wire__Done *done)
{
    const struct shelf_segment *segment = shelf_find(&stage->shelf, done->segment);
    bool timed = segment && segment->times && !segment->damaged && has_times_of_input(f, stage);

    if (is_kept(f, stage) && !is_copy(f, stage, done->segment))
        cache_keep_done(f->cache, done->segment, done, timed ? segment->times : NULL, timed ? segment->time_count : 0);
}

void farm_lose_kept(struct farm *f, const struct stage *stage, uint32_t number)
{
    if (is_kept(f, stage))
        cache_lose(f->cache, number);
}

void farm_tell_kept(const struct farm *f)
{
    uint64_t held = f->cache ? cache_held(f->cache) : 0;

    if (held > 0)
        log_warn("%" PRIu64 " finished segment%s kept in %s; the same command goes on from there", held, held == 1 ? " is" : "s are",
                 cache_path(f->cache));
}
