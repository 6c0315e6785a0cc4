// Whatever stands beside the video arrives: copied, else converted, else refused by name.
#include "tests/support/trial.h"

#include <setjmp.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char *const fast = "--preset=ultrafast";

// Renders the sample to x264 (what the container prefers where x264 is NULL) and returns the output's path.
static const char *render_as(const char *sample, const char *output, const char *option)
{
    const char *path = trial_path(output);

    trial_render(trial_sample(sample), path, "-q", trial_workers(), "--filter=hflip", option, NULL);
    return path;
}

// "key=value\n" for all wanted keys, in this order, somewhere in the text: one stream's part of ffprobe's answer.
static void assert_has(const char *text, const char *wanted)
{
    if (!text || !strstr(text, wanted))
        fail_msg("no\n%sin\n%s", wanted, text ? text : "nothing");
}

static int packet_count(const char *path, const char *specifier)
{
    return atoi(trial_output(ARGUMENTS("ffprobe", "-v", "error", "-select_streams", specifier, "-count_packets", "-show_entries",
                                       "stream=nb_read_packets", "-of", "default=noprint_wrappers=1:nokey=1", path)));
}

static void audio_packets_are_copied_one_by_one(void **state)
{
    static const char *const exact[] = {"out.mp4", "out.mkv", "out.mov"}, *const wrapped[][2] = {{"out.ts", "--codec=libx264"},
                                                                                                 {"out.avi", "--codec=mpeg4"}};
    const char *input = trial_sample("plain.mp4");

    (void)state;
    for (size_t i = 0; i < sizeof(exact) / sizeof(*exact); i++)
        assert_string_equal(trial_packets(render_as("plain.mp4", exact[i], fast), "a"), trial_packets(input, "a"));
    // These two have AAC in other clothes, so only the packets' number is the same.
    for (size_t i = 0; i < sizeof(wrapped) / sizeof(*wrapped); i++)
        assert_int_equal(packet_count(render_as("plain.mp4", wrapped[i][0], wrapped[i][1]), "a"), packet_count(input, "a"));
}

static double start_of(const char *path, const char *kind)
{
    const char *text = strchr(trial_probe(path, kind, "stream=start_time"), '=');

    assert_non_null(text);
    return atof(text + 1);
}

// Where everything begins is the container's business; how far apart sound and picture are is not. ffmpeg moves the picture to the nearest multiple
// of a frame after it has taken off the time at which the sound begins, so it may be off by half a frame (1/48 s) and a millisecond of rounding.
static void audio_stays_in_sync_as_ffmpeg_has_it(void **state)
{
    static const char *const samples[] = {"offset.ts", "edit-list.mp4", "streams.mkv"};

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        const char *input = trial_sample(samples[i]), *output = trial_path(trial_format("%zu.mkv", i)), *expected = trial_path("expected.mkv");
        double ours, theirs;

        trial_render(input, output, "-q", "--codec=ffv1", NULL);
        trial_ffmpeg("-i", input, "-map", "0:v:0", "-map", "0:a:0", "-c:a", "copy", "-c:v", "ffv1", "-fps_mode", "passthrough", expected, NULL);
        ours = start_of(output, "v") - start_of(output, "a:0");
        theirs = start_of(expected, "v") - start_of(expected, "a:0");
        assert_true(ours - theirs < 1 / 48.0 + 0.0015 && theirs - ours < 1 / 48.0 + 0.0015);
    }
}

static void every_stream_of_a_matroska_file_arrives_with_its_names(void **state)
{
    const char *input = trial_sample("streams.mkv"), *output = render_as("streams.mkv", "out.mkv", fast);
    static const char entries[] =
        "stream=codec_type,codec_name:stream_tags=language,title,filename,mimetype:stream_disposition=default,comment,forced";

    (void)state;
    assert_string_equal(trial_packets(output, "a"), trial_packets(input, "a"));
    assert_string_equal(trial_packets(output, "s"), trial_packets(input, "s"));
    assert_string_equal(trial_probe(output, "a", entries), trial_probe(input, "a", entries));
    assert_string_equal(trial_probe(output, "s", entries), trial_probe(input, "s", entries));
    assert_string_equal(trial_probe(output, "t", entries), trial_probe(input, "t", entries));
}

static void attachment_arrives_whole(void **state)
{
    const char *output = render_as("streams.mkv", "out.mkv", fast), *dump = trial_path("note.txt");
    size_t size;

    (void)state;
    // ffmpeg wants an output too and complains about its absence once the attachment is written.
    trial_output(ARGUMENTS("sh", "-c", "ffmpeg -nostdin -v error -dump_attachment:t:0 \"$0\" -i \"$1\" -f null - || true", dump, output));
    assert_string_equal(trial_read(dump, &size), "just some text\n");
}

static void chapters_and_metadata_arrive(void **state)
{
    static const char *const outputs[] = {"out.mkv", "out.mp4"};
    const char *output;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        output = render_as("streams.mkv", outputs[i], fast);
        assert_has(trial_probe(output, NULL, "format_tags=title,artist"), "title=A title\n");
        assert_has(trial_probe(output, NULL, "format_tags=title,artist"), i == 0 ? "ARTIST=Nobody\n" : "artist=Nobody\n"); // Matroska's own spelling
        assert_has(trial_probe(output, NULL, "chapter=start_time,end_time:chapter_tags=title"),
                   "start_time=0.000000\nend_time=2.000000\nTAG:title=One\n");
        assert_has(trial_probe(output, NULL, "chapter=start_time,end_time:chapter_tags=title"), "end_time=4.000000\nTAG:title=Two\n");
    }
}

static void languages_and_dispositions_survive_mp4(void **state)
{
    const char *output = render_as("streams.mkv", "out.mp4", fast);

    (void)state;
    assert_has(trial_probe(output, "a", "stream_tags=language"), "TAG:language=eng\nTAG:language=deu\n");
    assert_has(trial_probe(output, "s", "stream=codec_name:stream_tags=language"), "codec_name=mov_text\nTAG:language=fra\n");
    assert_has(trial_probe(output, "a:1", "stream_disposition=default"), "default=1\n");
}

static void text_subtitles_are_converted_where_the_container_takes_no_srt(void **state)
{
    const char *output = render_as("streams.mkv", "out.mp4", fast);
    const char *text = trial_output(ARGUMENTS("ffmpeg", "-nostdin", "-v", "error", "-i", output, "-map", "0:s:0", "-f", "srt", "-"));

    (void)state;
    assert_has(text, "first");
    assert_has(text, "second");
    assert_has(text, "00:00:02,0"); // rounding to the video's clock aside
}

static void webm_gets_vp9_and_opus(void **state)
{
    const char *output = trial_path("out.webm");

    (void)state;
    trial_render(trial_sample("plain.mp4"), output, "-q", "--filter=scale=160:-2", "--encoder-options=deadline=realtime:cpu-used=8", trial_workers(),
                 NULL);
    assert_string_equal(trial_probe(output, NULL, "stream=codec_name"), "codec_name=vp9\ncodec_name=opus\n");
}

// Ogg's muxer has no list of codecs to be asked for.
static void opus_is_copied_into_ogg(void **state)
{
    const char *input = trial_sample("vp9.webm"), *output = trial_path("out.ogv");

    (void)state;
    trial_render(input, output, "-q", NULL);
    assert_string_equal(trial_probe(output, "v", "stream=codec_name"), "codec_name=theora\n");
    assert_string_equal(trial_packets(output, "a"), trial_packets(input, "a"));
}

// Its muxer writes anything, but what it has no mark for is found by nobody.
static void sound_is_converted_where_a_transport_stream_would_hide_it(void **state)
{
    static const char *const outputs[] = {"out.ts", "out.m2ts"};
    const char *input = trial_path("in.mkv");
    struct command *command;

    (void)state;
    trial_ffmpeg("-i", trial_sample("plain.mp4"), "-map", "0:v:0", "-map", "0:a:0", "-c:v", "copy", "-c:a", "flac", input, NULL);
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        command = trial_run(input, trial_path(outputs[i]), "--codec=mpeg2video", NULL);
        assert_int_equal(command->status, 0);
        assert_has(command->err, trial_format("%s: stream 1 (audio flac) is converted to mp2, since mpegts cannot hold it as it is", outputs[i]));
        assert_has(trial_probe(trial_path(outputs[i]), "a", "stream=codec_name"), "codec_name=mp2\n");
    }
    command = trial_run(input, trial_path("no.ts"), "--codec=ffv1", NULL);
    assert_int_equal(command->status, 2);
    assert_has(command->err, "no.ts: mpegts cannot hold ffv1 video (ffv1)");
}

// Its muxer has no list of codecs and wants a video before any sound.
static void mxf_gets_sound_as_it_is_and_studio_video(void **state)
{
    static const char *const codecs[] = {"mpeg2video", "jpeg2000", "h264"};
    const char *input = trial_path("in.mkv"), *output = trial_path("out.mxf");
    struct command *command;

    (void)state;
    trial_ffmpeg("-i", trial_sample("silent.mp4"), "-f", "lavfi", "-i", "sine=d=3:r=48000", "-c:v", "copy", "-c:a", "pcm_s24le", input, NULL);
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        command = trial_run(input, output, "-y", "--filter=scale=128:-2", trial_format("--codec=%s", codecs[i]), trial_workers(), NULL);
        assert_int_equal(command->status, 0);
        assert_null(strstr(command->err, "converted"));
        assert_has(trial_probe(output, NULL, "stream=codec_name"), trial_format("codec_name=%s\ncodec_name=pcm_s24le\n", codecs[i]));
    }
    trial_ffmpeg("-i", input, "-map", "0:a", "-map", "0:v", "-c", "copy", trial_path("sound-first.mkv"), NULL);
    trial_render(trial_path("sound-first.mkv"), output, "-y", "-q", "--filter=scale=128:-2", trial_workers(), NULL);
    assert_has(trial_probe(output, NULL, "stream=codec_name"), "codec_name=mpeg2video\ncodec_name=pcm_s24le\n");
    command = trial_run(input, trial_path("no.mxf"), "--codec=ffv1", NULL);
    assert_int_equal(command->status, 2);
    trial_ffmpeg("-y", "-i", trial_sample("silent.mp4"), "-f", "lavfi", "-i", "sine=d=3:r=44100", "-c:v", "copy", "-c:a", "pcm_s16le", input, NULL);
    command = trial_run(input, trial_path("no.mxf"), NULL);
    assert_int_equal(command->status, 2);
    assert_has(command->err, "stream 1 (audio pcm_s16le) cannot go into mxf; 44100 Hz is no sample rate for it");
}

// RoQ's muxer begins with anything, and writes a file that nobody can read.
static void sound_that_roq_cannot_hold_is_not_copied(void **state)
{
    const char *output = trial_path("out.roq");
    struct command *command;

    (void)state;
    command = trial_run(trial_sample("plain.mp4"), output, "--filter=scale=128:128", NULL);
    assert_int_not_equal(command->status, 0);
    assert_has(command->err, "stream 1 cannot be converted with roq_dpcm");
    trial_assert_only(trial_path("."), "tmp", NULL);
}

// Their clock is ahead of the pictures, or players would have nothing in their buffers.
static void mpeg_streams_begin_when_ffmpeg_has_them_begin(void **state)
{
    static const char *const endings[] = {"ts", "mpg"};
    const char *input = trial_sample("silent.mp4");

    (void)state;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        const char *ours = trial_path(trial_format("ours.%s", endings[i])), *theirs = trial_path(trial_format("theirs.%s", endings[i]));

        trial_ffmpeg("-i", input, "-fps_mode", "passthrough", "-c:v", "mpeg2video", theirs, NULL);
        trial_render(input, ours, "-q", "--codec=mpeg2video", "--segment=1", NULL);
        assert_string_equal(trial_probe(ours, NULL, "stream=start_time"), trial_probe(theirs, NULL, "stream=start_time"));
    }
}

static void streams_can_be_left_out(void **state)
{
    const char *input = trial_sample("streams.mkv");

    (void)state;
    trial_render(input, trial_path("a.mkv"), "-q", fast, "--no-audio", NULL);
    assert_string_equal(trial_probe(trial_path("a.mkv"), "a", "stream=codec_name"), "");
    assert_string_equal(trial_probe(trial_path("a.mkv"), "s", "stream=codec_name"), "codec_name=subrip\n");
    trial_render(input, trial_path("b.mkv"), "-q", fast, "--no-subtitles", NULL);
    assert_string_equal(trial_probe(trial_path("b.mkv"), "s", "stream=codec_name"), "");
    assert_string_equal(trial_probe(trial_path("b.mkv"), "a", "stream=codec_name"), "codec_name=aac\ncodec_name=flac\n");
}

static void stream_that_fits_nowhere_is_refused_by_name_with_a_way_out(void **state)
{
    struct command *command = trial_run(trial_sample("streams.mkv"), trial_path("out.avi"), "--codec=mpeg4", NULL);

    (void)state;
    assert_int_equal(command->status, 2); // asks for what does not exist, like an unknown codec
    assert_has(command->err, "--no-subtitles");
    assert_has(command->err, "subtitle");
    trial_assert_only(trial_path("."), "tmp", NULL);
}

// WebM has no place for H.264, AVI none for it as Matroska has it, FLV none for two.
static void other_videos_can_be_left_out(void **state)
{
    static const char *const containers[] = {"webm", "avi", "flv"};
    const char *input = trial_path("two.mkv");

    (void)state;
    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:d=1", "-map", "0:v", "-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", input, NULL);
    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
        const char *output = trial_path(trial_format("out.%s", containers[i]));

        assert_has(trial_run(input, output, NULL)->err, "--no-other-video");
        trial_render(input, output, "-q", "--no-other-video", NULL);
        assert_int_equal(atoi(strchr(trial_probe(output, NULL, "format=nb_streams"), '=') + 1), 1);
    }
    trial_render(input, trial_path("out.mp4"), "-q", NULL);
    assert_int_equal(atoi(strchr(trial_probe(trial_path("out.mp4"), NULL, "format=nb_streams"), '=') + 1), 2);
}

static void cover_picture_is_copied(void **state)
{
    const char *input = trial_sample("cover.mp4"), *output = render_as("cover.mp4", "out.mp4", fast);

    (void)state;
    assert_has(trial_probe(output, "v:1", "stream=codec_name:stream_disposition=attached_pic"), "codec_name=png\nDISPOSITION:attached_pic=1\n");
    assert_string_equal(strchr(trial_packets(output, "v:1"), '='), strchr(trial_packets(input, "v:1"), '='));
}

static void rotated_video_is_turned_upright_unless_told_otherwise(void **state)
{
    const char *output = render_as("rotated.mp4", "upright.mp4", fast);

    (void)state;
    assert_string_equal(trial_probe(output, "v", "stream=width,height"), "width=180\nheight=320\n");
    assert_null(strstr(trial_probe(output, "v", "stream_side_data=rotation"), "rotation="));
    output = render_as("rotated.mp4", "stored.mp4", "--no-autorotate");
    assert_string_equal(trial_probe(output, "v", "stream=width,height"), "width=320\nheight=180\n");
    assert_non_null(strstr(trial_probe(output, "v", "stream_side_data=rotation"), "rotation="));
}

static void aspect_ratio_survives(void **state)
{
    (void)state;
    assert_string_equal(trial_probe(render_as("anamorphic.mkv", "out.mp4", fast), "v", "stream=sample_aspect_ratio"), "sample_aspect_ratio=16:11\n");
    assert_string_equal(trial_probe(render_as("anamorphic.mkv", "out.mkv", "--codec=ffv1"), "v", "stream=sample_aspect_ratio"),
                        "sample_aspect_ratio=16:11\n");
}

static void interlaced_video_stays_interlaced(void **state)
{
    const char *output = trial_path("out.mkv"), *expected = trial_path("expected.mkv"), *input = trial_sample("interlaced.mkv");

    (void)state;
    trial_render(input, output, "-q", fast, "--encoder-options=flags=+ildct+ilme", NULL);
    trial_ffmpeg("-i", input, "-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ildct+ilme", expected, NULL);
    assert_string_equal(trial_probe(output, "v", "stream=field_order"), trial_probe(expected, "v", "stream=field_order"));
    assert_string_equal(trial_probe(output, "v", "frame=interlaced_frame,top_field_first"),
                        trial_probe(expected, "v", "frame=interlaced_frame,top_field_first"));
}

static void hdr10_survives(void **state)
{
    const char *output = trial_path("out.mkv"), *colours;

    (void)state;
    trial_render(trial_sample("hdr10.mkv"), output, "-q", "--codec=libx265", fast, NULL);
    colours = trial_probe(output, "v", "stream=pix_fmt,color_range,color_space,color_transfer,color_primaries");
    assert_has(colours, "pix_fmt=yuv420p10le\n");
    assert_has(colours, "color_range=tv\n");
    assert_has(colours, "color_space=bt2020nc\n");
    assert_has(colours, "color_transfer=smpte2084\n");
    assert_has(colours, "color_primaries=bt2020\n");
    // The container says it, so that a player knows before it decodes; the fractions may be written otherwise.
    colours = trial_probe(output, "v", "stream_side_data");
    assert_has(colours, "side_data_type=Mastering display metadata\n");
    assert_has(colours, "max_content=1000\n");
    assert_has(colours, "max_average=400\n");
}

// What was true of the bright picture is not of the one that was made of it.
static void tone_map_leaves_no_hdr10_behind(void **state)
{
    const char *output = trial_path("out.mkv"), *colours;

    (void)state;
    trial_render(trial_sample("hdr10.mkv"), output, "-q", "--codec=libx264", fast,
                 "--filter=zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable,zscale=t=bt709:m=bt709:r=tv,format=yuv420p", NULL);
    colours = trial_probe(output, "v", "stream=color_transfer:stream_side_data");
    assert_has(colours, "color_transfer=bt709\n");
    assert_null(strstr(colours, "Mastering display"));
    assert_null(strstr(colours, "Content light"));
}

static void common_encoders_fill_common_containers(void **state)
{
    static const char *const pairs[][3] = {
        {"out.mp4", "hevc", "hevc"},
        {"out.mkv", "av1", "av1"},
        {"out.mov", "prores", "prores"},
        {"out.avi", "mjpeg", "mjpeg"},
        {"out.ts", "mpeg2video", "mpeg2video"},
        {"out.mp4", "mpeg4", "mpeg4"},
        {"out.mkv", "vp9", "vp9"},
        {"out.mkv", "ffv1", "ffv1"},
        {"out.mpg", "mpeg2video", "mpeg2video"},
        {"out.ogv", "vp8", "vp8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        const char *output = trial_path(pairs[i][0]), *codec = pairs[i][1];

        trial_render(trial_sample("silent.mp4"), output, "-y", "-q", "--filter=scale=128:-2", trial_format("--codec=%s", codec), trial_workers(),
                     strcmp(codec, "av1") == 0    ? "--encoder-options=cpu-used=8:usage=realtime"
                     : strcmp(codec, "hevc") == 0 ? fast
                                                  : NULL,
                     NULL);
        assert_has(trial_probe(output, "v", "stream=codec_name"), trial_format("codec_name=%s\n", pairs[i][2]));
        assert_has(trial_output(ARGUMENTS("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of",
                                          "default=noprint_wrappers=1", output)),
                   "nb_read_frames=72\n");
    }
}

// MPEG-2 has no 12.5 frames a second; its next lower rate would put two frames on one tick.
// Where a codec has several tags they say which kind of picture it is, and whoever decodes it goes by them.
static void tags_that_tell_the_kind_of_picture_are_the_encoders(void **state)
{
    static const struct {
        const char *name, *codec, *format;
    } files[] = {
        {"a.avi", "utvideo", "yuv420p"},  {"a.mkv", "utvideo", "gbrp"},     {"a.avi", "rawvideo", "yuv420p"},       {"a.avi", "rawvideo", "yuyv422"},
        {"a.nut", "rawvideo", "yuv420p"}, {"a.mkv", "rawvideo", "yuv420p"}, {"a.mov", "prores_ks", "yuva444p10le"}, {"a.mkv", "magicyuv", "yuv444p"},
    };
    const char *input = trial_sample("silent.mp4");

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *ours = trial_path(files[i].name), *theirs = trial_path(trial_format("ffmpeg-%s", files[i].name));

        trial_ffmpeg("-y", "-i", input, "-map", "0:v:0", "-c:v", files[i].codec, "-pix_fmt", files[i].format, theirs, NULL);
        trial_render(input, ours, "-y", "-q", trial_workers(), "--segment=1", trial_format("--codec=%s", files[i].codec),
                     trial_format("--pix-fmt=%s", files[i].format), NULL);
        assert_string_equal(trial_probe(ours, "v", "stream=codec_name,codec_tag_string,pix_fmt,profile"),
                            trial_probe(theirs, "v", "stream=codec_name,codec_tag_string,pix_fmt,profile"));
        trial_assert_same_frames(ours, theirs);
    }
}

// Its muxer takes frames in memory, not packets.
static void pictures_without_an_encoder_make_a_yuv4mpeg_file(void **state)
{
    const char *input = trial_sample("silent.mp4"), *ours = trial_path("ours.y4m"), *theirs = trial_path("theirs.y4m");
    struct command *command;

    (void)state;
    trial_ffmpeg("-i", input, theirs, NULL);
    trial_render(input, ours, "-q", trial_workers(), "--segment=1", NULL);
    assert_string_equal(trial_sha256(ours), trial_sha256(theirs));
    trial_render(input, ours, "-q", "-y", trial_workers(), "--codec=rawvideo", NULL);
    assert_string_equal(trial_sha256(ours), trial_sha256(theirs));
    command = trial_run(input, trial_path("no.y4m"), "--codec=ffv1", NULL);
    assert_int_equal(command->status, 2);
    assert_has(command->err, "no.y4m: yuv4mpegpipe cannot hold ffv1 video (ffv1)");
    command = trial_run(input, trial_path("no.mkv"), "--codec=wrapped_avframe", NULL);
    assert_int_equal(command->status, 2);
    assert_has(command->err, "the encoder 'wrapped_avframe' hands frames on as they are; choose rawvideo or ffv1");
    command = trial_run(input, trial_path("no.y4m"), "--pix-fmt=rgb24", NULL);
    assert_int_equal(command->status, 1);
    assert_has(command->err, "no.y4m: the yuv4mpegpipe header cannot be written");
}

static void rate_that_the_encoder_lacks_loses_no_frame(void **state)
{
    const char *output = trial_path("out.mkv");

    (void)state;
    trial_render(trial_sample("silent.mp4"), output, "-q", "--filter=fps=25/2", "--codec=mpeg2video", NULL);
    assert_has(trial_output(ARGUMENTS("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of",
                                      "default=noprint_wrappers=1", output)),
               "nb_read_frames=38\n");
}

// Its demuxer says "again" where the sound has come to its end.
static void sound_of_a_demuxer_that_gives_up_packets_is_whole(void **state)
{
    const char *input = trial_real("suite/sgirle/pet-rle.mp4"), *output = trial_path("out.mkv");
    struct command *command = trial_run(input, output, "--codec=ffv1", trial_workers(), NULL);

    (void)state;
    assert_int_equal(command->status, 0);
    assert_null(strstr(command->err, "end early"));
    assert_string_equal(trial_packets(output, "a"), trial_packets(input, "a"));
}

// A recording that has one sound more from there on.
static const char *with_a_later_sound(const char *from_s)
{
    const char *first = trial_path("first.ts"), *second = trial_path("second.ts"), *whole = trial_path("whole.ts");
    const char *video = "testsrc2=size=160x120:rate=25", *tone = "sine=sample_rate=48000";

    trial_ffmpeg("-f", "lavfi", "-i", video, "-f", "lavfi", "-i", tone, "-t", from_s, "-c:v", "mpeg2video", "-c:a", "mp2", first, NULL);
    trial_ffmpeg("-f", "lavfi", "-i", video, "-f", "lavfi", "-i", tone, "-f", "lavfi", "-i", tone, "-map", "0", "-map", "1", "-map", "2", "-t", "2",
                 "-c:v", "mpeg2video", "-c:a", "mp2", "-output_ts_offset", from_s, "-tables_version", "1", second, NULL);
    trial_output(ARGUMENTS("sh", "-c", "cat \"$0\" \"$1\" > \"$2\"", first, second, whole));
    return whole;
}

static void last_closed_caption_is_converted(void **state)
{
    static const char captions[] = "Scenarist_SCC V1.0\n\n"
                                   "00:00:00:10\t9420 9420 94f2 94f2 c1c2 c3c4 942c 942c 942f 942f\n\n"
                                   "00:00:01:10\t9420 9420 94f2 94f2 c5c6 c7c8 942c 942c 942f 942f\n\n"
                                   "00:00:02:10\t9420 9420 94f2 94f2 c4c5 c6c7 942c 942c 942f 942f\n";
    const char *scc = trial_path("in.scc"), *input = trial_path("in.mov"), *output = trial_path("out.mkv"), *expected = trial_path("ffmpeg.mkv");

    (void)state;
    trial_write(scc, captions, sizeof(captions) - 1);
    trial_ffmpeg("-i", trial_sample("silent.mp4"), "-i", scc, "-map", "0", "-map", "1", "-c", "copy", input, NULL);
    trial_ffmpeg("-i", input, "-map", "0:s", "-c:s", "subrip", expected, NULL);
    trial_render(input, output, "-q", fast, trial_workers(), NULL);
    assert_string_equal(trial_packets(output, "s"), trial_packets(expected, "s"));
}

static void sound_that_changes_is_converted(void **state)
{
    const char *halves[] = {trial_path("stereo.ts"), trial_path("mono.ts")}, *whole = trial_path("whole.ts"), *output = trial_path("out.mpg");
    const char *channels[] = {"2", "1"}, *offsets[] = {"0", "3"}, *tones[] = {"sine=sample_rate=48000", "sine=sample_rate=44100"};

    (void)state;
    for (int i = 0; i < 2; i++)
        trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-f", "lavfi", "-i", tones[i], "-t", "2", "-c:v", "mpeg2video", "-bf", "0",
                     "-c:a", "aac", "-ac", channels[i], "-output_ts_offset", offsets[i], halves[i], NULL);
    trial_output(ARGUMENTS("sh", "-c", "cat \"$0\" \"$1\" > \"$2\"", halves[0], halves[1], whole));
    trial_render(whole, output, "-q", "--codec=mpeg2video", trial_workers(), NULL);
    // Of 1152 samples each: 4 s at 48000 Hz.
    assert_in_range(packet_count(output, "a"), 162, 170);
}

static void stream_of_a_later_program_map_arrives(void **state)
{
    const char *input = with_a_later_sound("3"), *copied = trial_path("copied.mkv"), *converted = trial_path("converted.webm");

    (void)state;
    trial_render(input, copied, "-q", "--codec=ffv1", trial_workers(), NULL);
    trial_render(input, converted, "-q", "--codec=vp8", trial_workers(), NULL);
    for (int i = 0; i < 2; i++) {
        const char *specifier = trial_format("a:%d", i);

        assert_int_equal(packet_count(copied, specifier), packet_count(input, specifier));
        assert_in_range(packet_count(converted, specifier), 1, 1000);
    }
}

// Between two parts without it the library does not see it beforehand.
static void stream_that_comes_up_in_the_middle_is_told(void **state)
{
    const char *once = with_a_later_sound("9"), *input = trial_path("long.ts"), *said;

    (void)state;
    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", "9", "-c:v", "mpeg2video",
                 "-c:a", "mp2", "-output_ts_offset", "11", "-tables_version", "2", trial_path("third.ts"), NULL);
    trial_output(ARGUMENTS("sh", "-c", "cat \"$0\" \"$1\" > \"$2\"", once, trial_path("third.ts"), input));
    said = trial_render(input, trial_path("out.mkv"), "--codec=ffv1", trial_workers(), NULL);
    assert_has(said, trial_format("%s: stream 2 (audio mp2) is left out: it comes up behind 9", input));
}

// Of encoders that may miss their bit rate by millions of bits before they mind.
static void segments_keep_to_the_bit_rate(void **state)
{
    const char *encoders[] = {"mpeg2video", "mpeg4", "flv"};
    const char *input = trial_path("noise.mkv"), *output = trial_path("out.mkv");
    struct stat about;

    (void)state;
    trial_ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=8,noise=alls=30:allf=t", "-c:v", "ffv1", "-g", "25", input, NULL);
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        trial_render(input, output, "-qy", "--bitrate=300k", "--segment=1", trial_workers(), trial_format("--codec=%s", encoders[i]), NULL);
        assert_int_equal(stat(output, &about), 0);
        assert_in_range(about.st_size, 250000, 600000); // 300,000 are asked for, one encoder makes 400,000
    }
}

// An encoder that is told to leave out pictures that are like the one before.
static void frames_that_the_encoder_leaves_out_are_told(void **state)
{
    const char *input = trial_path("still.mkv"), *output = trial_path("out.mp4"), *said;
    int left;

    (void)state;
    trial_ffmpeg("-f", "lavfi", "-i", "color=red:size=160x120:rate=25:duration=2", "-c:v", "ffv1", input, NULL);
    said = trial_render(input, output, "--codec=mpeg4", "--encoder-options=skip_threshold=1000", trial_workers(), NULL);
    left = packet_count(output, "v");
    assert_true(left < 50);
    assert_has(said, trial_format("%s: the encoder mpeg4 left out %d frames\n", output, 50 - left));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL(audio_packets_are_copied_one_by_one),
        TRIAL(audio_stays_in_sync_as_ffmpeg_has_it),
        TRIAL(every_stream_of_a_matroska_file_arrives_with_its_names),
        TRIAL(attachment_arrives_whole),
        TRIAL(chapters_and_metadata_arrive),
        TRIAL(languages_and_dispositions_survive_mp4),
        TRIAL(text_subtitles_are_converted_where_the_container_takes_no_srt),
        TRIAL(webm_gets_vp9_and_opus),
        TRIAL(opus_is_copied_into_ogg),
        TRIAL(sound_is_converted_where_a_transport_stream_would_hide_it),
        TRIAL(mxf_gets_sound_as_it_is_and_studio_video),
        TRIAL(sound_that_roq_cannot_hold_is_not_copied),
        TRIAL(mpeg_streams_begin_when_ffmpeg_has_them_begin),
        TRIAL(streams_can_be_left_out),
        TRIAL(other_videos_can_be_left_out),
        TRIAL(stream_that_fits_nowhere_is_refused_by_name_with_a_way_out),
        TRIAL(cover_picture_is_copied),
        TRIAL(rotated_video_is_turned_upright_unless_told_otherwise),
        TRIAL(aspect_ratio_survives),
        TRIAL(interlaced_video_stays_interlaced),
        TRIAL(hdr10_survives),
        TRIAL(tone_map_leaves_no_hdr10_behind),
        TRIAL(common_encoders_fill_common_containers),
        TRIAL(tags_that_tell_the_kind_of_picture_are_the_encoders),
        TRIAL(pictures_without_an_encoder_make_a_yuv4mpeg_file),
        TRIAL(rate_that_the_encoder_lacks_loses_no_frame),
        TRIAL(sound_of_a_demuxer_that_gives_up_packets_is_whole),
        TRIAL(last_closed_caption_is_converted),
        TRIAL(sound_that_changes_is_converted),
        TRIAL(stream_of_a_later_program_map_arrives),
        TRIAL(stream_that_comes_up_in_the_middle_is_told),
        TRIAL(segments_keep_to_the_bit_rate),
        TRIAL(frames_that_the_encoder_leaves_out_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
