#include "bitstream_state.h"

#include <string.h>

// Tables that a JPEG brings stay for those behind it, so either all bring theirs, or none does and the standard ones are meant.
void bitstream_mjpeg_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    bool quantizers = false, tables = false, frame = false;
    size_t at = 2;

    facts->frames = size > 0;
    if (size < 4 || data[0] != 0xff || data[1] != 0xd8)
        return;
    while (at + 4 <= size && data[at] == 0xff) {
        unsigned marker = data[at + 1];
        size_t length = (size_t)(data[at + 2] << 8 | data[at + 3]);

        if (marker == 0xff) { // fill
            at++;
            continue;
        }
        if (length < 2 || length > size - at - 2)
            return;
        if (marker == 0xdb)
            quantizers = true;
        if (marker == 0xc4)
            tables = true;
        if (marker >= 0xc0 && marker <= 0xc3 && length >= 8) {
            frame = s->height <= 0 || (data[at + 5] << 8 | data[at + 6]) == s->height;
            bitstream_note_print(s, bitstream_hash_more(bitstream_hash(&data[at + 1], 1), data + at + 4, length - 2) | 1);
        }
        at += 2 + length;
        if (marker == 0xda)
            break;
    }
    if (s->packet_number > 1 && tables != s->jpeg_tables)
        s->jpeg_mixed = true;
    s->jpeg_tables = tables;
    if (!quantizers)
        s->jpeg_mixed = true;
    // A second picture in the packet is the second field of a frame, which decoders take from here to there.
    if (at < size && memmem(data + at, size - at, "\xff\xd8", 2))
        frame = false;
    facts->random_access = frame && !s->jpeg_mixed;
}
