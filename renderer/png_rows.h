// A picture's rows as the data of a PNG: filtered (PNG specification, third edition, section 9), and compressed into one zlib stream (RFC 1950) by
// libdeflate, which takes half of zlib's time for fewer bytes. Pure. One thread.
#ifndef RENDERFARM_PNG_ROWS_H
#define RENDERFARM_PNG_ROWS_H

#include <stddef.h>
#include <stdint.h>

// A set of filters; of several each row gets the one whose differences have the least sum (section 12.7 of the specification).
enum {
    PNG_ROWS_NONE = 1 << 0,
    PNG_ROWS_SUB = 1 << 1,
    PNG_ROWS_UP = 1 << 2,
    PNG_ROWS_AVERAGE = 1 << 3,
    PNG_ROWS_PAETH = 1 << 4,
    PNG_ROWS_ALL = (1 << 5) - 1,
};

enum { PNG_ROWS_LEVELS = 10 }; // 0 (stored) to 9 (small)

struct png_rows;

struct png_rows *png_rows_new(void);
void png_rows_free(struct png_rows **rows); // NULL is fine

// Packs `count` rows of row_bytes each, linesize apart; pixel_bytes: of a whole pixel, 1 for those that share a byte. Returns the size of what *data
// then is, which lives until the next call; 0: no memory.
size_t png_rows_pack(struct png_rows *rows, const uint8_t *first, ptrdiff_t linesize, size_t row_bytes, size_t count, size_t pixel_bytes,
                     unsigned filters, int level, const uint8_t **data);

#endif
