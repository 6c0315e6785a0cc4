// renderfarm-renderer: decodes, filters and encodes what a coordinator deals to it. Started by the coordinator on its own host, and by hand, or by
// whatever starts programs elsewhere, on others.
#include "convert.h"
#include "jail.h"
#include "keeper.h"
#include "nursery.h"
#include "uplink.h"

#include "common/avx.h"
#include "common/cores.h"
#include "common/curve.h"
#include "common/err.h"
#include "common/footing.h"
#include "common/log.h"

#include <libavutil/log.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *out)
{
    fputs("Usage: renderfarm-renderer --connect=tcp://HOST:PORT --key=FILE [OPTION]...\n"
          "\n"
          "Works for a coordinator on another host (renderfarm --listen) with this host's cores.\n"
          "It may come and go at any time, also in the middle of a job: SIGTERM lets it leave.\n"
          "On its own host renderfarm starts its renderers itself.\n"
          "\n"
          "      --connect=tcp://HOST:PORT\n"
          "                       where the coordinator listens\n"
          "      --key=FILE       this renderer's key, of renderfarm-keygen --for; - reads it from\n"
          "                       standard input (default: the environment's RENDERFARM_KEY)\n"
          "  -j, --workers=N      renderer processes (default: the cores that this process may use)\n"
          "  -t, --threads=N      threads of each for the slices of a filtered frame (default: 1)\n"
          "      --wait=SECONDS   leave when there was no coordinator for so long, at first or after\n"
          "                       its connection was lost (default: 60)\n"
          "  -v, --verbose        say more\n"
          "  -h, --help           this text\n"
          "  -V, --version        the version; after -v also that of all libraries, which must be\n"
          "                       the same wherever renderers work for one coordinator\n"
          "\n"
          "Exit status: 0 it was told to leave, 1 refused, or no coordinator, 2 wrong use.\n",
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

static int usage_error(const char *text)
{
    fprintf(stderr, "renderfarm-renderer: %s (try renderfarm-renderer --help)\n", text);
    return 2;
}

// option: what getopt_long made of the argument.
static int wrong_option(int option, const char *argument)
{
    fprintf(stderr, "renderfarm-renderer: %.*s: %s (try renderfarm-renderer --help)\n", (int)strcspn(argument, "="), argument,
            option == ':' ? "a value is needed" : "there is no such option, or it takes no value");
    return 2;
}

static int count(const char *text, int least, int most)
{
    char *end;
    long value = strtol(text, &end, 10);

    return end == text || *end || value < least || value > most ? -1 : (int)value;
}

// Whether a coordinator can be at that address. ZeroMQ takes any port, and calls for ever where there is none; "*" is where to listen.
static bool can_be_called(const char *endpoint)
{
    const char *host = endpoint + 6, *port;

    if (strncmp(endpoint, "tcp://", 6) != 0)
        return false;
    port = strrchr(host, ':');
    return port && port != host && *host != '*' && isdigit((unsigned char)port[1]) && count(port + 1, 1, 65535) > 0;
}

// From the environment it is taken out: what runs here reads strangers' bytes.
static int read_key(struct curve_key *key, const char *path)
{
    char *text = getenv("RENDERFARM_KEY"), *why = NULL;
    int err;

    if (path)
        err = curve_read(key, path, &why);
    else if (!text)
        return usage_error("--key=FILE is needed, or RENDERFARM_KEY in the environment");
    else
        err = curve_parse(key, text) < 0 ? err_why(&why, -EINVAL, "RENDERFARM_KEY holds no key of renderfarm-keygen's") : 0;
    if (!err && !key->renderer)
        err = err_why(&why, -EINVAL, "%s: this is a coordinator's key; renderfarm-keygen --for=IT makes one for a renderer",
                      path ? path : "RENDERFARM_KEY");
    if (text)
        explicit_bzero(text, strlen(text));
    unsetenv("RENDERFARM_KEY");
    if (err < 0)
        log_error("%s", why);
    free(why);
    return err < 0 ? 2 : 0;
}

// Where memory runs out the kernel ends who seems to have most of it: rather one of us, whose work another renderer takes over, than the coordinator
// with the whole job, or somebody who has nothing to do with it.
static void offer_to_be_ended_first(void)
{
    enum { STEP = 200, MOST = 1000 };

    FILE *file = fopen("/proc/self/oom_score_adj", "r+e");
    int score;

    if (!file)
        return;
    if (fscanf(file, "%d", &score) == 1) {
        rewind(file);
        fprintf(file, "%d", score + STEP < MOST ? score + STEP : MOST);
    }
    fclose(file);
}

static int work(struct uplink_setup *setup)
{
    struct uplink *uplink;
    int err;

    av_log_set_level(AV_LOG_QUIET);
    keep_memory();
    if (!uplink_is_remote(setup->endpoint))
        offer_to_be_ended_first();
    if (!jail_begin().system_calls)
        log_info("this kernel does not filter system calls: damaged input could do more than spoil its pictures");
    if (!uplink_is_remote(setup->endpoint))
        watch_parent(uv_default_loop());
    err = uplink_open(&uplink, uv_default_loop(), setup);
    if (err < 0) {
        log_error("%s: %s", setup->endpoint, err_text(err));
        return KEEPER_FAILED;
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return 0;
}

int main(int argc, char **argv)
{
    enum { CONNECT = 256, SLOT, VERBOSITY, NURSERY, KEY, WAIT };
    static const struct option longs[] = {
        {"connect", required_argument, NULL, CONNECT},
        {"key", required_argument, NULL, KEY},
        {"workers", required_argument, NULL, 'j'},
        {"threads", required_argument, NULL, 't'},
        {"wait", required_argument, NULL, WAIT},
        {"verbose", no_argument, NULL, 'v'},
        // From the coordinator, for its own host.
        {"slot", required_argument, NULL, SLOT},
        {"verbosity", required_argument, NULL, VERBOSITY},
        {"nursery", no_argument, NULL, NURSERY},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    struct uplink_setup setup = {.threads = 1, .wait_s = 60};
    struct keeper_place place;
    struct curve_key key;
    struct birth_wish wish;
    const char *key_path = NULL;
    char no_slot[] = "", *slot_text = no_slot;
    bool nursery = false;
    int verbosity = 0, workers = cores_usable(), option, status;
    char *end;

    footing_take();
    opterr = 0; // said by us
    if (argc > 1 && strcmp(argv[1], "--convert") == 0)
        return convert_main(argc, argv);
    while ((option = getopt_long(argc, argv, ":j:t:vhV", longs, NULL)) != -1) {
        switch (option) {
        case CONNECT:
            setup.endpoint = optarg;
            break;
        case KEY:
            key_path = optarg;
            break;
        case 'j':
            workers = count(optarg, 1, 1024);
            break;
        case 't':
            setup.threads = count(optarg, 1, 1024);
            break;
        case WAIT:
            setup.wait_s = strtod(optarg, &end);
            if (end == optarg || *end || !(setup.wait_s >= 1 && setup.wait_s <= 1e9))
                return usage_error("--wait must be a number of seconds, at least 1");
            break;
        case SLOT:
            slot_text = optarg;
            setup.slot = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case NURSERY:
            nursery = true;
            break;
        case 'v':
            verbosity++;
            break;
        case VERBOSITY:
            verbosity = atoi(optarg);
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            puts("renderfarm-renderer " RENDERFARM_VERSION);
            if (verbosity > 0)
                puts(avx_all_libraries());
            return 0;
        default:
            return wrong_option(option, argv[optind - 1]);
        }
    }
    if (workers < 1)
        return usage_error("--workers must be a number from 1 to 1024");
    if (setup.threads < 1)
        return usage_error("--threads must be a number from 1 to 1024");
    if (optind != argc)
        return usage_error("there is nothing to be named beside the options");
    if (nursery) {
        nursery_run(&wish, slot_text);
        setup.slot = wish.slot;
        setup.endpoint = wish.endpoint;
        setup.threads = wish.threads;
        verbosity = wish.verbosity;
    }
    if (!setup.endpoint)
        return usage_error("--connect=tcp://HOST:PORT is needed");
    log_init("renderfarm-renderer", verbosity < 0 ? LOG_ERROR : verbosity == 0 ? LOG_WARN : verbosity == 1 ? LOG_INFO : LOG_DEBUG);
    // Those of its own host the coordinator gives a number; anybody else who calls such an address would wait there for ever.
    if (!uplink_is_remote(setup.endpoint) && *slot_text && !key_path)
        return work(&setup);

    if (!can_be_called(setup.endpoint))
        return usage_error("--connect must be tcp://HOST:PORT");
    status = read_key(&key, key_path);
    if (status != 0)
        return status;
    if (!keeper_run(workers, setup.wait_s, &place, &status))
        return status;
    setup.key = &key;
    setup.slot = place.slot;
    setup.place = place.place;
    setup.ended = place.ended;
    setup.killed = place.killed;
    setup.welcomed = place.welcomed;
    return work(&setup);
}
