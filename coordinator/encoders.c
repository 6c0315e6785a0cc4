#include "encoders.h"

#include <string.h>

static const struct {
    const char *name, *why;
} whole[] = {
    // Their packets are pieces of one file, which has one beginning and one end.
    {"gif", "a GIF is made in one piece"},
    {"apng", "an APNG is made in one piece"},
    {"libwebp_anim", "an animated WebP is made in one piece"},
    // Decoders tell pictures by their numbers (SMPTE ST 2042-1, 10.4), which begin anew with each encoder.
    {"vc2", "the encoder vc2 numbers its pictures"},
    // Of the first pictures it leaves out as many as it holds back.
    {"libxvid", "the encoder libxvid leaves out pictures where it begins"},
};

static bool is_one_of(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

// The two passes of an encoder are about all frames: the first one gathers figures in a file, the second reads there how to spread the bits.
static bool is_pass(const Wire__Option *option)
{
    static const char *const lists[] = {"x264-params", "x264opts", "x265-params", "svtav1-params", "xavs2-params", NULL};
    const char *value = option->value;

    if (strcmp(option->key, "flags") == 0)
        return strstr(value, "pass1") || strstr(value, "pass2");
    if (strcmp(option->key, "pass") == 0)
        return strcmp(value, "0") != 0;
    for (const char *at = is_one_of(option->key, lists) ? strstr(value, "pass=") : NULL; at; at = strstr(at + 1, "pass="))
        if ((at == value || at[-1] == ':') && at[strlen("pass=")] != '0')
            return true;
    return false;
}

const char *encoders_why_one(const char *name, Wire__Option *const *options, size_t option_count)
{
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        if (strcmp(name, whole[i].name) == 0)
            return whole[i].why;
    for (size_t i = 0; i < option_count; i++)
        if (is_pass(options[i]))
            return "the passes of an encoder are about the whole video";
    return NULL;
}

bool encoders_may_miss_rate(const char *name, Wire__Option *const *options, size_t option_count)
{
    // All that share the rate control of libavcodec's mpegvideo.
    static const char *const names[] = {"amv",     "flv",       "h261", "h263", "h263p", "mjpeg",   "mpeg1video", "mpeg2video", "mpeg4",
                                        "msmpeg4", "msmpeg4v2", "rv10", "rv20", "snow",  "speedhq", "wmv1",       "wmv2",       NULL};

    for (size_t i = 0; i < option_count; i++)
        if (strcmp(options[i]->key, "bt") == 0)
            return false;
    return is_one_of(name, names);
}
