// What predictions say: where the speed-up flattens, and why. Pure.
#ifndef RENDERFARM_SIMULATE_CURVE_H
#define RENDERFARM_SIMULATE_CURVE_H

#include "virtual.h"

// Of the time that the cores had, the share that went to each cause; the cause that cost most. IDLE_CAUSES when they were hardly ever idle.
double curve_idle_share(const struct prediction *p, enum idle_cause cause);
enum idle_cause curve_worst(const struct prediction *p);
// One short word for a table: "tail".
const char *curve_word(enum idle_cause cause);
// One sentence for people on what keeps that one from being faster; free().
char *curve_reason(const struct prediction *p);
double curve_speed_up(const struct prediction *one, const struct prediction *p);
// Of predictions with rising workers the first whose speed-up is within 5 % of the greatest of all; count is at least 1.
size_t curve_flattens(const struct prediction *one, const struct prediction *all, size_t count);

// Worker counts out of "1..8", "1,2,4", "1..64:8"; rising, each once. A range of more than MOST_IN_RANGE numbers is walked in steps that grow: 1, 2,
// 3, 4, 6, 8, 12, 16... and its end. False for what makes no sense. *counts is the caller's.
enum { CURVE_MOST_WORKERS = 10000, CURVE_MOST_IN_RANGE = 32 };
bool curve_parse_workers(const char *text, unsigned **counts, size_t *count);

#endif
