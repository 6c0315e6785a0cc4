#include "sheet.h"

#include "common/mem.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_WIDTH = 320, GAP = 8 };

#define POSTER_AT 0.1

// The last frame begins a frame before the end; half of one more, for times that are rounded.
static double within(double at_s, double duration_s, double frame_s)
{
    return fmax(0, fmin(at_s, duration_s - 1.5 * frame_s));
}

// Of a chain without the label at its end. (A bracket within quotes is no last one: there is a quote behind it.)
static int length_without_label(const char *chain)
{
    size_t length = strlen(chain), from;

    while (length > 0 && isspace((unsigned char)chain[length - 1]))
        length--;
    if (length == 0 || chain[length - 1] != ']')
        return (int)strlen(chain);
    for (from = length - 1; from > 0 && chain[from] != '['; from--)
        ;
    return (int)(from > 0 && chain[from - 1] != '\\' ? from : strlen(chain));
}

char *sheet_append(const char *chain, const char *filters)
{
    int length = length_without_label(chain);

    return length > 0 ? mem_format("%.*s,%s", length, chain, filters) : mem_dup(filters);
}

char *sheet_filters(const struct options *o, double duration_s, double frame_s)
{
    double cells = o->sheet_columns * o->sheet_rows, first_s = within(0.5 * duration_s / cells, duration_s, frame_s);
    char *filters, *chain;

    if (o->poster)
        filters = mem_format("select='isnan(prev_selected_t)*gte(t,%.6f)'", within(POSTER_AT * duration_s, duration_s, frame_s));
    else
        filters =
            mem_format("select='gte(t,%.6f)*(isnan(prev_selected_t)+gt(floor((t-%.6f)/%.6f),floor((prev_selected_t-%.6f)/%.6f)))',"
                       "scale=%d:-2,drawtext=text='%%{pts\\:hms}':x=6:y=h-th-6:fontsize=16:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=3,"
                       "tile=%dx%d:margin=%d:padding=%d",
                       first_s, first_s, duration_s / cells, first_s, duration_s / cells, CELL_WIDTH, o->sheet_columns, o->sheet_rows, GAP, GAP);
    chain = sheet_append(o->filter, filters);
    free(filters);
    return chain;
}
