#include "sheet.h"

#include "common/mem.h"

#include <math.h>

enum { CELL_WIDTH = 320, GAP = 8 };

#define POSTER_AT 0.1

// The last frame begins a frame before the end; half of one more, for times that are rounded.
static double within(double at_s, double duration_s, double frame_s)
{
    return fmax(0, fmin(at_s, duration_s - 1.5 * frame_s));
}

char *sheet_filters(const struct options *o, double duration_s, double frame_s)
{
    const char *behind = *o->filter ? "," : "";
    double cells = o->sheet_columns * o->sheet_rows, first_s = within(0.5 * duration_s / cells, duration_s, frame_s);

    if (o->poster)
        return mem_format("%s%sselect='isnan(prev_selected_t)*gte(t,%.6f)'", o->filter, behind, within(POSTER_AT * duration_s, duration_s, frame_s));
    return mem_format("%s%sselect='gte(t,%.6f)*(isnan(prev_selected_t)+gt(floor((t-%.6f)/%.6f),floor((prev_selected_t-%.6f)/%.6f)))',"
                      "scale=%d:-2,drawtext=text='%%{pts\\:hms}':x=6:y=h-th-6:fontsize=16:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=3,"
                      "tile=%dx%d:margin=%d:padding=%d",
                      o->filter, behind, first_s, first_s, duration_s / cells, first_s, duration_s / cells, CELL_WIDTH, o->sheet_columns,
                      o->sheet_rows, GAP, GAP);
}
