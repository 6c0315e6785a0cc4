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

    assert_true(json_object_object_get_ex(top, "peak_memory_bytes", &memory) && json_object_object_get_ex(memory, "coordinator", &value));
    return json_object_get_int64(value);
}

static void ten_minutes_pass_through_less_than_100_mb(void **state)
{
    const char *clip = trial_path("noise.mkv"), *longer = trial_path("long.mkv");
    struct json_object *top, *frames;
    struct stat facts;

    (void)state;
    if (getenv("BUILD") && (strstr(getenv("BUILD"), "address") || strstr(getenv("BUILD"), "thread"))) {
        puts("without a true figure: a sanitizer's own memory is counted too");
        skip();
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(ten_minutes_pass_through_less_than_100_mb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
