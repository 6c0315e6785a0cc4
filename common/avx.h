// What changed in FFmpeg's interface between 5.1 and 9, and a few facts asked in several places. All #if LIB*_VERSION stand in avx.c and here.
#ifndef RENDERFARM_AVX_H
#define RENDERFARM_AVX_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>

#include <stdbool.h>

// Versions and build configuration of the FFmpeg libraries that this process runs with, one line. Static storage. The filters' are not among them: to
// load them takes as long as to load all others, and the coordinator has no use for them.
const char *avx_libraries(void);
// With the filters', behind the others, and behind those the builds of all libraries that are loaded when this is called first, see loaded.h: once
// before other threads ask, and before anything loads plugins. Equal lines mean equal bits. In a file of its own, for whoever calls it is linked with
// them.
const char *avx_all_libraries(void);

// What this machine's processor can do, for code in assembler; one short line. Equal lines mean equal bits, also of floating-point code. Static
// storage; once, before other threads ask.
const char *avx_cpu(void);

// What the ffmpeg program of 6.1 does otherwise than that of 5.1; everything that asks is exact for the version it is built against.
// 5.1: packets without a decode timestamp get an estimated one; the filters are rebuilt for a new size or pixel format.
// 6.1: frames without a timestamp get an estimated one; the encoder takes the filters' time base when there is no frame rate, and durations with the
// frames.
#define AVX_FFTOOLS_6_1 (LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 0))

// The libraries' messages: off stderr (or to the debug log); the first error line of each thread is kept, for the cause comes before its
// consequences. Once, before other threads use the libraries.
void avx_log_install(void);
void avx_log_forget(void);
// The first error since avx_log_forget() on this thread, without a line feed; "" if there was none. Static to the thread.
const char *avx_log_error(void);
// How many warnings and errors came of decoders so far, on any thread: a decoder's own threads say what they have to say on theirs. Any thread.
unsigned avx_decoder_complaints(void);

// Side data of a stream (in the stream until 6.0, in its parameters after). NULL where there is none.
const uint8_t *avx_stream_side(const AVStream *stream, enum AVPacketSideDataType type, size_t *size);
int avx_stream_side_count(const AVStream *stream);
void avx_stream_side_at(const AVStream *stream, int i, enum AVPacketSideDataType *type, const uint8_t **data, size_t *size);
int avx_stream_side_add(AVStream *stream, enum AVPacketSideDataType type, const void *data, size_t size); // copies

// Whether filters have made an ordinary picture of one with a high dynamic range, by the two transfer characteristics. How bright that was says
// nothing of what it has become, and displays that believed it would darken it; filters and frames carry it along all the same.
bool avx_is_tone_mapped(int input_transfer, int output_transfer);

// As the ffmpeg program before 6.1 does for its decoders: the first packet of each stream carries the stream's side data. Nothing to do after.
void avx_inject_side_data(AVFormatContext *input);
// Since 6.1 decoders find the stream's side data in their parameters instead. Does nothing before. Copies.
int avx_parameters_side_add(AVCodecParameters *par, enum AVPacketSideDataType type, const void *data, size_t size);

// How many fields, or other ticks, of the codec's own clock the packet lasts that was read last, by its parser; 0 for no parser. Asked before 6.1
// only, as is how many of them make a frame.
int avx_parsed_ticks(const AVStream *stream);
int avx_ticks_per_frame(const AVCodecContext *decoder);

// The stream that is rendered: the first video that is no cover picture, else the first cover picture. -1: there is none.
int avx_main_video(const AVFormatContext *input);

// Cropping that the container asks for: four numbers top, bottom, left, right. False before 7.1, which ignored it.
bool avx_container_crop(enum AVPacketSideDataType type, const uint8_t *data, size_t size, uint32_t crop[4]);
// The decoder's own cropping. Since 7.1 the ffmpeg program does it outside of the decoder, to the exact pixel.
void avx_decoder_prepare(AVCodecContext *decoder);
int avx_frame_crop(AVFrame *frame);

// Lists that an encoder supports; NULL for "any". Ended by AV_PIX_FMT_NONE, {0,0}, AV_SAMPLE_FMT_NONE, 0.
const enum AVPixelFormat *avx_encoder_pixel_formats(const AVCodec *encoder);
const AVRational *avx_encoder_frame_rates(const AVCodec *encoder);
const enum AVSampleFormat *avx_encoder_sample_formats(const AVCodec *encoder);
const int *avx_encoder_sample_rates(const AVCodec *encoder);
// The same for a context that already has the user's strictness.
const enum AVPixelFormat *avx_context_pixel_formats(const AVCodecContext *encoder);
// Colour spaces and ranges that the encoder insists on, as arguments for the filter "format" (":color_ranges=pc"); "" for none. Freed with free().
char *avx_context_colours(const AVCodecContext *encoder);

// Frame rate and time base that the ffmpeg program would give to a video encoder.
void avx_encoder_timing(const AVCodec *encoder, AVRational filter_rate, AVRational filter_time_base, AVRational *rate, AVRational *time_base);

// Mastering display and light levels: true when the encoders take them from AVCodecContext.decoded_side_data (7.1 on), which _add fills. Copies.
bool avx_encoder_side_works(void);
int avx_encoder_side_add(AVCodecContext *encoder, enum AVFrameSideDataType type, const void *data, size_t size);

bool avx_frame_interlaced(const AVFrame *frame);
bool avx_frame_top_field_first(const AVFrame *frame);
bool avx_frame_key(const AVFrame *frame);
void avx_frame_set_fields(AVFrame *frame, bool key, bool interlaced, bool top_field_first);
// Where the frame's packet lay in the file and how large it was, which filters could ask for before 6.1; -1 and 0 after.
void avx_frame_origin(const AVFrame *frame, int64_t *pos, int *size);
void avx_frame_set_origin(AVFrame *frame, int64_t pos, int size);
int64_t avx_frame_duration(const AVFrame *frame);
void avx_frame_set_duration(AVFrame *frame, int64_t duration);
// Whether an encoder is to be given a field order for frames that are not marked as interlaced.
bool avx_field_order_always(const AVCodecContext *encoder);

// Arguments for the filter "buffer" that say the frame's colours (":colorspace=1:range=1"), since 7.0. "" before.
void avx_buffer_colours(const AVFrame *frame, char *text, size_t size);
// Whether filters must be rebuilt between frames of these colours.
bool avx_colours_matter(enum AVColorSpace space_a, enum AVColorRange range_a, enum AVColorSpace space_b, enum AVColorRange range_b);

#endif
