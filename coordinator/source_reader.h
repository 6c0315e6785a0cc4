// The video's packets of an input as it has them, one after the other, with the times and side data that the ffmpeg program would hand to its
// decoder; and what turned out to be wrong with the input. Of a file that the library reads, or of numbered pictures. Knows nothing of cutting.
// Blocks, in the demux lane. For the files of source.c alone.
#ifndef RENDERFARM_SOURCE_READER_H
#define RENDERFARM_SOURCE_READER_H

#include "input_file.h"
#include "pictures.h"

#include "common/retime.h"

#include <libavformat/avformat.h>

#include <stdbool.h>
#include <stdint.h>

struct source_reader {
    char *path;
    struct input_file file;
    struct pictures *pictures; // NULL: the input reads its packets itself
    AVRational picture_rate;
    int64_t picture; // the next one's number, from 0
    AVFormatContext *input;
    AVStream *video;
    int64_t start_us; // that is taken off all timestamps
    struct retime retime;
    bool read_any;
    bool ended;     // nothing more can be read
    bool late_told; // of a stream beside the video

    // Damage.
    int read_error;
    int64_t last_raw_ts, last_pts; // of the video; raw: as the file has it
    uint64_t corrupt_count;
    char *damage; // one sentence; NULL: none
};

// Either is to be closed even if it fails, with one sentence in *why.
int source_reader_open(struct source_reader *reader, const char *path, char **why);
int source_reader_open_pictures(struct source_reader *reader, const char *path, const struct pictures_setup *setup, char **why);

// 0, AVERROR_EOF, or an error (*why); an error in mid-file is an end that is remembered.
int source_reader_next(struct source_reader *reader, AVPacket **packet, char **why);
// Behind the end: whether the file is still the one that was opened, see input_file_check.
int source_reader_check(const struct source_reader *reader, char **why);
double source_reader_seconds(const struct source_reader *reader, int64_t ts); // of the video's time base; 0: of no time

void source_reader_close(struct source_reader *reader);

#endif
