// Writes seeds that are no text: messages, made by the functions that really make them, and packets of clips. usage: make_seeds FOLDER CLIP...
// FOLDER/TARGET/NAME comes out, for the targets that are below.
#include "common/arena.h"
#include "common/frames.h"
#include "common/packets.h"
#include "common/protocol.h"
#include "coordinator/bitstream.h"
#include "coordinator/cache_entry.h"

#include <libavformat/avformat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_PACKETS = 12, MOST_BYTES = 6000 };

static const char *folder;

static FILE *open_seed(const char *target, const char *name)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, target);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
    file = fopen(path, "wb");
    if (!file) {
        perror(path);
        exit(1);
    }
    return file;
}

static void write_seed(const char *target, const char *name, const void *data, size_t size)
{
    FILE *file = open_seed(target, name);

    fwrite(data, 1, size, file);
    fclose(file);
}

static void put_part(FILE *file, const void *data, size_t size)
{
    if (size > UINT16_MAX)
        size = UINT16_MAX;
    fputc((int)(size >> 8), file);
    fputc((int)(size & 0xff), file);
    if (size)
        fwrite(data, 1, size, file);
}

static void write_message(const char *name, const Wire__Message *message)
{
    zmq_msg_t part;

    protocol_pack(&part, message);
    write_seed("message", name, zmq_msg_data(&part), zmq_msg_size(&part));
    zmq_msg_close(&part);
}

static void write_chunk(const struct chunk *chunk, const char *name)
{
    zmq_msg_t parts[CHUNK_MAX_PACKETS + 1];
    int count = protocol_chunk_to_parts(parts, chunk, 3, 1);
    FILE *file = open_seed("chunk", name);

    for (int i = 0; i < count; i++) {
        put_part(file, zmq_msg_data(&parts[i]), zmq_msg_size(&parts[i]));
        zmq_msg_close(&parts[i]);
    }
    fclose(file);
}

static void write_frame(void)
{
    const struct frames_link link = {.time_base = {1, 25}, .frame_rate = {25, 1}, .bits_per_raw_sample = 8, .untouched = true};
    int fd = arena_create();
    struct arena *arena = arena_map(fd, 0, 1 << 20, 2, true);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = NULL;
    struct chunk *chunk = chunk_new(0);

    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = 64;
    frame->height = 48;
    frame->pts = 7;
    if (!arena || av_frame_get_buffer(frame, 0) < 0)
        exit(1);
    for (int i = 0; i < 3; i++)
        memset(frame->data[i], 128, (size_t)frame->linesize[i] * (i ? 24 : 48));
    av_dict_set(&frame->metadata, "lavfi.key", "value", 0);
    av_frame_new_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX, 36);
    if (frames_store(arena, 1, frame, &link, &packet) < 0)
        exit(1);
    write_seed("frame", "yuv420p", packet->data, (size_t)packet->size);
    chunk_take(chunk, &packet);
    write_chunk(chunk, "frame");
    chunk_free(&chunk);
    av_frame_free(&frame);
    arena_unmap(&arena);
}

static void write_messages(void)
{
    Wire__Message message = WIRE__MESSAGE__INIT;
    Wire__Hello hello = WIRE__HELLO__INIT;
    Wire__Task task = WIRE__TASK__INIT;
    Wire__Credit credit = WIRE__CREDIT__INIT;
    Wire__Failed failed = WIRE__FAILED__INIT;
    Wire__Done done = WIRE__DONE__INIT;

    hello.protocol = PROTOCOL_VERSION;
    hello.libraries = (char *)(uintptr_t) "libavcodec";
    hello.threads = 2;
    message.body_case = WIRE__MESSAGE__BODY_HELLO;
    message.hello = &hello;
    write_message("hello", &message);
    task.keep_to = 5;
    task.kind = WIRE__TASK_KIND__RENDER;
    message.body_case = WIRE__MESSAGE__BODY_TASK;
    message.task = &task;
    write_message("task", &message);
    credit.chunks = 2;
    message.body_case = WIRE__MESSAGE__BODY_CREDIT;
    message.credit = &credit;
    write_message("credit", &message);
    failed.reason = (char *)(uintptr_t) "because";
    message.body_case = WIRE__MESSAGE__BODY_FAILED;
    message.failed = &failed;
    write_message("failed", &message);
    done.extradata.data = (uint8_t *)(uintptr_t) "1234";
    done.extradata.len = 4;
    message.body_case = WIRE__MESSAGE__BODY_DONE;
    message.done = &done;
    write_message("done", &message);
}

static enum bitstream_codec codec_of(enum AVCodecID id)
{
    switch (id) {
    case AV_CODEC_ID_H264:
        return BITSTREAM_H264;
    case AV_CODEC_ID_HEVC:
        return BITSTREAM_HEVC;
    case AV_CODEC_ID_VP8:
        return BITSTREAM_VP8;
    case AV_CODEC_ID_VP9:
        return BITSTREAM_VP9;
    case AV_CODEC_ID_AV1:
        return BITSTREAM_AV1;
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
        return BITSTREAM_MPEG12;
    case AV_CODEC_ID_MJPEG:
        return BITSTREAM_MJPEG;
    case AV_CODEC_ID_FFV1:
        return BITSTREAM_FFV1;
    case AV_CODEC_ID_PNG:
        return BITSTREAM_PNG;
    case AV_CODEC_ID_PRORES:
        return BITSTREAM_PRORES;
    case AV_CODEC_ID_DNXHD:
        return BITSTREAM_DNXHD;
    case AV_CODEC_ID_DVVIDEO:
        return BITSTREAM_DV;
    default:
        return BITSTREAM_UNKNOWN;
    }
}

static void write_job(const AVStream *stream, const char *name)
{
    Wire__Message message = WIRE__MESSAGE__INIT;
    Wire__Job job = WIRE__JOB__INIT;
    uint8_t *bytes;
    size_t size;

    packets_parameters_to_wire(&job.input, stream->codecpar);
    job.input_time_base = packets_rational_to_wire(stream->time_base);
    job.input_frame_rate = packets_rational_to_wire(stream->avg_frame_rate);
    job.filters = (char *)(uintptr_t) "scale=10:10";
    job.encoder = (char *)(uintptr_t) "ffv1";
    job.slices = 8;
    message.body_case = WIRE__MESSAGE__BODY_JOB;
    message.job = &job;
    write_message(name, &message);
    size = wire__codec_parameters__get_packed_size(job.input);
    bytes = malloc(size);
    wire__codec_parameters__pack(job.input, bytes);
    write_seed("parameters", name, bytes, size);
    free(bytes);
    wire__codec_parameters__free_unpacked(job.input, NULL);
    wire__rational__free_unpacked(job.input_time_base, NULL);
    wire__rational__free_unpacked(job.input_frame_rate, NULL);
}

static void write_clip(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    AVFormatContext *input = NULL;
    AVPacket *packet = av_packet_alloc();
    struct chunk *chunk = chunk_new(0);
    const AVStream *stream;
    size_t bytes = 0;
    FILE *file;
    int index;

    if (avformat_open_input(&input, path, NULL, NULL) < 0 || (index = av_find_best_stream(input, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0)) < 0) {
        fprintf(stderr, "make_seeds: %s: not used\n", path);
        exit(1);
    }
    stream = input->streams[index];
    write_job(stream, name);
    file = open_seed("bitstream", name);
    fputc((int)codec_of(stream->codecpar->codec_id), file);
    fputc(stream->codecpar->height >> 8, file);
    fputc(stream->codecpar->height & 0xff, file);
    put_part(file, stream->codecpar->extradata, (size_t)stream->codecpar->extradata_size);
    for (int i = 0; i < MOST_PACKETS && bytes < MOST_BYTES && av_read_frame(input, packet) >= 0;) {
        if (packet->stream_index == index) {
            // The heads of pictures are what is read.
            if (packet->size > 600)
                av_shrink_packet(packet, 600);
            bytes += (size_t)packet->size;
            put_part(file, packet->data, (size_t)packet->size);
            chunk_take(chunk, &packet);
            packet = av_packet_alloc();
            i++;
        }
        av_packet_unref(packet);
    }
    fclose(file);
    write_chunk(chunk, name);
    chunk_free(&chunk);
    av_packet_free(&packet);
    avformat_close_input(&input);
}

static AVPacket *some_packet(int number)
{
    AVPacket *packet = av_packet_alloc();
    uint8_t *side;

    if (!packet || av_new_packet(packet, 20 * number) < 0)
        exit(1);
    memset(packet->data, number, (size_t)packet->size);
    packet->pts = packet->dts = number;
    side = number % 2 ? av_packet_new_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, 5) : NULL;
    if (side)
        memset(side, 7, 5);
    return packet;
}

// As it is written, and as records whose checksums the target makes.
static void write_entry(void)
{
    FILE *file = open_seed("cache_entry", "file"), *records = open_seed("cache_entry", "records");
    struct cache_key key = {{0}};
    struct cache_entry_writer writer;
    struct chunk *chunk = chunk_new(0);
    Wire__Chunk wire = WIRE__CHUNK__INIT;
    Wire__Packet *packets[3];
    Wire__Done done = WIRE__DONE__INIT;
    uint8_t message[1000], payload[1000];
    size_t payload_bytes = 0;

    for (int i = 0; i < 3; i++) {
        AVPacket *packet = some_packet(i);

        packets[i] = packets_packet_to_wire(packet);
        memcpy(payload + payload_bytes, packet->data, (size_t)packet->size);
        payload_bytes += (size_t)packet->size;
        chunk_take(chunk, &packet);
    }
    wire.packets = packets;
    wire.n_packets = 3;
    wire.last = chunk->last = true;
    done.packets = 3;
    fputc(0, file);
    cache_entry_write_open(&writer, file, &key);
    cache_entry_write_chunk(&writer, chunk);
    cache_entry_write_done(&writer, &done);
    fputc(1, records);
    fputc(1, records);
    put_part(records, message, wire__chunk__pack(&wire, message));
    put_part(records, payload, payload_bytes);
    fputc(2, records);
    put_part(records, message, wire__done__pack(&done, message));
    put_part(records, payload, 0);
    for (int i = 0; i < 3; i++)
        wire__packet__free_unpacked(packets[i], NULL);
    chunk_free(&chunk);
    fclose(file);
    fclose(records);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: make_seeds FOLDER CLIP...\n");
        return 2;
    }
    folder = argv[1];
    mkdir(folder, 0777);
    write_messages();
    write_frame();
    write_entry();
    for (int i = 2; i < argc; i++)
        write_clip(argv[i]);
    return 0;
}
