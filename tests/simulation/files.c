// Outputs of a file for each frame, which are written in whatever order: what is on disk, and what that says about the end.
#include "world.h"

#include "common/err.h"
#include "common/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct files {
    bool given[MOST_FRAMES], there[MOST_FRAMES];
    unsigned parts; // that somebody has
    struct sink_part *first, **end;
} all_files[MOST_VIDEOS];

struct file {
    struct sink_part part; // first
    const struct video *video;
};

static struct files *files_of(const struct video *video)
{
    return &all_files[video->shape.number];
}

void files_begin(const struct video *video)
{
    struct files *files = files_of(video);

    memset(files, 0, sizeof(*files));
    files->end = &files->first;
}

static int write_part(struct sink_part *part, char **why)
{
    const struct video *video = ((struct file *)part)->video;
    struct files *files = files_of(video);

    if (world.dead)
        return 0;
    if (video->finished)
        world_violated("the file of frame %d is written behind the end", (int)part->order);
    if (files->there[part->order])
        world_violated("the file of frame %d is written twice", (int)part->order);
    if (world_chance(world.faults.write_error))
        return err_why(why, -ENOSPC, "made-up output: frame %d: No space left on device", (int)part->order);
    files->there[part->order] = true;
    return 0;
}

static void free_part(struct sink_part *part)
{
    struct file *file = (struct file *)part;

    files_of(file->video)->parts--;
    free(file);
}

void files_give(const struct video *video, unsigned frame, size_t bytes)
{
    struct files *files = files_of(video);
    struct file *file = mem_zalloc(sizeof(*file));

    file->video = video;
    file->part = (struct sink_part){.bytes = bytes, .order = frame, .write = write_part, .free = free_part};
    *files->end = &file->part;
    files->end = &file->part.next;
    files->parts++;
    files->given[frame] = true;
}

struct sink_part *files_take(const struct video *video)
{
    struct files *files = files_of(video);
    struct sink_part *parts = files->first;

    files->first = NULL;
    files->end = &files->first;
    return parts;
}

static void check_before(const struct files *files, unsigned frame)
{
    for (unsigned i = 0; i < frame; i++)
        if (files->given[i] && !files->there[i])
            world_violated("frame %u is said to be there, and is not", i);
}

void files_check_finish(const struct video *video)
{
    if (files_of(video)->parts > 0)
        world_violated("the output is finished, and %u files are still to be written", files_of(video)->parts);
    check_before(files_of(video), MOST_FRAMES);
}

void files_check_close(const struct video *video)
{
    if (files_of(video)->parts > 0)
        world_violated("the output is closed, and %u files are still to be written", files_of(video)->parts);
}

void files_check_trouble(const struct video *video, const char *why)
{
    unsigned frame;

    if (world.dead || sscanf(why, "made-up output: frame %u:", &frame) != 1)
        return;
    if (files_of(video)->there[frame])
        world_violated("the file of frame %u is there, and is said to have failed", frame);
    check_before(files_of(video), frame);
}
