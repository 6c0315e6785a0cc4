#include "filter.h"

#include "slices.h"
#include "titles.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/frames.h"
#include "common/mem.h"
#include "common/packets.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/avstring.h>
#include <libavutil/display.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MATRIX_BYTES = 9 * sizeof(int32_t) };

struct filter {
    const Wire__Job *job;
    struct pool *pool;
    char *formats;
    AVRational time_base, frame_rate;

    AVFilterGraph *graph; // NULL before the first frame
    AVFilterContext *source, *sink;
    bool rotated, untouched, ended;
    bool again;             // built for an earlier run of frames
    bool rebuilt;           // in the middle of a run
    bool scales_in_slices;  // pictures depend on how many slices swscale makes of them
    int64_t owing;          // frames that went in and did not come out
    AVFilterContext *idler; // the one that may rest; NULL: none
    bool rest, rests;       // as is wished; as it was told

    // What the graph was built for.
    int width, height, format;
    enum AVColorSpace colour_space;
    enum AVColorRange colour_range;
    AVRational aspect_ratio;
    bool frame_has_matrix;
    int32_t frame_matrix[9];

    int output_width, output_height; // of the first graph; 0 before
};

static const char *chain_of(const Wire__Job *job)
{
    return *job->filters ? job->filters : "null";
}

static const char *reason(int err)
{
    return *avx_log_error() ? avx_log_error() : err_text(err);
}

static bool one_video_pad(const AVFilterInOut *ends, bool input)
{
    if (!ends || ends->next)
        return false;
    return avfilter_pad_get_type(input ? ends->filter_ctx->input_pads : ends->filter_ctx->output_pads, ends->pad_idx) == AVMEDIA_TYPE_VIDEO;
}

// Fills an empty graph with the user's chain. The ends are freed by the caller, also on failure.
static int parse(AVFilterGraph *graph, const Wire__Job *job, AVFilterInOut **inputs, AVFilterInOut **outputs, char **why)
{
    int err;

    avx_log_forget();
    err = avfilter_graph_parse2(graph, chain_of(job), inputs, outputs);
    if (err < 0)
        return err_why(why, err, "the filter chain '%s' was refused: %s", job->filters, reason(err));
    if (!one_video_pad(*inputs, true) || !one_video_pad(*outputs, false))
        return err_why(why, AVERROR(EINVAL), "the filter chain '%s' must have exactly one video input and one video output", job->filters);
    return 0;
}

static void add_option(Wire__FilterFacts *facts, const char *key, const char *value)
{
    Wire__Option *option = mem_zalloc(sizeof(*option));

    wire__option__init(option);
    option->key = mem_dup(key);
    option->value = mem_dup(value);
    facts->options = mem_grow(facts->options, facts->n_options + 1, sizeof(*facts->options));
    facts->options[facts->n_options++] = option;
}

static void add_options(Wire__FilterFacts *facts, AVFilterContext *context)
{
    const AVOption *option = NULL;
    uint8_t *value = NULL;

    while (context->filter->priv_class && (option = av_opt_next(context->priv, option))) {
        if (option->type == AV_OPT_TYPE_CONST || av_opt_get(context->priv, option->name, AV_OPT_ALLOW_NULL, &value) < 0)
            continue;
        add_option(facts, option->name, value ? (const char *)value : "");
        av_freep(&value);
        if (av_opt_is_set_to_default(context->priv, option) == 0) {
            facts->set = mem_grow(facts->set, facts->n_set + 1, sizeof(*facts->set));
            facts->set[facts->n_set++] = mem_dup(option->name);
        }
    }
    if (av_opt_get(context, "enable", AV_OPT_ALLOW_NULL, &value) >= 0 && value && *value)
        add_option(facts, "enable", (const char *)value);
    av_freep(&value);
}

static bool draws_titles_that_overlap(AVFilterContext *context)
{
    bool any_file = strcmp(context->filter->name, "subtitles") == 0; // "ass" takes but one kind
    uint8_t *name = NULL;
    int64_t number = -1;
    bool overlap;
    char *url;

    if (!any_file && strcmp(context->filter->name, "ass") != 0)
        return false;
    if (av_opt_get(context->priv, "filename", 0, &name) < 0)
        return true;
    if (any_file)
        av_opt_get_int(context->priv, "stream_index", 0, &number);
    url = mem_format(any_file ? "%s" : "file:%s", (char *)name);
    overlap = titles_overlap(url, (int)number);
    free(url);
    av_freep(&name);
    return overlap;
}

int filter_facts(const Wire__Job *job, Wire__FilterFacts ***list, size_t *count, char **why)
{
    AVFilterGraph *graph = slices_new_graph(job, NULL, false);
    AVFilterInOut *inputs = NULL, *outputs = NULL;
    int err;

    if (!graph)
        return err_why(why, AVERROR(ENOMEM), "no memory for the filters");
    err = parse(graph, job, &inputs, &outputs, why);
    for (unsigned i = 0; list && err >= 0 && *job->filters && i < graph->nb_filters; i++) {
        Wire__FilterFacts *facts = mem_zalloc(sizeof(*facts));
        AVFilterContext *context = graph->filters[i];

        wire__filter_facts__init(facts);
        facts->name = mem_dup(context->filter->name);
        facts->inputs = context->nb_inputs;
        facts->outputs = context->nb_outputs;
        add_options(facts, context);
        facts->has_titles_overlap = facts->titles_overlap = draws_titles_that_overlap(context);
        *list = mem_grow(*list, *count + 1, sizeof(**list));
        (*list)[(*count)++] = facts;
    }
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    avfilter_graph_free(&graph);
    return err < 0 ? err : 0;
}

int filter_check(const Wire__Job *job, char **why)
{
    return filter_facts(job, NULL, NULL, why);
}

// The user's filters are the first of the graph: they were parsed into it when it was empty.
void filter_links(const struct filter *f, Wire__FilterFacts **facts, size_t count)
{
    for (size_t i = 0; f->graph && i < count && i < f->graph->nb_filters; i++) {
        const AVFilterContext *context = f->graph->filters[i];
        const AVFilterLink *in = context->nb_inputs == 1 ? context->inputs[0] : NULL, *out = context->nb_outputs == 1 ? context->outputs[0] : NULL;
        size_t in_bytes, out_bytes;

        if (!in || !out || !av_get_pix_fmt_name(in->format) || !av_get_pix_fmt_name(out->format))
            continue;
        in_bytes = frames_bytes(in->format, in->w, in->h);
        out_bytes = frames_bytes(out->format, out->w, out->h);
        facts[i]->input_format = mem_dup(av_get_pix_fmt_name(in->format));
        facts[i]->output_format = mem_dup(av_get_pix_fmt_name(out->format));
        if (in->frame_rate.num > 0 && in->frame_rate.den > 0)
            facts[i]->input_rate = packets_rational_to_wire(in->frame_rate);
        facts[i]->has_input_width = 1;
        facts[i]->input_width = (uint32_t)in->w;
        facts[i]->has_frame_bytes = 1;
        facts[i]->frame_bytes = in_bytes > out_bytes ? in_bytes : out_bytes;
    }
}

int filter_new(struct filter **filter, const Wire__Job *job, struct pool *pool, const char *formats)
{
    struct filter *f = mem_zalloc(sizeof(*f));

    f->job = job;
    f->pool = pool;
    f->formats = mem_dup(formats);
    f->time_base = packets_rational_from_wire(job->input_time_base);
    f->frame_rate = packets_rational_from_wire(job->input_frame_rate);
    f->format = AV_PIX_FMT_NONE;
    *filter = f;
    return 0;
}

static void drop_graph(struct filter *f)
{
    avfilter_graph_free(&f->graph);
    f->source = f->sink = NULL;
    f->rotated = f->again = false;
    f->owing = 0;
    f->idler = NULL;
    f->rests = false;
}

bool filter_is_even(const struct filter *f)
{
    return f->graph && f->owing == 0;
}

void filter_again(struct filter *f, const char *formats)
{
    filter_fix_format(f, formats);
    if (f->ended || f->rebuilt || !filter_is_even(f)) {
        drop_graph(f);
        f->output_width = f->output_height = 0;
        f->ended = f->rebuilt = false;
    } else {
        f->again = true;
    }
}

void filter_fix_format(struct filter *f, const char *formats)
{
    free(f->formats);
    f->formats = mem_dup(formats);
}

void filter_keep_format(struct filter *f)
{
    const char *colours = strchr(f->formats, ':');
    char *formats = mem_format("pix_fmts=%s%s", av_get_pix_fmt_name(av_buffersink_get_format(f->sink)), colours ? colours : "");

    free(f->formats);
    f->formats = formats;
}

// What is put around the user's filters is called, and made in the order, as by the ffmpeg program: graphmonitor draws all of it.

// Appends a filter of ours behind *last.
static int append(AVFilterGraph *graph, AVFilterContext **last, const char *name, const char *label, const char *arguments)
{
    AVFilterContext *context;
    int err = avfilter_graph_create_filter(&context, avfilter_get_by_name(name), label, arguments, NULL, graph);

    if (err >= 0)
        err = avfilter_link(*last, 0, context, 0);
    if (err >= 0)
        *last = context;
    return err;
}

// The angle in degrees, 0 to 360 clockwise, as the ffmpeg program reads a display matrix.
static double rotation(const int32_t *matrix)
{
    double theta = -round(av_display_rotation_get(matrix));

    return theta - 360 * floor(theta / 360 + 0.9 / 360);
}

// Turns the picture upright: the matrix of the frame, or else that of the file. The filters are those that ffmpeg picks, also for mirrored pictures.
static int append_rotation(struct filter *f, AVFilterContext **last)
{
    const Wire__SideData *side = packets_side_data_find(f->job->input_side_data, f->job->n_input_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    int32_t matrix[9];
    char angle[64];
    double theta;
    int err = 0;

    if (f->frame_has_matrix)
        memcpy(matrix, f->frame_matrix, MATRIX_BYTES);
    else if (side && side->data.len >= MATRIX_BYTES)
        memcpy(matrix, side->data.data, MATRIX_BYTES);
    else
        return 0;
    f->rotated = true;
    theta = rotation(matrix);
    if (fabs(theta - 90) < 1.0)
        return append(f->graph, last, "transpose", "turn", matrix[3] > 0 ? "cclock_flip" : "clock");
    if (fabs(theta - 270) < 1.0)
        return append(f->graph, last, "transpose", "turn", matrix[3] < 0 ? "clock_flip" : "cclock");
    if (fabs(theta - 180) < 1.0) {
        if (matrix[0] < 0)
            err = append(f->graph, last, "hflip", "turn_h", NULL);
        if (err >= 0 && matrix[4] < 0)
            err = append(f->graph, last, "vflip", "turn_v", NULL);
        return err;
    }
    if (fabs(theta) > 1.0) {
        snprintf(angle, sizeof(angle), "%f*PI/180", theta);
        return append(f->graph, last, "rotate", "turn", angle);
    }
    if (fabs(theta) < 1.0 && matrix[4] < 0)
        return append(f->graph, last, "vflip", "turn", NULL);
    return 0;
}

static int append_crop(struct filter *f, AVFilterContext **last)
{
    for (size_t i = 0; i < f->job->n_input_side_data; i++) {
        const Wire__SideData *side = f->job->input_side_data[i];
        char text[128];
        uint32_t crop[4];

        if (!avx_container_crop((enum AVPacketSideDataType)side->type, side->data.data, side->data.len, crop))
            continue;
        snprintf(text, sizeof(text), "w=iw-%" PRIu32 "-%" PRIu32 ":h=ih-%" PRIu32 "-%" PRIu32 ":x=%" PRIu32 ":y=%" PRIu32, crop[2], crop[3], crop[0],
                 crop[1], crop[2], crop[0]);
        return append(f->graph, last, "crop", "container_crop", text);
    }
    return 0;
}

static int add_source(struct filter *f, const AVFrame *frame, AVFilterContext **last)
{
    AVRational aspect = f->aspect_ratio.den ? f->aspect_ratio : (AVRational){0, 1};
    char arguments[512], colours[64], rate[64] = "";
    int err;

    avx_buffer_colours(frame, colours, sizeof(colours));
    if (f->frame_rate.num && f->frame_rate.den)
        snprintf(rate, sizeof(rate), ":frame_rate=%d/%d", f->frame_rate.num, f->frame_rate.den);
    snprintf(arguments, sizeof(arguments), "video_size=%dx%d:pix_fmt=%d:time_base=%d/%d:pixel_aspect=%d/%d%s%s", f->width, f->height, f->format,
             f->time_base.num, f->time_base.den, aspect.num, aspect.den, colours, rate);
    err = avfilter_graph_create_filter(&f->source, avfilter_get_by_name("buffer"), "graph 0 input from stream 0:0", arguments, NULL, f->graph);
    if (err < 0)
        return err;
    *last = f->source;
    if (f->job->takes_frames)
        return 0; // the first stage has done that
    err = append_crop(f, last);
    if (err >= 0 && f->job->autorotate)
        err = append_rotation(f, last);
    return err;
}

static int add_sink(struct filter *f, AVFilterContext *last)
{
    char size[64];
    int err = avfilter_graph_create_filter(&f->sink, avfilter_get_by_name("buffersink"), "out_0_0", NULL, NULL, f->graph);

    // A rebuilt graph goes on in the size that the encoder was opened with.
    if (err >= 0 && f->output_width) {
        snprintf(size, sizeof(size), "%d:%d", f->output_width, f->output_height);
        err = append(f->graph, &last, "scale", "scaler_out_0_0", size);
    }
    if (err >= 0 && *f->formats)
        err = append(f->graph, &last, "format", "format", f->formats);
    return err < 0 ? err : avfilter_link(last, 0, f->sink, 0);
}

static bool touches_nothing(const AVFilterGraph *graph)
{
    for (unsigned i = 0; i < graph->nb_filters; i++) {
        const AVFilterContext *context = graph->filters[i];

        if (context->nb_outputs && strcmp(context->filter->name, "buffer") && !(context->filter->flags & AVFILTER_FLAG_METADATA_ONLY))
            return false;
    }
    return true;
}

static void learn_input(struct filter *f, const AVFrame *frame)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);

    f->width = frame->width;
    f->height = frame->height;
    f->format = frame->format;
    f->colour_space = frame->colorspace;
    f->colour_range = frame->color_range;
    f->aspect_ratio = frame->sample_aspect_ratio;
    f->frame_has_matrix = side && side->size >= MATRIX_BYTES;
    if (f->frame_has_matrix)
        memcpy(f->frame_matrix, side->data, MATRIX_BYTES);
}

// Filters that gather the frames around one also while they are switched off, so that what they make of the first one behind that is what it would
// have been. Not so bwdif, which takes it for the first one of all. Found by rendering.
static bool can_rest(AVFilterContext *context)
{
    static const char *const names[] = {"tmix", "atadenoise", "tmidequalizer"};
    uint8_t *enable = NULL;
    bool can = false;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        can |= strcmp(context->filter->name, names[i]) == 0;
    // The user's own switch stays.
    can = can && av_opt_get(context, "enable", AV_OPT_ALLOW_NULL, &enable) >= 0 && (!enable || !*enable);
    av_freep(&enable);
    return can;
}

static AVFilterContext *find_idler(const struct filter *f)
{
    for (unsigned i = 0; f->job->rests && i < f->graph->nb_filters; i++)
        if (can_rest(f->graph->filters[i]))
            return f->graph->filters[i];
    return NULL;
}

static int build_once(struct filter *f, const AVFrame *frame, char **why)
{
    AVFilterInOut *inputs = NULL, *outputs = NULL;
    AVFilterContext *last = NULL;
    int err = AVERROR(ENOMEM);

    drop_graph(f);
    f->graph = slices_new_graph(f->job, f->pool, f->scales_in_slices);
    if (!f->graph)
        goto done;
    // For the converters that libavfilter inserts by itself.
    if (!f->scales_in_slices) {
        f->graph->scale_sws_opts = av_asprintf("threads=%d", pool_threads(f->pool));
        if (!f->graph->scale_sws_opts)
            goto done;
    }
    err = parse(f->graph, f->job, &inputs, &outputs, why);
    if (err < 0)
        goto done;
    avx_log_forget();
    err = add_source(f, frame, &last);
    if (err >= 0)
        err = avfilter_link(last, 0, inputs->filter_ctx, (unsigned)inputs->pad_idx);
    if (err < 0)
        goto done;
    last = outputs->filter_ctx;
    if (outputs->pad_idx) {
        // Our own filters hang on pad 0 of the one before.
        AVFilterContext *null;

        err = avfilter_graph_create_filter(&null, avfilter_get_by_name("null"), "end", NULL, NULL, f->graph);
        if (err >= 0)
            err = avfilter_link(last, (unsigned)outputs->pad_idx, null, 0);
        if (err < 0)
            goto done;
        last = null;
    }
    err = add_sink(f, last);
    slices_limit(f->graph, f->pool, f->scales_in_slices);
    if (err >= 0)
        err = avfilter_graph_config(f->graph, NULL);
    if (err < 0)
        goto done;
    f->untouched = touches_nothing(f->graph);
    f->idler = find_idler(f);
    f->output_width = av_buffersink_get_w(f->sink);
    f->output_height = av_buffersink_get_h(f->sink);

done:
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    if (err >= 0)
        return 0;
    err_why(why, err, "the filter chain '%s' could not be set up for frames of %dx%d %s: %s", f->job->filters, f->width, f->height,
            av_get_pix_fmt_name(f->format) ? av_get_pix_fmt_name(f->format) : "an unknown format", reason(err));
    drop_graph(f);
    return err;
}

// Which formats scalers go between is known when the graph is there.
static int build(struct filter *f, const AVFrame *frame, char **why)
{
    int width = f->output_width, height = f->output_height, err;

    learn_input(f, frame);
    f->scales_in_slices = false;
    err = build_once(f, frame, why);
    if (err < 0 || f->job->slices == 0 || !slices_show_in_scaling(f->graph))
        return err;
    f->scales_in_slices = true;
    f->output_width = width;
    f->output_height = height;
    return build_once(f, frame, why);
}

bool filter_must_rebuild(const struct filter *f, const AVFrame *frame)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    bool has_matrix = side && side->size >= MATRIX_BYTES;

    return !f->graph || f->width != frame->width || f->height != frame->height || f->format != frame->format ||
           avx_colours_matter(f->colour_space, f->colour_range, frame->colorspace, frame->color_range) || has_matrix != f->frame_has_matrix ||
           (has_matrix && memcmp(side->data, f->frame_matrix, MATRIX_BYTES));
}

// Beyond what makes a rebuild in the middle of a run due: what the graph has of its first frame for good.
static bool begins_otherwise(const struct filter *f, const AVFrame *frame)
{
    return f->colour_space != frame->colorspace || f->colour_range != frame->color_range ||
           av_cmp_q(f->aspect_ratio, frame->sample_aspect_ratio) != 0;
}

static int prepare(struct filter *f, const AVFrame *frame, char **why)
{
    bool begins = !f->graph || f->again;

    if (f->again && (begins_otherwise(f, frame) || filter_must_rebuild(f, frame))) {
        drop_graph(f);
        f->output_width = f->output_height = 0;
    }
    f->again = false;
    if (!filter_must_rebuild(f, frame))
        return 0;
    f->rebuilt = !begins;
    f->ended = false;
    return build(f, frame, why);
}

void filter_rest(struct filter *f, bool rest)
{
    f->rest = rest;
}

// Before the frame for which it matters; all of those before it are through the filter or wait in it.
static int rest_or_work(struct filter *f, char **why)
{
    int err;

    if (!f->idler || f->rest == f->rests)
        return 0;
    err = avfilter_graph_send_command(f->graph, f->idler->name, "enable", f->rest ? "0" : "1", NULL, 0, 0);
    if (err < 0)
        return err_why(why, err, "the filter %s could not be switched: %s", f->idler->filter->name, err_text(err));
    f->rests = f->rest;
    return 0;
}

int filter_send(struct filter *f, AVFrame *frame, char **why)
{
    int err = prepare(f, frame, why);

    if (err >= 0)
        err = rest_or_work(f, why);
    if (err < 0)
        return err;
    if (AVX_FFTOOLS_6_1 && f->rotated)
        av_frame_remove_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    avx_log_forget();
    err = av_buffersrc_add_frame_flags(f->source, frame, AV_BUFFERSRC_FLAG_PUSH);
    av_frame_unref(frame);
    f->owing++;
    if (err < 0 && err != AVERROR_EOF)
        err_why(why, err, "the filter chain '%s' failed on a frame: %s", f->job->filters, reason(err));
    return err;
}

int filter_end(struct filter *f, int64_t pts, char **why)
{
    int err;

    f->ended = true;
    if (!f->graph)
        return 0;
    avx_log_forget();
    err = av_buffersrc_close(f->source, pts, AV_BUFFERSRC_FLAG_PUSH);
    if (err == AVERROR_EOF)
        return 0;
    return err < 0 ? err_why(why, err, "the filter chain '%s' failed at its end: %s", f->job->filters, reason(err)) : 0;
}

int filter_receive(struct filter *f, AVFrame *frame, char **why)
{
    int err;

    if (!f->graph)
        return f->ended ? AVERROR_EOF : AVERROR(EAGAIN);
    avx_log_forget();
    err = av_buffersink_get_frame(f->sink, frame);
    f->owing -= err >= 0;
    if (err >= 0 || err == AVERROR(EAGAIN) || err == AVERROR_EOF)
        return err >= 0 ? 0 : err;
    return err_why(why, err, "the filter chain '%s' failed: %s", f->job->filters, reason(err));
}

// A rate that varies (1/0) cannot be told to the graph's source; behind filters that keep it, it is missing then.
static AVRational frame_rate_of(const struct filter *f)
{
    AVRational rate = av_buffersink_get_frame_rate(f->sink);

    return rate.num == 0 && f->frame_rate.num > 0 && f->frame_rate.den == 0 ? f->frame_rate : rate;
}

void filter_output(const struct filter *f, struct filter_output *output)
{
    *output = (struct filter_output){
        .time_base = av_buffersink_get_time_base(f->sink),
        .frame_rate = frame_rate_of(f),
        .aspect_ratio = av_buffersink_get_sample_aspect_ratio(f->sink),
        .width = f->output_width,
        .height = f->output_height,
        .format = av_buffersink_get_format(f->sink),
        .untouched = f->untouched,
    };
}

void filter_free(struct filter **filter)
{
    struct filter *f = *filter;

    if (!f)
        return;
    *filter = NULL;
    drop_graph(f);
    free(f->formats);
    free(f);
}
