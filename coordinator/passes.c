#include "passes.h"

#include "cache.h"
#include "finished.h"
#include "input_file.h"
#include "remote.h"
#include "scheduler.h"
#include "signals.h"

#include "common/log.h"

#include <inttypes.h>
#include <stdlib.h>

static int tell_poison(const struct options *options, const struct poison *poison)
{
    for (size_t i = 0; i < poison->count; i++)
        log_warn("%s: %s %s, because no renderer survived it", options->output, poison->entries[i].text,
                 poison->entries[i].way == POISON_COPY ? "is there without its filters" : "is missing");
    return 3;
}

static int tell_verified(const struct options *options, const struct verify *verify)
{
    struct verify_result result = verify_result(verify);

    if (result.same) {
        log_warn("%s: %" PRIu64 " of %" PRIu64 " seams identical; all %" PRIu64 " frames are those of a render in one piece", options->output,
                 result.same_seams, result.seams, result.frames);
        return 0;
    }
    log_error("%s: %" PRIu64 " of %" PRIu64 " seams identical; of %" PRIu64 " frames %" PRIu64
              " differ from a render in one piece (which has %" PRIu64 "), the first is number %" PRIu64
              "; do not use it, render again with --segment=0",
              options->output, result.same_seams, result.seams, result.frames, result.other_frames, result.second_frames, result.first_other);
    return 1;
}

// To compare with what another file gives would tell nothing.
static bool input_is_another(const struct passes *p)
{
    struct stat now;

    if (!p->input_known)
        return false;
    return stat(p->options->input, &now) < 0 || !input_file_is_same(&p->input, &now) || input_file_was_written(&p->input, &now);
}

static int tell_unverified(const struct passes *p)
{
    log_error("%s is there, but it cannot be compared: %s has been changed or removed since", p->options->output, p->options->input);
    return 1;
}

// What this attempt begins with.
static void prepare(struct passes *p)
{
    struct pass *pass = passes_pass(p);

    if (p->options->verify && !p->verifying) {
        verify_free(&pass->verify);
        pass->verify = verify_new();
    }
    pass->input = p->input_known && S_ISREG(p->input.st_mode) ? &p->input : NULL;
    pass->again = p->way;
    pass->retries = (uint64_t)p->attempt - 1;
}

void passes_begin(struct passes *p, const struct options *options)
{
    *p = (struct passes){.options = options, .attempt = 1};
    p->input_known = stat(options->input, &p->input) == 0;
    prepare(p);
}

const struct options *passes_options(const struct passes *p)
{
    return p->verifying ? &p->second_options : p->options;
}

struct pass *passes_pass(struct passes *p)
{
    return p->verifying ? &p->second : &p->first;
}

// --verify: the whole video once more in one piece, by one renderer, without encoding.
static void begin_second(struct passes *p)
{
    p->second_options = *p->options;
    p->second_options.workers = 1;
    p->second_options.encode_stream = false;
    p->second = (struct pass){.verify = p->first.verify, .depot = p->first.depot, .second = true};
    p->verifying = true;
    p->way = AGAIN_ONE_SEGMENT;
    p->attempt = 1;
    prepare(p);
}

bool passes_go_on(struct passes *p, int *status)
{
    struct pass *pass = passes_pass(p);

    if (pass->again != AGAIN_NO) {
        if (pass->again > AGAIN_SAME && pass->again > p->way)
            p->way = pass->again;
        // Each segment that turns out to be poison may cost one; beyond that renderers are being killed for no fault of theirs.
        if ((size_t)p->attempt > SCHEDULER_MAX_LOSSES + pass->poison.count) {
            log_error("%s: renderers were killed again and again, in %d attempts; giving up", p->options->input, p->attempt);
            *status = 1;
            return false;
        }
        p->attempt++;
        prepare(p);
        return true;
    }
    if (*status != 0)
        return false;
    if (p->verifying) {
        *status = input_is_another(p) ? tell_unverified(p) : tell_verified(p->options, p->second.verify);
        return false;
    }
    if (pass->poison.count > 0) {
        *status = tell_poison(p->options, &pass->poison);
        if (p->options->verify)
            log_warn("%s: is not compared (--verify): it is not all that a render in one piece would be", p->options->output);
        return false;
    }
    if (p->options->verify && pass->signal) {
        log_error(SIGNALS_UNVERIFIED, signals_name(pass->signal), p->options->output);
        *status = 128 + pass->signal;
        return false;
    }
    if (p->options->verify && !p->options->explain && input_is_another(p)) {
        *status = tell_unverified(p);
        return false;
    }
    if (p->options->verify && !p->options->explain) {
        begin_second(p);
        return true;
    }
    return false;
}

void passes_clear(struct passes *p)
{
    poison_clear(&p->first.poison);
    poison_clear(&p->second.poison);
    free(p->first.why);
    free(p->first.why_way);
    free(p->second.why);
    free(p->second.why_way);
    verify_free(&p->first.verify);
}

// What an earlier run of the same job made whole before it was killed. Its cache is all that is left to be done.
static bool is_finished(const struct options *options)
{
    struct cache_folder *folder;
    struct finished finished;
    char *path;
    bool is;

    if (options->overwrite)
        return false;
    finished_init(&finished, options);
    is = finished_is(&finished, options->output);
    finished_clear(&finished);
    if (!is)
        return false;
    path = cache_own_path(options->output);
    if (cache_folder_open(&folder, path, 0, true) == 0)
        cache_folder_remove(folder);
    cache_folder_close(&folder);
    free(path);
    log_warn("%s: is whole; an earlier run of this job was killed just after it had finished it%s", options->output,
             options->stats_path || options->trace_path || options->page_path ? ", and there are no figures of it" : "");
    return true;
}

int passes_run(const struct options *options)
{
    struct passes passes;
    int status = 0;

    if (is_finished(options))
        return 0;
    passes_begin(&passes, options);
    if ((options->listen || options->launch) && !options->explain)
        status = remote_open(&passes.first.remote, options);
    if (status == 0) {
        do
            status = farm_run(passes_options(&passes), passes_pass(&passes));
        while (passes_go_on(&passes, &status));
    }
    remote_close(&passes.first.remote);
    passes_clear(&passes);
    return status;
}
