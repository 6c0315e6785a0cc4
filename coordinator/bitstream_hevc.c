#include "bitstream_nal.h"

// The general profile_tier_level of an SPS is 12 bytes for a stream of one layer, more with sublayers.
static void hevc_profile_tier_level(struct bits *b, unsigned sublayers)
{
    bool profile[8], level[8];

    bits_skip(b, 96);
    for (unsigned i = 0; i < sublayers; i++) {
        profile[i] = bits_one(b);
        level[i] = bits_one(b);
    }
    if (sublayers)
        bits_skip(b, 2 * (8 - sublayers));
    for (unsigned i = 0; i < sublayers; i++)
        bits_skip(b, (profile[i] ? 88 : 0) + (level[i] ? 8 : 0));
}

int bitstream_hevc_sps(struct parameter_set *set, struct bits *b)
{
    unsigned sublayers, id;

    bits_skip(b, 4);
    sublayers = bits_take(b, 3);
    bits_skip(b, 1);
    hevc_profile_tier_level(b, sublayers);
    id = bits_ue(b);
    if (bits_ue(b) == 3)
        set->separate_planes = bits_one(b);
    bits_ue(b);
    bits_ue(b);
    if (bits_one(b))
        for (int i = 0; i < 4; i++)
            bits_ue(b);
    bits_ue(b);
    bits_ue(b);
    set->order_bits = (uint8_t)(4 + bits_ue(b) % 16);
    return b->over || id >= 16 ? -1 : (int)id;
}

static void hevc_order(struct bitstream *s, struct nal_facts *f, struct bits *b, unsigned type, unsigned layer, unsigned pps)
{
    const struct parameter_set *picture = &s->sets[SET_PPS][pps];
    int64_t order = 0;

    bits_skip(b, picture->extra_bits);
    bits_ue(b);
    if (picture->output_flag)
        bits_skip(b, 1);
    if (f->sps->separate_planes)
        bits_skip(b, 2);
    // An IDR picture, a BLA picture, and a CRA picture without anything before it.
    if ((type >= 16 && type <= 20) || (type == 21 && (s->ended || !s->sequence)))
        bitstream_nal_begin_sequence(s);
    if (type != 19 && type != 20)
        order = bitstream_nal_whole_order(s, bits_take(b, f->sps->order_bits), f->sps->order_bits);
    // Leading pictures, those of higher sublayers and those that nobody refers to do not count.
    if (!layer && !(type >= 6 && type <= 9) && !(type < 16 && type % 2 == 0))
        s->previous_order = order;
    f->has_order = !b->over;
    f->order = bitstream_order_in_all(s, order);
}

void bitstream_hevc_slice(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size)
{
    struct bits b = bits_of(nal + 2, size - 2, true);
    unsigned type = nal[0] >> 1 & 0x3f, first = bits_one(&b);
    bool irap = type >= 16 && type <= 21;
    // Frames that wait to be shown would be dropped here by a decoder that read them.
    bool drops = type >= 16 && type <= 23 && bits_one(&b);
    unsigned pps = bits_ue(&b);

    if (f->picture) {
        if (first || !irap)
            f->random = false;
        return;
    }
    f->picture = true;
    f->sps = bitstream_nal_sps(s, pps);
    if (!f->sps || !first || b.over)
        return;
    hevc_order(s, f, &b, type, (nal[1] & 7U) - 1, pps);
    f->random = irap && !drops && !s->ended && f->has_order && bitstream_nal_sets_known(s);
}
