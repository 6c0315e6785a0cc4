// The sink on real files: a clip's own video packets stand for rendered ones, everything else must arrive. The ffmpeg program makes the clips and
// reads the results. Streams are converted by this same program, started again with --convert.
#include "coordinator/sink.h"

#include "common/packets.h"
#include "common/retime.h"
#include "renderer/convert.h"

#include <libavutil/mastering_display_metadata.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PACKETS_OF_DAMAGED = 20 }; // also when a converter meets its fate

static bool converting; // this is the child

static char folder[] = "/tmp/renderfarm-test-sink-XXXXXX";
static char *why;
static struct sink_facts facts;

// What children that convert meet in the middle of their work, a letter for each child that comes: they inherit the pipe.
static int fates[2];

static void meet_fate(const AVFormatContext *input)
{
    char fate = 0;

    if (read(atoi(getenv("FATES")), &fate, 1) != 1)
        return;
    if (fate == 'c')
        __builtin_trap(); // crash
    while (fate == 'h')
        pause(); // hang
    // Reads what nobody wants for longer than a child may be silent.
    for (int i = 0; fate == 'r' && i < 30; i++) {
        usleep(50000);
        input->interrupt_callback.callback(input->interrupt_callback.opaque);
    }
}

// In the place of the library's, which it calls: what is named damaged cannot be read further from somewhere on, nor what lies on a broken disk.
int av_read_frame(AVFormatContext *input, AVPacket *packet)
{
    static int (*real)(AVFormatContext *, AVPacket *), packets_converted;
    int err;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "av_read_frame");
    if (converting && ++packets_converted == PACKETS_OF_DAMAGED)
        meet_fate(input);
    if (!strstr(input->url, "damaged") && !strstr(input->url, "broken"))
        return real(input, packet);
    if ((intptr_t)input->opaque == PACKETS_OF_DAMAGED) {
        input->pb->error = strstr(input->url, "broken") ? AVERROR(EIO) : 0;
        return AVERROR_INVALIDDATA;
    }
    err = real(input, packet);
    input->opaque = (void *)((intptr_t)input->opaque + 1);
    return err;
}

// Runs a shell command in the test's folder and returns what it prints, without the last line end. The text lives until the call after the next.
static const char *shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *shell(const char *format, ...)
{
    static char texts[2][1 << 16];
    static int turn;
    char command[4096], *text = texts[turn ^= 1];
    size_t length = (size_t)snprintf(command, sizeof(command), "cd %s && ", folder);
    va_list args;
    FILE *pipe;

    va_start(args, format);
    vsnprintf(command + length, sizeof(command) - length, format, args);
    va_end(args);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    length = fread(text, 1, sizeof(texts[0]) - 1, pipe);
    if (pclose(pipe) != 0)
        fail_msg("failed: %s", command);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    return text;
}

static const char *path(const char *name)
{
    static char paths[4][256];
    static int turn;
    char *text = paths[turn = (turn + 1) % 4];

    snprintf(text, sizeof(paths[0]), "%s/%s", folder, name);
    return text;
}

static int64_t video_shift; // of all times of the video, in its ticks
static enum AVColorTransferCharacteristic video_transfer =
    AVCOL_TRC_UNSPECIFIED; // what filters made of it; its frames still say how bright they were

// What a probe would have said, had an encoder made the input's video packets.
static Wire__Probed *probed_like(const AVFormatContext *input, const AVStream *st)
{
    Wire__Probed *video = calloc(1, sizeof(*video));

    (void)input;
    wire__probed__init(video);
    packets_parameters_to_wire(&video->output, st->codecpar);
    video->output->codec_tag = 0; // the container's; an encoder sets one only where it tells the kind of picture
    if (video_transfer != AVCOL_TRC_UNSPECIFIED) {
        AVContentLightMetadata light = {.MaxCLL = 1000, .MaxFALL = 400};

        video->output->color_trc = (int32_t)video_transfer;
        packets_side_data_append(&video->output_side_data, &video->n_output_side_data, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, &light, sizeof(light));
    }
    video->output_time_base = packets_rational_to_wire(st->time_base);
    video->output_frame_rate = packets_rational_to_wire(st->avg_frame_rate);
    video->encoder_name = strdup("libexample");
    video->has_first_pts = true;
    video->first_pts = video_shift;
    return video;
}

static int write_video(struct sink *sink, AVFormatContext *input, int stream)
{
    struct retime retime;
    AVPacket *packet = av_packet_alloc();
    struct chunk *chunk = chunk_new(0);
    int err = 0;

    retime_init(&retime, input, AV_NOPTS_VALUE);
    while (!err && av_read_frame(input, packet) >= 0) {
        if (packet->stream_index == stream && retime_packet(&retime, packet)) {
            retime_copy(&retime, packet);
            packet->pts += video_shift;
            packet->dts += video_shift;
            chunk_take(chunk, &packet);
            packet = av_packet_alloc();
        } else {
            av_packet_unref(packet);
        }
        if (chunk->packet_count == 10) {
            err = sink_write(sink, &chunk, &why);
            assert_null(chunk);
            chunk = chunk_new(0);
        }
    }
    if (!err)
        err = sink_write(sink, &chunk, &why);
    chunk_free(&chunk);
    av_packet_free(&packet);
    retime_clear(&retime);
    return err;
}

static int main_video(const AVFormatContext *input)
{
    for (unsigned i = 0; i < input->nb_streams; i++)
        if (input->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !(input->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC))
            return (int)i;
    return -1;
}

// Everything from sink_open to sink_close, with the video of the input as it is.
static int pass_through(struct sink_setup setup)
{
    AVFormatContext *input = NULL;
    struct sink *sink = NULL;
    int err;

    free(why);
    why = NULL;
    sink_facts_clear(&facts);
    setup.renderer = "/proc/self/exe";
    err = sink_open(&sink, &setup, &facts, &why);
    if (!err) {
        Wire__Probed *video;
        int stream;

        assert_int_equal(avformat_open_input(&input, setup.input, NULL, NULL), 0);
        assert_true(avformat_find_stream_info(input, NULL) >= 0);
        stream = main_video(input);
        video = probed_like(input, input->streams[stream]);
        err = sink_start(sink, video, &why);
        wire__probed__free_unpacked(video, NULL);
        if (!err)
            err = write_video(sink, input, stream);
        if (!err)
            err = sink_finish(sink, &why);
        if (!err)
            assert_true(sink_bytes(sink) > 0);
        avformat_close_input(&input);
    }
    sink_close(&sink);
    return err;
}

static void pass(const char *input, const char *output, const char *codec)
{
    int err = pass_through((struct sink_setup){.input = path(input), .output = path(output), .codec = codec, .overwrite = true, .autorotate = true});

    if (err)
        fail_msg("%s to %s: %s", input, output, why ? why : "no sentence");
    assert_null(why);
    assert_string_equal(shell("ls -A | grep renderfarm- || true"), ""); // no temporary file is left
}

static void assert_same_packets(const char *a, const char *b, const char *streams)
{
    static const char format[] = "ffmpeg -v error -i %s -map %s -c copy -f streamhash -hash md5 -";

    assert_string_equal(shell(format, a, streams), shell(format, b, streams));
}

static const char *show(const char *file, const char *what)
{
    return shell("ffprobe -v error -of compact=nk=1:p=0 %s %s", what, file);
}

static int make_clips(void **state)
{
    char text[16];

    (void)state;
    if (!mkdtemp(folder) || pipe2(fates, O_NONBLOCK) < 0)
        return -1;
    snprintf(text, sizeof(text), "%d", fates[0]);
    setenv("FATES", text, 1);
    shell("printf '1\\n00:00:00,500 --> 00:00:01,000\\nHello\\n\\n2\\n00:00:02,000 --> 00:00:02,500\\n<i>World</i>\\n' > a.srt");
    shell("printf ';FFMETADATA1\\ntitle=The "
          "Film\\n[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=0\\nEND=1500\\ntitle=One\\n[CHAPTER]\\nTIMEBASE=1/1000\\nSTART=1500\\nEND=3000\\n"
          "title=Two\\n' > chapters.txt");
    shell("echo not really a font > font.ttf");
    shell("ffmpeg -v error -f lavfi -i testsrc=s=64x64 -frames:v 1 cover.png");
    shell("ffmpeg -v error -f lavfi -i testsrc=s=160x120:r=25:d=3 -f lavfi -i sine=440:d=3 -f lavfi -i sine=880:d=3 -i a.srt -i chapters.txt -map 0 "
          "-map 1 -map 2 -map 3 "
          "-map_metadata 4 -c:v libx264 -preset veryfast -g 25 -c:a aac -metadata:s:a:0 language=deu -metadata:s:a:1 language=eng -metadata:s:a:1 "
          "title=Comments "
          "-metadata:s:s:0 language=fre -disposition:a:0 0 -disposition:a:1 default+comment -disposition:s:0 forced -attach font.ttf -metadata:s:t:0 "
          "mimetype=application/x-truetype-font full.mkv");
    shell("ffmpeg -v error -f lavfi -i testsrc=s=160x120:r=25:d=3 -f lavfi -i sine=440:d=3 -i cover.png -i chapters.txt -map 0 -map 1 -map 2 "
          "-map_metadata 3 -c:v:0 libx264 "
          "-preset veryfast -c:a aac -metadata:s:a:0 language=deu -c:v:1 copy -disposition:v:1 attached_pic cover.mp4");
    shell("ffmpeg -v error -i cover.mp4 -map 0:v:0 -map 0:a -c copy plain.mp4");
    shell("ffmpeg -v error -i cover.mp4 -map 0:v:0 -map 0:a -c copy -metadata service_name=Channel plain.ts");
    shell(
        "ffmpeg -v error -i full.mkv -map 0:v -map 0:a:0 -map 0:s -c:v libvpx -deadline realtime -cpu-used 8 -b:v 100k -c:a copy -c:s copy vp8.mkv");
    return 0;
}

static int remove_clips(void **state)
{
    (void)state;
    free(why);
    sink_facts_clear(&facts);
    shell("rm -rf '%s'", folder);
    return 0;
}

static void every_stream_of_a_matroska_file_arrives_as_it_was(void **state)
{
    const char *what =
        "-show_entries "
        "stream=codec_name,codec_type:stream_disposition=default,forced,comment:stream_tags=language,title,filename,mimetype:format_tags=title";

    (void)state;
    pass("full.mkv", "out.mkv", "libx264");
    assert_int_equal(facts.note_count, 0);
    assert_string_equal(facts.encoder, "libx264");
    assert_true(facts.global_header);
    assert_string_equal(show("full.mkv", what), show("out.mkv", what));
    assert_same_packets("full.mkv", "out.mkv", "0:v");
    assert_same_packets("full.mkv", "out.mkv", "0:a");
    assert_same_packets("full.mkv", "out.mkv", "0:s");
    assert_string_equal(show("full.mkv", "-show_entries packet=stream_index,pts_time,flags -select_streams a"),
                        show("out.mkv", "-show_entries packet=stream_index,pts_time,flags -select_streams a"));
    assert_string_equal(
        shell("cmp font.ttf out.ttf 2>/dev/null; ffmpeg -v quiet -dump_attachment:t:0 out.ttf -i out.mkv; cmp font.ttf out.ttf && echo same"),
        "same");
}

static void chapters_arrive_with_their_titles(void **state)
{
    (void)state;
    pass("full.mkv", "chapters.mkv", "libx264");
    assert_string_equal(show("chapters.mkv", "-show_entries chapter=start_time,end_time:chapter_tags=title"),
                        "0.000000|1.500000|One\n1.500000|3.000000|Two");
    pass("plain.mp4", "chapters.mp4", "libx264");
    assert_string_equal(show("chapters.mp4", "-show_entries chapter=start_time,end_time:chapter_tags=title"),
                        "0.000000|1.500000|One\n1.500000|3.000000|Two");
    assert_int_equal(facts.note_count, 0);
}

static void a_chapter_that_never_ends_stays_one_when_it_moves(void **state)
{
    const double start_s = -1;

    (void)state;
    shell("printf ';FFMETADATA1\\n[CHAPTER]\\nTIMEBASE=1/1000000000\\nSTART=500000000\\nEND=9223372036854775807\\ntitle=Endless\\n' > endless.txt");
    shell("ffmpeg -v error -i plain.mp4 -i endless.txt -map 0:v:0 -map 0:a -map_metadata 1 -map_chapters 1 -c copy endless.mkv");
    if (pass_through((struct sink_setup){
            .input = path("endless.mkv"), .output = path("endless-out.mkv"), .codec = "libx264", .autorotate = true, .start_s = &start_s}) < 0)
        fail_msg("%s", why);
    assert_string_equal(show("endless-out.mkv", "-show_entries chapter=start_time:chapter_tags=title"), "1.500000|Endless");
}

static void copied_sound_keeps_packets_and_times_in_mp4(void **state)
{
    (void)state;
    pass("plain.mp4", "out.mp4", "libx264");
    assert_same_packets("plain.mp4", "out.mp4", "0:a");
    assert_string_equal(show("plain.mp4", "-show_entries packet=stream_index,pts_time"),
                        show("out.mp4", "-show_entries packet=stream_index,pts_time"));
}

static void video_keeps_its_times_in_matroska_although_the_sound_begins_earlier(void **state)
{
    (void)state;
    pass("plain.mp4", "early.mkv", "libx264");
    assert_string_equal(
        shell("ffprobe -v error -of compact=nk=1:p=0 -select_streams v -show_entries packet=pts_time early.mkv | tr -d '|' | sort -g | head -n 2"),
        "0.000000\n0.040000");
    assert_string_equal(
        shell("ffprobe -v error -of compact=nk=1:p=0 -select_streams a -show_entries packet=pts_time early.mkv | tr -d '|' | head -n 2"),
        "-0.023000\n0.000000");
    assert_same_packets("plain.mp4", "early.mkv", "0:a");
}

// Who reads Matroska guesses at the times of pictures before zero.
static void video_that_begins_before_zero_is_shifted_in_matroska(void **state)
{
    (void)state;
    video_shift = -1600; // of 1/12800 s
    pass("plain.mp4", "negative.mkv", "libx264");
    video_shift = 0;
    assert_string_equal(
        shell("ffprobe -v error -of compact=nk=1:p=0 -select_streams v -show_entries packet=pts_time negative.mkv | tr -d '|' | sort -g | head -n 2"),
        "0.000000\n0.040000");
}

static void cover_picture_arrives_in_mp4_and_matroska(void **state)
{
    const char *what = "-select_streams v -show_entries stream=codec_name:stream_disposition=attached_pic";

    (void)state;
    pass("cover.mp4", "cover-out.mp4", "libx264");
    assert_string_equal(show("cover-out.mp4", what), "h264|0\npng|1");
    assert_same_packets("cover.mp4", "cover-out.mp4", "0:v:1");
    pass("cover.mp4", "cover-out.mkv", "libx264");
    assert_string_equal(show("cover-out.mkv", what), "h264|0\npng|1");
    assert_same_packets("cover.mp4", "cover-out.mkv", "0:v:1");
}

static void transport_stream_goes_to_mp4_and_back(void **state)
{
    (void)state;
    pass("plain.ts", "from-ts.mp4", "libx264");
    assert_string_equal(shell("ffmpeg -v error -i plain.ts -map 0:a -f md5 -"), shell("ffmpeg -v error -i from-ts.mp4 -map 0:a -f md5 -"));
    pass("from-ts.mp4", "again.ts", "libx264");
    assert_string_equal(shell("ffmpeg -v error -i plain.ts -map 0:v -f md5 -"), shell("ffmpeg -v error -i again.ts -map 0:v -f md5 -"));
    pass("plain.ts", "service.ts", "libx264");
    assert_non_null(strstr(show("service.ts", "-show_entries program_tags=service_name"), "Channel"));
}

static void channels_that_only_have_a_number_are_the_usual_ones(void **state)
{
    static const char *const layouts[] = {"mono", "5.1", "7.1"};

    (void)state;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        shell("ffmpeg -v error -y -i plain.mp4 -map 0:v -map 0:a -af aformat=channel_layouts=%s -c:v copy -c:a pcm_s16le pcm.mkv", layouts[i]);
        pass("pcm.mkv", "pcm.mov", "libx264");
        assert_string_equal(show("pcm.mov", "-select_streams a -show_entries stream=codec_name,channel_layout"), i == 0   ? "pcm_s16le|mono"
                                                                                                                 : i == 1 ? "pcm_s16le|5.1"
                                                                                                                          : "pcm_s16le|7.1");
        assert_same_packets("pcm.mkv", "pcm.mov", "0:a");
    }
}

static void brightness_goes_along_unless_the_picture_was_tone_mapped(void **state)
{
    static const enum AVColorTransferCharacteristic transfers[] = {AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67, AVCOL_TRC_BT709};
    static const char what[] = "-select_streams v -show_entries stream=color_transfer:stream_side_data=max_content";

    (void)state;
    shell("ffmpeg -v error -y -i plain.mp4 -an -c:v libx264 -preset veryfast -color_trc smpte2084 pq.mkv");
    for (size_t i = 0; i < sizeof(transfers) / sizeof(transfers[0]); i++) {
        video_transfer = transfers[i];
        pass("pq.mkv", "mapped.mkv", "libx264");
        if (i < 2)
            assert_non_null(strstr(show("mapped.mkv", what), "1000"));
        else
            assert_null(strstr(show("mapped.mkv", what), "1000"));
    }
    shell("ffmpeg -v error -y -i plain.mp4 -an -c copy sdr.mkv");
    pass("sdr.mkv", "mapped.mkv", "libx264");
    assert_non_null(strstr(show("mapped.mkv", what), "1000")); // it was there before, and nobody has changed the picture
    video_transfer = AVCOL_TRC_UNSPECIFIED;
}

static void avi_takes_video_and_sound(void **state)
{
    (void)state;
    shell("ffmpeg -v error -y -i plain.mp4 -map 0 -c:v mpeg4 -c:a copy mpeg4.mp4");
    pass("mpeg4.mp4", "out.avi", "mpeg4");
    assert_false(facts.global_header);
    assert_same_packets("plain.mp4", "out.avi", "0:a");
}

static void sound_and_subtitles_are_converted_for_webm(void **state)
{
    (void)state;
    pass("vp8.mkv", "out.webm", "libvpx");
    assert_int_equal(facts.note_count, 2);
    assert_string_equal(show("out.webm", "-show_entries stream=codec_name:stream_tags=language"), "vp8\nopus|deu\nwebvtt|fre");
    assert_same_packets("vp8.mkv", "out.webm", "0:v");
    // As long as it was, and in sync: the tone begins with the picture, within a millisecond.
    assert_string_equal(
        shell("ffmpeg -v error -i out.webm -map 0:a -ar 44100 -f s16le - | wc -c | awk '{ print ($1 > 2 * 44100 * 2.99 && $1 < 2 * 44100 * 3.06) }'"),
        "1");
    assert_string_equal(show("out.webm", "-select_streams s -show_entries packet=pts_time,duration_time"),
                        show("vp8.mkv", "-select_streams s -show_entries packet=pts_time,duration_time"));
    assert_string_equal(shell("ffmpeg -v error -i out.webm -map 0:s -f srt - | grep -c -e Hello -e '<i>World'"), "2");
}

static void subtitles_become_mov_text_in_mp4(void **state)
{
    (void)state;
    pass("full.mkv", "subtitles.mp4", "libx264");
    assert_int_equal(facts.note_count, 2); // converted subtitles, a font without a place
    assert_string_equal(show("subtitles.mp4", "-select_streams s -show_entries stream=codec_name:stream_tags=language"), "mov_text|fre");
    assert_string_equal(shell("ffmpeg -v error -i subtitles.mp4 -map 0:s -f srt -"), shell("ffmpeg -v error -i full.mkv -map 0:s -f srt -"));
    assert_same_packets("full.mkv", "subtitles.mp4", "0:a");
}

// What the sink says on standard error while it passes the input through.
static const char *said(const char *input, const char *output, const char *codec)
{
    static char text[4096];
    int saved = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    int err;

    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    err = pass_through(
        (struct sink_setup){.input = path(input), .output = path(output), .codec = codec, .autorotate = true, .overwrite = true, .stall_s = 1});
    dup2(saved, STDERR_FILENO);
    if (err)
        fail_msg("%s to %s: %s", input, output, why ? why : "no sentence");
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void streams_that_cannot_be_read_to_their_end_are_told(void **state)
{
    (void)state;
    shell("ffmpeg -v error -i plain.mp4 -map 0:v -map 0:a -c:v copy -c:a flac whole.mkv && cp whole.mkv damaged.mkv");
    assert_string_equal(said("whole.mkv", "whole.ts", "libx264"), "");
    assert_int_equal(facts.note_count, 1); // it is converted
    assert_non_null(strstr(said("damaged.mkv", "copied.mkv", "libx264"), "damaged.mkv: the streams beside the video end early: "));
    assert_non_null(strstr(said("damaged.mkv", "damaged.ts", "libx264"), "damaged.mkv: the converted streams beside the video end early: "));
    shell("mkdir broken && cp whole.mkv broken");
    assert_int_equal(pass_through((struct sink_setup){.input = path("broken/whole.mkv"), .output = path("broken.ts"), .codec = "libx264"}), -EIO);
    assert_non_null(strstr(why, "broken/whole.mkv: cannot be read to its end: "));
}

static void assert_no_child_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_converter_that_crashes_or_hangs_is_started_again(void **state)
{
    static const char *const cases[][2] = {
        {"c", "fates.mkv: the conversion of its other streams was ended by signal "},
        {"h", "fates.mkv: the conversion of its other streams hangs: no sign of life for 1 s (see --stall-timeout); it is started again\n"},
        {"cc", "; it is started again\n"},
    };

    (void)state;
    shell("ffmpeg -v error -i plain.mp4 -map 0:v -map 0:a -c:v copy -c:a flac fates.mkv");
    pass("fates.mkv", "undisturbed.ts", "libx264");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(write(fates[1], cases[i][0], strlen(cases[i][0])), strlen(cases[i][0]));
        assert_non_null(strstr(said("fates.mkv", "disturbed.ts", "libx264"), cases[i][1]));
        assert_string_equal(shell("cmp undisturbed.ts disturbed.ts && echo same"), "same");
        assert_no_child_left();
    }
}

static void a_converter_that_has_to_read_much_does_not_hang(void **state)
{
    (void)state;
    assert_int_equal(write(fates[1], "r", 1), 1);
    assert_string_equal(said("fates.mkv", "disturbed.ts", "libx264"), "");
}

static void a_converter_that_crashes_each_time_is_told(void **state)
{
    (void)state;
    assert_int_equal(write(fates[1], "ccc", 3), 3);
    assert_int_equal(pass_through((struct sink_setup){.input = path("fates.mkv"), .output = path("never.ts"), .codec = "libx264"}), -EIO);
    assert_non_null(strstr(why, "fates.mkv: the conversion of its other streams was ended by signal "));
    assert_non_null(strstr(why, "); it was started again 2 times already; leave them out with --no-audio"));
    assert_no_child_left();
}

static void two_runs_write_the_same_bytes(void **state)
{
    static const char *const runs[][3] = {
        {"full.mkv", "mkv", "libx264"}, {"cover.mp4", "mp4", "libx264"}, {"vp8.mkv", "webm", "libvpx"}, {"plain.mp4", "ts", "libx264"}};

    (void)state;
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        char first[64], second[64];

        snprintf(first, sizeof(first), "first.%s", runs[i][1]);
        snprintf(second, sizeof(second), "second.%s", runs[i][1]);
        pass(runs[i][0], first, runs[i][2]);
        pass(runs[i][0], second, runs[i][2]);
        assert_string_equal(shell("cmp %s %s && echo same", first, second), "same");
    }
}

static void assert_refused(struct sink_setup setup, int code, const char *words)
{
    int err;

    setup.autorotate = true;
    err = pass_through(setup);
    assert_int_equal(err, code);
    assert_non_null(why);
    if (!strstr(why, words))
        fail_msg("'%s' does not say '%s'", why, words);
    assert_string_equal(shell("ls -A | grep renderfarm- || true"), "");
}

static void outputs_that_cannot_be_are_refused(void **state)
{
    (void)state;
    shell("touch there.mp4; ln -sf plain.mp4 alias.mp4; mkdir -p dir.mp4; : > file");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("there.mp4")}, -EEXIST, "--overwrite");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("alias.mp4"), .overwrite = true}, -EINVAL, "is the input itself");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("missing/x.mp4")}, -ENOENT, "there is no folder");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("dir.mp4"), .overwrite = true}, -EISDIR, "folder");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x.unheard")}, -EINVAL, "container");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x")}, -EINVAL, "container");
    if (geteuid() != 0) {
        shell("mkdir -p closed && chmod 555 closed");
        assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("closed/x.mp4")}, -EACCES, "cannot be written");
    }
}

static void unknown_and_unfit_encoders_are_refused(void **state)
{
    (void)state;
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x.mp4"), .codec = "foo"}, -EINVAL,
                   "unknown encoder or codec 'foo'");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x.mp4"), .codec = "aac"}, -EINVAL, "no video encoder");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x.webm"), .codec = "libx264"}, -EINVAL,
                   "webm cannot hold h264 video (libx264); choose another --codec or .mkv");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x.mkv"), .codec = "dnxhd"}, -EINVAL,
                   "matroska cannot hold dnxhd video (dnxhd); choose another --codec or .mov");
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x.mkv"), .codec = "a64multi"}, -EINVAL, "choose another --codec");
    assert_null(strstr(why, "or ."));
    assert_refused((struct sink_setup){.input = path("plain.mp4"), .output = path("x.mp3")}, -EINVAL, "mp3");
    pass("plain.mp4", "by-codec.mp4", "h264");
    assert_string_equal(facts.encoder, "libx264");
    pass("plain.mp4", "by-default.mp4", NULL);
    assert_string_equal(facts.encoder, "libx264");
}

static void inputs_without_video_are_refused(void **state)
{
    (void)state;
    assert_refused((struct sink_setup){.input = path("gone.mp4"), .output = path("x.mp4")}, AVERROR(ENOENT), "gone.mp4");
    assert_refused((struct sink_setup){.input = path("font.ttf"), .output = path("x.mp4")}, AVERROR_INVALIDDATA, "font.ttf");
    shell("ffmpeg -v error -y -i plain.mp4 -map 0:a -c copy sound.mp4");
    assert_refused((struct sink_setup){.input = path("sound.mp4"), .output = path("x.mp4")}, AVERROR_STREAM_NOT_FOUND, "no video stream");
}

static void closing_early_leaves_nothing_behind(void **state)
{
    struct sink_setup setup = {.input = path("vp8.mkv"), .output = path("never.webm"), .renderer = "/proc/self/exe"};
    AVFormatContext *input = NULL;
    struct sink *sink = NULL;
    Wire__Probed *video;

    (void)state;
    sink_facts_clear(&facts);
    assert_int_equal(sink_open(&sink, &setup, &facts, &why), 0);
    assert_int_equal(avformat_open_input(&input, setup.input, NULL, NULL), 0);
    assert_true(avformat_find_stream_info(input, NULL) >= 0);
    video = probed_like(input, input->streams[0]);
    assert_int_equal(sink_start(sink, video, &why), 0);
    wire__probed__free_unpacked(video, NULL);
    avformat_close_input(&input);
    sink_close(&sink);
    assert_string_equal(shell("ls -A | grep -e renderfarm- -e never || true"), "");
}

static void missing_converter_is_named(void **state)
{
    struct sink_setup setup = {.input = path("vp8.mkv"), .output = path("x.webm"), .renderer = "/nowhere/renderer"};
    struct sink *sink = NULL;

    (void)state;
    free(why);
    why = NULL;
    sink_facts_clear(&facts);
    assert_int_equal(sink_open(&sink, &setup, &facts, &why), -ENOENT);
    assert_non_null(strstr(why, "/nowhere/renderer"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_of_a_matroska_file_arrives_as_it_was),
        cmocka_unit_test(chapters_arrive_with_their_titles),
        cmocka_unit_test(a_chapter_that_never_ends_stays_one_when_it_moves),
        cmocka_unit_test(copied_sound_keeps_packets_and_times_in_mp4),
        cmocka_unit_test(video_keeps_its_times_in_matroska_although_the_sound_begins_earlier),
        cmocka_unit_test(video_that_begins_before_zero_is_shifted_in_matroska),
        cmocka_unit_test(cover_picture_arrives_in_mp4_and_matroska),
        cmocka_unit_test(transport_stream_goes_to_mp4_and_back),
        cmocka_unit_test(channels_that_only_have_a_number_are_the_usual_ones),
        cmocka_unit_test(brightness_goes_along_unless_the_picture_was_tone_mapped),
        cmocka_unit_test(avi_takes_video_and_sound),
        cmocka_unit_test(sound_and_subtitles_are_converted_for_webm),
        cmocka_unit_test(subtitles_become_mov_text_in_mp4),
        cmocka_unit_test(streams_that_cannot_be_read_to_their_end_are_told),
        cmocka_unit_test(a_converter_that_crashes_or_hangs_is_started_again),
        cmocka_unit_test(a_converter_that_has_to_read_much_does_not_hang),
        cmocka_unit_test(a_converter_that_crashes_each_time_is_told),
        cmocka_unit_test(two_runs_write_the_same_bytes),
        cmocka_unit_test(outputs_that_cannot_be_are_refused),
        cmocka_unit_test(unknown_and_unfit_encoders_are_refused),
        cmocka_unit_test(inputs_without_video_are_refused),
        cmocka_unit_test(closing_early_leaves_nothing_behind),
        cmocka_unit_test(missing_converter_is_named),
    };

    if (argc > 1 && strcmp(argv[1], "--convert") == 0) {
        converting = true;
        return convert_main(argc, argv);
    }
    av_log_set_level(AV_LOG_QUIET);
    return cmocka_run_group_tests(tests, make_clips, remove_clips);
}
