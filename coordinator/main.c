// renderfarm: the coordinator. argv in, exit status out; passes.c does the rest.
#include "batch.h"
#include "hands.h"
#include "options.h"
#include "passes.h"

#include "common/cores.h"
#include "common/log.h"

#include <libavutil/log.h>

#include <malloc.h>
#include <signal.h>

int main(int argc, char **argv)
{
    struct options options;
    int status;

    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_EXIT_OK:
        return 0;
    case OPTIONS_USAGE:
        return 2;
    case OPTIONS_RUN:
        break;
    }
    log_init("renderfarm", options.verbosity < 0 ? LOG_ERROR : options.verbosity == 0 ? LOG_WARN : options.verbosity == 1 ? LOG_INFO : LOG_DEBUG);
    av_log_set_level(AV_LOG_QUIET); // what matters is said in our own words, with the file's name
    signal(SIGPIPE, SIG_IGN);
    // What one lane has taken and the loop has freed is there for all of them.
    mallopt(M_ARENA_MAX, 2);
    hands_widen_pool(cores_usable());
    status = batch_is_asked_for(&options) ? batch_run(&options, argv) : passes_run(&options);
    options_clear(&options);
    return status;
}
