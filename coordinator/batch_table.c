#include "batch_table.h"

#include "json_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *const state_names[] = {
    [BATCH_WAITING] = "not done", [BATCH_RUNNING] = "not done", [BATCH_OK] = "ok", [BATCH_SKIPPED] = "skipped", [BATCH_FAILED] = "FAILED"};

void batch_sum(struct batch_sums *sums, const struct batch_row *rows, size_t count)
{
    memset(sums->counts, 0, sizeof(sums->counts));
    sums->frames = sums->incomplete = 0;
    for (size_t i = 0; i < count; i++) {
        sums->counts[rows[i].state]++;
        sums->incomplete += rows[i].incomplete;
        if (rows[i].state == BATCH_OK)
            sums->frames += rows[i].frames;
    }
}

static double speed_of(const struct batch_row *row)
{
    return row->wall_s > 0 ? row->video_s / row->wall_s : 0;
}

// The reason without the name that it begins with.
static const char *reason_of(const struct batch_row *row)
{
    const char *names[] = {row->input, row->output};

    for (size_t i = 0; i < 2 && row->why; i++) {
        size_t length = names[i] ? strlen(names[i]) : 0;

        if (length > 0 && strncmp(row->why, names[i], length) == 0 && strncmp(row->why + length, ": ", 2) == 0)
            return row->why + length + 2;
    }
    return row->why ? row->why : "";
}

// On one line, whatever is in it.
static void put(FILE *out, const char *text)
{
    for (; *text; text++)
        putc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
}

// The file, and what is to be said of it, which may begin with the file.
static void put_name(FILE *out, const struct batch_row *row)
{
    const char *name = row->state == BATCH_FAILED || !row->output ? row->input : row->output;

    if (!row->why || strncmp(row->why, name, strlen(name)) != 0)
        put(out, name);
    if (!row->why)
        return;
    if (strncmp(row->why, name, strlen(name)) != 0)
        fputs(": ", out);
    put(out, row->why);
}

void batch_table_print(FILE *out, const struct batch_row *rows, size_t count, const struct batch_sums *sums)
{
    size_t not_done = sums->counts[BATCH_WAITING] + sums->counts[BATCH_RUNNING];

    if (count > 0)
        fprintf(out, "%-8s %8s %10s %8s  %s\n", "", "frames", "time", "speed", "file");
    for (size_t i = 0; i < count; i++) {
        const struct batch_row *row = &rows[i];

        fprintf(out, "%-8s ", state_names[row->state]);
        if (row->state == BATCH_OK)
            fprintf(out, "%8" PRIu64 " %8.2f s %7.2fx  ", row->frames, row->wall_s, speed_of(row));
        else
            fprintf(out, "%8s %10s %8s  ", "", "", "");
        put_name(out, row);
        putc('\n', out);
    }
    fprintf(out, "%zu ok, %zu skipped, %zu failed", sums->counts[BATCH_OK], sums->counts[BATCH_SKIPPED], sums->counts[BATCH_FAILED]);
    if (not_done > 0)
        fprintf(out, ", %zu not done", not_done);
    if (sums->incomplete > 0)
        fprintf(out, ", %zu incomplete", sums->incomplete);
    if (sums->frames > 0 && sums->wall_s > 0)
        fprintf(out, ": %" PRIu64 " frames in %.2f s, %.1f fps", sums->frames, sums->wall_s, (double)sums->frames / sums->wall_s);
    if (sums->others > 0)
        fprintf(out, "; %zu other file%s left out (see --include)", sums->others, sums->others == 1 ? " was" : "s were");
    putc('\n', out);
}

static void add_text(struct json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, json_text_new(text));
}

// As a text file, whose last line has an end too.
static int write_text(const char *path, const char *text)
{
    FILE *file = text ? fopen(path, "we") : NULL;
    int err = file ? 0 : text ? -errno : -ENOMEM;

    if (file && (fputs(text, file) == EOF || putc('\n', file) == EOF))
        err = -EIO;
    errno = 0;
    if (file && fclose(file) == EOF)
        err = errno ? -errno : -EIO;
    return err;
}

int batch_table_write(const char *path, const struct batch_row *rows, size_t count, const struct batch_sums *sums)
{
    struct json_object *top = json_object_new_object(), *files = json_object_new_array();
    int err;

    json_object_object_add(top, "workers", json_object_new_int(sums->workers));
    json_object_object_add(top, "wall_s", json_object_new_double(sums->wall_s));
    json_object_object_add(top, "frames", json_object_new_int64((int64_t)sums->frames));
    json_object_object_add(top, "ok", json_object_new_int64((int64_t)sums->counts[BATCH_OK]));
    json_object_object_add(top, "skipped", json_object_new_int64((int64_t)sums->counts[BATCH_SKIPPED]));
    json_object_object_add(top, "failed", json_object_new_int64((int64_t)sums->counts[BATCH_FAILED]));
    json_object_object_add(top, "not_done", json_object_new_int64((int64_t)(sums->counts[BATCH_WAITING] + sums->counts[BATCH_RUNNING])));
    json_object_object_add(top, "incomplete", json_object_new_int64((int64_t)sums->incomplete));
    json_object_object_add(top, "left_out", json_object_new_int64((int64_t)sums->others));
    for (size_t i = 0; i < count; i++) {
        struct json_object *file = json_object_new_object();

        add_text(file, "input", rows[i].input);
        add_text(file, "output", rows[i].output);
        add_text(file, "state", rows[i].state == BATCH_FAILED ? "failed" : state_names[rows[i].state]);
        add_text(file, "why", *reason_of(&rows[i]) ? reason_of(&rows[i]) : NULL);
        if (rows[i].incomplete)
            json_object_object_add(file, "incomplete", json_object_new_boolean(true));
        if (rows[i].state == BATCH_OK) {
            json_object_object_add(file, "frames", json_object_new_int64((int64_t)rows[i].frames));
            json_object_object_add(file, "wall_s", json_object_new_double(rows[i].wall_s));
            json_object_object_add(file, "speed", json_object_new_double(speed_of(&rows[i])));
        }
        json_object_array_add(files, file);
    }
    json_object_object_add(top, "files", files);
    err = write_text(path, json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(top);
    return err;
}
