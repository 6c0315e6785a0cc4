#include "scheduler.h"

#include "common/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    enum segment_state state;
    bool ready;
    uint64_t frames;
    uint32_t attempts, seconds;
    uint32_t running, renderer; // the attempt whose result counts, and whose it is
    uint32_t losses, faults;    // since reached grew
    uint64_t reached;
};

// Segments from first on, in order; written ones are dropped from the front, so the array holds a window, not the video.
struct scheduler {
    struct entry *entries;
    size_t count, room;
    uint32_t first;
    uint32_t done, retries;
    bool input_ended;
    size_t in_state[SEGMENT_FAILED + 1];
    size_t available;   // that wait and are ready
    uint32_t no_before; // none of those has a lower number
};

const char *segment_state_name(enum segment_state state)
{
    static const char *const names[] = {"waiting", "sent", "done", "written", "failed"};

    return names[state];
}

struct scheduler *scheduler_new(void)
{
    return mem_zalloc(sizeof(struct scheduler));
}

void scheduler_free(struct scheduler **scheduler)
{
    if (!*scheduler)
        return;
    free((*scheduler)->entries);
    free(*scheduler);
    *scheduler = NULL;
}

// NULL for a number that is not, or no longer, known: the caller may have it from a peer.
static struct entry *find(const struct scheduler *s, uint32_t number)
{
    return number >= s->first && number - s->first < s->count ? &s->entries[number - s->first] : NULL;
}

static bool is_available(const struct entry *entry)
{
    return entry->state == SEGMENT_WAITING && entry->ready;
}

static void note_available(struct scheduler *s, const struct entry *entry)
{
    uint32_t number = s->first + (uint32_t)(entry - s->entries);

    if (!is_available(entry))
        return;
    s->available++;
    if (number < s->no_before)
        s->no_before = number;
}

// The only way between states.
static void set_state(struct scheduler *s, struct entry *entry, enum segment_state state)
{
    static const bool allowed[5][5] = {
        [SEGMENT_WAITING] = {[SEGMENT_SENT] = true, [SEGMENT_DONE] = true, [SEGMENT_FAILED] = true},
        [SEGMENT_SENT] = {[SEGMENT_WAITING] = true, [SEGMENT_DONE] = true, [SEGMENT_FAILED] = true},
        [SEGMENT_DONE] = {[SEGMENT_WRITTEN] = true},
        [SEGMENT_FAILED] = {[SEGMENT_WAITING] = true},
    };

    assert(allowed[entry->state][state]);
    if (state == SEGMENT_DONE)
        s->done++;
    s->available -= is_available(entry);
    s->in_state[entry->state]--;
    s->in_state[state]++;
    entry->state = state;
    note_available(s, entry);
}

void scheduler_on_segment(struct scheduler *s, uint32_t number)
{
    assert(number == s->first + s->count);
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 32;
        s->entries = mem_grow(s->entries, s->room, sizeof(*s->entries));
    }
    s->entries[s->count++] = (struct entry){.state = SEGMENT_WAITING};
    s->in_state[SEGMENT_WAITING]++;
}

void scheduler_on_frames(struct scheduler *s, uint32_t number, uint64_t frames, bool ready)
{
    struct entry *entry = find(s, number);

    assert(entry);
    entry->frames += frames;
    s->available -= is_available(entry);
    entry->ready |= ready;
    note_available(s, entry);
}

void scheduler_on_input_end(struct scheduler *s)
{
    s->input_ended = true;
}

// Of those from a number on.
static uint32_t pick(const struct scheduler *s, uint32_t from)
{
    uint32_t best = SCHEDULER_NONE;
    uint64_t best_frames = 0;
    size_t left = s->available;

    for (size_t i = from > s->first ? from - s->first : 0; i < s->count && left > 0; i++) {
        const struct entry *entry = &s->entries[i];

        if (!is_available(entry))
            continue;
        left--;
        if (i == 0 || !s->input_ended)
            return s->first + (uint32_t)i;
        if (best == SCHEDULER_NONE || entry->frames > best_frames) {
            best = s->first + (uint32_t)i;
            best_frames = entry->frames;
        }
    }
    return best;
}

uint32_t scheduler_next(const struct scheduler *s)
{
    return pick(s, s->no_before);
}

uint32_t scheduler_next_after(const struct scheduler *s, uint32_t number)
{
    return pick(s, number + 1);
}

uint32_t scheduler_next_behind(const struct scheduler *s, uint32_t number)
{
    uint32_t next = scheduler_next(s);

    if (next == SCHEDULER_NONE || next > number)
        return next;
    // The longest of all may wait for a renderer that is free; what is due may not.
    return s->input_ended && next != s->first ? pick(s, number + 1) : SCHEDULER_NONE;
}

uint32_t scheduler_on_sent(struct scheduler *s, uint32_t number, uint32_t renderer)
{
    struct entry *entry = find(s, number);

    assert(entry);
    set_state(s, entry, SEGMENT_SENT);
    // Behind the first one that was there; there may be others before it only when the longest is taken.
    if (!s->input_ended || number == s->no_before)
        s->no_before = number + 1;
    entry->renderer = renderer;
    return entry->running = ++entry->attempts;
}

uint32_t scheduler_on_second(struct scheduler *s, uint32_t number)
{
    struct entry *entry = find(s, number);

    assert(entry && entry->state == SEGMENT_SENT);
    entry->seconds++;
    s->retries++;
    return ++entry->attempts;
}

void scheduler_on_taken_over(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer)
{
    struct entry *entry = find(s, number);

    assert(entry && attempt <= entry->attempts);
    if (entry->state == SEGMENT_WAITING)
        set_state(s, entry, SEGMENT_SENT);
    entry->running = attempt;
    entry->renderer = renderer;
}

bool scheduler_can_second(const struct scheduler *s, uint32_t number)
{
    const struct entry *entry = find(s, number);

    return entry && entry->state == SEGMENT_SENT && entry->seconds < SCHEDULER_MAX_SECONDS;
}

bool scheduler_is_running(const struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer)
{
    const struct entry *entry = find(s, number);

    return entry && entry->state == SEGMENT_SENT && entry->running == attempt && entry->renderer == renderer;
}

bool scheduler_on_done(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer)
{
    if (!scheduler_is_running(s, number, attempt, renderer))
        return false;
    set_state(s, find(s, number), SEGMENT_DONE);
    return true;
}

bool scheduler_on_lost(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer, bool fault, uint64_t reached)
{
    struct entry *entry = find(s, number);

    if (!scheduler_is_running(s, number, attempt, renderer))
        return true;
    if (reached > entry->reached) {
        entry->reached = reached;
        entry->losses = entry->faults = 0;
    }
    entry->losses++;
    entry->faults += fault;
    if (entry->faults >= SCHEDULER_MAX_FAULTS || entry->losses >= SCHEDULER_MAX_LOSSES) {
        set_state(s, entry, SEGMENT_FAILED);
        return false;
    }
    s->retries++;
    set_state(s, entry, SEGMENT_WAITING);
    return true;
}

void scheduler_on_called_back(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer)
{
    if (scheduler_is_running(s, number, attempt, renderer))
        set_state(s, find(s, number), SEGMENT_WAITING);
}

void scheduler_on_failed(struct scheduler *s, uint32_t number)
{
    struct entry *entry = find(s, number);

    if (entry && entry->state == SEGMENT_WAITING)
        set_state(s, entry, SEGMENT_FAILED);
}

void scheduler_on_other_way(struct scheduler *s, uint32_t number)
{
    struct entry *entry = find(s, number);

    assert(entry);
    set_state(s, entry, SEGMENT_WAITING);
    entry->losses = entry->faults = 0;
    entry->reached = 0;
}

void scheduler_on_settled(struct scheduler *s, uint32_t number)
{
    struct entry *entry = find(s, number);

    assert(entry);
    set_state(s, entry, SEGMENT_DONE);
}

void scheduler_on_written(struct scheduler *s, uint32_t number)
{
    struct entry *entry = find(s, number);
    size_t gone = 0;

    assert(entry && number == s->first);
    set_state(s, entry, SEGMENT_WRITTEN);
    while (gone < s->count && s->entries[gone].state == SEGMENT_WRITTEN)
        gone++;
    s->count -= gone;
    s->first += (uint32_t)gone;
    memmove(s->entries, s->entries + gone, s->count * sizeof(*s->entries));
}

uint32_t scheduler_faults(const struct scheduler *s, uint32_t number)
{
    const struct entry *entry = find(s, number);

    return entry ? entry->faults : 0;
}

bool scheduler_is_waiting(const struct scheduler *s, uint32_t number)
{
    const struct entry *entry = find(s, number);

    return entry && entry->state == SEGMENT_WAITING;
}

uint64_t scheduler_frames(const struct scheduler *s, uint32_t number)
{
    const struct entry *entry = find(s, number);

    return entry ? entry->frames : 0;
}

size_t scheduler_available(const struct scheduler *s)
{
    return s->available;
}

size_t scheduler_waiting(const struct scheduler *s)
{
    return s->in_state[SEGMENT_WAITING];
}

size_t scheduler_outstanding(const struct scheduler *s)
{
    return s->in_state[SEGMENT_SENT] + s->in_state[SEGMENT_DONE];
}

uint32_t scheduler_first(const struct scheduler *s)
{
    return s->first;
}

uint32_t scheduler_total(const struct scheduler *s)
{
    return s->first + (uint32_t)s->count;
}

uint32_t scheduler_done_count(const struct scheduler *s)
{
    return s->done;
}

uint32_t scheduler_retries(const struct scheduler *s)
{
    return s->retries;
}

bool scheduler_finished(const struct scheduler *s)
{
    return s->input_ended && s->count == 0;
}
