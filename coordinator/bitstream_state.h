// What the files of bitstream.c share: what is known of the stream, and a reader for each family of codecs. bitstream.c has the pictures whose format
// is at a fixed place; bitstream_nal.c what H.264 and HEVC have in common; bitstream_h264.c and bitstream_hevc.c what they have not. Nobody else
// includes this.
#ifndef RENDERFARM_BITSTREAM_STATE_H
#define RENDERFARM_BITSTREAM_STATE_H

#include "bitstream.h"

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

// FNV-1a; never 0.
uint64_t bitstream_hash(const uint8_t *data, size_t size);
uint64_t bitstream_hash_more(uint64_t hash, const uint8_t *data, size_t size);

// Filters and encoder were set up for the first format: a segment that starts with another one would be set up otherwise.
void bitstream_note_print(struct bitstream *s, uint64_t print);

// The next 00 00 01, or the end.
const uint8_t *bitstream_start_code(const uint8_t *p, const uint8_t *end);

// order: within the sequence as it is now.
int64_t bitstream_order_in_all(const struct bitstream *s, int64_t order);

// Each looks at a packet that is not empty. facts come as zeros; `changed` is noted in the state alone.
void bitstream_nal_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts);
void bitstream_vp8_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts);
void bitstream_vp9_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts);
void bitstream_av1_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts);
void bitstream_mpeg12_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts);
void bitstream_mjpeg_look(struct bitstream *s, const uint8_t *data, size_t size, struct bitstream_facts *facts);

void bitstream_nal_extradata(struct bitstream *s, const uint8_t *data, size_t size);

#endif
