#include "bitstream_state.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

uint64_t bitstream_hash_more(uint64_t hash, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t bitstream_hash(const uint8_t *data, size_t size)
{
    return bitstream_hash_more(UINT64_C(0xcbf29ce484222325), data, size) | 1;
}

void bitstream_note_print(struct bitstream *s, uint64_t print)
{
    if (s->has_print && s->print != print)
        s->changed = true;
    s->has_print = true;
    s->print = print;
}

const uint8_t *bitstream_start_code(const uint8_t *p, const uint8_t *end)
{
    while (end - p >= 3) {
        const uint8_t *one = memchr(p + 2, 1, (size_t)(end - p) - 2);

        if (!one)
            return end;
        if (!one[-1] && !one[-2])
            return one - 2;
        p = one - 1;
    }
    return end;
}

int64_t bitstream_order_in_all(const struct bitstream *s, int64_t order)
{
    return s->sequence * (INT64_C(1) << 40) + order;
}

// The first bit that the range coder gives, at even odds, is the keyframe flag.
static void look_at_ffv1(const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    facts->frames = size > 0;
    facts->random_access = size >= 2 && (data[0] << 8 | data[1]) >= 0x7f80;
}

// A picture with its format at a fixed place.
static void look_at_fixed(struct bitstream *s, const uint8_t *data, size_t size, size_t offset, size_t length, struct bitstream_facts *facts)
{
    facts->frames = size > 0;
    facts->random_access = size >= offset + length;
    if (facts->random_access)
        bitstream_note_print(s, bitstream_hash(data + offset, length));
}

struct bitstream *bitstream_new(enum bitstream_codec codec, const uint8_t *extradata, size_t extradata_size, int height)
{
    struct bitstream *s = mem_zalloc(sizeof(*s));

    s->codec = codec;
    s->height = height;
    if (extradata && (codec == BITSTREAM_H264 || codec == BITSTREAM_HEVC))
        bitstream_nal_extradata(s, extradata, extradata_size);
    return s;
}

struct bitstream_facts bitstream_look(struct bitstream *s, const uint8_t *data, size_t size)
{
    struct bitstream_facts facts = {0};

    s->packet_number++;
    if (!data || !size) {
        facts.changed = s->changed;
        return facts;
    }
    switch (s->codec) {
    case BITSTREAM_UNKNOWN:
        facts.frames = 1;
        break;
    case BITSTREAM_INTRA:
        facts = (struct bitstream_facts){.random_access = true, .frames = 1};
        break;
    case BITSTREAM_H264:
    case BITSTREAM_HEVC:
        bitstream_nal_look(s, data, size, &facts);
        break;
    case BITSTREAM_VP8:
        bitstream_vp8_look(s, data, size, &facts);
        break;
    case BITSTREAM_VP9:
        bitstream_vp9_look(s, data, size, &facts);
        break;
    case BITSTREAM_AV1:
        bitstream_av1_look(s, data, size, &facts);
        break;
    case BITSTREAM_MPEG12:
        bitstream_mpeg12_look(s, data, size, &facts);
        break;
    case BITSTREAM_MJPEG:
        bitstream_mjpeg_look(s, data, size, &facts);
        break;
    case BITSTREAM_FFV1:
        look_at_ffv1(data, size, &facts);
        break;
    case BITSTREAM_PNG: // IHDR
        look_at_fixed(s, data, size, 16, 13, &facts);
        break;
    case BITSTREAM_PRORES: // width, height, chroma format and interlacing
        look_at_fixed(s, data, size, 16, 5, &facts);
        break;
    case BITSTREAM_DNXHD: // height, width
        look_at_fixed(s, data, size, 0x18, 4, &facts);
        break;
    case BITSTREAM_DV: // lines
        look_at_fixed(s, data, size, 3, 1, &facts);
        break;
    }
    facts.changed = s->changed;
    facts.random_access &= !facts.changed;
    return facts;
}

void bitstream_free(struct bitstream **bitstream)
{
    free(*bitstream);
    *bitstream = NULL;
}
