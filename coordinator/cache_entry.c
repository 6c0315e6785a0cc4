#include "cache_entry.h"

#include "common/mem.h"
#include "common/packets.h"

#include <sodium.h>

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAGIC_BYTES = 8,
    CHECKSUM_BYTES = 16,
    HEADER_BYTES = MAGIC_BYTES + CACHE_KEY_BYTES + CHECKSUM_BYTES,
    LENGTHS_BYTES = 4 + 4 + 8,
    RECORD_BYTES = LENGTHS_BYTES + CHECKSUM_BYTES,
    MAX_MESSAGE_BYTES = 64 << 20, // as in a message between processes
};

// A chunk that is not full may get one more packet, of any size that a packet can have.
static const uint64_t max_payload_bytes = (uint64_t)CHUNK_TARGET_BYTES + INT_MAX;

static_assert(CHECKSUM_BYTES >= crypto_generichash_BYTES_MIN, "libsodium makes no shorter ones");

static const char magic[] = "RFCACHE1";

enum record_kind { RECORD_CHUNK = 1, RECORD_END = 2, RECORD_TIMES = 3 };

struct record {
    uint32_t kind, message_bytes;
    uint64_t payload_bytes;
};

static void put_number(uint8_t *at, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> 8 * i);
}

static uint64_t get_number(const uint8_t *at, int bytes)
{
    uint64_t number = 0;

    for (int i = 0; i < bytes; i++)
        number |= (uint64_t)at[i] << 8 * i;
    return number;
}

static void header_bytes(uint8_t bytes[HEADER_BYTES], const struct cache_key *key)
{
    memcpy(bytes, magic, MAGIC_BYTES);
    memcpy(bytes + MAGIC_BYTES, key->bytes, CACHE_KEY_BYTES);
    crypto_generichash(bytes + MAGIC_BYTES + CACHE_KEY_BYTES, CHECKSUM_BYTES, bytes, MAGIC_BYTES + CACHE_KEY_BYTES, NULL, 0);
}

// Over the part of a record's checksum that stands before its body.
static void begin_checksum(crypto_generichash_state *hash, const struct cache_entry_state *s, const uint8_t lengths[LENGTHS_BYTES])
{
    uint8_t number[8];

    put_number(number, s->record, 8);
    crypto_generichash_init(hash, NULL, 0, CHECKSUM_BYTES);
    crypto_generichash_update(hash, s->key.bytes, CACHE_KEY_BYTES);
    crypto_generichash_update(hash, number, sizeof(number));
    crypto_generichash_update(hash, lengths, LENGTHS_BYTES);
}

// Whether the chunk may come now. Both sides hold to it, so that nothing is written that would not be read.
static bool follows(const struct cache_entry_state *s, const struct chunk *chunk)
{
    return !s->last && chunk->sequence == s->next_sequence && chunk->packet_count <= CHUNK_MAX_PACKETS;
}

static bool ends(const struct cache_entry_state *s, const Wire__Done *done)
{
    return s->last && done->packets == s->packets;
}

static void count_chunk(struct cache_entry_state *s, const struct chunk *chunk)
{
    s->record++;
    s->next_sequence++;
    s->packets += chunk->packet_count;
    s->last = chunk->last;
}

// Writing.

static int write_bytes(FILE *file, const void *data, size_t size)
{
    errno = 0;
    if (size == 0 || fwrite(data, 1, size, file) == size)
        return 0;
    return errno ? -errno : -EIO;
}

int cache_entry_write_open(struct cache_entry_writer *writer, FILE *file, const struct cache_key *key)
{
    uint8_t bytes[HEADER_BYTES];

    *writer = (struct cache_entry_writer){.state = {.file = file, .key = *key}};
    header_bytes(bytes, key);
    return write_bytes(file, bytes, sizeof(bytes));
}

// The payloads of the chunk (NULL: none) go from the packets to the file without a copy.
static int write_record(struct cache_entry_state *s, enum record_kind kind, const uint8_t *message, size_t message_bytes, const struct chunk *chunk)
{
    size_t count = chunk ? chunk->packet_count : 0;
    uint8_t head[RECORD_BYTES];
    crypto_generichash_state hash;
    uint64_t payload_bytes = 0;
    int err;

    for (size_t i = 0; i < count; i++)
        payload_bytes += (uint64_t)chunk->packets[i]->size;
    if (message_bytes > MAX_MESSAGE_BYTES || payload_bytes > max_payload_bytes)
        return -EMSGSIZE;
    put_number(head, kind, 4);
    put_number(head + 4, message_bytes, 4);
    put_number(head + 8, payload_bytes, 8);
    begin_checksum(&hash, s, head);
    crypto_generichash_update(&hash, message, message_bytes);
    for (size_t i = 0; i < count; i++)
        if (chunk->packets[i]->size > 0)
            crypto_generichash_update(&hash, chunk->packets[i]->data, (size_t)chunk->packets[i]->size);
    crypto_generichash_final(&hash, head + LENGTHS_BYTES, CHECKSUM_BYTES);
    err = write_bytes(s->file, head, sizeof(head));
    if (err >= 0)
        err = write_bytes(s->file, message, message_bytes);
    for (size_t i = 0; i < count && err >= 0; i++)
        err = write_bytes(s->file, chunk->packets[i]->data, (size_t)chunk->packets[i]->size);
    return err;
}

int cache_entry_write_chunk(struct cache_entry_writer *writer, const struct chunk *chunk)
{
    struct cache_entry_state *s = &writer->state;
    Wire__Chunk wire = WIRE__CHUNK__INIT;
    uint8_t *message;
    int err;

    if (!follows(s, chunk))
        return -EPROTO;
    wire.sequence = chunk->sequence;
    wire.last = chunk->last;
    wire.packets = packets_borrow(chunk->packets, chunk->packet_count);
    wire.n_packets = chunk->packet_count;
    message = mem_zalloc(wire__chunk__get_packed_size(&wire));
    err = write_record(s, RECORD_CHUNK, message, wire__chunk__pack(&wire, message), chunk);
    free(wire.packets);
    free(message);
    if (err >= 0)
        count_chunk(s, chunk);
    return err;
}

enum {
    MOST_NUMBER_BYTES = 10,
    MOST_TIMES_BYTES = 1 << 20, // runs of frames are far shorter
};

static size_t put_varied(uint8_t *at, uint64_t number)
{
    size_t bytes = 0;

    for (; number > 0x7f; number >>= 7)
        at[bytes++] = (uint8_t)(number | 0x80);
    at[bytes++] = (uint8_t)number;
    return bytes;
}

int cache_entry_write_times(struct cache_entry_writer *writer, const int64_t *times, size_t count)
{
    uint8_t *message;
    size_t size = 0;
    int err = 0;

    if (!writer->state.last)
        return -EPROTO;
    if (count > MOST_TIMES_BYTES / MOST_NUMBER_BYTES)
        return -EINVAL;
    for (size_t i = 1; i < count; i++)
        if (times[i] <= times[i - 1])
            return -EINVAL;
    message = mem_zalloc(count * MOST_NUMBER_BYTES + 1);
    for (size_t i = 0; i < count; i++)
        size += put_varied(message + size, i > 0 ? (uint64_t)times[i] - (uint64_t)times[i - 1] : (uint64_t)times[0] << 1 ^ -(uint64_t)(times[0] < 0));
    err = write_record(&writer->state, RECORD_TIMES, message, size, NULL);
    free(message);
    if (err >= 0)
        writer->state.record++;
    return err;
}

int cache_entry_write_done(struct cache_entry_writer *writer, const Wire__Done *done)
{
    Wire__Done copy = *done;
    uint8_t *message;
    int err;

    if (!ends(&writer->state, done))
        return -EPROTO;
    copy.segment = copy.attempt = 0;
    message = mem_zalloc(wire__done__get_packed_size(&copy));
    err = write_record(&writer->state, RECORD_END, message, wire__done__pack(&copy, message), NULL);
    free(message);
    return err;
}

// Reading.

// A file that ends too early is not as it was written; one that cannot be read is something else.
static int read_bytes(FILE *file, void *data, size_t size)
{
    errno = 0;
    if (size == 0 || fread(data, 1, size, file) == size)
        return 0;
    if (feof(file))
        return -EBADMSG;
    return errno ? -errno : -EIO;
}

int cache_entry_read_open(struct cache_entry_reader *reader, FILE *file, const struct cache_key *key)
{
    uint8_t expected[HEADER_BYTES], found[HEADER_BYTES];
    off_t size;
    int err;

    *reader = (struct cache_entry_reader){.state = {.file = file, .key = *key}};
    if (fseeko(file, 0, SEEK_END) < 0 || (size = ftello(file)) < 0 || fseeko(file, 0, SEEK_SET) < 0)
        return -errno;
    reader->size = (uint64_t)size;
    err = read_bytes(file, found, sizeof(found));
    if (err < 0)
        return err;
    header_bytes(expected, key);
    return memcmp(found, expected, sizeof(found)) == 0 ? 0 : -EBADMSG;
}

// Reads a record's message and payload into *body, free(), and checks all of it.
static int read_record(struct cache_entry_reader *reader, struct record *record, uint8_t **body)
{
    struct cache_entry_state *s = &reader->state;
    uint8_t head[RECORD_BYTES], checksum[CHECKSUM_BYTES];
    crypto_generichash_state hash;
    uint64_t left;
    size_t size;
    off_t at;
    int err = read_bytes(s->file, head, sizeof(head));

    if (err < 0)
        return err;
    at = ftello(s->file);
    if (at < 0)
        return -errno;
    *record = (struct record){(uint32_t)get_number(head, 4), (uint32_t)get_number(head + 4, 4), get_number(head + 8, 8)};
    // Nothing is allocated for bytes that are not there.
    left = (uint64_t)at < reader->size ? reader->size - (uint64_t)at : 0;
    if (record->message_bytes > MAX_MESSAGE_BYTES || record->message_bytes > left || record->payload_bytes > left - record->message_bytes ||
        record->payload_bytes > max_payload_bytes)
        return -EBADMSG;
    if (record->kind == RECORD_END && record->payload_bytes > 0)
        return -EBADMSG;
    size = record->message_bytes + (size_t)record->payload_bytes;
    *body = malloc(size ? size : 1);
    if (!*body)
        return -ENOMEM;
    err = read_bytes(s->file, *body, size);
    if (err < 0)
        goto fail;
    begin_checksum(&hash, s, head);
    crypto_generichash_update(&hash, *body, size);
    crypto_generichash_final(&hash, checksum, sizeof(checksum));
    err = -EBADMSG;
    if (memcmp(checksum, head + LENGTHS_BYTES, sizeof(checksum)) != 0)
        goto fail;
    return 0;

fail:
    free(*body);
    *body = NULL;
    return err;
}

// The payloads lie one behind the other, without a gap, and nothing is left over.
static int chunk_from_wire(struct chunk **result, const Wire__Chunk *wire, const uint8_t *payload, uint64_t payload_bytes)
{
    struct chunk *chunk = chunk_new(wire->sequence);
    int err = wire->n_packets <= CHUNK_MAX_PACKETS ? 0 : -EBADMSG;

    chunk->last = wire->last;
    for (size_t i = 0; i < wire->n_packets && err >= 0; i++) {
        size_t size = wire->packets[i]->size;
        AVPacket *packet = NULL;

        err = size <= payload_bytes ? packets_packet_from_wire(&packet, wire->packets[i], payload, size) : -EBADMSG;
        if (err < 0)
            break;
        chunk_take(chunk, &packet);
        payload += size;
        payload_bytes -= size;
    }
    if (err >= 0 && payload_bytes > 0)
        err = -EBADMSG;
    if (err == AVERROR_INVALIDDATA)
        err = -EBADMSG;
    if (err < 0)
        chunk_free(&chunk);
    *result = chunk;
    return err;
}

static int take_chunk(struct cache_entry_state *s, const struct record *record, const uint8_t *body, struct chunk **chunk)
{
    Wire__Chunk *wire = wire__chunk__unpack(NULL, record->message_bytes, body);
    int err;

    if (!wire)
        return -EBADMSG;
    err = chunk_from_wire(chunk, wire, body + record->message_bytes, record->payload_bytes);
    wire__chunk__free_unpacked(wire, NULL);
    if (err >= 0 && !follows(s, *chunk)) {
        chunk_free(chunk);
        err = -EBADMSG;
    }
    if (err >= 0)
        count_chunk(s, *chunk);
    return err;
}

static int take_end(struct cache_entry_state *s, const struct record *record, const uint8_t *body, Wire__Done **done)
{
    uint8_t more;
    int err;

    *done = wire__done__unpack(NULL, record->message_bytes, body);
    if (!*done)
        return -EBADMSG;
    err = read_bytes(s->file, &more, 1);
    if (err == -EBADMSG && ends(s, *done)) // the file ends here
        return 0;
    wire__done__free_unpacked(*done, NULL);
    *done = NULL;
    return err < 0 ? err : -EBADMSG;
}

int cache_entry_read_next(struct cache_entry_reader *reader, struct chunk **chunk, Wire__Done **done)
{
    struct record record;
    uint8_t *body = NULL;
    int err;

    *chunk = NULL;
    *done = NULL;
    err = read_record(reader, &record, &body);
    if (err >= 0 && record.kind == RECORD_TIMES && reader->state.last && !reader->state.timed) {
        free(body);
        body = NULL;
        reader->state.timed = true;
        reader->state.record++;
        err = read_record(reader, &record, &body);
    }
    if (err < 0)
        return err;
    if (record.kind == RECORD_CHUNK)
        err = take_chunk(&reader->state, &record, body, chunk);
    else if (record.kind == RECORD_END)
        err = take_end(&reader->state, &record, body, done);
    else
        err = -EBADMSG;
    free(body);
    return err;
}

// Behind its last byte, or NULL.
static const uint8_t *take_varied(const uint8_t *at, const uint8_t *end, uint64_t *number)
{
    *number = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        *number |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at++ & 0x80))
            return at;
    }
    return NULL;
}

static int unpack_times(const uint8_t *body, size_t size, int64_t **times, size_t *count)
{
    const uint8_t *at = body, *end = body + size;

    if (size > MOST_TIMES_BYTES)
        return -EBADMSG;
    *times = mem_zalloc((size + 1) * sizeof(**times));
    for (*count = 0; at && at < end; ++*count) {
        uint64_t number;
        int64_t *time = *times + *count;

        at = take_varied(at, end, &number);
        *time = *count > 0 ? (int64_t)((uint64_t)time[-1] + number) : (int64_t)(number >> 1 ^ -(number & 1));
        if (*count > 0 && *time <= time[-1])
            at = NULL;
    }
    if (at)
        return 0;
    free(*times);
    *times = NULL;
    return -EBADMSG;
}

int cache_entry_read_times(FILE *file, const struct cache_key *key, int64_t **times, size_t *count)
{
    struct cache_entry_reader reader;
    struct record record;
    uint8_t head[RECORD_BYTES], *body;
    int err = cache_entry_read_open(&reader, file, key);

    *times = NULL;
    for (; err >= 0; reader.state.record++) {
        uint64_t size;

        err = read_bytes(file, head, sizeof(head));
        if (err < 0)
            break;
        if (get_number(head, 4) == RECORD_END)
            return -ENOENT;
        if (get_number(head, 4) == RECORD_TIMES) {
            err = fseeko(file, -(off_t)sizeof(head), SEEK_CUR) < 0 ? -errno : read_record(&reader, &record, &body);
            if (err < 0)
                break;
            err = unpack_times(body, record.message_bytes, times, count);
            free(body);
            break;
        }
        size = get_number(head + 4, 4) + get_number(head + 8, 8);
        err = size > reader.size ? -EBADMSG : fseeko(file, (off_t)size, SEEK_CUR) < 0 ? -errno : 0;
    }
    return err;
}
