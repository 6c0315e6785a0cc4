#include "farm_state.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"

#include <libavcodec/packet.h>

#include <inttypes.h>
#include <stdlib.h>

static bool intake_failed(struct farm *f)
{
    if (f->intake.err == ERR_AGAIN_DECODING_ALL) {
        farm_decode_all(f, FARM_FOUND_NO_MORE);
    } else if (f->intake.err == ERR_AGAIN_ONE_SEGMENT && !f->one_segment && f->state == FARM_RUNNING) {
        farm_change_way(f, AGAIN_ONE_SEGMENT, f->intake.why);
    } else if (f->intake.err < 0) {
        farm_fail(f, 1, "%s", f->intake.why ? f->intake.why : err_text(f->intake.err));
    }
    return f->intake.err < 0;
}

// Of a segment that needs no renderer.
static void drop_rest(struct stage *stage, const struct shelf_segment *segment, struct chunk **chunk)
{
    bool last = (*chunk)->last;

    chunk_free(chunk);
    if (last)
        shelf_remove(&stage->shelf, segment->number);
}

static void shelve_chunk(struct stage *stage, struct shelf_segment *segment, struct chunk **chunk, uint64_t frames)
{
    bool ready;

    shelf_put(&stage->shelf, segment, chunk);
    // A serial job starts on what is there; cut segments are read in no time, and are dealt by their length.
    ready = segment->complete || !stage->plan->parallel || segment->chunks.size_bytes > SHELF_KEEP_BYTES / 2;
    stage_on_frames(stage, segment, frames, ready);
}

static void note_gap(struct farm *f)
{
    const struct source_run *run = &f->intake.run;

    if (run->gap_until > run->gap_from)
        log_debug("frames %" PRIu64 " to %" PRIu64 " need not be decoded", run->gap_from, run->gap_until - 1);
    f->report.stats.frames_left_out += run->gap_until - run->gap_from;
    stage_on_gap(farm_last_stage(f), run->eof ? UINT32_MAX : run->segment, run->gap_from, run->gap_until);
}

// A run that was read goes on the shelf, and the scheduler hears of it.
static void shelve_run(struct farm *f)
{
    struct source_run *run = &f->intake.run;
    struct stage *stage = farm_first_stage(f);

    f->frames_read += run->frames_hint;
    if (run->gap_until > 0)
        note_gap(f);
    if (run->chunk) {
        struct shelf_segment *segment;

        if (run->first) {
            scheduler_on_segment(stage->scheduler, run->segment);
            segment = shelf_add(&stage->shelf, run->segment);
            segment->read_ns = clock_now_ns();
            segment->keep_from = run->keep_from;
            segment->keep_to = run->keep_to;
            segment->held_back = stage->holds_back;
            segment->behind_gap = run->gap_until > run->gap_from;
            segment->extradata = run->extradata;
            segment->extradata_size = run->extradata_size;
            run->extradata = NULL;
        } else {
            segment = shelf_find(&stage->shelf, run->segment);
        }
        segment->last_pts = run->last_pts;
        if (segment->settled)
            drop_rest(stage, segment, &run->chunk);
        else
            shelve_chunk(stage, segment, &run->chunk, run->frames_hint);
    }
    if (run->eof && !f->input_ended) {
        f->input_ended = true;
        scheduler_on_input_end(stage->scheduler);
        if (source_damage(f->intake.source))
            log_warn("%s", source_damage(f->intake.source));
    }
    *run = (struct source_run){0};
}

// --explain: only the cuts are of interest.
static void explain_run(struct farm *f)
{
    struct source_run *run = &f->intake.run;

    if (run->first)
        explain_cut(stdout, &f->cuts, run->segment == 0 ? 0 : farm_seconds(f, run->keep_from));
    if (run->eof) {
        explain_end(stdout, &f->cuts, &f->plan, f->intake.facts.duration_s, source_cut_note(f->intake.source));
        farm_start_ending(f, 0);
    }
    free(run->extradata);
    chunk_free(&run->chunk);
    *run = (struct source_run){0};
}

static void trace_intake(struct farm *f)
{
    const struct source_run *run = &f->intake.run;
    unsigned keyframes = 0;

    for (size_t i = 0; run->chunk && i < run->chunk->packet_count; i++)
        keyframes += (run->chunk->packets[i]->flags & AV_PKT_FLAG_KEY) != 0;
    if (f->state != FARM_RUNNING)
        trace_call(f->trace, &f->intake.lane, "opens the input", "%s", "");
    else if (run->chunk)
        trace_call(f->trace, &f->intake.lane, "reads",
                   "\"segment\":%u,\"packets\":%zu,\"frames\":%" PRIu64 ",\"keyframes\":%u,\"bytes\":%zu,\"last\":%s", run->segment,
                   run->chunk->packet_count, run->frames_hint, keyframes, run->chunk->size_bytes, run->chunk->last ? "true" : "false");
}

void farm_on_intake(void *data)
{
    struct farm *f = data;

    if (f->trace)
        trace_intake(f);
    if (!intake_failed(f) && f->state == FARM_RUNNING)
        shelve_run(f);
    else if (f->state == FARM_EXPLAINING)
        explain_run(f);
    farm_pump(f);
}

// Nothing goes on before the segment that is being read has come to its end.
static bool is_starved(const struct farm *f)
{
    if (f->state != FARM_RUNNING || f->stage_count != 1 || !farm_head_is_stuck(f))
        return false;
    for (size_t i = 0; i < f->crew.roster.count; i++)
        if (roster_waits_for_input(&f->crew.roster.renderers[i]))
            return true;
    return false;
}

void farm_read_ahead(struct farm *f)
{
    const struct stage *stage = farm_first_stage(f);
    size_t waiting;
    uint32_t ahead;
    bool held_up;

    if (f->input_ended || intake_busy(&f->intake))
        return;
    held_up = stage->shelf.size_bytes > room()->shelf && stage->shelf.size_bytes - stage->shelf.kept_bytes > room()->ahead;
    waiting = scheduler_waiting(stage->scheduler);
    ahead = scheduler_total(stage->scheduler) - scheduler_first(stage->scheduler);
    // The last segment is still being read, so it does not count as waiting.
    held_up |= waiting > f->crew.roster.count * 2 + 2 || ahead > f->crew.roster.count * 4 + 8;
    if (held_up && !is_starved(f))
        return;
    intake_read(&f->intake);
}

static void trace_outlet(struct farm *f)
{
    const struct outlet *out = &f->outlet;

    for (unsigned i = 0; i < out->hands.count; i++)
        trace_call(f->trace, &out->hands.hands[i].lane, "writes files", "\"files\":%zu,\"bytes\":%zu", out->hands.hands[i].files,
                   out->hands.hands[i].bytes);
    if (out->written_bytes > 0)
        trace_call(f->trace, &out->lane, "writes", "\"segment\":%u,\"bytes\":%zu", out->segment, out->written_bytes);
    else
        trace_call(f->trace, &out->lane,
                   out->state == OUTLET_OPEN      ? "opens the output"
                   : out->state == OUTLET_STARTED ? "writes the header"
                                                  : "writes the trailer",
                   "%s", "");
}

void farm_on_outlet(void *data)
{
    struct farm *f = data;

    if (f->trace)
        trace_outlet(f);
    if (f->outlet.err == ERR_AGAIN_ONE_SEGMENT && !f->one_segment && f->state != FARM_ENDING) {
        farm_change_way(f, AGAIN_ONE_SEGMENT, f->outlet.why);
    } else if (f->outlet.err < 0)
        farm_fail(f, f->outlet.state == OUTLET_CLOSED ? farm_status_of(f->outlet.err) : 1, "%s",
                  f->outlet.why ? f->outlet.why : err_text(f->outlet.err));
    else if (f->outlet.state == OUTLET_OPEN && f->state == FARM_OPENING)
        for (size_t i = 0; i < f->outlet.facts.note_count; i++)
            log_warn("%s", f->outlet.facts.notes[i]);
    farm_pump(f);
}

// What has come out of a stage and whose turn it is goes to the next one.
static void hand_on(struct farm *f, struct stage *from, struct stage *to)
{
    struct chunk *chunk;
    uint32_t number;
    int err = 0;

    while (err >= 0 && (chunk = assembler_next(from->assembler))) {
        err = stage_reach(to, assembler_head(from->assembler));
        if (err >= 0)
            err = stage_feed(to, &chunk);
    }
    if (err == ERR_AGAIN_DECODING_ALL) {
        chunk_free(&chunk);
        farm_decode_all(f, FARM_FOUND_NO_MORE);
        return;
    }
    if (err < 0) {
        farm_change_way(f, AGAIN_ONE_SEGMENT, err == -ERANGE ? "timestamps go back, or are missing, between its stages" : err_text(err));
        return;
    }
    while (assembler_finished(from->assembler, &number))
        scheduler_on_written(from->scheduler, number);
    if (!stage_finished(from))
        return;
    if (stage_reach(to, UINT32_MAX) < 0) {
        farm_decode_all(f, FARM_FOUND_NO_MORE);
        return;
    }
    // Counted at both ends, because a frame that gets lost would not be missed by anybody.
    if (to->frames - to->left_out != from->given)
        farm_fail(f, 1, "%" PRIu64 " frames were handed on between stages, and %" PRIu64 " arrived; please report this", from->given,
                  to->frames - to->left_out);
    else if (to->frames == 0)
        farm_fail(f, 1, "%s: no frame of the video is left to go on with", f->options->input);
    else
        stage_feed_end(to);
}

// The second pass: frames as fingerprints.
static void compare_chunk(struct farm *f, struct chunk **chunk)
{
    for (size_t i = 0; i < (*chunk)->packet_count; i++)
        verify_on_frame(f->pass->verify, (*chunk)->packets[i]->data, (size_t)(*chunk)->packets[i]->size);
    chunk_free(chunk);
}

void farm_write_next(struct farm *f)
{
    struct stage *stage = farm_last_stage(f);
    struct chunk *chunk;
    uint32_t number;

    for (size_t i = 0; i + 1 < f->stage_count && f->state == FARM_RUNNING; i++)
        hand_on(f, &f->stages[i], &f->stages[i + 1]);
    if (f->state != FARM_RUNNING)
        return;
    // First, because the segment behind a finished one may have chunks that nothing else will ask for.
    while (assembler_finished(stage->assembler, &number)) {
        scheduler_on_written(stage->scheduler, number);
        trace_written(f->trace, number, clock_now_ns());
        log_debug("segment %u is written", number);
    }
    if (!outlet_takes(&f->outlet))
        return;
    chunk = assembler_next(stage->assembler);
    if (chunk && f->pass->second)
        compare_chunk(f, &chunk);
    else if (chunk)
        outlet_write(&f->outlet, assembler_head(stage->assembler), &chunk);
}
