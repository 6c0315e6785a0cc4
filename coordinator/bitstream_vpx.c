#include "bitstream_state.h"

#include "bits.h"

#include <string.h>

void bitstream_vp8_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    if (size < 3)
        return;
    facts->frames = data[0] >> 4 & 1;
    if ((data[0] & 1) || size < 10 || memcmp(data + 3, "\x9d\x01\x2a", 3) != 0)
        return;
    bitstream_note_print(s, bitstream_hash(data + 6, 4));
    facts->random_access = facts->frames;
}

struct vp9_frame {
    bool shown, key, valid;
    uint64_t print;
};

static struct vp9_frame vp9_frame(const uint8_t *data, size_t size)
{
    struct bits b = bits_of(data, size, false);
    struct vp9_frame f = {0};
    uint8_t print[9] = {0};
    unsigned profile;

    if (bits_take(&b, 2) != 2)
        return f;
    profile = bits_one(&b);
    profile |= bits_one(&b) << 1;
    if (profile == 3)
        bits_skip(&b, 1);
    if (bits_one(&b)) { // an old frame is shown once more
        f.valid = f.shown = !b.over;
        return f;
    }
    f.key = !bits_one(&b);
    f.shown = bits_one(&b);
    bits_skip(&b, 1);
    f.valid = !b.over;
    if (!f.key || !f.valid)
        return f;
    f.valid = bits_take(&b, 24) == 0x498342;
    print[0] = (uint8_t)profile;
    if (profile >= 2)
        print[1] = (uint8_t)bits_one(&b);
    print[2] = (uint8_t)bits_take(&b, 3);
    if (print[2] != 7) {
        print[3] = (uint8_t)bits_one(&b);
        if (profile & 1)
            print[4] = (uint8_t)bits_take(&b, 3);
    } else if (profile & 1) {
        bits_skip(&b, 1);
    }
    for (int i = 5; i < 9; i++)
        print[i] = (uint8_t)bits_take(&b, 8);
    f.print = bitstream_hash(print, sizeof(print));
    f.valid &= !b.over;
    return f;
}

// A superframe is several frames in one packet, with an index of their sizes at its end.
static unsigned vp9_superframe(const uint8_t *data, size_t size, size_t sizes[8])
{
    uint8_t mark = data[size - 1];
    unsigned count = (mark & 7U) + 1, width = (mark >> 3 & 3U) + 1;
    size_t index = 2 + (size_t)count * width, total = 0;

    sizes[0] = size;
    if ((mark & 0xe0) != 0xc0 || size < index || data[size - index] != mark)
        return 1;
    for (unsigned i = 0; i < count; i++) {
        sizes[i] = 0;
        for (unsigned j = 0; j < width; j++)
            sizes[i] |= (size_t)data[size - index + 1 + i * width + j] << (8 * j);
        total += sizes[i];
        if (total > size - index)
            return 0;
    }
    return count;
}

void bitstream_vp9_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    size_t sizes[8];
    unsigned count = vp9_superframe(data, size, sizes);

    for (unsigned i = 0; i < count; i++) {
        struct vp9_frame f = vp9_frame(data, sizes[i]);

        if (f.valid && f.key)
            bitstream_note_print(s, f.print);
        if (i == 0)
            facts->random_access = f.valid && f.key && f.shown;
        facts->frames += f.valid && f.shown;
        data += sizes[i];
    }
}
