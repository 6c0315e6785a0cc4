// Packets of a video, looked at for places to cut. Input: the codec, the height's two bytes, the extradata as a part, the packets as parts.
#include "fuzz.h"

#include "coordinator/bitstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    enum bitstream_codec codec = (enum bitstream_codec)(fuzz_byte(&in) % (BITSTREAM_DV + 1));
    int height = (int)(fuzz_byte(&in) << 8);
    size_t part_size;
    uint8_t *part;
    struct bitstream *bitstream;

    height += (int)fuzz_byte(&in);
    part = fuzz_part(&in, &part_size);
    bitstream = bitstream_new(codec, part_size ? part : NULL, part_size, height);
    free(part);
    while (in.left > 0) {
        part = fuzz_part(&in, &part_size);
        bitstream_look(bitstream, part, part_size);
        free(part);
    }
    bitstream_free(&bitstream);
    return 0;
}
