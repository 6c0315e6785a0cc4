// Demuxers that say "again", and a reader of other streams for whom there is no memory.
#include "common/demux.h"
#include "coordinator/others.h"

#include <libavutil/mem.h>

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int again;        // so many times
static int end;          // what is said then
static int read_packets; // how often the library was asked

// In the place of the library's, for what is no file.
int av_read_frame(AVFormatContext *input, AVPacket *packet)
{
    (void)input;
    (void)packet;
    read_packets++;
    return again-- > 0 ? AVERROR(EAGAIN) : end;
}

static void reading_goes_on_behind_what_a_demuxer_gives_up(void **state)
{
    (void)state;
    again = 3;
    end = 0;
    assert_int_equal(demux_read(NULL, NULL), 0);
    assert_int_equal(read_packets, 4);
    again = 3;
    end = AVERROR_EOF;
    assert_int_equal(demux_read(NULL, NULL), AVERROR_EOF);
}

static void but_not_for_ever(void **state)
{
    (void)state;
    again = INT_MAX;
    end = 0;
    assert_int_equal(demux_read(NULL, NULL), AVERROR(EAGAIN));
}

static void no_memory_is_not_the_end(void **state)
{
    char path[] = "/tmp/renderfarm-test-demux-XXXXXX";
    int fd = mkstemp(path), err;
    static const char wav[] = "RIFF\x64\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\x40\0\0\0";
    const AVPacket *packet = NULL;
    struct others *others = NULL;
    bool wanted[1] = {true};
    char *why = NULL;

    (void)state;
    assert_true(fd >= 0 && write(fd, wav, sizeof(wav) - 1) == sizeof(wav) - 1);
    close(fd);
    again = 0;
    end = AVERROR_EOF;
    assert_int_equal(others_open(&others, path, AV_NOPTS_VALUE, &why), 0);
    others_want(others, wanted);
    av_max_alloc(1);
    err = others_peek(others, &packet, &why);
    av_max_alloc(INT_MAX);
    assert_int_equal(err, AVERROR(ENOMEM));
    assert_non_null(why);
    free(why);
    why = NULL;
    assert_int_equal(others_peek(others, &packet, &why), 0);
    assert_null(packet);
    others_close(&others);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_goes_on_behind_what_a_demuxer_gives_up),
        cmocka_unit_test(but_not_for_ever),
        cmocka_unit_test(no_memory_is_not_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
