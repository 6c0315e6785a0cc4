#include "png_rows.h"

#include "common/mem.h"

#include <libdeflate.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FILTERS = 5 };

struct png_rows {
    struct libdeflate_compressor *compressors[PNG_ROWS_LEVELS];
    uint8_t *filtered, *packed;
    size_t filtered_room, packed_room;
};

struct png_rows *png_rows_new(void)
{
    return mem_zalloc(sizeof(struct png_rows));
}

void png_rows_free(struct png_rows **rows)
{
    struct png_rows *r = *rows;

    if (!r)
        return;
    *rows = NULL;
    for (int i = 0; i < PNG_ROWS_LEVELS; i++)
        libdeflate_free_compressor(r->compressors[i]);
    free(r->filtered);
    free(r->packed);
    free(r);
}

// Pictures are as large as they are: their memory may run out.
static bool make_room(uint8_t **bytes, size_t *room, size_t size)
{
    if (size <= *room)
        return true;
    free(*bytes);
    *bytes = malloc(size);
    *room = *bytes ? size : 0;
    return *bytes != NULL;
}

static uint8_t paeth(int left, int up, int corner)
{
    int to_left = abs(up - corner), to_up = abs(left - corner), to_corner = abs(left + up - 2 * corner);

    if (to_left <= to_up && to_left <= to_corner)
        return (uint8_t)left;
    return (uint8_t)(to_up <= to_corner ? up : corner);
}

// The first pixel has no left neighbour, which counts as 0. above: the row before, all 0 for the first one.
static void filter_row(uint8_t *restrict out, const uint8_t *restrict row, const uint8_t *restrict above, size_t size, size_t pixel, int filter)
{
    size_t i, first = pixel < size ? pixel : size;

    switch (1 << filter) {
    case PNG_ROWS_SUB:
        memcpy(out, row, first);
        for (i = first; i < size; i++)
            out[i] = (uint8_t)(row[i] - row[i - pixel]);
        break;
    case PNG_ROWS_UP:
        for (i = 0; i < size; i++)
            out[i] = (uint8_t)(row[i] - above[i]);
        break;
    case PNG_ROWS_AVERAGE:
        for (i = 0; i < first; i++)
            out[i] = (uint8_t)(row[i] - above[i] / 2);
        for (; i < size; i++)
            out[i] = (uint8_t)(row[i] - (row[i - pixel] + above[i]) / 2);
        break;
    case PNG_ROWS_PAETH:
        for (i = 0; i < first; i++)
            out[i] = (uint8_t)(row[i] - above[i]);
        for (; i < size; i++)
            out[i] = (uint8_t)(row[i] - paeth(row[i - pixel], above[i], above[i - pixel]));
        break;
    default:
        memcpy(out, row, size);
        break;
    }
}

static uint64_t sum_of(const uint8_t *row, size_t size)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += row[i] < 128 ? row[i] : 256u - row[i];
    return sum;
}

// out: the filter's number, and the row. spare: room for another row.
static void choose_filter(uint8_t *out, uint8_t *spare, const uint8_t *row, const uint8_t *above, size_t size, size_t pixel, unsigned filters)
{
    bool several = filters & (filters - 1);
    uint64_t least = UINT64_MAX;

    for (int filter = 0; filter < FILTERS; filter++) {
        uint8_t *to = several ? spare : out + 1;
        uint64_t sum;

        if (!(filters & 1u << filter))
            continue;
        filter_row(to, row, above, size, pixel, filter);
        sum = several ? sum_of(to, size) : 0;
        if (sum < least) {
            least = sum;
            out[0] = (uint8_t)filter;
            if (several)
                memcpy(out + 1, spare, size);
        }
    }
}

size_t png_rows_pack(struct png_rows *r, const uint8_t *first, ptrdiff_t linesize, size_t row_bytes, size_t count, size_t pixel_bytes,
                     unsigned filters, int level, const uint8_t **data)
{
    size_t size = count * (row_bytes + 1);
    uint8_t *zeros, *spare;

    if (!r->compressors[level])
        r->compressors[level] = libdeflate_alloc_compressor(level);
    // Behind the rows there are one of zeros, for the first to be compared with, and one to try filters in.
    if (!r->compressors[level] || !make_room(&r->filtered, &r->filtered_room, size + 2 * row_bytes) ||
        !make_room(&r->packed, &r->packed_room, libdeflate_zlib_compress_bound(r->compressors[level], size)))
        return 0;
    zeros = r->filtered + size;
    spare = zeros + row_bytes;
    memset(zeros, 0, row_bytes);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *row = first + (ptrdiff_t)i * linesize;

        choose_filter(r->filtered + i * (row_bytes + 1), spare, row, i > 0 ? row - linesize : zeros, row_bytes, pixel_bytes, filters);
    }
    *data = r->packed;
    return libdeflate_zlib_compress(r->compressors[level], r->filtered, size, r->packed, r->packed_room);
}
