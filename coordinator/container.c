#include "container.h"

#include "bare.h"
#include "streams.h"

#include "common/err.h"

#include <libavutil/avstring.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int container_choose(const AVOutputFormat **format, const char *output, char **why)
{
    const AVOutputFormat *f;
    struct stat about;
    size_t length = strlen(output);

    if (strcmp(output, "-") == 0 || strncmp(output, "pipe:", 5) == 0 ||
        (stat(output, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)))
        return err_why(why, -EINVAL, "%s: the output must be an ordinary file, which appears when it is whole", output);
    f = av_guess_format(NULL, output, NULL);
    if (!f && stat(output, &about) == 0 && S_ISDIR(about.st_mode))
        return err_why(why, -EINVAL, "%s is a folder; the output is a file in it, or numbered pictures: %s%s%%06d.png", output, output,
                       output[length - 1] == '/' ? "" : "/");
    if (!f)
        return err_why(why, -EINVAL, "%s: the ending of the name says no container; .mp4, .mov, .mkv, .webm, .avi and .ts are known ones", output);
    if (strcmp(f->name, "image2") == 0)
        return err_why(why, -EINVAL,
                       "%s: pictures are PNG, with a number in their name, such as frames/%%06d.png, or one with --poster or --contact-sheet",
                       output);
    if (f->flags & AVFMT_NOFILE || av_match_name(f->name, "hls,dash,segment,null,tee"))
        return err_why(why, -EINVAL, "%s: %s is not one file; choose .mp4, .mov, .mkv, .webm, .avi or .ts", output, f->name);
    *format = f;
    return 0;
}

// The ending of a container that has a place for the codec, NULL where no usual one has.
static const char *ending_for(enum AVCodecID codec)
{
    static const char *const names[] = {"other.mkv", "other.mov", "other.gif", "other.apng"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const AVOutputFormat *format = av_guess_format(NULL, names[i], NULL);

        if (format && streams_takes_encoded(format, names[i], codec))
            return strchr(names[i], '.');
    }
    return NULL;
}

static int refuse_codec(const AVOutputFormat *format, const char *output, const AVCodec *e, char **why)
{
    const char *ending = ending_for(e->id);

    return err_why(why, -EINVAL, "%s: %s cannot hold %s video (%s); choose another --codec%s%s", output, format->name, avcodec_get_name(e->id),
                   e->name, ending ? " or " : "", ending ? ending : "");
}

// Sound with a picture on its cover, which muxers call a video.
static bool holds_only_covers(const AVOutputFormat *format)
{
    return av_match_name(format->name, "mp3,flac,aiff");
}

int container_choose_encoder(const AVCodec **encoder, const AVOutputFormat *format, const char *output, const char *codec, char **why)
{
    const AVCodecDescriptor *descriptor;
    const AVCodec *e;
    const char *container = format->name;

    if (holds_only_covers(format))
        return err_why(why, -EINVAL, "%s: %s holds no video; choose another ending, .mp4 or .mkv for example", output, container);
    if (codec) {
        e = avcodec_find_encoder_by_name(codec);
        descriptor = e ? NULL : avcodec_descriptor_get_by_name(codec);
        if (descriptor)
            e = avcodec_find_encoder(descriptor->id);
        if (descriptor && !e)
            return err_why(why, -EINVAL, "the libraries here have no encoder for the codec '%s'", codec);
        if (!e)
            return err_why(why, -EINVAL, "unknown encoder or codec '%s'", codec);
        if (e->type != AVMEDIA_TYPE_VIDEO)
            return err_why(why, -EINVAL, "'%s' is no video encoder", codec);
    } else {
        enum AVCodecID preferred = bare_takes(format) ? AV_CODEC_ID_RAWVIDEO : av_guess_codec(format, NULL, output, NULL, AVMEDIA_TYPE_VIDEO);

        if (preferred == AV_CODEC_ID_NONE)
            return err_why(why, -EINVAL, "%s: %s holds no video; choose another ending, .mp4 or .mkv for example", output, container);
        e = avcodec_find_encoder(preferred);
        if (!e)
            return err_why(why, -EINVAL, "%s: the libraries here have no encoder for %s, which %s prefers; name one with --codec", output,
                           avcodec_get_name(preferred), container);
    }
    // Its packets are pointers to frames, which mean nothing in another process.
    if (e->id == AV_CODEC_ID_WRAPPED_AVFRAME)
        return err_why(why, -EINVAL, "the encoder '%s' hands frames on as they are; choose rawvideo or ffv1", codec);
    if (bare_takes(format) ? e->id != AV_CODEC_ID_RAWVIDEO : !streams_takes_encoded(format, output, e->id))
        return refuse_codec(format, output, e, why);
    *encoder = e;
    return 0;
}
