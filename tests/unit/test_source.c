// Inputs cut into segments, on clips that the ffmpeg program makes; and inputs that cannot be read.
#include "coordinator/source.h"

#include "coordinator/gaps.h"

#include "common/avx.h"
#include "renderer/decode.h"
#include "tests/support/range.h"

#include <libavformat/avformat.h>

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_source.XXXXXX";
static char path[256];

// Makes a clip in the folder; the path of it is `path`. Skips the test where the libraries lack the encoder.
static void make_clip(const char *name, const char *arguments)
{
    const char *codec = strstr(arguments, "-c:v ");
    char command[1024], encoder[64];

    if (codec && sscanf(codec, "-c:v %63s", encoder) == 1 && !avcodec_find_encoder_by_name(encoder))
        skip();
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(command, sizeof(command), "ffmpeg -v error -nostdin -y %s %s </dev/null", arguments, path);
    assert_int_equal(system(command), 0);
}

#define PICTURE "-f lavfi -i testsrc2=size=160x120:rate=25:duration=4 -pix_fmt yuv420p "

static void write_file(const char *name, const void *data, size_t size)
{
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

struct frame_list {
    uint64_t hashes[512];
    int64_t pts[512];
    size_t count;
};

// What reading a clip gave.
struct reading {
    struct source_facts facts;
    uint64_t packets[1024]; // hashes
    size_t packet_count;
    int64_t starts[256];
    size_t segment_count;
    uint64_t frames_hint;
    struct frame_list frames;
    char note[200], damage[400];
};

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t packet_hash(const AVPacket *packet)
{
    return hash(hash(hash(1, &packet->pts, sizeof(packet->pts)), &packet->dts, sizeof(packet->dts)), packet->data, (size_t)packet->size);
}

static void take_frames(struct decode *decode, struct frame_list *list, int64_t keep_from)
{
    AVFrame *frame = av_frame_alloc();

    while (decode_receive(decode, frame) >= 0) {
        uint64_t h = 1;

        // A frame that is dropped here would be missing.
        assert_true(frame->pts >= keep_from);
        assert_true(list->count < 512);
        for (int y = 0; y < frame->height; y++)
            h = hash(h, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], (size_t)frame->width);
        list->pts[list->count] = frame->pts;
        list->hashes[list->count++] = h;
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
}

static void read_run(struct source_run *run, struct reading *r, const Wire__Job *job, struct decode **decode)
{
    assert_true(run->chunk->packet_count > 0);
    assert_int_equal(run->keep_to, INT64_MAX);
    if (run->first) {
        assert_null(*decode); // the one before was marked as the last
        assert_int_equal(run->segment, r->segment_count);
        assert_int_equal(run->chunk->sequence, 0);
        r->starts[r->segment_count++] = run->keep_from;
        assert_int_equal(decode_new(decode, job, NULL, 0, 1, NULL), 0);
    }
    r->frames_hint += run->frames_hint;
    for (size_t i = 0; i < run->chunk->packet_count; i++) {
        AVPacket *packet = run->chunk->packets[i];

        assert_true(packet->pts <= run->last_pts);
        r->packets[r->packet_count++] = packet_hash(packet);
        decode_send(*decode, packet);
        take_frames(*decode, &r->frames, run->keep_from);
    }
    if (run->chunk->last) {
        decode_send(*decode, NULL);
        take_frames(*decode, &r->frames, run->keep_from);
        decode_free(decode);
    }
    chunk_free(&run->chunk);
}

static void read_clip(struct reading *r, double segment_s, size_t head_packets)
{
    Wire__Job job = WIRE__JOB__INIT;
    struct decode *decode = NULL;
    struct source *source = NULL;
    struct source_run run;
    struct chunk_list head = {0};
    char *why = NULL;
    bool eof;

    memset(r, 0, sizeof(*r));
    if (source_open(&source, path, &r->facts, &why) < 0)
        fail_msg("%s", why);
    for (size_t packets = head_packets; packets; packets /= 2) {
        assert_int_equal(source_head(source, packets, 0, &head, &eof, &why), 0);
        assert_true(eof || head.count > 0);
        chunk_list_clear(&head);
    }
    source_start(source, r->facts.cuttable, segment_s, 0);
    job.input = r->facts.parameters;
    job.input_time_base = r->facts.time_base;
    job.input_frame_rate = r->facts.frame_rate;
    job.input_average_rate = r->facts.average_rate;
    for (;;) {
        if (source_next(source, &run, &why) < 0)
            fail_msg("%s", why);
        if (run.eof)
            break;
        read_run(&run, r, &job, &decode);
    }
    assert_null(decode);
    if (source_cut_note(source))
        snprintf(r->note, sizeof(r->note), "%s", source_cut_note(source));
    if (source_damage(source))
        snprintf(r->damage, sizeof(r->damage), "%s", source_damage(source));
    source_close(&source);
}

// Reads the clip in one piece and cut as often as can be, and compares packets and decoded frames. The caller clears r->facts.
static void read_both_ways(struct reading *r)
{
    struct reading *whole = calloc(1, sizeof(*whole));

    read_clip(whole, 0, 0);
    read_clip(r, 0.0001, 64);
    assert_int_equal(whole->segment_count, 1);
    assert_int_equal(whole->starts[0], INT64_MIN);
    assert_int_equal(r->starts[0], INT64_MIN);
    assert_int_equal(r->packet_count, whole->packet_count);
    assert_memory_equal(r->packets, whole->packets, whole->packet_count * sizeof(whole->packets[0]));
    assert_int_equal(r->frames_hint, whole->frames_hint);
    assert_int_equal(r->frames.count, whole->frames.count);
    for (size_t i = 0; i < r->frames.count; i++) {
        assert_int_equal(r->frames.pts[i], whole->frames.pts[i]);
        assert_int_equal(r->frames.hashes[i], whole->frames.hashes[i]);
    }
    source_facts_clear(&whole->facts);
    free(whole);
}

static struct reading reading;

static int clear_reading(void **state)
{
    (void)state;
    source_facts_clear(&reading.facts);
    return 0;
}

static void h264_is_cut_at_every_idr_picture(void **state)
{
    (void)state;
    make_clip("b-frames.mp4", PICTURE "-c:v libx264 -g 24 -bf 3 -x264-params scenecut=0");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 5);
    assert_int_equal(reading.frames.count, 100);
    assert_int_equal(reading.frames_hint, 100);
    assert_int_equal(reading.facts.frames, 100);
    assert_true(reading.facts.cuttable);
    assert_string_equal(reading.facts.codec_name, "h264");
    assert_int_equal(reading.facts.width, 160);
    // In ticks of 1/12800 s.
    for (int i = 1; i < 5; i++)
        assert_int_equal(reading.starts[i], reading.frames.pts[24 * i]);
    assert_string_equal(reading.damage, "");
}

static void segments_follow_the_length_asked_for(void **state)
{
    (void)state;
    make_clip("b-frames.mp4", PICTURE "-c:v libx264 -g 12 -bf 3 -x264-params scenecut=0");
    read_clip(&reading, 1.0, 4);
    // Keyframes every 0.48 s: cut at 1.44 and 2.88.
    assert_int_equal(reading.segment_count, 3);
    assert_int_equal(reading.starts[1], reading.frames.pts[36]);
    assert_int_equal(reading.starts[2], reading.frames.pts[72]);
}

static void open_gops_are_not_cut(void **state)
{
    (void)state;
    make_clip("open.mkv", PICTURE "-c:v libx264 -g 24 -bf 3 -x264-params scenecut=0:open-gop=1");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 1);
    if (!strstr(reading.note, "open GOP") && !strstr(reading.note, "not proven"))
        fail_msg("the note is '%s'", reading.note);
    clear_reading(NULL);
    // The same file with closed ones is.
    make_clip("closed.mkv", PICTURE "-c:v libx264 -g 24 -bf 3 -x264-params scenecut=0");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 5);
}

static void timestamps_that_hide_reordering_are_not_believed(void **state)
{
    static const char *const codecs[] = {"libx264 -g 24 -bf 2 -x264-params scenecut=0",
                                         "libx265 -x265-params keyint=24:min-keyint=24:scenecut=0:open-gop=0:log-level=none",
                                         "mpeg2video -g 12 -bf 2 -flags +cgop -sc_threshold 1000000000"};

    (void)state;
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
        char arguments[512];

        snprintf(arguments, sizeof(arguments), PICTURE "-c:v %s -bsf:v setts=pts=DTS", codecs[i]);
        make_clip("hidden.mp4", arguments);
        read_both_ways(&reading);
        assert_int_equal(reading.segment_count, 1);
        if (!strstr(reading.note, "in the order in which frames are shown"))
            fail_msg("the note is '%s'", reading.note);
        clear_reading(NULL);
    }
}

static void h264_in_mpegts_is_cut_too(void **state)
{
    (void)state;
    make_clip("clip.ts", "-f lavfi -i sine=duration=4 " PICTURE "-c:a mp2 -c:v libx264 -g 24 -bf 2 -x264-params scenecut=0");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 5);
    // The start is taken off.
    assert_int_equal(reading.frames.pts[0], 0);
    assert_true(reading.facts.start_s > 1);
}

static void hevc_is_cut_at_closed_gops(void **state)
{
    (void)state;
    make_clip("clip.mp4", PICTURE "-c:v libx265 -x265-params keyint=24:min-keyint=24:scenecut=0:open-gop=0:log-level=none");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 5);
}

static void hevc_with_open_gops_is_not(void **state)
{
    (void)state;
    make_clip("open.mp4", PICTURE "-c:v libx265 -x265-params keyint=24:min-keyint=24:scenecut=0:open-gop=1:log-level=none");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 1);
}

static void vp9_with_hidden_frames_is_cut_at_keyframes(void **state)
{
    (void)state;
    make_clip("clip.webm", PICTURE "-c:v libvpx-vp9 -g 24 -keyint_min 24 -auto-alt-ref 1 -lag-in-frames 16 -cpu-used 5 -b:v 200k");
    read_both_ways(&reading);
    assert_true(reading.segment_count >= 4 && reading.segment_count <= 6);
    assert_int_equal(reading.frames.count, 100);
    assert_int_equal(reading.frames_hint, 100);
}

static void vp8_counts_no_hidden_frames(void **state)
{
    (void)state;
    make_clip("vp8.webm", PICTURE "-c:v libvpx -g 24 -keyint_min 24 -auto-alt-ref 1 -lag-in-frames 16 -cpu-used 5 -b:v 200k");
    read_both_ways(&reading);
    assert_true(reading.segment_count >= 4 && reading.segment_count <= 6);
    assert_int_equal(reading.frames_hint, reading.frames.count);
}

static void av1_is_cut_at_keyframes(void **state)
{
    (void)state;
    make_clip("av1.mkv", PICTURE "-t 2 -c:v libaom-av1 -g 12 -keyint_min 12 -cpu-used 8 -usage realtime");
    read_both_ways(&reading);
    assert_true(reading.segment_count >= 3 && reading.segment_count <= 5);
    assert_int_equal(reading.frames_hint, reading.frames.count);
}

static void mpeg2_is_cut_at_closed_gops_only(void **state)
{
    (void)state;
    make_clip("closed.mp4", PICTURE "-c:v mpeg2video -g 12 -bf 2 -flags +cgop -sc_threshold 1000000000");
    read_both_ways(&reading);
    assert_true(reading.segment_count >= 8 && reading.segment_count <= 10);
    clear_reading(NULL);
    make_clip("open.mkv", PICTURE "-c:v mpeg2video -g 12 -bf 2");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 1);
}

static void intra_only_codecs_are_cut_everywhere(void **state)
{
    static const char *const clips[][2] = {{"a.avi", "-t 1 -c:v mjpeg -pix_fmt yuvj420p"},
                                           {"b.mkv", "-t 1 -c:v ffv1 -g 1"},
                                           {"c.mov", "-t 1 -c:v prores -pix_fmt yuv422p10le"},
                                           {"d.mkv", "-t 1 -c:v huffyuv -pix_fmt yuv422p"},
                                           {"e.mkv", "-t 1 -c:v png -pix_fmt rgb24"},
                                           {"f.mkv", "-t 1 -c:v utvideo"},
                                           {"g.avi", "-t 1 -c:v rawvideo"}};

    (void)state;
    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
        char arguments[512];

        snprintf(arguments, sizeof(arguments), PICTURE "%s", clips[i][1]);
        make_clip(clips[i][0], arguments);
        read_both_ways(&reading);
        assert_int_equal(reading.segment_count, 25);
        clear_reading(NULL);
    }
}

static void ffv1_with_long_gops_is_cut_at_its_keyframes(void **state)
{
    (void)state;
    make_clip("ffv1.mkv", PICTURE "-c:v ffv1 -g 20");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 5);
}

static void codecs_that_are_not_known_to_restart_say_so(void **state)
{
    (void)state;
    make_clip("mpeg4.mp4", PICTURE "-c:v mpeg4 -g 12");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 1);
    assert_false(reading.facts.cuttable);
    assert_string_equal(reading.facts.why_not_cuttable, "the codec mpeg4 is not known to restart at its keyframes");
}

static void palettes_sent_along_are_never_cut(void **state)
{
    (void)state;
    make_clip("palette.avi", "-f lavfi -i testsrc2=size=160x120:rate=25:duration=1 -c:v rawvideo -pix_fmt pal8");
    read_both_ways(&reading);
    assert_int_equal(reading.segment_count, 1);
}

static void a_picture_is_a_video_of_one_frame(void **state)
{
    (void)state;
    make_clip("picture.png", "-f lavfi -i testsrc2=size=160x120 -frames:v 1");
    read_both_ways(&reading);
    assert_int_equal(reading.frames.count, 1);
}

static void the_video_is_chosen_before_its_cover(void **state)
{
    char arguments[512];

    (void)state;
    make_clip("cover.png", "-f lavfi -i testsrc2=size=64x64 -frames:v 1");
    snprintf(arguments, sizeof(arguments),
             "-i %s " PICTURE "-map 0 -map 1 -c:v:0 png -pix_fmt:v:0 rgb24 -c:v:1 libx264 -disposition:v:0 attached_pic", path);
    make_clip("covered.mp4", arguments);
    read_clip(&reading, 0, 1);
    assert_string_equal(reading.facts.codec_name, "h264");
    assert_int_equal(reading.frames.count, 100);
}

static void refuses(const char *expected)
{
    struct source *source = NULL;
    struct source_facts facts = {0};
    struct chunk_list head = {0};
    char *why = NULL;
    bool eof;
    int err = source_open(&source, path, &facts, &why);

    if (err >= 0)
        err = source_head(source, 1, 0, &head, &eof, &why);
    assert_true(err < 0);
    assert_non_null(why);
    if (!strstr(why, expected) || strncmp(why, path, strlen(path)) != 0 || strchr(why, '\n'))
        fail_msg("'%s' should begin with '%s' and tell '%s'", why, path, expected);
    free(why);
    chunk_list_clear(&head);
    source_facts_clear(&facts);
    source_close(&source);
}

static void what_is_no_video_is_refused_in_a_sentence(void **state)
{
    static const char text[] = "This is a text.\nIt has two lines, and nothing to look at.\n";
    static uint8_t noise[5000];

    (void)state;
    snprintf(path, sizeof(path), "%s/missing.mp4", folder);
    refuses("there is no such file");
    snprintf(path, sizeof(path), "%s", folder);
    refuses("is a directory");
    write_file("empty.mp4", "", 0);
    refuses("is empty");
    write_file("text.txt", text, sizeof(text) - 1);
    refuses("is no video that can be read");
    // The library has a reader for longer ones.
    memset(noise, 'a', sizeof(noise));
    write_file("long.txt", noise, sizeof(noise));
    refuses("is text");
    write_file("text.mp4", text, sizeof(text) - 1);
    refuses("is no video that can be read");
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)(i * i * 31 >> 3);
    write_file("noise.mkv", noise, sizeof(noise));
    refuses("");
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuses("is no regular file");
    make_clip("sound.m4a", "-f lavfi -i sine=duration=1");
    refuses("has no video stream");
}

static void a_file_that_may_not_be_read_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    write_file("secret.mp4", "secret", 6);
    assert_int_equal(chmod(path, 0), 0);
    refuses("may not be read");
}

static void cut_off(double part)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, (off_t)((double)st.st_size * part)), 0);
}

static void an_mp4_that_lost_its_index_is_refused(void **state)
{
    (void)state;
    make_clip("lost.mp4", PICTURE "-c:v libx264");
    cut_off(0.5);
    refuses("has lost its index");
}

static void a_file_that_was_cut_off_gives_what_it_has_and_says_so(void **state)
{
    static const char *const clips[][2] = {
        {"cut.mp4", "-c:v libx264 -g 24 -movflags +faststart"}, {"cut.mkv", "-c:v libx264 -g 24"}, {"cut.avi", "-c:v mjpeg -pix_fmt yuvj420p"}};

    (void)state;
    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
        char arguments[512];

        snprintf(arguments, sizeof(arguments), PICTURE "%s", clips[i][1]);
        make_clip(clips[i][0], arguments);
        cut_off(0.5);
        read_clip(&reading, 1, 4);
        assert_true(reading.packet_count >= 10 && reading.packet_count <= 90);
        if (!strstr(reading.damage, path))
            fail_msg("%s: damage is '%s'", path, reading.damage);
        clear_reading(NULL);
    }
}

// Demuxers then say that there is no memory, and the ffmpeg program goes on with what it has.
static void a_size_that_makes_no_sense_is_where_the_file_ends(void **state)
{
    uint8_t size[4] = {0};
    int fd;
    off_t at = 32;

    (void)state;
    make_clip("size.ivf", PICTURE "-c:v libvpx -deadline realtime -b:v 200k");
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pread(fd, size, sizeof(size), at), sizeof(size));
        at += 12 + (size[0] | size[1] << 8 | size[2] << 16);
    }
    assert_int_equal(pwrite(fd, "\xe7\x00\x00\xe6", 4, at), 4);
    close(fd);
    read_clip(&reading, 0, 4);
    assert_int_equal(reading.packet_count, 20);
    assert_non_null(strstr(reading.damage, "Cannot allocate memory"));
}

// Of a picture without a length of its own: not the rate that is guessed, which differs where AVI has a picture at every other tick of its clock.
static void the_average_rate_says_how_long_a_picture_is(void **state)
{
    Wire__Job job = WIRE__JOB__INIT;
    struct decode *decode = NULL;
    struct source *source = NULL;
    struct source_run run;
    AVFrame *frame = av_frame_alloc();
    char *why = NULL, arguments[512];

    (void)state;
    make_clip("every-frame.mp4", PICTURE "-c:v libx264 -bf 3");
    snprintf(arguments, sizeof(arguments), "-i %s/every-frame.mp4 -c copy -r 50", folder);
    make_clip("every-other.avi", arguments);
    read_clip(&reading, 0, 4);
    assert_int_equal(reading.facts.frame_rate->num, 25);
    assert_int_equal(reading.facts.average_rate->num, 50);
    clear_reading(NULL);
    // The same for a codec that does not know its rate.
    make_clip("mjpeg.avi", PICTURE "-c:v mjpeg -pix_fmt yuvj420p");
    assert_int_equal(source_open(&source, path, &reading.facts, &why), 0);
    reading.facts.frame_rate->num = 5;
    source_start(source, false, 0, 0);
    job.input = reading.facts.parameters;
    job.input_time_base = reading.facts.time_base;
    job.input_frame_rate = reading.facts.frame_rate;
    job.input_average_rate = reading.facts.average_rate;
    assert_int_equal(decode_new(&decode, &job, NULL, 0, 1, NULL), 0);
    assert_int_equal(source_next(source, &run, &why), 0);
    run.chunk->packets[0]->duration = 0;
    decode_send(decode, run.chunk->packets[0]);
    assert_int_equal(decode_receive(decode, frame), 0);
    assert_int_equal(decode_end_pts(decode), frame->pts + 1);
    chunk_free(&run.chunk);
    decode_free(&decode);
    source_close(&source);
    av_frame_free(&frame);
}

// ---- What need not be decoded ----

enum { RUN = 10 }; // frames of a segment whose frames are known, or not

// Where decoding is on its way through a video of which parts are left out.
struct walk {
    const struct frame_list *whole;
    uint64_t number, decoded; // frames: the next one's number, and how many went by
};

static void compare_frames(struct walk *w, struct decode *decode, int64_t keep_from)
{
    AVFrame *frame = av_frame_alloc();

    while (decode_receive(decode, frame) >= 0) {
        uint64_t h = 1;

        w->decoded++;
        if (frame->pts >= keep_from) {
            for (int y = 0; y < frame->height; y++)
                h = hash(h, frame->data[0] + (ptrdiff_t)y * frame->linesize[0], (size_t)frame->width);
            assert_true(w->number < w->whole->count);
            assert_int_equal(frame->pts, w->whole->pts[w->number]);
            assert_int_equal(h, w->whole->hashes[w->number]);
            w->number++;
        }
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
}

// Whether nobody wants the frame: its segment is known, and no neighbour of one that is not needs it.
static bool is_idle(const struct plan_stage *stage, unsigned known, uint64_t frame)
{
    uint64_t first = frame > stage->after ? frame - stage->after : 0;

    for (uint64_t segment = first / RUN; segment <= (frame + stage->before) / RUN; segment++)
        if (!(known >> segment & 1))
            return false;
    return true;
}

static void pass_gap(struct walk *w, const struct source_run *run, const struct plan_stage *stage, unsigned known)
{
    if (run->gap_until == 0)
        return;
    assert_int_equal(w->number, run->gap_from);
    for (; w->number < run->gap_until; w->number++)
        assert_true(is_idle(stage, known, w->number));
}

// A bit in known for each segment. Returns how many frames were decoded.
static uint64_t read_with_gaps(const struct frame_list *whole, const struct plan_stage *stage, unsigned known)
{
    struct walk w = {.whole = whole};
    struct gaps *gaps = gaps_new(stage);
    struct source_facts facts;
    struct source *source = NULL;
    struct decode *decode = NULL;
    struct source_run run;
    Wire__Job job = WIRE__JOB__INIT;
    int64_t keep_from = INT64_MIN;
    uint64_t hint = 0;
    char *why = NULL;

    for (uint32_t i = 0; i * RUN < whole->count; i++)
        if (known >> i & 1)
            gaps_on_segment(gaps, i, whole->pts + i * RUN, whole->count - i * RUN < RUN ? whole->count - i * RUN : RUN);
    gaps_settle(gaps);
    assert_int_equal(source_open(&source, path, &facts, &why), 0);
    source_start(source, false, 0, 0);
    source_leave_out(source, gaps);
    job.input = facts.parameters;
    job.input_time_base = facts.time_base;
    job.input_frame_rate = facts.frame_rate;
    job.input_average_rate = facts.average_rate;
    do {
        assert_int_equal(source_next(source, &run, &why), 0);
        hint += run.frames_hint;
        pass_gap(&w, &run, stage, known);
        if (run.first) {
            assert_null(decode);
            keep_from = run.keep_from;
            assert_int_equal(decode_new(&decode, &job, NULL, 0, run.gap_until > run.gap_from ? 3 : 1, NULL), 0);
        }
        for (size_t i = 0; run.chunk && i < run.chunk->packet_count; i++) {
            decode_send(decode, run.chunk->packets[i]);
            compare_frames(&w, decode, keep_from);
        }
        if (run.chunk && run.chunk->last) {
            decode_send(decode, NULL);
            compare_frames(&w, decode, keep_from);
            decode_free(&decode);
        }
        chunk_free(&run.chunk);
    } while (!run.eof);
    assert_null(decode);
    assert_int_equal(w.number, whole->count);
    assert_int_equal(hint, whole->count);
    source_close(&source);
    source_facts_clear(&facts);
    gaps_free(&gaps);
    return w.decoded;
}

// Returns how many frames were left out in all.
static uint64_t leave_out_all_ways(const char *name, const char *arguments)
{
    static const struct plan_stage stages[] = {{.run_frames = RUN}, {.run_frames = RUN, .before = 3, .after = 2}};
    uint64_t left_out = 0;

    make_clip(name, arguments);
    read_clip(&reading, 0, 0);
    assert_int_equal(reading.frames.count, 100);
    for (size_t i = 0; i < 2; i++)
        for (unsigned known = 1; known < 1 << 10; known = known * 3 / 2 + 1)
            left_out += 100 - read_with_gaps(&reading.frames, &stages[i], known);
    // All but the first, and all.
    left_out += 100 - read_with_gaps(&reading.frames, &stages[0], 0x3fe);
    left_out += 100 - read_with_gaps(&reading.frames, &stages[0], 0x3ff);
    clear_reading(NULL);
    return left_out;
}

static void what_is_known_need_not_be_decoded(void **state)
{
    (void)state;
    assert_int_in_range(leave_out_all_ways("gaps.mp4", PICTURE "-c:v libx264 -g 12 -bf 3 -x264-params scenecut=0"), 100, 3000);
    assert_int_in_range(leave_out_all_ways("gaps.mkv", PICTURE "-c:v libx264 -g 17 -bf 3"), 100, 3000);
    assert_int_in_range(leave_out_all_ways("gaps.ts", PICTURE "-c:v libx264 -g 24 -bf 2 -x264-params scenecut=0"), 100, 3000);
    assert_int_in_range(leave_out_all_ways("gaps.avi", PICTURE "-c:v mjpeg -pix_fmt yuvj420p"), 500, 3000);
}

static void what_is_known_of_hevc_need_not_be_decoded(void **state)
{
    (void)state;
    assert_int_in_range(
        leave_out_all_ways("gaps-hevc.mp4", PICTURE "-c:v libx265 -x265-params keyint=12:min-keyint=12:scenecut=0:open-gop=0:log-level=none"), 100,
        3000);
}

static void what_is_known_of_vp9_need_not_be_decoded(void **state)
{
    (void)state;
    assert_int_in_range(leave_out_all_ways("gaps.webm", PICTURE "-c:v libvpx-vp9 -g 12 -b:v 200k -deadline realtime -cpu-used 8"), 100, 3000);
}

// All of it is one GOP: it is left out as a whole, or not at all where more than that is in doubt.
static void open_gops_are_decoded(void **state)
{
    (void)state;
    assert_int_equal(leave_out_all_ways("gaps-open.mkv", PICTURE "-c:v libx264 -g 12 -bf 3 -x264-params scenecut=0:open-gop=1") % 100, 0);
    assert_int_equal(leave_out_all_ways("gaps-open.mpg", PICTURE "-c:v mpeg2video -g 12 -bf 2") % 100, 0);
}

static int make_folder(void **state)
{
    (void)state;
    avx_log_install();
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(h264_is_cut_at_every_idr_picture, clear_reading),
        cmocka_unit_test_teardown(segments_follow_the_length_asked_for, clear_reading),
        cmocka_unit_test_teardown(open_gops_are_not_cut, clear_reading),
        cmocka_unit_test_teardown(timestamps_that_hide_reordering_are_not_believed, clear_reading),
        cmocka_unit_test_teardown(h264_in_mpegts_is_cut_too, clear_reading),
        cmocka_unit_test_teardown(hevc_is_cut_at_closed_gops, clear_reading),
        cmocka_unit_test_teardown(hevc_with_open_gops_is_not, clear_reading),
        cmocka_unit_test_teardown(vp9_with_hidden_frames_is_cut_at_keyframes, clear_reading),
        cmocka_unit_test_teardown(vp8_counts_no_hidden_frames, clear_reading),
        cmocka_unit_test_teardown(av1_is_cut_at_keyframes, clear_reading),
        cmocka_unit_test_teardown(mpeg2_is_cut_at_closed_gops_only, clear_reading),
        cmocka_unit_test_teardown(intra_only_codecs_are_cut_everywhere, clear_reading),
        cmocka_unit_test_teardown(ffv1_with_long_gops_is_cut_at_its_keyframes, clear_reading),
        cmocka_unit_test_teardown(codecs_that_are_not_known_to_restart_say_so, clear_reading),
        cmocka_unit_test_teardown(palettes_sent_along_are_never_cut, clear_reading),
        cmocka_unit_test_teardown(a_picture_is_a_video_of_one_frame, clear_reading),
        cmocka_unit_test_teardown(the_video_is_chosen_before_its_cover, clear_reading),
        cmocka_unit_test(what_is_no_video_is_refused_in_a_sentence),
        cmocka_unit_test(a_file_that_may_not_be_read_is_refused),
        cmocka_unit_test(an_mp4_that_lost_its_index_is_refused),
        cmocka_unit_test_teardown(a_file_that_was_cut_off_gives_what_it_has_and_says_so, clear_reading),
        cmocka_unit_test_teardown(a_size_that_makes_no_sense_is_where_the_file_ends, clear_reading),
        cmocka_unit_test_teardown(the_average_rate_says_how_long_a_picture_is, clear_reading),
        cmocka_unit_test_teardown(what_is_known_need_not_be_decoded, clear_reading),
        cmocka_unit_test_teardown(what_is_known_of_hevc_need_not_be_decoded, clear_reading),
        cmocka_unit_test_teardown(what_is_known_of_vp9_need_not_be_decoded, clear_reading),
        cmocka_unit_test_teardown(open_gops_are_decoded, clear_reading),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
