#include "packets.h"

#include "mem.h"

#include <libavutil/channel_layout.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE_DATA_BYTES = 16 << 20, MAX_DIMENSION = 1 << 20 };

Wire__Rational *packets_rational_to_wire(AVRational r)
{
    Wire__Rational *out = mem_zalloc(sizeof(*out));

    wire__rational__init(out);
    out->num = r.num;
    out->den = r.den;
    return out;
}

AVRational packets_rational_from_wire(const Wire__Rational *r)
{
    return r ? (AVRational){r->num, r->den} : (AVRational){0, 1};
}

static void set_bytes(protobuf_c_boolean *has, ProtobufCBinaryData *out, const void *data, size_t size)
{
    *has = size > 0;
    out->len = size;
    out->data = size ? mem_copy(data, size) : NULL;
}

void packets_parameters_to_wire(Wire__CodecParameters **result, const AVCodecParameters *par)
{
    Wire__CodecParameters *out = mem_zalloc(sizeof(*out));
    char layout[256];

    wire__codec_parameters__init(out);
    out->codec_type = par->codec_type;
    out->codec_id = (int32_t)par->codec_id;
    out->codec_tag = par->codec_tag;
    set_bytes(&out->has_extradata, &out->extradata, par->extradata, par->extradata_size > 0 ? (size_t)par->extradata_size : 0);
    out->format = par->format;
    out->bit_rate = par->bit_rate;
    out->bits_per_coded_sample = par->bits_per_coded_sample;
    out->bits_per_raw_sample = par->bits_per_raw_sample;
    out->profile = par->profile;
    out->level = par->level;
    out->width = par->width;
    out->height = par->height;
    out->sample_aspect_ratio = packets_rational_to_wire(par->sample_aspect_ratio);
    out->field_order = (int32_t)par->field_order;
    out->color_range = (int32_t)par->color_range;
    out->color_primaries = (int32_t)par->color_primaries;
    out->color_trc = (int32_t)par->color_trc;
    out->color_space = (int32_t)par->color_space;
    out->chroma_location = (int32_t)par->chroma_location;
    out->video_delay = par->video_delay;
    if (par->ch_layout.nb_channels > 0 && av_channel_layout_describe(&par->ch_layout, layout, sizeof(layout)) > 0)
        out->channel_layout = mem_dup(layout);
    out->has_sample_rate = out->has_block_align = out->has_frame_size = 1;
    out->has_initial_padding = out->has_trailing_padding = out->has_seek_preroll = 1;
    out->sample_rate = par->sample_rate;
    out->block_align = par->block_align;
    out->frame_size = par->frame_size;
    out->initial_padding = par->initial_padding;
    out->trailing_padding = par->trailing_padding;
    out->seek_preroll = par->seek_preroll;
    *result = out;
}

int packets_parameters_from_wire(AVCodecParameters *par, const Wire__CodecParameters *in)
{
    if (in->extradata.len > MAX_SIDE_DATA_BYTES || in->width < 0 || in->height < 0 || in->width > MAX_DIMENSION || in->height > MAX_DIMENSION ||
        in->sample_rate < 0 || in->video_delay < 0 || in->video_delay > 64)
        return AVERROR_INVALIDDATA;
    par->codec_type = in->codec_type;
    par->codec_id = (enum AVCodecID)in->codec_id;
    par->codec_tag = in->codec_tag;
    av_freep(&par->extradata);
    par->extradata_size = 0;
    if (in->extradata.len) {
        par->extradata = av_mallocz(in->extradata.len + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!par->extradata)
            return AVERROR(ENOMEM);
        memcpy(par->extradata, in->extradata.data, in->extradata.len);
        par->extradata_size = (int)in->extradata.len;
    }
    par->format = in->format;
    par->bit_rate = in->bit_rate;
    par->bits_per_coded_sample = in->bits_per_coded_sample;
    par->bits_per_raw_sample = in->bits_per_raw_sample;
    par->profile = in->profile;
    par->level = in->level;
    par->width = in->width;
    par->height = in->height;
    par->sample_aspect_ratio = packets_rational_from_wire(in->sample_aspect_ratio);
    par->field_order = (enum AVFieldOrder)in->field_order;
    par->color_range = (enum AVColorRange)in->color_range;
    par->color_primaries = (enum AVColorPrimaries)in->color_primaries;
    par->color_trc = (enum AVColorTransferCharacteristic)in->color_trc;
    par->color_space = (enum AVColorSpace)in->color_space;
    par->chroma_location = (enum AVChromaLocation)in->chroma_location;
    par->video_delay = in->video_delay;
    if (in->channel_layout) {
        av_channel_layout_uninit(&par->ch_layout);
        if (av_channel_layout_from_string(&par->ch_layout, in->channel_layout) < 0)
            return AVERROR_INVALIDDATA;
    }
    par->sample_rate = in->sample_rate;
    par->block_align = in->block_align;
    par->frame_size = in->frame_size;
    par->initial_padding = in->initial_padding;
    par->trailing_padding = in->trailing_padding;
    par->seek_preroll = in->seek_preroll;
    return 0;
}

static Wire__SideData *side_data_to_wire(int type, const void *data, size_t size)
{
    Wire__SideData *out = mem_zalloc(sizeof(*out));

    wire__side_data__init(out);
    out->type = type;
    out->data.len = size;
    out->data.data = mem_copy(data, size);
    return out;
}

void packets_side_data_append(Wire__SideData ***list, size_t *count, int type, const void *data, size_t size)
{
    *list = mem_grow(*list, *count + 1, sizeof(**list));
    (*list)[(*count)++] = side_data_to_wire(type, data, size);
}

const Wire__SideData *packets_side_data_find(Wire__SideData *const *list, size_t count, int type)
{
    for (size_t i = 0; i < count; i++)
        if (list[i]->type == type)
            return list[i];
    return NULL;
}

// All but the side data.
static Wire__Packet packet_fields(const AVPacket *packet)
{
    Wire__Packet out = WIRE__PACKET__INIT;

    out.pts = packet->pts;
    out.dts = packet->dts;
    out.duration = packet->duration;
    out.flags = packet->flags;
    out.size = (uint32_t)packet->size;
    out.has_pos = 1;
    out.pos = packet->pos;
    return out;
}

Wire__Packet *packets_packet_to_wire(const AVPacket *packet)
{
    Wire__Packet *out = mem_zalloc(sizeof(*out));

    *out = packet_fields(packet);
    for (int i = 0; i < packet->side_data_elems; i++)
        packets_side_data_append(&out->side_data, &out->n_side_data, (int)packet->side_data[i].type, packet->side_data[i].data,
                                 packet->side_data[i].size);
    return out;
}

Wire__Packet **packets_borrow(AVPacket *const *packets, size_t count)
{
    size_t sides = 0;
    Wire__Packet **list, *packet;
    Wire__SideData **side_list, *side;

    for (size_t i = 0; i < count; i++)
        sides += (size_t)packets[i]->side_data_elems;
    list = mem_zalloc((count + 1) * (sizeof(*list) + sizeof(*packet)) + sides * (sizeof(*side_list) + sizeof(*side)));
    packet = (Wire__Packet *)(list + count + 1);
    side_list = (Wire__SideData **)(packet + count);
    side = (Wire__SideData *)(side_list + sides);
    for (size_t i = 0; i < count; i++, packet++) {
        *packet = packet_fields(packets[i]);
        packet->side_data = side_list;
        packet->n_side_data = (size_t)packets[i]->side_data_elems;
        for (size_t j = 0; j < packet->n_side_data; j++, side++) {
            const AVPacketSideData *from = &packets[i]->side_data[j];

            *side = (Wire__SideData)WIRE__SIDE_DATA__INIT;
            side->type = (int)from->type;
            side->data = (ProtobufCBinaryData){.len = from->size, .data = from->data};
            *side_list++ = side;
        }
        list[i] = packet;
    }
    return list;
}

int packets_packet_from_wire(AVPacket **result, const Wire__Packet *in, const void *payload, size_t size)
{
    AVPacket *packet = NULL;
    int err;

    if (in->size != size || size > INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE)
        return AVERROR_INVALIDDATA;
    packet = av_packet_alloc();
    if (!packet)
        return AVERROR(ENOMEM);
    err = av_new_packet(packet, (int)size);
    if (err < 0)
        goto fail;
    if (size)
        memcpy(packet->data, payload, size);
    packet->pts = in->pts;
    packet->dts = in->dts;
    packet->duration = in->duration;
    packet->flags = in->flags;
    packet->pos = in->pos;
    for (size_t i = 0; i < in->n_side_data; i++) {
        const Wire__SideData *side = in->side_data[i];
        uint8_t *data;

        err = AVERROR_INVALIDDATA;
        if (side->type < 0 || side->type >= AV_PKT_DATA_NB || side->data.len > MAX_SIDE_DATA_BYTES)
            goto fail;
        err = AVERROR(ENOMEM);
        data = av_packet_new_side_data(packet, (enum AVPacketSideDataType)side->type, side->data.len);
        if (!data)
            goto fail;
        if (side->data.len)
            memcpy(data, side->data.data, side->data.len);
    }
    *result = packet;
    return 0;

fail:
    av_packet_free(&packet);
    return err;
}
