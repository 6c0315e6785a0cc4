// What changed in FFmpeg's interface between 5.1 and 9, and a few facts asked in several places. All #if LIB*_VERSION stand in avx.c and here.
#ifndef RENDERFARM_AVX_H
#define RENDERFARM_AVX_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>

#include <stdbool.h>

// Versions and build configuration of the FFmpeg libraries that this process runs with, one line; equal lines mean equal bits. Static storage.
const char *avx_libraries(void);

// Side data of a stream (in the stream until 6.0, in its parameters after). NULL where there is none.
const uint8_t *avx_stream_side(const AVStream *stream, enum AVPacketSideDataType type, size_t *size);
int avx_stream_side_count(const AVStream *stream);
void avx_stream_side_at(const AVStream *stream, int i, enum AVPacketSideDataType *type, const uint8_t **data, size_t *size);
int avx_stream_side_add(AVStream *stream, enum AVPacketSideDataType type, const void *data, size_t size); // copies

// Lists that an encoder supports; NULL for "any". Ended by AV_PIX_FMT_NONE, {0,0}, AV_SAMPLE_FMT_NONE, 0.
const enum AVPixelFormat *avx_encoder_pixel_formats(const AVCodec *encoder);
const AVRational *avx_encoder_frame_rates(const AVCodec *encoder);
const enum AVSampleFormat *avx_encoder_sample_formats(const AVCodec *encoder);
const int *avx_encoder_sample_rates(const AVCodec *encoder);

bool avx_frame_interlaced(const AVFrame *frame);
bool avx_frame_top_field_first(const AVFrame *frame);
int64_t avx_frame_duration(const AVFrame *frame);

#endif
