// Codec parameters from a peer, to the library's structure and back.
#include "fuzz.h"

#include "common/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Wire__CodecParameters *in = wire__codec_parameters__unpack(NULL, size, data), *out;
    AVCodecParameters *par;

    if (!in)
        return 0;
    par = avcodec_parameters_alloc();
    if (!par)
        abort();
    if (packets_parameters_from_wire(par, in) >= 0) {
        packets_parameters_to_wire(&out, par);
        if (out->width != in->width || out->extradata.len != in->extradata.len)
            abort();
        wire__codec_parameters__free_unpacked(out, NULL);
    }
    avcodec_parameters_free(&par);
    wire__codec_parameters__free_unpacked(in, NULL);
    return 0;
}
