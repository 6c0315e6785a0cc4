// renderfarm: becomes the coordinator, renderfarm-coordinator beside it, which takes the dynamic loader some 30 ms for all its libraries. Before that
// it starts a nursery (../early.h), which has even more to load and does so at the same time. Of the C library alone, so that it runs at once.
#include "../early.h"
#include "../process.h"

#include "common/arena.h"
#include "common/footing.h"
#include "common/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char renderer_key[] = "RENDERFARM_KEY";

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value && *value;
}

// Options are the coordinator's to read. A nursery that was started in vain costs some CPU time; one that was not is started later.
static bool renders(int argc, char **argv)
{
    static const char *const quick[] = {"-h", "--help", "-V", "--version", "--dry-run"};

    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < sizeof(quick) / sizeof(quick[0]); k++)
            if (strcmp(argv[i], quick[k]) == 0)
                return false;
    return argc > 2;
}

// Its environment is that of renderers, which read strangers' bytes: a coordinator's key is not for them.
static int start_nursery(struct early *early, const char *renderer)
{
    char *key = mem_dup(getenv(renderer_key));
    int err;

    unsetenv(renderer_key);
    err = nursery_process_start(&early->nursery, renderer, early->frames_fd);
    if (key)
        setenv(renderer_key, key, 1);
    free(key);
    return err;
}

// What does not come about here the coordinator does, and says what hinders it.
static void start_early(struct early *early)
{
    char *renderer = process_beside("renderfarm-renderer");
    int frames_fd = renderer && access(renderer, X_OK) == 0 ? arena_create() : -1;

    early->frames_fd = frames_fd < 0 ? -1 : process_raise_fd(frames_fd);
    if (early->frames_fd >= 0 && start_nursery(early, renderer) == 0 && early_hand_over(early) < 0)
        nursery_process_end(&early->nursery);
    free(renderer);
}

int main(int argc, char **argv)
{
    struct early early = {.nursery.socket = -1};
    char *coordinator;

    footing_take();
    unsetenv(EARLY_VARIABLE);
    coordinator = process_beside("renderfarm-coordinator");
    if (!coordinator) {
        fprintf(stderr, "renderfarm: cannot find out where this program is: /proc/self/exe: %s\n", strerror(errno));
        return 1;
    }
    // Another program than ours may know of no nurseries.
    if (renders(argc, argv) && !is_set("RENDERFARM_RENDERER") && access(coordinator, X_OK) == 0)
        start_early(&early);
    execv(coordinator, argv);
    fprintf(stderr, "renderfarm: %s: it cannot be started: %s; reinstall\n", coordinator, strerror(errno));
    free(coordinator);
    nursery_process_end(&early.nursery);
    return 1;
}
