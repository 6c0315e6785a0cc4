// Times of packets as the ffmpeg program mends them, on lists of packets of which it was asked (-debug_ts).
#include "common/retime.h"

#include "common/avx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static AVFormatContext *input;

// One video stream, in ticks of 1/90000 s.
static void open_input(const char *format, int64_t start, int delay, AVRational rate)
{
    AVStream *st;

    input = avformat_alloc_context();
    assert_non_null(input);
    input->iformat = av_find_input_format(format);
    assert_non_null(input->iformat);
    st = avformat_new_stream(input, NULL);
    assert_non_null(st);
    st->time_base = (AVRational){1, 90000};
    st->avg_frame_rate = rate;
    st->start_time = start;
    st->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
    st->codecpar->video_delay = delay;
    input->start_time = av_rescale_q(start, st->time_base, AV_TIME_BASE_Q);
}

static int close_input(void **state)
{
    (void)state;
    avformat_free_context(input);
    input = NULL;
    return 0;
}

struct times {
    bool key;
    int64_t pts, dts, duration, mended_pts, mended_dts;
};

static void expect(const struct times *list, size_t count)
{
    struct retime retime;
    AVPacket *packet = av_packet_alloc();

    assert_non_null(packet);
    retime_init(&retime, input, AV_NOPTS_VALUE);
    for (size_t i = 0; i < count; i++) {
        packet->pts = list[i].pts;
        packet->dts = list[i].dts;
        packet->duration = list[i].duration;
        packet->flags = list[i].key ? AV_PKT_FLAG_KEY : 0;
        assert_true(retime_packet(&retime, packet));
        assert_int_equal(packet->pts, list[i].mended_pts);
        assert_int_equal(packet->dts, list[i].mended_dts);
    }
    retime_clear(&retime);
    av_packet_free(&packet);
}

#define EXPECT(list) expect(list, sizeof(list) / sizeof((list)[0]))

static void what_comes_before_the_first_picture_is_a_jump(void **state)
{
    // A recording that was cut in the middle of a GOP: B-pictures come first, and half a picture.
    static const struct times list[] = {
        {false, 216126, 213123, 1501, -9008, -12011}, {true, 225134, 216126, 3003, -1502, -10510}, {false, 219128, 219128, 3003, -7508, -7508},
        {false, 222132, 222132, 3003, -4504, -4504},  {false, 234144, 225134, 3003, 7508, -1502},  {false, 228138, 228138, 3003, 1502, 1502},
    };

    (void)state;
    if (AVX_FFTOOLS_6_1)
        skip(); // it does not look at the decoder any more
    open_input("mpeg", 225134, 1, (AVRational){30000, 1001});
    EXPECT(list);
}

static void a_clock_that_starts_anew_goes_on(void **state)
{
    static const struct times list[] = {
        {true, 90000, 90000, 3600, 0, 0},
        {false, 93600, 93600, 3600, 3600, 3600},
        {true, 9000, 9000, 3600, 7200, 7200},
        {false, 12600, 12600, 3600, 10800, 10800},
        {false, 12600 + 11 * 90000, 12600 + 11 * 90000, 3600, 14400, 14400}, // and over a gap of more than 10 s
    };

    (void)state;
    open_input("mpegts", 90000, 0, (AVRational){25, 1});
    EXPECT(list);
}

static void small_steps_back_and_gaps_are_left_as_they_are(void **state)
{
    static const struct times list[] = {
        {true, 90000, 90000, 3600, 0, 0},
        {false, 93600, 93600, 3600, 3600, 3600},
        {false, 91800, 91800, 3600, 1800, 1800},
        {false, 91800 + 9 * 90000, 91800 + 9 * 90000, 3600, 1800 + 9 * 90000, 1800 + 9 * 90000},
    };

    (void)state;
    open_input("mpegts", 90000, 0, (AVRational){25, 1});
    EXPECT(list);
}

static void formats_that_do_not_jump_are_believed(void **state)
{
    static const struct times list[] = {
        {true, 90000, 90000, 3600, 0, 0},
        {false, 90000 + 60 * 90000, 90000 + 60 * 90000, 3600, 60 * 90000, 60 * 90000},
        {false, 93600, 93600, 3600, 3600, 3600},
    };

    (void)state;
    open_input("matroska", 90000, 0, (AVRational){25, 1});
    EXPECT(list);
}

// In damaged files. That nothing overflows is for a sanitizer to see.
static void times_may_be_anything(void **state)
{
    static const int64_t odd[] = {INT64_MAX, INT64_MIN + 1, AV_NOPTS_VALUE, 0, INT64_MAX / 2, -INT64_MAX / 2, 90000};
    enum { ODD = sizeof(odd) / sizeof(odd[0]) };
    static const char *const formats[] = {"mov", "mpegts"};

    for (size_t f = 0; f < 2; f++) {
        struct retime retime;
        AVPacket *packet = av_packet_alloc();

        assert_non_null(packet);
        open_input(formats[f], 90000, 2, (AVRational){25, 1});
        retime_init(&retime, input, AV_NOPTS_VALUE);
        for (size_t i = 0; i < ODD * ODD * ODD; i++) {
            packet->pts = odd[i % ODD];
            packet->dts = odd[i / ODD % ODD];
            packet->duration = i / ODD / ODD == 0 ? INT64_MAX : 3600;
            packet->flags = AV_PKT_FLAG_KEY;
            assert_true(retime_packet(&retime, packet));
        }
        retime_clear(&retime);
        av_packet_free(&packet);
        close_input(state);
    }
}

static int64_t mended_dts(struct retime *retime, int stream, int64_t dts)
{
    AVPacket *packet = av_packet_alloc();

    assert_non_null(packet);
    packet->stream_index = stream;
    packet->pts = packet->dts = dts;
    packet->duration = 3600;
    packet->flags = AV_PKT_FLAG_KEY;
    assert_true(retime_packet(retime, packet));
    dts = packet->dts;
    av_packet_free(&packet);
    return dts;
}

static void sound_is_with_the_video_when_both_have_jumped(void **state)
{
    enum { VIDEO, SOUND };
    struct retime retime;
    AVStream *sound;

    (void)state;
    open_input("mpegts", 0, 0, (AVRational){25, 1});
    sound = avformat_new_stream(input, NULL);
    assert_non_null(sound);
    sound->time_base = (AVRational){1, 90000};
    sound->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
    retime_init(&retime, input, AV_NOPTS_VALUE);
    assert_int_equal(mended_dts(&retime, VIDEO, 0), 0);
    assert_int_equal(mended_dts(&retime, SOUND, 0), 0);
    assert_int_equal(mended_dts(&retime, VIDEO, 3600), 3600);
    // The video comes to the jump first,
    assert_int_equal(mended_dts(&retime, VIDEO, 9000000), 7200);
    assert_int_equal(mended_dts(&retime, SOUND, 3600), 3600);
    assert_int_equal(mended_dts(&retime, SOUND, 9001800), 9000);
    assert_int_equal(mended_dts(&retime, VIDEO, 9003600), 10800);
    // and to the next one second; what the sound does changes nothing for it.
    assert_int_equal(mended_dts(&retime, SOUND, 18000000), 12600);
    assert_int_equal(mended_dts(&retime, VIDEO, 9007200), 14400);
    assert_int_equal(mended_dts(&retime, VIDEO, 18003600), 18000);
    assert_int_equal(mended_dts(&retime, SOUND, 18007200), 21600);
    retime_clear(&retime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_comes_before_the_first_picture_is_a_jump, close_input),
        cmocka_unit_test_teardown(a_clock_that_starts_anew_goes_on, close_input),
        cmocka_unit_test_teardown(small_steps_back_and_gaps_are_left_as_they_are, close_input),
        cmocka_unit_test_teardown(formats_that_do_not_jump_are_believed, close_input),
        cmocka_unit_test(times_may_be_anything),
        cmocka_unit_test_teardown(sound_is_with_the_video_when_both_have_jumped, close_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
