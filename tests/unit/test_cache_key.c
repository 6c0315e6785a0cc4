// The key of a finished segment: all that its bytes depend on changes it, and nothing else does.
#include "coordinator/cache_key.h"

#include "common/mem.h"
#include "common/packets.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

// A job of one stage that a test changes in one place.
struct fixture {
    const char *libraries;
    Wire__Job job;
    Wire__CodecParameters *input;
    Wire__Rational tb, rate;
    Wire__Option option, *options[1], filter_option, *filter_options[1];
    Wire__FilterFacts filter, *filters[1];
    struct plan_stage stage;
    struct plan plan;
    char side[64];
};

static void init(struct fixture *f)
{
    AVCodecParameters *par = avcodec_parameters_alloc();

    memset(f, 0, sizeof(*f));
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_H264;
    par->width = 64;
    par->height = 48;
    par->bit_rate = 1000;
    packets_parameters_to_wire(&f->input, par);
    avcodec_parameters_free(&par);
    wire__job__init(&f->job);
    wire__rational__init(&f->tb);
    wire__rational__init(&f->rate);
    f->tb.num = 1;
    f->tb.den = f->rate.num = 25;
    f->rate.den = 1;
    f->job.input = f->input;
    f->job.input_time_base = &f->tb;
    f->job.input_frame_rate = &f->rate;
    snprintf(f->side, sizeof(f->side), "/tmp/test-cache-key-XXXXXX");
    int fd = mkstemp(f->side);
    assert_true(fd >= 0 && write(fd, "content", 7) == 7);
    close(fd);
    f->libraries = "libav 1";
    f->job.filters = (char *)(uintptr_t) "lut3d";
    f->job.encoder = (char *)(uintptr_t) "libx264";
    wire__option__init(&f->option);
    f->option.key = (char *)(uintptr_t) "crf";
    f->option.value = (char *)(uintptr_t) "20";
    f->options[0] = &f->option;
    f->job.encoder_options = f->options;
    f->job.n_encoder_options = 1;
    wire__option__init(&f->filter_option);
    f->filter_option.key = (char *)(uintptr_t) "file";
    f->filter_option.value = f->side;
    f->filter_options[0] = &f->filter_option;
    wire__filter_facts__init(&f->filter);
    f->filter.name = (char *)(uintptr_t) "lut3d";
    f->filter.options = f->filter_options;
    f->filter.n_options = 1;
    f->filters[0] = &f->filter;
    f->stage = (struct plan_stage){.decode = true, .encode = true, .parallel = true};
    f->plan = (struct plan){.stages = &f->stage, .stage_count = 1, .segment_s = 2, .chain = (char *)(uintptr_t) "lut3d"};
}

static void clear(struct fixture *f)
{
    wire__codec_parameters__free_unpacked(f->input, NULL);
    unlink(f->side);
}

static struct cache_job_key make(struct fixture *f)
{
    const Wire__Job *jobs[] = {&f->job};
    struct cache_job_key key;

    assert_int_equal(cache_job_key_make(&key, f->libraries, jobs, 1, &f->plan, f->filters, 1), 0);
    return key;
}

static bool same(const struct cache_key *a, const struct cache_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void write_side(const struct fixture *f, const char *text)
{
    FILE *file = fopen(f->side, "w");

    fputs(text, file);
    fclose(file);
}

// The key that was made with nothing changed is "key"; it is the same again when the change is undone.
#define CHANGED(change, undo)                                                                                                                        \
    do {                                                                                                                                             \
        change;                                                                                                                                      \
        other = make(&f);                                                                                                                            \
        assert_false(same(&key.results, &other.results));                                                                                            \
        undo;                                                                                                                                        \
        other = make(&f);                                                                                                                            \
        assert_true(same(&key.results, &other.results));                                                                                             \
    } while (0)

static void what_a_job_depends_on_changes_its_key(void **state)
{
    struct fixture f;
    struct cache_job_key key, other;

    (void)state;
    init(&f);
    key = make(&f);
    CHANGED(f.libraries = "libav 2", f.libraries = "libav 1");
    CHANGED(f.option.value = (char *)(uintptr_t) "21", f.option.value = (char *)(uintptr_t) "20");
    CHANGED(f.option.key = (char *)(uintptr_t) "qp", f.option.key = (char *)(uintptr_t) "crf");
    CHANGED(f.job.encoder = (char *)(uintptr_t) "libx265", f.job.encoder = (char *)(uintptr_t) "libx264");
    CHANGED(f.job.filters = (char *)(uintptr_t) "lut1d", f.job.filters = (char *)(uintptr_t) "lut3d");
    CHANGED(f.job.global_header = 1, f.job.global_header = 0);
    CHANGED(f.job.slices = 4, f.job.slices = 0);
    CHANGED(f.job.autorotate = 1, f.job.autorotate = 0);
    CHANGED(f.input->width = 65, f.input->width = 64);
    CHANGED(f.tb.den = 50, f.tb.den = 25);
    CHANGED(f.rate.num = 50, f.rate.num = 25);
    CHANGED(f.stage.before = 1, f.stage.before = 0);
    CHANGED(f.stage.parallel = false, f.stage.parallel = true);
    CHANGED(f.plan.chain = NULL, f.plan.chain = (char *)(uintptr_t) "lut3d");
    CHANGED(write_side(&f, "CONTENT"), write_side(&f, "content"));
    clear(&f);
}

// Whether the key is another one when the file that the option names has other contents.
static bool sees_file(struct fixture *f)
{
    struct cache_job_key key, other;

    write_side(f, "content");
    key = make(f);
    write_side(f, "CONTENT");
    other = make(f);
    write_side(f, "content");
    return !same(&key.results, &other.results);
}

static void files_in_lists_of_parameters_matter(void **state)
{
    static const char *const encoders[][2] = {{"", ""},
                                              {"lambda-file=", ""},
                                              {"crf=20:lambda-file=", ":pools=none"},
                                              {"zonefile=", ""},
                                              {"ref=3,cqmfile=", ""},
                                              {"crf=20:dhdr10-info='", "'"},
                                              {"a='b:c':dolby-vision-rpu=", ""},
                                              {"film-grain-table=\\", ""}};
    static const char *const filters[][2] = {
        {"path=", ""},      {"version=vmaf_v0.6.1|path=", ""}, {"path=", ":name=a|version=b"}, {"5x5+2x2/custom=", "|1"}, {"'path=", ":name=a'"},
        {"path=\\'", "\\'"}};
    struct fixture f;

    (void)state;
    init(&f);
    f.filter_option.value = (char *)(uintptr_t) "nothing";
    for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++) {
        f.option.value = mem_format("%s%s%s", encoders[i][0], f.side, encoders[i][1]);
        if (!sees_file(&f))
            fail_msg("%s", f.option.value);
        free(f.option.value);
    }
    f.option.value = (char *)(uintptr_t) "20";
    assert_false(sees_file(&f));
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        f.filter_option.value = mem_format("%s%s%s", filters[i][0], f.side, filters[i][1]);
        if (!sees_file(&f))
            fail_msg("%s", f.filter_option.value);
        free(f.filter_option.value);
    }
    clear(&f);
}

static const char *const media_lists[] = {"ffconcat version 1.0\nfile other.mp4\n",
                                          "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n",
                                          "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
                                          "profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" type=\"static\"></MPD>\n"};

static int try(struct fixture *f)
{
    const Wire__Job *jobs[] = {&f->job};
    struct cache_job_key key;

    return cache_job_key_make(&key, f->libraries, jobs, 1, &f->plan, f->filters, 1);
}

// What they name may change, and they do not.
static void lists_of_media_are_not_known(void **state)
{
    struct cache_file_id id;
    struct fixture f;

    (void)state;
    init(&f);
    f.filter.name = (char *)(uintptr_t) "movie";
    f.filter_option.key = (char *)(uintptr_t) "filename";
    assert_int_equal(try(&f), 0);
    assert_int_equal(cache_file_identify(&id, f.side), 0);
    for (size_t i = 0; i < sizeof(media_lists) / sizeof(media_lists[0]); i++) {
        write_side(&f, media_lists[i]);
        assert_int_equal(cache_file_identify(&id, f.side), -ENOTSUP);
        assert_int_equal(try(&f), -ENOTSUP);
    }
    // Without its first line it is one for who is told so.
    write_side(&f, "file other.mp4\n");
    assert_int_equal(try(&f), 0);
    f.filter_option.key = (char *)(uintptr_t) "format_name";
    f.filter_option.value = (char *)(uintptr_t) "concat";
    assert_int_equal(try(&f), -ENOTSUP);
    f.filter_option.value = (char *)(uintptr_t) "mov";
    assert_int_equal(try(&f), 0);
    clear(&f);
}

static void set_time(const char *path, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    set_time(path, 1000);
}

// A configuration that names one folder and includes another file, so that the test knows all that there is.
static void fonts_to_choose_of_matter_to_subtitles(void **state)
{
    char folder[] = "/tmp/test-fonts-XXXXXX", conf[64], more[64], fonts[64], font[80], second[80], hidden[80], text[400];
    struct cache_job_key key, other;
    struct fixture f;

    (void)state;
    init(&f);
    assert_non_null(mkdtemp(folder));
    snprintf(conf, sizeof(conf), "%s/fonts.conf", folder);
    snprintf(more, sizeof(more), "%s/more.conf", folder);
    snprintf(fonts, sizeof(fonts), "%s/the fonts", folder);
    snprintf(font, sizeof(font), "%s/a.ttf", fonts);
    snprintf(second, sizeof(second), "%s/b.ttf", fonts);
    snprintf(hidden, sizeof(hidden), "%s/.uuid", fonts);
    snprintf(text, sizeof(text), "<fontconfig><include>more.conf</include></fontconfig>");
    put(conf, text);
    snprintf(text, sizeof(text), "<fontconfig><dir>/nonexistent</dir>\n<dir prefix=\"default\"> %s </dir></fontconfig>", fonts);
    put(more, text);
    mkdir(fonts, 0777);
    put(font, "glyphs");
    setenv("FONTCONFIG_FILE", conf, 1);
    f.filter.name = (char *)(uintptr_t) "subtitles";
    key = make(&f);
    CHANGED(put(font, "more glyphs"), put(font, "glyphs"));
    CHANGED(set_time(font, 2000), set_time(font, 1000));
    CHANGED(put(second, "glyphs"), unlink(second));
    CHANGED(put(conf, "<fontconfig/>"), put(conf, "<fontconfig><include>more.conf</include></fontconfig>"));
    CHANGED(setenv("FC_LANG", "ja", 1), unsetenv("FC_LANG"));
    put(hidden, "1");
    other = make(&f);
    assert_true(same(&key.results, &other.results));
    f.filter.name = (char *)(uintptr_t) "ass";
    key = make(&f);
    CHANGED(unlink(font), put(font, "glyphs"));
    f.filter.name = (char *)(uintptr_t) "drawtext";
    key = make(&f);
    CHANGED(unlink(font), put(font, "glyphs"));
    // The others have nothing to do with them.
    f.filter.name = (char *)(uintptr_t) "lut3d";
    key = make(&f);
    unlink(font);
    other = make(&f);
    assert_true(same(&key.results, &other.results));
    unsetenv("FONTCONFIG_FILE");
    unlink(hidden);
    rmdir(fonts);
    unlink(more);
    unlink(conf);
    rmdir(folder);
    clear(&f);
}

static void what_does_not_matter_does_not_change_it(void **state)
{
    Wire__Arena arena = WIRE__ARENA__INIT;
    struct fixture f;
    struct cache_job_key key, other;

    (void)state;
    init(&f);
    key = make(&f);
    f.job.id = 7;
    arena.slot_count = 12;
    f.job.arena = &arena;
    f.job.whole_filters = (char *)(uintptr_t) "hflip,hqdn3d";
    f.input->bit_rate = 2000; // a longer file has another
    other = make(&f);
    assert_true(same(&key.results, &other.results));
    // The length aimed at decides which packets a segment has, not what comes of them.
    f.plan.segment_s = 3;
    other = make(&f);
    assert_true(same(&key.results, &other.results));
    assert_false(same(&key.cuts, &other.cuts));
    clear(&f);
}

static AVPacket *some_packet(int number)
{
    AVPacket *packet = av_packet_alloc();

    assert_int_equal(av_new_packet(packet, 10), 0);
    memset(packet->data, number, 10);
    packet->pts = packet->dts = number;
    packet->duration = 1;
    return packet;
}

// Six packets in chunks of that size.
static void fill(struct chunk_list *list, int per_chunk)
{
    *list = (struct chunk_list){0};
    for (int i = 0; i < 6;) {
        struct chunk *chunk = chunk_new((uint32_t)(i / per_chunk));

        for (int j = 0; j < per_chunk; j++, i++) {
            AVPacket *packet = some_packet(i);

            chunk_take(chunk, &packet);
        }
        chunk_list_put(list, &chunk);
    }
}

static struct cache_key key_of(const struct cache_job_key *job, const struct chunk_list *list, int64_t from, int64_t to, const char *extradata)
{
    struct cache_key key;

    cache_key_of_packets(&key, job, from, to, (const uint8_t *)extradata, extradata ? strlen(extradata) : 0, list);
    return key;
}

static void a_segment_is_known_by_its_packets(void **state)
{
    struct fixture f;
    struct cache_job_key job, other_job;
    struct chunk_list list, others;
    struct cache_key key, other;
    AVPacket *packet;
    uint8_t *side;

    (void)state;
    init(&f);
    job = make(&f);
    fill(&list, 3);
    fill(&others, 2);
    key = key_of(&job, &list, 0, 100, NULL);
    other = key_of(&job, &others, 0, 100, NULL);
    assert_true(same(&key, &other)); // in whatever chunks
#define OTHER(expression)                                                                                                                            \
    do {                                                                                                                                             \
        other = expression;                                                                                                                          \
        assert_false(same(&key, &other));                                                                                                            \
    } while (0)
    OTHER(key_of(&job, &list, 1, 100, NULL));
    OTHER(key_of(&job, &list, 0, 99, NULL));
    OTHER(key_of(&job, &list, 0, 100, ""));
    OTHER(key_of(&job, &list, 0, 100, "x"));
    packet = list.last->packets[2];
    packet->data[9] ^= 1;
    OTHER(key_of(&job, &list, 0, 100, NULL));
    packet->data[9] ^= 1;
    packet->pts++;
    OTHER(key_of(&job, &list, 0, 100, NULL));
    packet->pts--;
    packet->dts++;
    OTHER(key_of(&job, &list, 0, 100, NULL));
    packet->dts--;
    packet->duration++;
    OTHER(key_of(&job, &list, 0, 100, NULL));
    packet->duration--;
    packet->flags ^= AV_PKT_FLAG_KEY;
    OTHER(key_of(&job, &list, 0, 100, NULL));
    packet->flags ^= AV_PKT_FLAG_KEY;
    other = key_of(&job, &list, 0, 100, NULL);
    assert_true(same(&key, &other));
    side = av_packet_new_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, 1);
    side[0] = 0;
    OTHER(key_of(&job, &list, 0, 100, NULL));
    f.option.value = (char *)(uintptr_t) "30";
    other_job = make(&f);
    OTHER(key_of(&other_job, &others, 0, 100, NULL));
    chunk_list_clear(&list);
    chunk_list_clear(&others);
    clear(&f);
}

static void a_file_is_known_by_size_time_and_content(void **state)
{
    struct fixture f;
    struct cache_file_id id, other;
    const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}}, later[2] = {{.tv_sec = 1001}, {.tv_sec = 1001}};
    struct cache_job_key job;
    struct cache_key key, second;

    (void)state;
    init(&f);
    job = make(&f);
    utimensat(AT_FDCWD, f.side, past, 0);
    assert_int_equal(cache_file_identify(&id, f.side), 0);
    assert_int_equal(cache_file_identify(&other, f.side), 0);
    assert_true(same(&id.content, &other.content));
    utimensat(AT_FDCWD, f.side, later, 0);
    assert_int_equal(cache_file_identify(&other, f.side), 0);
    assert_false(same(&id.content, &other.content));
    write_side(&f, "contenT");
    utimensat(AT_FDCWD, f.side, past, 0);
    assert_int_equal(cache_file_identify(&other, f.side), 0);
    assert_false(same(&id.content, &other.content));
    cache_key_of_file(&key, &job, &id, 3);
    cache_key_of_file(&second, &job, &id, 4);
    assert_false(same(&key, &second));
    cache_key_of_file(&second, &job, &other, 3);
    assert_false(same(&key, &second));
    cache_key_of_file(&second, &job, &id, 3);
    assert_true(same(&key, &second));
    assert_int_equal(cache_file_identify(&other, "/tmp"), -EINVAL);
    assert_int_equal(cache_file_identify(&other, "/nonexistent"), -ENOENT);
    clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_job_depends_on_changes_its_key),
        cmocka_unit_test(files_in_lists_of_parameters_matter),
        cmocka_unit_test(lists_of_media_are_not_known),
        cmocka_unit_test(fonts_to_choose_of_matter_to_subtitles),
        cmocka_unit_test(what_does_not_matter_does_not_change_it),
        cmocka_unit_test(a_segment_is_known_by_its_packets),
        cmocka_unit_test(a_file_is_known_by_size_time_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
