#include "slices.h"

#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>

#include <string.h>

struct slices {
    AVFilterContext *context;
    avfilter_action_func *action;
    void *argument;
    int *results;
};

static void run_slice(void *data, int i, int count)
{
    struct slices *slices = data;
    int result = slices->action(slices->context, slices->argument, i, count);

    if (slices->results)
        slices->results[i] = result;
}

static bool option_is(const AVFilterContext *context, const char *name, int64_t expected)
{
    int64_t value;

    return av_opt_get_int(context->priv, name, 0, &value) >= 0 && value == expected;
}

// Whether the filter's own slices write to memory that others of them write to or read, so that at the same time they would give another picture each
// time. Found by rendering the same frames again and again with all filters.
static bool slices_race(const AVFilterContext *context)
{
    enum { FLOYD_STEINBERG = 1 };
    const char *name = context->filter->name;

    if (strcmp(name, "greyedge") == 0)
        return true; // sums of all slices in one array
    if (strcmp(name, "fftdnoiz") == 0)
        return option_is(context, "prev", 0) && option_is(context, "next", 0); // in place where it may, and blocks reach into the next slice
    return strcmp(name, "colorspace") == 0 && option_is(context, "dither", FLOYD_STEINBERG); // rounding errors of all slices in one line
}

static int execute(AVFilterContext *context, avfilter_action_func *action, void *argument, int *results, int count)
{
    struct slices slices = {.context = context, .action = action, .argument = argument, .results = results};

    if (slices_race(context)) {
        for (int i = 0; i < count; i++)
            run_slice(&slices, i, count);
        return 0;
    }
    return pool_run(context->graph->opaque, count, run_slice, &slices);
}

// The number of slices belongs to the job, not to the threads: some filters' pixels depend on it. Where none do, one thread takes the frame as it is:
// many filters compute what is around a slice twice, unsharp a tenth of the picture. It must be at least 1, or filters ask for no jobs at all and
// return blank frames.
static int slices_of(const Wire__Job *job, const struct pool *pool, bool scaling_shows)
{
    if (job->slices == 0 || (job->slices_free && !scaling_shows && pool && pool_threads(pool) == 1))
        return 1;
    return (int)job->slices;
}

AVFilterGraph *slices_new_graph(const Wire__Job *job, struct pool *pool, bool scaling_shows)
{
    AVFilterGraph *graph = avfilter_graph_alloc();

    if (!graph)
        return NULL;
    graph->nb_threads = slices_of(job, pool, scaling_shows);
    if (pool) {
        graph->thread_type = AVFILTER_THREAD_SLICE;
        graph->execute = execute;
        graph->opaque = pool;
    } else {
        graph->thread_type = 0;
    }
    return graph;
}

// colorspace's error diffusion keeps one line of errors for all slices of a frame: two at a time spoil each other's.
static bool races_with_itself(const AVFilterContext *context)
{
    int64_t dither;

    return !strcmp(context->filter->name, "colorspace") && av_opt_get_int(context->priv, "dither", 0, &dither) >= 0 && dither != 0;
}

static bool is_scaler(const AVFilterContext *context)
{
    return !strncmp(context->filter->name, "scale", 5);
}

// Fields in slices are a race in swscale 6.7, or its end.
static bool scales_fields(const AVFilterContext *context)
{
    int64_t interlaced;

    return av_opt_get_int(context->priv, "interl", 0, &interlaced) >= 0 && interlaced != 0;
}

// swscale starts threads of its own, as many as the graph has slices, unless it is told otherwise.
void slices_limit(AVFilterGraph *graph, const struct pool *pool, bool scaling_shows)
{
    for (unsigned i = 0; i < graph->nb_filters; i++) {
        AVFilterContext *context = graph->filters[i];

        if (races_with_itself(context) || (is_scaler(context) && scales_fields(context)))
            context->nb_threads = 1;
        else if (is_scaler(context) && !scaling_shows)
            context->nb_threads = pool_threads(pool);
    }
}

static bool may_change_matrix(AVFilterContext *context)
{
    uint8_t *matrix = NULL;
    bool may = LIBAVFILTER_VERSION_MAJOR >= 10; // there links have colour spaces, and scale goes from one to the other unasked

    if (av_opt_get(context->priv, "out_color_matrix", AV_OPT_ALLOW_NULL, &matrix) >= 0 && matrix && *matrix)
        may = true;
    av_free(matrix);
    return may;
}

// Found by rendering every pair of formats in one slice and in many: two converters of swscale's treat the last lines of a slice in another way than
// those within. One goes from BGR to 4:2:0, which is also the second step of a change of the matrix, the other from 4:1:0. RGB of any kind is taken
// for the same, to be on the safe side.
static bool shows_slices(AVFilterContext *context)
{
    const AVPixFmtDescriptor *in = context->nb_inputs ? av_pix_fmt_desc_get(context->inputs[0]->format) : NULL;
    enum AVPixelFormat out = context->nb_outputs ? (enum AVPixelFormat)context->outputs[0]->format : AV_PIX_FMT_NONE;

    if (!is_scaler(context) || !in || (out != AV_PIX_FMT_YUV420P && out != AV_PIX_FMT_YUVA420P))
        return false;
    return (in->flags & AV_PIX_FMT_FLAG_RGB) || in->log2_chroma_w == 2 || may_change_matrix(context);
}

bool slices_show_in_scaling(const AVFilterGraph *graph)
{
    for (unsigned i = 0; i < graph->nb_filters; i++)
        if (shows_slices(graph->filters[i]))
            return true;
    return false;
}
