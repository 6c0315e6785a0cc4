#include "stats.h"

#include "json_text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static double s_of(uint64_t ns)
{
    return (double)ns / 1e9;
}

static double wall_s(const struct stats *s)
{
    return s->end_ns > s->start_ns ? s_of(s->end_ns - s->start_ns) : 0;
}

double stats_efficiency(const struct stats *s)
{
    double room = s->workers * wall_s(s) + s_of(s->remote_ns), efficiency;

    if (room <= 0)
        return 0;
    efficiency = s_of(s->decode_cpu_ns + s->filter_cpu_ns + s->encode_cpu_ns) / room;
    return efficiency > 1 ? 1 : efficiency; // --threads may use more than one core a worker
}

static uint64_t cpu_ns(const struct rusage *usage)
{
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000u;
}

static struct stats_switches switches(const struct rusage *usage)
{
    return (struct stats_switches){.voluntary = (uint64_t)usage->ru_nvcsw, .involuntary = (uint64_t)usage->ru_nivcsw};
}

void stats_self(struct stats *s)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return;
    s->coordinator_peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    s->coordinator_cpu_ns = cpu_ns(&usage);
    s->coordinator_switches = switches(&usage);
}

void stats_children(struct stats *s)
{
    struct rusage usage;

    if (getrusage(RUSAGE_CHILDREN, &usage) < 0)
        return;
    s->renderers_cpu_ns = cpu_ns(&usage);
    s->renderers_switches = switches(&usage);
}

static void add_number(struct json_object *object, const char *key, double value)
{
    char text[64];

    snprintf(text, sizeof(text), "%.6f", isfinite(value) && fabs(value) < 1e15 ? value : 0); // JSON has no word for the others
    json_object_object_add(object, key, json_object_new_double_s(value, text));
}

static void add_count(struct json_object *object, const char *key, uint64_t value)
{
    json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_text(struct json_object *object, const char *key, const char *value)
{
    json_object_object_add(object, key, json_text_new(value));
}

static void add_switches(struct json_object *object, const char *key, const struct stats_switches *switches)
{
    struct json_object *one = json_object_new_object();

    add_count(one, "voluntary", switches->voluntary);
    add_count(one, "involuntary", switches->involuntary);
    json_object_object_add(object, key, one);
}

static void add_traffic(struct json_object *top, const struct stats *s)
{
    struct json_object *switches = json_object_new_object(), *ipc = json_object_new_object();

    add_switches(switches, "coordinator", &s->coordinator_switches);
    add_switches(switches, "renderers", &s->renderers_switches);
    json_object_object_add(top, "context_switches", switches);

    add_count(ipc, "messages", s->ipc.messages);
    add_count(ipc, "sent_bytes", s->ipc.sent_bytes);
    add_count(ipc, "received_bytes", s->ipc.received_bytes);
    add_number(ipc, "loop_ms", s_of(s->ipc.busy_ns) * 1000);
    json_object_object_add(top, "ipc", ipc);
}

static struct json_object *to_json(const struct stats *s)
{
    struct json_object *top = json_object_new_object(), *cpu = json_object_new_object(), *memory = json_object_new_object();
    struct json_object *renderers = json_object_new_array(), *peaks = json_object_new_array();

    add_text(top, "input", s->input);
    add_text(top, "output", s->output);
    add_text(top, "codec", s->codec);
    add_number(top, "wall_s", wall_s(s));
    add_number(top, "first_task_s", s->first_task_ns > s->start_ns ? s_of(s->first_task_ns - s->start_ns) : 0);
    add_number(top, "video_s", s->video_s);
    add_count(top, "frames", s->frames);
    add_number(top, "fps", wall_s(s) > 0 ? (double)s->frames / wall_s(s) : 0);
    add_count(top, "segments", s->segments);
    add_count(top, "segments_found", s->segments_found);
    add_count(top, "frames_left_out", s->frames_left_out);
    add_count(top, "missing_segments", s->missing_segments);
    add_count(top, "plain_segments", s->plain_segments);
    add_count(top, "workers", (uint64_t)s->workers);
    add_count(top, "threads", (uint64_t)s->threads);
    add_count(top, "retries", s->retries);
    add_count(top, "lost_frames", s->lost_frames);
    add_number(top, "lost_s", s_of(s->lost_ns));
    add_count(top, "decode_errors", s->decode_errors);
    add_count(top, "output_bytes", s->output_bytes);
    add_text(top, "serial_reason", s->serial_reason);

    add_number(cpu, "decode", s_of(s->decode_cpu_ns));
    add_number(cpu, "filter", s_of(s->filter_cpu_ns));
    add_number(cpu, "encode", s_of(s->encode_cpu_ns));
    add_number(cpu, "renderers", s_of(s->renderers_cpu_ns + s->remote_cpu_ns));
    add_number(cpu, "remote", s_of(s->remote_cpu_ns));
    add_number(cpu, "coordinator", s_of(s->coordinator_cpu_ns));
    add_number(cpu, "total", s_of(s->renderers_cpu_ns + s->remote_cpu_ns + s->coordinator_cpu_ns));
    json_object_object_add(top, "cpu_s", cpu);

    add_number(top, "efficiency", stats_efficiency(s));
    add_number(top, "loop_max_ms", s_of(s->loop_max_ns) * 1000);

    add_count(memory, "coordinator", s->coordinator_peak_bytes);
    for (size_t i = 0; i < s->renderer_count; i++) {
        const struct stats_renderer *r = &s->renderers[i];
        struct json_object *one = json_object_new_object();

        add_count(one, "slot", r->slot);
        if (r->host[0])
            add_text(one, "host", r->host);
        add_number(one, "busy_s", s_of(r->busy_ns));
        add_count(one, "segments", r->segments);
        add_count(one, "frames", r->frames);
        add_count(one, "peak_memory_bytes", r->peak_memory_bytes);
        json_object_array_add(renderers, one);
        json_object_array_add(peaks, json_object_new_uint64(r->peak_memory_bytes));
    }
    json_object_object_add(memory, "renderers", peaks);
    json_object_object_add(top, "peak_memory_bytes", memory);
    json_object_object_add(top, "renderers", renderers);
    add_traffic(top, s);
    return top;
}

int stats_write(const struct stats *s, const char *path)
{
    FILE *file = fopen(path, "we");
    struct json_object *top;
    struct stat about;
    int err = 0;

    if (!file)
        return -errno;
    top = to_json(s);
    if (fprintf(file, "%s\n", json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
        err = -errno;
    if (fclose(file) != 0 && !err)
        err = -errno;
    if (err < 0 && stat(path, &about) == 0 && S_ISREG(about.st_mode)) // and no device
        unlink(path);
    json_object_put(top);
    return err;
}
