#include "bitstream_nal.h"

#include <string.h>

static unsigned hrd_parameters(struct bits *b)
{
    unsigned removal, output, count = bits_ue(b);

    bits_skip(b, 8);
    for (unsigned i = 0; i <= count && i < 32 && !b->over; i++) {
        bits_ue(b);
        bits_ue(b);
        bits_skip(b, 1);
    }
    bits_skip(b, 5);
    removal = bits_take(b, 5) + 1;
    output = bits_take(b, 5) + 1;
    bits_skip(b, 5);
    return removal + output;
}

static void scaling_lists(struct bits *b, unsigned count)
{
    for (unsigned i = 0; i < count && !b->over; i++) {
        int last = 8, next = 8;

        if (!bits_one(b))
            continue;
        for (unsigned j = 0; j < (i < 6 ? 16U : 64U) && !b->over; j++) {
            if (next)
                next = (int)(((unsigned)last + (unsigned)bits_se(b)) & 255);
            if (next)
                last = next;
        }
    }
}

static void h264_vui(struct parameter_set *set, struct bits *b)
{
    unsigned nal_hrd, vcl_hrd;

    if (bits_one(b) && bits_take(b, 8) == 255)
        bits_skip(b, 32);
    if (bits_one(b))
        bits_skip(b, 1);
    if (bits_one(b)) {
        bits_skip(b, 4);
        if (bits_one(b))
            bits_skip(b, 24);
    }
    if (bits_one(b)) {
        bits_ue(b);
        bits_ue(b);
    }
    if (bits_one(b))
        bits_skip(b, 65);
    nal_hrd = bits_one(b);
    if (nal_hrd)
        set->timing_skip_bits = (uint8_t)hrd_parameters(b);
    vcl_hrd = bits_one(b);
    if (vcl_hrd)
        set->timing_skip_bits = (uint8_t)hrd_parameters(b);
    if (nal_hrd || vcl_hrd)
        bits_skip(b, 1);
    set->pic_struct = bits_one(b);
}

static bool h264_has_chroma_format(unsigned profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};

    return memchr(profiles, (int)profile, sizeof(profiles)) != NULL;
}

int bitstream_h264_sps(struct parameter_set *set, struct bits *b)
{
    unsigned profile = bits_take(b, 8), id, chroma = 1, cycle;

    bits_skip(b, 16);
    id = bits_ue(b);
    set->chroma444 = profile == 244 || profile == 44;
    if (h264_has_chroma_format(profile)) {
        chroma = bits_ue(b);
        if (chroma == 3)
            set->separate_planes = bits_one(b);
        bits_ue(b);
        bits_ue(b);
        bits_skip(b, 1);
        if (bits_one(b))
            scaling_lists(b, chroma == 3 ? 12 : 8);
    }
    set->frame_number_bits = (uint8_t)(4 + bits_ue(b) % 16);
    set->order_type = (uint8_t)(bits_ue(b) % 16);
    switch (set->order_type) {
    case 0:
        set->order_bits = (uint8_t)(4 + bits_ue(b) % 16);
        break;
    case 1:
        bits_skip(b, 1);
        bits_se(b);
        bits_se(b);
        cycle = bits_ue(b);
        for (unsigned i = 0; i < cycle && i < 256 && !b->over; i++)
            bits_se(b);
        break;
    default:
        break;
    }
    bits_ue(b);
    bits_skip(b, 1);
    bits_ue(b);
    bits_ue(b);
    set->fields = !bits_one(b);
    if (set->fields)
        set->frames_adapt = bits_one(b);
    bits_skip(b, 1);
    if (bits_one(b))
        for (int i = 0; i < 4; i++)
            bits_ue(b);
    if (bits_one(b))
        h264_vui(set, b);
    return b->over || id >= 32 ? -1 : (int)id;
}

void bitstream_h264_note_x264(struct bitstream *s, const uint8_t *text, size_t size)
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

// A frame said to be shown as two fields, without any sign of fields in its coding, counts as interlaced if the frame before did.
static bool interlacing_is_inherited(const struct nal_facts *f)
{
    struct bits b = bits_of(f->timing, f->timing_size, false);
    unsigned pic_struct;

    if (!f->timing_size || !f->sps->pic_struct || f->sps->frames_adapt)
        return false;
    bits_skip(&b, f->sps->timing_skip_bits);
    pic_struct = bits_take(&b, 4);
    return b.over || pic_struct == 3 || pic_struct == 4;
}

// Reads on behind the number of the PPS.
static void h264_order(struct bitstream *s, struct nal_facts *f, struct bits *b, unsigned type, bool referred)
{
    const struct parameter_set *sps = f->sps;
    int64_t order;

    if (type == 5)
        bitstream_nal_begin_sequence(s);
    s->decoded++;
    if (sps->separate_planes)
        bits_skip(b, 2);
    bits_skip(b, sps->frame_number_bits);
    if (sps->fields && bits_one(b))
        bits_skip(b, 1);
    if (type == 5)
        bits_ue(b);
    if (sps->order_type == 0) {
        order = bitstream_nal_whole_order(s, bits_take(b, sps->order_bits), sps->order_bits);
        if (referred)
            s->previous_order = order;
    } else {
        order = s->decoded;
    }
    f->has_order = !b->over && sps->order_type != 1;
    f->order = bitstream_order_in_all(s, order);
}

void bitstream_h264_slice(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size)
{
    struct bits b = bits_of(nal + 1, size - 1, true);
    unsigned type = nal[0] & 0x1f, first = bits_ue(&b), slice = bits_ue(&b) % 5, pps = bits_ue(&b);

    if (f->picture) {
        // Another picture, but for the second field of this one.
        if (!first && !(f->sps && f->sps->fields))
            f->random = false;
        return;
    }
    f->picture = true;
    f->sps = bitstream_nal_sps(s, pps);
    if (!f->sps || b.over)
        return;
    h264_order(s, f, &b, type, nal[0] >> 5 & 3);
    f->random =
        type == 5 && !first && slice == 2 && f->has_order && bitstream_nal_sets_known(s) && !x264_matters(s, f->sps) && !interlacing_is_inherited(f);
}
