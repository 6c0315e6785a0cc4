#include "curve.h"

#include "common/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

double curve_idle_share(const struct prediction *p, enum idle_cause cause)
{
    double room = (double)p->workers * (double)p->wall_ns;

    return room > 0 ? p->idle_ns[cause] / room : 0;
}

enum idle_cause curve_worst(const struct prediction *p)
{
    enum idle_cause worst = IDLE_CAUSES;

    for (int i = 0; i < IDLE_CAUSES; i++)
        if (curve_idle_share(p, (enum idle_cause)i) > (worst == IDLE_CAUSES ? 0.005 : curve_idle_share(p, worst)))
            worst = (enum idle_cause)i;
    return worst;
}

const char *curve_word(enum idle_cause cause)
{
    static const char *const words[] = {
        [IDLE_START] = "start",
        [IDLE_READER] = "reader",
        [IDLE_SHELF] = "input window",
        [IDLE_AHEAD] = "segments ahead",
        [IDLE_LOOP] = "messages",
        [IDLE_WRITER] = "writer",
        [IDLE_ASSEMBLY] = "output window",
        [IDLE_SLOTS] = "frame slots",
        [IDLE_SERIAL] = "in order",
        [IDLE_FEW] = "too few segments",
        [IDLE_TAIL] = "tail",
        [IDLE_END] = "end",
        [IDLE_CAUSES] = "-",
    };

    return words[cause];
}

char *curve_reason(const struct prediction *p)
{
    enum idle_cause worst = curve_worst(p);
    double percent = worst == IDLE_CAUSES ? 0 : 100 * curve_idle_share(p, worst);

    switch (worst) {
    case IDLE_START:
        return mem_format("renderers start, and the first frames are looked at, for %.0f %% of the cores' time", percent);
    case IDLE_READER:
        return mem_format("the reader: cores wait for input for %.0f %% of their time, and it is busy for %.1f of %.1f s", percent,
                          p->reader_ns / 1e9, (double)p->wall_ns / 1e9);
    case IDLE_SHELF:
        return mem_format("the input window: no more packets may be read ahead than `ahead` in coordinator/room.c allows; "
                          "it holds cores up for %.0f %% of their time",
                          percent);
    case IDLE_AHEAD:
        return mem_format(
            "the segment window: no more segments may be on their way than farm_read_ahead in coordinator/farm_flow.c allows; it holds cores "
            "up for %.0f %% of their time",
            percent);
    case IDLE_LOOP:
        return mem_format(
            "messages: cores wait for work that is on its way for %.0f %% of their time; the coordinator's loop is busy for %.1f of %.1f s", percent,
            p->loop_ns / 1e9, (double)p->wall_ns / 1e9);
    case IDLE_WRITER:
        return mem_format("the writer: finished work waits for it for %.0f %% of the cores' time; it is busy for %.1f of %.1f s", percent,
                          p->writer_ns / 1e9, (double)p->wall_ns / 1e9);
    case IDLE_ASSEMBLY:
        return mem_format("the output window: finished segments wait in renderers, because no more may be in the coordinator than `assembly` in "
                          "coordinator/room.c allows; it holds cores up for %.0f %% of their time",
                          percent);
    case IDLE_SLOTS:
        return mem_format("the memory for frames between stages: it holds cores up for %.0f %% of their time", percent);
    case IDLE_SERIAL:
        return mem_format("%s, which works in order on one core: the others wait for it for %.0f %% of their time", p->serial ? p->serial : "a stage",
                          percent);
    case IDLE_FEW:
        return mem_format("too few segments: %" PRIu32 " for %u cores; shorter ones (--segment=SECONDS) or a longer video use more", p->segments,
                          p->workers);
    case IDLE_TAIL:
        return mem_format("the tail: while the last of %" PRIu32 " segments are rendered, cores have nothing to do for %.0f %% of their time",
                          p->segments, percent);
    case IDLE_END:
        return mem_format("the end: the output is finished and renderers leave for %.0f %% of the cores' time", percent);
    default:
        return mem_dup("nothing but the cores");
    }
}

double curve_speed_up(const struct prediction *one, const struct prediction *p)
{
    return p->wall_ns > 0 ? (double)one->wall_ns / (double)p->wall_ns : 0;
}

size_t curve_flattens(const struct prediction *one, const struct prediction *all, size_t count)
{
    double most = 0;
    size_t at = 0;

    for (size_t i = 0; i < count; i++)
        if (curve_speed_up(one, &all[i]) > most)
            most = curve_speed_up(one, &all[i]);
    while (at + 1 < count && curve_speed_up(one, &all[at]) < 0.95 * most)
        at++;
    return at;
}

// ---- Worker counts ----

static bool take_number(const char **text, unsigned *number)
{
    char *end;
    unsigned long value;

    if (!isdigit((unsigned char)**text))
        return false;
    value = strtoul(*text, &end, 10);
    *text = end;
    *number = (unsigned)value;
    return value >= 1 && value <= CURVE_MOST_WORKERS;
}

static void add(unsigned **counts, size_t *count, unsigned number)
{
    *counts = mem_grow(*counts, *count + 1, sizeof(**counts));
    (*counts)[(*count)++] = number;
}

// 1, 2, 3, 4, 6, 8, 12, 16, 24...
static unsigned next_step(unsigned number)
{
    unsigned power = 1;

    while (2 * power <= number)
        power *= 2;
    return number < 2 ? number + 1 : number < power + power / 2 ? power + power / 2 : 2 * power;
}

static bool take_range(const char **text, unsigned **counts, size_t *count)
{
    unsigned from, to, step = 0;

    if (!take_number(text, &from))
        return false;
    to = from;
    if (strncmp(*text, "..", 2) == 0) {
        *text += 2;
        if (!take_number(text, &to) || to < from)
            return false;
        if (**text == ':') {
            ++*text;
            if (!take_number(text, &step))
                return false;
        }
    }
    for (unsigned at = from; at < to; at = step ? at + step : to - from < CURVE_MOST_IN_RANGE ? at + 1 : next_step(at))
        add(counts, count, at);
    if (step == 0 || (to - from) % step == 0)
        add(counts, count, to);
    return true;
}

static int compare(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

bool curve_parse_workers(const char *text, unsigned **counts, size_t *count)
{
    size_t kept = 0;

    *counts = NULL;
    *count = 0;
    while (take_range(&text, counts, count) && *text == ',')
        text++;
    if (*text || *count == 0 || text[-1] == ',') {
        free(*counts);
        *counts = NULL;
        return false;
    }
    qsort(*counts, *count, sizeof(**counts), compare);
    for (size_t i = 0; i < *count; i++)
        if (kept == 0 || (*counts)[kept - 1] != (*counts)[i])
            (*counts)[kept++] = (*counts)[i];
    *count = kept;
    return true;
}
