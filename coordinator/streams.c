#include "streams.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"

#include <libavutil/avstring.h>
#include <libavutil/channel_layout.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int streams_find_main(const AVFormatContext *input)
{
    return avx_main_video(input);
}

char *streams_describe(const AVFormatContext *input, unsigned stream)
{
    const AVStream *st = input->streams[stream];
    const AVDictionaryEntry *language = av_dict_get(st->metadata, "language", NULL, 0);
    const char *type = av_get_media_type_string(st->codecpar->codec_type);
    const char *codec = avcodec_get_name(st->codecpar->codec_id);
    char tag[AV_FOURCC_MAX_STRING_SIZE];

    if (language && strcmp(language->value, "und") == 0)
        language = NULL;
    if (st->disposition & AV_DISPOSITION_ATTACHED_PIC)
        type = "cover picture";
    if (st->codecpar->codec_id == AV_CODEC_ID_NONE)
        codec = st->codecpar->codec_tag ? av_fourcc_make_string(tag, st->codecpar->codec_tag) : "of an unknown kind";
    return mem_format("stream %u (%s %s%s%s)", stream, type ? type : "unknown", codec, language ? ", " : "", language ? language->value : "");
}

static bool format_is(const AVOutputFormat *format, const char *names)
{
    return av_match_name(format->name, names);
}

static bool is_mov(const AVOutputFormat *format)
{
    return format_is(format, "mov,mp4,ipod,3gp,3g2,psp,ismv,f4v");
}

static bool is_mpegps(const AVOutputFormat *format)
{
    return format_is(format, "mpeg,vcd,vob,svcd,dvd");
}

// The MPEG-TS muxer takes anything; what it has no mark for becomes private data, which no player finds again. It has marks for these: see
// get_dvb_stream_type(), get_m2ts_stream_type() and the descriptors of mpegts_write_pmt() in libavformat/mpegtsenc.c. Where Blu-ray has none for
// the usual ones, demuxers find them by their contents. Names, for not every version of the library knows all of them.
static bool mpegts_takes(const char *output, enum AVCodecID codec)
{
    static const char usual[] = "mpeg1video,mpeg2video,mpeg4,h264,hevc,vc1,mp2,mp3,aac,aac_latm,ac3,eac3,dts,truehd,opus,s302m,"
                                "dvb_subtitle,dvb_teletext,klv",
                      broadcast[] = "vvc,cavs,avs2,avs3,dirac,arib_caption,timed_id3,smpte_2038",
                      blu_ray[] = "pcm_bluray,hdmv_pgs_subtitle,hdmv_text_subtitle";
    const char *name = avcodec_get_name(codec);

    return av_match_name(name, usual) || av_match_name(name, av_match_ext(output, "m2ts") ? blu_ray : broadcast);
}

// And so does the program stream's, with any video.
static bool mpegps_takes_video(enum AVCodecID codec)
{
    return codec == AV_CODEC_ID_MPEG1VIDEO || codec == AV_CODEC_ID_MPEG2VIDEO || codec == AV_CODEC_ID_MPEG4 || codec == AV_CODEC_ID_H264 ||
           codec == AV_CODEC_ID_HEVC;
}

bool streams_takes_codec(const AVOutputFormat *format, const char *output, enum AVCodecID codec)
{
    const struct AVCodecTag *const riff_video[] = {avformat_get_riff_video_tags(), NULL};
    unsigned tag;
    int answer;

    if (format_is(format, "mpegts"))
        return mpegts_takes(output, codec);
    if (is_mpegps(format) && avcodec_get_type(codec) == AVMEDIA_TYPE_VIDEO)
        return mpegps_takes_video(codec);
    answer = avformat_query_codec(format, codec, FF_COMPLIANCE_NORMAL);
    if (answer > 0)
        return true;
    // Matroska also holds what has a tag of Video for Windows, but does not say so when asked. QuickTime takes to these where it has none of its own.
    return (format->codec_tag && av_codec_get_tag2(format->codec_tag, codec, &tag)) ||
           (format_is(format, "mov") && av_codec_get_tag2(riff_video, codec, &tag));
}

const char *streams_cover_kind(enum AVCodecID codec)
{
    switch (codec) {
    case AV_CODEC_ID_MJPEG:
        return "jpeg";
    case AV_CODEC_ID_PNG:
        return "png";
    case AV_CODEC_ID_GIF:
        return "gif";
    case AV_CODEC_ID_BMP:
        return "bmp";
    case AV_CODEC_ID_TIFF:
        return "tiff";
    case AV_CODEC_ID_WEBP:
        return "webp";
    default:
        return NULL;
    }
}

uint32_t streams_copied_tag(const AVOutputFormat *format, const AVCodecParameters *par)
{
    unsigned tag;

    if (!format->codec_tag || av_codec_get_id(format->codec_tag, par->codec_tag) == par->codec_id ||
        !av_codec_get_tag2(format->codec_tag, par->codec_id, &tag))
        return par->codec_tag;
    return 0;
}

static int add_to_trial(AVFormatContext *trial, const AVStream *in)
{
    AVStream *out = avformat_new_stream(trial, NULL);

    if (!out || avcodec_parameters_copy(out->codecpar, in->codecpar) < 0 || av_dict_copy(&out->metadata, in->metadata, 0) < 0)
        return AVERROR(ENOMEM);
    out->codecpar->codec_tag = streams_copied_tag(trial->oformat, in->codecpar);
    out->time_base = in->time_base;
    out->avg_frame_rate = in->avg_frame_rate;
    out->disposition = in->disposition;
    return 0;
}

// video: a stream to go before it, or NULL.
static bool begins_with(const AVOutputFormat *format, const char *output, const AVStream *video, const AVStream *in)
{
    AVFormatContext *trial = NULL;
    AVIOContext *io = NULL;
    uint8_t *bytes = NULL;
    bool begins = false;

    if (avformat_alloc_output_context2(&trial, format, NULL, output) < 0)
        return false;
    if (avio_open_dyn_buf(&io) < 0)
        goto done;
    trial->pb = io;
    trial->flags |= AVFMT_FLAG_BITEXACT;
    if ((video && add_to_trial(trial, video) < 0) || add_to_trial(trial, in) < 0)
        goto done;
    begins = avformat_write_header(trial, NULL) >= 0;
    if (begins)
        av_write_trailer(trial);

done:
    if (io) {
        avio_close_dyn_buf(io, &bytes);
        av_free(bytes);
        trial->pb = NULL;
    }
    avformat_free_context(trial);
    return begins;
}

// A stream as plain as can be, in a context that the caller frees. NULL: no memory.
static AVFormatContext *plain_stream(enum AVMediaType type, enum AVCodecID codec)
{
    AVFormatContext *some = avformat_alloc_context();
    AVStream *st = some ? avformat_new_stream(some, NULL) : NULL;
    AVCodecParameters *par;

    if (!st) {
        avformat_free_context(some);
        return NULL;
    }
    par = st->codecpar;
    par->codec_type = type;
    par->codec_id = codec;
    if (type == AVMEDIA_TYPE_VIDEO) {
        par->format = AV_PIX_FMT_YUV420P;
        par->width = 640;
        par->height = 480;
        st->time_base = (AVRational){1, 25};
        st->avg_frame_rate = (AVRational){25, 1};
    } else if (type == AVMEDIA_TYPE_AUDIO) {
        par->sample_rate = 48000;
        par->frame_size = 1024;
        par->bits_per_coded_sample = av_get_bits_per_sample(codec);
        av_channel_layout_default(&par->ch_layout, 2);
        st->time_base = (AVRational){1, par->sample_rate};
    }
    return some;
}

// Lists of codecs do not tell everything: profiles, sample rates, or codecs that a muxer holds for experimental. The muxer itself does, when asked to
// begin a file with this one stream; MXF's wants a video before any other.
static bool muxer_begins(const AVOutputFormat *format, const char *output, const AVStream *in)
{
    AVFormatContext *video;
    bool begins = begins_with(format, output, NULL, in);

    if (begins || in->codecpar->codec_type == AVMEDIA_TYPE_VIDEO || format->video_codec == AV_CODEC_ID_NONE)
        return begins;
    video = plain_stream(AVMEDIA_TYPE_VIDEO, format->video_codec);
    begins = video && begins_with(format, output, video->streams[0], in);
    avformat_free_context(video);
    return begins;
}

static bool is_cover(const AVStream *st)
{
    return st->disposition & AV_DISPOSITION_ATTACHED_PIC;
}

// Some muxers (Ogg's, MPEG-PS's sound, MXF's) have no list of codecs: only trying tells. Not of those with a list of ours, see streams_takes_codec.
static bool has_no_list(const AVOutputFormat *format, const AVCodecParameters *par)
{
    enum AVCodecID usual = par->codec_type == AVMEDIA_TYPE_VIDEO      ? format->video_codec
                           : par->codec_type == AVMEDIA_TYPE_AUDIO    ? format->audio_codec
                           : par->codec_type == AVMEDIA_TYPE_SUBTITLE ? format->subtitle_codec
                                                                      : AV_CODEC_ID_NONE;

    return usual != AV_CODEC_ID_NONE && !format_is(format, "mpegts") && !(is_mpegps(format) && par->codec_type == AVMEDIA_TYPE_VIDEO) &&
           avformat_query_codec(format, par->codec_id, FF_COMPLIANCE_NORMAL) == AVERROR_PATCHWELCOME;
}

// Some look at nothing (RoQ's, FITS's, those that write bare packets) and begin with whatever they get, even with what lives in files of its own
// only.
static bool looks_at_codecs(const AVOutputFormat *format, const char *output, enum AVMediaType type)
{
    AVFormatContext *strange = plain_stream(type, type == AVMEDIA_TYPE_VIDEO   ? AV_CODEC_ID_BINKVIDEO
                                                  : type == AVMEDIA_TYPE_AUDIO ? AV_CODEC_ID_BINKAUDIO_DCT
                                                                               : AV_CODEC_ID_XSUB);
    bool begins = strange && muxer_begins(format, output, strange->streams[0]);

    avformat_free_context(strange);
    return !begins;
}

bool streams_takes_encoded(const AVOutputFormat *format, const char *output, enum AVCodecID codec)
{
    AVFormatContext *some;
    bool takes = streams_takes_codec(format, output, codec);

    if (takes)
        return true;
    some = plain_stream(AVMEDIA_TYPE_VIDEO, codec);
    takes = some && has_no_list(format, some->streams[0]->codecpar) && muxer_begins(format, output, some->streams[0]) &&
            looks_at_codecs(format, output, AVMEDIA_TYPE_VIDEO);
    avformat_free_context(some);
    return takes;
}

// As MP4 and Matroska have H.264 and HEVC, with lengths in place of start codes. These containers know nothing of that, nor do their muxers change
// it.
static bool lacks_start_codes(const AVOutputFormat *format, const AVCodecParameters *par)
{
    return (par->codec_id == AV_CODEC_ID_H264 || par->codec_id == AV_CODEC_ID_HEVC) && par->extradata_size > 0 && par->extradata[0] == 1 &&
           (format_is(format, "avi") || is_mpegps(format));
}

static bool can_copy(const struct streams_wish *wish, const AVStream *st)
{
    const AVCodecParameters *par = st->codecpar;

    if (par->codec_type == AVMEDIA_TYPE_ATTACHMENT) // fonts and the like: only Matroska carries files, and only named ones
        return format_is(wish->format, "matroska") && muxer_begins(wish->format, wish->output, st);
    if (is_cover(st) && format_is(wish->format, "avi,mpegts,webm"))
        return false; // it would become a video of one picture
    if (is_cover(st) && format_is(wish->format, "matroska"))
        return st->attached_pic.size > 0 && streams_cover_kind(par->codec_id);
    if (lacks_start_codes(wish->format, par))
        return false;
    if (!streams_takes_codec(wish->format, wish->output, par->codec_id) &&
        !(has_no_list(wish->format, par) && looks_at_codecs(wish->format, wish->output, par->codec_type)))
        return false;
    return format_is(wish->format, "mpegts") || muxer_begins(wish->format, wish->output, st);
}

static const AVCodec *audio_encoder(const struct streams_wish *wish, enum AVCodecID from)
{
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(from);
    enum AVCodecID codec = av_guess_codec(wish->format, NULL, wish->output, NULL, AVMEDIA_TYPE_AUDIO);

    // What was lossless stays so where that costs nobody anything.
    if (descriptor && descriptor->props & AV_CODEC_PROP_LOSSLESS && !(descriptor->props & AV_CODEC_PROP_LOSSY) && format_is(wish->format, "matroska"))
        codec = AV_CODEC_ID_FLAC;
    return codec == AV_CODEC_ID_NONE ? NULL : avcodec_find_encoder(codec);
}

// Uncompressed sound keeps its sample rate when it is converted; MXF's muxer takes but one, and would say so with the header only.
static bool takes_rate(const struct streams_wish *wish, const AVCodec *encoder, int rate)
{
    AVFormatContext *some = plain_stream(AVMEDIA_TYPE_AUDIO, encoder->id);
    bool takes = true;

    if (some && av_get_exact_bits_per_sample(encoder->id) > 0 && muxer_begins(wish->format, wish->output, some->streams[0])) {
        some->streams[0]->codecpar->sample_rate = rate;
        some->streams[0]->time_base = (AVRational){1, rate};
        takes = muxer_begins(wish->format, wish->output, some->streams[0]);
    }
    avformat_free_context(some);
    return takes;
}

static const AVCodec *subtitle_encoder(const struct streams_wish *wish, enum AVCodecID from)
{
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(from);
    enum AVCodecID codec = AV_CODEC_ID_NONE;

    if (!descriptor || !(descriptor->props & AV_CODEC_PROP_TEXT_SUB) || !avcodec_find_decoder(from))
        return NULL;
    if (is_mov(wish->format))
        codec = AV_CODEC_ID_MOV_TEXT;
    else if (format_is(wish->format, "webm"))
        codec = AV_CODEC_ID_WEBVTT;
    else if (format_is(wish->format, "matroska"))
        codec = AV_CODEC_ID_SUBRIP;
    else
        codec = av_guess_codec(wish->format, NULL, wish->output, NULL, AVMEDIA_TYPE_SUBTITLE);
    if (codec == AV_CODEC_ID_NONE || !streams_takes_codec(wish->format, wish->output, codec))
        return NULL;
    return avcodec_find_encoder(codec);
}

static void note(struct streams *s, char *text)
{
    s->notes = mem_grow(s->notes, s->note_count + 1, sizeof(*s->notes));
    s->notes[s->note_count++] = text;
}

// The container writes this one anew from what it is told otherwise.
static bool is_made_anew(const AVFormatContext *input, const struct streams_wish *wish, const AVStream *st)
{
    const AVCodecParameters *par = st->codecpar;

    if (par->codec_type != AVMEDIA_TYPE_DATA || !av_match_name("mov", input->iformat->name))
        return false;
    // QuickTime keeps chapter titles in a track of their own; the demuxer has read it as chapters.
    if (par->codec_tag == MKTAG('t', 'e', 'x', 't') && input->nb_chapters > 0)
        return true;
    // The timecode has become metadata of the video, of which this muxer makes a track again.
    return par->codec_tag == MKTAG('t', 'm', 'c', 'd') && format_is(wish->format, "mov,mp4");
}

// NULL: it cannot be converted.
static const AVCodec *encoder_for(const struct streams_wish *wish, const AVCodecParameters *par)
{
    if (par->codec_type == AVMEDIA_TYPE_SUBTITLE)
        return subtitle_encoder(wish, par->codec_id);
    return par->codec_type == AVMEDIA_TYPE_AUDIO && avcodec_find_decoder(par->codec_id) && par->sample_rate > 0 ? audio_encoder(wish, par->codec_id)
                                                                                                                : NULL;
}

// "leave it out with --no-audio or choose .mkv": what of it helps. option: what leaves such streams out.
static char *remedy(const struct streams_wish *wish, const AVStream *st, const char *option)
{
    struct streams_wish matroska = {.format = av_guess_format("matroska", NULL, NULL), .output = "other.mkv"};
    bool helps = matroska.format && !format_is(wish->format, "matroska") && (can_copy(&matroska, st) || encoder_for(&matroska, st->codecpar));

    return mem_format("leave it out with %s%s", option, helps ? " or choose .mkv" : "");
}

// reason: "44100 Hz is no sample rate for it: ", or "".
static int refuse(const AVFormatContext *input, unsigned i, const struct streams_wish *wish, const char *reason, const char *option, char **why)
{
    char *what = streams_describe(input, i), *way_out = remedy(wish, input->streams[i], option);
    int err = err_why(why, -EINVAL, "%s: %s cannot go into %s; %s%s", wish->output, what, wish->format->name, reason, way_out);

    free(what);
    free(way_out);
    return err;
}

static int choose_audio_encoder(const AVCodec **encoder, const AVFormatContext *input, unsigned i, const struct streams_wish *wish, char **why)
{
    const AVCodecParameters *par = input->streams[i]->codecpar;
    char *reason;
    int err;

    *encoder = encoder_for(wish, par);
    if (!*encoder)
        return refuse(input, i, wish, "", "--no-audio", why);
    if (takes_rate(wish, *encoder, par->sample_rate))
        return 0;
    reason = mem_format("%d Hz is no sample rate for it: ", par->sample_rate);
    err = refuse(input, i, wish, reason, "--no-audio", why);
    free(reason);
    return err;
}

static int decide(struct streams *s, const AVFormatContext *input, unsigned i, const struct streams_wish *wish, char **why)
{
    const AVStream *st = input->streams[i];
    struct stream_choice *choice = &s->choices[i];
    char *what;
    int err;

    if (i == s->main) {
        choice->fate = STREAM_MAIN;
        return 0;
    }
    switch (st->codecpar->codec_type) {
    case AVMEDIA_TYPE_AUDIO:
        if (wish->no_audio)
            return 0;
        break;
    case AVMEDIA_TYPE_SUBTITLE:
        if (wish->no_subtitles)
            return 0;
        break;
    case AVMEDIA_TYPE_VIDEO:
        if (wish->no_other_video && !is_cover(st))
            return 0;
        break;
    default:
        if (is_made_anew(input, wish, st))
            return 0;
        break;
    }
    if (st->codecpar->codec_type != AVMEDIA_TYPE_UNKNOWN && can_copy(wish, st)) {
        choice->fate = STREAM_COPIED;
        choice->attached = st->codecpar->codec_type == AVMEDIA_TYPE_ATTACHMENT || (is_cover(st) && format_is(wish->format, "matroska"));
        return 0;
    }
    switch (st->codecpar->codec_type) {
    case AVMEDIA_TYPE_AUDIO:
        err = choose_audio_encoder(&choice->encoder, input, i, wish, why);
        if (err < 0)
            return err;
        break;
    case AVMEDIA_TYPE_SUBTITLE:
        choice->encoder = encoder_for(wish, st->codecpar);
        if (!choice->encoder)
            return refuse(input, i, wish, "", "--no-subtitles", why);
        break;
    case AVMEDIA_TYPE_VIDEO:
        if (!is_cover(st))
            return refuse(input, i, wish, "", "--no-other-video", why);
        // fall through
    default:
        what = streams_describe(input, i);
        note(s, mem_format("%s: %s is left out: %s cannot hold it", wish->output, what, wish->format->name));
        free(what);
        return 0;
    }
    choice->fate = STREAM_CONVERTED;
    what = streams_describe(input, i);
    note(s, mem_format("%s: %s is converted to %s, since %s cannot hold it as it is", wish->output, what, avcodec_get_name(choice->encoder->id),
                       wish->format->name));
    free(what);
    return 0;
}

int streams_decide(struct streams *s, const AVFormatContext *input, const struct streams_wish *wish, char **why)
{
    int main_stream = streams_find_main(input), err = 0;

    memset(s, 0, sizeof(*s));
    if (main_stream < 0)
        return err_why(why, AVERROR_STREAM_NOT_FOUND, "%s: no video stream in it", input->url);
    s->main = (unsigned)main_stream;
    s->count = input->nb_streams;
    s->choices = mem_zalloc(s->count * sizeof(*s->choices));
    for (unsigned i = 0; i < s->count && !err; i++)
        err = decide(s, input, i, wish, why);
    return err;
}

void streams_clear(struct streams *s)
{
    for (size_t i = 0; i < s->note_count; i++)
        free(s->notes[i]);
    free(s->notes);
    free(s->choices);
    memset(s, 0, sizeof(*s));
}
