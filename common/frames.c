#include "frames.h"

#include "avx.h"
#include "mem.h"
#include "packets.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGN = 64,    // of lines and planes, as the widest vector instructions want them
    PADDING = 256, // behind the last plane: filters may read a little further

    CHUNK_BYTES = 24 << 20,
    FEWEST_IN_CHUNK = 4,
    MOST_IN_CHUNK = 32,
    MESSAGE_BYTES = 2 << 20, // to another host
};

// How a picture lies in a slot.
struct layout {
    int linesize[4];
    size_t offset[4], size;
    int planes;
};

static int lay_out(struct layout *layout, enum AVPixelFormat format, int width, int height)
{
    ptrdiff_t lines[4];
    size_t sizes[4];
    int err;

    *layout = (struct layout){0};
    if (!av_pix_fmt_desc_get(format) || av_image_check_size2((unsigned)width, (unsigned)height, INT64_MAX, format, 0, NULL) < 0)
        return AVERROR_INVALIDDATA;
    // Some room to the right of each line, as frames from the libraries' own pools have it.
    err = av_image_fill_linesizes(layout->linesize, format, (width + ALIGN - 1) / ALIGN * ALIGN);
    for (int i = 0; err >= 0 && i < 4; i++) {
        layout->linesize[i] = (layout->linesize[i] + ALIGN - 1) / ALIGN * ALIGN;
        lines[i] = layout->linesize[i];
    }
    if (err >= 0)
        err = av_image_fill_plane_sizes(sizes, format, (height + 31) / 32 * 32, lines);
    if (err < 0)
        return err;
    for (int i = 0; i < 4 && sizes[i]; i++) {
        layout->offset[i] = layout->size;
        layout->size += (sizes[i] + ALIGN - 1) / ALIGN * ALIGN;
        layout->planes = i + 1;
    }
    layout->size += PADDING;
    return 0;
}

size_t frames_bytes(int format, int width, int height)
{
    struct layout layout;

    return lay_out(&layout, format, width, height) < 0 ? 0 : layout.size;
}

size_t frames_in_chunk(size_t frame_bytes, size_t slot_count)
{
    size_t fitting = frame_bytes > 0 ? CHUNK_BYTES / frame_bytes : MOST_IN_CHUNK, most = slot_count / 2;

    if (most > MOST_IN_CHUNK)
        most = MOST_IN_CHUNK;
    return fitting < FEWEST_IN_CHUNK || most < FEWEST_IN_CHUNK ? FEWEST_IN_CHUNK : fitting > most ? most : fitting;
}

static void point(uint8_t *data[4], const struct layout *layout, uint8_t *base)
{
    for (int i = 0; i < 4; i++)
        data[i] = i < layout->planes ? base + layout->offset[i] : NULL;
}

static void add_metadata(Wire__Frame *out, const AVFrame *frame)
{
    const AVDictionaryEntry *entry = NULL;

    while ((entry = av_dict_get(frame->metadata, "", entry, AV_DICT_IGNORE_SUFFIX))) {
        Wire__Option *option = mem_zalloc(sizeof(*option));

        wire__option__init(option);
        option->key = mem_dup(entry->key);
        option->value = mem_dup(entry->value);
        out->metadata = mem_grow(out->metadata, out->n_metadata + 1, sizeof(*out->metadata));
        out->metadata[out->n_metadata++] = option;
    }
}

static Wire__Frame *describe(uint32_t slot, const AVFrame *frame, const struct frames_link *link)
{
    Wire__Frame *out = mem_zalloc(sizeof(*out));
    const size_t crop[4] = {frame->crop_top, frame->crop_bottom, frame->crop_left, frame->crop_right};

    wire__frame__init(out);
    out->slot = slot;
    out->width = frame->width;
    out->height = frame->height;
    out->format = frame->format;
    out->pts = frame->pts;
    out->pkt_dts = frame->pkt_dts;
    out->duration = avx_frame_duration(frame);
    out->time_base = packets_rational_to_wire(link->time_base);
    out->frame_rate = packets_rational_to_wire(link->frame_rate);
    out->sample_aspect_ratio = packets_rational_to_wire(frame->sample_aspect_ratio);
    out->own_time_base = packets_rational_to_wire(frame->time_base);
    out->flags = frame->flags;
    out->key = avx_frame_key(frame);
    out->pict_type = (int)frame->pict_type;
    out->quality = frame->quality;
    out->repeat_pict = frame->repeat_pict;
    out->interlaced = avx_frame_interlaced(frame);
    out->top_field_first = avx_frame_top_field_first(frame);
    out->color_range = (int)frame->color_range;
    out->color_primaries = (int)frame->color_primaries;
    out->color_trc = (int)frame->color_trc;
    out->color_space = (int)frame->colorspace;
    out->chroma_location = (int)frame->chroma_location;
    out->decode_error_flags = frame->decode_error_flags;
    out->best_effort_timestamp = frame->best_effort_timestamp;
    avx_frame_origin(frame, &out->pkt_pos, &out->pkt_size);
    out->crop = mem_zalloc(sizeof(crop));
    for (out->n_crop = 0; out->n_crop < 4; out->n_crop++)
        out->crop[out->n_crop] = crop[out->n_crop];
    for (int i = 0; i < frame->nb_side_data; i++)
        packets_side_data_append(&out->side_data, &out->n_side_data, (int)frame->side_data[i]->type, frame->side_data[i]->data,
                                 frame->side_data[i]->size);
    add_metadata(out, frame);
    out->bits_per_raw_sample = (uint32_t)link->bits_per_raw_sample;
    out->untouched = link->untouched;
    return out;
}

int frames_store(struct arena *arena, uint32_t slot, const AVFrame *frame, const struct frames_link *link, AVPacket **packet)
{
    struct layout layout;
    uint8_t *base = arena_slot(arena, slot), *data[4];
    Wire__Frame *out;
    size_t size;
    int err = lay_out(&layout, frame->format, frame->width, frame->height);

    if (err < 0)
        return err;
    if (!base || layout.size > arena_slot_bytes(arena))
        return -EMSGSIZE;
    *packet = av_packet_alloc();
    if (!*packet)
        return AVERROR(ENOMEM);
    out = describe(slot, frame, link);
    size = wire__frame__get_packed_size(out);
    err = size > INT32_MAX / 2 ? -EMSGSIZE : av_new_packet(*packet, (int)size);
    if (err >= 0) {
        wire__frame__pack(out, (*packet)->data);
        (*packet)->pts = frame->pts;
        (*packet)->pos = slot;
        if (frame->decode_error_flags || (frame->flags & AV_FRAME_FLAG_CORRUPT))
            (*packet)->flags |= AV_PKT_FLAG_CORRUPT;
        arena_touch(arena, slot, layout.size);
        point(data, &layout, base);
        av_image_copy(data, layout.linesize, (const uint8_t **)(void *)frame->data, frame->linesize, frame->format, frame->width, frame->height);
    } else {
        av_packet_free(packet);
    }
    wire__frame__free_unpacked(out, NULL);
    return err;
}

Wire__Frame *frames_describe(const AVPacket *packet)
{
    Wire__Frame *in = packet->size > 0 ? wire__frame__unpack(NULL, (size_t)packet->size, packet->data) : NULL;

    if (in && (in->n_crop != 4 || in->width <= 0 || in->height <= 0 || in->time_base->num <= 0 || in->time_base->den <= 0 ||
               !av_pix_fmt_desc_get((enum AVPixelFormat)in->format))) {
        wire__frame__free_unpacked(in, NULL);
        return NULL;
    }
    return in;
}

// Whom a slot is given back to.
struct loan {
    struct arena *arena;
    uint32_t slot;
    bool release;
};

static void give_back(void *opaque, uint8_t *data)
{
    struct loan *loan = opaque;

    (void)data;
    arena_on_returned(loan->arena);
    if (loan->release)
        arena_release(loan->arena, loan->slot);
    free(loan);
}

static int fill_properties(AVFrame *frame, const Wire__Frame *in)
{
    frame->pts = in->pts;
    frame->pkt_dts = in->pkt_dts;
    avx_frame_set_duration(frame, in->duration);
    frame->sample_aspect_ratio = packets_rational_from_wire(in->sample_aspect_ratio);
    frame->time_base = packets_rational_from_wire(in->own_time_base);
    frame->flags = in->flags;
    avx_frame_set_fields(frame, in->key, in->interlaced, in->top_field_first);
    frame->pict_type = (enum AVPictureType)in->pict_type;
    frame->quality = in->quality;
    frame->repeat_pict = in->repeat_pict;
    frame->color_range = (enum AVColorRange)in->color_range;
    frame->color_primaries = (enum AVColorPrimaries)in->color_primaries;
    frame->color_trc = (enum AVColorTransferCharacteristic)in->color_trc;
    frame->colorspace = (enum AVColorSpace)in->color_space;
    frame->chroma_location = (enum AVChromaLocation)in->chroma_location;
    frame->decode_error_flags = in->decode_error_flags;
    frame->best_effort_timestamp = in->best_effort_timestamp;
    avx_frame_set_origin(frame, in->pkt_pos, in->pkt_size);
    frame->crop_top = (size_t)in->crop[0];
    frame->crop_bottom = (size_t)in->crop[1];
    frame->crop_left = (size_t)in->crop[2];
    frame->crop_right = (size_t)in->crop[3];
    for (size_t i = 0; i < in->n_side_data; i++) {
        AVFrameSideData *side = av_frame_new_side_data(frame, (enum AVFrameSideDataType)in->side_data[i]->type, in->side_data[i]->data.len);

        if (!side)
            return AVERROR(ENOMEM);
        if (in->side_data[i]->data.len)
            memcpy(side->data, in->side_data[i]->data.data, in->side_data[i]->data.len);
    }
    for (size_t i = 0; i < in->n_metadata; i++)
        if (av_dict_set(&frame->metadata, in->metadata[i]->key, in->metadata[i]->value, AV_DICT_MULTIKEY) < 0)
            return AVERROR(ENOMEM);
    return 0;
}

// The frame is the slot's memory.
static int borrow(struct arena *arena, uint32_t slot, bool release, uint8_t *base, const struct layout *layout, AVFrame *frame)
{
    struct loan *loan = mem_zalloc(sizeof(*loan));

    *loan = (struct loan){arena, slot, release};
    arena_on_borrowed(arena);
    // Others may have the same slot, so nobody writes into it.
    frame->buf[0] = av_buffer_create(base, layout->size, give_back, loan, AV_BUFFER_FLAG_READONLY);
    if (!frame->buf[0]) {
        give_back(loan, base);
        return AVERROR(ENOMEM);
    }
    point(frame->data, layout, base);
    memcpy(frame->linesize, layout->linesize, sizeof(layout->linesize));
    return 0;
}

static int copy_out(struct arena *arena, uint32_t slot, uint8_t *base, const struct layout *layout, AVFrame *frame)
{
    uint8_t *data[4];
    int err = av_frame_get_buffer(frame, 0);

    if (err >= 0) {
        point(data, layout, base);
        av_image_copy(frame->data, frame->linesize, (const uint8_t **)(void *)data, layout->linesize, frame->format, frame->width, frame->height);
    }
    arena_release(arena, slot);
    return err;
}

AVPacket *frames_with_pixels(struct arena *arena, const AVPacket *packet)
{
    Wire__Frame *frame = frames_describe(packet);
    uint8_t *base = frame ? arena_slot(arena, frame->slot) : NULL;
    struct layout layout;
    AVPacket *whole = NULL;

    if (base && !frame->has_pixels && lay_out(&layout, frame->format, frame->width, frame->height) >= 0 && layout.size <= arena_slot_bytes(arena)) {
        size_t size;

        frame->has_pixels = 1;
        frame->pixels = (ProtobufCBinaryData){.len = layout.size, .data = base};
        size = wire__frame__get_packed_size(frame);
        whole = av_packet_alloc();
        if (whole && size <= INT32_MAX / 2 && av_new_packet(whole, (int)size) >= 0) {
            wire__frame__pack(frame, whole->data);
            whole->pts = packet->pts;
            whole->dts = packet->dts;
            whole->flags = packet->flags;
            whole->pos = packet->pos;
        } else {
            av_packet_free(&whole);
        }
        frame->has_pixels = 0; // they are the slot's
        frame->pixels = (ProtobufCBinaryData){0};
    }
    if (frame)
        wire__frame__free_unpacked(frame, NULL);
    return whole;
}

struct chunk *frames_message(struct arena *arena, const struct chunk *chunk, size_t from)
{
    size_t fitting = MESSAGE_BYTES / arena_slot_bytes(arena), until = from + (fitting > 0 ? fitting : 1);
    struct chunk *message = chunk_new(0);

    if (until > chunk->packet_count)
        until = chunk->packet_count;
    for (size_t i = from; i < until; i++) {
        AVPacket *packet = frames_with_pixels(arena, chunk->packets[i]);

        if (!packet) {
            chunk_free(&message);
            return NULL;
        }
        chunk_take(message, &packet);
    }
    message->last = chunk->last && until == chunk->packet_count;
    return message;
}

static void drop_bytes(void *opaque, uint8_t *data)
{
    AVBufferRef *bytes = opaque;

    (void)data;
    av_buffer_unref(&bytes);
}

// Read-only as in a slot, so that filters go the same ways.
static int load_pixels(const Wire__Frame *in, AVFrame *frame)
{
    struct layout layout;
    AVBufferRef *bytes;
    int err = lay_out(&layout, in->format, in->width, in->height);

    if (err < 0 || layout.size != in->pixels.len)
        return AVERROR_INVALIDDATA;
    bytes = av_buffer_alloc(layout.size);
    if (!bytes)
        return AVERROR(ENOMEM);
    memcpy(bytes->data, in->pixels.data, layout.size);
    frame->buf[0] = av_buffer_create(bytes->data, layout.size, drop_bytes, bytes, AV_BUFFER_FLAG_READONLY);
    if (!frame->buf[0]) {
        av_buffer_unref(&bytes);
        return AVERROR(ENOMEM);
    }
    point(frame->data, &layout, frame->buf[0]->data);
    memcpy(frame->linesize, layout.linesize, sizeof(layout.linesize));
    return 0;
}

int frames_load(struct arena *arena, const Wire__Frame *in, enum frames_way way, AVFrame *frame)
{
    uint8_t *base = arena && !in->has_pixels ? arena_slot(arena, in->slot) : NULL;
    struct layout layout = {0};
    int err = in->has_pixels ? 0 : base ? lay_out(&layout, in->format, in->width, in->height) : AVERROR_INVALIDDATA;

    if (err >= 0 && base && layout.size > arena_slot_bytes(arena))
        err = AVERROR_INVALIDDATA;
    if (err < 0) {
        if (base && way != FRAMES_LOOK)
            arena_release(arena, in->slot);
        return err;
    }
    frame->format = in->format;
    frame->width = in->width;
    frame->height = in->height;
    if (in->has_pixels)
        err = load_pixels(in, frame);
    else
        err = way == FRAMES_COPY ? copy_out(arena, in->slot, base, &layout, frame)
                                 : borrow(arena, in->slot, way == FRAMES_BORROW, base, &layout, frame);
    if (err >= 0)
        err = fill_properties(frame, in);
    if (err < 0)
        av_frame_unref(frame);
    return err;
}
