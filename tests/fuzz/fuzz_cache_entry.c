// A finished segment's file. Input: a byte; when it is even, the file itself; when it is odd, records to put into a file with the right checksums,
// for what lies behind them: the kind (a byte), the message and the payload as parts.
#include "fuzz.h"

#include "coordinator/cache_entry.h"

#include <sodium.h>

#include <stdio.h>

enum { CHECKSUM_BYTES = 16 };

static const struct cache_key key;

static void put_number(uint8_t *at, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> 8 * i);
}

static void write_header(FILE *file)
{
    uint8_t bytes[8 + CACHE_KEY_BYTES + CHECKSUM_BYTES];

    memcpy(bytes, "RFCACHE1", 8);
    memcpy(bytes + 8, key.bytes, CACHE_KEY_BYTES);
    crypto_generichash(bytes + 8 + CACHE_KEY_BYTES, CHECKSUM_BYTES, bytes, 8 + CACHE_KEY_BYTES, NULL, 0);
    fwrite(bytes, 1, sizeof(bytes), file);
}

static void write_record(FILE *file, uint64_t number, struct fuzz_input *in)
{
    unsigned kind = fuzz_byte(in);
    size_t message_bytes, payload_bytes;
    uint8_t *message = fuzz_part(in, &message_bytes), *payload = fuzz_part(in, &payload_bytes);
    uint8_t head[16 + CHECKSUM_BYTES], count[8];
    crypto_generichash_state hash;

    put_number(head, kind, 4);
    put_number(head + 4, message_bytes, 4);
    put_number(head + 8, payload_bytes, 8);
    put_number(count, number, 8);
    crypto_generichash_init(&hash, NULL, 0, CHECKSUM_BYTES);
    crypto_generichash_update(&hash, key.bytes, CACHE_KEY_BYTES);
    crypto_generichash_update(&hash, count, sizeof(count));
    crypto_generichash_update(&hash, head, 16);
    crypto_generichash_update(&hash, message, message_bytes);
    crypto_generichash_update(&hash, payload, payload_bytes);
    crypto_generichash_final(&hash, head + 16, CHECKSUM_BYTES);
    fwrite(head, 1, sizeof(head), file);
    fwrite(message, 1, message_bytes, file);
    fwrite(payload, 1, payload_bytes, file);
    free(message);
    free(payload);
}

static void read_all(char *bytes, size_t size)
{
    FILE *file = size > 0 ? fmemopen(bytes, size, "r") : NULL;
    struct cache_entry_reader reader;
    Wire__Done *done = NULL;
    struct chunk *chunk;
    int64_t *times;
    size_t count;
    int err;

    if (!file)
        return;
    err = cache_entry_read_open(&reader, file, &key);
    while (err >= 0 && !done) {
        err = cache_entry_read_next(&reader, &chunk, &done);
        if (err >= 0 && !chunk == !done)
            abort(); // exactly one of them
        chunk_free(&chunk);
    }
    if (done)
        wire__done__free_unpacked(done, NULL);
    if (cache_entry_read_times(file, &key, &times, &count) >= 0)
        for (size_t i = 1; i < count; i++)
            if (times[i] <= times[i - 1])
                abort();
    free(times);
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char *bytes = NULL;
    size_t length;
    FILE *file;

    if (sodium_init() < 0)
        abort();
    file = open_memstream(&bytes, &length);
    if (fuzz_byte(&in) % 2 == 0) {
        fwrite(in.at, 1, in.left, file);
    } else {
        write_header(file);
        for (uint64_t number = 0; in.left > 0; number++)
            write_record(file, number, &in);
    }
    fclose(file);
    read_all(bytes, length);
    free(bytes);
    return 0;
}
