#include "coordinator/assembler.h"

#include <libavcodec/packet.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// A chunk of one packet that carries a number, so that the order of what comes out can be told.
static struct chunk *chunk_of(uint32_t sequence, int64_t pts)
{
    struct chunk *chunk = chunk_new(sequence);
    AVPacket *packet = av_packet_alloc();

    assert_int_equal(av_new_packet(packet, 100), 0);
    packet->pts = pts;
    chunk_take(chunk, &packet);
    return chunk;
}

static void put(struct assembler *a, uint32_t segment, uint32_t sequence, int64_t pts)
{
    struct chunk *chunk = chunk_of(sequence, pts);

    assert_int_equal(assembler_put(a, segment, &chunk), 0);
    assert_null(chunk);
}

static void expect_next(struct assembler *a, int64_t pts)
{
    struct chunk *chunk = assembler_next(a);

    assert_non_null(chunk);
    assert_int_equal(chunk->packets[0]->pts, pts);
    chunk_free(&chunk);
}

// A chunk of several packets, with numbers from pts on.
static void put_many(struct assembler *a, uint32_t sequence, int64_t pts, int count)
{
    struct chunk *chunk = chunk_new(sequence);

    for (int i = 0; i < count; i++) {
        AVPacket *packet = av_packet_alloc();

        assert_int_equal(av_new_packet(packet, 10), 0);
        packet->pts = pts + i;
        chunk_take(chunk, &packet);
    }
    assert_int_equal(assembler_put(a, 0, &chunk), 0);
}

static size_t dropped;

static void count_dropped(void *data, struct chunk **chunk)
{
    (void)data;
    dropped += (*chunk)->packet_count;
    chunk_free(chunk);
}

static void a_repeated_attempt_may_come_in_other_chunks(void **state)
{
    struct assembler *a = assembler_new();
    struct chunk *chunk;
    uint32_t segment;

    (void)state;
    assembler_set_drop(a, count_dropped, NULL);
    put_many(a, 0, 0, 4);
    put_many(a, 1, 4, 4);
    chunk = assembler_next(a);
    assert_int_equal(chunk->packet_count, 4);
    chunk_free(&chunk);
    assembler_restart(a, 0);
    assert_int_equal(dropped, 4);
    assert_true(assembler_begun(a, 0));
    put_many(a, 0, 0, 3);
    put_many(a, 1, 3, 3); // the first of them has left
    assert_int_equal(dropped, 8);
    chunk = assembler_next(a);
    assert_int_equal(chunk->packet_count, 2);
    assert_int_equal(chunk->packets[0]->pts, 4);
    assert_int_equal(chunk->size_bytes, 20);
    chunk_free(&chunk);
    put_many(a, 2, 6, 2);
    expect_next(a, 6);
    assert_int_equal(assembler_end(a, 0, 8), 0);
    assert_true(assembler_finished(a, &segment));
    assert_int_equal(assembler_held_bytes(a), 0);
    assembler_free(&a);
}

static void what_is_settled_ends_with_what_is_here(void **state)
{
    struct assembler *a = assembler_new();
    uint32_t segment;

    (void)state;
    assembler_settle(a, 0);
    put(a, 1, 0, 10);
    assert_true(assembler_finished(a, &segment));
    assert_int_equal(segment, 0);
    expect_next(a, 10);
    assembler_free(&a);
}

static void segments_leave_in_order_whatever_order_they_came_in(void **state)
{
    struct assembler *a = assembler_new();
    uint32_t segment;

    (void)state;
    put(a, 1, 0, 10);
    assert_int_equal(assembler_end(a, 1, 1), 0);
    assert_null(assembler_next(a));
    assert_false(assembler_finished(a, &segment));
    put(a, 0, 0, 0);
    expect_next(a, 0); // the first segment's chunks leave as they come
    put(a, 0, 1, 1);
    assert_int_equal(assembler_end(a, 0, 2), 0);
    expect_next(a, 1);
    assert_true(assembler_finished(a, &segment));
    assert_int_equal(segment, 0);
    expect_next(a, 10);
    assert_true(assembler_finished(a, &segment));
    assert_int_equal(segment, 1);
    assert_true(assembler_empty(a));
    assert_int_equal(assembler_held_bytes(a), 0);
    assembler_free(&a);
}

static void a_repeated_attempt_does_not_write_twice_what_has_left(void **state)
{
    struct assembler *a = assembler_new();
    uint32_t segment;

    (void)state;
    put(a, 0, 0, 0);
    put(a, 0, 1, 1);
    expect_next(a, 0);
    assembler_restart(a, 0); // the renderer is gone
    assert_null(assembler_next(a));
    put(a, 0, 0, 0);
    assert_null(assembler_next(a));
    put(a, 0, 1, 1);
    expect_next(a, 1);
    assert_int_equal(assembler_end(a, 0, 2), 0);
    assert_true(assembler_finished(a, &segment));
    assembler_free(&a);
}

static void a_gap_a_repeat_and_a_wrong_count_are_refused(void **state)
{
    struct assembler *a = assembler_new();
    struct chunk *chunk;

    (void)state;
    put(a, 0, 0, 0);
    chunk = chunk_of(2, 2);
    assert_int_equal(assembler_put(a, 0, &chunk), -EPROTO);
    assert_non_null(chunk);
    chunk->sequence = 0;
    assert_int_equal(assembler_put(a, 0, &chunk), -EPROTO);
    chunk_free(&chunk);
    assert_int_equal(assembler_end(a, 0, 2), -EPROTO);
    assert_int_equal(assembler_end(a, 0, 1), 0);
    assert_int_equal(assembler_end(a, 0, 1), -EPROTO);
    assembler_free(&a);
}

static void an_empty_segment_passes(void **state)
{
    struct assembler *a = assembler_new();
    uint32_t segment;

    (void)state;
    assert_int_equal(assembler_end(a, 0, 0), 0);
    assert_null(assembler_next(a));
    assert_true(assembler_finished(a, &segment));
    assert_int_equal(assembler_head(a), 1);
    assembler_free(&a);
}

static void held_bytes_are_those_that_have_not_left(void **state)
{
    struct assembler *a = assembler_new();

    (void)state;
    put(a, 0, 0, 0);
    put(a, 3, 0, 30);
    assert_int_equal(assembler_held_bytes(a), 200);
    expect_next(a, 0);
    assert_int_equal(assembler_held_bytes(a), 100);
    assembler_restart(a, 3);
    assert_int_equal(assembler_held_bytes(a), 0);
    assembler_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_leave_in_order_whatever_order_they_came_in),
        cmocka_unit_test(a_repeated_attempt_may_come_in_other_chunks),
        cmocka_unit_test(what_is_settled_ends_with_what_is_here),
        cmocka_unit_test(a_repeated_attempt_does_not_write_twice_what_has_left),
        cmocka_unit_test(a_gap_a_repeat_and_a_wrong_count_are_refused),
        cmocka_unit_test(an_empty_segment_passes),
        cmocka_unit_test(held_bytes_are_those_that_have_not_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
