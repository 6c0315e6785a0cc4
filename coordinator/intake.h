// The demux lane and what it brings: opens the source, shows its head for the probe, reads ahead. Loop thread; the blocking calls run in the lane,
// one at a time, and each end is told by on_change, after which the fields below are the loop's again.
#ifndef RENDERFARM_INTAKE_H
#define RENDERFARM_INTAKE_H

#include "lane.h"
#include "source.h"

#include <sys/stat.h>

struct intake {
    void (*on_change)(void *data);
    void *data;
    const char *path;
    const struct stat *noted;       // see input_file_expect; set before the input is opened
    struct pictures_setup pictures; // for an input of numbered pictures
    struct lane lane;

    // In the lane's hands while it is busy, else the loop's.
    struct source *source;
    struct source_facts facts;
    struct chunk_list head; // a little segment of its own, for the probe
    size_t head_bytes;
    bool head_is_all;
    struct source_run run; // chunk or eof: a run that waits to be taken
    int err;
    char *why; // one sentence when err < 0

    // Loop thread only.
    bool opened;
};

void intake_init(struct intake *intake, uv_loop_t *loop, const char *path, void (*on_change)(void *data), void *data);
bool intake_busy(const struct intake *intake);
// Each starts one call and may only be called while it is not busy.
void intake_open(struct intake *intake);
void intake_read_head(struct intake *intake); // more than last time
void intake_read(struct intake *intake);      // the next run
void intake_clear(struct intake *intake);     // when not busy

enum { INTAKE_HEAD_MAX_BYTES = 64 << 20 };

#endif
