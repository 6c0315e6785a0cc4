#include "bitstream_state.h"

void bitstream_mpeg12_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    const uint8_t *end = data + size, *p = data;
    bool sequence = false, display = false;
    uint64_t print = 0;

    while ((p = bitstream_start_code(p, end)) != end) {
        size_t left = (size_t)(end - p) - 3;

        p += 3;
        if (!left)
            break;
        if (p[0] == 0xb3 && left >= 5) { // size, aspect, rate
            sequence = true;
            print = bitstream_hash(p + 1, 4);
        } else if (p[0] == 0xb5 && left >= 4 && p[1] >> 4 == 1) { // progressive, chroma, larger sizes
            uint8_t extension[2] = {p[2], p[3] & 0xe0};

            print = bitstream_hash_more(print, extension, sizeof(extension)) | 1;
        } else if (p[0] == 0xb5 && left >= 2 && p[1] >> 4 == 2) {
            display = true;
        } else if (p[0] == 0xb8) { // pictures are numbered anew
            s->sequence++;
        } else if (p[0] == 0x00 && left >= 3 && !facts->frames) {
            facts->frames = 1;
            facts->has_order = true;
            facts->order = bitstream_order_in_all(s, p[1] << 2 | p[2] >> 6);
            facts->random_access = sequence && (p[2] >> 3 & 7) == 1 && (display || !s->mpeg_display_seen);
        } else if (p[0] >= 0x01 && p[0] <= 0xaf) {
            break;
        }
    }
    if (sequence)
        bitstream_note_print(s, print);
    s->mpeg_display_seen |= display;
}
