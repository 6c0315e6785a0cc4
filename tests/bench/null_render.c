// How many segments a second the coordinator can deal and take back: its own code and ZeroMQ, real processes, and renderers that do nothing. Input
// and output are made up (coordinator/source.h, sink.h and writer.h are here), so no codec and no file is in it.
//
// usage: null_render [--segments=N] [--workers=N | --peers=N [--idle=SECONDS]] [--packets=N] [--bytes=N] [--json]
//   --peers=N       as if on other hosts: that many connections over TCP, with keys, of one process
//   --idle=SECONDS  no segment before they have been idle for so long, the second half of which is measured
#include "null_peers.h"
#include "null_renderer.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/packets.h"
#include "common/zsock.h"

#include "coordinator/passes.h"
#include "coordinator/scheduler.h"
#include "coordinator/sink.h"
#include "coordinator/source.h"
#include "coordinator/writer.h"

#include <libavutil/pixfmt.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STEP = NULL_RENDERER_STEP };

static struct {
    uint32_t segments;
    unsigned packets, bytes; // of a segment; of a packet
    uint64_t written;
    double first_s, last_s;    // when the first segment was read, and the last was written
    double idle_s, idle_cpu_s; // before that; the coordinator's CPU in the second half of it
} job = {.segments = 50000, .packets = 1, .bytes = 200};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static AVPacket *packet_of(uint64_t number)
{
    AVPacket *packet = av_packet_alloc();

    if (!packet || av_new_packet(packet, (int)job.bytes) < 0)
        abort(); // small allocations succeed or the process ends, see mem.h
    memset(packet->data, 0, job.bytes);
    packet->pts = packet->dts = (int64_t)number * STEP;
    packet->duration = STEP;
    packet->flags = AV_PKT_FLAG_KEY;
    return packet;
}

// ---- Renderers of this host: a process each ----

static void send_parts(void *data, zmq_msg_t *parts, size_t count)
{
    zsock_send(*(struct zsock **)data, parts, count);
}

static void on_message(void *data, struct zsock_message *in)
{
    enum null_renderer_end end = null_renderer_hear(data, in->parts, in->count);

    if (end != NULL_RENDERER_GOES_ON)
        _exit(end == NULL_RENDERER_FAILED);
}

// It ends with the coordinator: then its standard input does too.
static void on_parent(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
    _exit(0);
}

static int render(const char *endpoint, uint32_t slot)
{
    static struct zsock *zsock;
    static struct null_renderer renderer = {.send = send_parts, .data = &zsock};
    char identity[64];
    uv_poll_t life;

    snprintf(identity, sizeof(identity), "renderer-%u-%d", slot, (int)getpid());
    uv_poll_init(uv_default_loop(), &life, STDIN_FILENO);
    uv_poll_start(&life, UV_READABLE | UV_DISCONNECT, on_parent);
    if (zsock_open(&zsock, uv_default_loop(), zmq_ctx_new(), ZMQ_DEALER, identity, on_message, &renderer) < 0 || zsock_connect(zsock, endpoint) < 0)
        return 1;
    null_renderer_hello(&renderer, slot, 0);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

// ---- coordinator/source.h ----

struct source {
    uint32_t next;
};

int source_open(struct source **source, const char *path, struct source_facts *facts, char **why)
{
    AVCodecParameters *par = avcodec_parameters_alloc();

    (void)path;
    (void)why;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = AV_CODEC_ID_H264;
    par->width = par->height = 16;
    *facts = (struct source_facts){
        .duration_s = job.segments * job.packets / 24.0, .cuttable = true, .codec_name = mem_dup("none"), .format_name = mem_dup("none")};
    packets_parameters_to_wire(&facts->parameters, par);
    avcodec_parameters_free(&par);
    facts->time_base = packets_rational_to_wire((AVRational){1, 24 * STEP});
    facts->frame_rate = packets_rational_to_wire((AVRational){24, 1});
    *source = mem_zalloc(sizeof(**source));
    return 0;
}

// Numbered pictures are a matter of the real one.
int source_open_pictures(struct source **source, const char *path, const struct pictures_setup *setup, struct source_facts *facts, char **why)
{
    (void)setup;
    return source_open(source, path, facts, why);
}

int source_head(struct source *s, size_t min_packets, size_t min_bytes, struct chunk_list *head, bool *eof, char **why)
{
    struct chunk *chunk = chunk_new(0);
    AVPacket *packet = packet_of(0);

    (void)s;
    (void)min_packets;
    (void)min_bytes;
    (void)why;
    *eof = false;
    chunk_take(chunk, &packet);
    chunk_list_put(head, &chunk);
    return 0;
}

void source_start(struct source *s, bool cut, double segment_s, double taper_s)
{
    (void)s;
    (void)cut;
    (void)segment_s;
    (void)taper_s;
}

// Nothing is in a cache here.
void source_leave_out(struct source *s, const struct gaps *gaps)
{
    (void)s;
    (void)gaps;
}

// Calls that are interrupted are none of our concern: nothing here takes signals but its end.
static void wait_s(double s)
{
    struct timespec t = {.tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9)};

    nanosleep(&t, NULL);
}

// In the lane: the loop is idle meanwhile.
static void be_idle(void)
{
    double before_s;

    wait_s(job.idle_s / 2);
    before_s = cpu_s();
    wait_s(job.idle_s / 2);
    job.idle_cpu_s = cpu_s() - before_s;
}

int source_next(struct source *s, struct source_run *run, char **why)
{
    (void)why;
    if (s->next == 0 && job.idle_s > 0)
        be_idle();
    if (s->next == 0)
        job.first_s = now_s();
    *run = (struct source_run){.segment = s->next, .eof = s->next == job.segments};
    if (run->eof)
        return 0;
    run->first = true;
    run->keep_from = INT64_MIN;
    run->keep_to = INT64_MAX;
    run->chunk = chunk_new(0);
    run->chunk->last = true;
    run->frames_hint = job.packets;
    for (unsigned i = 0; i < job.packets; i++) {
        AVPacket *packet = packet_of((uint64_t)s->next * job.packets + i);

        run->last_pts = packet->pts;
        chunk_take(run->chunk, &packet);
    }
    s->next++;
    return 0;
}

char *source_picture_path(const struct source *s, int64_t pts)
{
    (void)s;
    (void)pts;
    return NULL;
}

const char *source_damage(const struct source *s)
{
    (void)s;
    return NULL;
}

const char *source_cut_note(const struct source *s)
{
    (void)s;
    return NULL;
}

void source_close(struct source **source)
{
    free(*source);
    *source = NULL;
}

// ---- coordinator/sink.h and writer.h ----

struct sink {
    int nothing;
};

struct writer {
    int nothing;
};

int sink_open(struct sink **sink, const struct sink_setup *setup, struct sink_facts *facts, char **why)
{
    (void)setup;
    (void)why;
    *facts = (struct sink_facts){.encoder = mem_dup("none")};
    *sink = mem_zalloc(sizeof(**sink));
    return 0;
}

int sink_start(struct sink *sink, const Wire__Probed *video, char **why)
{
    (void)sink;
    (void)video;
    (void)why;
    return 0;
}

struct sink_part *sink_take_parts(struct sink *sink)
{
    (void)sink;
    return NULL;
}

uint64_t sink_bytes(const struct sink *sink)
{
    (void)sink;
    return 0;
}

void sink_close(struct sink **sink)
{
    free(*sink);
    *sink = NULL;
}

void sink_facts_clear(struct sink_facts *facts)
{
    free(facts->encoder);
    *facts = (struct sink_facts){0};
}

struct writer *writer_new(struct sink *sink, unsigned reorder_delay, int64_t frame_step)
{
    (void)sink;
    (void)reorder_delay;
    (void)frame_step;
    return mem_zalloc(sizeof(struct writer));
}

int writer_write(struct writer *w, uint32_t segment, struct chunk **chunk, char **why)
{
    (void)w;
    (void)segment;
    (void)why;
    job.written += (*chunk)->packet_count;
    job.last_s = now_s();
    chunk_free(chunk);
    return 0;
}

int writer_finish(struct writer *w, char **why)
{
    (void)w;
    (void)why;
    return 0;
}

void writer_free(struct writer **writer)
{
    free(*writer);
    *writer = NULL;
}

// ---- The job ----

static void tell(int workers, unsigned peers, double cpu, bool json)
{
    double wall_s = job.last_s - job.first_s, idle = job.idle_s > 0 ? job.idle_cpu_s / (job.idle_s / 2) : 0;
    unsigned count = peers ? peers : (unsigned)workers;

    if (json) {
        printf(
            "{\"segments\": %u, \"workers\": %u, \"wall_s\": %.6f, \"segments_per_s\": %.1f, \"coordinator_us_a_segment\": %.3f, \"idle\": %.5f}\n",
            job.segments, count, wall_s, job.segments / wall_s, cpu * 1e6 / job.segments, idle);
        return;
    }
    printf("%u segments, %u %srenderers that do nothing: %.2f s, %.0f segments a second, %.1f us of the coordinator's CPU for each\n", job.segments,
           count, peers ? "remote " : "", wall_s, job.segments / wall_s, cpu * 1e6 / job.segments);
    if (job.idle_s > 0)
        printf("while all of them were idle: %.2f %% of a core\n", 100 * idle);
}

static int measure(int workers, unsigned peers, bool json)
{
    struct options options = {
        .input = (char *)(uintptr_t) "none",
        .output = (char *)(uintptr_t) "none",
        .progress = PROGRESS_OFF,
        .workers = workers,
        .threads = 1,
        .filter = (char *)(uintptr_t) "",
        .stall_s = 60,
        .memory_bytes = UINT64_MAX,
        .no_cache = true,
    };
    double before_s = cpu_s();
    char *launch = peers ? mem_format("exec %s --peers=%u --connect={endpoint}", program_invocation_name, peers) : NULL;
    int status;

    if (peers) {
        options.workers = 0;
        options.launch = launch;
        options.listen = (char *)(uintptr_t) "tcp://127.0.0.1:0";
    }
    setenv("RENDERFARM_RENDERER", "/proc/self/exe", 1);
    status = passes_run(&options);
    free(launch);
    if (status == 0 && job.written != (uint64_t)job.segments * job.packets) {
        fprintf(stderr, "null_render: %llu of %llu packets came back\n", (unsigned long long)job.written,
                (unsigned long long)job.segments * job.packets);
        status = 1;
    }
    if (status != 0)
        return status;
    tell(workers, peers, cpu_s() - before_s - job.idle_cpu_s, json);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"segments", required_argument, NULL, 's'}, {"workers", required_argument, NULL, 'w'},   {"packets", required_argument, NULL, 'p'},
        {"bytes", required_argument, NULL, 'b'},    {"peers", required_argument, NULL, 'r'},     {"idle", required_argument, NULL, 'i'},
        {"json", no_argument, NULL, 'j'},           {"connect", required_argument, NULL, 'c'},   {"slot", required_argument, NULL, 'n'},
        {"threads", required_argument, NULL, 'x'},  {"verbosity", required_argument, NULL, 'x'}, {NULL, 0, NULL, 0},
    };
    const char *endpoint = NULL;
    unsigned workers = 8, slot = 0, peers = 0;
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        unsigned value = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

        if (option == 's')
            job.segments = value;
        else if (option == 'w')
            workers = value;
        else if (option == 'p')
            job.packets = value;
        else if (option == 'b')
            job.bytes = value;
        else if (option == 'r')
            peers = value;
        else if (option == 'i')
            job.idle_s = value;
        else if (option == 'j')
            json = true;
        else if (option == 'c')
            endpoint = optarg;
        else if (option == 'n')
            slot = value;
        else if (option != 'x')
            return 2;
    }
    if (optind < argc || job.segments == 0 || workers == 0 || workers > 1024 || peers > 10000 || job.packets == 0 ||
        job.packets > CHUNK_MAX_PACKETS || job.bytes > 1 << 20) {
        fprintf(stderr, "usage: null_render [--segments=N] [--workers=N | --peers=N [--idle=SECONDS]] [--packets=N] [--bytes=N] [--json]\n");
        return 2;
    }
    log_init("null_render", LOG_WARN);
    if (endpoint)
        return peers ? null_peers_run(endpoint, peers) : render(endpoint, slot);
    return measure((int)workers, peers, json);
}
