#include "explain.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { TIMES_IN_LINE = 10 };

static void print_what(FILE *out, const struct plan_stage *stage, const char *names)
{
    fprintf(out, "%s%s%s%s%s", stage->decode ? "decode" : "", stage->decode && *names ? ", " : "", names,
            (stage->decode || *names) && stage->encode ? ", " : "", stage->encode ? "encode" : "");
}

static void print_how(FILE *out, const struct plan *plan, const struct plan_stage *stage, const char *names)
{
    if (!stage->parallel) {
        // The reason for all is not the reason for decoding, which then only serves the stages behind it.
        bool serves = stage->decode && !stage->encode && !*names && strcmp(stage->why, plan->reason) == 0;

        fprintf(out, "in order, in one process%s%s", serves ? "" : ": ", serves ? "" : stage->why);
    } else if (stage->run_frames == 0) {
        fprintf(out, "parallel, in segments of %.1f s or a little more, cut in front of keyframes", plan->segment_s);
    } else {
        fprintf(out, "parallel, in %s of %u frames", stage->encode ? "segments" : "runs", stage->run_frames);
        if (stage->before + stage->after > 0)
            fprintf(out, ", with %u frames before and %u after, whose results are dropped", stage->before, stage->after);
        if (stage->frames)
            fputs(", shorter at the end", out);
    }
    fputc('\n', out);
}

static void print_limit(FILE *out, const struct plan *plan)
{
    size_t in_order = 0;

    for (size_t i = 0; i < plan->stage_count; i++)
        in_order += !plan->stages[i].parallel;
    if (plan->stage_count == 1 && in_order == 1)
        fputs("limit: one core does it all\n", out);
    else if (in_order == 1)
        fputs("limit: the stage in order, which runs on one core\n", out);
    else if (in_order > 1)
        fprintf(out, "limit: the slowest of the %zu stages in order, which run on one core each\n", in_order);
}

void explain_plan(FILE *out, const struct plan *plan, const char *input, const struct source_facts *facts)
{
    fprintf(out, "%s: %s, %dx%d, %.2f s\n", input, facts->codec_name, facts->width, facts->height, facts->duration_s);
    if (plan->stage_count > 1)
        fprintf(out, "not simply cut, because %s\n", plan->reason);
    for (size_t i = 0; i < plan->stage_count; i++) {
        char *names = plan_filter_names(plan, &plan->stages[i]);

        fprintf(out, "stage %zu: ", i + 1);
        print_what(out, &plan->stages[i], names);
        fputs(": ", out);
        print_how(out, plan, &plan->stages[i], names);
        free(names);
    }
    print_limit(out, plan);
}

// Whether somebody on this host has to work for a stage before the last.
static bool needs_local(const struct plan *plan)
{
    for (size_t i = 0; i + 1 < plan->stage_count; i++)
        if (plan->stages[i].parallel)
            return true;
    return false;
}

void explain_remote(FILE *out, const struct plan *plan, size_t frame_bytes, int workers, bool launched)
{
    const struct plan_stage *last = &plan->stages[plan->stage_count - 1];
    bool helps = last->parallel && last->encode, whole = plan->stage_count == 1 || (helps && !needs_local(plan));

    // Where they are launched there are some here as well if they cannot do all of it.
    workers += launched && !whole;
    if (plan->stage_count == 1)
        fputs("other hosts: their renderers take segments as packets\n", out);
    else if (!helps)
        fputs("other hosts: nothing to do, because the last stage is in order, and frames go through this host's memory\n", out);
    else
        fprintf(out, "other hosts: their renderers work for the last stage, and get its frames over the network as they are, %.2f MB each: %s\n",
                (double)frame_bytes / 1e6,
                workers == 0 ? "as many renderers of a host at a time as that keeps busy"
                             : "as many at a time as that keeps busy and as there is memory for beside this host's own, and none where sending a "
                               "frame costs this host more CPU time than its work");
    if (workers == 0 && !whole)
        fputs("other hosts: they cannot do all of it, so --workers=0 will not do\n", out);
}

static void note_length(struct explain_cuts *cuts, double end_s)
{
    if (end_s - cuts->begin_s > cuts->longest_s)
        cuts->longest_s = end_s - cuts->begin_s;
}

void explain_cut(FILE *out, struct explain_cuts *cuts, double time_s)
{
    if (cuts->count++ == 0) {
        cuts->begin_s = time_s;
        return;
    }
    note_length(cuts, time_s);
    cuts->begin_s = time_s;
    fprintf(out, "%s%.3f", cuts->column == 0 ? "cuts at (s): " : cuts->column % TIMES_IN_LINE == 0 ? "\n             " : " ", time_s);
    cuts->column++;
}

void explain_end(FILE *out, struct explain_cuts *cuts, const struct plan *plan, double end_s, const char *note)
{
    if (cuts->column > 0)
        fputc('\n', out);
    if (plan->stage_count > 1 || !plan->stages[0].parallel)
        return;
    note_length(cuts, end_s);
    if (cuts->count == 1)
        fputs("limit: it is a single segment, which one core does\n", out);
    else
        fprintf(out, "limit: %u segments, the longest of %.2f s: no speed-up beyond %.1f times\n", cuts->count, cuts->longest_s,
                cuts->longest_s > 0 ? end_s / cuts->longest_s : 1);
    if (note)
        fprintf(out, "note: %s\n", note);
}
