#include "plan.h"

#include "chain.h"
#include "classes.h"
#include "taper.h"

#include "common/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Seconds. Longer segments cost fewer keyframes and seams, shorter ones keep all cores busy to the end: about two dozen, within these bounds.
static const double shortest_s = PLAN_SHORTEST_S, longest_s = 10, aim = 24;
// A GOP that is longer than this many segments is not left whole.
static const double long_gop = 1.5;
// For video that does not say.
static const double usual_rate = 25;

enum {
    FEWEST_FRAMES = 8, // of a run between stages, where its length shapes nothing; short runs set their filters up too often,
    MOST_FRAMES = 24,  // long ones take memory
    MIDDLE_BYTES = 96 << 20,
    RUN_BYTES = 256 << 20,
    SHORTEST_RUN = 12,  // towards the end of the video: each begins with a keyframe
    RUN_NEIGHBOURS = 6, // ... but at least this many times its neighbours, which are filtered in vain
};

static double segment_length(const struct plan_input *input)
{
    double length = input->duration_s / aim;

    if (input->segment_s > 0)
        return input->segment_s;
    if (!(input->duration_s > 0) || length > longest_s)
        return longest_s;
    return length < shortest_s ? shortest_s : length;
}

static const char *why_one_encoder(const struct plan_input *input)
{
    return input->why_one_encoder ? input->why_one_encoder : "one encoder was asked for";
}

// What one filter may be put into.
enum place {
    PLACE_PARALLEL,
    PLACE_LAST, // parallel in the stage that encodes, else first
    PLACE_SERIAL,
    PLACE_FIRST,    // in order, and in one graph with all filters before it: it changes times, drops or adds frames
    PLACE_WITH_ALL, // one process has all filters
    PLACE_ALONE,    // one process does it all
};

struct filter_place {
    enum place place;
    bool in_slices;
    bool differs;           // from run to run
    bool fewer, overwrites; // see class_result
    bool steady, forward;   // what leaves it is known to belong to a run by its times; forward: though there are more of them, or fewer
    bool independent;       // no frame depends on another, by what is known of the filter
    unsigned before, after;
    char *why; // unless parallel and alone
};

static bool is_vouched_for(const struct plan_input *input, const Wire__FilterFacts *filter)
{
    for (size_t i = 0; i < input->vouched_count; i++)
        if (classes_is_called(filter, input->vouched[i]))
            return true;
    return false;
}

// libswscale spreads the errors of rounding to few colours over the pixels that follow, and those of a picture's last line over the next picture; to
// single bits only where that is asked for.
static bool spreads_errors(const struct plan_input *input, const char *format)
{
    static const char *const few[] = {"pal8", "rgb8", "bgr8", "rgb4", "bgr4", "rgb4_byte", "bgr4_byte"}, *const bits[] = {"monow", "monob"};
    const char *chain = input->chain ? input->chain : "";

    for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
        if (strcmp(format, few[i]) == 0)
            return true;
    if (!strstr(chain, "error_diffusion") && !strstr(chain, "dither=ed") && !strstr(chain, "dither=3"))
        return false;
    return strcmp(format, bits[0]) == 0 || strcmp(format, bits[1]) == 0;
}

// NULL: unknown.
static bool converts_with_state(const struct plan_input *input, const char *from, const char *to)
{
    return to && (!from || strcmp(from, to) != 0) && spreads_errors(input, to);
}

// As the last filter, or the decoder, gives the pictures.
static const char *format_before(const struct plan_input *input, size_t filter)
{
    return filter > 0 ? input->filters[filter - 1]->output_format : input->decoder_format;
}

// The format that what is done in front of a filter, or by it, converts to with state; NULL: none.
static const char *stateful_format(const struct plan_input *input, size_t i)
{
    const Wire__FilterFacts *filter = input->filters[i];

    if (converts_with_state(input, format_before(input, i), filter->input_format))
        return filter->input_format;
    if (strcmp(filter->name, "scale") == 0 && converts_with_state(input, filter->input_format, filter->output_format))
        return filter->output_format;
    return NULL;
}

static char *why_converted(const char *format)
{
    return mem_format("the conversion to %s carries errors of rounding from frame to frame", format);
}

static void place_conversion(const struct plan_input *input, size_t i, struct filter_place *place)
{
    const char *format = stateful_format(input, i);

    if (!format || (place->place != PLACE_PARALLEL && place->place != PLACE_LAST))
        return;
    place->place = place->place == PLACE_LAST ? PLACE_FIRST : PLACE_SERIAL;
    place->independent = false;
    free(place->why);
    place->why = why_converted(format);
}

static bool all_independent(const struct filter_place *places, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (!places[i].independent)
            return false;
    return true;
}

// Who keeps frames sees what is written into them later, in one process alone.
static void keep_overwritten_together(struct filter_place *places, const struct plan_input *input)
{
    for (size_t i = 0; i < input->filter_count; i++)
        if (places[i].overwrites && !all_independent(places, i + 1, input->filter_count)) {
            places[i].place = PLACE_WITH_ALL;
            free(places[i].why);
            places[i].why = mem_format("the filter %s writes into frames that those behind it still look at", input->filters[i]->name);
        }
}

// Filters that give more frames than come, or fewer, can only have a part in the last stage: in front of another one nobody would know how many there
// are to be. Neighbours are counted in frames that come to the stage, so behind fewer nobody may want any.
static void settle_last(struct filter_place *places, const struct plan_input *input)
{
    bool last = !input->encode_stream, looking = false;

    for (size_t i = input->filter_count; i-- > 0;) {
        if (places[i].place == PLACE_LAST) {
            places[i].forward = last && !(places[i].fewer && looking);
            places[i].place = places[i].forward ? PLACE_PARALLEL : PLACE_FIRST;
        }
        places[i].steady |= places[i].forward;
        last = last && places[i].place == PLACE_PARALLEL && places[i].steady;
        looking |= places[i].before + places[i].after > 0;
    }
}

// Reads all filters. The caller frees each why.
static struct filter_place *place_filters(const struct plan_input *input)
{
    struct filter_place *places = mem_zalloc((input->filter_count + 1) * sizeof(*places));
    const char *meta_from = NULL, *endless = NULL;

    for (size_t i = 0; i < input->filter_count; i++) {
        const Wire__FilterFacts *filter = input->filters[i];
        bool vouched = is_vouched_for(input, filter);
        struct class_result class = vouched ? classes_of_vouched(filter) : classes_of(filter);
        struct filter_place *place = &places[i];

        place->place = class.kind == CLASS_FRAME || (class.kind == CLASS_WINDOW && class.bounded) ? PLACE_PARALLEL : PLACE_SERIAL;
        place->in_slices = class.in_slices;
        place->differs = !class.repeatable;
        place->steady = class.steady;
        place->fewer = class.fewer;
        place->overwrites = class.overwrites;
        // Who vouched may be wrong, and then what a renderer did before must not show.
        place->independent = class.kind == CLASS_FRAME && class.steady && !vouched;
        if (!class.steady && class.kind != CLASS_FRAME)
            place->place = place->place == PLACE_PARALLEL && class.forward ? PLACE_LAST : PLACE_FIRST;
        if (class.kind == CLASS_WINDOW) {
            place->before = class.before;
            place->after = class.after;
        }
        if (class.kind != CLASS_FRAME)
            place->why = mem_format("the filter %s %s", filter->name, class.why);
        if (!class.repeatable) {
            place->place = PLACE_FIRST;
            if (!place->why)
                place->why = mem_format("the filter %s is not the same from run to run", filter->name);
        }
        if (class.reads_meta && meta_from && !place->why) {
            // What it reads is right only where both have seen the whole video.
            place->place = PLACE_FIRST;
            place->why = mem_format("the filter %s reads what %s gathers over the whole video", filter->name, meta_from);
        }
        if (class.meta_later)
            meta_from = filter->name;
        if (class.ends && endless && place->place != PLACE_FIRST) {
            // Only in one graph does it hear of that.
            place->place = PLACE_FIRST;
            free(place->why);
            place->why = mem_format("the filter %s ends what %s would go on with for ever", filter->name, endless);
        }
        if (class.endless)
            endless = filter->name;
        if (class.commands) {
            place->place = PLACE_WITH_ALL;
            free(place->why);
            place->why = mem_format("the filter %s commands others", filter->name);
        }
        if (class.looks_at) {
            place->place = PLACE_ALONE;
            free(place->why);
            place->why = mem_format("the filter %s %s", filter->name, class.looks_at);
        }
        place_conversion(input, i, place);
    }
    keep_overwritten_together(places, input);
    settle_last(places, input);
    return places;
}

static bool some_differ(const struct filter_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].differs)
            return true;
    return false;
}

static bool none_in_slices(const struct filter_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].in_slices)
            return false;
    return true;
}

static void free_places(struct filter_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(places[i].why);
    free(places);
}

static struct plan_stage *add_stage(struct plan *plan, bool parallel)
{
    struct plan_stage *stage;

    plan->stages = mem_grow(plan->stages, plan->stage_count + 1, sizeof(*plan->stages));
    stage = &plan->stages[plan->stage_count++];
    *stage = (struct plan_stage){.parallel = parallel};
    return stage;
}

// How many of these filters look at neighbours.
static size_t looking(const struct filter_place *places, size_t from, size_t to)
{
    size_t count = 0;

    for (size_t i = from; i < to; i++)
        count += places[i].before + places[i].after > 0;
    return count;
}

static bool some_forward(const struct filter_place *places, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (places[i].forward)
            return true;
    return false;
}

// One stage for everything.
static void make_one(struct plan *plan, bool parallel, bool keeps_graph, const char *why)
{
    struct plan_stage *stage = add_stage(plan, parallel);

    stage->decode = stage->encode = true;
    stage->keeps_graph = parallel && keeps_graph;
    stage->why = mem_dup(why);
    if (!plan->reason)
        plan->reason = mem_dup(why);
}

static void append(char **chain, const char *filter)
{
    char *longer = mem_format("%s%s%s", *chain, **chain ? "," : "", filter);

    free(*chain);
    *chain = longer;
}

static void append_format(char **chain, const char *format)
{
    char *filter = mem_format("format=pix_fmts=%s", format);

    append(chain, filter);
    free(filter);
}

// The filters [from, to) as text, with the pixel formats of the whole chain's graph between them, so that the graphs of the parts negotiate the same.
static void add_filters(struct plan_stage *stage, const struct plan_input *input, char *const *texts, size_t from, size_t to)
{
    stage->filters = mem_dup("");
    for (size_t i = from; i < to; i++) {
        append_format(&stage->filters, input->filters[i]->input_format);
        append(&stage->filters, texts[i]);
        append_format(&stage->filters, input->filters[i]->output_format);
    }
    if (stage->encode)
        append_format(&stage->filters, input->encoder_format);
    else
        stage->sink_format = mem_dup(to > 0                    ? input->filters[to - 1]->output_format
                                     : input->filter_count > 0 ? input->filters[0]->input_format
                                                               : input->encoder_format);
}

// Every renderer works on a run of its own, and all of these frames are in memory at a time: so runs of large frames are shorter, if the user has no
// wish, but not so short that they cost many keyframes.
static double encoded_run_length(const struct plan_input *input, const struct plan *plan, const struct plan_stage *stage)
{
    double rate = stage->rate > 0 ? stage->rate : usual_rate, run = plan->segment_s * rate;
    double fitting = input->frame_bytes > 0 ? (double)RUN_BYTES / (double)input->frame_bytes : run;

    if (input->segment_s <= 0)
        run = fmin(run, fmax(fitting, shortest_s * rate));
    return fmax(1, fmin(10000, round(run)));
}

static unsigned run_length(const struct plan_input *input, const struct plan *plan, const struct plan_stage *stage)
{
    unsigned neighbours = stage->before + stage->after, run = MOST_FRAMES;

    if (input->frame_bytes > 0 && MIDDLE_BYTES / input->frame_bytes < MOST_FRAMES)
        run = (unsigned)(MIDDLE_BYTES / input->frame_bytes);
    if (run < FEWEST_FRAMES)
        run = FEWEST_FRAMES;
    if (stage->encode)
        run = (unsigned)encoded_run_length(input, plan, stage);
    else if (neighbours * RUN_NEIGHBOURS > run)
        run = neighbours * RUN_NEIGHBOURS;
    return run > neighbours ? run : neighbours; // a frame is the neighbour of the next run, not of the one behind that
}

// Whoever wishes for a length gets it until the end is near; it may be wished for to spare keyframes.
static void expect_length(struct plan_stage *stage, const struct plan_input *input)
{
    if (!(stage->rate > 0 && input->duration_s > 0))
        return;
    stage->frames = (uint64_t)(input->duration_s * stage->rate);
    stage->brief_frames = input->segment_s > 0 ? stage->run_frames : (unsigned)fmin(stage->run_frames, shortest_s * stage->rate);
}

// Of the frames that come to a filter, a second; 0: unknown.
static double rate_before(const struct plan_input *input, size_t filter)
{
    const Wire__Rational *rate = input->filters[filter]->input_rate;

    return rate && rate->num > 0 && rate->den > 0 ? (double)rate->num / rate->den : input->frame_rate;
}

// Where the group of filters that begins here ends: all parallel or all serial; and what a run with neighbours gives is told by its times, so nothing
// beside a filter with neighbours may change those.
static size_t group_end(const struct filter_place *places, size_t count, size_t from)
{
    bool parallel = places[from].place == PLACE_PARALLEL, neighbours = false, unsteady = false;
    size_t at = from;

    for (; at < count && (places[at].place == PLACE_PARALLEL) == parallel; at++) {
        neighbours |= places[at].before + places[at].after > 0;
        unsteady |= !places[at].steady;
        if (parallel && neighbours && unsteady)
            break;
    }
    return at;
}

// Serial decoding, then the filters in stages, then the encoder.
static void make_stages(struct plan *plan, const struct plan_input *input, const struct filter_place *places, char *const *texts,
                        const char *why_decode)
{
    size_t first = 0, at;
    struct plan_stage *stage;

    for (size_t i = 0; i < input->filter_count; i++)
        if (places[i].place == PLACE_FIRST)
            first = i + 1;
    stage = add_stage(plan, false);
    stage->decode = true;
    stage->why = mem_dup(first > 0 ? places[first - 1].why : why_decode);
    add_filters(stage, input, texts, 0, first);
    for (at = first; at < input->filter_count;) {
        bool parallel = places[at].place == PLACE_PARALLEL;
        size_t end = group_end(places, input->filter_count, at);

        stage = add_stage(plan, parallel);
        for (size_t i = at; parallel && i < end; i++) {
            // What follows counts backwards too: at the end of the video a filter makes up for frames that do not come out of those that it still
            // holds, and the last run may be shorter than that.
            stage->before += places[i].before + places[i].after;
            stage->after += places[i].after;
        }
        stage->rests = parallel && looking(places, at, end) == 1 && !some_forward(places, at, end);
        stage->keeps_graph = parallel && all_independent(places, at, end);
        if (!parallel)
            stage->why = mem_dup(places[at].why);
        stage->encode = parallel && end == input->filter_count && !input->encode_stream;
        stage->rate = rate_before(input, at);
        add_filters(stage, input, texts, at, end);
        at = end;
    }
    if (!plan->stages[plan->stage_count - 1].encode) {
        stage = add_stage(plan, !input->encode_stream);
        stage->encode = true;
        stage->keeps_graph = stage->parallel;
        stage->rate = input->frame_rate;
        add_filters(stage, input, texts, at, at);
        if (input->encode_stream)
            stage->why = mem_dup(why_one_encoder(input));
    }
    for (size_t i = 0; i < plan->stage_count; i++) {
        if (plan->stages[i].parallel)
            plan->stages[i].run_frames = run_length(input, plan, &plan->stages[i]);
        if (plan->stages[i].encode)
            expect_length(&plan->stages[i], input);
    }
}

unsigned plan_run_length(const struct plan_stage *stage, uint64_t from)
{
    uint64_t left = from < stage->frames ? stage->frames - from : 0;
    unsigned neighbours = stage->before > stage->after ? stage->before : stage->after, length = stage->run_frames;

    if (stage->frames)
        length = (unsigned)taper_length(length, (double)left, stage->brief_frames, SHORTEST_RUN);
    return length > neighbours ? length : neighbours > 0 ? neighbours : 1;
}

bool plan_may_leave_out(const struct plan *plan)
{
    const struct plan_stage *stages = plan->stages;

    return plan->stage_count == 2 && stages[0].filters && !*stages[0].filters && !stages[0].parallel && stages[1].parallel && stages[1].encode;
}

// A graph that cannot be taken apart, right behind the decoder; then the encoder.
static void make_two(struct plan *plan, const struct plan_input *input, const char *why)
{
    struct plan_stage *stage = add_stage(plan, false);

    stage->decode = true;
    stage->why = mem_dup(why);
    plan->reason = mem_dup(why);
    stage = add_stage(plan, true);
    stage->encode = true;
    stage->rate = input->frame_rate;
    add_filters(stage, input, NULL, 0, 0);
    stage->run_frames = run_length(input, plan, stage);
    expect_length(stage, input);
}

static bool formats_known(const struct plan_input *input)
{
    for (size_t i = 0; i < input->filter_count; i++)
        if (!input->filters[i]->input_format || !input->filters[i]->output_format || input->filters[i]->inputs != 1 ||
            input->filters[i]->outputs != 1)
            return false;
    return input->encoder_format != NULL;
}

static bool branches(const struct plan_input *input)
{
    for (size_t i = 0; i < input->filter_count; i++)
        if (input->filters[i]->inputs != 1 || input->filters[i]->outputs != 1)
            return true;
    return false;
}

// Branches meet again by the times of their frames.
static void keep_branches_together(const struct plan_input *input, struct filter_place *places)
{
    for (size_t i = 0; branches(input) && i < input->filter_count; i++)
        if (!places[i].steady && !places[i].why)
            places[i].why = mem_format("the filter %s changes times or numbers of frames in a graph that branches", input->filters[i]->name);
}

// Of the first that has this place; NULL: none has.
static const char *why_placed(const struct filter_place *places, size_t count, enum place place)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].place == place)
            return places[i].why;
    return NULL;
}

static void make_plan(struct plan *plan, const struct plan_input *input)
{
    struct filter_place *places = place_filters(input);
    const char *why = NULL, *alone = why_placed(places, input->filter_count, PLACE_ALONE);
    const char *with_all = why_placed(places, input->filter_count, PLACE_WITH_ALL);
    bool in_packets; // nothing is in the way of cutting the packets
    char **texts;
    size_t count = 0;

    *plan = (struct plan){0};
    plan->segment_s = segment_length(input);
    plan->taper_s = input->segment_s > 0 ? 0 : fmax(0, input->duration_s);
    plan->chain = mem_dup(input->chain ? input->chain : "");
    plan->slices_free = none_in_slices(places, input->filter_count);
    plan->differs = some_differ(places, input->filter_count);
    keep_branches_together(input, places);
    if (!input->cuttable)
        why = input->why_not_cuttable ? input->why_not_cuttable : "the video cannot be cut";
    for (size_t i = 0; i < input->filter_count && !why; i++)
        why = places[i].why;
    if (!why && input->encode_stream)
        why = why_one_encoder(input);
    in_packets = !why;
    plan->limited = !in_packets || input->one_segment;
    if (!why && input->keyframe_gap_s > long_gop * plan->segment_s)
        why = "its keyframes are far apart";
    texts = chain_split(input->chain ? input->chain : "", &count);
    if (input->one_segment) {
        make_one(plan, false, false, input->why_one_segment ? input->why_one_segment : "it was asked for");
    } else if (alone) {
        make_one(plan, false, false, alone);
    } else if ((with_all || input->one_graph) && input->encoder_format && !input->encode_stream) {
        make_two(plan, input, with_all ? with_all : "the picture's format changes");
    } else if (with_all) {
        make_one(plan, false, false, with_all);
    } else if (why && texts && count == input->filter_count && formats_known(input)) {
        plan->reason = mem_dup(why);
        make_stages(plan, input, places, texts, why);
    } else if (!in_packets && branches(input) && input->encoder_format && !input->encode_stream) {
        make_two(plan, input, why);
    } else {
        make_one(plan, in_packets, all_independent(places, 0, input->filter_count), in_packets ? NULL : why);
    }
    chain_free(&texts);
    free_places(places, input->filter_count);
}

void plan_make(struct plan *plan, const struct plan_input *input)
{
    struct plan_input in_order = *input;
    char *why = NULL;

    // Of the last conversion, which is the encoder's, the encoder's stage is all that is left to be in order.
    if (!input->encode_stream && converts_with_state(input, format_before(input, input->filter_count), input->encoder_format)) {
        in_order.encode_stream = true;
        in_order.why_one_encoder = why = why_converted(input->encoder_format);
    }
    make_plan(plan, &in_order);
    free(why);
}

char *plan_filter_names(const struct plan *plan, const struct plan_stage *stage)
{
    size_t count;
    char **texts = chain_split(stage->filters ? stage->filters : plan->chain, &count), *names = mem_dup("");

    if (!texts) {
        free(names);
        return mem_dup("filters");
    }
    for (size_t i = 0; i < count; i++) {
        char *longer;

        if (strncmp(texts[i], "format=pix_fmts=", strlen("format=pix_fmts=")) == 0)
            continue;
        texts[i][strcspn(texts[i], "=@ ")] = '\0';
        longer = mem_format("%s%s%s", names, *names ? "," : "", texts[i]);
        free(names);
        names = longer;
    }
    chain_free(&texts);
    return names;
}

char *plan_describe(const struct plan *plan)
{
    char *text = mem_dup("");

    for (size_t i = 0; i < plan->stage_count; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        char *names = plan_filter_names(plan, stage);
        char *longer = mem_format("%s%s[%s%s%s%s%s]%s", text, i > 0 ? " > " : "", stage->decode ? "decode" : "", stage->decode && *names ? " " : "",
                                  names, (stage->decode || *names) && stage->encode ? " " : "", stage->encode ? "encode" : "",
                                  stage->parallel ? " parallel" : " in order");

        free(text);
        free(names);
        text = longer;
    }
    return text;
}

void plan_clear(struct plan *plan)
{
    for (size_t i = 0; i < plan->stage_count; i++) {
        free(plan->stages[i].filters);
        free(plan->stages[i].sink_format);
        free(plan->stages[i].why);
    }
    free(plan->stages);
    free(plan->chain);
    free(plan->reason);
    *plan = (struct plan){0};
}
