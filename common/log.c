#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *program_name = "renderfarm";
static enum log_level most_level = LOG_WARN;
// Held from before a line to behind it, or else the progress line could be drawn in between.
static pthread_mutex_t around = PTHREAD_MUTEX_INITIALIZER;
static void (*step_aside)(void *), (*come_back)(void *);
static void *around_data;

void log_init(const char *program, enum log_level most)
{
    program_name = program;
    most_level = most;
}

enum log_level log_level(void)
{
    return most_level;
}

void log_around(void (*before)(void *), void (*after)(void *), void *data)
{
    pthread_mutex_lock(&around);
    step_aside = before;
    come_back = after;
    around_data = data;
    pthread_mutex_unlock(&around);
}

bool log_hold(int wait_ms)
{
    struct timespec until;

    if (wait_ms <= 0)
        return pthread_mutex_trylock(&around) == 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_mutex_timedlock(&around, &until) == 0;
}

void log_release(void)
{
    pthread_mutex_unlock(&around);
}

static void put(const char *line, size_t length)
{
    pthread_mutex_lock(&around);
    if (step_aside)
        step_aside(around_data);
    // Where it fails there is nowhere left to say so.
    if (write(STDERR_FILENO, line, length) >= 0 && come_back)
        come_back(around_data);
    pthread_mutex_unlock(&around);
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[2048];
    va_list args;
    size_t length;
    int n;

    if (level > most_level)
        return;
    n = snprintf(line, sizeof(line), "%s: ", program_name);
    length = n > 0 && (size_t)n < sizeof(line) ? (size_t)n : 0;
    va_start(args, format);
    n = vsnprintf(line + length, sizeof(line) - length - 1, format, args);
    va_end(args);
    if (n < 0)
        return;
    length += (size_t)n;
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    // One line is one line, and no command to the terminal, whatever a library or a file name had in it.
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = line[i] == '\n' || line[i] == '\r' || line[i] == '\t' ? ' ' : '?';
    while (length > 0 && line[length - 1] == ' ')
        length--;
    line[length++] = '\n';
    put(line, length);
}

void log_relay(const char *text)
{
    char line[2048];
    int n = snprintf(line, sizeof(line) - 1, "%s", text);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;

    line[length++] = '\n';
    put(line, length);
}
