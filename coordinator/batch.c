#include "batch.h"

#include "batch_list.h"
#include "batch_notes.h"
#include "batch_record.h"
#include "batch_table.h"
#include "depot.h"
#include "job_key.h"
#include "output_file.h"
#include "passes.h"
#include "progress.h"
#include "sequence.h"
#include "signals.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TICK_MS = 200,
    LEAVE_MS = 2000, // renderers that were told to leave
};

struct job {
    struct batch *batch;
    const struct batch_item *item;
    struct options options; // borrows the batch's, but for those of a line with options of its own
    bool own_options;
    enum batch_state state;
    char *why;
    struct passes passes;
    struct farm *farm; // while it runs
    struct progress_facts facts;
    struct batch_note note;
    uint64_t start_ns, end_ns;
};

struct batch {
    const struct options *options;
    char **argv;
    struct batch_list list;
    struct job *jobs;
    size_t count, next, running;
    uint64_t bytes, start_ns; // bytes of all inputs that have to be rendered

    uv_loop_t loop;
    struct batch_notes notes;
    struct signals signals;
    uv_timer_t tick_timer, leave_timer;
    uv_prepare_t turn;
    struct depot *depot;
    struct progress *progress;
    int signal;    // that ends it, 0: none
    bool stopping; // nothing is begun any more
    bool broken;   // renderers do not start
    bool leaving, closed;
};

// ---- Before ----

bool batch_is_asked_for(const struct options *o)
{
    struct stat about;
    const char *slash, *name;

    if (o->batch_list)
        return true;
    if (stat(o->input, &about) < 0 || !S_ISDIR(about.st_mode))
        return false;
    slash = strrchr(o->output, '/');
    name = slash ? slash + 1 : o->output;
    return (stat(o->output, &about) == 0 && S_ISDIR(about.st_mode)) || !strrchr(name, '.') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int refuse(const char *what)
{
    log_error("%s (try renderfarm --help)", what);
    return 2;
}

// What makes no sense for many files.
static int check_options(const struct options *o)
{
    if (o->listen || o->launch)
        return refuse("--listen and --launch are for one file at a time, not yet for a batch");
    if (o->explain)
        return refuse("--explain is for one file at a time; --dry-run lists the files of a batch");
    if (o->trace_path || o->page_path)
        return refuse("--trace and --report are for one file at a time");
    if (o->batch_list && (o->include_count > 0 || o->exclude_count > 0 || o->extension))
        return refuse("--ext, --include and --exclude are for folders; a list names its files itself");
    return 0;
}

static int read_list(struct batch *b)
{
    const struct options *o = b->options;
    const struct batch_filter filter = {
        .extension = o->extension,
        .includes = o->includes,
        .include_count = o->include_count,
        .excludes = o->excludes,
        .exclude_count = o->exclude_count,
    };
    char *why = NULL;
    int err = o->batch_list ? batch_list_read(&b->list, o->batch_list, &why) : batch_list_folder(&b->list, o->input, o->output, &filter, &why);

    if (err < 0)
        log_error("%s", why);
    else if (b->list.count == 0)
        log_warn("%s: there is nothing to render in it", o->batch_list ? o->batch_list : o->input);
    free(why);
    return err == -EINVAL ? 2 : err < 0 ? 1 : 0;
}

static bool is_of(const struct batch_item *item, const char *path)
{
    const char *names[] = {item->input, item->output};

    for (size_t i = 0; i < 2; i++)
        if (names[i] && (output_file_is_same(path, names[i]) || sequence_has(names[i], path)))
            return true;
    return false;
}

// Figures must not take the place of anything that is read or written.
static int check_stats_place(const struct batch *b)
{
    const char *path = b->options->stats_path;

    for (size_t i = 0; path && i < b->list.count; i++) {
        const struct batch_item *item = &b->list.items[i];

        if (!is_of(item, path))
            continue;
        log_error("--stats must not be an input or an output, and %s is one of the job %s -> %s", path, item->input,
                  item->output ? item->output : "?");
        return 2;
    }
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

// --batch, or what of it getopt_long takes for it.
static bool is_batch_option(const char *word)
{
    size_t length = strcspn(word, "=");

    return length >= strlen("--ba") && length <= strlen("--batch") && strncmp(word, "--batch", length) == 0;
}

// The names come before the options of the line, so that what is too many there is told to be that. Behind a "--" nothing else would be an option.
static int add_names(char **argv, int argc, const struct batch_item *item)
{
    bool dashes = (item->input[0] == '-' && item->input[1]) || (item->output[0] == '-' && item->output[1]);

    if (!dashes) {
        argv[argc++] = item->input;
        argv[argc++] = item->output;
    }
    for (size_t i = 0; i < item->option_count; i++)
        argv[argc++] = item->options[i];
    if (dashes) {
        argv[argc++] = (char *)"--";
        argv[argc++] = item->input;
        argv[argc++] = item->output;
    }
    return argc;
}

// The options of a line come behind those of the command.
static int parse_line(struct batch *b, struct job *job)
{
    const struct options *all = b->options;
    const struct batch_item *item = job->item;
    int count = all->first_name, argc = 0;
    char **argv = mem_zalloc(((size_t)count + item->option_count + 5) * sizeof(*argv));
    enum options_outcome outcome;

    for (int i = 0; i < count; i++) {
        if (strcmp(b->argv[i], "--") == 0)
            continue;
        if (!is_batch_option(b->argv[i]))
            argv[argc++] = b->argv[i];
        else if (!strchr(b->argv[i], '='))
            i++; // its list
    }
    argc = add_names(argv, argc, item);
    outcome = options_parse(&job->options, argc, argv);
    free(argv);
    if (outcome != OPTIONS_RUN) {
        log_error("%s:%u: the options of this job are not right", all->batch_list, item->line);
        return 2;
    }
    job->own_options = true;
    if (job->options.workers != all->workers || job->options.threads != all->threads || job->options.memory_bytes != all->memory_bytes ||
        job->options.verbosity != all->verbosity || job->options.progress != all->progress || !same_text(job->options.stats_path, all->stats_path) ||
        job->options.dry_run != all->dry_run || job->options.fail_fast != all->fail_fast || job->options.listen || job->options.launch ||
        job->options.explain || job->options.trace_path || job->options.page_path || job->options.batch_list) {
        log_error("%s:%u: options of all jobs, such as --workers, --memory and --progress, belong to the command", all->batch_list, item->line);
        return 2;
    }
    return 0;
}

static int prepare_options(struct batch *b, struct job *job)
{
    int status = 0;

    if (job->item->option_count > 0)
        status = parse_line(b, job);
    else
        job->options = *b->options;
    if (status != 0)
        return status;
    job->options.in_batch = true;
    if (!job->own_options) {
        job->options.input = job->item->input;
        job->options.output = job->item->output;
    }
    job->options.stats_path = NULL;
    job->options.progress = PROGRESS_OFF;
    job->note.options = &job->options;
    job_key(&job->options, job->item->pictures, job->item->bytes, job->note.key);
    return 0;
}

static void skip(struct job *job)
{
    char *holes = batch_note_text_of_holes(&job->note);

    job->state = BATCH_SKIPPED;
    job->why = holes ? mem_format("it is there, but %s; remove it to try again", holes)
                     : mem_dup("it is there, newer than its input and with the same options");
    free(holes);
}

// What is there already, and what must not be touched.
static void compare(struct batch *b, struct job *job, struct batch_record *record)
{
    const struct batch_item *item = job->item;

    if (item->problem) {
        job->state = BATCH_FAILED;
        job->why = mem_dup(item->problem);
        return;
    }
    switch (batch_record_look(record, item->output, job->note.key, item->input_ns, &job->note.holes)) {
    case BATCH_MADE:
        skip(job);
        break;
    case BATCH_UNSURE:
        job->note.unsure = job->options.overwrite = true;
        break;
    case BATCH_OUTDATED:
        job->options.overwrite = true; // our own
        break;
    case BATCH_FOREIGN:
        if (!job->options.overwrite) {
            job->state = BATCH_FAILED;
            job->why = mem_format("%s is there and was not made by a batch, or has been changed since; -y replaces it", item->output);
        }
        break;
    case BATCH_NOT_THERE:
        break;
    }
    if (job->state == BATCH_WAITING)
        b->bytes += item->bytes + 1;
}

static int prepare_jobs(struct batch *b)
{
    struct batch_record *record = batch_record_new();
    int status = 0;

    b->count = b->list.count;
    b->jobs = mem_zalloc((b->count + 1) * sizeof(*b->jobs));
    for (size_t i = 0; i < b->count && status == 0; i++) {
        struct job *job = &b->jobs[i];

        job->batch = b;
        job->item = &b->list.items[i];
        status = prepare_options(b, job);
        if (status == 0)
            compare(b, job, record);
        if (status == 0 && job->state == BATCH_FAILED && !b->options->dry_run)
            log_error("%s: %s", job->item->input, job->why);
    }
    batch_record_free(&record);
    return status;
}

static int make_folders(const char *path)
{
    char *folder = mem_dup(path);

    for (char *at = strchr(folder + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
            int err = -errno;

            free(folder);
            return err;
        }
        *at = '/';
    }
    free(folder);
    return 0;
}

// ---- Jobs ----

static void end_job(struct job *job, int status)
{
    struct batch *b = job->batch;

    job->end_ns = clock_now_ns();
    job->state = status == 0 || status == 3 ? BATCH_OK : b->stopping ? BATCH_WAITING : BATCH_FAILED;
    batch_notes_end(&b->notes, &job->note, job->state == BATCH_OK ? BATCH_WAS_MADE : job->passes.verifying ? BATCH_NOT_VERIFIED : BATCH_NOT_MADE);
    if (job->state == BATCH_FAILED && b->options->fail_fast)
        b->stopping = true;
}

static void on_pass_over(void *data);

static void begin_pass(struct job *job)
{
    job->farm = farm_begin(&job->batch->loop, passes_options(&job->passes), passes_pass(&job->passes), on_pass_over, job);
}

static void on_pass_over(void *data)
{
    struct job *job = data;
    struct batch *b = job->batch;
    struct pass *pass = passes_pass(&job->passes);
    int status;

    if (!job->passes.verifying)
        farm_facts(job->farm, &job->facts);
    status = farm_end(&job->farm);
    if (passes_go_on(&job->passes, &status)) {
        if (!b->stopping) {
            begin_pass(job);
            return;
        }
        status = 1; // something is left to be done
    }
    if (status == 3)
        batch_note_count_holes(&job->note, &job->passes.first.poison);
    job->why = batch_note_text_of_holes(&job->note);
    if (!job->why)
        job->why = mem_dup(pass->why);
    passes_clear(&job->passes);
    b->running--;
    end_job(job, status);
}

static void on_noted(void *data)
{
    struct job *job = data;
    struct batch *b = job->batch;

    if (b->stopping) {
        b->running--;
        end_job(job, 1);
        return;
    }
    passes_begin(&job->passes, &job->options);
    passes_pass(&job->passes)->depot = b->depot;
    begin_pass(job);
}

static void begin_job(struct job *job)
{
    struct batch *b = job->batch;
    int err = make_folders(job->item->output);

    job->start_ns = clock_now_ns();
    if (err < 0) {
        job->why = mem_format("%s: the folder cannot be made: %s", job->item->output, err_text(err));
        log_error("%s", job->why);
        end_job(job, 1);
        return;
    }
    job->state = BATCH_RUNNING;
    b->running++;
    batch_notes_begin(&b->notes, &job->note, on_noted, job);
}

// So many that no renderer waits for a file to be opened, and not more, so that memory does not grow with the number of files.
static bool may_begin(const struct batch *b)
{
    size_t workers = (size_t)b->options->workers, hungry = 0;

    if (b->stopping || b->next == b->count || b->running >= 2 * workers + 4)
        return false;
    for (size_t i = 0, left = b->running; i < b->next && left > 0; i++) {
        // From the last one backwards: those are the ones that run.
        const struct job *job = &b->jobs[b->next - 1 - i];

        if (job->state != BATCH_RUNNING)
            continue;
        left--;
        hungry += !job->farm || !farm_is_dealt(job->farm);
    }
    return hungry < 2 + workers / 4;
}

static void stop(struct batch *b, int status)
{
    b->stopping = true;
    for (size_t i = 0; i < b->next; i++)
        if (b->jobs[i].farm)
            farm_stop(b->jobs[i].farm, status);
}

static void close_all(struct batch *b)
{
    b->closed = true;
    depot_close(b->depot);
    signals_close(&b->signals);
    uv_close((uv_handle_t *)&b->tick_timer, NULL);
    uv_close((uv_handle_t *)&b->leave_timer, NULL);
    uv_close((uv_handle_t *)&b->turn, NULL);
}

static void on_leave_timer(uv_timer_t *timer)
{
    struct batch *b = timer->data;

    depot_kill(b->depot);
}

static void on_turn(uv_prepare_t *handle)
{
    struct batch *b = handle->data;

    if (b->closed)
        return;
    depot_turn(b->depot);
    if (b->stopping && b->options->fail_fast && b->running > 0)
        stop(b, 1);
    while (may_begin(b)) {
        struct job *job = &b->jobs[b->next++];

        if (job->state == BATCH_WAITING)
            begin_job(job);
    }
    depot_turn(b->depot); // what has just begun may have a use for one
    if (b->running > 0 || batch_notes_busy(&b->notes) || (b->next < b->count && !b->stopping))
        return;
    if (!b->leaving) {
        b->leaving = true;
        depot_dismiss(b->depot);
        uv_timer_start(&b->leave_timer, on_leave_timer, LEAVE_MS, LEAVE_MS);
    }
    if (depot_running(b->depot) == 0)
        close_all(b);
}

static void on_depot_failed(void *data)
{
    struct batch *b = data;

    b->broken = true;
    stop(b, 1);
}

static void on_signal(void *data, int number)
{
    struct batch *b = data;

    if (b->signal) {
        depot_abandon(b->depot);
        for (size_t i = 0; i < b->next; i++)
            if (b->jobs[i].farm)
                farm_abandon(b->jobs[i].farm);
        _exit(128 + number);
    }
    b->signal = number;
    stop(b, 128 + number);
}

// ---- What is told ----

// How much of its work is done, 0..1.
static double share_of(const struct progress_facts *facts)
{
    return facts->frames_total > 0 ? (double)facts->frames / (double)facts->frames_total : 0;
}

static void sum_up(const struct batch *b, struct progress_facts *all)
{
    double bytes = 0, all_bytes = (double)b->bytes;

    *all = (struct progress_facts){
        .files_total = b->count,
        .workers = b->options->workers,
        .elapsed_ns = clock_now_ns() - b->start_ns,
        .left_s = -1,
    };
    all->busy = depot_busy(b->depot);
    all->busy = all->busy < all->workers ? all->busy : all->workers; // of plans with stages some only wait
    for (size_t i = 0; i < b->count; i++) {
        const struct job *job = &b->jobs[i];
        struct progress_facts facts = job->facts;

        if (job->farm)
            farm_facts(job->farm, &facts);
        all->frames += facts.frames;
        all->frames_found += facts.frames_found;
        all->video_s += facts.video_s;
        all->output_bytes += facts.output_bytes;
        if (job->state == BATCH_RUNNING) {
            bytes += share_of(&facts) * (double)job->item->bytes;
            if (!all->file) {
                all->file = job->item->output;
                all->file_percent = 100 * share_of(&facts);
            }
        } else if (job->state != BATCH_WAITING) {
            all->files_done++;
            // One that failed was no work, and tells nothing of what is left.
            if (job->start_ns && job->state == BATCH_OK)
                bytes += (double)job->item->bytes + 1;
            else if (job->start_ns)
                all_bytes -= (double)job->item->bytes + 1;
        }
    }
    all->share = all_bytes > 0 ? bytes / all_bytes : 1;
    if (all->share > 0)
        all->left_s = (double)all->elapsed_ns / 1e9 * (1 - all->share) / all->share;
}

static void on_tick(uv_timer_t *timer)
{
    struct batch *b = timer->data;
    struct progress_facts all;

    sum_up(b, &all);
    progress_show(b->progress, &all, clock_now_ns());
}

static void close_progress(struct batch *b)
{
    struct progress_facts all;

    sum_up(b, &all);
    all.file = NULL;
    progress_end(b->progress, &all);
    log_around(NULL, NULL, NULL);
    progress_free(&b->progress);
}

static void fill_rows(const struct batch *b, struct batch_row *rows)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct job *job = &b->jobs[i];

        rows[i] = (struct batch_row){
            .input = job->item->input,
            .output = job->item->output,
            .state = job->state,
            .why = job->why,
            .incomplete = batch_note_has_holes(&job->note),
            .frames = job->facts.frames,
            .wall_s = (double)(job->end_ns - job->start_ns) / 1e9,
            .video_s = job->facts.video_s,
        };
    }
}

static void tell_end(const struct batch *b)
{
    const struct options *o = b->options;
    struct batch_row *rows = mem_zalloc((b->count + 1) * sizeof(*rows));
    struct batch_sums sums = {.others = b->list.others, .wall_s = (double)(clock_now_ns() - b->start_ns) / 1e9, .workers = o->workers};
    struct rusage usage;
    int err = 0;

    fill_rows(b, rows);
    batch_sum(&sums, rows, b->count);
    if (o->verbosity >= 0)
        batch_table_print(stderr, rows, b->count, &sums);
    if (o->stats_path && (err = batch_table_write(o->stats_path, rows, b->count, &sums)) < 0)
        log_warn("%s: statistics cannot be written: %s", o->stats_path, err_text(err));
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        log_info("coordinator took %ld MB at most", usage.ru_maxrss >> 10);
    if (b->signal)
        log_error("ended by %s; all that is done stays, and the same command goes on from here", signals_name(b->signal));
    free(rows);
}

static int tell_plan(const struct batch *b)
{
    size_t to_do = 0;

    for (size_t i = 0; i < b->count; i++) {
        const struct job *job = &b->jobs[i];

        printf("%-8s %s -> %s%s%s\n",
               job->state == BATCH_WAITING   ? "render"
               : job->state == BATCH_SKIPPED ? "skip"
                                             : "fail",
               job->item->input, job->item->output ? job->item->output : "?", job->why ? ": " : "", job->why ? job->why : "");
        to_do += job->state == BATCH_WAITING;
    }
    printf("%zu of %zu files to be rendered\n", to_do, b->count);
    return 0;
}

static int status_of(const struct batch *b)
{
    int status = 0;

    if (b->signal)
        return 128 + b->signal;
    if (b->broken)
        return 1;
    for (size_t i = 0; i < b->count; i++) {
        if (b->jobs[i].state == BATCH_FAILED)
            return 1;
        if (batch_note_has_holes(&b->jobs[i].note))
            status = 3;
    }
    return status;
}

// ---- All of it ----

static void run(struct batch *b)
{
    b->start_ns = clock_now_ns();
    uv_loop_init(&b->loop);
    uv_loop_configure(&b->loop, UV_METRICS_IDLE_TIME);
    batch_notes_init(&b->notes, &b->loop);
    signals_open(&b->signals, &b->loop, on_signal, b);
    uv_timer_init(&b->loop, &b->tick_timer);
    uv_timer_init(&b->loop, &b->leave_timer);
    uv_prepare_init(&b->loop, &b->turn);
    b->tick_timer.data = b->leave_timer.data = b->turn.data = b;
    uv_timer_start(&b->tick_timer, on_tick, TICK_MS, TICK_MS);
    uv_prepare_start(&b->turn, on_turn);
    b->progress = progress_open(b->options->progress, b->options->verbosity < 0);
    if (depot_open(&b->depot, &b->loop, b->options->workers, b->options->threads, b->options->stall_s, b->options->verbosity, on_depot_failed, b) < 0)
        b->broken = b->stopping = true;
    uv_run(&b->loop, UV_RUN_DEFAULT);
    close_progress(b);
    depot_free(&b->depot);
    uv_run(&b->loop, UV_RUN_NOWAIT); // handles that it closed
    uv_loop_close(&b->loop);
}

static bool has_work(const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->jobs[i].state == BATCH_WAITING)
            return true;
    return false;
}

static void clear(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->jobs[i].why);
        if (b->jobs[i].own_options)
            options_clear(&b->jobs[i].options);
    }
    free(b->jobs);
    batch_list_clear(&b->list);
}

int batch_run(const struct options *options, char **argv)
{
    struct batch b = {.options = options, .argv = argv, .start_ns = clock_now_ns()};
    int status = check_options(options);

    if (status == 0)
        status = read_list(&b);
    if (status == 0)
        status = check_stats_place(&b);
    if (status == 0)
        status = prepare_jobs(&b);
    if (status == 0 && options->dry_run)
        status = tell_plan(&b);
    else if (status == 0) {
        if (b.options->fail_fast && status_of(&b) != 0)
            b.stopping = true;
        if (!b.stopping && has_work(&b))
            run(&b);
        tell_end(&b);
        status = status_of(&b);
    }
    clear(&b);
    return status;
}
