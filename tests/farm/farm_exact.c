// The promise that everything else rests on: the frames and their times are those of one ffmpeg run, whatever the chain, the input and the split.
#include "tests/support/trial.h"

#include <setjmp.h>

#include <cmocka.h>

// ffmpeg's own answer, with the number of slices that we filter with.
static const char *serial(const char *input, const char *chain, bool audio)
{
    const char *path = trial_path(audio ? "serial-audio.mkv" : "serial.mkv");

    if (audio)
        trial_ffmpeg("-filter_threads", "8", "-i", input, "-map", "0:v:0", "-map", "0:a?", "-c:a", "copy", "-vf", chain, "-fps_mode", "passthrough",
                     "-c:v", "ffv1", path, NULL);
    else
        trial_ffmpeg("-filter_threads", "8", "-i", input, "-map", "0:v:0", "-vf", chain, "-fps_mode", "passthrough", "-c:v", "ffv1", path, NULL);
    return path;
}

static void compare(const char *input, const char *chain, bool audio, const char *workers, const char *threads)
{
    const char *path = trial_path("farm.mkv");

    trial_render(input, path, "-y", "-q", "--codec=ffv1", "--segment=1", workers, threads, trial_format("--filter=%s", chain),
                 audio ? NULL : "--no-audio", NULL);
    trial_assert_same_frames(path, trial_path(audio ? "serial-audio.mkv" : "serial.mkv"));
}

// Every chain meets four of the eight pairs of workers and threads; odd and even chains share them out.
static void chain_is_exact(void **state)
{
    static const char *const splits[2][4][2] = {
        {{"--workers=1", "--threads=1"}, {"--workers=2", "--threads=4"}, {"--workers=3", "--threads=1"}, {"--workers=8", "--threads=4"}},
        {{"--workers=1", "--threads=4"}, {"--workers=2", "--threads=1"}, {"--workers=3", "--threads=4"}, {"--workers=8", "--threads=1"}},
    };
    const char *const *chain = *state;
    const char *input;
    static int turn;

    trial_setup(NULL);
    input = trial_sample("plain.mp4");
    serial(input, *chain, false);
    for (int i = 0; i < 4; i++)
        compare(input, *chain, false, splits[turn % 2][i][0], splits[turn % 2][i][1]);
    serial(input, *chain, true);
    compare(input, *chain, true, splits[(turn + 1) % 2][turn % 4][0], splits[(turn + 1) % 2][turn % 4][1]);
    turn++;
    assert_int_equal(trial_teardown(NULL), 0);
}

static const char *const chains[] = {
    "null",
    "hflip,eq=contrast=1.1:saturation=1.2,unsharp=7:7:1.5",
    "scale=240:136:flags=lanczos,gblur=sigma=2",
    "nlmeans=s=3:r=5:p=3",
    "spp=4,vignette=dither=0",
    "transpose=1,crop=160:200,pad=200:240:20:20:red",
    "format=gbrp,curves=preset=vintage,format=yuv444p10le,deband",
    "colorspace=all=bt2020:iall=bt709:dither=fsb:threads=1,format=yuv420p", // more make ffmpeg race with itself
    "pseudocolor=preset=viridis",                                           // the pictures depend on the number of slices
    "drawbox=x=40:y=30:w=100:h=60:color=red@0.5:t=fill,edgedetect=mode=colormix,negate",
    "hue=h=40*t:s=1.5,rgbashift=rh=3",
    "crop=310:180:0:0,select='not(mod(n,2))',fftdnoiz=prev=1", // reads what was cropped; without prev, ffmpeg may race with itself
    "split[a][b];[b]scale=80:45,negate[c];[a][c]overlay=x=20*t:y=10:format=auto,format=yuv420p", // in segments
    "split[a][b];[b]trim=1:2[c];[a][c]overlay=x=n",                                              // not
    "split[a][b];[b]yadif=1[c];[a][c]vstack",                                                    // two rates meet: times of a rate that varies
    "sendcmd=c='0.5 hue h 90',unsharp,hue=h=0",                                                  // tells another filter what to do
    "format=bgr24,format=yuv420p",                                                               // swscale's pictures depend on its slices here
    "scale=240:136:out_color_matrix=bt709,hflip",                                                // and here
    "hqdn3d,format=yuv410p,format=yuv420p",                                                      // and here
    "tpad=stop=-1,hflip,trim=end=5",                                                             // ends what would go on for ever
    "format=bgr24,hflip,format=pal8,format=bgr0",                                                // errors of rounding go from picture to picture
    "scale=161:90:sws_dither=ed,format=monow,format=gray",                                       // and here
};

// Each of the other samples, once, where something about it is in the way of a cut.
static void sample_is_exact(void **state)
{
    const char *const *name = *state;
    const char *input;

    trial_setup(NULL);
    input = trial_sample(*name);
    serial(input, "hflip", false);
    compare(input, "hflip", false, "--workers=3", "--threads=1");
    // With sound that begins elsewhere, ffmpeg counts the times of such a format from there, and ours from the picture.
    if (strcmp(*name, "offset.ts") != 0) {
        serial(input, "hflip", true);
        compare(input, "hflip", true, "--workers=3", "--threads=1");
    }
    assert_int_equal(trial_teardown(NULL), 0);
}

static const char *const samples[] = {
    "plain.mkv",      "long-gop.mp4", "open-gop.mkv", "vfr.mkv",   "streams.mkv",   "cover.mp4", "rotated.mp4", "anamorphic.mkv",
    "interlaced.mkv", "hdr10.mkv",    "vp9.webm",     "offset.ts", "edit-list.mp4", "mpeg4.avi", "mjpeg.mkv",   "silent.mp4",
};

// Real footage, long enough for several segments of the default length.
static void footage_is_exact(const char *name, const char *chain)
{
    const char *input = trial_real(name), *path = trial_path("farm.mkv");

    serial(input, chain, true);
    trial_render(input, path, "-y", "-q", "--codec=ffv1", "--workers=2", trial_format("--filter=%s", chain), NULL);
    trial_assert_same_frames(path, trial_path("serial-audio.mkv"));
    trial_render(input, path, "-y", "-q", "--codec=ffv1", "--workers=8", "--threads=4", trial_format("--filter=%s", chain), NULL);
    trial_assert_same_frames(path, trial_path("serial-audio.mkv"));
}

static void big_buck_bunny_is_exact(void **state)
{
    (void)state;
    footage_is_exact("real/big-buck-bunny-480p.mp4", "scale=426:240,unsharp");
}

static void car_detection_is_exact(void **state)
{
    (void)state;
    footage_is_exact("real/car-detection.mp4", "crop=384:216,eq=gamma=1.3");
}

static void people_is_exact(void **state)
{
    (void)state;
    footage_is_exact("real/people.mp4", "scale=256:144,hflip");
}

int main(void)
{
    enum { CHAINS = sizeof(chains) / sizeof(*chains), SAMPLES = sizeof(samples) / sizeof(*samples) };
    struct CMUnitTest tests[CHAINS + SAMPLES + 3] = {
        TRIAL(big_buck_bunny_is_exact),
        TRIAL(car_detection_is_exact),
        TRIAL(people_is_exact),
    };
    static char names[CHAINS + SAMPLES][160];

    // These make their own trial, because cmocka hands a test either its setup's state or ours.
    for (int i = 0; i < CHAINS + SAMPLES; i++) {
        bool chain = i < CHAINS;

        snprintf(names[i], sizeof(names[i]), "%s_is_exact", chain ? chains[i] : samples[i - CHAINS]);
        tests[3 + i] = (struct CMUnitTest){
            .name = names[i],
            .test_func = chain ? chain_is_exact : sample_is_exact,
            .initial_state = (void *)(chain ? &chains[i] : &samples[i - CHAINS]),
        };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
