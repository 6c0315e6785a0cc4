#include "converted.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/packets.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_MESSAGE_BYTES = 64 << 20, MAX_PAYLOAD_BYTES = 512 << 20 };

struct converted {
    pid_t pid;
    FILE *pipe;
    char *input;
    Wire__Converted **streams;
    size_t stream_count;
    AVPacket *next; // read and not taken
    bool ended;
};

static int start(struct converted *c, const char *renderer, char **argv)
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
    err = -posix_spawn(&c->pid, renderer, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (err < 0) {
        c->pid = 0;
        close(ends[0]);
        return err;
    }
    c->pipe = fdopen(ends[0], "rb");
    if (!c->pipe) {
        err = -errno;
        close(ends[0]);
    }
    return err;
}

static int unexpected_end(struct converted *c, char **why)
{
    int status = 0;

    if (c->pid > 0 && waitpid(c->pid, &status, 0) == c->pid) {
        c->pid = 0;
        if (WIFSIGNALED(status))
            return err_why(why, -EPIPE, "%s: the conversion of its other streams was ended by signal %d (%s)", c->input, WTERMSIG(status),
                           strsignal(WTERMSIG(status)));
    }
    return err_why(why, -EPIPE, "%s: the conversion of its other streams ended early", c->input);
}

static int read_message(struct converted *c, Wire__Converted **message, char **why)
{
    uint8_t head[4], *bytes;
    size_t size;

    if (fread(head, sizeof(head), 1, c->pipe) != 1)
        return unexpected_end(c, why);
    size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (size > MAX_MESSAGE_BYTES)
        return err_why(why, -EPROTO, "%s: the conversion of its other streams talks nonsense", c->input);
    bytes = mem_zalloc(size);
    if (size && fread(bytes, size, 1, c->pipe) != 1) {
        free(bytes);
        return unexpected_end(c, why);
    }
    *message = wire__converted__unpack(NULL, size, bytes);
    free(bytes);
    if (!*message)
        return err_why(why, -EPROTO, "%s: the conversion of its other streams talks nonsense", c->input);
    if ((*message)->body_case == WIRE__CONVERTED__BODY_FAILED) {
        int err = err_why(why, -EIO, "%s: %s", c->input, (*message)->failed);

        wire__converted__free_unpacked(*message, NULL);
        *message = NULL;
        return err;
    }
    return 0;
}

static int read_streams(struct converted *c, const struct converted_wish *wishes, size_t count, char **why)
{
    c->streams = mem_zalloc(count * sizeof(Wire__Converted *));
    for (size_t i = 0; i < count; i++) {
        Wire__Converted *message = NULL;
        int err = read_message(c, &message, why);

        if (err < 0)
            return err;
        if (message->body_case != WIRE__CONVERTED__BODY_STREAM || message->stream->stream != wishes[i].stream) {
            wire__converted__free_unpacked(message, NULL);
            return err_why(why, -EPROTO, "%s: the conversion of its other streams talks nonsense", c->input);
        }
        c->streams[c->stream_count++] = message;
    }
    return 0;
}

int converted_open(struct converted **result, const char *renderer, const char *input, int64_t start_us, const struct converted_wish *wishes,
                   size_t count, char **why)
{
    struct converted *c = mem_zalloc(sizeof(*c));
    char *list = mem_dup(""), *start_text = start_us == AV_NOPTS_VALUE ? NULL : mem_format("%" PRId64, start_us);
    char *program = mem_dup(renderer), *word = mem_dup("--convert");
    char *argv[] = {program, word, NULL, NULL, start_text, NULL};
    int err;

    for (size_t i = 0; i < count; i++) {
        char *longer = mem_format("%s%s%u:%s", list, i ? "," : "", wishes[i].stream, wishes[i].encoder);

        free(list);
        list = longer;
    }
    c->input = mem_dup(input);
    argv[2] = c->input;
    argv[3] = list;
    err = start(c, renderer, argv);
    if (err < 0)
        err_why(why, err, "%s: cannot be started: %s", renderer, err_text(err));
    else
        err = read_streams(c, wishes, count, why);
    free(list);
    free(start_text);
    free(program);
    free(word);
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

static int read_packet(struct converted *c, const Wire__ConvertedPacket *message, char **why)
{
    size_t size = message->packet->size;
    uint8_t *bytes;
    int err;

    if (!converted_stream(c, message->stream) || size > MAX_PAYLOAD_BYTES)
        return err_why(why, -EPROTO, "%s: the conversion of its other streams talks nonsense", c->input);
    bytes = mem_zalloc(size);
    if (size && fread(bytes, size, 1, c->pipe) != 1) {
        free(bytes);
        return unexpected_end(c, why);
    }
    err = packets_packet_from_wire(&c->next, message->packet, bytes, size);
    free(bytes);
    if (err < 0)
        return err_why(why, err, "%s: the conversion of its other streams: %s", c->input, err_text(err));
    c->next->stream_index = (int)message->stream;
    return 0;
}

static void end(struct converted *c, const Wire__Converted *message)
{
    if (message->has_read_error && message->read_error < 0)
        log_warn("%s: the converted streams beside the video end early: %s", c->input, err_text(message->read_error));
    c->ended = true;
}

int converted_peek(struct converted *c, const AVPacket **packet, char **why)
{
    Wire__Converted *message = NULL;
    int err = 0;

    if (!c->next && !c->ended) {
        err = read_message(c, &message, why);
        if (err < 0)
            return err;
        if (message->body_case == WIRE__CONVERTED__BODY_PACKET)
            err = read_packet(c, message->packet, why);
        else if (message->body_case == WIRE__CONVERTED__BODY_END)
            end(c, message);
        else
            err = err_why(why, -EPROTO, "%s: the conversion of its other streams talks nonsense", c->input);
        wire__converted__free_unpacked(message, NULL);
    }
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
    if (c->pipe)
        fclose(c->pipe);
    if (c->pid > 0) {
        kill(c->pid, SIGKILL); // it writes nothing but the pipe
        waitpid(c->pid, NULL, 0);
    }
    for (size_t i = 0; i < c->stream_count; i++)
        wire__converted__free_unpacked(c->streams[i], NULL);
    free(c->streams);
    av_packet_free(&c->next);
    free(c->input);
    free(c);
    *converted = NULL;
}
