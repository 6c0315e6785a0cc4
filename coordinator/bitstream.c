#include "bitstream.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

struct bytes {
    const uint8_t *at;
    size_t size;
};

struct bitstream {
    enum bitstream_codec codec;
    size_t length_size; // of a NAL unit's length field; 0 for start codes (Annex B)
    uint8_t *extradata;
    size_t extradata_size;
    struct bytes *known; // parameter sets in the extradata
    size_t known_count;
    bool changed;
};

enum bitstream_codec bitstream_codec_of(const char *name)
{
    static const struct {
        const char *name;
        enum bitstream_codec codec;
    } codecs[] = {
        {"h264", BITSTREAM_H264},           {"hevc", BITSTREAM_HEVC},           {"vp8", BITSTREAM_VP8},
        {"vp9", BITSTREAM_VP9},             {"av1", BITSTREAM_AV1},             {"mpeg1video", BITSTREAM_MPEG12},
        {"mpeg2video", BITSTREAM_MPEG12},   {"ffv1", BITSTREAM_FLAGGED},        {"mjpeg", BITSTREAM_INTRA_ONLY},
        {"prores", BITSTREAM_INTRA_ONLY},   {"dnxhd", BITSTREAM_INTRA_ONLY},    {"huffyuv", BITSTREAM_INTRA_ONLY},
        {"ffvhuff", BITSTREAM_INTRA_ONLY},  {"utvideo", BITSTREAM_INTRA_ONLY},  {"magicyuv", BITSTREAM_INTRA_ONLY},
        {"v210", BITSTREAM_INTRA_ONLY},     {"v410", BITSTREAM_INTRA_ONLY},     {"rawvideo", BITSTREAM_INTRA_ONLY},
        {"png", BITSTREAM_INTRA_ONLY},      {"dvvideo", BITSTREAM_INTRA_ONLY},  {"jpeg2000", BITSTREAM_INTRA_ONLY},
    };

    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
        if (strcmp(codecs[i].name, name) == 0)
            return codecs[i].codec;
    return BITSTREAM_OTHER;
}

// The next NAL unit of *rest, by length field or start code. Trailing zeros belong to the byte stream, not to the unit.
static bool next_unit(struct bytes *rest, size_t length_size, struct bytes *unit)
{
    size_t start = 0, end;

    if (length_size > 0) {
        size_t length = 0;

        if (rest->size < length_size)
            return false;
        for (size_t i = 0; i < length_size; i++)
            length = length << 8 | rest->at[i];
        if (length > rest->size - length_size)
            return false;
        *unit = (struct bytes){rest->at + length_size, length};
        rest->at += length_size + length;
        rest->size -= length_size + length;
        return true;
    }
    while (start + 3 <= rest->size && !(rest->at[start] == 0 && rest->at[start + 1] == 0 && rest->at[start + 2] == 1))
        start++;
    if (start + 3 > rest->size)
        return false;
    start += 3;
    end = start;
    while (end + 3 <= rest->size && !(rest->at[end] == 0 && rest->at[end + 1] == 0 && rest->at[end + 2] <= 1))
        end++;
    if (end + 3 > rest->size)
        end = rest->size;
    *unit = (struct bytes){rest->at + start, end - start};
    rest->at += end;
    rest->size -= end;
    while (unit->size > 0 && unit->at[unit->size - 1] == 0)
        unit->size--;
    return true;
}

static unsigned unit_type(const struct bitstream *b, struct bytes unit)
{
    return b->codec == BITSTREAM_H264 ? unit.at[0] & 0x1f : unit.at[0] >> 1 & 0x3f;
}

static bool is_parameter_set(const struct bitstream *b, unsigned type)
{
    return b->codec == BITSTREAM_H264 ? type == 7 || type == 8 : type >= 32 && type <= 34;
}

static void learn(struct bitstream *b, struct bytes set)
{
    while (set.size > 0 && set.at[set.size - 1] == 0)
        set.size--;
    b->known = mem_grow(b->known, b->known_count + 1, sizeof(*b->known));
    b->known[b->known_count++] = set;
}

static bool knows(const struct bitstream *b, struct bytes set)
{
    while (set.size > 0 && set.at[set.size - 1] == 0)
        set.size--;
    for (size_t i = 0; i < b->known_count; i++)
        if (b->known[i].size == set.size && memcmp(b->known[i].at, set.at, set.size) == 0)
            return true;
    return false;
}

// A run of `count` sets, each behind a length of two bytes. *at moves behind them; false if the bytes end before.
static bool learn_array(struct bitstream *b, size_t *at, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        size_t length;

        if (*at + 2 > b->extradata_size)
            return false;
        length = (size_t)b->extradata[*at] << 8 | b->extradata[*at + 1];
        *at += 2;
        if (length > b->extradata_size - *at)
            return false;
        learn(b, (struct bytes){b->extradata + *at, length});
        *at += length;
    }
    return true;
}

static void read_avcc(struct bitstream *b)
{
    size_t at = 6;

    b->length_size = (b->extradata[4] & 3u) + 1;
    if (learn_array(b, &at, b->extradata[5] & 0x1f) && at < b->extradata_size) {
        unsigned count = b->extradata[at++];

        learn_array(b, &at, count);
    }
}

static void read_hvcc(struct bitstream *b)
{
    size_t at = 23;

    b->length_size = (b->extradata[21] & 3u) + 1;
    for (unsigned arrays = b->extradata[22]; arrays > 0 && at + 3 <= b->extradata_size; arrays--) {
        unsigned count = (unsigned)b->extradata[at + 1] << 8 | b->extradata[at + 2];

        at += 3;
        if (!learn_array(b, &at, count))
            return;
    }
}

static void read_annexb(struct bitstream *b)
{
    struct bytes rest = {b->extradata, b->extradata_size}, unit;

    while (next_unit(&rest, 0, &unit))
        if (unit.size > 0 && is_parameter_set(b, unit_type(b, unit)))
            learn(b, unit);
}

struct bitstream *bitstream_new(enum bitstream_codec codec, const uint8_t *extradata, size_t size)
{
    struct bitstream *b = mem_zalloc(sizeof(*b));

    b->codec = codec;
    b->extradata = mem_copy(extradata, size);
    b->extradata_size = size;
    if (codec == BITSTREAM_H264 && size >= 7 && extradata[0] == 1)
        read_avcc(b);
    else if (codec == BITSTREAM_HEVC && size >= 23 && (extradata[0] || extradata[1] || extradata[2] > 1))
        read_hvcc(b);
    else if (codec == BITSTREAM_H264 || codec == BITSTREAM_HEVC)
        read_annexb(b);
    return b;
}

void bitstream_free(struct bitstream **bitstream)
{
    if (!*bitstream)
        return;
    free((*bitstream)->known);
    free((*bitstream)->extradata);
    free(*bitstream);
    *bitstream = NULL;
}

bool bitstream_changed(const struct bitstream *b)
{
    return b->changed;
}

// The first slice decides: an IDR picture (H.264 type 5, H.265 types 19 and 20) forgets everything before it.
static bool units_are_start(struct bitstream *b, struct bytes rest)
{
    bool slice = false, idr = false;
    struct bytes unit;

    while (next_unit(&rest, b->length_size, &unit)) {
        unsigned type;

        if (unit.size == 0)
            continue;
        type = unit_type(b, unit);
        if (is_parameter_set(b, type) && !knows(b, unit))
            b->changed = true;
        if (slice)
            continue;
        if (b->codec == BITSTREAM_H264 ? type >= 1 && type <= 5 : type <= 31) {
            slice = true;
            idr = b->codec == BITSTREAM_H264 ? type == 5 : type == 19 || type == 20;
        }
    }
    return idr && !b->changed;
}

// frame_marker(2) profile_low profile_high [reserved] show_existing_frame frame_type show_frame; of a superframe the first frame.
static bool vp9_is_start(struct bytes p)
{
    unsigned bits, profile;

    if (p.size < 1 || p.at[0] >> 6 != 2)
        return false;
    bits = p.at[0];
    profile = (bits >> 5 & 1) | (bits >> 3 & 2);
    if (profile == 3)
        return (bits >> 2 & 1) == 0 && (bits >> 1 & 1) == 0 && (bits & 1) == 1;
    return (bits >> 3 & 1) == 0 && (bits >> 2 & 1) == 0 && (bits >> 1 & 1) == 1;
}

static bool read_leb128(struct bytes *p, size_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 8 && p->size > 0; i++) {
        uint8_t byte = p->at[0];

        p->at++;
        p->size--;
        *value |= (size_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

// A sequence header, then a frame header that says: not an old frame shown again, a key frame, shown.
static bool av1_is_start(struct bytes p)
{
    enum { OBU_SEQUENCE_HEADER = 1, OBU_FRAME_HEADER = 3, OBU_FRAME = 6 };
    bool sequence = false;

    while (p.size > 0) {
        unsigned header = p.at[0], type = header >> 3 & 15;
        size_t size;

        p.at++;
        p.size--;
        if (header & 0x80)
            return false; // the forbidden bit
        if (header & 4) { // extension
            if (p.size == 0)
                return false;
            p.at++;
            p.size--;
        }
        if (header & 2) {
            if (!read_leb128(&p, &size) || size > p.size)
                return false;
        } else {
            size = p.size;
        }
        if (type == OBU_SEQUENCE_HEADER && size > 0) {
            if (p.at[0] >> 3 & 1)
                return false; // reduced still picture headers have no such bits; a still is one frame anyway
            sequence = true;
        }
        if (type == OBU_FRAME_HEADER || type == OBU_FRAME)
            return sequence && size > 0 && (p.at[0] & 0x80) == 0 && (p.at[0] >> 5 & 3) == 0 && (p.at[0] >> 4 & 1) == 1;
        p.at += size;
        p.size -= size;
    }
    return false;
}

// A sequence header and then an I picture. Leading pictures of an open group show in the timestamps.
static bool mpeg12_is_start(struct bytes p)
{
    bool sequence = false;

    for (size_t i = 0; i + 6 <= p.size; i++) {
        if (p.at[i] != 0 || p.at[i + 1] != 0 || p.at[i + 2] != 1)
            continue;
        if (p.at[i + 3] == 0xb3)
            sequence = true;
        else if (p.at[i + 3] == 0x00)
            return sequence && (p.at[i + 5] >> 3 & 7) == 1;
    }
    return false;
}

bool bitstream_is_start(struct bitstream *b, const uint8_t *data, size_t size, bool key)
{
    struct bytes p = {data, size};

    switch (b->codec) {
    case BITSTREAM_INTRA_ONLY:
        return true;
    case BITSTREAM_FLAGGED:
        return key;
    case BITSTREAM_H264:
    case BITSTREAM_HEVC:
        return units_are_start(b, p) && key; // looks at every packet, for the parameter sets
    case BITSTREAM_VP8:
        return key && size > 0 && !(data[0] & 1);
    case BITSTREAM_VP9:
        return key && vp9_is_start(p);
    case BITSTREAM_AV1:
        return key && av1_is_start(p);
    case BITSTREAM_MPEG12:
        return key && mpeg12_is_start(p);
    default:
        return false;
    }
}
