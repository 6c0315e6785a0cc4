#include "cache.h"

#include "cache_entry.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <libavcodec/packet.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum kept_state {
    KEPT_ASKED,
    KEPT_MISSED, // is being rendered, or will be
    KEPT_FOUND,
    KEPT_ENDING, // its last call is on its way, and then it is forgotten
};

// A segment from the question to its end.
struct kept {
    struct kept *next;
    uint32_t number;
    // Loop thread.
    enum kept_state state;
    bool playing, begun;
    // In the lane's hands.
    struct cache_key key;
    FILE *file; // to read from, NULL: not there
    struct cache_entry_reader reader;
    struct cache_store *store;
    struct cache_entry_writer writer;
    bool failed; // the rest of the attempt is of no use
};

struct cache {
    const struct cache_events *events;
    void *data;
    char *path;
    const char *input;
    uint64_t limit_bytes;
    bool own;
    struct lane lane;

    // What the key is made of, until it is.
    const char *libraries;
    const Wire__Job **jobs;
    size_t job_count;
    const struct plan *plan;
    Wire__FilterFacts *const *filters;
    size_t filter_count;

    // In the lane's hands while it is busy.
    struct cache_folder *folder; // NULL: there is none to be had
    struct cache_job_key job;
    struct cache_file_id file;
    struct gaps *gaps;
    bool file_known, removes;
    atomic_bool dismissed; // what still waits to be written is of no use
    uint64_t held;

    // Loop thread.
    struct kept *kept;
    bool ready, ended, troubled;
    size_t queued_bytes;
};

// One call of the lane, about one segment.
struct call {
    struct cache *cache;
    struct kept *kept;
    const struct shelf_segment *segment; // to ask by its content
    struct chunk *chunk;                 // to write, or read
    Wire__Done *done;                    // the same
    int64_t *times;                      // to write with it
    size_t time_count;
    size_t queued_bytes;
    int err;
};

static struct kept *find(const struct cache *c, uint32_t number)
{
    for (struct kept *kept = c->kept; kept; kept = kept->next)
        if (kept->number == number)
            return kept;
    return NULL;
}

static void forget(struct cache *c, struct kept *kept)
{
    struct kept **at = &c->kept;

    while (*at != kept)
        at = &(*at)->next;
    *at = kept->next;
    if (kept->file)
        fclose(kept->file);
    free(kept);
}

// Nothing more will be kept; the entries that are there are of use all the same.
static void trouble(struct cache *c, int err)
{
    char *why;

    if (c->troubled)
        return;
    c->troubled = true;
    why = mem_format("%s: finished segments cannot be kept: %s", c->path, err_text(err));
    c->events->on_trouble(c->data, why);
    free(why);
}

static void run(struct cache *c, struct kept *kept, lane_call work, lane_call done, const struct call *with)
{
    struct call *call = mem_zalloc(sizeof(*call));

    *call = with ? *with : (struct call){0};
    call->cache = c;
    call->kept = kept;
    lane_run(&c->lane, work, done, call);
}

static void end_call(struct call *call)
{
    chunk_free(&call->chunk);
    if (call->done)
        wire__done__free_unpacked(call->done, NULL);
    free(call->times);
    free(call);
}

// ---- The beginning ----

static void identify_in_lane(void *data)
{
    struct call *call = data;

    call->cache->file_known = cache_file_identify(&call->cache->file, call->cache->input) >= 0;
}

static void on_identified(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;

    end_call(call);
    c->events->on_change(c->data);
}

char *cache_own_path(const char *output)
{
    const char *slash = strrchr(output, '/'), *name = slash ? slash + 1 : output;

    return mem_format("%.*s.%s.renderfarm-cache", (int)(name - output), output, name);
}

struct cache *cache_new(uv_loop_t *loop, const char *path, uint64_t limit_bytes, bool own, const char *input, const struct cache_events *events,
                        void *data)
{
    struct cache *c = mem_zalloc(sizeof(*c));

    *c = (struct cache){.events = events, .data = data, .path = mem_dup(path), .input = input, .limit_bytes = limit_bytes, .own = own};
    lane_init(&c->lane, loop);
    // While renderers start, and there is nothing else to do.
    run(c, NULL, identify_in_lane, on_identified, NULL);
    return c;
}

enum { MISSES_IN_A_ROW = 256 }; // so many segments that are not there, and none is looked for behind them

// What is there of a plan whose segments are known by their numbers. Nothing is held to be whole on the strength of this.
static void survey(struct cache *c)
{
    unsigned misses = 0;

    c->gaps = gaps_new(&c->plan->stages[c->plan->stage_count - 1]);
    for (uint32_t segment = 0; misses < MISSES_IN_A_ROW; segment++) {
        struct cache_key key;
        int64_t *times;
        size_t count;
        FILE *file;

        cache_key_of_file(&key, &c->job, &c->file, segment);
        file = cache_folder_peek(c->folder, &key);
        misses = file ? 0 : misses + 1;
        if (file && cache_entry_read_times(file, &key, &times, &count) >= 0) {
            gaps_on_segment(c->gaps, segment, times, count);
            free(times);
        }
        if (file)
            fclose(file);
    }
    if (!gaps_settle(c->gaps))
        gaps_free(&c->gaps);
}

static void start_in_lane(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;

    call->err = cache_folder_open(&c->folder, c->path, c->limit_bytes, c->own);
    if (call->err < 0)
        return;
    call->err = cache_job_key_make(&c->job, c->libraries, c->jobs, c->job_count, c->plan, c->filters, c->filter_count);
    if (call->err >= 0 && c->file_known && plan_may_leave_out(c->plan))
        survey(c);
}

static void on_start(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;

    c->ready = true;
    if (call->err < 0)
        trouble(c, call->err);
    end_call(call);
    c->events->on_change(c->data);
}

void cache_start(struct cache *c, const char *libraries, const Wire__Job *const *jobs, size_t job_count, const struct plan *plan,
                 Wire__FilterFacts *const *filters, size_t filter_count)
{
    c->libraries = libraries;
    c->jobs = mem_zalloc(job_count * sizeof(*c->jobs));
    for (size_t i = 0; i < job_count; i++)
        c->jobs[i] = jobs[i];
    c->job_count = job_count;
    c->plan = plan;
    c->filters = filters;
    c->filter_count = filter_count;
    run(c, NULL, start_in_lane, on_start, NULL);
}

bool cache_ready(const struct cache *c)
{
    return c->ready;
}

const struct gaps *cache_gaps(const struct cache *c)
{
    return c->gaps;
}

struct lane *cache_lane(struct cache *c)
{
    return &c->lane;
}

bool cache_busy(const struct cache *c)
{
    return lane_busy(&c->lane);
}

// ---- Questions ----

// Reads all of it, so that what is played later is known to be good. NULL when it is not.
static Wire__Done *read_through(struct kept *kept)
{
    Wire__Done *done = NULL;
    struct chunk *chunk;
    int err = cache_entry_read_open(&kept->reader, kept->file, &kept->key);

    while (err >= 0 && !done) {
        err = cache_entry_read_next(&kept->reader, &chunk, &done);
        chunk_free(&chunk);
    }
    if (err >= 0)
        err = cache_entry_read_open(&kept->reader, kept->file, &kept->key);
    if (err < 0 && done) {
        wire__done__free_unpacked(done, NULL);
        done = NULL;
    }
    return done;
}

static void drop(struct cache *c, struct kept *kept)
{
    if (kept->file)
        fclose(kept->file);
    kept->file = NULL;
    cache_folder_drop(c->folder, &kept->key);
}

static void ask_in_lane(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;
    struct kept *kept = call->kept;

    if (call->segment)
        cache_key_of_packets(&kept->key, &c->job, call->segment->keep_from, call->segment->keep_to, call->segment->extradata,
                             call->segment->extradata_size, &call->segment->chunks);
    else
        cache_key_of_file(&kept->key, &c->job, &c->file, kept->number);
    kept->file = cache_folder_lookup(c->folder, &kept->key);
    if (!kept->file)
        return;
    call->done = read_through(kept);
    if (!call->done)
        drop(c, kept);
}

static void on_asked(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;

    call->kept->state = call->done ? KEPT_FOUND : KEPT_MISSED;
    c->events->on_answer(c->data, call->kept->number, call->done);
    end_call(call);
    c->events->on_change(c->data);
}

void cache_ask(struct cache *c, const struct shelf_segment *segment, bool by_content)
{
    struct kept *kept;

    if (!c->folder || (!by_content && !c->file_known)) {
        c->events->on_answer(c->data, segment->number, NULL);
        return;
    }
    kept = mem_zalloc(sizeof(*kept));
    kept->number = segment->number;
    kept->state = KEPT_ASKED;
    kept->next = c->kept;
    c->kept = kept;
    run(c, kept, ask_in_lane, on_asked, &(struct call){.segment = by_content ? segment : NULL});
}

static void play_in_lane(void *data)
{
    struct call *call = data;

    call->err = cache_entry_read_next(&call->kept->reader, &call->chunk, &call->done);
    if (call->err < 0)
        drop(call->cache, call->kept);
}

static void on_play(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;
    struct kept *kept = call->kept;

    kept->playing = false;
    if (call->done || call->err < 0)
        kept->state = KEPT_ENDING;
    if (!c->ended)
        c->events->on_played(c->data, kept->number, &call->chunk, call->done);
    if (kept->state == KEPT_ENDING)
        forget(c, kept);
    end_call(call);
    c->events->on_change(c->data);
}

void cache_play(struct cache *c, uint32_t segment)
{
    struct kept *kept = find(c, segment);

    if (!kept || kept->state != KEPT_FOUND || kept->playing)
        return;
    kept->playing = true;
    run(c, kept, play_in_lane, on_play, NULL);
}

static void refuse_in_lane(void *data)
{
    struct call *call = data;

    drop(call->cache, call->kept);
}

static void on_refused(void *data)
{
    end_call(data);
}

void cache_refuse(struct cache *c, uint32_t segment)
{
    struct kept *kept = find(c, segment);

    if (!kept || kept->state != KEPT_FOUND)
        return;
    kept->state = KEPT_MISSED;
    run(c, kept, refuse_in_lane, on_refused, NULL);
}

// ---- Answers ----

static void abort_in_lane(void *data)
{
    struct call *call = data;

    cache_folder_abort(call->cache->folder, &call->kept->store);
    call->kept->failed = false;
}

static void on_aborted(void *data)
{
    end_call(data);
}

static void on_given_up(void *data)
{
    struct call *call = data;

    forget(call->cache, call->kept);
    end_call(call);
}

static int write_chunk(struct cache *c, struct kept *kept, const struct chunk *chunk)
{
    int err = 0;

    if (!kept->store) {
        err = cache_folder_begin(c->folder, &kept->key, &kept->store);
        if (err >= 0)
            err = cache_entry_write_open(&kept->writer, cache_store_file(kept->store), &kept->key);
    }
    return err < 0 ? err : cache_entry_write_chunk(&kept->writer, chunk);
}

static int write_end(struct kept *kept, const struct call *call)
{
    int err = call->times ? cache_entry_write_times(&kept->writer, call->times, call->time_count) : 0;

    return err < 0 && err != -EINVAL ? err : cache_entry_write_done(&kept->writer, call->done);
}

static void keep_in_lane(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;
    struct kept *kept = call->kept;

    if (c->dismissed)
        cache_folder_abort(c->folder, &kept->store);
    if (kept->failed || c->dismissed)
        return;
    call->err = call->chunk ? write_chunk(c, kept, call->chunk) : kept->store ? write_end(kept, call) : -EPROTO;
    if (call->err >= 0 && call->done)
        call->err = cache_folder_commit(c->folder, &kept->store);
    if (call->err < 0) {
        cache_folder_abort(c->folder, &kept->store);
        kept->failed = true;
    }
}

static void on_kept(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;
    bool last = call->done != NULL;

    c->queued_bytes -= call->queued_bytes;
    if (call->err < 0)
        trouble(c, call->err);
    else if (last && !c->ended)
        log_debug("segment %u is kept", call->kept->number);
    if (last)
        forget(c, call->kept);
    end_call(call);
    c->events->on_change(c->data);
}

static void give_up(struct cache *c, struct kept *kept)
{
    kept->state = KEPT_ENDING;
    run(c, kept, abort_in_lane, on_given_up, NULL);
}

static struct chunk *share(const struct chunk *chunk)
{
    struct chunk *copy = chunk_new(chunk->sequence);

    copy->last = chunk->last;
    for (size_t i = 0; i < chunk->packet_count; i++) {
        AVPacket *packet = av_packet_clone(chunk->packets[i]);

        if (!packet)
            abort(); // small allocations succeed or the process ends, see mem.h
        chunk_take(copy, &packet);
    }
    return copy;
}

void cache_keep(struct cache *c, uint32_t segment, const struct chunk *chunk)
{
    struct kept *kept = find(c, segment);

    if (!kept || kept->state != KEPT_MISSED || c->ended)
        return;
    if (c->troubled || c->queued_bytes > CACHE_QUEUE_BYTES) {
        give_up(c, kept);
        return;
    }
    kept->begun = true;
    c->queued_bytes += chunk->size_bytes;
    run(c, kept, keep_in_lane, on_kept, &(struct call){.chunk = share(chunk), .queued_bytes = chunk->size_bytes});
}

void cache_keep_done(struct cache *c, uint32_t segment, const Wire__Done *done, const int64_t *times, size_t time_count)
{
    struct kept *kept = find(c, segment);
    size_t size;
    uint8_t *bytes;

    if (!kept || kept->state != KEPT_MISSED || !kept->begun || c->ended)
        return;
    kept->state = KEPT_ENDING;
    // A copy that outlives the hub's message.
    size = wire__done__get_packed_size(done);
    bytes = mem_zalloc(size);
    wire__done__pack(done, bytes);
    run(c, kept, keep_in_lane, on_kept,
        &(struct call){.done = wire__done__unpack(NULL, size, bytes),
                       .times = times ? mem_copy(times, time_count * sizeof(*times)) : NULL,
                       .time_count = time_count});
    free(bytes);
}

void cache_lose(struct cache *c, uint32_t segment)
{
    struct kept *kept = find(c, segment);

    if (!kept || kept->state != KEPT_MISSED || !kept->begun)
        return;
    kept->begun = false;
    run(c, kept, abort_in_lane, on_aborted, NULL);
}

// ---- The end ----

static void end_in_lane(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;

    if (!c->folder)
        return;
    if (c->removes)
        cache_folder_remove(c->folder);
    else
        cache_folder_remove_empty(c->folder); // nobody goes on from there
    c->held = c->own ? cache_folder_entries(c->folder) : cache_folder_counts(c->folder)->stored + cache_folder_counts(c->folder)->found;
}

static void on_ended(void *data)
{
    struct call *call = data;
    struct cache *c = call->cache;

    end_call(call);
    c->events->on_change(c->data);
}

void cache_end(struct cache *c, bool remove)
{
    if (c->ended)
        return;
    c->ended = true;
    c->removes = remove;
    c->dismissed = remove && c->own;
    for (struct kept *kept = c->kept; kept; kept = kept->next)
        if (kept->begun && kept->state == KEPT_MISSED)
            run(c, kept, abort_in_lane, on_aborted, NULL);
    run(c, NULL, end_in_lane, on_ended, NULL);
}

uint64_t cache_held(const struct cache *c)
{
    return c->held;
}

const char *cache_path(const struct cache *c)
{
    return c->path;
}

void cache_free(struct cache **cache)
{
    struct cache *c = *cache;

    if (!c)
        return;
    while (c->kept)
        forget(c, c->kept);
    cache_folder_close(&c->folder);
    gaps_free(&c->gaps);
    free(c->jobs);
    free(c->path);
    free(c);
    *cache = NULL;
}
