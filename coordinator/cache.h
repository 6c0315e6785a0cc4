// Finished segments on disk: asked before a segment is rendered, told of what comes while one is, and played where it was found. The calls return at
// once; keys, files and the disk are a lane's business. What goes wrong with the cache costs time and never the job: it is told, and the segment is
// rendered. Loop thread only.
#ifndef RENDERFARM_CACHE_H
#define RENDERFARM_CACHE_H

#include "cache_folder.h"
#include "cache_key.h"
#include "gaps.h"
#include "lane.h"
#include "plan.h"
#include "shelf.h"

struct cache;

enum { CACHE_QUEUE_BYTES = 32 << 20 }; // on their way to the disk; a segment that comes on top of that is not kept

struct cache_events {
    // Anything has changed that may let somebody go on.
    void (*on_change)(void *data);
    // The answer to cache_ask. done: what its renderer said at the end, when it is there whole; it lives until the call returns. NULL: to be
    // rendered.
    void (*on_answer)(void *data, uint32_t segment, const Wire__Done *done);
    // The answer to cache_play: the next chunk, to be taken; behind the last one done; neither when the file has gone bad since it was found.
    void (*on_played)(void *data, uint32_t segment, struct chunk **chunk, const Wire__Done *done);
    // In one sentence why nothing more is kept. Once.
    void (*on_trouble)(void *data, const char *why);
};

// Where the job's own folder is: beside the output, and hidden; free().
char *cache_own_path(const char *output);

// input: the file, for segments that are not known by their content, is read at once. own: see cache_folder_open. Nothing is written yet.
struct cache *cache_new(uv_loop_t *loop, const char *path, uint64_t limit_bytes, bool own, const char *input, const struct cache_events *events,
                        void *data);
// Opens the folder and makes the job's key. What is pointed at lives on, and does not change before cache_ready.
void cache_start(struct cache *cache, const char *libraries, const Wire__Job *const *jobs, size_t job_count, const struct plan *plan,
                 Wire__FilterFacts *const *filters, size_t filter_count);
bool cache_ready(const struct cache *cache); // segments can be asked for
// What need not be decoded, by what is there now; NULL: all has to be, or the plan wants that. It lives as long as the cache.
const struct gaps *cache_gaps(const struct cache *cache);
struct lane *cache_lane(struct cache *cache);
bool cache_busy(const struct cache *cache);

// Whether it is there. by_content: all of the segment's packets are on the shelf, and stay there as they are until the answer.
void cache_ask(struct cache *cache, const struct shelf_segment *segment, bool by_content);
// Of a segment that was found: the next chunk is read. Does nothing while one is on its way or behind the end.
void cache_play(struct cache *cache, uint32_t segment);
// It was found, but makes no sense to the caller: dropped, as if it had been missed.
void cache_refuse(struct cache *cache, uint32_t segment);

// Of a segment that was missed: what its renderer sends, in order, and its end. The chunk stays the caller's. One that was never asked for is not
// kept. times: of its frames, NULL where they are not known or not fit to be relied on.
void cache_keep(struct cache *cache, uint32_t segment, const struct chunk *chunk);
void cache_keep_done(struct cache *cache, uint32_t segment, const Wire__Done *done, const int64_t *times, size_t time_count);
// The attempt is lost, what it sent with it.
void cache_lose(struct cache *cache, uint32_t segment);

// The job is over. remove: nobody will go on from here, so the job's own folder goes. on_change tells when it is no longer busy.
void cache_end(struct cache *cache, bool remove);
uint64_t cache_held(const struct cache *cache); // segments on disk: of its own folder all, else those that it has found or kept; when not busy
const char *cache_path(const struct cache *cache);
void cache_free(struct cache **cache); // when not busy

#endif
