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

#include <libavutil/mastering_display_metadata.h>
#include <libavutil/md5.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
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
    unsigned alive;   // signs of life
    int most_threads; // of this process, seen while rendering
    struct lines out;
    FILE *save; // the packets' bytes, where wanted
};

// x265 leaves a few bytes behind per encoder.
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libx265";
}

static void make_clip(const char *name, const char *arguments)
{
    char *command = mem_format("ffmpeg -v error -nostdin -y %s $D/%s", arguments, name);

    assert_int_equal(system(command), 0);
    free(command);
}

static int make_clips(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || setenv("D", folder, 1))
        return -1;
    make_clip("plain.mp4", "-f lavfi -i testsrc2=s=160x120:r=25:d=2 -c:v libx264 -g 12 -bf 2 -threads 1 -pix_fmt yuv420p");
    make_clip("late.mkv", "-f lavfi -i testsrc2=s=176x144:r=30000/1001:d=1.5 -c:v libx264 -g 12 -threads 1 -pix_fmt yuv420p -output_ts_offset 3.2");
    make_clip("times.avi", "-f lavfi -i testsrc2=s=160x120:r=25:d=1 -c:v mpeg4 -bf 2 -threads 1");
    make_clip("turned0.mp4", "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -c:v libx264 -threads 1 -pix_fmt yuv420p");
    make_clip("turned.mp4",
              AVX_FFTOOLS_6_1 ? "-display_rotation 90 -i $D/turned0.mp4 -c copy" : "-i $D/turned0.mp4 -c copy -metadata:s:v rotate=270");
    make_clip("hdr.mkv",
              "-f lavfi -i testsrc2=s=192x128:r=25:d=0.4 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc "
              "-c:v libx265 -x265-params 'pools=none:frame-threads=1:log-level=0:hdr10=1:max-cll=1000,400:master-display="
              "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)'");
    // A size that changes in mid-stream.
    make_clip("part0.ts", "-f lavfi -i testsrc2=s=96x64:r=25:d=1 -c:v libx264 -threads 1 -pix_fmt yuv420p");
    make_clip("part1.ts", "-f lavfi -i testsrc2=s=160x128:r=25:d=1 -c:v libx264 -threads 1 -pix_fmt yuv420p -output_ts_offset 1.2");
    assert_int_equal(system("cat $D/part0.ts $D/part1.ts > $D/change.ts"), 0);
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

static void add_packet_line(struct lines *lines, const AVPacket *packet)
{
    struct line *line = &lines->at[lines->count];
    uint8_t md5[16];

    assert_true(lines->count < MAX_PACKETS);
    line->pts = packet->pts;
    line->size = packet->size;
    av_md5_sum(md5, packet->data, (size_t)packet->size);
    for (int i = 0; i < 16; i++)
        snprintf(line->md5 + 2 * i, 3, "%02x", md5[i]);
    lines->count++;
}

// What the ffmpeg program makes of it, with one thread and our number of slices.
static void ask_ffmpeg(struct lines *lines, const char *clip, const char *filters, const char *options)
{
    char *command = mem_format("ffmpeg -v error -nostdin -threads 1 -filter_threads %d -i $D/%s -map 0:v:0 %s%s%s -fps_mode passthrough %s "
                               "-threads 1 -f framemd5 - 2>/dev/null",
                               SLICES, clip, *filters ? "-vf \"" : "", filters, *filters ? "\"" : "", options);
    FILE *pipe = popen(command, "r");
    char text[512];

    assert_non_null(pipe);
    memset(lines, 0, sizeof(*lines));
    while (fgets(text, sizeof(text), pipe)) {
        struct line *line = &lines->at[lines->count];
        int64_t dts, duration;
        int stream;

        if (sscanf(text, "#tb 0: %d/%d", &lines->time_base.num, &lines->time_base.den) == 2 || text[0] == '#')
            continue;
        assert_true(lines->count < MAX_PACKETS);
        assert_int_equal(
            sscanf(text, "%d, %" SCNd64 ", %" SCNd64 ", %" SCNd64 ", %d, %32s", &stream, &dts, &line->pts, &duration, &line->size, line->md5), 6);
        lines->count++;
    }
    assert_int_equal(pclose(pipe), 0);
    assert_true(lines->count > 0);
    free(command);
}

static void set_option(struct bench *b, const char *key, const char *value)
{
    Wire__Option *option = &b->options[b->job.n_encoder_options];

    wire__option__init(option);
    option->key = mem_dup(key);
    option->value = mem_dup(value);
    b->option_list[b->job.n_encoder_options++] = option;
    b->job.encoder_options = b->option_list;
}

static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int threads = -2; // . and ..

    while (tasks && readdir(tasks))
        threads++;
    if (tasks)
        closedir(tasks);
    return threads;
}

static void bench_open(struct bench *b, const char *clip, const char *filters, const char *encoder)
{
    char *path = mem_format("%s/%s", folder, clip);
    AVFormatContext *input = NULL;
    AVPacket *packet = av_packet_alloc();
    AVStream *stream;
    int64_t start;
    AVRational rate;

    memset(b, 0, sizeof(*b));
    b->most_threads = count_threads();
    assert_true(avformat_open_input(&input, path, NULL, NULL) >= 0);
    assert_true(avformat_find_stream_info(input, NULL) >= 0);
    avx_inject_side_data(input);
    stream = input->streams[0];
    rate = av_guess_frame_rate(input, stream, NULL);
    wire__job__init(&b->job);
    packets_parameters_to_wire(&b->job.input, stream->codecpar);
    b->job.input->sample_aspect_ratio->num = stream->sample_aspect_ratio.num;
    b->job.input->sample_aspect_ratio->den = stream->sample_aspect_ratio.den;
    wire__rational__init(&b->time_base);
    wire__rational__init(&b->frame_rate);
    b->time_base.num = stream->time_base.num;
    b->time_base.den = stream->time_base.den;
    b->frame_rate.num = rate.num;
    b->frame_rate.den = rate.den;
    b->job.input_time_base = &b->time_base;
    b->job.input_frame_rate = &b->frame_rate;
    for (int i = 0; i < avx_stream_side_count(stream); i++) {
        enum AVPacketSideDataType type;
        const uint8_t *data;
        size_t size;

        avx_stream_side_at(stream, i, &type, &data, &size);
        packets_side_data_append(&b->job.input_side_data, &b->job.n_input_side_data, (int)type, data, size);
    }
    b->job.autorotate = 1;
    b->job.filters = mem_dup(filters);
    b->job.encoder = mem_dup(encoder);
    b->job.slices = SLICES;
    start = input->start_time == AV_NOPTS_VALUE ? 0 : av_rescale_q(input->start_time, AV_TIME_BASE_Q, stream->time_base);
    while (av_read_frame(input, packet) >= 0) {
        assert_true(b->packet_count < MAX_PACKETS);
        if (packet->pts != AV_NOPTS_VALUE)
            packet->pts -= start;
        if (packet->dts != AV_NOPTS_VALUE)
            packet->dts -= start;
        b->packets[b->packet_count] = av_packet_alloc();
        av_packet_move_ref(b->packets[b->packet_count++], packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&input);
    free(path);
}

static void bench_close(struct bench *b)
{
    wire__codec_parameters__free_unpacked(b->job.input, NULL);
    if (b->job.first_frame)
        wire__first_frame__free_unpacked(b->job.first_frame, NULL);
    for (size_t i = 0; i < b->job.n_input_side_data; i++)
        wire__side_data__free_unpacked(b->job.input_side_data[i], NULL);
    free(b->job.input_side_data);
    for (size_t i = 0; i < b->job.n_encoder_options; i++) {
        free(b->options[i].key);
        free(b->options[i].value);
    }
    free(b->job.filters);
    free(b->job.encoder);
    for (int i = 0; i < b->packet_count; i++)
        av_packet_free(&b->packets[i]);
}

static int take(void *data, struct chunk **chunk)
{
    struct bench *b = data;

    *chunk = chunk_new(b->next_in++);
    while (b->next_packet < b->packet_count && (*chunk)->packet_count < CHUNK) {
        AVPacket *packet = av_packet_clone(b->packets[b->next_packet++]);

        chunk_take(*chunk, &packet);
    }
    (*chunk)->last = b->next_packet == b->packet_count;
    return 0;
}

static int put(void *data, struct chunk **chunk)
{
    struct bench *b = data;

    assert_false(b->last_out);
    assert_int_equal((*chunk)->sequence, b->next_out++);
    b->last_out = (*chunk)->last;
    for (size_t i = 0; i < (*chunk)->packet_count; i++) {
        add_packet_line(&b->out, (*chunk)->packets[i]);
        if (b->save)
            fwrite((*chunk)->packets[i]->data, 1, (size_t)(*chunk)->packets[i]->size, b->save);
    }
    chunk_free(chunk);
    return 0;
}

static bool cancelled(void *data)
{
    struct bench *b = data;
    int threads = count_threads();

    b->most_threads = threads > b->most_threads ? threads : b->most_threads;
    return b->cancel_after && ++b->asked > b->cancel_after;
}

static void alive(void *data)
{
    struct bench *b = data;

    b->alive++;
}

static struct render_io bench_io(struct bench *b)
{
    b->next_packet = 0;
    b->next_in = b->next_out = 0;
    b->last_out = false;
    b->out.count = 0;
    return (struct render_io){.take = take, .put = put, .cancelled = cancelled, .alive = alive, .data = b};
}

static struct render *new_render(struct bench *b, struct pool *pool)
{
    struct render *render = NULL;
    char *why = NULL;
    int err = render_new(&render, &b->job, pool, &why);

    if (err < 0)
        fail_msg("%s", why);
    return render;
}

static Wire__Task a_task(int64_t from, int64_t to)
{
    Wire__Task task = WIRE__TASK__INIT;

    task.kind = WIRE__TASK_KIND__RENDER;
    task.keep_from = from;
    task.keep_to = to;
    return task;
}

static Wire__Done *render_all(struct bench *b, int threads, const Wire__Task *task)
{
    struct pool *pool = pool_new(threads);
    struct render *render = new_render(b, pool);
    struct render_io io = bench_io(b);
    Wire__Done *done = mem_zalloc(sizeof(*done));
    char *why = NULL;
    int err;

    wire__done__init(done);
    err = render_segment(render, task, &io, done, &why);
    if (err < 0)
        fail_msg("%s", why ? why : err_text(err));
    assert_true(b->last_out);
    assert_int_equal(done->packets, (uint64_t)b->out.count);
    render_free(&render);
    pool_free(&pool);
    return done;
}

static Wire__Probed *probe(struct bench *b, bool whole)
{
    struct pool *pool = pool_new(1);
    struct render *render = new_render(b, pool);
    struct render_io io = bench_io(b);
    Wire__Task task = a_task(INT64_MIN, whole ? INT64_MIN : INT64_MAX);
    Wire__Probed *probed = mem_zalloc(sizeof(*probed));
    char *why = NULL;

    wire__probed__init(probed);
    if (render_probe(render, &task, &io, probed, &why) < 0)
        fail_msg("%s", why);
    render_free(&render);
    pool_free(&pool);
    return probed;
}

static void check_lines(const struct lines *got, const struct lines *wanted)
{
    assert_int_equal(got->count, wanted->count);
    for (int i = 0; i < wanted->count; i++) {
        assert_int_equal(got->at[i].pts, wanted->at[i].pts);
        assert_int_equal(got->at[i].size, wanted->at[i].size);
        assert_string_equal(got->at[i].md5, wanted->at[i].md5);
    }
}

static void check_chain(const char *clip, const char *filters)
{
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    static struct lines wanted;
    static struct bench b;

    ask_ffmpeg(&wanted, clip, filters, "-c:v ffv1");
    for (int threads = 1; threads <= 4; threads += 3) {
        Wire__Done *done;
        int before;

        bench_open(&b, clip, filters, "ffv1");
        before = count_threads();
        done = render_all(&b, threads, &task);
        check_lines(&b.out, &wanted);
        if (threads == 1)
            assert_int_equal(b.most_threads, before); // swscale starts none either, where its pictures do not depend on that
        assert_int_equal(done->decode_errors, 0);
        wire__done__free_unpacked(done, NULL);
        bench_close(&b);
    }
}

static void frames_and_times_are_those_of_ffmpeg(void **state)
{
    const char *chains[] = {"",
                            "unsharp=5:5:1.0,eq=contrast=1.2:saturation=1.3",
                            "scale=200:-2:flags=lanczos,format=yuv444p",
                            "scale=88:72",
                            "hqdn3d",
                            "fps=12",
                            "yadif=1",
                            "trim=end_frame=9,setpts=2*PTS",
                            "split[a][b];[a]hflip[c];[b][c]blend=all_mode=average",
                            "rgbashift=rh=3,geq=r='r(X,Y)+N':g='g(X,Y)':b='b(X,Y)'",
                            "select='not(mod(n,3))'"};

    (void)state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
        check_chain("plain.mp4", chains[i]);
}

static void clips_with_odd_times_are_those_of_ffmpeg(void **state)
{
    (void)state;
    check_chain("late.mkv", "");
    check_chain("late.mkv", "fps=10");
    check_chain("times.avi", "hflip");
}

static void a_turned_clip_is_put_upright(void **state)
{
    static struct bench b;
    Wire__Probed *probed;
    const Wire__SideData *side;

    (void)state;
    check_chain("turned.mp4", "");
    check_chain("turned.mp4", "drawbox=x=10:y=5:w=30:h=30");
    bench_open(&b, "turned.mp4", "", "ffv1");
    assert_int_equal(b.job.n_input_side_data, 1);
    probed = probe(&b, false);
    assert_int_equal(probed->output->width, 96);
    assert_int_equal(probed->output->height, 160);
    side = packets_side_data_find(probed->output_side_data, probed->n_output_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    assert_non_null(side);
    assert_int_equal(((const int32_t *)(const void *)side->data.data)[0], 1 << 16);
    wire__probed__free_unpacked(probed, NULL);
    bench_close(&b);
}

static void a_change_of_size_keeps_the_output_size(void **state)
{
    (void)state;
    check_chain("change.ts", "");
    check_chain("change.ts", "hflip");
}

// Renders the same packets twice with the same renderer. True when both runs gave the same.
static bool second_run_is_the_same(const char *clip, const char *filters, bool keeps_graph)
{
    static struct lines first;
    static struct bench b;
    struct pool *pool = pool_new(1);
    struct render *render;
    bool same = true;

    bench_open(&b, clip, filters, "ffv1");
    b.job.has_keeps_graph = b.job.keeps_graph = keeps_graph;
    render = new_render(&b, pool);
    for (int i = 0; i < 2; i++) {
        Wire__Task task = a_task(INT64_MIN, INT64_MAX);
        struct render_io io = bench_io(&b);
        Wire__Done done = WIRE__DONE__INIT;
        char *why = NULL;

        if (render_segment(render, &task, &io, &done, &why) < 0)
            fail_msg("%s", why);
        free(done.extradata.data);
        if (i == 0)
            first = b.out;
    }
    assert_int_equal(b.out.count, first.count);
    for (int i = 0; i < first.count; i++)
        same = same && b.out.at[i].pts == first.at[i].pts && strcmp(b.out.at[i].md5, first.at[i].md5) == 0;
    render_free(&render);
    pool_free(&pool);
    bench_close(&b);
    return same;
}

static void filters_go_on_from_run_to_run_where_they_may(void **state)
{
    const char *counts = "geq=lum='16+N':cb=128:cr=128"; // shows whether it was set up anew

    (void)state;
    assert_true(second_run_is_the_same("plain.mp4", counts, false));
    assert_false(second_run_is_the_same("plain.mp4", counts, true));
    assert_true(second_run_is_the_same("plain.mp4", "unsharp,scale=200:-2", true));
    // What a run leaves behind that is not as it was at its beginning does not reach the next.
    assert_true(second_run_is_the_same("change.ts", counts, true));
    assert_true(second_run_is_the_same("plain.mp4", "geq=lum='16+N':cb=128:cr=128,fps=12", true));
}

static void packets_of_x264_are_those_of_ffmpeg(void **state)
{
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    static struct lines wanted;
    static struct bench b;
    Wire__Done *done;

    (void)state;
    ask_ffmpeg(&wanted, "plain.mp4", "hflip", "-c:v libx264 -preset fast -crf 20 -mbtree 0");
    bench_open(&b, "plain.mp4", "hflip", "h264");
    set_option(&b, "preset", "fast");
    set_option(&b, "crf", "20");
    set_option(&b, "mbtree", "0"); // the one part of x264 that is not exact everywhere
    done = render_all(&b, 1, &task);
    check_lines(&b.out, &wanted);
    wire__done__free_unpacked(done, NULL);
    bench_close(&b);
}

// The last one holds, and flags with a sign add up.
static void options_that_are_given_twice_count_as_for_ffmpeg(void **state)
{
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    static struct lines wanted;
    static struct bench b;

    (void)state;
    ask_ffmpeg(&wanted, "plain.mp4", "hflip", "-c:v mpeg4 -g 3 -flags +mv4 -g 5 -flags +qpel");
    bench_open(&b, "plain.mp4", "hflip", "mpeg4");
    set_option(&b, "g", "3");
    set_option(&b, "flags", "+mv4");
    set_option(&b, "g", "5");
    set_option(&b, "flags", "+qpel");
    wire__done__free_unpacked(render_all(&b, 1, &task), NULL);
    check_lines(&b.out, &wanted);
    bench_close(&b);
}

// Bytes must not depend on what the memory held before, nor on the encoder's idea of the machine.
static void encoders_repeat_themselves(void **state)
{
    const char *encoders[] = {"libx264", "libx265", "libvpx-vp9", "libsvtav1", "mpeg4", "mjpeg", "prores_ks"};
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    static struct lines first;
    static struct bench b;

    (void)state;
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        if (!avcodec_find_encoder_by_name(encoders[i]))
            continue;
        bench_open(&b, "late.mkv", "", encoders[i]);
        for (int j = 0; j < 3; j++) {
            mallopt(M_PERTURB, 85 * j);
            wire__done__free_unpacked(render_all(&b, 1, &task), NULL);
            if (!j)
                first = b.out;
            check_lines(&b.out, &first);
        }
        mallopt(M_PERTURB, 0);
        bench_close(&b);
    }
}

// Rate controls that take a frame's time for how long they have been spending bits would have all of the hour before to make up for.
static void segments_cost_the_same_wherever_they_are(void **state)
{
    const char *encoders[] = {"mpeg2video", "mpeg4", "flv", "mjpeg", "libx264"};
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    static struct lines early;
    static struct bench b;

    (void)state;
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        if (!avcodec_find_encoder_by_name(encoders[i]))
            continue;
        bench_open(&b, "plain.mp4", "", encoders[i]);
        set_option(&b, "b", "100k");
        task.segment = 0;
        wire__done__free_unpacked(render_all(&b, 1, &task), NULL);
        early = b.out;
        for (int j = 0; j < b.packet_count; j++) {
            b.packets[j]->pts += 3600 * (int64_t)b.time_base.den / b.time_base.num;
            b.packets[j]->dts += 3600 * (int64_t)b.time_base.den / b.time_base.num;
        }
        for (int j = 0; j < early.count; j++)
            early.at[j].pts += 3600 * 25;
        task.segment = 1;
        wire__done__free_unpacked(render_all(&b, 1, &task), NULL);
        check_lines(&b.out, &early);
        bench_close(&b);
    }
}

static void only_frames_in_the_range_are_kept(void **state)
{
    Wire__Task task = a_task(0, 0);
    static struct lines wanted;
    static struct bench b;
    Wire__Done *done;

    (void)state;
    ask_ffmpeg(&wanted, "plain.mp4", "", "-c:v ffv1");
    bench_open(&b, "plain.mp4", "", "ffv1");
    // Frame 20 up to, but not, frame 30.
    task.keep_from = av_rescale_q(20, (AVRational){1, 25}, (AVRational){b.time_base.num, b.time_base.den});
    task.keep_to = av_rescale_q(30, (AVRational){1, 25}, (AVRational){b.time_base.num, b.time_base.den});
    done = render_all(&b, 1, &task);
    assert_int_equal(done->frames_decoded, 10);
    assert_int_equal(b.out.count, 10);
    assert_int_equal(b.out.at[0].pts, 20);
    assert_true(b.alive >= 40); // also on the way there it lives: 30 decoded, 10 filtered
    wire__done__free_unpacked(done, NULL);
    // None at all is no error.
    task.keep_from = task.keep_to;
    done = render_all(&b, 1, &task);
    assert_int_equal(b.out.count, 0);
    assert_int_equal(done->extradata.len, 0);
    wire__done__free_unpacked(done, NULL);
    bench_close(&b);
}

static void a_probe_tells_what_segments_will_be(void **state)
{
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    static struct bench b;
    Wire__Probed *probed;
    Wire__Done *done;

    (void)state;
    bench_open(&b, "plain.mp4", "scale=80:60,unsharp=la=0.5:enable='gt(t,1)'", "libx264");
    b.job.global_header = 1;
    set_option(&b, "preset", "veryfast");
    probed = probe(&b, false);
    assert_int_equal(probed->need_more, 0);
    assert_int_equal(probed->output->width, 80);
    assert_int_equal(probed->output_time_base->den, 25);
    assert_int_equal(probed->reorder_delay, 2); // B-frames that others refer to
    assert_string_equal(probed->decoder_name, "h264");
    assert_string_equal(probed->encoder_name, "libx264");
    assert_int_equal(probed->n_filters, 2);
    assert_string_equal(probed->filters[1]->name, "unsharp");
    assert_string_equal(probed->filters[1]->options[probed->filters[1]->n_options - 1]->key, "enable");
    assert_string_equal(probed->filters[1]->options[probed->filters[1]->n_options - 1]->value, "gt(t,1)");
    b.job.first_frame = probed->first_frame;
    probed->first_frame = NULL;
    done = render_all(&b, 1, &task);
    assert_true(done->extradata.len > 0);
    assert_int_equal(done->extradata.len, probed->output->extradata.len);
    assert_memory_equal(done->extradata.data, probed->output->extradata.data, done->extradata.len);
    wire__done__free_unpacked(done, NULL);
    wire__probed__free_unpacked(probed, NULL);
    bench_close(&b);
}

static void check_hdr(const Wire__FirstFrame *first)
{
    const AVMasteringDisplayMetadata *m = (const void *)first->mastering_display.data;
    const AVContentLightMetadata *light = (const void *)first->content_light_level.data;

    assert_true(first->has_mastering_display && first->has_content_light_level);
    assert_true(m->has_primaries && m->has_luminance);
    assert_int_equal(lrint(av_q2d(m->display_primaries[0][0]) * 50000), 34000);
    assert_int_equal(lrint(av_q2d(m->display_primaries[1][1]) * 50000), 34500);
    assert_int_equal(lrint(av_q2d(m->white_point[0]) * 50000), 15635);
    assert_int_equal(lrint(av_q2d(m->max_luminance)), 1000);
    assert_int_equal(lrint(av_q2d(m->min_luminance) * 10000), 50);
    assert_int_equal(light->MaxCLL, 1000);
    assert_int_equal(light->MaxFALL, 400);
}

// Rendered with x265, written to a file and probed again.
static void hdr10_data_reaches_the_encoded_stream(void **state)
{
    const char *encoders[] = {"libx265", "libsvtav1"};
    const char *files[] = {"again.hevc", "again.obu"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        static struct bench b;
        Wire__Task task = a_task(INT64_MIN, INT64_MAX);
        Wire__Probed *probed;
        char *path = mem_format("%s/%s", folder, files[i]);

        if (!avcodec_find_encoder_by_name(encoders[i]))
            continue;
        bench_open(&b, "hdr.mkv", "hflip", encoders[i]);
        probed = probe(&b, false);
        check_hdr(probed->first_frame);
        assert_non_null(packets_side_data_find(probed->output_side_data, probed->n_output_side_data, AV_PKT_DATA_MASTERING_DISPLAY_METADATA));
        assert_non_null(packets_side_data_find(probed->output_side_data, probed->n_output_side_data, AV_PKT_DATA_CONTENT_LIGHT_LEVEL));
        b.job.first_frame = probed->first_frame;
        probed->first_frame = NULL;
        wire__probed__free_unpacked(probed, NULL);
        b.save = fopen(path, "w");
        wire__done__free_unpacked(render_all(&b, 1, &task), NULL);
        fclose(b.save);
        bench_close(&b);
        free(path);
        bench_open(&b, files[i], "", "ffv1");
        probed = probe(&b, true);
        check_hdr(probed->first_frame);
        wire__probed__free_unpacked(probed, NULL);
        bench_close(&b);
    }
}

static void a_probe_with_too_little_asks_for_more(void **state)
{
    static struct bench b;
    Wire__Probed *probed;
    int all;

    (void)state;
    bench_open(&b, "plain.mp4", "", "ffv1");
    all = b.packet_count;
    b.packet_count = 1;
    probed = probe(&b, false);
    assert_int_equal(probed->need_more, 1);
    wire__probed__free_unpacked(probed, NULL);
    probed = probe(&b, true);
    assert_int_equal(probed->need_more, 0);
    assert_non_null(probed->output);
    wire__probed__free_unpacked(probed, NULL);
    b.packet_count = all;
    bench_close(&b);
}

static void damaged_packets_are_counted_and_passed_over(void **state)
{
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    static struct bench b;
    Wire__Done *done;

    (void)state;
    bench_open(&b, "plain.mp4", "", "ffv1");
    memset(b.packets[20]->data, 0xff, (size_t)b.packets[20]->size);
    done = render_all(&b, 1, &task);
    assert_true(done->decode_errors > 0);
    assert_non_null(done->first_error);
    assert_int_equal(done->first_error_pts, b.packets[20]->pts);
    assert_true(b.out.count > 40);
    wire__done__free_unpacked(done, NULL);
    bench_close(&b);
}

static void a_cancelled_task_stops(void **state)
{
    struct pool *pool = pool_new(1);
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    Wire__Done done = WIRE__DONE__INIT;
    static struct bench b;
    struct render *render;
    struct render_io io;
    char *why = NULL;

    (void)state;
    bench_open(&b, "plain.mp4", "", "ffv1");
    render = new_render(&b, pool);
    io = bench_io(&b);
    b.cancel_after = 30;
    assert_int_equal(render_segment(render, &task, &io, &done, &why), -ECANCELED);
    assert_false(b.last_out);
    free(why);
    render_free(&render);
    pool_free(&pool);
    bench_close(&b);
}

static void check_refusal(const char *filters, const char *encoder, const char *key, const char *value, const char *first, const char *second)
{
    struct pool *pool = pool_new(1);
    static struct bench b;
    struct render *render = NULL;
    struct render_io io;
    Wire__Probed probed = WIRE__PROBED__INIT;
    Wire__Task task = a_task(INT64_MIN, INT64_MAX);
    char *why = NULL;
    int err;

    bench_open(&b, "plain.mp4", filters, encoder);
    if (key)
        set_option(&b, key, value);
    err = render_new(&render, &b.job, pool, &why);
    if (err >= 0) {
        io = bench_io(&b);
        err = render_probe(render, &task, &io, &probed, &why);
    }
    assert_true(err < 0);
    assert_non_null(why);
    if (!strstr(why, first) || !strstr(why, second))
        fail_msg("'%s' lacks '%s' or '%s'", why, first, second);
    free(why);
    render_free(&render);
    pool_free(&pool);
    bench_close(&b);
}

static void mistakes_are_told_in_a_sentence(void **state)
{
    (void)state;
    check_refusal("nosuchfilter", "ffv1", NULL, NULL, "nosuchfilter", "filter chain");
    check_refusal("scale=nonsense=1", "ffv1", NULL, NULL, "scale=nonsense=1", "nonsense");
    check_refusal("crop=10000:10000", "ffv1", NULL, NULL, "crop=10000:10000", "160x120");
    check_refusal("split", "ffv1", NULL, NULL, "split", "one video output");
    check_refusal("", "nosuchencoder", NULL, NULL, "nosuchencoder", "no video encoder");
    check_refusal("", "aac", NULL, NULL, "aac", "no video encoder");
    check_refusal("", "libx264", "nosuchoption", "1", "libx264", "nosuchoption");
    check_refusal("", "libx264", "b", "fast", "libx264", "b=fast");
    check_refusal("", "libx264", "preset", "hasty", "libx264", "hasty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_times_are_those_of_ffmpeg),
        cmocka_unit_test(clips_with_odd_times_are_those_of_ffmpeg),
        cmocka_unit_test(a_turned_clip_is_put_upright),
        cmocka_unit_test(a_change_of_size_keeps_the_output_size),
        cmocka_unit_test(filters_go_on_from_run_to_run_where_they_may),
        cmocka_unit_test(packets_of_x264_are_those_of_ffmpeg),
        cmocka_unit_test(options_that_are_given_twice_count_as_for_ffmpeg),
        cmocka_unit_test(encoders_repeat_themselves),
        cmocka_unit_test(segments_cost_the_same_wherever_they_are),
        cmocka_unit_test(only_frames_in_the_range_are_kept),
        cmocka_unit_test(a_probe_tells_what_segments_will_be),
        cmocka_unit_test(hdr10_data_reaches_the_encoded_stream),
        cmocka_unit_test(a_probe_with_too_little_asks_for_more),
        cmocka_unit_test(damaged_packets_are_counted_and_passed_over),
        cmocka_unit_test(a_cancelled_task_stops),
        cmocka_unit_test(mistakes_are_told_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, make_clips, remove_clips);
}
