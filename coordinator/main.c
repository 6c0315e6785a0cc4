// renderfarm-coordinator: what renderfarm (start/main.c) becomes. argv in, exit status out; passes.c does the rest.
#include "batch.h"
#include "early.h"
#include "hands.h"
#include "options.h"
#include "output_file.h"
#include "passes.h"

#include "common/avx.h"
#include "common/cores.h"
#include "common/err.h"
#include "common/footing.h"
#include "common/log.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/prctl.h>

// For two renderers; each more takes a few.
enum { LEAST_FILES = 64 };

// What was asked for is on standard output, or it is said why not.
static int told(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    // Who has read enough goes, as `| head` does.
    if (errno == EPIPE)
        return status;
    log_error("standard output: %s", err_text(errno ? -errno : -EIO));
    return status ? status : 1;
}

// Before hours of work, not after them.
static int check_stats(const struct options *o)
{
    int err = o->stats_path ? output_file_writable(o->stats_path) : 0;

    if (err < 0)
        log_error("%s: statistics cannot be written: %s", o->stats_path, err_text(err));
    return err < 0 ? 1 : 0;
}

static int run(int argc, char **argv)
{
    struct options options;
    int files = footing_take(), status;

    log_init("renderfarm", LOG_WARN);
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_EXIT_OK:
        return told(0);
    case OPTIONS_USAGE:
        return 2;
    case OPTIONS_RUN:
        break;
    }
    log_init("renderfarm", options.verbosity < 0 ? LOG_ERROR : options.verbosity == 0 ? LOG_WARN : options.verbosity == 1 ? LOG_INFO : LOG_DEBUG);
    avx_log_install(); // what matters is said in our own words, with the file's name
    // What one lane has taken and the loop has freed is there for all of them.
    mallopt(M_ARENA_MAX, 2);
    hands_widen_pool(cores_usable());
    status = check_stats(&options);
    if (files < LEAST_FILES) {
        log_error("only %d files may be open at once, and %d are needed at the least (see ulimit -n)", files, LEAST_FILES);
        status = 1;
    }
    // Of one file there is more to tell than its names.
    options.explain |= options.dry_run && !batch_is_asked_for(&options);
    if (status == 0)
        status = batch_is_asked_for(&options) ? batch_run(&options, argv) : passes_run(&options);
    // Of figures on the way nobody has to take notice.
    if (options.explain || options.dry_run)
        status = told(status);
    options_clear(&options);
    return status;
}

int main(int argc, char **argv)
{
    int status;

    prctl(PR_SET_NAME, "renderfarm"); // which is what was called, and what is looked for
    early_receive();
    status = run(argc, argv);
    early_end();
    return status;
}
