#include "common/frames.h"

#include <libavutil/dict.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int fd;
static struct arena *arena;

enum { SLOTS = 3, SLOT_BYTES = 1 << 20 };

static int setup(void **state)
{
    (void)state;
    fd = arena_create();
    arena = fd < 0 ? NULL : arena_map(fd, 0, SLOT_BYTES, SLOTS, true);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_unmap(&arena);
    close(fd);
    return 0;
}

static bool yes(void *data)
{
    (void)data;
    return true;
}

static void small_frames_are_handed_on_in_larger_numbers(void **state)
{
    (void)state;
    assert_int_equal(frames_in_chunk(100000, 128), 32);
    assert_int_equal(frames_in_chunk(2 << 20, 128), 12);
    assert_int_equal(frames_in_chunk(100 << 20, 128), 4);
    assert_int_equal(frames_in_chunk(0, 128), 32);
    assert_int_equal(frames_in_chunk(100000, 40), 20);
    assert_int_equal(frames_in_chunk(100000, 2), 4);
}

static void several_slots_are_let_go_with_one_word(void **state)
{
    uint32_t a, b;

    (void)state;
    assert_int_equal(arena_try(arena, 0, 2, 7, &a), 0);
    assert_int_equal(arena_try(arena, 0, 2, 7, &b), 0);
    arena_hold(arena, a);
    assert_false(arena_let_go(arena, a)); // another one needs it
    assert_true(arena_let_go(arena, a));
    assert_true(arena_let_go(arena, b));
    assert_false(arena_let_go(arena, b)); // said twice
    assert_false(arena_let_go(arena, SLOTS));
    assert_int_equal(arena_free_count(arena, 0, 2), 2);
}

static sem_t waiting;

// Asked when there was nothing to be had.
static bool tell_and_go_on(void *data)
{
    (void)data;
    sem_post(&waiting);
    return false;
}

static void *take_one(void *slot)
{
    assert_int_equal(arena_take(arena, 0, 2, 2, 7, tell_and_go_on, NULL, slot), 0);
    return NULL;
}

static void who_waits_for_several_goes_on_with_all_there_are(void **state)
{
    uint32_t a, b, taken = SLOTS;
    pthread_t thread;

    (void)state;
    sem_init(&waiting, 0, 0);
    assert_int_equal(arena_try(arena, 0, 2, 7, &a), 0);
    assert_int_equal(arena_try(arena, 0, 2, 7, &b), 0);
    assert_int_equal(pthread_create(&thread, NULL, take_one, &taken), 0);
    sem_wait(&waiting);
    arena_release(arena, b); // and the other one never
    pthread_join(thread, NULL);
    assert_int_equal(taken, b);
    sem_destroy(&waiting);
}

static void slots_are_taken_held_and_given_back(void **state)
{
    uint32_t a, b, c;

    (void)state;
    assert_int_equal(arena_try(arena, 0, 2, 7, &a), 0);
    assert_int_equal(arena_try(arena, 0, 2, 7, &b), 0);
    assert_int_equal(arena_try(arena, 0, 2, 7, &c), -EAGAIN);
    assert_int_equal(arena_take(arena, 0, 2, 1, 7, yes, NULL, &c), -ECANCELED);
    assert_int_equal(arena_try(arena, 2, 1, 8, &c), 0); // another hop's slots are not touched
    assert_int_equal(c, 2);
    arena_hold(arena, a);
    arena_release(arena, a);
    assert_int_equal(arena_free_count(arena, 0, 2), 0);
    arena_release(arena, a);
    assert_int_equal(arena_free_count(arena, 0, 2), 1);
    assert_int_equal(arena_try(arena, 0, 2, 7, &b), 0);
    assert_int_equal(b, a);
    assert_int_equal(arena_try(arena, 2, 2, 7, &b), -EINVAL);
    assert_null(arena_slot(arena, SLOTS));
}

static void less_memory_than_promised_is_refused(void **state)
{
    (void)state;
    assert_null(arena_map(fd, 0, SLOT_BYTES, SLOTS + 1, false));
    assert_null(arena_map(fd, 0, SIZE_MAX / 2, SLOTS, false));
    assert_null(arena_map(fd, 4096, SLOT_BYTES, SLOTS, false));
    assert_null(arena_map(fd, 1, SLOT_BYTES, 1, false)); // no page begins there
    assert_null(arena_map(fd, UINT64_MAX - 4095, SLOT_BYTES, SLOTS, true));
    assert_int_equal(arena_bytes(SIZE_MAX / 2, SLOTS), 0);
}

static void arenas_lie_beside_each_other(void **state)
{
    uint64_t size = arena_bytes(SLOT_BYTES, SLOTS);
    struct arena *other = arena_map(fd, size, SLOT_BYTES, 1, true), *again;
    uint32_t slot;

    (void)state;
    assert_non_null(other);
    assert_int_equal(lseek(fd, 0, SEEK_END), size + arena_bytes(SLOT_BYTES, 1));
    assert_int_equal(arena_try(other, 0, 1, 1, &slot), 0);
    memset(arena_slot(other, slot), 1, SLOT_BYTES);
    assert_int_equal(arena_free_count(arena, 0, SLOTS), SLOTS);
    assert_int_equal(arena_try(arena, 0, SLOTS, 1, &slot), 0);
    *arena_slot(arena, slot) = 7;
    // One that is mapped once more cuts off nobody behind it.
    again = arena_map(fd, 0, SLOT_BYTES, SLOTS, true);
    assert_int_equal(*arena_slot(again, slot), 7);
    arena_unmap(&again);
    assert_int_equal(*arena_slot(other, 0), 1);
    // What is forgotten begins anew, and nobody who still has it mapped falls.
    arena_forget(fd, size, arena_bytes(SLOT_BYTES, 1));
    assert_int_equal(*arena_slot(other, 0), 0);
    assert_int_equal(arena_free_count(other, 0, 1), 1);
    assert_int_equal(*arena_slot(arena, slot), 7);
    arena_unmap(&other);
}

static AVFrame *picture(enum AVPixelFormat format, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    unsigned seed = 1;

    frame->format = format;
    frame->width = width;
    frame->height = height;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int i = 0; i < 4 && frame->buf[i]; i++)
        for (size_t j = 0; j < frame->buf[i]->size; j++)
            frame->buf[i]->data[j] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
    frame->pts = 1234;
    frame->sample_aspect_ratio = (AVRational){4, 3};
    frame->colorspace = AVCOL_SPC_BT709;
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->pict_type = AV_PICTURE_TYPE_B;
    frame->crop_left = 2;
    av_dict_set(&frame->metadata, "lavfi.key", "value", 0);
    memset(av_frame_new_side_data(frame, AV_FRAME_DATA_AFD, 1)->data, 9, 1);
    assert_non_null(av_frame_new_side_data(frame, AV_FRAME_DATA_SEI_UNREGISTERED, 0)); // there, but empty
    return frame;
}

static void assert_same_pixels(const AVFrame *a, const AVFrame *b)
{
    for (int plane = 0; plane < av_pix_fmt_count_planes(a->format); plane++) {
        const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(a->format);
        int height = plane == 1 || plane == 2 ? -(-a->height >> d->log2_chroma_h) : a->height;
        int bytes = av_image_get_linesize(a->format, a->width, plane);

        for (int y = 0; y < height; y++)
            assert_memory_equal(a->data[plane] + y * a->linesize[plane], b->data[plane] + y * b->linesize[plane], (size_t)bytes);
    }
}

static void hand_over(enum AVPixelFormat format, int width, int height, bool copy)
{
    struct frames_link link = {.time_base = {1, 25}, .frame_rate = {25, 1}, .bits_per_raw_sample = 8, .untouched = true};
    AVFrame *given = picture(format, width, height), *got = av_frame_alloc();
    AVPacket *packet = NULL;
    Wire__Frame *in;
    uint32_t slot;

    assert_int_equal(arena_try(arena, 0, SLOTS, 7, &slot), 0);
    assert_int_equal(frames_store(arena, slot, given, &link, &packet), 0);
    assert_int_equal(packet->pos, slot);
    in = frames_describe(packet);
    assert_non_null(in);
    assert_int_equal(in->frame_rate->num, 25);
    assert_int_equal(frames_load(arena, in, copy ? FRAMES_COPY : FRAMES_BORROW, got), 0);
    assert_int_equal(arena_free_count(arena, 0, SLOTS), copy ? SLOTS : SLOTS - 1);
    assert_false(!copy && av_frame_is_writable(got));
    assert_int_equal(got->pts, 1234);
    assert_int_equal(got->sample_aspect_ratio.num, 4);
    assert_int_equal(got->colorspace, AVCOL_SPC_BT709);
    assert_int_equal(got->color_range, AVCOL_RANGE_JPEG);
    assert_int_equal(got->pict_type, AV_PICTURE_TYPE_B);
    assert_int_equal(got->crop_left, 2);
    assert_string_equal(av_dict_get(got->metadata, "lavfi.key", NULL, 0)->value, "value");
    assert_int_equal(av_frame_get_side_data(got, AV_FRAME_DATA_AFD)->data[0], 9);
    assert_same_pixels(given, got);
    av_frame_free(&got);
    assert_int_equal(arena_free_count(arena, 0, SLOTS), SLOTS);
    wire__frame__free_unpacked(in, NULL);
    av_packet_free(&packet);
    av_frame_free(&given);
}

static void frames_arrive_whole(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P10LE, AV_PIX_FMT_NV12,
                                                 AV_PIX_FMT_GBRAP,   AV_PIX_FMT_GRAY16BE,    AV_PIX_FMT_RGB24,
                                                 AV_PIX_FMT_PAL8,    AV_PIX_FMT_YUYV422,     AV_PIX_FMT_MONOWHITE};

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        hand_over(formats[i], 177, 99, false);
        hand_over(formats[i], 64, 2, true);
    }
}

// For a receiver without the memory.
static void frames_take_their_pixels_along(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_GBRAP, AV_PIX_FMT_PAL8, AV_PIX_FMT_GRAY16BE};
    struct frames_link link = {.time_base = {1, 25}, .frame_rate = {25, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        AVFrame *given = picture(formats[i], 177, 99), *got = av_frame_alloc();
        AVPacket *packet = NULL, *whole;
        Wire__Frame *in;

        assert_int_equal(frames_store(arena, 1, given, &link, &packet), 0);
        packet->flags = 2;
        whole = frames_with_pixels(arena, packet);
        assert_non_null(whole);
        assert_int_equal(whole->flags, 2);
        assert_int_equal(whole->pts, packet->pts);
        memset(arena_slot(arena, 1), 0x77, SLOT_BYTES); // it is not looked at any more
        in = frames_describe(whole);
        assert_int_equal(frames_load(NULL, in, FRAMES_LOOK, got), 0);
        assert_same_pixels(given, got);
        assert_int_equal(got->crop_left, 2);
        assert_false(av_frame_is_writable(got));
        av_frame_unref(got);
        assert_null(frames_with_pixels(arena, whole)); // it has them already
        in->pixels.len--;
        assert_int_equal(frames_load(NULL, in, FRAMES_LOOK, got), AVERROR_INVALIDDATA);
        in->pixels.len++;
        in->height *= 2;
        assert_int_equal(frames_load(NULL, in, FRAMES_LOOK, got), AVERROR_INVALIDDATA);
        wire__frame__free_unpacked(in, NULL);
        in = frames_describe(packet);
        assert_true(frames_load(NULL, in, FRAMES_LOOK, got) < 0); // neither memory nor pixels
        wire__frame__free_unpacked(in, NULL);
        av_packet_free(&whole);
        av_packet_free(&packet);
        av_frame_free(&given);
        av_frame_free(&got);
    }
}

static struct chunk *several(size_t count)
{
    struct frames_link link = {.time_base = {1, 25}, .frame_rate = {25, 1}};
    AVFrame *given = picture(AV_PIX_FMT_YUV420P, 64, 64);
    struct chunk *chunk = chunk_new(5);

    for (size_t i = 0; i < count; i++) {
        AVPacket *packet = NULL;

        assert_int_equal(frames_store(arena, 1, given, &link, &packet), 0);
        chunk_take(chunk, &packet);
    }
    chunk->last = true;
    av_frame_free(&given);
    return chunk;
}

// What is behind it on a slow link would wait for all of it.
static void a_message_to_another_host_is_short(void **state)
{
    struct chunk *chunk = several(5), *nothing = several(0), *message;
    struct arena *large;
    size_t sent = 0;
    int other_fd;

    (void)state;
    for (int i = 0; i < 3; i++) {
        message = frames_message(arena, chunk, sent); // two slots fit
        assert_int_equal(message->packet_count, i < 2 ? 2 : 1);
        assert_true(message->last == (i == 2));
        sent += message->packet_count;
        chunk_free(&message);
    }
    message = frames_message(arena, nothing, 0); // only the word that it is over
    assert_int_equal(message->packet_count, 0);
    assert_true(message->last);
    chunk_free(&message);
    chunk_free(&nothing);
    chunk_free(&chunk);

    other_fd = arena_create();
    large = arena_map(other_fd, 0, 48 << 20, 2, true);
    assert_non_null(large);
    arena_unmap(&arena);
    arena = large;
    chunk = several(2);
    message = frames_message(large, chunk, 0); // however large one is
    assert_int_equal(message->packet_count, 1);
    assert_false(message->last);
    chunk_free(&message);
    chunk_free(&chunk);
    close(other_fd);
}

static void frame_that_does_not_fit_is_refused(void **state)
{
    struct frames_link link = {.time_base = {1, 25}};
    AVFrame *frame = picture(AV_PIX_FMT_RGB24, 1000, 1000);
    AVPacket *packet = NULL;

    (void)state;
    assert_int_equal(frames_store(arena, 0, frame, &link, &packet), -EMSGSIZE);
    assert_null(packet);
    av_frame_free(&frame);
}

static void descriptor_that_makes_no_sense_is_refused(void **state)
{
    struct frames_link link = {.time_base = {1, 25}};
    AVFrame *frame = picture(AV_PIX_FMT_GRAY8, 16, 16);
    AVPacket *packet = NULL;
    Wire__Frame *in;

    (void)state;
    assert_int_equal(frames_store(arena, 0, frame, &link, &packet), 0);
    in = frames_describe(packet);
    in->width = in->height = 4000; // more than the slot has
    assert_true(frames_load(arena, in, FRAMES_BORROW, frame) < 0);
    in->slot = SLOTS;
    assert_true(frames_load(arena, in, FRAMES_BORROW, frame) < 0);
    wire__frame__free_unpacked(in, NULL);
    memset(packet->data, 0xff, (size_t)packet->size);
    assert_null(frames_describe(packet));
    av_packet_free(&packet);
    av_frame_free(&frame);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(small_frames_are_handed_on_in_larger_numbers),
        TEST(several_slots_are_let_go_with_one_word),
        TEST(who_waits_for_several_goes_on_with_all_there_are),
        TEST(slots_are_taken_held_and_given_back),
        TEST(less_memory_than_promised_is_refused),
        TEST(arenas_lie_beside_each_other),
        TEST(frames_arrive_whole),
        TEST(frames_take_their_pixels_along),
        TEST(a_message_to_another_host_is_short),
        TEST(frame_that_does_not_fit_is_refused),
        TEST(descriptor_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
