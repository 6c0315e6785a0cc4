#include "converted.h"

#include "input_file.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/packets.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_MESSAGE_BYTES = 64 << 20,
    MAX_PAYLOAD_BYTES = 512 << 20,
    READ_BYTES = 64 << 10,
    LOOK_MS = 200, // how often whoever waits looks whether there is a hurry
    MOST_NEW_STARTS = 2,
    LOST = -EPIPE, // the child is gone, and another may do better
};

struct converted {
    const struct stat *noted;
    char *renderer, *input, *start_text, *list; // the child's arguments
    double stall_s;
    const atomic_bool *hurry;
    unsigned *wished; // streams
    size_t wished_count;
    bool sound, subtitles; // are among them

    pid_t pid;
    int pipe; // -1: none
    uint8_t bytes[READ_BYTES];
    size_t from, to; // of bytes: read, and not looked at
    char *fate;      // a clause, of the child that was lost last
    int new_starts;

    Wire__Converted **streams;
    size_t stream_count;
    AVPacket *next; // read and not taken
    bool ended;
    // What was given, the packet that is next with it: the child that comes after has to give the same.
    uint64_t given;
    uint32_t given_stream, given_size;
    int64_t given_pts;
};

// ---- The child, and its bytes ----

static void drop_child(struct converted *c)
{
    if (c->pipe >= 0)
        close(c->pipe);
    c->pipe = -1;
    c->from = c->to = 0;
    if (c->pid > 0) {
        kill(c->pid, SIGKILL); // it writes nothing but the pipe
        waitpid(c->pid, NULL, 0);
    }
    c->pid = 0;
}

static int start_child(struct converted *c, char **argv)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int ends[2], err;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    // A group of its own: Ctrl-C is for the coordinator, which then decides.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    err = -posix_spawn(&c->pid, c->renderer, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (err < 0) {
        c->pid = 0;
        close(ends[0]);
        return err;
    }
    c->pipe = ends[0];
    return 0;
}

static int lose(struct converted *c, char *fate)
{
    drop_child(c);
    free(c->fate);
    c->fate = fate;
    return LOST;
}

static int child_ended(struct converted *c)
{
    int status = 0;

    kill(c->pid, SIGKILL); // one that ends by itself has its status already
    if (waitpid(c->pid, &status, 0) == c->pid)
        c->pid = 0;
    if (WIFSIGNALED(status))
        return lose(c, mem_format("was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status))));
    return lose(c, mem_format("ended early, with status %d", WEXITSTATUS(status)));
}

// Until there is something to read. Looks are counted, not time: while we are stopped ourselves nothing is heard of anybody.
static int wait_for_child(struct converted *c)
{
    struct pollfd ready = {.fd = c->pipe, .events = POLLIN};
    double looks = c->stall_s > 0 ? fmax(1, ceil(c->stall_s * 1000 / LOOK_MS)) : INFINITY;

    while (looks > 0) {
        int count;

        if (c->hurry && *c->hurry)
            return -ECANCELED;
        count = poll(&ready, 1, LOOK_MS);
        if (count > 0)
            return 0;
        if (count == 0)
            looks--;
        else if (errno != EINTR)
            return -errno;
    }
    return lose(c, mem_format("hangs: no sign of life for %.0f s (see --stall-timeout)", c->stall_s));
}

static int fill(struct converted *c)
{
    int err = wait_for_child(c);
    ssize_t got;

    if (err < 0)
        return err;
    do
        got = read(c->pipe, c->bytes, sizeof(c->bytes));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got == 0)
        return child_ended(c);
    c->from = 0;
    c->to = (size_t)got;
    return 0;
}

// to NULL: they are passed over.
static int get(struct converted *c, uint8_t *to, size_t size)
{
    while (size > 0) {
        size_t now = c->to - c->from < size ? c->to - c->from : size;
        int err;

        if (!now) {
            err = fill(c);
            if (err < 0)
                return err;
            continue;
        }
        if (to) {
            memcpy(to, c->bytes + c->from, now);
            to += now;
        }
        c->from += now;
        size -= now;
    }
    return 0;
}

// ---- What it says ----

static int nonsense(const struct converted *c, char **why)
{
    return err_why(why, -EPROTO, "%s: the conversion of its other streams talks nonsense", c->input);
}

static int read_one(struct converted *c, Wire__Converted **message, char **why)
{
    uint8_t head[4], *bytes;
    size_t size;
    int err = get(c, head, sizeof(head));

    if (err < 0)
        return err;
    size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (size > MAX_MESSAGE_BYTES)
        return nonsense(c, why);
    bytes = mem_zalloc(size);
    err = get(c, bytes, size);
    *message = err < 0 ? NULL : wire__converted__unpack(NULL, size, bytes);
    free(bytes);
    if (err < 0)
        return err;
    if (!*message)
        return nonsense(c, why);
    if ((*message)->body_case == WIRE__CONVERTED__BODY_FAILED) {
        err = err_why(why, -EIO, "%s: %s", c->input, (*message)->failed);
        wire__converted__free_unpacked(*message, NULL);
        *message = NULL;
    }
    return err;
}

// The next that is more than a sign of life.
static int read_message(struct converted *c, Wire__Converted **message, char **why)
{
    for (;;) {
        int err = read_one(c, message, why);

        if (err < 0 || (*message)->body_case != WIRE__CONVERTED__BODY_ALIVE)
            return err;
        wire__converted__free_unpacked(*message, NULL);
        *message = NULL;
    }
}

// Those of a later child are the same, and the first one's stay.
static int read_streams(struct converted *c, char **why)
{
    for (size_t i = 0; i < c->wished_count; i++) {
        Wire__Converted *message = NULL;
        int err = read_message(c, &message, why);

        if (err < 0)
            return err;
        if (message->body_case != WIRE__CONVERTED__BODY_STREAM || message->stream->stream != c->wished[i]) {
            wire__converted__free_unpacked(message, NULL);
            return nonsense(c, why);
        }
        if (i == c->stream_count)
            c->streams[c->stream_count++] = message;
        else
            wire__converted__free_unpacked(message, NULL);
    }
    return 0;
}

// What was given already.
static int pass_over(struct converted *c, char **why)
{
    for (uint64_t i = 1; i <= c->given; i++) {
        Wire__Converted *message = NULL;
        bool same = true;
        int err = read_message(c, &message, why);

        if (err < 0)
            return err;
        if (message->body_case != WIRE__CONVERTED__BODY_PACKET)
            same = false;
        else if (i == c->given)
            same = message->packet->stream == c->given_stream && message->packet->packet->pts == c->given_pts &&
                   message->packet->packet->size == c->given_size;
        if (same)
            err = get(c, NULL, message->packet->packet->size);
        wire__converted__free_unpacked(message, NULL);
        if (!same)
            return err_why(why, -EPROTO, "%s: the conversion of its other streams, begun again, came out differently", c->input);
        if (err < 0)
            return err;
    }
    return 0;
}

// ---- Beginning, and beginning again ----

static int begin(struct converted *c, char **why)
{
    char word[] = "--convert";
    char *argv[] = {c->renderer, word, c->input, c->list, c->start_text, NULL};
    int err = start_child(c, argv);

    if (err < 0)
        return err_why(why, err, "%s: cannot be started: %s", c->renderer, err_text(err));
    err = read_streams(c, why);
    if (err >= 0)
        err = input_file_expect(c->noted, c->input, why);
    return err < 0 ? err : pass_over(c, why);
}

static const char *way_out(const struct converted *c)
{
    return !c->subtitles ? "--no-audio" : !c->sound ? "--no-subtitles" : "--no-audio --no-subtitles";
}

// After an error: where it was that the child was lost, another goes on in its place, and all is well again.
static int mend(struct converted *c, int err, char **why)
{
    while (err == LOST) {
        if (c->new_starts == MOST_NEW_STARTS)
            return err_why(why, -EIO, "%s: the conversion of its other streams %s; it was started again %d times already; leave them out with %s",
                           c->input, c->fate, MOST_NEW_STARTS, way_out(c));
        c->new_starts++;
        log_warn("%s: the conversion of its other streams %s; it is started again", c->input, c->fate);
        err = begin(c, why);
    }
    return err;
}

int converted_open(struct converted **result, const struct converted_setup *setup, const struct converted_wish *wishes, size_t count, char **why)
{
    struct converted *c = mem_zalloc(sizeof(*c));
    int err;

    c->pipe = -1;
    c->renderer = mem_dup(setup->renderer);
    c->input = mem_dup(setup->input);
    c->noted = setup->noted;
    c->start_text = setup->start_us == AV_NOPTS_VALUE ? NULL : mem_format("%" PRId64, setup->start_us);
    c->list = mem_dup("");
    c->stall_s = setup->stall_s;
    c->hurry = setup->hurry;
    c->streams = mem_zalloc(count * sizeof(*c->streams));
    c->wished = mem_zalloc(count * sizeof(*c->wished));
    c->wished_count = count;
    for (size_t i = 0; i < count; i++) {
        const AVCodec *codec = avcodec_find_encoder_by_name(wishes[i].encoder);
        char *longer = mem_format("%s%s%u:%s", c->list, i ? "," : "", wishes[i].stream, wishes[i].encoder);

        free(c->list);
        c->list = longer;
        c->wished[i] = wishes[i].stream;
        c->sound |= codec && codec->type == AVMEDIA_TYPE_AUDIO;
        c->subtitles |= codec && codec->type == AVMEDIA_TYPE_SUBTITLE;
    }
    err = mend(c, begin(c, why), why);
    if (err < 0)
        converted_close(&c);
    *result = c;
    return err;
}

const Wire__ConvertedStream *converted_stream(const struct converted *c, unsigned stream)
{
    for (size_t i = 0; i < c->stream_count; i++)
        if (c->streams[i]->stream->stream == stream)
            return c->streams[i]->stream;
    return NULL;
}

// ---- Packets ----

static int read_packet(struct converted *c, const Wire__ConvertedPacket *message, char **why)
{
    size_t size = message->packet->size;
    uint8_t *bytes;
    int err;

    if (!converted_stream(c, message->stream) || size > MAX_PAYLOAD_BYTES)
        return nonsense(c, why);
    bytes = mem_zalloc(size);
    err = get(c, bytes, size);
    if (err >= 0) {
        err = packets_packet_from_wire(&c->next, message->packet, bytes, size);
        if (err < 0)
            err_why(why, err, "%s: the conversion of its other streams: %s", c->input, err_text(err));
    }
    free(bytes);
    if (err < 0)
        return err;
    c->next->stream_index = (int)message->stream;
    c->given++;
    c->given_stream = message->stream;
    c->given_size = message->packet->size;
    c->given_pts = message->packet->pts;
    return 0;
}

static void end(struct converted *c, const Wire__Converted *message)
{
    if (message->has_read_error && message->read_error < 0)
        log_warn("%s: the converted streams beside the video end early: %s", c->input, err_text(message->read_error));
    c->ended = true;
}

static int read_next(struct converted *c, char **why)
{
    Wire__Converted *message = NULL;
    int err = read_message(c, &message, why);

    if (err < 0)
        return err;
    if (message->body_case == WIRE__CONVERTED__BODY_PACKET)
        err = read_packet(c, message->packet, why);
    else if (message->body_case == WIRE__CONVERTED__BODY_END)
        end(c, message);
    else
        err = nonsense(c, why);
    wire__converted__free_unpacked(message, NULL);
    return err;
}

int converted_peek(struct converted *c, const AVPacket **packet, char **why)
{
    int err = 0;

    while (!c->next && !c->ended && err >= 0)
        err = mend(c, read_next(c, why), why);
    *packet = c->next;
    return err;
}

AVPacket *converted_take(struct converted *c)
{
    AVPacket *packet = c->next;

    c->next = NULL;
    return packet;
}

void converted_close(struct converted **converted)
{
    struct converted *c = *converted;

    if (!c)
        return;
    drop_child(c);
    for (size_t i = 0; i < c->stream_count; i++)
        wire__converted__free_unpacked(c->streams[i], NULL);
    free(c->streams);
    free(c->wished);
    av_packet_free(&c->next);
    free(c->renderer);
    free(c->input);
    free(c->start_text);
    free(c->list);
    free(c->fate);
    free(c);
    *converted = NULL;
}
