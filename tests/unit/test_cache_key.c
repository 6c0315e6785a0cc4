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

static void what_a_job_depends_on_changes_its_key(void **state)
{
    struct fixture f;
    struct cache_job_key key, other;

    (void)state;
    init(&f);
    key = make(&f);
#define CHANGED(change, undo)                                                                                                                        \
    do {                                                                                                                                             \
        change;                                                                                                                                      \
        other = make(&f);                                                                                                                            \
        assert_false(same(&key.results, &other.results));                                                                                            \
        undo;                                                                                                                                        \
        other = make(&f);                                                                                                                            \
        assert_true(same(&key.results, &other.results));                                                                                             \
    } while (0)
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
        cmocka_unit_test(what_does_not_matter_does_not_change_it),
        cmocka_unit_test(a_segment_is_known_by_its_packets),
        cmocka_unit_test(a_file_is_known_by_size_time_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
