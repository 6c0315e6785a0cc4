#include "bits.h"

struct bits bits_of(const uint8_t *data, size_t size, bool escaped)
{
    return (struct bits){.data = data, .size = size, .escaped = escaped};
}

unsigned bits_one(struct bits *b)
{
    if (!b->left) {
        if (b->escaped && b->zeros >= 2 && b->at < b->size && b->data[b->at] == 3) {
            b->at++;
            b->zeros = 0;
        }
        if (b->at >= b->size) {
            b->over = true;
            return 0;
        }
        b->byte = b->data[b->at++];
        b->zeros = b->byte ? 0 : b->zeros + 1;
        b->left = 8;
    }
    return (unsigned)(b->byte >> --b->left) & 1;
}

uint32_t bits_take(struct bits *b, unsigned count)
{
    uint32_t value = 0;

    while (count--)
        value = value << 1 | bits_one(b);
    return value;
}

void bits_skip(struct bits *b, unsigned count)
{
    while (count--)
        bits_one(b);
}

uint32_t bits_ue(struct bits *b)
{
    unsigned zeros = 0;

    while (!bits_one(b)) {
        if (b->over || ++zeros > 31) {
            b->over = true;
            return 0;
        }
    }
    return (uint32_t)((UINT64_C(1) << zeros) - 1 + bits_take(b, zeros));
}

int32_t bits_se(struct bits *b)
{
    uint32_t code = bits_ue(b);

    return code & 1 ? (int32_t)(code / 2 + 1) : -(int32_t)(code / 2);
}
