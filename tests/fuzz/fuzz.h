// What the fuzz targets share: bytes taken off the input one after the other. A target is a file tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput
// in it; `make fuzz` finds it, with seeds from tests/fuzz/seeds/NAME and those that make_seeds.c writes.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline unsigned fuzz_byte(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

// A part of the input behind its length in two bytes, big end first; what is left when that is less. A block of its own, so that reading over its end
// is seen; freed by the caller.
static inline uint8_t *fuzz_part(struct fuzz_input *in, size_t *size)
{
    size_t wish = fuzz_byte(in) << 8;
    uint8_t *part;

    wish += fuzz_byte(in);
    *size = wish < in->left ? wish : in->left;
    part = malloc(*size ? *size : 1);
    if (!part)
        abort();
    memcpy(part, in->at, *size);
    in->at += *size;
    in->left -= *size;
    return part;
}

// The whole of the input as a string; freed by the caller.
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
