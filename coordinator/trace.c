#include "trace.h"

#include "page.h"

#include "common/mem.h"

#include <libavutil/avstring.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOP_TRACK = 1,
    FIRST_LANE_TRACK = 2,
    FIRST_RENDERER_TRACK = 100,
    FIRST_HELPER_TRACK = 1000000,
    MOST_HELPERS = 1024, // of a renderer
    FLUSH_BYTES = 64 << 10,
    MOST_BYTES = 4 << 20, // that wait to be written
    MOST_LANES = 24,
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
        const struct lane *lane;
        // The last call, until it is known what it was.
        bool waits;
        uint64_t from_ns, to_ns;
        const char *what;
        char arguments[160];
    } lane_tracks[MOST_LANES];

    void (*on_idle)(void *data);
    void *on_idle_data;
    // In the lane's hands while it is busy.
    FILE *files[2]; // the events, the page; NULL: none
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

static void write_to_files(struct trace *t, const char *text, size_t length)
{
    for (size_t i = 0; i < 2; i++) {
        errno = 0;
        if (t->files[i] && !t->err && (fwrite(text, 1, length, t->files[i]) != length || fflush(t->files[i]) != 0))
            t->err = errno ? -errno : -EIO;
    }
}

static void write_in_lane(void *data)
{
    struct trace *t = data;

    write_to_files(t, t->writing, t->writing_length);
}

static void on_written(void *data)
{
    struct trace *t = data;

    free(t->writing);
    t->writing = NULL;
    t->on_idle(t->on_idle_data);
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

// The bytes of the character that text begins with; 0: it is not UTF-8.
static int character_length(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    int32_t code;

    return av_utf8_decode(&code, &at, at + strnlen(text, 4), AV_UTF8_FLAG_ACCEPT_NON_CHARACTERS) < 0 ? 0 : (int)(at - (const uint8_t *)text);
}

// Characters are kept whole, and what is none, in names of files say, becomes U+FFFD. The longest name that is kept is more than any that we make.
static void escape(char *out, size_t size, const char *text)
{
    size_t length = 0;

    while (*text && length + 7 < size) {
        int bytes = character_length(text);

        if (*text == '<') // an end of the page's script, say
            length += (size_t)snprintf(out + length, size - length, "\\u003c");
        else if (*text == '"' || *text == '\\')
            length += (size_t)snprintf(out + length, size - length, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            length += (size_t)snprintf(out + length, size - length, "\\u%04x", (unsigned)*text);
        else
            length += (size_t)snprintf(out + length, size - length, "%.*s", bytes ? bytes : 3, bytes ? text : "\uFFFD");
        text += bytes ? bytes : 1;
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

// Neither waits for somebody to read from a pipe (-ENXIO: there is nobody), as the loop would with it, nor shortens a file: others may not open.
static FILE *open_kept(const char *path, bool *made)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    *made = fd < 0 && errno == ENOENT;
    if (*made)
        fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_CREAT, 0666);
    if (fd < 0)
        return NULL;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fdopen(fd, "w");
}

static int empty(FILE *file)
{
    struct stat facts;

    if (fstat(fileno(file), &facts) < 0 || !S_ISREG(facts.st_mode) || facts.st_size == 0) // a device, say
        return 0;
    return ftruncate(fileno(file), 0) < 0 ? -errno : 0;
}

// All or none; *which is one that cannot be written.
static int open_files(FILE **files, const char *const *paths, const char **which)
{
    bool made[2] = {false};
    int err = 0;

    for (size_t i = 0; i < 2 && !err; i++) {
        *which = paths[i];
        files[i] = paths[i] ? open_kept(paths[i], &made[i]) : NULL;
        err = paths[i] && !files[i] ? -errno : 0;
    }
    for (size_t i = 0; i < 2 && !err; i++) {
        *which = paths[i];
        err = files[i] ? empty(files[i]) : 0;
    }
    for (size_t i = 0; i < 2 && err; i++) {
        if (files[i])
            fclose(files[i]);
        if (files[i] && made[i])
            unlink(paths[i]);
    }
    return err;
}

int trace_open(struct trace **result, uv_loop_t *loop, const char *path, const char *page_path, uint64_t start_ns, void (*on_idle)(void *data),
               void *data, const char **which)
{
    static const char head[] = "[{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"renderfarm\"}}";
    struct trace *t = mem_zalloc(sizeof(*t));
    int err = open_files(t->files, (const char *const[]){path, page_path}, which);

    if (err < 0) {
        free(t);
        return err;
    }
    t->start_ns = start_ns;
    t->on_idle = on_idle;
    t->on_idle_data = data;
    lane_init(&t->lane, loop);
    if (t->files[1]) {
        size_t length;
        const char *text = page_head(&length);

        fwrite(text, 1, length, t->files[1]); // what goes wrong shows in ferror at the end
    }
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

static void put_call(struct traced_lane *lane)
{
    if (lane->waits)
        slice(lane->trace, lane->what ? lane->what : lane->name, lane->track, lane->from_ns, lane->to_ns, lane->arguments);
    lane->waits = false;
}

static void on_lane_call(void *data, uint64_t from_ns, uint64_t to_ns)
{
    struct traced_lane *lane = data;

    put_call(lane);
    lane->waits = true;
    lane->from_ns = from_ns;
    lane->to_ns = to_ns;
    lane->what = NULL;
    lane->arguments[0] = '\0';
}

void trace_call(struct trace *t, const struct lane *lane, const char *what, const char *arguments, ...)
{
    va_list args;

    for (unsigned i = 0; t && i < t->lanes; i++) {
        struct traced_lane *traced = &t->lane_tracks[i];

        if (traced->lane != lane || !traced->waits)
            continue;
        traced->what = what;
        va_start(args, arguments);
        if (vsnprintf(traced->arguments, sizeof(traced->arguments), arguments, args) >= (int)sizeof(traced->arguments))
            traced->arguments[0] = '\0';
        va_end(args);
        put_call(traced);
    }
}

void trace_lane(struct trace *t, struct lane *lane, const char *name)
{
    struct traced_lane *track;
    char text[80];

    if (!t || t->lanes == MOST_LANES)
        return;
    track = &t->lane_tracks[t->lanes];
    *track = (struct traced_lane){.trace = t, .track = FIRST_LANE_TRACK + t->lanes++, .name = name, .lane = lane};
    snprintf(text, sizeof(text), "coordinator: %s", name);
    name_track(t, track->track, text);
    lane_watch(lane, on_lane_call, track);
}

static unsigned helper_track(uint32_t slot, size_t helper)
{
    return FIRST_HELPER_TRACK + slot * MOST_HELPERS + (unsigned)helper;
}

void trace_renderer(struct trace *t, uint32_t slot, uint32_t stage, const char *what, int threads)
{
    char *text;

    if (!t)
        return;
    text = mem_format("renderer %u: stage %u, %s", slot, stage + 1, what);
    name_track(t, FIRST_RENDERER_TRACK + slot, text);
    free(text);
    for (int i = 0; i + 1 < threads && i < MOST_HELPERS; i++) {
        text = mem_format("renderer %u: slices, thread %d", slot, i + 2);
        name_track(t, helper_track(slot, (size_t)i), text);
        free(text);
    }
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

static uint64_t helpers_ns(const Wire__Done *done)
{
    uint64_t sum_ns = 0;

    for (size_t i = 0; i < done->n_helper_cpu_ns; i++)
        sum_ns += done->helper_cpu_ns[i];
    return sum_ns;
}

// As parts: each thread's time as one slice, from where the task began.
static void helpers(struct trace *t, const struct trace_task *task)
{
    const Wire__Done *done = task->done;
    char name[64];

    snprintf(name, sizeof(name), "slices of segment %u", task->segment);
    for (size_t i = 0; i < done->n_helper_cpu_ns && i < MOST_HELPERS; i++) {
        uint64_t most_ns = task->to_ns - task->from_ns, ns = done->helper_cpu_ns[i] < most_ns ? done->helper_cpu_ns[i] : most_ns;

        if (ns > 0)
            slice(t, name, helper_track(task->slot, i), task->from_ns, task->from_ns + ns, "\"sum\":true");
    }
}

void trace_started(struct trace *t, uint32_t slot, uint64_t from_ns, uint64_t to_ns, uint64_t spawn_ns)
{
    char arguments[80];

    if (!t)
        return;
    snprintf(arguments, sizeof(arguments), "\"spawn_ms\":%.3f", (double)spawn_ns / 1e6);
    slice(t, "starts", FIRST_RENDERER_TRACK + slot, from_ns, to_ns, arguments);
}

void trace_probed(struct trace *t, uint32_t slot, uint64_t from_ns, uint64_t to_ns)
{
    if (t)
        slice(t, "looks at the first frames", FIRST_RENDERER_TRACK + slot, from_ns, to_ns, "");
}

void trace_task(struct trace *t, const struct trace_task *task)
{
    const Wire__Done *done = task->done;
    char name[64], arguments[500];
    int length;

    if (!t)
        return;
    snprintf(name, sizeof(name), "segment %u%s", task->segment, done ? "" : " (lost)");
    length = snprintf(arguments, sizeof(arguments), "\"stage\":%u,\"segment\":%u,\"attempt\":%u,\"video_s\":%.3f,", task->stage + 1, task->segment,
                      task->attempt, task->video_s);
    if (done)
        snprintf(arguments + length, sizeof(arguments) - (size_t)length,
                 "\"frames\":%llu,\"packets\":%llu,\"input_bytes\":%llu,\"bytes\":%llu,\"decode_ms\":%.3f,\"filter_ms\":%.3f,\"encode_ms\":%.3f,"
                 "\"cpu_ms\":%.3f,\"helpers_ms\":%.3f,\"memory\":%llu",
                 (unsigned long long)done->frames_encoded, (unsigned long long)done->packets, (unsigned long long)task->received_bytes,
                 (unsigned long long)task->bytes, (double)done->decode_cpu_ns / 1e6, (double)done->filter_cpu_ns / 1e6,
                 (double)done->encode_cpu_ns / 1e6, (double)done->process_cpu_ns / 1e6, (double)helpers_ns(done) / 1e6,
                 (unsigned long long)done->peak_memory_bytes);
    else
        snprintf(arguments + length, sizeof(arguments) - (size_t)length, "\"lost\":true");
    slice(t, name, FIRST_RENDERER_TRACK + task->slot, task->from_ns, task->to_ns, arguments);
    if (done)
        helpers(t, task);
    if (done)
        parts(t, FIRST_RENDERER_TRACK + task->slot, task->from_ns, task->to_ns, done);
}

// ---- The job as a whole ----

// A point in time.
static void instant(struct trace *t, const char *name, uint64_t now_ns)
{
    char text[160];

    put(t, text,
        (size_t)snprintf(text, sizeof(text), ",\n{\"ph\":\"i\",\"s\":\"g\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"name\":\"%s\",\"args\":", LOOP_TRACK,
                         us(t, now_ns), name));
}

static void put_text(struct trace *t, const char *before, const char *text)
{
    char escaped[1000], member[1100];

    escape(escaped, sizeof(escaped), text ? text : "");
    put(t, member, (size_t)snprintf(member, sizeof(member), "%s\"%s\"", before, escaped));
}

void trace_job(struct trace *t, uint64_t now_ns, const struct trace_job *job)
{
    char text[500];

    if (!t)
        return;
    instant(t, "plan", now_ns);
    put_text(t, "{\"version\":", RENDERFARM_VERSION);
    put_text(t, ",\"input\":", job->input);
    put_text(t, ",\"output\":", job->output);
    put_text(t, ",\"encoder\":", job->encoder);
    put_text(t, ",\"filters\":", job->plan->chain);
    put_text(t, ",\"reason\":", job->plan->reason);
    put(t, text,
        (size_t)snprintf(text, sizeof(text),
                         ",\"workers\":%d,\"threads\":%d,\"duration_s\":%.6f,\"frame_rate\":%.6f,\"keyframe_gap_s\":%.6f,\"wished_segment_s\":%.6f,"
                         "\"segment_s\":%.6f,\"frame_bytes\":%zu,\"cuttable\":%s,\"loop_cpu_ms\":%.3f,\"stages\":[",
                         job->workers, job->threads, job->duration_s, job->frame_rate, job->keyframe_gap_s, job->wished_segment_s,
                         job->plan->segment_s, job->frame_bytes, job->cuttable ? "true" : "false", (double)job->loop_cpu_ns / 1e6));
    for (size_t i = 0; i < job->plan->stage_count; i++) {
        const struct plan_stage *stage = &job->plan->stages[i];
        char *names = plan_filter_names(job->plan, stage);

        put_text(t, i > 0 ? ",{\"filters\":" : "{\"filters\":", names);
        put_text(t, ",\"why\":", stage->why);
        put(t, text,
            (size_t)snprintf(text, sizeof(text),
                             ",\"decode\":%s,\"encode\":%s,\"parallel\":%s,\"before\":%u,\"after\":%u,\"run_frames\":%u,\"frames\":%llu}",
                             stage->decode ? "true" : "false", stage->encode ? "true" : "false", stage->parallel ? "true" : "false", stage->before,
                             stage->after, stage->run_frames, (unsigned long long)stage->frames));
        free(names);
    }
    put(t, "]}}", 3);
}

void trace_end(struct trace *t, uint64_t now_ns, const char *outcome, uint64_t frames, uint64_t loop_cpu_ns, uint64_t received_messages)
{
    char text[200];

    if (!t)
        return;
    for (unsigned i = 0; i < t->lanes; i++)
        put_call(&t->lane_tracks[i]);
    instant(t, "end", now_ns);
    put_text(t, "{\"outcome\":", outcome);
    put(t, text,
        (size_t)snprintf(text, sizeof(text), ",\"frames\":%llu,\"loop_cpu_ms\":%.3f,\"received_messages\":%llu}}", (unsigned long long)frames,
                         (double)loop_cpu_ns / 1e6, (unsigned long long)received_messages));
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

// other: the second value's name; NULL: there is none.
static void counter(struct trace *t, uint64_t now_ns, const char *name, const char *one, uint64_t value, const char *other, uint64_t other_value)
{
    char text[300], second[80] = "";

    if (other)
        snprintf(second, sizeof(second), ",\"%s\":%llu", other, (unsigned long long)other_value);
    put(t, text,
        (size_t)snprintf(text, sizeof(text), ",\n{\"ph\":\"C\",\"pid\":1,\"ts\":%.3f,\"name\":\"%s\",\"args\":{\"%s\":%llu%s}}", us(t, now_ns), name,
                         one, (unsigned long long)value, second));
}

void trace_counters(struct trace *t, uint64_t now_ns, const struct trace_counts *counts)
{
    if (!t)
        return;
    counter(t, now_ns, "waiting bytes", "input", counts->shelf_bytes, "finished", counts->assembly_bytes);
    counter(t, now_ns, "busy renderers", "busy", counts->busy, NULL, 0);
    counter(t, now_ns, "window, in segments", "waiting", counts->waiting, "with renderers", counts->out);
    counter(t, now_ns, "credits, in chunks", "free", counts->credits, NULL, 0);
    if (counts->frame_slots > 0)
        counter(t, now_ns, "raw frames", "held", counts->frames, "room", counts->frame_slots - counts->frames);
    counter(t, now_ns, "memory, in bytes", "coordinator", counts->memory, "largest renderer", counts->largest);
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
    write_to_files(t, t->text, t->length);
    if (t->files[1])
        fputs(page_tail(), t->files[1]);
    err = t->err;
    for (size_t i = 0; i < 2; i++)
        if (t->files[i] && (ferror(t->files[i]) | fclose(t->files[i])) != 0 && !err)
            err = errno ? -errno : -EIO;
    if (!err && t->left_out > 0)
        err = -ENOBUFS;
    free(t->finished_ns);
    free(t->text);
    free(t);
    *trace = NULL;
    return err;
}
