#include "sheet.h"

#include "common/mem.h"

enum { CELL_WIDTH = 320, GAP = 8 };

#define POSTER_AT 0.1

char *sheet_filters(const struct options *o, double duration_s)
{
    const char *behind = *o->filter ? "," : "";
    double cells = o->sheet_columns * o->sheet_rows;

    if (o->poster)
        return mem_format("%s%sselect='isnan(prev_selected_t)*gte(t,%.6f)'", o->filter, behind, POSTER_AT * duration_s);
    return mem_format("%s%sselect='gte(t,%.6f)*(isnan(prev_selected_t)+gt(floor((t-%.6f)/%.6f),floor((prev_selected_t-%.6f)/%.6f)))',"
                      "scale=%d:-2,drawtext=text='%%{pts\\:hms}':x=6:y=h-th-6:fontsize=16:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=3,"
                      "tile=%dx%d:margin=%d:padding=%d",
                      o->filter, behind, 0.5 * duration_s / cells, 0.5 * duration_s / cells, duration_s / cells, 0.5 * duration_s / cells,
                      duration_s / cells, CELL_WIDTH, o->sheet_columns, o->sheet_rows, GAP, GAP);
}
