#include "bitstream_nal.h"

struct nal_walk {
    const uint8_t *data, *end;
    unsigned length_bytes;
    bool broken;
};

static bool nal_by_length(struct nal_walk *w, const uint8_t **nal, size_t *size)
{
    size_t left, length = 0;

    for (;;) {
        left = (size_t)(w->end - w->data);
        if (!left)
            return false;
        if (left < w->length_bytes) {
            w->broken = true;
            return false;
        }
        length = 0;
        for (unsigned i = 0; i < w->length_bytes; i++)
            length = length << 8 | *w->data++;
        if (length > left - w->length_bytes) {
            w->broken = true;
            return false;
        }
        if (length)
            break;
    }
    *nal = w->data;
    *size = length;
    w->data += length;
    return true;
}

static bool nal_by_start_code(struct nal_walk *w, const uint8_t **nal, size_t *size)
{
    const uint8_t *begin, *next, *last;

    for (;;) {
        begin = bitstream_start_code(w->data, w->end);
        if (begin == w->end)
            return false;
        begin += 3;
        next = bitstream_start_code(begin, w->end);
        last = next;
        while (last > begin && !last[-1])
            last--;
        w->data = next;
        if (last > begin)
            break;
    }
    *nal = begin;
    *size = (size_t)(last - begin);
    return true;
}

static bool nal_next(struct nal_walk *w, const uint8_t **nal, size_t *size)
{
    return w->length_bytes ? nal_by_length(w, nal, size) : nal_by_start_code(w, nal, size);
}

static int any_pps(const struct bitstream *s, struct parameter_set *set, struct bits *b)
{
    unsigned id = bits_ue(b);

    set->refers_to = (uint8_t)bits_ue(b);
    if (s->codec == BITSTREAM_HEVC) {
        bits_skip(b, 1);
        set->output_flag = bits_one(b);
        set->extra_bits = (uint8_t)bits_take(b, 3);
    }
    return b->over || id >= NAL_MAX_SETS ? -1 : (int)id;
}

static int nal_header_bytes(const struct bitstream *s)
{
    return s->codec == BITSTREAM_H264 ? 1 : 2;
}

static unsigned nal_type(const struct bitstream *s, const uint8_t *nal)
{
    return s->codec == BITSTREAM_H264 ? nal[0] & 0x1f : nal[0] >> 1 & 0x3f;
}

static int set_kind(const struct bitstream *s, unsigned type)
{
    if (s->codec == BITSTREAM_H264)
        return type == 7 ? SET_SPS : type == 8 ? SET_PPS : -1;
    return type == 32 ? SET_VPS : type == 33 ? SET_SPS : type == 34 ? SET_PPS : -1;
}

static void put_set(struct bitstream *s, int kind, const uint8_t *nal, size_t size, bool initial)
{
    struct parameter_set set = {.carried_in = s->packet_number}, *old;
    size_t header = (size_t)nal_header_bytes(s);
    struct bits b = bits_of(nal + header, size - header, true);
    int id;

    if (kind == SET_SPS)
        id = s->codec == BITSTREAM_H264 ? bitstream_h264_sps(&set, &b) : bitstream_hevc_sps(&set, &b);
    else
        id = kind == SET_VPS ? (int)bits_take(&b, 4) : any_pps(s, &set, &b);
    if (b.over || id < 0 || id >= NAL_MAX_SETS) {
        // What the decoder makes of it is not known here.
        s->changed = true;
        return;
    }
    old = &s->sets[kind][id];
    set.current = bitstream_hash(nal, size);
    set.initial = initial ? set.current : old->initial;
    *old = set;
}

bool bitstream_nal_sets_known(const struct bitstream *s)
{
    bool drifted = false, all_here = true;

    for (int kind = 0; kind < SET_KINDS; kind++) {
        for (int i = 0; i < NAL_MAX_SETS; i++) {
            const struct parameter_set *set = &s->sets[kind][i];

            drifted |= set->current != set->initial;
            all_here &= !set->current || set->carried_in == s->packet_number;
        }
    }
    // A changed SPS makes decoders forget the PPS that refer to it, so those are wanted too.
    return !drifted || all_here;
}

const struct parameter_set *bitstream_nal_sps(const struct bitstream *s, unsigned pps)
{
    const struct parameter_set *set;

    if (pps >= NAL_MAX_SETS || !s->sets[SET_PPS][pps].current)
        return NULL;
    set = &s->sets[SET_SPS][s->sets[SET_PPS][pps].refers_to];
    return set->current ? set : NULL;
}

// Messages that hold for the pictures after the next as well: a decoder that starts in the middle has to be told them again.
static bool sei_lasts(unsigned type)
{
    return type == 1 || type == 45 || type == 47 || type == 137 || type == 144 || type == 147;
}

static void look_at_sei(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size)
{
    size_t header = (size_t)nal_header_bytes(s);
    struct bits b = bits_of(nal + header, size - header, true);

    while (b.size - b.at >= 2) {
        unsigned type = 0, length = 0, more;

        do {
            more = bits_take(&b, 8);
            type += more;
        } while (more == 255 && !b.over);
        do {
            more = bits_take(&b, 8);
            length += more;
        } while (more == 255 && !b.over);
        if (b.over || length > size)
            return;
        if (sei_lasts(type))
            f->sei |= UINT64_C(1) << (type == 1 ? 1 : type == 45 ? 2 : type == 47 ? 3 : type == 137 ? 4 : type == 144 ? 5 : 6);
        if (type == 5 && s->codec == BITSTREAM_H264)
            bitstream_h264_note_x264(s, nal + header + b.at, size - header - b.at);
        if (type == 1 && s->codec == BITSTREAM_H264) {
            f->timing_size = length < sizeof(f->timing) ? length : sizeof(f->timing);
            for (size_t i = 0; i < f->timing_size; i++)
                f->timing[i] = (uint8_t)bits_take(&b, 8);
            bits_skip(&b, 8 * (length - (unsigned)f->timing_size));
        } else {
            bits_skip(&b, 8 * length);
        }
        if (b.over)
            return;
    }
}

int64_t bitstream_nal_whole_order(const struct bitstream *s, uint32_t low, unsigned bits)
{
    int64_t range = INT64_C(1) << bits, order = (s->previous_order & ~(range - 1)) + low;

    if (order - s->previous_order > range / 2)
        order -= range;
    else if (s->previous_order - order >= range / 2)
        order += range;
    return order;
}

void bitstream_nal_begin_sequence(struct bitstream *s)
{
    s->sequence++;
    s->previous_order = 0;
    s->decoded = 0;
}

static void look_at_nal(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size)
{
    bool h264 = s->codec == BITSTREAM_H264;
    unsigned type;
    int kind;

    // Units of further layers are not decoded.
    if (size <= (size_t)nal_header_bytes(s) || (!h264 && ((nal[0] & 1) || nal[1] >> 3)))
        return;
    type = nal_type(s, nal);
    kind = set_kind(s, type);
    if (kind >= 0)
        put_set(s, kind, nal, size, false);
    else if (type == (h264 ? 6U : 39U) && !f->picture)
        look_at_sei(s, f, nal, size);
    else if (h264 && (type == 1 || type == 2 || type == 5))
        bitstream_h264_slice(s, f, nal, size);
    else if (!h264 && type < 32)
        bitstream_hevc_slice(s, f, nal, size);
}

static bool ends_sequence(const struct bitstream *s, const uint8_t *nal)
{
    unsigned type = nal_type(s, nal);

    return s->codec == BITSTREAM_H264 ? type == 10 || type == 11 : type == 36 || type == 37;
}

void bitstream_nal_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    struct nal_walk walk = {.data = data, .end = data + size, .length_bytes = s->length_bytes};
    struct nal_facts f = {0};
    const uint8_t *nal;
    size_t nal_size;

    while (nal_next(&walk, &nal, &nal_size)) {
        look_at_nal(s, &f, nal, nal_size);
        f.ends |= ends_sequence(s, nal);
    }
    if (walk.broken)
        s->changed = true;
    if (f.sps)
        bitstream_note_print(s, f.sps->current);
    facts->frames = f.picture;
    facts->has_order = f.has_order;
    facts->order = f.order;
    facts->random_access = f.random && !(s->sei_seen & ~f.sei);
    s->sei_seen |= f.sei;
    if (f.picture || f.ends)
        s->ended = f.ends;
}

static bool length_prefixed_sets(struct bitstream *s, int kind, unsigned count, const uint8_t **data, const uint8_t *end)
{
    while (count--) {
        size_t size;

        if (end - *data < 2)
            return false;
        size = (size_t)((*data)[0] << 8 | (*data)[1]);
        *data += 2;
        if (size > (size_t)(end - *data))
            return false;
        if (kind >= 0 && size > (size_t)nal_header_bytes(s))
            put_set(s, kind, *data, size, true);
        *data += size;
    }
    return true;
}

static bool read_avcc(struct bitstream *s, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    unsigned count;

    if (size < 7)
        return false;
    s->length_bytes = (data[4] & 3U) + 1;
    count = data[5] & 0x1fU;
    data += 6;
    if (!length_prefixed_sets(s, SET_SPS, count, &data, end) || data >= end)
        return false;
    count = *data++;
    return length_prefixed_sets(s, SET_PPS, count, &data, end);
}

static bool read_hvcc(struct bitstream *s, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size;
    unsigned arrays;

    if (size < 23)
        return false;
    s->length_bytes = (data[21] & 3U) + 1;
    arrays = data[22];
    data += 23;
    while (arrays--) {
        unsigned type, count;

        if (end - data < 3)
            return false;
        type = data[0] & 0x3fU;
        count = (unsigned)(data[1] << 8 | data[2]);
        data += 3;
        if (!length_prefixed_sets(s, set_kind(s, type), count, &data, end))
            return false;
    }
    return true;
}

void bitstream_nal_extradata(struct bitstream *s, const uint8_t *data, size_t size)
{
    struct nal_walk walk = {.data = data, .end = data + size};
    const uint8_t *nal;
    size_t nal_size;
    bool h264 = s->codec == BITSTREAM_H264;

    if (size < 4)
        return;
    if (h264 ? data[0] == 1 : data[0] || data[1] || data[2] > 1) {
        s->changed = h264 ? !read_avcc(s, data, size) : !read_hvcc(s, data, size);
        return;
    }
    while (nal_next(&walk, &nal, &nal_size))
        if (nal_size > (size_t)nal_header_bytes(s) && set_kind(s, nal_type(s, nal)) >= 0)
            put_set(s, set_kind(s, nal_type(s, nal)), nal, nal_size, true);
}
