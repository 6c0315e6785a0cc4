#include "coordinator/shelf.h"

#include <libavcodec/packet.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void put(struct shelf *shelf, struct shelf_segment *segment, size_t bytes, bool last)
{
    struct chunk *chunk = chunk_new(segment->next_sequence++);
    AVPacket *packet = av_packet_alloc();

    packet->size = (int)bytes; // no bytes of its own, which nobody looks at
    chunk_take(chunk, &packet);
    chunk->last = last;
    shelf_put(shelf, segment, &chunk);
    assert_null(chunk);
}

static void what_renderers_have_is_told_apart_from_what_waits(void **state)
{
    struct shelf shelf = {0};
    struct shelf_segment *first = shelf_add(&shelf, 0), *second = shelf_add(&shelf, 1);

    (void)state;
    put(&shelf, first, 100, false);
    put(&shelf, first, 200, false);
    put(&shelf, second, 30, true);
    assert_int_equal(shelf.size_bytes, 330);
    assert_int_equal(shelf.kept_bytes, 0);
    shelf_sent(&shelf, first, first->chunks.first); // all of it is on its way to somebody from now on
    assert_int_equal(shelf.kept_bytes, 300);
    put(&shelf, first, 400, true);
    shelf_sent(&shelf, first, first->chunks.last);
    assert_int_equal(shelf.kept_bytes, 700);
    assert_int_equal(shelf.size_bytes, 730);
    assert_true(first->repeatable);
    shelf_remove(&shelf, 0);
    assert_int_equal(shelf.size_bytes, 30);
    assert_int_equal(shelf.kept_bytes, 0);
    shelf_clear(&shelf);
    assert_int_equal(shelf.size_bytes, 0);
}

static void what_a_lost_renderer_had_waits_again(void **state)
{
    struct shelf shelf = {0};
    struct shelf_segment *first = shelf_add(&shelf, 0), *second = shelf_add(&shelf, 1);

    (void)state;
    put(&shelf, first, 100, true);
    put(&shelf, second, 30, true);
    shelf_sent(&shelf, first, first->chunks.last);
    shelf_sent(&shelf, second, second->chunks.last);
    shelf_lost(&shelf, first);
    shelf_lost(&shelf, first);
    assert_int_equal(shelf.kept_bytes, 30);
    shelf_sent(&shelf, first, first->chunks.last);
    assert_int_equal(shelf.kept_bytes, 130);
    shelf_drop(&shelf, first);
    assert_int_equal(shelf.kept_bytes, 30);
    assert_int_equal(shelf.size_bytes, 30);
    shelf_clear(&shelf);
    assert_int_equal(shelf.kept_bytes, 0);
}

static void of_a_segment_that_is_too_large_to_keep_what_was_sent_is_let_go(void **state)
{
    struct shelf shelf = {0};
    struct shelf_segment *segment = shelf_add(&shelf, 0);

    (void)state;
    for (int i = 0; i < 3; i++)
        put(&shelf, segment, SHELF_KEEP_BYTES / 4, false);
    shelf_sent(&shelf, segment, segment->chunks.first);
    assert_int_equal(shelf.kept_bytes, 3 * (SHELF_KEEP_BYTES / 4));
    for (int i = 0; i < 2; i++)
        put(&shelf, segment, SHELF_KEEP_BYTES / 4, false);
    shelf_sent(&shelf, segment, segment->chunks.first->next->next);
    assert_false(segment->repeatable);
    assert_int_equal(shelf.size_bytes, 3 * (SHELF_KEEP_BYTES / 4)); // with the last one sent, which the next one hangs on
    assert_int_equal(shelf.kept_bytes, 0);                          // what is still to be sent is read ahead
    put(&shelf, segment, 10, true);
    shelf_lost(&shelf, segment);
    shelf_sent(&shelf, segment, segment->chunks.last);
    assert_int_equal(shelf.size_bytes, 10);
    assert_int_equal(shelf.kept_bytes, 0);
    shelf_clear(&shelf);
    assert_int_equal(shelf.size_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_renderers_have_is_told_apart_from_what_waits),
        cmocka_unit_test(what_a_lost_renderer_had_waits_again),
        cmocka_unit_test(of_a_segment_that_is_too_large_to_keep_what_was_sent_is_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
