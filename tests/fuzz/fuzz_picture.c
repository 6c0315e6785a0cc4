// A PNG: its structure as the coordinator looks at it, and its pixels as a renderer reads them. Checksums are made right, so that what lies behind
// them is reached.
#include "fuzz.h"

#include "coordinator/pictures.h"
#include "renderer/png_decode.h"

#include <libavutil/pixdesc.h>

#include <libdeflate.h>

static uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void mend(uint8_t *data, size_t size)
{
    for (size_t at = 8; size >= 12 && at <= size - 12;) {
        uint32_t length = number_at(data + at), sum;

        if (length > size - at - 12)
            return;
        sum = (uint32_t)libdeflate_crc32(0, data + at + 4, length + 4);
        for (int i = 0; i < 4; i++)
            data[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    char reason[PNG_DECODE_REASON_BYTES];

    if (!packet || !frame || av_new_packet(packet, (int)size) < 0)
        abort();
    if (size > 0)
        memcpy(packet->data, data, size);
    mend(packet->data, size);
    pictures_look(packet->data, size);
    // A picture of a few bytes may be large: that costs time, and finds nothing.
    if (size > 24 && number_at(packet->data + 16) <= 256 && number_at(packet->data + 20) <= 256 &&
        (png_decode_packet(packet, frame, reason) < 0) != !frame->data[0])
        abort();
    av_frame_free(&frame);
    av_packet_free(&packet);
    return 0;
}
