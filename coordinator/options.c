#include "options.h"

#include "common/cores.h"
#include "door.h"
#include "launcher.h"
#include "memory.h"
#include "sequence.h"

#include "common/mem.h"

#include <libavutil/parseutils.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    LONG_CRF = 256,
    LONG_PRESET,
    LONG_BITRATE,
    LONG_ENCODER_OPTIONS,
    LONG_PIX_FMT,
    LONG_SEGMENT,
    LONG_ENCODE,
    LONG_EXPLAIN,
    LONG_PARALLEL_SAFE,
    LONG_STALL_TIMEOUT,
    LONG_NO_AUDIO,
    LONG_NO_SUBTITLES,
    LONG_NO_AUTOROTATE,
    LONG_PROGRESS,
    LONG_STATS,
    LONG_TRACE,
    LONG_REPORT,
    LONG_VERIFY,
    LONG_ON_POISON,
    LONG_MEMORY,
    LONG_CACHE,
    LONG_CACHE_LIMIT,
    LONG_NO_CACHE,
    LONG_LISTEN,
    LONG_KEY,
    LONG_AUTHORISED_KEYS,
    LONG_LAUNCH,
    LONG_MIXED_CPUS,
    LONG_BATCH,
    LONG_EXT,
    LONG_INCLUDE,
    LONG_EXCLUDE,
    LONG_DRY_RUN,
    LONG_FAIL_FAST,
    LONG_KEEP_GOING,
    LONG_EVERY,
    LONG_POSTER,
    LONG_CONTACT_SHEET,
    LONG_FRAMERATE,
    LONG_MISSING,
    LONG_START_NUMBER,
    LONG_PNG_LEVEL,
    LONG_PNG_FILTER,
};

enum { MOST_WORKERS = 1024, MOST_THREADS = 64, MOST_NUMBER = 1000000000 };
static const double usual_stall_s = 60, shortest_stall_s = 1;

static const struct option long_options[] = {
    {"workers", required_argument, NULL, 'j'},
    {"threads", required_argument, NULL, 't'},
    {"filter", required_argument, NULL, 'f'},
    {"vf", required_argument, NULL, 'f'},
    {"codec", required_argument, NULL, 'c'},
    {"crf", required_argument, NULL, LONG_CRF},
    {"preset", required_argument, NULL, LONG_PRESET},
    {"bitrate", required_argument, NULL, LONG_BITRATE},
    {"encoder-options", required_argument, NULL, LONG_ENCODER_OPTIONS},
    {"pix-fmt", required_argument, NULL, LONG_PIX_FMT},
    {"segment", required_argument, NULL, LONG_SEGMENT},
    {"encode", required_argument, NULL, LONG_ENCODE},
    {"explain", no_argument, NULL, LONG_EXPLAIN},
    {"parallel-safe", required_argument, NULL, LONG_PARALLEL_SAFE},
    {"verify", no_argument, NULL, LONG_VERIFY},
    {"stall-timeout", required_argument, NULL, LONG_STALL_TIMEOUT},
    {"on-poison", required_argument, NULL, LONG_ON_POISON},
    {"memory", required_argument, NULL, LONG_MEMORY},
    {"cache", required_argument, NULL, LONG_CACHE},
    {"cache-limit", required_argument, NULL, LONG_CACHE_LIMIT},
    {"no-cache", no_argument, NULL, LONG_NO_CACHE},
    {"listen", required_argument, NULL, LONG_LISTEN},
    {"key", required_argument, NULL, LONG_KEY},
    {"authorised-keys", required_argument, NULL, LONG_AUTHORISED_KEYS},
    {"launch", required_argument, NULL, LONG_LAUNCH},
    {"mixed-cpus", no_argument, NULL, LONG_MIXED_CPUS},
    {"batch", required_argument, NULL, LONG_BATCH},
    {"ext", required_argument, NULL, LONG_EXT},
    {"include", required_argument, NULL, LONG_INCLUDE},
    {"exclude", required_argument, NULL, LONG_EXCLUDE},
    {"dry-run", no_argument, NULL, LONG_DRY_RUN},
    {"fail-fast", no_argument, NULL, LONG_FAIL_FAST},
    {"keep-going", no_argument, NULL, LONG_KEEP_GOING},
    {"every", required_argument, NULL, LONG_EVERY},
    {"poster", no_argument, NULL, LONG_POSTER},
    {"contact-sheet", required_argument, NULL, LONG_CONTACT_SHEET},
    {"framerate", required_argument, NULL, LONG_FRAMERATE},
    {"missing", required_argument, NULL, LONG_MISSING},
    {"start-number", required_argument, NULL, LONG_START_NUMBER},
    {"png-level", required_argument, NULL, LONG_PNG_LEVEL},
    {"png-filter", required_argument, NULL, LONG_PNG_FILTER},
    {"no-audio", no_argument, NULL, LONG_NO_AUDIO},
    {"no-subtitles", no_argument, NULL, LONG_NO_SUBTITLES},
    {"no-autorotate", no_argument, NULL, LONG_NO_AUTOROTATE},
    {"overwrite", no_argument, NULL, 'y'},
    {"progress", required_argument, NULL, LONG_PROGRESS},
    {"stats", required_argument, NULL, LONG_STATS},
    {"trace", required_argument, NULL, LONG_TRACE},
    {"report", required_argument, NULL, LONG_REPORT},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static void print_help(int cores)
{
    printf("Usage: renderfarm [OPTION]... INPUT OUTPUT\n"
           "       renderfarm [OPTION]... IN_DIR OUT_DIR\n"
           "       renderfarm [OPTION]... --batch=LIST\n"
           "\n"
           "Renders one video with every core: decode, filter, encode, and exactly the frames\n"
           "that a single ffmpeg run would make. Audio, subtitles and everything else go along.\n"
           "\n"
           "  renderfarm in.mp4 out.mp4\n"
           "  renderfarm in.mp4 out.mkv --filter=\"nlmeans=s=3,unsharp\" --codec=libx264 --crf=18\n"
           "  renderfarm in.mov out.webm -j 4 --codec=vp9 --bitrate=2M --no-subtitles\n"
           "\n"
           "Work\n"
           "  -j, --workers=N            renderer processes, 1 to 1024 (default: %d, the cores that\n"
           "                             this process may use)\n"
           "  -t, --threads=N            threads of each renderer for the slices of a filtered\n"
           "                             frame, 1 to 64 (default: 1)\n"
           "      --segment=SECONDS      length of a segment to aim at; 0 renders in one piece\n"
           "                             (default: 2 to 10 s, by the length of the video)\n"
           "      --encode=HOW           segments: each with an encoder of its own, on all cores\n"
           "                             (the default); stream: one encoder over the whole\n"
           "                             video, as ffmpeg does it, while the filters use all cores\n"
           "      --parallel-safe=NAME,...\n"
           "                             vouch for filters, or frei0r plugins, whose frames depend\n"
           "                             on nothing but the frame that goes in\n"
           "      --stall-timeout=SECONDS\n"
           "                             replace a renderer that gives no sign of life for so much\n"
           "                             longer than others needed before (default: 60)\n"
           "      --on-poison=WAY        for a segment that ends every renderer or makes a filter\n"
           "                             fail: stop (the default), copy its frames unfiltered, or\n"
           "                             skip it; both are told at the end, with exit status 3\n"
           "      --memory=SIZE          let only as many renderers work at once as fit, such as\n"
           "                             12G or 50%% (default: 80%%)\n"
           "      --explain              say what would be done, in which stages, where it would be\n"
           "                             cut, and what limits the speed-up; render nothing\n"
           "      --verify               afterwards, filter it all again in one piece and compare\n"
           "                             every frame that was encoded: \"N of N seams identical\"\n"
           "\n"
           "Other hosts\n"
           "      --listen=tcp://ADDRESS:PORT\n"
           "                             let renderers on other hosts join and leave at any time:\n"
           "                             renderfarm-renderer --connect=tcp://HOST:PORT --key=FILE;\n"
           "                             ADDRESS * is all of this host's, PORT 0 any that is free.\n"
           "                             With it --workers=0 leaves all work to them\n"
           "      --key=FILE             this coordinator's key, of renderfarm-keygen's (or from\n"
           "                             RENDERFARM_KEY)\n"
           "      --authorised-keys=FILE public keys of the renderers that may join (default: the\n"
           "                             key's file with .authorised)\n"
           "      --launch=COMMAND       start renderers elsewhere, and none here, such as\n"
           "                             'srun -n {workers} {renderer} --connect={endpoint} -j 1';\n"
           "                             {port} is replaced too. They get a key of this job's in\n"
           "                             RENDERFARM_KEY, and on standard input (for --key=-)\n"
           "      --mixed-cpus           renderers may have other processors than this host; few\n"
           "                             filters give other pixels there\n"
           "\n"
           "Picture\n"
           "  -f, --filter=CHAIN         libavfilter chain, as for ffmpeg's -vf (also --vf)\n"
           "      --no-autorotate        leave a rotated video as it is stored\n"
           "  -c, --codec=NAME           encoder or codec (default: what the container prefers)\n"
           "      --crf=N, --preset=NAME, --bitrate=RATE\n"
           "      --encoder-options=KEY=VALUE:...\n"
           "                             options of the encoder, as ffmpeg knows them\n"
           "      --pix-fmt=NAME         pixel format (default: as ffmpeg chooses)\n"
           "\n"
           "Output\n"
           "  -y, --overwrite            replace OUTPUT if it exists\n"
           "      --cache=DIR            keep finished segments in DIR, for this and other jobs\n"
           "                             (default: beside OUTPUT while the job runs, so that the\n"
           "                             same command goes on where it was interrupted)\n"
           "      --cache-limit=SIZE     remove what was not used for longest beyond that\n"
           "      --no-cache             keep nothing\n"
           "      --no-audio             leave out all audio\n"
           "      --no-subtitles         leave out all subtitles\n"
           "\n"
           "Many files, with one set of renderers (IN_DIR OUT_DIR, or --batch)\n"
           "      --batch=LIST           a line for each job: INPUT OUTPUT [OPTION]..., quoted as\n"
           "                             for a shell; # begins a comment; - is standard input\n"
           "      --ext=EXT              give all outputs of OUT_DIR that extension, such as mkv\n"
           "      --include=GLOB         only files of IN_DIR whose name or path fits (repeatable;\n"
           "                             default: files that are videos by their extension)\n"
           "      --exclude=GLOB         not those (repeatable)\n"
           "      --dry-run              list what would be rendered and what is done already\n"
           "      --fail-fast            stop at the first file that fails (--keep-going, the\n"
           "                             default, renders the others)\n"
           "\n"
           "Numbered pictures (PNG), as input, output or both: 'frames/%%06d.png'; as input also a\n"
           "glob such as 'frames/*.png', or a folder\n"
           "      --framerate=RATE           of an input, such as 24 or 30000/1001 (default: 25)\n"
           "      --start-number=N, IN:OUT   number of the first (default: of an input the lowest,\n"
           "                                 of an output 1)\n"
           "      --every=N, --every=Ns      stills: every Nth frame, or the first of each N seconds\n"
           "      --poster                   one picture, of a tenth of the way into the video\n"
           "      --contact-sheet=COLSxROWS  one picture of evenly spaced frames with their times\n"
           "      --missing=WAY              for a number that is missing, or a picture that is\n"
           "                                 damaged or of another size or type than the first:\n"
           "                                 stop (the default), hold (repeat the one before) or\n"
           "                                 skip (leave it out)\n"
           "      --png-level=N              compression, 0 to 9 (default: auto, what is best for\n"
           "                                 its time, by samples of the frames)\n"
           "      --png-filter=NAME          none, sub, up, avg, paeth, mixed (default: auto)\n"
           "\n"
           "Messages\n"
           "      --progress=MODE        auto, bar, json (one object a line on standard output)\n"
           "                             or off (default: auto)\n"
           "      --stats=FILE           write figures of the run to FILE, as JSON\n"
           "      --trace=FILE           write what was done when to FILE, for Perfetto,\n"
           "                             chrome://tracing or renderfarm-simulate\n"
           "      --report=FILE.html     the same as a page to look at: timeline, utilisation, the\n"
           "                             slowest segments, and what limited the run\n"
           "  -v, --verbose              say more; twice: say it for every segment\n"
           "  -q, --quiet                say nothing but errors\n"
           "  -h, --help                 this text\n"
           "  -V, --version              the version\n"
           "\n"
           "Filters run on 8 slices of a frame whatever --threads says. For the few filters whose\n"
           "picture depends on that, ffmpeg -filter_threads 8 gives the same.\n"
           "\n"
           "Exit status: 0 done, 1 failed, 2 wrong use, 3 done but for what --on-poison tells of,\n"
           "128+N ended by signal N.\n",
           cores);
}

static enum options_outcome usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

static enum options_outcome usage_error(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    // One line, whatever the user wrote.
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    fprintf(stderr, "renderfarm: %s (try renderfarm --help)\n", text);
    return OPTIONS_USAGE;
}

static bool parse_count(const char *text, int least, int most, int *out)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most || !isdigit((unsigned char)text[0]))
        return false;
    *out = (int)value;
    return true;
}

static bool parse_seconds(const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value) || value < 0 || value > 1e6)
        return false;
    *out = value;
    return true;
}

// "1500000", "12G", "1.5T": powers of 1024, as GNU's tools count.
static bool parse_size(const char *text, uint64_t *out)
{
    static const char letters[] = "KMGT";
    const char *letter;
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isdigit((unsigned char)text[0]) || !isfinite(value) || value < 0)
        return false;
    letter = *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
    if (*end && (!letter || end[1]))
        return false;
    value = letter ? ldexp(value, 10 * (int)(letter - letters + 1)) : value;
    if (value < 1 || value > ldexp(1, 60))
        return false;
    *out = (uint64_t)value;
    return true;
}

// Also as a share of what there is: "80%".
static bool parse_memory(const char *text, uint64_t *out)
{
    char *end;
    double percent = strtod(text, &end);

    if (strcmp(end, "%") != 0)
        return parse_size(text, out);
    if (end == text || !(percent > 0 && percent <= 100))
        return false;
    *out = (uint64_t)((double)memory_of_machine() * percent / 100);
    return true;
}

static bool parse_poison(const char *text, enum poison_way *way)
{
    static const char *const names[] = {[POISON_STOP] = "stop", [POISON_COPY] = "copy", [POISON_SKIP] = "skip"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *way = (enum poison_way)i;
            return true;
        }
    }
    return false;
}

static void add_pair(struct options *o, char *key, char *value)
{
    o->encoder_options = mem_grow(o->encoder_options, o->encoder_option_count + 1, sizeof(*o->encoder_options));
    o->encoder_options[o->encoder_option_count++] = (struct option_pair){key, value};
}

// Copies up to a character of `stop`, as ffmpeg reads its lists: a backslash takes the next character as it is, quotes take all between them, blanks
// around the word are left out. *text moves to the stop or the end.
static char *take_word(const char **text, const char *stop)
{
    char *word = mem_zalloc(strlen(*text) + 1), *at = word, *taken = word;

    *text += strspn(*text, " \n\t\r");
    while (**text && !strchr(stop, **text)) {
        char c = *(*text)++;

        if (c == '\\' && **text) {
            *at++ = *(*text)++;
            taken = at;
        } else if (c == '\'') {
            while (**text && **text != '\'')
                *at++ = *(*text)++;
            if (**text)
                (*text)++;
            taken = at;
        } else {
            *at++ = c;
        }
    }
    while (at > taken && strchr(" \n\t\r", at[-1]))
        at--;
    *at = '\0';
    return word;
}

static bool parse_encoder_options(struct options *o, const char *text)
{
    while (*text) {
        char *key = take_word(&text, "=:"), *value;

        if (!*key || *text != '=') {
            free(key);
            return false;
        }
        text++;
        value = take_word(&text, ":");
        add_pair(o, key, value);
        if (!*value)
            return false;
        if (*text == ':' && !*++text)
            return false;
    }
    return true;
}

static bool parse_vouched(struct options *o, const char *text)
{
    for (;;) {
        size_t length = strcspn(text, ",");

        if (length == 0)
            return false;
        o->vouched = mem_grow(o->vouched, o->vouched_count + 1, sizeof(*o->vouched));
        o->vouched[o->vouched_count++] = mem_format("%.*s", (int)length, text);
        if (!text[length])
            return true;
        text += length + 1;
    }
}

static void add_word(char ***words, size_t *count, const char *word)
{
    *words = mem_grow(*words, *count + 1, sizeof(**words));
    (*words)[(*count)++] = mem_dup(word);
}

static void clear_words(char **words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(words[i]);
    free(words);
}

// "N" or "IN:OUT".
static bool parse_start_number(const char *text, int64_t *input, int64_t *output)
{
    char *end;

    errno = 0;
    *input = *output = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || errno)
        return false;
    if (*end == ':' && isdigit((unsigned char)end[1]))
        *output = strtoll(end + 1, &end, 10);
    return !errno && !*end && *input <= MOST_NUMBER && *output <= MOST_NUMBER;
}

// The filter that keeps one frame out of so many ("24"), or the first one in each so many seconds ("2.5s"); NULL for anything else.
static char *every_filter(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (!isdigit((unsigned char)text[0]) || !(value > 0) || value > 1e9)
        return NULL;
    if (strcmp(end, "s") == 0)
        return mem_format("select='isnan(prev_selected_t)+gt(floor(t/%.9g),floor(prev_selected_t/%.9g))'", value, value);
    return *end || value != floor(value) ? NULL : mem_format("select='not(mod(n,%.0f))'", value);
}

// Behind all others.
static void add_filter(struct options *o, const char *filter)
{
    char *chain = *o->filter ? mem_format("%s,%s", o->filter, filter) : mem_dup(filter);

    free(o->filter);
    o->filter = chain;
}

static bool parse_sheet(const char *text, int *columns, int *rows)
{
    char *x = mem_dup(text), *at = strchr(x, 'x');
    bool fine = at != NULL;

    if (at)
        *at = '\0';
    fine = fine && parse_count(x, 1, 100, columns) && parse_count(at + 1, 1, 100, rows);
    free(x);
    return fine;
}

static bool parse_missing(const char *text, enum pictures_missing *missing)
{
    static const char *const names[] = {[PICTURES_STOP] = "stop", [PICTURES_HOLD] = "hold", [PICTURES_SKIP] = "skip"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *missing = (enum pictures_missing)i;
            return true;
        }
    }
    return false;
}

static bool parse_progress(const char *text, enum progress_mode *mode)
{
    static const char *const names[] = {[PROGRESS_AUTO] = "auto", [PROGRESS_BAR] = "bar", [PROGRESS_JSON] = "json", [PROGRESS_OFF] = "off"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *mode = (enum progress_mode)i;
            return true;
        }
    }
    return false;
}

static void replace(char **field, const char *text)
{
    free(*field);
    *field = mem_dup(text);
}

static enum options_outcome take_option(struct options *o, int option, const char *name)
{
    // Of the options with an argument only a filter may be empty.
    if (optarg && !*optarg && option != 'f')
        return usage_error("%s needs a value", name);
    switch (option) {
    case 'j':
        if (!parse_count(optarg, 0, MOST_WORKERS, &o->workers))
            return usage_error("--workers must be a number from 1 to %d, not '%s'", MOST_WORKERS, optarg);
        break;
    case 't':
        if (!parse_count(optarg, 1, MOST_THREADS, &o->threads))
            return usage_error("--threads must be a number from 1 to %d, not '%s'", MOST_THREADS, optarg);
        break;
    case 'f':
        replace(&o->filter, optarg);
        break;
    case 'c':
        replace(&o->codec, optarg);
        break;
    case LONG_CRF: {
        char *end;
        double crf = strtod(optarg, &end);

        if (end == optarg || *end || !isfinite(crf))
            return usage_error("--crf must be a number, not '%s'", optarg);
        add_pair(o, mem_dup("crf"), mem_dup(optarg));
        break;
    }
    case LONG_PRESET:
        add_pair(o, mem_dup("preset"), mem_dup(optarg));
        break;
    case LONG_BITRATE: {
        char *end;
        double rate = strtod(optarg, &end);

        if (end == optarg || isspace((unsigned char)*optarg) || !isfinite(rate) || rate <= 0 || strlen(end) > 1 || !strchr("kKMG", *end))
            return usage_error("--bitrate must be a rate such as 800k or 2.5M, not '%s'", optarg);
        add_pair(o, mem_dup("b"), mem_dup(optarg));
        break;
    }
    case LONG_ENCODER_OPTIONS:
        if (!parse_encoder_options(o, optarg))
            return usage_error("--encoder-options must be key=value:key=value..., not '%s'", optarg);
        break;
    case LONG_PIX_FMT:
        replace(&o->pixel_format, optarg);
        break;
    case LONG_SEGMENT:
        if (!parse_seconds(optarg, &o->segment_s))
            return usage_error("--segment must be a length in seconds, or 0 for one segment, not '%s'", optarg);
        o->one_segment = o->segment_s == 0;
        break;
    case LONG_ENCODE:
        if (strcmp(optarg, "segments") != 0 && strcmp(optarg, "stream") != 0)
            return usage_error("--encode must be segments or stream, not '%s'", optarg);
        o->encode_stream = strcmp(optarg, "stream") == 0;
        break;
    case LONG_EXPLAIN:
        o->explain = true;
        break;
    case LONG_VERIFY:
        o->verify = true;
        break;
    case LONG_PARALLEL_SAFE:
        if (!parse_vouched(o, optarg))
            return usage_error("--parallel-safe must be names of filters, NAME,NAME..., not '%s'", optarg);
        break;
    case LONG_STALL_TIMEOUT:
        if (!parse_seconds(optarg, &o->stall_s) || o->stall_s < shortest_stall_s)
            return usage_error("--stall-timeout must be a number of seconds, at least %g, not '%s'", shortest_stall_s, optarg);
        break;
    case LONG_ON_POISON:
        if (!parse_poison(optarg, &o->on_poison))
            return usage_error("--on-poison must be stop, copy or skip, not '%s'", optarg);
        break;
    case LONG_MEMORY:
        if (!parse_memory(optarg, &o->memory_bytes))
            return usage_error("--memory must be a size such as 12G, or a share such as 50%%, not '%s'", optarg);
        break;
    case LONG_CACHE:
        replace(&o->cache_path, optarg);
        break;
    case LONG_CACHE_LIMIT:
        if (!parse_size(optarg, &o->cache_limit))
            return usage_error("--cache-limit must be a size such as 50G, not '%s'", optarg);
        break;
    case LONG_NO_CACHE:
        o->no_cache = true;
        break;
    case LONG_LISTEN:
        if (!door_endpoint_is_valid(optarg))
            return usage_error("--listen must be tcp://ADDRESS:PORT, not '%s'", optarg);
        replace(&o->listen, optarg);
        break;
    case LONG_KEY:
        replace(&o->key_path, optarg);
        break;
    case LONG_AUTHORISED_KEYS:
        replace(&o->authorised_path, optarg);
        break;
    case LONG_LAUNCH:
        if (launcher_problem(optarg))
            return usage_error("--launch: %s, not '%s'", launcher_problem(optarg), optarg);
        replace(&o->launch, optarg);
        break;
    case LONG_MIXED_CPUS:
        o->mixed_cpus = true;
        break;
    case LONG_BATCH:
        if (!*optarg)
            return usage_error("--batch needs the name of a list, or -");
        replace(&o->batch_list, optarg);
        break;
    case LONG_EXT:
        if (!*optarg || strspn(optarg, ".") == strlen(optarg) || strpbrk(optarg, "/ \n"))
            return usage_error("--ext must be an extension such as mkv, not '%s'", optarg);
        replace(&o->extension, optarg + strspn(optarg, "."));
        break;
    case LONG_INCLUDE:
        add_word(&o->includes, &o->include_count, optarg);
        break;
    case LONG_EXCLUDE:
        add_word(&o->excludes, &o->exclude_count, optarg);
        break;
    case LONG_DRY_RUN:
        o->dry_run = true;
        break;
    case LONG_FAIL_FAST:
        o->fail_fast = true;
        break;
    case LONG_KEEP_GOING:
        o->fail_fast = false;
        break;
    case LONG_EVERY:
        free(o->every);
        o->every = every_filter(optarg);
        if (!o->every)
            return usage_error("--every must be a number of frames, or of seconds such as 2.5s, not '%s'", optarg);
        break;
    case LONG_POSTER:
        o->poster = true;
        o->sheet_columns = o->sheet_rows = 1;
        break;
    case LONG_CONTACT_SHEET:
        if (!parse_sheet(optarg, &o->sheet_columns, &o->sheet_rows))
            return usage_error("--contact-sheet must be COLUMNSxROWS, each from 1 to 100, such as 4x5, not '%s'", optarg);
        o->poster = false;
        break;
    case LONG_FRAMERATE:
        if (av_parse_video_rate(&o->framerate, optarg) < 0)
            return usage_error("--framerate must be a number of frames a second, such as 24 or 30000/1001, not '%s'", optarg);
        break;
    case LONG_MISSING:
        if (!parse_missing(optarg, &o->missing))
            return usage_error("--missing must be stop, hold or skip, not '%s'", optarg);
        break;
    case LONG_START_NUMBER:
        if (!parse_start_number(optarg, &o->start_number, &o->output_start_number))
            return usage_error("--start-number must be a number from 0 to %d, or two, INPUT:OUTPUT, not '%s'", MOST_NUMBER, optarg);
        break;
    case LONG_PNG_LEVEL:
        add_pair(o, mem_dup("level"), mem_dup(optarg));
        o->png_options = true;
        break;
    case LONG_PNG_FILTER:
        add_pair(o, mem_dup("filter"), mem_dup(optarg));
        o->png_options = true;
        break;
    case LONG_NO_AUDIO:
        o->no_audio = true;
        break;
    case LONG_NO_SUBTITLES:
        o->no_subtitles = true;
        break;
    case LONG_NO_AUTOROTATE:
        o->no_autorotate = true;
        break;
    case 'y':
        o->overwrite = true;
        break;
    case LONG_PROGRESS:
        if (!parse_progress(optarg, &o->progress))
            return usage_error("--progress must be auto, bar, json or off, not '%s'", optarg);
        break;
    case LONG_STATS:
        replace(&o->stats_path, optarg);
        break;
    case LONG_TRACE:
        replace(&o->trace_path, optarg);
        break;
    case LONG_REPORT:
        replace(&o->page_path, optarg);
        break;
    case 'v':
        o->verbosity = o->verbosity <= 0 ? 1 : 2;
        break;
    case 'q':
        o->verbosity = -1;
        break;
    default:
        break;
    }
    return OPTIONS_RUN;
}

// NULL: there is no such option.
static const char *name_of(int option)
{
    static char name[64];

    for (const struct option *o = long_options; o->name; o++) {
        if (o->val == option) {
            snprintf(name, sizeof(name), "--%s", o->name);
            return name;
        }
    }
    return NULL;
}

// What getopt_long could not take; `letter` is its optopt: the letter of a short option, the value of a long one that takes no argument, or 0 for a
// long one that is unknown or ambiguous.
static enum options_outcome refuse(int letter, const char *argument)
{
    if (letter == 0)
        return usage_error("there is no option %.*s, or it is ambiguous", (int)strcspn(argument, "="), argument);
    if (name_of(letter))
        return usage_error("%s takes no value", name_of(letter));
    if (letter > ' ' && letter < 127)
        return usage_error("there is no option -%c", letter);
    return usage_error("there is no option -\\x%02x", (unsigned)letter & 0xff);
}

static bool is_one_picture(const char *path)
{
    size_t length = strlen(path);

    return length > 4 && strcasecmp(path + length - 4, ".png") == 0 && !sequence_is_output(path);
}

// Who renders: this host, others, or both.
static enum options_outcome check_hosts(struct options *o, int cores)
{
    if (o->workers == 0 && o->launch)
        return usage_error("--workers is how many renderers --launch is to start, so at least 1");
    if (o->workers == 0 && !o->listen)
        return usage_error("--workers must be a number from 1 to %d, not '0'", MOST_WORKERS);
    if ((o->key_path || o->authorised_path) && !o->listen && !o->launch)
        return usage_error("--key and --authorised-keys are for --listen");
    if (o->listen && !o->launch && !o->key_path && !getenv("RENDERFARM_KEY"))
        return usage_error("--listen needs --key=FILE; renderfarm-keygen makes one");
    if (o->listen && !o->launch && !o->key_path && !o->authorised_path)
        return usage_error("--listen needs --authorised-keys=FILE when the key comes from the environment");
    if (o->workers < 0)
        o->workers = cores;
    if (o->launch) {
        o->launch_workers = o->workers;
        o->workers = 0;
    }
    return OPTIONS_RUN;
}

enum options_outcome options_parse(struct options *o, int argc, char **argv)
{
    enum options_outcome outcome = OPTIONS_RUN;
    int cores = cores_usable(), option;

    if (cores > MOST_WORKERS)
        cores = MOST_WORKERS;
    *o = (struct options){.memory_bytes = memory_of_machine() / 5 * 4,
                          .workers = -1,
                          .threads = 1,
                          .stall_s = usual_stall_s,
                          .start_number = -1,
                          .output_start_number = -1,
                          .filter = mem_dup(""),
                          .progress = PROGRESS_AUTO};
    optind = 0; // from the start, also the second time
    opterr = 0;
    while (outcome == OPTIONS_RUN && (option = getopt_long(argc, argv, ":j:t:f:c:yvqhV", long_options, NULL)) != -1) {
        switch (option) {
        case 'h':
            print_help(cores);
            outcome = OPTIONS_EXIT_OK;
            break;
        case 'V':
            puts("renderfarm " RENDERFARM_VERSION);
            outcome = OPTIONS_EXIT_OK;
            break;
        case ':':
            outcome = usage_error("%s needs a value", name_of(optopt));
            break;
        case '?':
            outcome = refuse(optopt, argv[optind - 1]);
            break;
        default:
            outcome = take_option(o, option, name_of(option));
        }
    }
    if (outcome == OPTIONS_RUN) {
        o->first_name = optind;
        if (o->batch_list && argc > optind)
            outcome = usage_error("--batch=LIST names all inputs and outputs; '%s' is too many", argv[optind]);
        else if (argc - optind < 2 && !o->batch_list)
            outcome = usage_error("an input and an output are needed");
        else if (argc - optind > 2)
            outcome = usage_error("one input and one output, please: '%s' is too many", argv[optind + 2]);
        else if (o->no_cache && o->cache_path)
            outcome = usage_error("--cache and --no-cache exclude each other");
        else if (o->trace_path && !o->batch_list && (strcmp(o->trace_path, argv[optind]) == 0 || strcmp(o->trace_path, argv[optind + 1]) == 0))
            outcome = usage_error("--trace must not be the input or the output");
        else if (o->page_path && !o->batch_list && (strcmp(o->page_path, argv[optind]) == 0 || strcmp(o->page_path, argv[optind + 1]) == 0))
            outcome = usage_error("--report must not be the input or the output");
        else if (o->page_path && o->trace_path && strcmp(o->page_path, o->trace_path) == 0)
            outcome = usage_error("--report and --trace must not be the same file");
        else if (o->png_options && !o->batch_list && !sequence_is_output(argv[optind + 1]))
            outcome = usage_error("--png-level and --png-filter are for numbered pictures, such as frames/%%06d.png");
        else if (o->sheet_columns > 0 && !o->batch_list && !is_one_picture(argv[optind + 1]))
            outcome = usage_error("--poster and --contact-sheet make one picture, such as sheet.png, not '%s'", argv[optind + 1]);
        else if (o->sheet_columns > 0 && (o->every || o->encode_stream || o->verify))
            outcome = usage_error("--poster and --contact-sheet make one picture; --every, --encode and --verify are for more");
        else
            outcome = check_hosts(o, cores);
        if (outcome == OPTIONS_RUN && !o->batch_list && (!*argv[optind] || !*argv[optind + 1]))
            outcome = usage_error("a file name is empty");
    }
    if (outcome != OPTIONS_RUN) {
        options_clear(o);
        return outcome;
    }
    if (o->every)
        add_filter(o, o->every);
    if (!o->batch_list) {
        o->input = mem_dup(argv[optind]);
        o->output = mem_dup(argv[optind + 1]);
    }
    return OPTIONS_RUN;
}

void options_clear(struct options *o)
{
    for (size_t i = 0; i < o->encoder_option_count; i++) {
        free(o->encoder_options[i].key);
        free(o->encoder_options[i].value);
    }
    free(o->encoder_options);
    clear_words(o->vouched, o->vouched_count);
    clear_words(o->includes, o->include_count);
    clear_words(o->excludes, o->exclude_count);
    free(o->every);
    free(o->batch_list);
    free(o->extension);
    free(o->input);
    free(o->output);
    free(o->filter);
    free(o->codec);
    free(o->pixel_format);
    free(o->stats_path);
    free(o->trace_path);
    free(o->page_path);
    free(o->cache_path);
    free(o->listen);
    free(o->key_path);
    free(o->authorised_path);
    free(o->launch);
    *o = (struct options){0};
}
