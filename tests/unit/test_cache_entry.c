// A finished segment as a file: what is written is read, and whatever is not as it was written is noticed.
#include "coordinator/cache_entry.h"

#include "common/mem.h"

#include <libavcodec/packet.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cache_key key = {{1, 2, 3}}, other_key = {{1, 2, 4}};

static struct chunk *some_chunk(uint32_t sequence, bool last, int packets)
{
    struct chunk *chunk = chunk_new(sequence);

    chunk->last = last;
    for (int i = 0; i < packets; i++) {
        AVPacket *packet = av_packet_alloc();

        assert_int_equal(av_new_packet(packet, 5 * i), 0);
        memset(packet->data, (int)sequence + i, (size_t)packet->size);
        packet->pts = 100 * sequence + (uint32_t)i;
        packet->dts = packet->pts - 7;
        packet->flags = i == 0 ? AV_PKT_FLAG_KEY : 0;
        if (i == 1)
            memset(av_packet_new_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, 9), 3, 9);
        chunk_take(chunk, &packet);
    }
    return chunk;
}

static void put(struct cache_entry_writer *writer, uint32_t sequence, bool last, int packets, int expected)
{
    struct chunk *chunk = some_chunk(sequence, last, packets);

    assert_int_equal(cache_entry_write_chunk(writer, chunk), expected);
    chunk_free(&chunk);
}

enum { TIMES = 4 };

static const int64_t some_times[TIMES] = {-70000, -69999, 5, INT64_MAX};

// free()
static char *some_entry(size_t *size)
{
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, size);
    struct cache_entry_writer writer;
    Wire__Done done = WIRE__DONE__INIT;

    assert_int_equal(cache_entry_write_open(&writer, file, &key), 0);
    put(&writer, 0, false, 3, 0);
    put(&writer, 1, true, 2, 0);
    assert_int_equal(cache_entry_write_times(&writer, some_times, TIMES), 0);
    done.segment = 12;
    done.packets = 5;
    done.frames_encoded = 5;
    assert_int_equal(cache_entry_write_done(&writer, &done), 0);
    fclose(file);
    return bytes;
}

// How often something came before the error, which is returned; 0: all came, and the end.
static int read_all(char *bytes, size_t size, const struct cache_key *with, int *chunks)
{
    FILE *file = fmemopen(bytes, size, "r");
    struct cache_entry_reader reader;
    struct chunk *chunk;
    Wire__Done *done = NULL;
    int err = cache_entry_read_open(&reader, file, with);

    *chunks = 0;
    while (err >= 0 && !done) {
        err = cache_entry_read_next(&reader, &chunk, &done);
        *chunks += chunk != NULL;
        chunk_free(&chunk);
    }
    if (done) {
        assert_int_equal(done->packets, 5);
        assert_int_equal(done->frames_encoded, 5);
        assert_int_equal(done->segment, 0);
        wire__done__free_unpacked(done, NULL);
    }
    fclose(file);
    return err;
}

static void what_is_written_is_read(void **state)
{
    size_t size;
    char *bytes = some_entry(&size);
    FILE *file = fmemopen(bytes, size, "r");
    struct cache_entry_reader reader;
    Wire__Done *done;

    (void)state;
    assert_int_equal(cache_entry_read_open(&reader, file, &key), 0);
    for (uint32_t sequence = 0; sequence < 2; sequence++) {
        struct chunk *expected = some_chunk(sequence, sequence == 1, sequence == 1 ? 2 : 3), *chunk;

        assert_int_equal(cache_entry_read_next(&reader, &chunk, &done), 0);
        assert_null(done);
        assert_int_equal(chunk->sequence, sequence);
        assert_int_equal(chunk->last, expected->last);
        assert_int_equal(chunk->packet_count, expected->packet_count);
        for (size_t i = 0; i < chunk->packet_count; i++) {
            const AVPacket *a = chunk->packets[i], *b = expected->packets[i];

            assert_int_equal(a->pts, b->pts);
            assert_int_equal(a->dts, b->dts);
            assert_int_equal(a->flags, b->flags);
            assert_int_equal(a->size, b->size);
            assert_int_equal(a->side_data_elems, b->side_data_elems);
            if (a->size > 0)
                assert_memory_equal(a->data, b->data, (size_t)a->size);
            if (a->side_data_elems > 0)
                assert_memory_equal(a->side_data[0].data, b->side_data[0].data, b->side_data[0].size);
        }
        chunk_free(&chunk);
        chunk_free(&expected);
    }
    fclose(file);
    free(bytes);
}

static int read_times(char *bytes, size_t size, const struct cache_key *with, int64_t **times, size_t *count)
{
    FILE *file = fmemopen(bytes, size, "r");
    int err = cache_entry_read_times(file, with, times, count);

    fclose(file);
    return err;
}

static void times_are_read_by_themselves(void **state)
{
    size_t size, count;
    char *bytes = some_entry(&size);
    int64_t *times;

    (void)state;
    assert_int_equal(read_times(bytes, size, &key, &times, &count), 0);
    assert_int_equal(count, TIMES);
    assert_memory_equal(times, some_times, sizeof(some_times));
    free(times);
    assert_int_equal(read_times(bytes, size, &other_key, &times, &count), -EBADMSG);
    assert_null(times);
    // Whatever is wrong, what comes is right or nothing.
    for (size_t i = 0; i < 8 * size; i++) {
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
        if (read_times(bytes, size, &key, &times, &count) >= 0) {
            assert_int_equal(count, TIMES);
            assert_memory_equal(times, some_times, sizeof(some_times));
        }
        free(times);
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
    }
    free(bytes);
}

static void times_that_do_not_rise_are_not_written(void **state)
{
    struct cache_entry_writer writer;
    char *bytes = NULL;
    size_t size, count;
    FILE *file = open_memstream(&bytes, &size);
    int64_t *times;
    Wire__Done done = WIRE__DONE__INIT;

    (void)state;
    assert_int_equal(cache_entry_write_open(&writer, file, &key), 0);
    assert_int_equal(cache_entry_write_times(&writer, some_times, TIMES), -EPROTO);
    put(&writer, 0, true, 5, 0);
    assert_int_equal(cache_entry_write_times(&writer, (const int64_t[]){1, 1}, 2), -EINVAL);
    done.packets = 5;
    assert_int_equal(cache_entry_write_done(&writer, &done), 0);
    fclose(file);
    assert_int_equal(read_times(bytes, size, &key, &times, &count), -ENOENT);
    free(bytes);
}

static void every_flipped_bit_is_noticed(void **state)
{
    size_t size;
    char *bytes = some_entry(&size);
    int chunks;

    (void)state;
    assert_int_equal(read_all(bytes, size, &key, &chunks), 0);
    assert_int_equal(chunks, 2);
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] ^= (char)(1 << bit);
            assert_int_equal(read_all(bytes, size, &key, &chunks), -EBADMSG);
            bytes[at] ^= (char)(1 << bit);
        }
    }
    free(bytes);
}

static void every_other_length_is_noticed(void **state)
{
    size_t size;
    char *bytes = some_entry(&size);
    int chunks;

    (void)state;
    for (size_t length = 1; length < size; length++)
        assert_int_equal(read_all(bytes, length, &key, &chunks), -EBADMSG);
    bytes = mem_grow(bytes, size + 1, 1);
    bytes[size] = 0;
    assert_int_equal(read_all(bytes, size + 1, &key, &chunks), -EBADMSG);
    free(bytes);
}

static void an_entry_under_another_name_is_noticed(void **state)
{
    size_t size;
    char *bytes = some_entry(&size);
    int chunks;

    (void)state;
    assert_int_equal(read_all(bytes, size, &other_key, &chunks), -EBADMSG);
    assert_int_equal(chunks, 0);
    free(bytes);
}

static void what_does_not_follow_is_not_written(void **state)
{
    char *bytes = NULL;
    size_t size;
    FILE *file = open_memstream(&bytes, &size);
    struct cache_entry_writer writer;
    Wire__Done done = WIRE__DONE__INIT;

    (void)state;
    assert_int_equal(cache_entry_write_open(&writer, file, &key), 0);
    put(&writer, 1, false, 1, -EPROTO);
    put(&writer, 0, false, 1, 0);
    put(&writer, 0, false, 1, -EPROTO);
    assert_int_equal(cache_entry_write_done(&writer, &done), -EPROTO); // before the last chunk
    put(&writer, 1, true, 1, 0);
    put(&writer, 2, true, 1, -EPROTO);                                 // behind it
    assert_int_equal(cache_entry_write_done(&writer, &done), -EPROTO); // of 0 packets
    done.packets = 2;
    assert_int_equal(cache_entry_write_done(&writer, &done), 0);
    fclose(file);
    free(bytes);
}

static void a_full_disk_is_told(void **state)
{
    FILE *file = fopen("/dev/full", "w");
    struct cache_entry_writer writer;
    int err;

    (void)state;
    if (!file)
        skip();
    setvbuf(file, NULL, _IONBF, 0);
    err = cache_entry_write_open(&writer, file, &key);
    assert_int_equal(err, -ENOSPC);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(times_are_read_by_themselves),
        cmocka_unit_test(times_that_do_not_rise_are_not_written),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_other_length_is_noticed),
        cmocka_unit_test(an_entry_under_another_name_is_noticed),
        cmocka_unit_test(what_does_not_follow_is_not_written),
        cmocka_unit_test(a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
