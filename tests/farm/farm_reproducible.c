// The file is the same, byte for byte, whoever made it and however it was shared out.
#include "tests/support/trial.h"

#include <setjmp.h>

#include <cmocka.h>

static const char *const splits[][2] = {
    {"--workers=1", "--threads=1"}, {"--workers=2", "--threads=1"}, {"--workers=3", "--threads=4"},
    {"--workers=8", "--threads=1"}, {"--workers=1", "--threads=4"},
};

static void file_is_the_same(const char *input, const char *output, const char *codec, const char *option)
{
    const char *first = NULL;

    input = trial_sample(input);
    output = trial_path(output);
    for (size_t i = 0; i < sizeof(splits) / sizeof(*splits); i++) {
        const char *hash;

        trial_render(input, output, "-y", "-q", "--segment=1", "--filter=unsharp,gblur=sigma=1", codec, option, splits[i][0], splits[i][1], NULL);
        hash = trial_sha256(output);
        if (!first)
            first = hash;
        if (strcmp(hash, first) != 0)
            fail_msg("%s %s made another file than %s %s", splits[i][0], splits[i][1], splits[0][0], splits[0][1]);
    }
}

static void x264_in_mp4_does_not_depend_on_the_workers(void **state)
{
    (void)state;
    file_is_the_same("plain.mp4", "out.mp4", "--codec=libx264", "--preset=veryfast");
}

static void ffv1_in_mkv_does_not_depend_on_the_workers(void **state)
{
    (void)state;
    file_is_the_same("streams.mkv", "out.mkv", "--codec=ffv1", NULL);
}

static void vp9_in_webm_does_not_depend_on_the_workers(void **state)
{
    (void)state;
    file_is_the_same("vp9.webm", "out.webm", "--codec=libvpx-vp9", "--encoder-options=deadline=realtime:cpu-used=8");
}

// Audio and subtitles that have to be converted are part of the promise.
static void converted_streams_do_not_depend_on_the_workers(void **state)
{
    (void)state;
    file_is_the_same("streams.mkv", "out.mp4", "--codec=libx264", "--preset=ultrafast");
}

static void x265_in_mp4_does_not_depend_on_the_workers(void **state)
{
    (void)state;
    file_is_the_same("hdr10.mkv", "out.mp4", "--codec=libx265", "--preset=ultrafast");
}

// libavfilter's own slices of greyedge write to the same memory, those of fftdnoiz read what others have written.
static void filter_whose_slices_race_does_not_depend_on_the_threads(void **state)
{
    (void)state;
    file_is_the_same("plain.mp4", "out.mkv", "--codec=ffv1", "--filter=greyedge,colorspace=all=bt709:iall=bt601-6-625:dither=fsb:format=yuv420p");
    file_is_the_same("plain.mp4", "out.mkv", "--codec=ffv1", "--filter=hflip,fftdnoiz");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(x264_in_mp4_does_not_depend_on_the_workers),     TRIAL(ffv1_in_mkv_does_not_depend_on_the_workers),
        TRIAL(vp9_in_webm_does_not_depend_on_the_workers),     TRIAL(x265_in_mp4_does_not_depend_on_the_workers),
        TRIAL(converted_streams_do_not_depend_on_the_workers), TRIAL(filter_whose_slices_race_does_not_depend_on_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
