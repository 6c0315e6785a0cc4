#include "passes.h"

#include "farm.h"
#include "scheduler.h"

#include "common/log.h"

#include <inttypes.h>

// Until it works out or has failed for good.
static int run_until_done(const struct options *options, struct pass *pass)
{
    bool one_segment = pass->again == AGAIN_ONE_SEGMENT;
    int status;

    for (int attempt = 1;; attempt++) {
        if (options->verify && !pass->second) {
            verify_free(&pass->verify);
            pass->verify = verify_new();
        }
        if (one_segment)
            pass->again = AGAIN_ONE_SEGMENT;
        pass->retries = (uint64_t)attempt - 1;
        status = farm_run(options, pass);
        if (pass->again == AGAIN_NO)
            return status;
        one_segment |= pass->again == AGAIN_ONE_SEGMENT;
        // Each segment that turns out to be poison may cost one; beyond that renderers are being killed for no fault of theirs.
        if ((size_t)attempt > SCHEDULER_MAX_LOSSES + pass->poison.count) {
            log_error("%s: renderers were killed again and again, in %d attempts; giving up", options->input, attempt);
            return 1;
        }
    }
}

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

// --verify: the whole video once more in one piece, by one renderer, without encoding.
static int run_second_pass(const struct options *options, struct verify *verify)
{
    struct options second_options = *options;
    struct pass second = {.again = AGAIN_ONE_SEGMENT, .verify = verify, .second = true};
    int status;

    second_options.workers = 1;
    second_options.encode_stream = false;
    status = run_until_done(&second_options, &second);
    return status != 0 ? status : tell_verified(options, verify);
}

int passes_run(const struct options *options)
{
    struct pass first = {.again = AGAIN_NO};
    int status = (options->listen || options->launch) && !options->explain ? remote_open(&first.remote, options) : 0;

    if (status == 0)
        status = run_until_done(options, &first);
    remote_close(&first.remote);

    if (status == 0 && first.poison.count > 0)
        status = tell_poison(options, &first.poison);
    else if (status == 0 && options->verify && !options->explain)
        status = run_second_pass(options, first.verify);
    poison_clear(&first.poison);
    verify_free(&first.verify);
    return status;
}
