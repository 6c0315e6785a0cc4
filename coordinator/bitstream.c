#include "bitstream.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

enum { NAL_MAX_SETS = 256 };

// Kinds of parameter sets.
enum { SET_VPS, SET_SPS, SET_PPS, SET_KINDS };

// Contents are compared by hash; 0 is "not there".
struct parameter_set {
    uint64_t initial;    // in the extradata, which every decoder gets
    uint64_t current;    // as of this packet
    uint64_t carried_in; // number of the packet that last brought it
    uint8_t refers_to;   // PPS: its SPS
    // SPS:
    bool separate_planes;
    uint8_t order_type; // H.264: how slices tell the order of showing; 0 by its lower bits, 2 not at all, being that of decoding
    uint8_t order_bits; // lower bits of the order in slices
    uint8_t frame_number_bits;
    bool pic_struct;   // H.264: picture timing messages say how fields are shown
    bool fields;       // H.264: pictures may be fields, two of them a frame
    bool frames_adapt; // H.264: frames adapt to fields in macroblocks, so interlacing shows in the slices
    bool chroma444;
    uint8_t timing_skip_bits; // of a picture timing message before its pic_struct
    // PPS of HEVC:
    bool output_flag;
    uint8_t extra_bits;
};

struct bitstream {
    enum bitstream_codec codec;
    int height;
    bool changed;
    bool has_print;
    uint64_t print; // of the picture format
    uint64_t packet_number;

    // H.264 and HEVC.
    unsigned length_bytes; // of NAL unit lengths, 0 for start codes
    bool ended;            // the packet before closed a sequence
    uint64_t sei_seen;     // lasting messages so far, a bit each
    unsigned x264_build;   // the oldest, 0 for unknown
    struct parameter_set sets[SET_KINDS][NAL_MAX_SETS];

    // Order of showing: sequences that each start anew, and within them a number of which pictures send the lower bits.
    int64_t sequence;
    int64_t previous_order; // of the last picture that later ones count from
    int64_t decoded;        // pictures in this sequence

    bool mpeg_display_seen;
    bool jpeg_tables, jpeg_mixed; // Huffman tables come along with the packets; some packets lack what others have
    bool av1_still;               // the sequence header is of the reduced kind
};

// ---- Bits ----

// Reads bits; those of NAL units without the bytes that keep start codes from appearing in them. Past the end come zeros, and `over`.
struct bits {
    const uint8_t *data;
    size_t size, at;
    unsigned left, zeros;
    uint8_t byte;
    bool escaped, over;
};

static struct bits bits_of(const uint8_t *data, size_t size, bool escaped)
{
    return (struct bits){.data = data, .size = size, .escaped = escaped};
}

static unsigned bit(struct bits *b)
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

static uint32_t take(struct bits *b, unsigned count)
{
    uint32_t value = 0;

    while (count--)
        value = value << 1 | bit(b);
    return value;
}

static void skip(struct bits *b, unsigned count)
{
    while (count--)
        bit(b);
}

// Exp-Golomb code.
static uint32_t ue(struct bits *b)
{
    unsigned zeros = 0;

    while (!bit(b)) {
        if (b->over || ++zeros > 31) {
            b->over = true;
            return 0;
        }
    }
    return (uint32_t)((UINT64_C(1) << zeros) - 1 + take(b, zeros));
}

static int32_t se(struct bits *b)
{
    uint32_t code = ue(b);

    return code & 1 ? (int32_t)(code / 2 + 1) : -(int32_t)(code / 2);
}

static uint64_t hash_more(uint64_t hash, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

// FNV-1a; never 0.
static uint64_t hash_of(const uint8_t *data, size_t size)
{
    return hash_more(UINT64_C(0xcbf29ce484222325), data, size) | 1;
}

// ---- The picture format ----

// Filters and encoder were set up for the first format: a segment that starts with another one would be set up otherwise.
static void note_print(struct bitstream *s, uint64_t print)
{
    if (s->has_print && s->print != print)
        s->changed = true;
    s->has_print = true;
    s->print = print;
}

// ---- NAL units: H.264 and HEVC ----

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

// The next 00 00 01, or the end.
static const uint8_t *start_code(const uint8_t *p, const uint8_t *end)
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

static bool nal_by_start_code(struct nal_walk *w, const uint8_t **nal, size_t *size)
{
    const uint8_t *begin, *next, *last;

    for (;;) {
        begin = start_code(w->data, w->end);
        if (begin == w->end)
            return false;
        begin += 3;
        next = start_code(begin, w->end);
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

static unsigned hrd_parameters(struct bits *b)
{
    unsigned removal, output, count = ue(b);

    skip(b, 8);
    for (unsigned i = 0; i <= count && i < 32 && !b->over; i++) {
        ue(b);
        ue(b);
        skip(b, 1);
    }
    skip(b, 5);
    removal = take(b, 5) + 1;
    output = take(b, 5) + 1;
    skip(b, 5);
    return removal + output;
}

static void scaling_lists(struct bits *b, unsigned count)
{
    for (unsigned i = 0; i < count && !b->over; i++) {
        int last = 8, next = 8;

        if (!bit(b))
            continue;
        for (unsigned j = 0; j < (i < 6 ? 16U : 64U) && !b->over; j++) {
            if (next)
                next = (int)(((unsigned)last + (unsigned)se(b)) & 255);
            if (next)
                last = next;
        }
    }
}

static void h264_vui(struct parameter_set *set, struct bits *b)
{
    unsigned nal_hrd, vcl_hrd;

    if (bit(b) && take(b, 8) == 255)
        skip(b, 32);
    if (bit(b))
        skip(b, 1);
    if (bit(b)) {
        skip(b, 4);
        if (bit(b))
            skip(b, 24);
    }
    if (bit(b)) {
        ue(b);
        ue(b);
    }
    if (bit(b))
        skip(b, 65);
    nal_hrd = bit(b);
    if (nal_hrd)
        set->timing_skip_bits = (uint8_t)hrd_parameters(b);
    vcl_hrd = bit(b);
    if (vcl_hrd)
        set->timing_skip_bits = (uint8_t)hrd_parameters(b);
    if (nal_hrd || vcl_hrd)
        skip(b, 1);
    set->pic_struct = bit(b);
}

static bool h264_has_chroma_format(unsigned profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};

    return memchr(profiles, (int)profile, sizeof(profiles)) != NULL;
}

static int h264_sps(struct parameter_set *set, struct bits *b)
{
    unsigned profile = take(b, 8), id, chroma = 1, cycle;

    skip(b, 16);
    id = ue(b);
    set->chroma444 = profile == 244 || profile == 44;
    if (h264_has_chroma_format(profile)) {
        chroma = ue(b);
        if (chroma == 3)
            set->separate_planes = bit(b);
        ue(b);
        ue(b);
        skip(b, 1);
        if (bit(b))
            scaling_lists(b, chroma == 3 ? 12 : 8);
    }
    set->frame_number_bits = (uint8_t)(4 + ue(b) % 16);
    set->order_type = (uint8_t)(ue(b) % 16);
    switch (set->order_type) {
    case 0:
        set->order_bits = (uint8_t)(4 + ue(b) % 16);
        break;
    case 1:
        skip(b, 1);
        se(b);
        se(b);
        cycle = ue(b);
        for (unsigned i = 0; i < cycle && i < 256 && !b->over; i++)
            se(b);
        break;
    default:
        break;
    }
    ue(b);
    skip(b, 1);
    ue(b);
    ue(b);
    set->fields = !bit(b);
    if (set->fields)
        set->frames_adapt = bit(b);
    skip(b, 1);
    if (bit(b))
        for (int i = 0; i < 4; i++)
            ue(b);
    if (bit(b))
        h264_vui(set, b);
    return b->over || id >= 32 ? -1 : (int)id;
}

// The general profile_tier_level of an SPS is 12 bytes for a stream of one layer, more with sublayers.
static void hevc_profile_tier_level(struct bits *b, unsigned sublayers)
{
    bool profile[8], level[8];

    skip(b, 96);
    for (unsigned i = 0; i < sublayers; i++) {
        profile[i] = bit(b);
        level[i] = bit(b);
    }
    if (sublayers)
        skip(b, 2 * (8 - sublayers));
    for (unsigned i = 0; i < sublayers; i++)
        skip(b, (profile[i] ? 88 : 0) + (level[i] ? 8 : 0));
}

static int hevc_sps(struct parameter_set *set, struct bits *b)
{
    unsigned sublayers, id;

    skip(b, 4);
    sublayers = take(b, 3);
    skip(b, 1);
    hevc_profile_tier_level(b, sublayers);
    id = ue(b);
    if (ue(b) == 3)
        set->separate_planes = bit(b);
    ue(b);
    ue(b);
    if (bit(b))
        for (int i = 0; i < 4; i++)
            ue(b);
    ue(b);
    ue(b);
    set->order_bits = (uint8_t)(4 + ue(b) % 16);
    return b->over || id >= 16 ? -1 : (int)id;
}

static int any_pps(const struct bitstream *s, struct parameter_set *set, struct bits *b)
{
    unsigned id = ue(b);

    set->refers_to = (uint8_t)ue(b);
    if (s->codec == BITSTREAM_HEVC) {
        skip(b, 1);
        set->output_flag = bit(b);
        set->extra_bits = (uint8_t)take(b, 3);
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
        id = s->codec == BITSTREAM_H264 ? h264_sps(&set, &b) : hevc_sps(&set, &b);
    else
        id = kind == SET_VPS ? (int)take(&b, 4) : any_pps(s, &set, &b);
    if (b.over || id < 0 || id >= NAL_MAX_SETS) {
        // What the decoder makes of it is not known here.
        s->changed = true;
        return;
    }
    old = &s->sets[kind][id];
    set.current = hash_of(nal, size);
    set.initial = initial ? set.current : old->initial;
    *old = set;
}

// Whether a decoder that knows the extradata and this packet knows all sets as they are now.
static bool sets_are_known(const struct bitstream *s)
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

static const struct parameter_set *active_sps(const struct bitstream *s, unsigned pps)
{
    const struct parameter_set *set;

    if (pps >= NAL_MAX_SETS || !s->sets[SET_PPS][pps].current)
        return NULL;
    set = &s->sets[SET_SPS][s->sets[SET_PPS][pps].refers_to];
    return set->current ? set : NULL;
}

// What one packet of NAL units told.
struct nal_facts {
    bool picture; // a coded picture began
    bool random;  // and decoding may start there
    bool has_order;
    int64_t order;
    bool ends;    // a sequence
    uint64_t sei; // lasting messages before the picture
    const struct parameter_set *sps;
    uint8_t timing[16]; // picture timing message of H.264
    size_t timing_size;
};

// The build number of x264, which it leaves in the first packet alone. Decoders make up for the errors of builds before 44 and, in 4:4:4, before 151.
static void note_x264(struct bitstream *s, const uint8_t *text, size_t size)
{
    static const char mark[] = "x264 - core ";
    const uint8_t *p = size > sizeof(mark) ? memmem(text, size, mark, sizeof(mark) - 1) : NULL;
    unsigned build = 0;

    if (!p)
        return;
    for (p += sizeof(mark) - 1; p < text + size && *p >= '0' && *p <= '9' && build < 1000; p++)
        build = build * 10 + (unsigned)(*p - '0');
    if (!s->x264_build || build < s->x264_build)
        s->x264_build = build ? build : 1;
}

// In 4:4:4, a decoder that is told no build may be wrong, and hide that with what it has of earlier pictures.
static bool x264_matters(const struct bitstream *s, const struct parameter_set *sps)
{
    return sps->chroma444 ? s->x264_build < 151 : s->x264_build && s->x264_build < 44;
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
            more = take(&b, 8);
            type += more;
        } while (more == 255 && !b.over);
        do {
            more = take(&b, 8);
            length += more;
        } while (more == 255 && !b.over);
        if (b.over || length > size)
            return;
        if (sei_lasts(type))
            f->sei |= UINT64_C(1) << (type == 1 ? 1 : type == 45 ? 2 : type == 47 ? 3 : type == 137 ? 4 : type == 144 ? 5 : 6);
        if (type == 5 && s->codec == BITSTREAM_H264)
            note_x264(s, nal + header + b.at, size - header - b.at);
        if (type == 1 && s->codec == BITSTREAM_H264) {
            f->timing_size = length < sizeof(f->timing) ? length : sizeof(f->timing);
            for (size_t i = 0; i < f->timing_size; i++)
                f->timing[i] = (uint8_t)take(&b, 8);
            skip(&b, 8 * (length - (unsigned)f->timing_size));
        } else {
            skip(&b, 8 * length);
        }
        if (b.over)
            return;
    }
}

// A frame said to be shown as two fields, without any sign of fields in its coding, counts as interlaced if the frame before did.
static bool interlacing_is_inherited(const struct nal_facts *f)
{
    struct bits b = bits_of(f->timing, f->timing_size, false);
    unsigned pic_struct;

    if (!f->timing_size || !f->sps->pic_struct || f->sps->frames_adapt)
        return false;
    skip(&b, f->sps->timing_skip_bits);
    pic_struct = take(&b, 4);
    return b.over || pic_struct == 3 || pic_struct == 4;
}

// The number whose lower bits are given and that is nearest to the one before.
static int64_t whole_order(const struct bitstream *s, uint32_t low, unsigned bits)
{
    int64_t range = INT64_C(1) << bits, order = (s->previous_order & ~(range - 1)) + low;

    if (order - s->previous_order > range / 2)
        order -= range;
    else if (s->previous_order - order >= range / 2)
        order += range;
    return order;
}

static void begin_sequence(struct bitstream *s)
{
    s->sequence++;
    s->previous_order = 0;
    s->decoded = 0;
}

static int64_t order_in_all(const struct bitstream *s, int64_t order)
{
    return s->sequence * (INT64_C(1) << 40) + order;
}

// Reads on behind the number of the PPS.
static void h264_order(struct bitstream *s, struct nal_facts *f, struct bits *b, unsigned type, bool referred)
{
    const struct parameter_set *sps = f->sps;
    int64_t order;

    if (type == 5)
        begin_sequence(s);
    s->decoded++;
    if (sps->separate_planes)
        skip(b, 2);
    skip(b, sps->frame_number_bits);
    if (sps->fields && bit(b))
        skip(b, 1);
    if (type == 5)
        ue(b);
    if (sps->order_type == 0) {
        order = whole_order(s, take(b, sps->order_bits), sps->order_bits);
        if (referred)
            s->previous_order = order;
    } else {
        order = s->decoded;
    }
    f->has_order = !b->over && sps->order_type != 1;
    f->order = order_in_all(s, order);
}

static void look_at_h264_slice(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size)
{
    struct bits b = bits_of(nal + 1, size - 1, true);
    unsigned type = nal[0] & 0x1f, first = ue(&b), slice = ue(&b) % 5, pps = ue(&b);

    if (f->picture) {
        // Another picture, but for the second field of this one.
        if (!first && !(f->sps && f->sps->fields))
            f->random = false;
        return;
    }
    f->picture = true;
    f->sps = active_sps(s, pps);
    if (!f->sps || b.over)
        return;
    h264_order(s, f, &b, type, nal[0] >> 5 & 3);
    f->random = type == 5 && !first && slice == 2 && f->has_order && sets_are_known(s) && !x264_matters(s, f->sps) && !interlacing_is_inherited(f);
}

static void hevc_order(struct bitstream *s, struct nal_facts *f, struct bits *b, unsigned type, unsigned layer, unsigned pps)
{
    const struct parameter_set *picture = &s->sets[SET_PPS][pps];
    int64_t order = 0;

    skip(b, picture->extra_bits);
    ue(b);
    if (picture->output_flag)
        skip(b, 1);
    if (f->sps->separate_planes)
        skip(b, 2);
    // An IDR picture, a BLA picture, and a CRA picture without anything before it.
    if ((type >= 16 && type <= 20) || (type == 21 && (s->ended || !s->sequence)))
        begin_sequence(s);
    if (type != 19 && type != 20)
        order = whole_order(s, take(b, f->sps->order_bits), f->sps->order_bits);
    // Leading pictures, those of higher sublayers and those that nobody refers to do not count.
    if (!layer && !(type >= 6 && type <= 9) && !(type < 16 && type % 2 == 0))
        s->previous_order = order;
    f->has_order = !b->over;
    f->order = order_in_all(s, order);
}

static void look_at_hevc_slice(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size)
{
    struct bits b = bits_of(nal + 2, size - 2, true);
    unsigned type = nal[0] >> 1 & 0x3f, first = bit(&b);
    bool irap = type >= 16 && type <= 21;
    // Frames that wait to be shown would be dropped here by a decoder that read them.
    bool drops = type >= 16 && type <= 23 && bit(&b);
    unsigned pps = ue(&b);

    if (f->picture) {
        if (first || !irap)
            f->random = false;
        return;
    }
    f->picture = true;
    f->sps = active_sps(s, pps);
    if (!f->sps || !first || b.over)
        return;
    hevc_order(s, f, &b, type, (nal[1] & 7U) - 1, pps);
    f->random = irap && !drops && !s->ended && f->has_order && sets_are_known(s);
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
        look_at_h264_slice(s, f, nal, size);
    else if (!h264 && type < 32)
        look_at_hevc_slice(s, f, nal, size);
}

static bool ends_sequence(const struct bitstream *s, const uint8_t *nal)
{
    unsigned type = nal_type(s, nal);

    return s->codec == BITSTREAM_H264 ? type == 10 || type == 11 : type == 36 || type == 37;
}

static void look_at_nals(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
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
        note_print(s, f.sps->current);
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

static void read_nal_extradata(struct bitstream *s, const uint8_t *data, size_t size)
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

// ---- VP8 and VP9 ----

static void look_at_vp8(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    if (size < 3)
        return;
    facts->frames = data[0] >> 4 & 1;
    if ((data[0] & 1) || size < 10 || memcmp(data + 3, "\x9d\x01\x2a", 3) != 0)
        return;
    note_print(s, hash_of(data + 6, 4));
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

    if (take(&b, 2) != 2)
        return f;
    profile = bit(&b);
    profile |= bit(&b) << 1;
    if (profile == 3)
        skip(&b, 1);
    if (bit(&b)) { // an old frame is shown once more
        f.valid = f.shown = !b.over;
        return f;
    }
    f.key = !bit(&b);
    f.shown = bit(&b);
    skip(&b, 1);
    f.valid = !b.over;
    if (!f.key || !f.valid)
        return f;
    f.valid = take(&b, 24) == 0x498342;
    print[0] = (uint8_t)profile;
    if (profile >= 2)
        print[1] = (uint8_t)bit(&b);
    print[2] = (uint8_t)take(&b, 3);
    if (print[2] != 7) {
        print[3] = (uint8_t)bit(&b);
        if (profile & 1)
            print[4] = (uint8_t)take(&b, 3);
    } else if (profile & 1) {
        skip(&b, 1);
    }
    for (int i = 5; i < 9; i++)
        print[i] = (uint8_t)take(&b, 8);
    f.print = hash_of(print, sizeof(print));
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

static void look_at_vp9(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    size_t sizes[8];
    unsigned count = vp9_superframe(data, size, sizes);

    for (unsigned i = 0; i < count; i++) {
        struct vp9_frame f = vp9_frame(data, sizes[i]);

        if (f.valid && f.key)
            note_print(s, f.print);
        if (i == 0)
            facts->random_access = f.valid && f.key && f.shown;
        facts->frames += f.valid && f.shown;
        data += sizes[i];
    }
}

// ---- AV1 ----

static void look_at_av1_obu(struct bitstream *s, unsigned type, const uint8_t *data, size_t size, bool *sequence, bool *begun,
                            struct bitstream_facts *facts)
{
    struct bits b = bits_of(data, size, false);
    bool again, shown;
    unsigned frame_type;

    if (type == 1) {
        skip(&b, 4);
        s->av1_still = bit(&b);
        *sequence = true;
        note_print(s, hash_of(data, size));
    } else if (type == 3 || type == 6) {
        again = s->av1_still ? false : bit(&b);
        frame_type = s->av1_still || again ? 0 : take(&b, 2);
        shown = s->av1_still || again || bit(&b);
        if (b.over)
            return;
        if (!*begun)
            facts->random_access = *sequence && !again && frame_type == 0 && shown;
        *begun = true;
        facts->frames += shown;
    }
}

static void look_at_av1(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
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

// ---- MPEG-1 and MPEG-2 ----

static void look_at_mpeg12(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
{
    const uint8_t *end = data + size, *p = data;
    bool sequence = false, display = false;
    uint64_t print = 0;

    while ((p = start_code(p, end)) != end) {
        size_t left = (size_t)(end - p) - 3;

        p += 3;
        if (!left)
            break;
        if (p[0] == 0xb3 && left >= 5) { // size, aspect, rate
            sequence = true;
            print = hash_of(p + 1, 4);
        } else if (p[0] == 0xb5 && left >= 4 && p[1] >> 4 == 1) { // progressive, chroma, larger sizes
            uint8_t extension[2] = {p[2], p[3] & 0xe0};

            print = hash_more(print, extension, sizeof(extension)) | 1;
        } else if (p[0] == 0xb5 && left >= 2 && p[1] >> 4 == 2) {
            display = true;
        } else if (p[0] == 0xb8) { // pictures are numbered anew
            s->sequence++;
        } else if (p[0] == 0x00 && left >= 3 && !facts->frames) {
            facts->frames = 1;
            facts->has_order = true;
            facts->order = order_in_all(s, p[1] << 2 | p[2] >> 6);
            facts->random_access = sequence && (p[2] >> 3 & 7) == 1 && (display || !s->mpeg_display_seen);
        } else if (p[0] >= 0x01 && p[0] <= 0xaf) {
            break;
        }
    }
    if (sequence)
        note_print(s, print);
    s->mpeg_display_seen |= display;
}

// ---- Codecs whose every packet is a picture ----

// Tables that a JPEG brings stay for those behind it, so either all bring theirs, or none does and the standard ones are meant.
static void look_at_mjpeg(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts)
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
            note_print(s, hash_more(hash_of(&data[at + 1], 1), data + at + 4, length - 2) | 1);
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
        note_print(s, hash_of(data + offset, length));
}

// ---- All ----

struct bitstream *bitstream_new(enum bitstream_codec codec, const uint8_t *extradata, size_t extradata_size, int height)
{
    struct bitstream *s = mem_zalloc(sizeof(*s));

    s->codec = codec;
    s->height = height;
    if (extradata && (codec == BITSTREAM_H264 || codec == BITSTREAM_HEVC))
        read_nal_extradata(s, extradata, extradata_size);
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
        look_at_nals(s, data, size, &facts);
        break;
    case BITSTREAM_VP8:
        look_at_vp8(s, data, size, &facts);
        break;
    case BITSTREAM_VP9:
        look_at_vp9(s, data, size, &facts);
        break;
    case BITSTREAM_AV1:
        look_at_av1(s, data, size, &facts);
        break;
    case BITSTREAM_MPEG12:
        look_at_mpeg12(s, data, size, &facts);
        break;
    case BITSTREAM_MJPEG:
        look_at_mjpeg(s, data, size, &facts);
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
