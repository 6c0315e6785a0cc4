#include "options.h"

#include "common/cores.h"
#include "door.h"
#include "help.h"
#include "launcher.h"
#include "output_file.h"
#include "memory.h"
#include "sequence.h"
#include "sheet.h"
#include "values.h"

#include "common/mem.h"

#include <libavutil/parseutils.h>

#include <ctype.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

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
    LONG_NO_OTHER_VIDEO,
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

enum { MOST_WORKERS = 1024, MOST_THREADS = 64 };
static const double usual_stall_s = 60, shortest_stall_s = 1;

static const char *const poison_names[] = {[POISON_STOP] = "stop", [POISON_COPY] = "copy", [POISON_SKIP] = "skip", NULL};
static const char *const missing_names[] = {[PICTURES_STOP] = "stop", [PICTURES_HOLD] = "hold", [PICTURES_SKIP] = "skip", NULL};
static const char *const progress_names[] = {
    [PROGRESS_AUTO] = "auto", [PROGRESS_BAR] = "bar", [PROGRESS_JSON] = "json", [PROGRESS_OFF] = "off", NULL};

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
    {"no-other-video", no_argument, NULL, LONG_NO_OTHER_VIDEO},
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

static void add_pair(struct options *o, char *key, char *value)
{
    o->encoder_options = mem_grow(o->encoder_options, o->encoder_option_count + 1, sizeof(*o->encoder_options));
    o->encoder_options[o->encoder_option_count++] = (struct option_pair){key, value};
}

static bool parse_encoder_options(struct options *o, const char *text)
{
    while (*text) {
        char *key = values_word(&text, "=:"), *value;

        if (!*key || *text != '=') {
            free(key);
            return false;
        }
        text++;
        value = values_word(&text, ":");
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

// Behind all others.
static void add_filter(struct options *o, const char *filter)
{
    char *chain = sheet_append(o->filter, filter);

    free(o->filter);
    o->filter = chain;
}

static void replace(char **field, const char *text)
{
    free(*field);
    *field = mem_dup(text);
}

static enum options_outcome take_option(struct options *o, int option, const char *name)
{
    int choice;

    // Of the options with an argument only a filter may be empty.
    if (optarg && !*optarg && option != 'f')
        return usage_error("%s needs a value", name);
    switch (option) {
    case 'j':
        if (!values_count(optarg, 0, MOST_WORKERS, &o->workers))
            return usage_error("--workers must be a number from 1 to %d, not '%s'", MOST_WORKERS, optarg);
        break;
    case 't':
        if (!values_count(optarg, 1, MOST_THREADS, &o->threads))
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
        if (!values_seconds(optarg, &o->segment_s))
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
        if (!values_seconds(optarg, &o->stall_s) || o->stall_s < shortest_stall_s)
            return usage_error("--stall-timeout must be a number of seconds, at least %g, not '%s'", shortest_stall_s, optarg);
        break;
    case LONG_ON_POISON:
        choice = values_choice(optarg, poison_names);
        if (choice < 0)
            return usage_error("--on-poison must be stop, copy or skip, not '%s'", optarg);
        o->on_poison = (enum poison_way)choice;
        break;
    case LONG_MEMORY:
        if (!values_memory(optarg, &o->memory_bytes))
            return usage_error("--memory must be a size such as 12G, or a share such as 50%%, not '%s'", optarg);
        break;
    case LONG_CACHE:
        replace(&o->cache_path, optarg);
        break;
    case LONG_CACHE_LIMIT:
        if (!values_size(optarg, &o->cache_limit))
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
        o->every = values_every(optarg);
        if (!o->every)
            return usage_error("--every must be a number of frames, or of seconds such as 2.5s, not '%s'", optarg);
        break;
    case LONG_POSTER:
        o->poster = true;
        o->sheet_columns = o->sheet_rows = 1;
        break;
    case LONG_CONTACT_SHEET:
        if (!values_sheet(optarg, &o->sheet_columns, &o->sheet_rows))
            return usage_error("--contact-sheet must be COLUMNSxROWS, each from 1 to 100, such as 4x5, not '%s'", optarg);
        o->poster = false;
        break;
    case LONG_FRAMERATE:
        if (av_parse_video_rate(&o->framerate, optarg) < 0)
            return usage_error("--framerate must be a number of frames a second, such as 24 or 30000/1001, not '%s'", optarg);
        break;
    case LONG_MISSING:
        choice = values_choice(optarg, missing_names);
        if (choice < 0)
            return usage_error("--missing must be stop, hold or skip, not '%s'", optarg);
        o->missing = (enum pictures_missing)choice;
        break;
    case LONG_START_NUMBER:
        if (!values_start_number(optarg, &o->start_number, &o->output_start_number))
            return usage_error("--start-number must be a number from 0 to %d, or two, INPUT:OUTPUT, not '%s'", VALUES_MOST_NUMBER, optarg);
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
    case LONG_NO_OTHER_VIDEO:
        o->no_other_video = true;
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
        choice = values_choice(optarg, progress_names);
        if (choice < 0)
            return usage_error("--progress must be auto, bar, json or off, not '%s'", optarg);
        o->progress = (enum progress_mode)choice;
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

enum { BESIDE = 3 }; // files that may be written beside the output

// Of the input or the output one picture, of those that are read or would be written.
static bool is_a_picture_of(const char *path, char *const *names)
{
    return sequence_has(names[0], path) || (sequence_is_output(names[1]) && sequence_has(names[1], path));
}

// What is written beside the output must not take the place of anything that is read or written; of a batch, batch.c looks at the files. NULL: it
// does not.
static const char *misplaced(const struct options *o, char *const *names)
{
    static const char *const streams[BESIDE] = {"--stats needs the name of a file, not '-'", "--trace needs the name of a file, not '-'",
                                                "--report needs the name of a file, not '-'"};
    static const char *const takes[BESIDE] = {"--stats must not be the input or the output", "--trace must not be the input or the output",
                                              "--report must not be the input or the output"};
    static const char *const pictures[BESIDE] = {"--stats must not be one of the pictures of the input or the output",
                                                 "--trace must not be one of the pictures of the input or the output",
                                                 "--report must not be one of the pictures of the input or the output"};
    const char *const paths[BESIDE] = {o->stats_path, o->trace_path, o->page_path};

    for (size_t i = 0; i < BESIDE; i++) {
        if (!paths[i])
            continue;
        if (strcmp(paths[i], "-") == 0)
            return streams[i];
        if (o->batch_list)
            continue;
        if (output_file_is_same(paths[i], names[0]) || output_file_is_same(paths[i], names[1]))
            return takes[i];
        if (is_a_picture_of(paths[i], names))
            return pictures[i];
    }
    if (o->batch_list && o->stats_path && output_file_is_same(o->stats_path, o->batch_list))
        return "--stats must not be the list of the batch";
    if (o->page_path && o->trace_path && output_file_is_same(o->page_path, o->trace_path))
        return "--report and --trace must not be the same file";
    if (o->stats_path && o->trace_path && output_file_is_same(o->stats_path, o->trace_path))
        return "--stats and --trace must not be the same file";
    return o->stats_path && o->page_path && output_file_is_same(o->stats_path, o->page_path) ? "--stats and --report must not be the same file"
                                                                                             : NULL;
}

// A file that is there is meant, not the protocol that its name begins like ("12:30.mp4").
static char *input_name(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon && !memchr(name, '/', (size_t)(colon - name)) && access(name, F_OK) == 0 ? mem_format("./%s", name) : mem_dup(name);
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
            help_print(cores);
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
        else if (misplaced(o, argv + optind))
            outcome = usage_error("%s", misplaced(o, argv + optind));
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
        o->input = input_name(argv[optind]);
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
