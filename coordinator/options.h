// The command line: argv in, one struct out. Pure but for asking for the number of usable cores and what names are of one file. Loop thread, before
// the loop runs.
#ifndef RENDERFARM_OPTIONS_H
#define RENDERFARM_OPTIONS_H

#include "pictures.h"
#include "poison.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_OFF };

struct option_pair {
    char *key, *value;
};

struct options {
    char *input, *output;
    int workers;                         // on this host, 0..1024; the default is the cores that this process may use, or 0 with launch
    int threads;                         // per renderer, 1..64
    char *filter;                        // "" for none
    char *codec;                         // NULL: the container's default
    struct option_pair *encoder_options; // crf, preset, b (--bitrate) and --encoder-options, in the order given, later ones win
    size_t encoder_option_count;
    char *pixel_format; // NULL: as ffmpeg chooses
    double segment_s;   // 0: chosen by the plan
    bool one_segment;   // --segment=0
    bool explain;       // say what would be done, and do not
    bool encode_stream; // --encode=stream
    double stall_s;     // --stall-timeout: a renderer that is silent for longer hangs
    enum poison_way on_poison;
    uint64_t memory_bytes; // --memory: that all processes together may take
    char *cache_path;      // --cache; NULL: a folder of the job's own, beside the output
    uint64_t cache_limit;  // --cache-limit, bytes; 0: none
    char *trace_path;      // NULL: none
    char *page_path;       // --report; NULL: none
    bool no_cache;
    char **vouched; // --parallel-safe: names of filters
    size_t vouched_count;
    char *listen;          // tcp://ADDRESS:PORT for renderers on other hosts; NULL: none, or any port with launch
    char *key_path;        // --key; NULL: from the environment, or made for this job
    char *authorised_path; // --authorised-keys; NULL: beside the key
    char *launch;          // a command that starts renderers elsewhere; NULL: none
    int launch_workers;    // that it is to start: --workers
    bool mixed_cpus;
    bool verify; // compare with a render in one piece afterwards
    bool no_audio, no_subtitles, no_other_video, no_autorotate, overwrite;
    int64_t start_number, output_start_number; // --start-number=IN:OUT, of numbered pictures; -1: not given
    bool png_options;                          // --png-level or --png-filter, which are among the encoder's
    enum progress_mode progress;
    AVRational framerate;          // --framerate of numbered pictures; 0/1: ffmpeg's default
    int sheet_columns, sheet_rows; // --contact-sheet, or 1 and 1 for --poster; 0: neither
    bool poster;
    char *every;                   // --every, as the filter that has become a part of filter; NULL: none
    enum pictures_missing missing; // --missing
    char *stats_path;              // NULL: none
    int verbosity;                 // -1 quiet, 0, 1, 2

    // Batches.
    char *batch_list;            // --batch: a file of jobs, "-" for standard input; then there is no input and no output
    char *extension;             // --ext, without the dot; NULL: as the input's
    char **includes, **excludes; // globs
    size_t include_count, exclude_count;
    bool dry_run, fail_fast;
    int first_name; // in argv, as options_parse has permuted it: what comes before are options
    bool in_batch;  // one of many: somebody else shows progress and tells the end
};

enum options_outcome { OPTIONS_RUN, OPTIONS_EXIT_OK /* help or version was printed */, OPTIONS_USAGE /* an error line was printed */ };

enum options_outcome options_parse(struct options *options, int argc, char **argv);
void options_clear(struct options *options);

#endif
