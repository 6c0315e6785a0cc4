// What becomes of each stream of the input: it is the main video, it is copied packet for packet, it is converted, or it is left out, and then
// somebody is told. Asks libavformat's muxers what they take, and knows their traps. Makes no codec call. Inside the mux lane.
#ifndef RENDERFARM_STREAMS_H
#define RENDERFARM_STREAMS_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include <stdbool.h>
#include <stddef.h>

enum stream_fate { STREAM_LEFT_OUT, STREAM_MAIN, STREAM_COPIED, STREAM_CONVERTED };

struct stream_choice {
    enum stream_fate fate;
    bool attached;          // copied, but as a file in the header: it has no packets
    const AVCodec *encoder; // of a converted one
};

struct streams_wish {
    const AVOutputFormat *format;
    const char *output; // its name
    bool no_audio, no_subtitles, no_other_video;
};

struct streams {
    struct stream_choice *choices; // one per input stream, in order
    unsigned count;
    unsigned main;
    char **notes; // what the user should know
    size_t note_count;
};

// The stream that the farm renders: the first video that is no cover picture, else the first cover picture. -1: there is none.
int streams_find_main(const AVFormatContext *input);

// Whether the container has a place for the codec, as far as can be told without the stream. output: its name.
bool streams_takes_codec(const AVOutputFormat *format, const char *output, enum AVCodecID codec);

// Whether it has one for a video that is yet to be encoded; where it cannot be asked it is tried.
bool streams_takes_encoded(const AVOutputFormat *format, const char *output, enum AVCodecID codec);

// "png", "jpeg"... for codecs of still pictures that can be attached as files, NULL for others.
const char *streams_cover_kind(enum AVCodecID codec);

// The tag that a copied stream gets in the container, as ffmpeg's stream copy chooses it.
uint32_t streams_copied_tag(const AVOutputFormat *format, const AVCodecParameters *par);

// Fills *streams (cleared by the caller also on failure). Fails with one sentence when a stream can be neither copied nor converted, nor left out
// without a word from the user.
int streams_decide(struct streams *streams, const AVFormatContext *input, const struct streams_wish *wish, char **why);
void streams_clear(struct streams *streams);

// "stream 3 (subtitle hdmv_pgs_subtitle, eng)". Freed by the caller.
char *streams_describe(const AVFormatContext *input, unsigned stream);

#endif
