#include "trace.h"

#include "common/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOP_TRACK = 1,
    FIRST_LANE_TRACK = 2,
    FIRST_RENDERER_TRACK = 100,
    FLUSH_BYTES = 64 << 10,
    MOST_BYTES = 4 << 20, // that wait to be written
    MOST_LANES = 8,
    SHORT_TURN_NS = 200000,
};

struct trace {
    uint64_t start_ns;
    struct lane lane;
    char *text; // gathered, not given to the lane yet
    size_t length, room;
    uint64_t left_out;
    uint64_t *finished_ns; // by segment of the output
    size_t finished_count;
    unsigned lanes;
    struct traced_lane {
        struct trace *trace;
        unsigned track;
        const char *name;
    } lane_tracks[MOST_LANES];

    // In the lane's hands while it is busy.
    FILE *file;
    char *writing;
    size_t writing_length;
    int err;
};

static void put(struct trace *t, const char *text, size_t length)
{
    if (t->length + length > MOST_BYTES) {
        t->left_out++;
        return;
    }
    if (t->length + length > t->room) {
        t->room = 2 * (t->length + length);
        t->text = mem_grow(t->text, t->room, 1);
    }
    memcpy(t->text + t->length, text, length);
    t->length += length;
}

static void write_in_lane(void *data)
{
    struct trace *t = data;

    errno = 0;
    if (!t->err && (fwrite(t->writing, 1, t->writing_length, t->file) != t->writing_length || fflush(t->file) != 0))
        t->err = errno ? -errno : -EIO;
}

static void on_written(void *data)
{
    struct trace *t = data;

    free(t->writing);
    t->writing = NULL;
}

static void write_out(struct trace *t)
{
    if (lane_busy(&t->lane) || t->length == 0)
        return;
    t->writing = t->text;
    t->writing_length = t->length;
    t->text = NULL;
    t->length = t->room = 0;
    lane_run(&t->lane, write_in_lane, on_written, t);
}

static double us(const struct trace *t, uint64_t ns)
{
    return ns > t->start_ns ? (double)(ns - t->start_ns) / 1e3 : 0;
}

// The longest name that is kept is more than any that we make.
static void escape(char *out, size_t size, const char *text)
{
    size_t length = 0;

    for (; *text && length + 7 < size; text++) {
        if (*text == '"' || *text == '\\')
            length += (size_t)snprintf(out + length, size - length, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            length += (size_t)snprintf(out + length, size - length, "\\u%04x", (unsigned)*text);
        else
            out[length++] = *text;
    }
    out[length] = '\0';
}

int trace_slice_text(char *out, size_t size, const char *name, unsigned track, double from_us, double duration_us, const char *arguments)
{
    char escaped[256];

    escape(escaped, sizeof(escaped), name);
    return snprintf(out, size, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"ts\":%.3f,\"dur\":%.3f,\"name\":\"%s\",\"args\":{%s}}", track, from_us,
                    duration_us > 0 ? duration_us : 0, escaped, arguments);
}

static void slice(struct trace *t, const char *name, unsigned track, uint64_t from_ns, uint64_t to_ns, const char *arguments)
{
    char text[800];
    int length = trace_slice_text(text, sizeof(text), name, track, us(t, from_ns), us(t, to_ns) - us(t, from_ns), arguments);

    if (length > 0 && (size_t)length < sizeof(text))
        put(t, text, (size_t)length);
    if (t->length > FLUSH_BYTES)
        write_out(t);
}

static void name_track(struct trace *t, unsigned track, const char *name)
{
    char text[400], escaped[256];

    escape(escaped, sizeof(escaped), name);
    put(t, text,
        (size_t)snprintf(text, sizeof(text),
                         ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}"
                         ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}",
                         track, escaped, track, track));
}

int trace_open(struct trace **result, uv_loop_t *loop, const char *path, uint64_t start_ns)
{
    static const char head[] = "[{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"renderfarm\"}}";
    FILE *file = fopen(path, "we");
    struct trace *t;

    if (!file)
        return -errno;
    t = mem_zalloc(sizeof(*t));
    t->start_ns = start_ns;
    t->file = file;
    lane_init(&t->lane, loop);
    put(t, head, sizeof(head) - 1);
    name_track(t, LOOP_TRACK, "coordinator: loop");
    *result = t;
    return 0;
}

void trace_turn(struct trace *t, uint64_t from_ns, uint64_t to_ns)
{
    if (t && to_ns - from_ns >= SHORT_TURN_NS)
        slice(t, "turn", LOOP_TRACK, from_ns, to_ns, "");
}

static void on_lane_call(void *data, uint64_t from_ns, uint64_t to_ns)
{
    struct traced_lane *lane = data;

    slice(lane->trace, lane->name, lane->track, from_ns, to_ns, "");
}

void trace_lane(struct trace *t, struct lane *lane, const char *name)
{
    struct traced_lane *track;
    char text[80];

    if (!t || t->lanes == MOST_LANES)
        return;
    track = &t->lane_tracks[t->lanes];
    *track = (struct traced_lane){t, FIRST_LANE_TRACK + t->lanes++, name};
    snprintf(text, sizeof(text), "coordinator: %s", name);
    name_track(t, track->track, text);
    lane_watch(lane, on_lane_call, track);
}

void trace_renderer(struct trace *t, uint32_t slot, uint32_t stage, const char *what)
{
    char text[200];

    if (!t)
        return;
    snprintf(text, sizeof(text), "renderer %u: stage %u, %s", slot, stage + 1, what);
    name_track(t, FIRST_RENDERER_TRACK + slot, text);
}

// What the CPU did for the task, one after the other, though in fact it took turns: how long each is is what counts.
static void parts(struct trace *t, unsigned track, uint64_t from_ns, uint64_t to_ns, const Wire__Done *done)
{
    const struct {
        const char *name;
        uint64_t ns;
    } each[] = {{"decode", done->decode_cpu_ns}, {"filter", done->filter_cpu_ns}, {"encode", done->encode_cpu_ns}};

    for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++) {
        uint64_t end_ns = from_ns + each[i].ns;

        if (each[i].ns == 0)
            continue;
        slice(t, each[i].name, track, from_ns, end_ns < to_ns ? end_ns : to_ns, "\"sum\":true");
        from_ns = end_ns < to_ns ? end_ns : to_ns;
    }
}

void trace_task(struct trace *t, uint32_t slot, uint32_t stage, uint32_t segment, uint32_t attempt, uint64_t from_ns, uint64_t to_ns,
                const Wire__Done *done)
{
    char name[64], arguments[300];

    if (!t)
        return;
    snprintf(name, sizeof(name), "segment %u%s", segment, done ? "" : " (lost)");
    if (done)
        snprintf(
            arguments, sizeof(arguments),
            "\"stage\":%u,\"segment\":%u,\"attempt\":%u,\"frames\":%llu,\"packets\":%llu,\"decode_ms\":%.3f,\"filter_ms\":%.3f,\"encode_ms\":%.3f",
            stage + 1, segment, attempt, (unsigned long long)done->frames_encoded, (unsigned long long)done->packets,
            (double)done->decode_cpu_ns / 1e6, (double)done->filter_cpu_ns / 1e6, (double)done->encode_cpu_ns / 1e6);
    else
        snprintf(arguments, sizeof(arguments), "\"stage\":%u,\"segment\":%u,\"attempt\":%u,\"lost\":true", stage + 1, segment, attempt);
    slice(t, name, FIRST_RENDERER_TRACK + slot, from_ns, to_ns, arguments);
    if (done)
        parts(t, FIRST_RENDERER_TRACK + slot, from_ns, to_ns, done);
}

// Asynchronous events: many at a time, each on a line of its own.
static void waited(struct trace *t, const char *what, uint32_t segment, uint64_t from_ns, uint64_t to_ns)
{
    char text[500];

    put(t, text,
        (size_t)snprintf(
            text, sizeof(text),
            ",\n{\"ph\":\"b\",\"cat\":\"segment\",\"id\":\"%u %s\",\"pid\":1,\"tid\":1,\"ts\":%.3f,\"name\":\"%s\",\"args\":{\"segment\":%u}}"
            ",\n{\"ph\":\"e\",\"cat\":\"segment\",\"id\":\"%u %s\",\"pid\":1,\"tid\":1,\"ts\":%.3f,\"name\":\"%s\"}",
            segment, what, us(t, from_ns), what, segment, segment, what, us(t, to_ns), what));
}

void trace_dealt(struct trace *t, uint32_t segment, uint64_t read_ns, uint64_t now_ns)
{
    if (t && read_ns)
        waited(t, "waits for a renderer", segment, read_ns, now_ns);
}

void trace_finished(struct trace *t, uint32_t segment, uint64_t now_ns)
{
    if (!t)
        return;
    if (segment >= t->finished_count) {
        size_t count = 2 * (size_t)segment + 64;

        t->finished_ns = mem_grow(t->finished_ns, count, sizeof(*t->finished_ns));
        memset(t->finished_ns + t->finished_count, 0, (count - t->finished_count) * sizeof(*t->finished_ns));
        t->finished_count = count;
    }
    t->finished_ns[segment] = now_ns;
}

void trace_written(struct trace *t, uint32_t segment, uint64_t now_ns)
{
    if (t && segment < t->finished_count && t->finished_ns[segment])
        waited(t, "waits for its turn to be written", segment, t->finished_ns[segment], now_ns);
}

void trace_counters(struct trace *t, uint64_t now_ns, uint64_t shelf_bytes, uint64_t assembly_bytes, unsigned busy)
{
    char text[400];

    if (!t)
        return;
    put(t, text,
        (size_t)snprintf(text, sizeof(text),
                         ",\n{\"ph\":\"C\",\"pid\":1,\"ts\":%.3f,\"name\":\"waiting bytes\",\"args\":{\"input\":%llu,\"finished\":%llu}}"
                         ",\n{\"ph\":\"C\",\"pid\":1,\"ts\":%.3f,\"name\":\"busy renderers\",\"args\":{\"busy\":%u}}",
                         us(t, now_ns), (unsigned long long)shelf_bytes, (unsigned long long)assembly_bytes, us(t, now_ns), busy));
    write_out(t);
}

bool trace_busy(const struct trace *t)
{
    return t && lane_busy(&t->lane);
}

void trace_flush(struct trace *t)
{
    if (t)
        write_out(t);
}

int trace_close(struct trace **trace)
{
    struct trace *t = *trace;
    int err;

    if (!t)
        return 0;
    put(t, "\n]\n", 3);
    err = t->err;
    if (!err && (fwrite(t->text, 1, t->length, t->file) != t->length))
        err = -EIO;
    if (fclose(t->file) != 0 && !err)
        err = -errno;
    if (!err && t->left_out > 0)
        err = -ENOBUFS;
    free(t->finished_ns);
    free(t->text);
    free(t);
    *trace = NULL;
    return err;
}
