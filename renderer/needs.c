#include "needs.h"

#include "common/writers.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavutil/opt.h>

#include <ctype.h>
#include <string.h>

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

static bool has_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strstr(text, *list))
            return true;
    return false;
}

// Of libavfilter's filters and their options, from 5.1 to 9.
static bool can_name_a_file(const AVFilter *filter, const AVOption *option, const char *chain)
{
    static const char *const like[] = {"file", "path", "dir", NULL};
    static const char *const just[] = {"cover", "filter_name", "hint", "input", "library", "model", "object", "plugin", "result", "source", NULL};

    if (option->type != AV_OPT_TYPE_STRING)
        return false;
    if (strcmp(option->name, "psfile") == 0) // of curves, which mostly do without
        return strstr(chain, "psfile") != NULL;
    if (strcmp(option->name, "weights") == 0) // are numbers elsewhere
        return strcmp(filter->name, "nnedi") == 0;
    return has_one_of(option->name, like) || is_one_of(option->name, just);
}

static bool writes(const char *filter, const char *chain)
{
    for (const struct writers_option *one = writers_options; one->filter; one++)
        if (strcmp(filter, one->filter) == 0 && strstr(chain, one->option))
            return true;
    return is_one_of(filter, writers_filters);
}

// Drivers want their devices, and put what they compile for them into caches.
static bool drives_hardware(const char *filter)
{
    static const char *const like[] = {"opencl",   "openclsrc", "vulkan",     "vaapi",      "cuda", "qsv",  "_npp",
                                       "hwupload", "hwmap",     "hwdownload", "libplacebo", "_amf", "vpp_", NULL};

    return has_one_of(filter, like);
}

static void need_files(struct jail *need, enum jail_files files)
{
    if (need->files < files)
        need->files = files;
}

static void add_filter(struct jail *need, const AVFilter *filter, const char *chain)
{
    const AVOption *option = NULL;

    if (writes(filter->name, chain) || drives_hardware(filter->name))
        need_files(need, JAIL_FILES_ALL);
    if (strcmp(filter->name, "zmq") == 0) // takes commands from a socket
        need->network = JAIL_NETWORK_ALL;
    // ass and the like have options of their library, avsynctest none at all.
    while (filter->priv_class && (option = av_opt_next(&filter->priv_class, option)))
        if (can_name_a_file(filter, option, chain))
            need_files(need, JAIL_FILES_READ);
}

// Every word of the chain that is a filter's name counts as that filter, wherever it stands.
static void add_chain(struct jail *need, const char *chain)
{
    char word[64];

    for (const char *at = chain; *at;) {
        size_t length = 0;
        const AVFilter *filter;

        while (isalnum((unsigned char)at[length]) || at[length] == '_')
            length++;
        if (length > 0 && length < sizeof(word)) {
            memcpy(word, at, length);
            word[length] = '\0';
            filter = avfilter_get_by_name(word);
            if (filter)
                add_filter(need, filter, chain);
        }
        at += length ? length : 1;
    }
    if (strstr(chain, "//")) // movie=http://..., with or without escapes
        need->network = JAIL_NETWORK_ALL;
}

// Options of encoders that write or read beside their packets: statistics of two passes, analyses, tables, and what has a path. Some are lists of the
// encoder's own options (x264-params), so keys and values are looked at alike.
static bool sounds_like_a_file(const char *text)
{
    static const char *const like[] = {"/", "analysis", "csv", "dump", "load", "pass", "save", "stat", "table", NULL};

    for (const char *at = text; (at = strstr(at, "file")); at++)
        if (at - text < 3 || strncmp(at - 3, "pro", 3) != 0) // but no profile
            return true;
    return has_one_of(text, like);
}

static void add_encoder(struct jail *need, const Wire__Job *job)
{
    const AVCodec *codec = avcodec_find_encoder_by_name(job->encoder);

    if (codec && codec->capabilities & (AV_CODEC_CAP_HARDWARE | AV_CODEC_CAP_HYBRID))
        need_files(need, JAIL_FILES_ALL);
    for (size_t i = 0; i < job->n_encoder_options; i++)
        if (sounds_like_a_file(job->encoder_options[i]->key) || sounds_like_a_file(job->encoder_options[i]->value))
            need_files(need, JAIL_FILES_ALL);
}

struct jail needs_of(const Wire__Job *job)
{
    struct jail need = {.files = JAIL_FILES_SYSTEM};

    // Who may get the jobs of other stages later must not have given up what those need.
    add_chain(&need, job->whole_filters ? job->whole_filters : job->filters);
    if (!job->gives_frames || job->whole_filters)
        add_encoder(&need, job);
    return need;
}

bool needs_covered(const struct jail *jail, const struct jail *need)
{
    return jail->files >= need->files && jail->network >= need->network;
}
