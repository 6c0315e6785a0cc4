// Memory does not grow with the length of the video.
#include "tests/support/trial.h"

#include <json-c/json.h>

#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct json_object *render_with_stats(const char *input)
{
    const char *stats = trial_path("stats.json");
    struct json_object *top;

    // Cheap to decode and to encode again, so that much passes through the coordinator in little time.
    trial_render(input, trial_path("out.mkv"), "-y", "-q", "--codec=mjpeg", "--encoder-options=qmin=20:qmax=20", trial_workers(),
                 trial_format("--stats=%s", stats), NULL);
    top = json_object_from_file(stats);
    assert_non_null(top);
    return top;
}

static int64_t coordinator_peak(struct json_object *top)
{
    struct json_object *memory, *value;

    assert_true(json_object_object_get_ex(top, "peak_memory_bytes", &memory));
    assert_true(json_object_object_get_ex(memory, "coordinator", &value));
    return json_object_get_int64(value);
}

static void ten_minutes_pass_through_less_than_100_mb(void **state)
{
    const char *clip = trial_path("noise.mkv"), *longer = trial_path("long.mkv");
    struct json_object *top, *frames;
    struct stat facts;

    (void)state;
    trial_needs_true_memory();
    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24:duration=10,noise=c0s=40:c0f=u", "-f", "lavfi", "-i", "sine=duration=10", "-c:v",
                 "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le", clip, NULL);
    trial_ffmpeg("-stream_loop", "59", "-i", clip, "-map", "0", "-c", "copy", longer, NULL);
    assert_int_equal(stat(longer, &facts), 0);
    assert_true(facts.st_size > 200 << 20); // otherwise the limit below proves little
    top = render_with_stats(longer);
    assert_true(json_object_object_get_ex(top, "frames", &frames));
    assert_int_equal(json_object_get_int64(frames), 60 * 240);
    if (coordinator_peak(top) >= 100 << 20)
        fail_msg("the coordinator used %lld MB", (long long)(coordinator_peak(top) >> 20));
    json_object_put(top);
}

// Of so many frames of 170 kB.
static int64_t peak_of_pictures(int count)
{
    const char *input = trial_path("grey.mkv"), *stats = trial_path("stats.json");
    struct json_object *top;
    int64_t peak;

    trial_ffmpeg("-f", "lavfi", "-i", trial_format("testsrc2=size=320x180:rate=100:duration=%d", count / 100), "-c:v", "mjpeg", input, NULL);
    trial_render(input, trial_path("frames/%06d.png"), "-y", "-q", "--png-level=0", "--no-cache", trial_workers(), trial_format("--stats=%s", stats),
                 NULL);
    top = json_object_from_file(stats);
    assert_non_null(top);
    peak = coordinator_peak(top);
    json_object_put(top);
    return peak;
}

// What waits for its turn or for the disk is bounded, and how much of that there is depends on how fast the disk is.
static void pictures_do_not_pile_up_however_many_they_are(void **state)
{
    int64_t few, many;

    (void)state;
    trial_needs_true_memory();
    assert_int_equal(mkdir(trial_path("frames"), 0777), 0);
    few = peak_of_pictures(500);
    many = peak_of_pictures(3000);
    if (many > few + (24 << 20))
        fail_msg("the coordinator used %lld MB for 500 pictures, and %lld MB for 3,000", (long long)(few >> 20), (long long)(many >> 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(ten_minutes_pass_through_less_than_100_mb),
        TRIAL(pictures_do_not_pile_up_however_many_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
