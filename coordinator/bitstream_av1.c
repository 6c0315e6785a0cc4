#include "bitstream_state.h"

#include "bits.h"

static void look_at_av1_obu(struct bitstream *s, unsigned type, const uint8_t *data, size_t size, bool *sequence, bool *begun,
                            struct bitstream_facts *facts)
{
    struct bits b = bits_of(data, size, false);
    bool again, shown;
    unsigned frame_type;

    if (type == 1) {
        bits_skip(&b, 4);
        s->av1_still = bits_one(&b);
        *sequence = true;
        bitstream_note_print(s, bitstream_hash(data, size));
    } else if (type == 3 || type == 6) {
        again = s->av1_still ? false : bits_one(&b);
        frame_type = s->av1_still || again ? 0 : bits_take(&b, 2);
        shown = s->av1_still || again || bits_one(&b);
        if (b.over)
            return;
        if (!*begun)
            facts->random_access = *sequence && !again && frame_type == 0 && shown;
        *begun = true;
        facts->frames += shown;
    }
}

void bitstream_av1_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    bool sequence = false, begun = false;
    size_t at = 0;

    while (at < size) {
        unsigned header = data[at++], type = header >> 3 & 15;
        uint64_t length = 0;
        bool whole = !(header & 2);

        if (header & 4)
            at++;
        for (unsigned i = 0; !whole && i < 8 && at < size; i++) {
            length |= (uint64_t)(data[at] & 0x7f) << (7 * i);
            whole = !(data[at++] & 0x80);
        }
        if (!(header & 2))
            length = at < size ? size - at : 0;
        if (!whole || (header & 0x80) || at > size || length > size - at) {
            facts->random_access = false;
            s->changed = true;
            return;
        }
        look_at_av1_obu(s, type, data + at, (size_t)length, &sequence, &begun, facts);
        at += (size_t)length;
    }
}
