#include "recording.h"

#include "common/mem.h"

#include <json-c/json.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// More than that is a mistake, or meant to keep us busy: the time that something took (eleven days), and any other figure.
#define MOST_MS 1e9
#define MOST_SPAWN_MS 1e6 // of the loop, for each renderer
#define MOST_NUMBER 1e12

enum { MOST_SEGMENTS = 1000000, MOST_STAGES = 64, MOST_THREADS = 10000, MOST_FILE_BYTES = 1 << 30, MOST_FRAMES = 100000000 };

// While the file is read.
struct reader {
    struct recording *recording;
    bool planned, ended;
    double written_bytes, written_ns, calls;
    double hands_until_ns; // files were written by some hand
    double starts, trailer_end_ns, loop_cpu_ns;
    const char *wrong;
    const char *too_large; // a key whose number is that
};

// ---- JSON ----

static double number_up_to(struct reader *r, struct json_object *object, const char *key, double most)
{
    struct json_object *value;
    double found = json_object_object_get_ex(object, key, &value) ? json_object_get_double(value) : 0;

    if (found > most && !r->too_large)
        r->too_large = key;
    return found > 0 ? fmin(found, most) : 0; // also of what is no number
}

static double number(struct reader *r, struct json_object *object, const char *key)
{
    return number_up_to(r, object, key, MOST_NUMBER);
}

// What is told in milliseconds, or in microseconds as by the format.
static double ms_in_ns(struct reader *r, struct json_object *object, const char *key)
{
    return number_up_to(r, object, key, MOST_MS) * 1e6;
}

static double us_in_ns(struct reader *r, struct json_object *object, const char *key)
{
    return number_up_to(r, object, key, MOST_MS * 1e3) * 1e3;
}

static bool flag(struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

static const char *text(struct json_object *object, const char *key)
{
    struct json_object *value;
    const char *found = json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : NULL;

    return found ? found : "";
}

// A count that is not trusted.
static unsigned count_of(struct reader *r, struct json_object *object, const char *key, double most)
{
    double value = number(r, object, key);

    return (unsigned)(value < most ? value : most);
}

// ---- Pieces ----

static struct recorded_piece *piece_at(struct recorded_pieces *pieces, size_t number)
{
    if (number >= pieces->count) {
        pieces->pieces = mem_grow(pieces->pieces, number + 1, sizeof(*pieces->pieces));
        memset(pieces->pieces + pieces->count, 0, (number + 1 - pieces->count) * sizeof(*pieces->pieces));
        pieces->count = number + 1;
    }
    return &pieces->pieces[number];
}

static void sum_up(struct recorded_pieces *pieces, enum recording_costs costs)
{
    pieces->frames_until = mem_zalloc((pieces->count + 1) * sizeof(*pieces->frames_until));
    pieces->cost_until = mem_zalloc((pieces->count + 1) * sizeof(*pieces->cost_until));
    pieces->bytes_until = mem_zalloc((pieces->count + 1) * sizeof(*pieces->bytes_until));
    for (size_t i = 0; i < pieces->count; i++) {
        const struct recorded_piece *piece = &pieces->pieces[i];

        pieces->frames_until[i + 1] = pieces->frames_until[i] + piece->frames;
        pieces->cost_until[i + 1] = pieces->cost_until[i] + (costs == COSTS_CPU ? piece->cpu_ns : piece->wall_ns);
        pieces->bytes_until[i + 1] = pieces->bytes_until[i] + piece->bytes;
    }
    pieces->frames = pieces->frames_until[pieces->count];
}

// Up to that frame; what a piece holds is spread over its frames.
static double until(const struct recorded_pieces *pieces, const double *sums, double frame)
{
    double round = floor(frame / (double)pieces->frames), within = frame - round * (double)pieces->frames;
    size_t low = 0, high = pieces->count;

    while (low + 1 < high) {
        size_t middle = (low + high) / 2;

        if ((double)pieces->frames_until[middle] <= within)
            low = middle;
        else
            high = middle;
    }
    return round * sums[pieces->count] +
           (pieces->pieces[low].frames == 0
                ? sums[low]
                : sums[low] + (sums[low + 1] - sums[low]) * (within - (double)pieces->frames_until[low]) / (double)pieces->pieces[low].frames);
}

// A renderer's threads wait for each other at the end of every filter, so together they take as long as its own one, which does all the rest.
static double width_of(const struct recorded_pieces *pieces, int threads, enum recording_costs costs)
{
    double all = 0, helpers = 0;

    for (size_t i = 0; i < pieces->count; i++) {
        all += pieces->pieces[i].cpu_ns;
        helpers += pieces->pieces[i].helpers_ns;
    }
    return costs == COSTS_CPU && helpers > 0 && helpers < all ? fmin(threads, all / (all - helpers)) : 1;
}

double recorded_cost(const struct recorded_pieces *pieces, double from, double to)
{
    return pieces->frames == 0 ? 0 : until(pieces, pieces->cost_until, to) - until(pieces, pieces->cost_until, from);
}

double recorded_bytes(const struct recorded_pieces *pieces, double from, double to)
{
    return pieces->frames == 0 ? 0 : until(pieces, pieces->bytes_until, to) - until(pieces, pieces->bytes_until, from);
}

// ---- Events ----

static void take_plan(struct reader *r, struct json_object *args)
{
    struct recording *recording = r->recording;
    struct json_object *stages;

    if (r->planned || !json_object_object_get_ex(args, "stages", &stages) || !json_object_is_type(stages, json_type_array) ||
        json_object_array_length(stages) == 0 || json_object_array_length(stages) > MOST_STAGES) {
        r->wrong = "its plan makes no sense";
        return;
    }
    r->planned = true;
    recording->input = mem_dup(text(args, "input"));
    recording->filters = mem_dup(text(args, "filters"));
    recording->reason = *text(args, "reason") ? mem_dup(text(args, "reason")) : NULL;
    recording->workers = (int)count_of(r, args, "workers", 1e6);
    recording->threads = (int)count_of(r, args, "threads", MOST_THREADS);
    recording->duration_s = number(r, args, "duration_s");
    recording->frame_rate = number(r, args, "frame_rate");
    recording->keyframe_gap_s = number(r, args, "keyframe_gap_s");
    recording->wished_segment_s = number(r, args, "wished_segment_s");
    recording->segment_s = number(r, args, "segment_s");
    recording->frame_bytes = (size_t)count_of(r, args, "frame_bytes", 1 << 30);
    recording->cuttable = flag(args, "cuttable");
    r->loop_cpu_ns = ms_in_ns(r, args, "loop_cpu_ms");
    recording->stage_count = json_object_array_length(stages);
    recording->stages = mem_zalloc(recording->stage_count * sizeof(*recording->stages));
    for (size_t i = 0; i < recording->stage_count; i++) {
        struct json_object *one = json_object_array_get_idx(stages, i);
        struct recorded_stage *stage = &recording->stages[i];

        *stage = (struct recorded_stage){.filters = mem_dup(text(one, "filters")),
                                         .why = *text(one, "why") ? mem_dup(text(one, "why")) : NULL,
                                         .decode = flag(one, "decode"),
                                         .encode = flag(one, "encode"),
                                         .parallel = flag(one, "parallel"),
                                         .before = count_of(r, one, "before", 10000),
                                         .after = count_of(r, one, "after", 10000),
                                         .run_frames = count_of(r, one, "run_frames", 100000),
                                         .frames = count_of(r, one, "frames", 1e9)};
    }
    if (recording->threads < 1 || !recording->stages[0].decode || !recording->stages[recording->stage_count - 1].encode)
        r->wrong = "its plan makes no sense";
}

static void take_task(struct reader *r, struct json_object *args, double wall_ns)
{
    size_t stage = count_of(r, args, "stage", 1e6), segment = count_of(r, args, "segment", 1e9);
    struct recorded_piece *piece;

    if (stage < 1 || stage > r->recording->stage_count || segment >= MOST_SEGMENTS) {
        r->wrong = "a segment of it belongs to no stage";
        return;
    }
    piece = piece_at(&r->recording->stages[stage - 1].tasks, segment);
    *piece = (struct recorded_piece){.frames = (uint64_t)number(r, args, r->recording->stages[stage - 1].encode ? "frames" : "packets"),
                                     .wall_ns = wall_ns,
                                     .cpu_ns = ms_in_ns(r, args, "cpu_ms"),
                                     .helpers_ns = ms_in_ns(r, args, "helpers_ms"),
                                     .bytes = number(r, args, "bytes"),
                                     .known = true};
}

static void take_reading(struct reader *r, struct json_object *args, double wall_ns)
{
    size_t segment = count_of(r, args, "segment", 1e9);
    struct recorded_piece *piece;

    if (segment >= MOST_SEGMENTS) {
        r->wrong = "a segment of it is not one";
        return;
    }
    piece = piece_at(&r->recording->reading, segment);
    piece->known = true;
    piece->frames += (uint64_t)number(r, args, "frames");
    piece->keyframes += (uint64_t)number(r, args, "keyframes");
    piece->bytes += number(r, args, "bytes");
    piece->cpu_ns += wall_ns;
    piece->wall_ns += wall_ns;
}

static void take_slice(struct reader *r, const char *name, struct json_object *args, double from_ns, double wall_ns)
{
    struct recording *recording = r->recording;

    if (strcmp(name, "opens the input") == 0) {
        recording->open_input = wall_ns;
    } else if (strcmp(name, "opens the output") == 0) {
        recording->open_output = wall_ns;
    } else if (strcmp(name, "writes the header") == 0) {
        recording->header = wall_ns;
    } else if (strcmp(name, "writes the trailer") == 0) {
        recording->trailer = wall_ns;
        r->trailer_end_ns = from_ns + wall_ns;
    } else if (strcmp(name, "looks at the first frames") == 0) {
        recording->probe = wall_ns;
    } else if (strcmp(name, "starts") == 0) {
        // The quickest: others may have had to wait for a core.
        recording->start = r->starts == 0 || wall_ns < recording->start ? wall_ns : recording->start;
        recording->spawn = (recording->spawn * r->starts + number_up_to(r, args, "spawn_ms", MOST_SPAWN_MS) * 1e6) / (r->starts + 1);
        r->starts++;
    } else if (strcmp(name, "writes") == 0) {
        r->written_bytes += number(r, args, "bytes");
        r->written_ns += wall_ns;
        r->calls++;
    } else if (strcmp(name, "writes files") == 0) {
        // Many hands at once: what counts is for how long any of them was at work. Calls come in the order of their ends.
        r->written_ns += fmax(0, from_ns + wall_ns - fmax(from_ns, r->hands_until_ns));
        r->hands_until_ns = fmax(r->hands_until_ns, from_ns + wall_ns);
    } else if (strcmp(name, "reads") == 0) {
        take_reading(r, args, wall_ns);
        r->calls++;
    } else if (number(r, args, "stage") > 0 && !flag(args, "lost")) {
        take_task(r, args, wall_ns);
    }
}

static void take_event(struct reader *r, struct json_object *event)
{
    const char *kind = text(event, "ph"), *name = text(event, "name");
    struct json_object *args = NULL;

    if (!json_object_object_get_ex(event, "args", &args))
        return;
    if (*kind == 'i' && strcmp(name, "plan") == 0) {
        take_plan(r, args);
    } else if (*kind == 'i' && strcmp(name, "end") == 0) {
        r->ended = true;
        r->recording->wall = us_in_ns(r, event, "ts");
        r->loop_cpu_ns = fmax(0, ms_in_ns(r, args, "loop_cpu_ms") - r->loop_cpu_ns);
        r->recording->message = r->loop_cpu_ns / fmax(1, number(r, args, "received_messages") + r->calls);
        r->recording->leave = r->trailer_end_ns > 0 ? fmax(0, r->recording->wall - r->trailer_end_ns) : 0;
    } else if (*kind == 'X') {
        take_slice(r, name, args, us_in_ns(r, event, "ts"), us_in_ns(r, event, "dur"));
    }
}

static const char *check_whole(const struct recording *recording)
{
    for (size_t i = 0; i < recording->stage_count; i++) {
        const struct recorded_pieces *tasks = &recording->stages[i].tasks;

        for (size_t j = 0; j < tasks->count; j++)
            if (!tasks->pieces[j].known)
                return "segments are missing in it, which were found in the cache, or left out; make it with --no-cache";
        if (tasks->frames > MOST_FRAMES)
            return "it has more frames than a video can have";
        if (tasks->frames == 0)
            return "no frame was rendered in it; was all of it in the cache?";
    }
    if (recording->reading.frames > MOST_FRAMES)
        return "it has more frames than a video can have";
    return recording->reading.frames == 0 ? "nothing was read in it" : NULL;
}

static void take_events(struct reader *r, struct json_object *events)
{
    // The plan comes before the tasks, but the file is not trusted.
    for (size_t i = 0; i < json_object_array_length(events) && !r->wrong && !r->too_large; i++) {
        struct json_object *event = json_object_array_get_idx(events, i);

        if (json_object_is_type(event, json_type_object))
            take_event(r, event);
    }
}

// Returns what is wrong with it, NULL for nothing.
static const char *finish(struct reader *r, enum recording_costs costs)
{
    struct recording *recording = r->recording;
    const char *wrong;

    if (r->wrong)
        return r->wrong;
    if (!r->planned)
        return "there is no plan in it, so it is no trace of renderfarm, or an old one";
    if (!r->ended)
        return "it has no end; the job was interrupted or failed";
    recording->write_byte = r->written_bytes > 0 ? r->written_ns / r->written_bytes : 0;
    sum_up(&recording->reading, COSTS_WALL);
    for (size_t i = 0; i < recording->stage_count; i++)
        sum_up(&recording->stages[i].tasks, costs);
    for (size_t i = 0; i < recording->stage_count; i++)
        recording->stages[i].width = width_of(&recording->stages[i].tasks, recording->threads, costs);
    wrong = check_whole(recording);
    if (!wrong && recording->frame_rate <= 0)
        recording->frame_rate = 25;
    return wrong;
}

// The whole file; NULL and *err for one that cannot be read.
static char *read_file(const char *path, size_t *size, int *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t room = 1 << 20;
    char *data = mem_zalloc(room);
    ssize_t got = 0;

    *size = 0;
    *err = fd < 0 ? -errno : 0;
    while (!*err && (got = read(fd, data + *size, room - *size)) > 0) {
        *size += (size_t)got;
        if (*size > MOST_FILE_BYTES)
            *err = -EFBIG;
        if (*size == room)
            data = mem_grow(data, room *= 2, 1);
    }
    if (!*err && got < 0)
        *err = -errno;
    if (fd >= 0)
        close(fd);
    if (*err) {
        free(data);
        return NULL;
    }
    return data;
}

int recording_read(struct recording *recording, const char *path, enum recording_costs costs, char **why)
{
    struct reader r = {.recording = recording};
    struct json_tokener *tokener;
    struct json_object *events;
    const char *wrong = NULL;
    size_t size;
    int err;
    char *data = read_file(path, &size, &err);

    *recording = (struct recording){0};
    if (!data) {
        *why = mem_format("%s: it cannot be read: %s", path, strerror(-err));
        return err;
    }
    tokener = json_tokener_new();
    events = json_tokener_parse_ex(tokener, data, (int)size);
    if (!events || !json_object_is_type(events, json_type_array))
        wrong = events || json_tokener_get_error(tokener) != json_tokener_continue ? "it is no trace of renderfarm (--trace=FILE writes one)"
                                                                                   : "it breaks off; the job was interrupted";
    else
        take_events(&r, events);
    json_object_put(events);
    json_tokener_free(tokener);
    free(data);
    if (!wrong && !r.too_large)
        wrong = finish(&r, costs);
    if (!wrong && !r.too_large)
        return 0;
    *why = wrong ? mem_format("%s: %s", path, wrong) : mem_format("%s: its number \"%s\" is out of range", path, r.too_large);
    recording_clear(recording);
    return -EINVAL;
}

static void clear_pieces(struct recorded_pieces *pieces)
{
    free(pieces->pieces);
    free(pieces->frames_until);
    free(pieces->cost_until);
    free(pieces->bytes_until);
}

void recording_clear(struct recording *recording)
{
    for (size_t i = 0; i < recording->stage_count; i++) {
        free(recording->stages[i].filters);
        free(recording->stages[i].why);
        clear_pieces(&recording->stages[i].tasks);
    }
    free(recording->stages);
    clear_pieces(&recording->reading);
    free(recording->input);
    free(recording->filters);
    free(recording->reason);
    *recording = (struct recording){0};
}
