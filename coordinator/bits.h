// Reads the bits of codecs' headers, most significant first. Trusts nothing: past the end come zeros, and `over` says so.
#ifndef RENDERFARM_BITS_H
#define RENDERFARM_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bits {
    const uint8_t *data;
    size_t size, at;
    unsigned left, zeros;
    uint8_t byte;
    bool escaped, over;
};

// escaped: those of a NAL unit, without the bytes that keep start codes from appearing in it. The data must outlive what is returned.
struct bits bits_of(const uint8_t *data, size_t size, bool escaped);

unsigned bits_one(struct bits *b);
uint32_t bits_take(struct bits *b, unsigned count);
void bits_skip(struct bits *b, unsigned count);

// Exp-Golomb codes.
uint32_t bits_ue(struct bits *b);
int32_t bits_se(struct bits *b);

#endif
