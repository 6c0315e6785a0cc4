// Lines for people, on stderr, each one write(2), "renderfarm: text". log_error: the job is harmed. log_warn: we coped. log_info: once per job or
// renderer (--verbose). log_debug: once per segment (--verbose twice). Any thread.
#ifndef RENDERFARM_LOG_H
#define RENDERFARM_LOG_H

#include <stdbool.h>

enum log_level { LOG_NOTHING, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_init(const char *program, enum log_level most);
enum log_level log_level(void);
// Called before and after each line, in its thread, so that a redrawn progress line can step aside; may be NULL.
void log_around(void (*before)(void *), void (*after)(void *), void *data);
// Whoever draws that line keeps other threads' lines off for the moment, or finds that one is being written just now. That may take long where nobody
// reads, so after wait_ms it is false, and nothing is to be drawn.
bool log_hold(int wait_ms);
void log_release(void);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A line of another process, as it is.
void log_relay(const char *line);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
