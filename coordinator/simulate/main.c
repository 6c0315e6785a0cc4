// renderfarm-simulate: how fast would it be with more cores? argv in, a table out.
#include "curve.h"
#include "recording.h"
#include "virtual.h"

#include "common/log.h"
#include "common/mem.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FRAMES = 20000000 };

struct wishes {
    const char *path;
    unsigned *workers;
    size_t count;
    unsigned cores; // 0: as many as workers
    unsigned hosts;
    double bytes_per_s, latency_ns, segment_s, length_s;
    unsigned repeat;
    enum recording_costs costs;
    bool json;
};

static void print_help(void)
{
    printf("Usage: renderfarm-simulate [OPTION]... TRACE\n"
           "\n"
           "Says how long a job would take with other numbers of cores, and what would hold it up:\n"
           "the coordinator's own scheduler and windows, in virtual time, over renderers that take as\n"
           "long as they did when `renderfarm --trace=TRACE --no-cache` was run.\n"
           "\n"
           "  renderfarm in.mp4 out.mp4 --workers=1 --no-cache --trace=trace.json\n"
           "  renderfarm-simulate trace.json --workers=1..256 --length=2h\n"
           "\n"
           "  -j, --workers=LIST     numbers of renderers, 1 to 10000: 1..8, 1,2,4, 1..16:2; a range of\n"
           "                         more than 32 is walked in growing steps (default: 1..1024)\n"
           "      --cores=N          so many cores, whatever the number of workers (default: one for each\n"
           "                         thread of each worker)\n"
           "      --repeat=N         the recorded video N times in a row; segments get as long as\n"
           "                         renderfarm makes them for that length; at most 100000, 20 million\n"
           "                         frames, and 50000 segments\n"
           "      --length=TIME      the same, to that length or a little more: 90, 90s, 30m, 2h\n"
           "      --segment=SECONDS  length of a segment to aim at\n"
           "      --hosts=N          cores and renderers are spread over N hosts, the coordinator is on\n"
           "                         the first of them (default: 1)\n"
           "      --bandwidth=RATE   of each host's network, in bits a second: 100M, 1G, 2.5G\n"
           "                         (default: no limit)\n"
           "      --latency=TIME     between hosts: 200us, 1ms, 0.5s (default: 200us)\n"
           "      --costs=cpu|wall   what a segment costs: the processor time of its renderer, which\n"
           "                         other programs on the machine hardly change (the default), or all\n"
           "                         the time that it took\n"
           "      --json             one JSON object in place of the table\n"
           "  -h, --help, -V, --version\n"
           "\n"
           "  speed-up, efficiency   against one worker on one core, which is simulated too\n"
           "  idle                   the share of the cores' time in which they had nothing to do, and\n"
           "                         what they mostly waited for\n"
           "\n"
           "What is left out: that cores slow each other down (caches, memory, clock), the cache of\n"
           "finished segments, --memory, and crashes.\n"
           "\n"
           "Exit status: 0 done, 1 failed, 2 wrong use.\n");
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "renderfarm-simulate: %s%s%s%s (try renderfarm-simulate --help)\n", what, value ? ", not '" : "", value ? value : "",
            value ? "'" : "");
    return 2;
}

static bool parse_count(const char *text, unsigned most, unsigned *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)*text) || *end || value < 1 || value > most)
        return false;
    *out = (unsigned)value;
    return true;
}

// A number and one of those units, "" among them.
static bool parse_unit(const char *text, const char *const *units, const double *factors, double *out)
{
    char *end;
    double value = strtod(text, &end);

    if (!isdigit((unsigned char)*text) || !isfinite(value))
        return false;
    for (size_t i = 0; units[i]; i++) {
        if (strcmp(end, units[i]) == 0) {
            *out = value * factors[i];
            return *out >= 0 && *out < 1e18;
        }
    }
    return false;
}

static bool parse_length(const char *text, double *out)
{
    return parse_unit(text, (const char *const[]){"", "s", "m", "h", NULL}, (const double[]){1, 1, 60, 3600}, out) && *out > 0 && *out <= 1e6;
}

static bool parse_latency(const char *text, double *out)
{
    return parse_unit(text, (const char *const[]){"us", "ms", "s", NULL}, (const double[]){1e3, 1e6, 1e9}, out) && *out <= 60e9;
}

static bool parse_bandwidth(const char *text, double *out)
{
    bool good = parse_unit(text, (const char *const[]){"", "k", "M", "G", "T", NULL}, (const double[]){1, 1e3, 1e6, 1e9, 1e12}, out) && *out >= 1000;

    *out /= 8;
    return good;
}

static int take_option(struct wishes *w, int option)
{
    switch (option) {
    case 'j':
        free(w->workers);
        return curve_parse_workers(optarg, &w->workers, &w->count)
                   ? 0
                   : usage_error("--workers must be numbers from 1 to 10000 such as 1..8, 1,2,4 or 1..16:2", optarg);
    case 'c':
        return parse_count(optarg, CURVE_MOST_WORKERS, &w->cores) ? 0 : usage_error("--cores must be a number from 1 to 10000", optarg);
    case 'r':
        return parse_count(optarg, 100000, &w->repeat) ? 0 : usage_error("--repeat must be a number from 1 to 100000", optarg);
    case 'l':
        return parse_length(optarg, &w->length_s) ? 0 : usage_error("--length must be a time such as 90s, 30m or 2h", optarg);
    case 's':
        return parse_unit(optarg, (const char *const[]){"", "s", NULL}, (const double[]){1, 1}, &w->segment_s) && w->segment_s >= 0.01 &&
                       w->segment_s <= 1e6
                   ? 0
                   : usage_error("--segment must be a length in seconds", optarg);
    case 'o':
        return parse_count(optarg, 1000, &w->hosts) ? 0 : usage_error("--hosts must be a number from 1 to 1000", optarg);
    case 'b':
        return parse_bandwidth(optarg, &w->bytes_per_s) ? 0 : usage_error("--bandwidth must be bits a second such as 100M or 1G", optarg);
    case 'y':
        return parse_latency(optarg, &w->latency_ns) ? 0 : usage_error("--latency must be a time such as 200us or 1ms", optarg);
    case 'k':
        w->costs = strcmp(optarg, "wall") == 0 ? COSTS_WALL : COSTS_CPU;
        return strcmp(optarg, "wall") == 0 || strcmp(optarg, "cpu") == 0 ? 0 : usage_error("--costs must be cpu or wall", optarg);
    case 'J':
        w->json = true;
        return 0;
    default:
        return 0;
    }
}

// -1: go on; else the exit status.
static int parse(struct wishes *w, int argc, char **argv)
{
    static const struct option options[] = {
        {"workers", required_argument, NULL, 'j'},
        {"cores", required_argument, NULL, 'c'},
        {"repeat", required_argument, NULL, 'r'},
        {"length", required_argument, NULL, 'l'},
        {"segment", required_argument, NULL, 's'},
        {"hosts", required_argument, NULL, 'o'},
        {"bandwidth", required_argument, NULL, 'b'},
        {"latency", required_argument, NULL, 'y'},
        {"costs", required_argument, NULL, 'k'},
        {"json", no_argument, NULL, 'J'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int option, status = 0;

    opterr = 0;
    while (!status && (option = getopt_long(argc, argv, ":j:hV", options, NULL)) != -1) {
        if (option == 'h' || option == 'V') {
            if (option == 'h')
                print_help();
            else
                puts("renderfarm-simulate " RENDERFARM_VERSION);
            return 0;
        }
        if (option == ':')
            status = usage_error("an option lacks its value", argv[optind - 1]);
        else
            status = option == '?' ? usage_error("an option that there is was expected", argv[optind - 1]) : take_option(w, option);
    }
    if (status)
        return status;
    if (argc - optind != 1)
        return usage_error("one trace is needed, which renderfarm --trace=FILE writes", NULL);
    if (w->repeat > 0 && w->length_s > 0)
        return usage_error("--repeat and --length exclude each other", NULL);
    if (w->hosts == 1 && (w->bytes_per_s > 0 || w->latency_ns > 0))
        return usage_error("--bandwidth and --latency are between hosts; --hosts says how many", NULL);
    w->path = argv[optind];
    if (w->count == 0)
        curve_parse_workers("1..1024", &w->workers, &w->count);
    return -1;
}

static double efficiency(const struct prediction *one, const struct prediction *p)
{
    return curve_speed_up(one, p) / p->workers;
}

static double idle_share(const struct prediction *p)
{
    double sum = 0;

    for (int i = 0; i < IDLE_CAUSES; i++)
        sum += curve_idle_share(p, (enum idle_cause)i);
    return sum;
}

static char *crew_of(const struct recording *recording)
{
    return recording->workers == 0 ? mem_dup("renderers on other hosts only")
                                   : mem_format("%d worker%s", recording->workers, recording->workers == 1 ? "" : "s");
}

static void print_table(const struct wishes *w, const struct recording *recording, const struct prediction *one, const struct prediction *all)
{
    size_t flat = curve_flattens(one, all, w->count), next = flat + 1 < w->count ? flat + 1 : flat;
    char *reason = curve_reason(&all[next]), *crew = crew_of(recording);

    printf("%s%s%s: %.1f s of video%s; recorded with %s\n\n", recording->input, *recording->filters ? ", " : "", recording->filters,
           recording->duration_s * w->repeat, w->repeat > 1 ? " (repeated)" : "", crew);
    printf("%7s %9s %9s %9s %9s %11s %6s  %s\n", "workers", "segments", "wall s", "fps", "speed-up", "efficiency", "idle", "mostly");
    for (size_t i = 0; i < w->count; i++) {
        const struct prediction *p = &all[i];

        printf("%7u %9" PRIu32 " %9.2f %9.1f %9.2f %11.3f %4.0f %%  %s\n", p->workers, p->segments, (double)p->wall_ns / 1e9,
               (double)p->frames * 1e9 / (double)p->wall_ns, curve_speed_up(one, p), efficiency(one, p), 100 * idle_share(p),
               curve_word(curve_worst(p)));
    }
    if (w->count > 1 && flat + 1 < w->count)
        printf("\nFlattens:  at %u workers, %.1f times as fast as one; beyond, more give less than 5 %%.\n", all[flat].workers,
               curve_speed_up(one, &all[flat]));
    else if (w->count > 1)
        printf("\nFlattens:  not up to %u workers.\n", all[flat].workers);
    printf("%sLimit:     with %u workers %s.\n", w->count > 1 ? "" : "\n", all[next].workers, reason);
    printf("Measured:  %.2f s with %s, when the trace was made.\n", recording->wall / 1e9, crew);
    free(reason);
    free(crew);
}

static void print_json(const struct wishes *w, const struct recording *recording, const struct prediction *one, const struct prediction *all)
{
    size_t flat = curve_flattens(one, all, w->count);

    printf("{\"recorded_workers\": %d, \"recorded_wall_s\": %.6f, \"video_s\": %.6f, \"flattens_at\": %u, \"runs\": [", recording->workers,
           recording->wall / 1e9, recording->duration_s * w->repeat, all[flat].workers);
    for (size_t i = 0; i < w->count; i++) {
        const struct prediction *p = &all[i];

        printf("%s\n  {\"workers\": %u, \"segments\": %" PRIu32 ", \"frames\": %" PRIu64
               ", \"wall_s\": %.6f, \"speed_up\": %.6f, \"efficiency\": %.6f, ",
               i > 0 ? "," : "", p->workers, p->segments, p->frames, (double)p->wall_ns / 1e9, curve_speed_up(one, p), efficiency(one, p));
        printf("\"reader_s\": %.6f, \"writer_s\": %.6f, \"loop_s\": %.6f, \"most_input_bytes\": %" PRIu64 ", \"most_finished_bytes\": %" PRIu64
               ", \"limit\": \"%s\", \"idle\": {",
               p->reader_ns / 1e9, p->writer_ns / 1e9, p->loop_ns / 1e9, p->most_shelf_bytes, p->most_held_bytes, curve_word(curve_worst(p)));
        for (int cause = 0; cause < IDLE_CAUSES; cause++)
            printf("%s\"%s\": %.6f", cause > 0 ? ", " : "", curve_word((enum idle_cause)cause), curve_idle_share(p, (enum idle_cause)cause));
        printf("}}");
    }
    printf("\n]}\n");
}

static int run_one(const struct wishes *w, const struct recording *recording, unsigned workers, struct prediction *prediction)
{
    struct machine machine = {
        .recording = recording,
        .workers = workers,
        .cores = w->cores > 0 ? w->cores : workers * (unsigned)recording->threads,
        .hosts = w->hosts < workers ? w->hosts : workers,
        .bytes_per_s = w->bytes_per_s,
        .latency_ns = w->latency_ns > 0 ? w->latency_ns : 200e3,
        .repeat = w->repeat,
        .segment_s = w->segment_s,
    };

    if (virtual_run(&machine, prediction) == 0)
        return 0;
    if (prediction->too_much)
        fprintf(stderr, "renderfarm-simulate: %s: the job with %u workers is too much to simulate: %s\n", w->path, workers, prediction->too_much);
    else
        fprintf(stderr, "renderfarm-simulate: %s: the job with %u workers failed in the simulation; please report this\n", w->path, workers);
    return 1;
}

int main(int argc, char **argv)
{
    struct wishes w = {.hosts = 1};
    struct recording recording;
    struct prediction one, *all = NULL;
    char *why = NULL;
    int status = parse(&w, argc, argv);

    log_init("renderfarm-simulate", LOG_ERROR);
    if (status >= 0)
        goto done;
    status = 1;
    if (recording_read(&recording, w.path, w.costs, &why) < 0) {
        fprintf(stderr, "renderfarm-simulate: %s\n", why);
        free(why);
        goto done;
    }
    if (w.length_s > 0)
        w.repeat = recording.duration_s > 0 ? (unsigned)fmin(100000, ceil(w.length_s / recording.duration_s - 1e-9)) : 1;
    w.repeat = w.repeat > 0 ? w.repeat : 1;
    if ((double)recording.reading.frames * w.repeat > (double)MOST_FRAMES) {
        fprintf(stderr, "renderfarm-simulate: %s: %u times its %" PRIu64 " frames are too many, %d can be simulated (--repeat, --length)\n", w.path,
                w.repeat, recording.reading.frames, MOST_FRAMES);
        goto clear;
    }
    if (w.hosts > 1 && recording.stage_count > 1) {
        fprintf(stderr, "renderfarm-simulate: %s: it was rendered in stages, whose frames go through shared memory, so all have to be on one host\n",
                w.path);
        goto clear;
    }
    all = mem_zalloc(w.count * sizeof(*all));
    status = run_one(&w, &recording, 1, &one);
    for (size_t i = 0; i < w.count && !status; i++)
        status = run_one(&w, &recording, w.workers[i], &all[i]);
    if (!status && w.json)
        print_json(&w, &recording, &one, all);
    else if (!status)
        print_table(&w, &recording, &one, all);

clear:
    recording_clear(&recording);
done:
    free(all);
    free(w.workers);
    return status;
}
