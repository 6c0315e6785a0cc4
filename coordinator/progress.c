#include "progress.h"

#include "json_text.h"

#include "common/log.h"
#include "common/mem.h"

#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LAST_MS = 1000 };

#define REDRAW_NS UINT64_C(200000000)
#define PLAIN_NS UINT64_C(10000000000)
#define JSON_NS UINT64_C(500000000)

struct progress {
    enum progress_mode mode; // never AUTO
    bool redraw;             // one line, drawn again and again; else a line now and then
    int columns;
    uint64_t next_ns;
    // Any thread that logs, while it holds the log.
    char line[5000]; // as it stands on the terminal, "" when wiped
    bool hidden;
};

struct progress *progress_new(enum progress_mode mode, int is_terminal, int columns)
{
    struct progress *p = mem_zalloc(sizeof(*p));

    p->mode = mode == PROGRESS_AUTO ? PROGRESS_BAR : mode;
    p->redraw = p->mode == PROGRESS_BAR && (is_terminal || mode == PROGRESS_BAR);
    p->columns = columns;
    return p;
}

// One that is dumb has no way to wipe a line.
static bool is_terminal(void)
{
    const char *kind = getenv("TERM");

    return isatty(STDERR_FILENO) && !(kind && strcmp(kind, "dumb") == 0);
}

struct progress *progress_open(enum progress_mode mode, bool quiet)
{
    struct winsize size = {0};
    struct progress *p;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        size.ws_col = 80;
    p = progress_new(quiet && mode == PROGRESS_AUTO ? PROGRESS_OFF : mode, is_terminal(), size.ws_col);
    log_around(progress_hide, progress_again, p);
    return p;
}

static void time_text(char *out, size_t size, double seconds)
{
    uint64_t s = seconds > 0 ? (uint64_t)(fmin(seconds, 1e9) + 0.5) : 0;

    if (s >= 3600)
        snprintf(out, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%" PRIu64 ":%02" PRIu64, s / 60, s % 60);
}

struct figures {
    double elapsed_s, fps, speed, percent, eta_s; // percent and eta are -1 when unknown
};

static struct figures figures_of(const struct progress_facts *f)
{
    struct figures g = {.elapsed_s = (double)f->elapsed_ns / 1e9, .percent = -1, .eta_s = -1};

    if (g.elapsed_s > 0 && f->frames > f->frames_found) {
        double made = (double)(f->frames - f->frames_found);

        g.fps = made / g.elapsed_s;
        if (isfinite(f->video_s) && f->video_s > 0)
            g.speed = fmin(f->video_s * made / (double)f->frames / g.elapsed_s, 1e9);
    }
    if (f->files_total > 0) {
        g.percent = 100 * f->share;
        g.eta_s = f->left_s;
    } else if (f->frames_total > 0) {
        uint64_t done = f->frames < f->frames_total ? f->frames : f->frames_total;

        g.percent = 100.0 * (double)done / (double)f->frames_total;
        if (done == f->frames_total)
            g.eta_s = 0;
        else if (g.fps > 0)
            g.eta_s = (double)(f->frames_total - done) / g.fps;
    }
    return g;
}

// "  NAME 45%" in so many columns, or nothing where there is no room.
static void file_text(char *out, size_t size, int columns, const struct progress_facts *f)
{
    const char *slash = strrchr(f->file, '/'), *name = slash ? slash + 1 : f->file;
    int room = columns - (int)strlen("   100%");
    char shown[128];
    size_t length;

    if (room < 8)
        return;
    snprintf(shown, sizeof(shown), "%s", name);
    // Bytes above 127 are left as they are: a name in UTF-8 is a little shorter than it need be.
    for (char *at = shown; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = '?';
    length = strlen(shown);
    if (length > (size_t)room) {
        length = (size_t)room - 3;
        while (length > 0 && ((unsigned char)shown[length] & 0xc0) == 0x80)
            length--; // not through the middle of a character
        memcpy(shown + length, "...", 4);
    }
    snprintf(out, size, "  %s %.0f%%", shown, floor(f->file_percent));
}

static void bar_text(char *out, size_t size, int columns, const struct progress_facts *f, const struct figures *g)
{
    char text[256], eta[32], bar[64] = "";
    int room;

    time_text(eta, sizeof(eta), g->eta_s);
    if (f->files_total > 0) {
        snprintf(text, sizeof(text), "%3.0f%%  %" PRIu64 "/%" PRIu64 " files  %.1f fps  %.2fx  ETA %s  %d/%d busy", floor(g->percent), f->files_done,
                 f->files_total, g->fps, g->speed, g->eta_s >= 0 ? eta : "?", f->busy, f->workers);
        if (f->file)
            file_text(text + strlen(text), sizeof(text) - strlen(text), columns - 8 - (int)strlen(text), f);
    } else if (g->percent >= 0) {
        snprintf(text, sizeof(text), "%3.0f%%  %" PRIu64 "/%" PRIu64 " frames  %.1f fps  %.2fx  ETA %s  %d/%d busy", floor(g->percent), f->frames,
                 f->frames_total, g->fps, g->speed, g->eta_s >= 0 ? eta : "?", f->busy, f->workers);
    } else {
        snprintf(text, sizeof(text), "%" PRIu64 " frames  %.1f fps  %.2fx  %d/%d busy", f->frames, g->fps, g->speed, f->busy, f->workers);
    }
    room = columns - (int)strlen(text) - 4; // brackets, a blank, and the last column stays free
    if (room > 30)
        room = 30;
    if (g->percent >= 0 && room >= 5) {
        int filled = (int)(g->percent * room / 100);

        bar[0] = '[';
        for (int i = 0; i < room; i++)
            bar[1 + i] = i < filled ? '=' : i == filled ? '>' : ' ';
        snprintf(bar + 1 + room, sizeof(bar) - 1 - (size_t)room, "] ");
    }
    snprintf(out, size, "%s%s", bar, text);
    if (columns > 1 && strlen(out) > (size_t)columns - 1 && (size_t)columns - 1 < size)
        out[columns - 1] = '\0';
}

static void json_text(char *out, size_t size, const struct progress_facts *f, const struct figures *g)
{
    char percent[32] = "null", eta[32] = "null";

    if (g->percent >= 0)
        snprintf(percent, sizeof(percent), "%.2f", g->percent);
    if (g->eta_s >= 0)
        snprintf(eta, sizeof(eta), "%.1f", g->eta_s);
    if (f->files_total > 0) {
        struct json_object *file = json_text_new(f->file);

        snprintf(out, size,
                 "{\"type\":\"progress\",\"file\":%s,\"file_percent\":%.2f,\"files_done\":%" PRIu64 ",\"files_total\":%" PRIu64 ",\"frames\":%" PRIu64
                 ",\"percent\":%s,\"fps\":%.2f,\"speed\":%.3f,\"eta_s\":%s,\"busy\":%d,\"workers\":%d,\"elapsed_s\":%.3f,\"bytes\":%" PRIu64 "}",
                 json_object_to_json_string(file), f->file_percent, f->files_done, f->files_total, f->frames, percent, g->fps, g->speed, eta, f->busy,
                 f->workers, g->elapsed_s, f->output_bytes);
        json_object_put(file);
        return;
    }
    snprintf(out, size,
             "{\"type\":\"progress\",\"frames\":%" PRIu64 ",\"frames_total\":%" PRIu64 ",\"percent\":%s,\"fps\":%.2f,\"speed\":%.3f,\"eta_s\":%s,"
             "\"segments_done\":%" PRIu64 ",\"segments_total\":%" PRIu64 ",\"busy\":%d,\"workers\":%d,\"elapsed_s\":%.3f,\"bytes\":%" PRIu64 "}",
             f->frames, f->frames_total, percent, g->fps, g->speed, eta, f->segments_done, f->segments_total, f->busy, f->workers, g->elapsed_s,
             f->output_bytes);
}

void progress_text(char *out, size_t size, enum progress_mode mode, int columns, const struct progress_facts *facts)
{
    struct figures figures = figures_of(facts);

    if (mode == PROGRESS_JSON)
        json_text(out, size, facts, &figures);
    else
        bar_text(out, size, columns, facts, &figures);
}

// What nobody takes is left out: a reader that has stopped must not stop the farm. wait_ms: for the end, which is worth some patience.
static void put(int fd, const char *text, int wait_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    if (poll(&ready, 1, wait_ms) == 0)
        return;
    if (write(fd, text, strlen(text)) < 0)
        return; // nobody is looking
}

void progress_hide(void *data)
{
    struct progress *p = data;

    if (!p->redraw || !p->line[0] || p->hidden)
        return;
    put(STDERR_FILENO, "\r\033[K", 0);
    p->hidden = true;
}

void progress_again(void *data)
{
    struct progress *p = data;

    if (!p->redraw || !p->line[0] || !p->hidden)
        return;
    put(STDERR_FILENO, p->line, 0);
    p->hidden = false;
}

// False: nothing was drawn, because another thread is writing a line just now.
static bool say(struct progress *p, const struct progress_facts *facts, bool last)
{
    char text[5000], line[5100]; // a name may be long
    int wait_ms = last ? LAST_MS : 0;

    progress_text(text, sizeof(text), p->mode, p->redraw ? p->columns : 200, facts);
    if (p->mode == PROGRESS_JSON) {
        snprintf(line, sizeof(line), "%s\n", text);
        put(STDOUT_FILENO, line, wait_ms);
    } else if (p->redraw) {
        if (!log_hold(wait_ms))
            return false;
        snprintf(line, sizeof(line), "\r%s\033[K%s", text, last ? "\n" : "");
        put(STDERR_FILENO, line, wait_ms);
        snprintf(p->line, sizeof(p->line), "%s", last ? "" : text);
        p->hidden = false;
        log_release();
    } else {
        snprintf(line, sizeof(line), "renderfarm: %s\n", text);
        put(STDERR_FILENO, line, wait_ms);
    }
    return true;
}

void progress_show(struct progress *p, const struct progress_facts *facts, uint64_t now_ns)
{
    if (p->mode == PROGRESS_OFF)
        return;
    if (p->next_ns == 0 && p->mode == PROGRESS_BAR && !p->redraw)
        p->next_ns = now_ns + PLAIN_NS; // a short job needs no lines
    if (now_ns < p->next_ns)
        return;
    if (say(p, facts, false))
        p->next_ns = now_ns + (p->mode == PROGRESS_JSON ? JSON_NS : p->redraw ? REDRAW_NS : PLAIN_NS);
}

void progress_end(struct progress *p, const struct progress_facts *facts)
{
    if (p->mode != PROGRESS_OFF)
        say(p, facts, true);
}

void progress_free(struct progress **progress)
{
    free(*progress);
    *progress = NULL;
}
