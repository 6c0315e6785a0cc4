// Between bitstream_nal.c, which walks the NAL units of H.264 and HEVC and keeps their parameter sets, and the two files that know what is in them.
#ifndef RENDERFARM_BITSTREAM_NAL_H
#define RENDERFARM_BITSTREAM_NAL_H

#include "bits.h"
#include "bitstream_state.h"

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

// ---- What bitstream_nal.c has for them ----

// The SPS that the PPS refers to, or NULL.
const struct parameter_set *bitstream_nal_sps(const struct bitstream *s, unsigned pps);
// Whether a decoder that knows the extradata and this packet knows all sets as they are now.
bool bitstream_nal_sets_known(const struct bitstream *s);

void bitstream_nal_begin_sequence(struct bitstream *s);
// The number whose lower bits are given and that is nearest to the one before.
int64_t bitstream_nal_whole_order(const struct bitstream *s, uint32_t low, unsigned bits);

// ---- What they tell it ----

// These return the set's number, or -1.
int bitstream_h264_sps(struct parameter_set *set, struct bits *b);
int bitstream_hevc_sps(struct parameter_set *set, struct bits *b);

void bitstream_h264_slice(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size);
void bitstream_hevc_slice(struct bitstream *s, struct nal_facts *f, const uint8_t *nal, size_t size);

// The build number of x264, which it leaves in the first packet alone. Decoders make up for the errors of builds before 44 and, in 4:4:4, before 151.
void bitstream_h264_note_x264(struct bitstream *s, const uint8_t *text, size_t size);

#endif
