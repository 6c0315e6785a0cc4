// renderfarm-renderer: one process that decodes, filters and encodes what a coordinator deals to it. Not meant to be started by hand.
#include "convert.h"
#include "jail.h"
#include "uplink.h"

#include "common/err.h"
#include "common/log.h"

#include <libavutil/log.h>

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *out)
{
    fputs("Usage: renderfarm-renderer --connect=ENDPOINT [--slot=N] [--threads=T] [--verbosity=N]\n"
          "       renderfarm-renderer --convert INPUT STREAM:CODEC[,STREAM:CODEC...]\n"
          "Started by renderfarm; see renderfarm --help.\n",
          out);
}

static void on_parent_bytes(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    (void)stream;
    (void)buffer;
    if (size < 0)
        _exit(0); // the coordinator is gone, and with it whoever wanted our work
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char bytes[64];

    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

// Standard input is a pipe whose other end only the coordinator holds: it ends with the coordinator, however that ends.
static void watch_parent(uv_loop_t *loop)
{
    static uv_pipe_t pipe;

    if (uv_guess_handle(STDIN_FILENO) != UV_NAMED_PIPE)
        return;
    uv_pipe_init(loop, &pipe, 0);
    if (uv_pipe_open(&pipe, STDIN_FILENO) == 0)
        uv_read_start((uv_stream_t *)&pipe, give_buffer, on_parent_bytes);
}

// Each segment opens an encoder that takes the same tens of megabytes as the one before. Kept in the process instead of given back and taken
// anew, they spare the kernel a quarter of a job's page faults.
static void keep_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

int main(int argc, char **argv)
{
    enum { CONNECT = 256, SLOT, THREADS, VERBOSITY };
    static const struct option longs[] = {
        {"connect", required_argument, NULL, CONNECT},
        {"slot", required_argument, NULL, SLOT},
        {"threads", required_argument, NULL, THREADS},
        {"verbosity", required_argument, NULL, VERBOSITY},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const char *endpoint = NULL;
    struct uplink *uplink;
    uint32_t slot = 0;
    int threads = 1, verbosity = 0, option, err;

    if (argc > 1 && strcmp(argv[1], "--convert") == 0)
        return convert_main(argc, argv);
    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case CONNECT:
            endpoint = optarg;
            break;
        case SLOT:
            slot = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case THREADS:
            threads = atoi(optarg);
            break;
        case VERBOSITY:
            verbosity = atoi(optarg);
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            puts("renderfarm-renderer " RENDERFARM_VERSION);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (!endpoint || threads < 1 || threads > 1024 || optind != argc) {
        usage(stderr);
        return 2;
    }
    log_init("renderfarm-renderer", verbosity < 0 ? LOG_ERROR : verbosity == 0 ? LOG_WARN : verbosity == 1 ? LOG_INFO : LOG_DEBUG);
    av_log_set_level(AV_LOG_QUIET);
    keep_memory();
    signal(SIGPIPE, SIG_IGN);
    if (!jail_begin().system_calls)
        log_info("this kernel does not filter system calls: damaged input could do more than spoil its pictures");

    watch_parent(uv_default_loop());
    err = uplink_open(&uplink, uv_default_loop(), endpoint, slot, threads);
    if (err < 0) {
        log_error("%s: %s", endpoint, err_text(err));
        return 1;
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return 0;
}
