#include "named_files.h"

#include "chain.h"

#include "common/mem.h"
#include "common/writers.h"

#include <libavformat/avformat.h>
#include <libavutil/avstring.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH = 4 }; // quotes in quotes: the graph's, the filter's, those of its parameters

static const char lists[] = ":=|,";
static const char graph[] = "[]; \t\r\n"; // which in an encoder's options may just as well be part of a name

static bool is_file(const char *path)
{
    struct stat about;

    return *path && stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

// The next word without its quotes, and where it ends; free(). What is quoted belongs to a word, as av_get_token has it.
static char *take_word(const char **text, const char *ends)
{
    const char *at = *text;
    char *word = mem_zalloc(strlen(at) + 1);
    size_t length = 0, quoted = 0;

    while (isspace((unsigned char)*at))
        at++;
    for (; *at && !strchr(ends, *at); at++) {
        if (*at == '\\' && at[1]) {
            word[length++] = *++at;
            quoted = length;
        } else if (*at == '\'') {
            while (*++at && *at != '\'')
                word[length++] = *at;
            quoted = length;
            if (!*at)
                break;
        } else {
            word[length++] = *at;
        }
    }
    while (length > quoted && isspace((unsigned char)word[length - 1]))
        length--;
    word[length] = '\0';
    *text = *at ? at + 1 : at;
    return word;
}

static int visit_words(const char *key, const char *value, const char *ends, int depth, named_files_visit visit, void *data);

// A word may be a list in turn.
static int visit_word(const char *key, const char *word, int depth, named_files_visit visit, void *data)
{
    int err = is_file(word) ? visit(data, key, word) : 0;

    if (err >= 0 && depth > 0 && strpbrk(word, ":=|,\\'"))
        err = visit_words(key, word, lists, depth - 1, visit, data);
    if (err >= 0 && depth > 0 && strpbrk(word, graph))
        err = visit_words(key, word, graph, depth - 1, visit, data);
    return err;
}

static int visit_words(const char *key, const char *value, const char *ends, int depth, named_files_visit visit, void *data)
{
    char *before = NULL; // the word that is the key of the next one
    int err = 0;

    while (err >= 0 && *value) {
        char *word = take_word(&value, ends);

        err = visit_word(before ? before : key, word, depth, visit, data);
        free(before);
        before = value[-1] == '=' ? word : NULL;
        if (!before)
            free(word);
    }
    free(before);
    return err;
}

int named_files(const char *key, const char *value, named_files_visit visit, void *data)
{
    return visit_word(key, value, DEPTH, visit, data);
}

bool named_files_by(const char *demuxer)
{
    // All of libavformat's, from 5.1 to 9, that open more than the file that they are given. vobsub has its pictures beside its index, mlv goes on in
    // further files; that mov looks into others has to be asked for.
    static const char others[] = "avisynth,concat,dash,hls,imf,mlv,rtsp,sap,sdp,vapoursynth,vobsub";

    return av_match_name(demuxer, others) > 0;
}

bool named_files_in(const char *path)
{
    char *url = mem_format("file:%s", path); // a name may look like a protocol
    const AVInputFormat *format = NULL;
    AVIOContext *io = NULL;
    bool names = false;

    if (avio_open2(&io, url, AVIO_FLAG_READ, NULL, NULL) >= 0) {
        names = av_probe_input_buffer2(io, &format, path, NULL, 0, 0) >= 0 && named_files_by(format->name);
        avio_closep(&io);
    }
    free(url);
    return names;
}

static bool has_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strstr(text, *list))
            return true;
    return false;
}

struct reading {
    named_files_visit visit;
    void *data;
};

static int visit_encoders(void *data, const char *key, const char *path)
{
    static const char *const written[] = {"csv", "dump", "log", "recon", "save", "stat", NULL};
    const struct reading *reading = data;

    return has_one_of(key, written) ? 0 : reading->visit(reading->data, key, path);
}

// How often the name of a filter is in a chain, not as a part of another word.
static unsigned count_filter(const char *chain, const char *name)
{
    size_t length = strlen(name);
    unsigned count = 0;

    for (const char *at = chain; (at = strstr(at, name)); at += length)
        count += (at == chain || strchr(",;] \t\r\n", at[-1])) && strchr("=@,;[ \t\r\n", at[length]);
    return count;
}

static bool has_writer(const char *chain)
{
    for (const char *const *name = writers_filters; *name; name++)
        if (count_filter(chain, *name) > 0)
            return true;
    return false;
}

// Of a filter that reads files, too.
static int visit_filter(void *data, const char *key, const char *path)
{
    const struct reading *reading = data;

    for (const struct writers_option *one = writers_options; one->filter; one++)
        if (strcmp(key, one->option) == 0)
            return 0;
    return reading->visit(reading->data, key, path);
}

// A filter that may write one is left out; of a graph that is no plain chain all.
static int visit_filters(const char *chain, struct reading *reading)
{
    size_t count = 0;
    char **filters = chain_split(chain, &count);
    int err = 0;

    for (size_t i = 0; i < count && err >= 0; i++)
        if (!has_writer(filters[i]))
            err = named_files("", filters[i], visit_filter, reading);
    if (!filters && !has_writer(chain))
        err = named_files("", chain, visit_filter, reading);
    chain_free(&filters);
    return err;
}

int named_files_read_by(const struct options *o, named_files_visit visit, void *data)
{
    struct reading reading = {visit, data};
    int err = o->filter ? visit_filters(o->filter, &reading) : 0;

    for (size_t i = 0; i < o->encoder_option_count && err >= 0; i++)
        err = named_files(o->encoder_options[i].key, o->encoder_options[i].value, visit_encoders, &reading);
    return err;
}

bool named_files_chooses_fonts(const char *chain)
{
    static const char given[] = "fontfile=";
    unsigned fonts = 0;

    for (const char *at = chain; (at = strstr(at, given)); at += sizeof(given) - 1)
        fonts++;
    return count_filter(chain, "ass") > 0 || count_filter(chain, "subtitles") > 0 || count_filter(chain, "drawtext") > fonts;
}
