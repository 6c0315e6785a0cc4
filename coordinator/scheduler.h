// Who renders which segment: segments waiting, sent, done, written; attempts; which goes next. Pure: no sockets, no clock, no libraries. Not
// thread-safe.
//
// Segments go out in order while more input is to come, because the output is written in order and finished work that waits its turn costs memory.
// Once the input has ended, the rest is known: the first unwritten segment still goes first (everything waits for it), then the longest, so that
// no core is left alone with a long one at the end.
#ifndef RENDERFARM_SCHEDULER_H
#define RENDERFARM_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum segment_state { SEGMENT_WAITING, SEGMENT_SENT, SEGMENT_DONE, SEGMENT_WRITTEN, SEGMENT_FAILED };
const char *segment_state_name(enum segment_state state);

enum {
    SCHEDULER_MAX_FAULTS = 3,  // then the segment has failed
    SCHEDULER_MAX_LOSSES = 20, // the same, if it was never the segment's fault
    SCHEDULER_MAX_SECONDS = 3, // renderers that begin a segment which another is at
};
#define SCHEDULER_NONE UINT32_MAX

struct scheduler;

struct scheduler *scheduler_new(void);
void scheduler_free(struct scheduler **scheduler);

// A new segment; numbers come in order 0, 1, 2...
void scheduler_on_segment(struct scheduler *s, uint32_t number);
// frames more are known of it; ready: it may be handed out (all of it is read, or enough to start on).
void scheduler_on_frames(struct scheduler *s, uint32_t number, uint64_t frames, bool ready);
void scheduler_on_input_end(struct scheduler *s);

// The segment to hand out next, or SCHEDULER_NONE. Changes nothing.
uint32_t scheduler_next(const struct scheduler *s);
// The one to hand out to somebody who cannot do that one: of those behind it the next, or SCHEDULER_NONE. Changes nothing.
uint32_t scheduler_next_after(const struct scheduler *s, uint32_t number);
// The one to be sent ahead to a renderer that is at `number`: of those behind it the next one, or SCHEDULER_NONE; that too while one before it should
// go out first. Changes nothing.
uint32_t scheduler_next_behind(const struct scheduler *s, uint32_t number);
// It went to a renderer. Returns the attempt's number, 1, 2...
uint32_t scheduler_on_sent(struct scheduler *s, uint32_t number, uint32_t renderer);
// A second renderer begins what another is at; the attempt's number. It does not run in the sense of what follows until it has taken over, which an
// attempt may that was begun this way, also when the one before it was lost.
uint32_t scheduler_on_second(struct scheduler *s, uint32_t number);
void scheduler_on_taken_over(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer);
bool scheduler_can_second(const struct scheduler *s, uint32_t number); // it was not begun twice too often
// A result is in. False if it is not the attempt that runs (late or made up): then it is to be ignored.
bool scheduler_on_done(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer);
// The attempt ended without a result. fault: for all we know the segment was to blame, and not somebody who killed the renderer. reached: how much
// had come of it; an attempt that got further than all before it shows that there is a way, and wipes the record. Returns true if the segment waits
// again, false if it has failed too often.
bool scheduler_on_lost(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer, bool fault, uint64_t reached);
// The same, but the renderer had not begun it: it waits again as if it had never been sent.
void scheduler_on_called_back(struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer);
// It will never work out. One that waits has failed.
void scheduler_on_failed(struct scheduler *s, uint32_t number);
// One that has failed waits again with a clean record: it is to be done in another way.
void scheduler_on_other_way(struct scheduler *s, uint32_t number);
// One that waits is done: nothing is to come of it, or what comes of it is here already.
void scheduler_on_settled(struct scheduler *s, uint32_t number);
// Its turn has come and it is in the output. It is forgotten.
void scheduler_on_written(struct scheduler *s, uint32_t number);

// Attempts that ended by a fault of its own, as far as they count still.
uint32_t scheduler_faults(const struct scheduler *s, uint32_t number);
// Is this the attempt that runs?
bool scheduler_is_running(const struct scheduler *s, uint32_t number, uint32_t attempt, uint32_t renderer);
bool scheduler_is_waiting(const struct scheduler *s, uint32_t number);
uint64_t scheduler_frames(const struct scheduler *s, uint32_t number); // known of it so far
size_t scheduler_available(const struct scheduler *s);                 // segments that can be handed out now
size_t scheduler_waiting(const struct scheduler *s);                   // segments that wait to be handed out, ready or not
size_t scheduler_outstanding(const struct scheduler *s);               // sent or done, and not written
uint32_t scheduler_first(const struct scheduler *s);                   // the first that is not written
uint32_t scheduler_total(const struct scheduler *s);                   // segments so far
uint32_t scheduler_done_count(const struct scheduler *s);              // done or written
uint32_t scheduler_retries(const struct scheduler *s);
bool scheduler_finished(const struct scheduler *s); // input ended and all is written

#endif
