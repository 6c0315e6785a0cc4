#include "remote.h"

#include "common/avx.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char variable[] = "RENDERFARM_KEY", list_suffix[] = ".authorised";

// The coordinator's own: --key, or that of the environment, or one for this job alone.
static int read_key(struct remote *r, const struct options *o, char **why)
{
    const char *text = getenv(variable);

    if (o->key_path && curve_read(&r->door.key, o->key_path, why) < 0)
        return -EINVAL;
    if (!o->key_path && text && curve_parse(&r->door.key, text) < 0)
        return err_why(why, -EINVAL, "%s holds no key of renderfarm-keygen's", variable);
    if (!o->key_path && !text)
        curve_make(&r->door.key);
    if (r->door.key.renderer)
        return err_why(why, -EINVAL, "%s: this is a renderer's key, and a coordinator's is needed", o->key_path ? o->key_path : variable);
    return 0;
}

static int read_list(struct remote *r, const struct options *o, char **why)
{
    char *path = o->authorised_path ? mem_dup(o->authorised_path) : o->key_path ? mem_format("%s%s", o->key_path, list_suffix) : NULL;
    int err = path ? curve_file_open(&r->door.authorised, path, why) : 0;

    // Launched ones get a key of their own.
    if (err == -ENOENT && o->launch && !o->authorised_path) {
        free(*why);
        *why = NULL;
        err = 0;
    }
    return err;
}

int remote_open(struct remote **result, const struct options *o)
{
    struct remote *r = mem_zalloc(sizeof(*r));
    char *why = NULL;

    snprintf(r->door.endpoint, sizeof(r->door.endpoint), "%s", o->listen ? o->listen : "tcp://*:0");
    r->mixed_cpus = o->mixed_cpus;
    r->door.cpu = r->mixed_cpus ? NULL : r->cpu;
    if (o->workers > 0)
        snprintf(r->cpu, sizeof(r->cpu), "%s", avx_cpu());
    if (read_key(r, o, &why) < 0 || read_list(r, o, &why) < 0) {
        log_error("%s", why);
        free(why);
        remote_close(&r);
        return 2;
    }
    if (o->launch) {
        curve_make_for(&r->for_others, r->door.key.public);
        curve_list_add(&r->door.launched, r->for_others.public);
    } else if (r->door.authorised.list.count == 0) {
        log_warn("the list of authorised keys, %s, is empty, so no renderer can join; renderfarm-keygen --for=%s adds one, also while the job runs",
                 r->door.authorised.path, o->key_path ? o->key_path : "KEY");
    }
    unsetenv(variable); // not for renderers of this host, which read strangers' bytes
    *result = r;
    return 0;
}

int remote_launch(struct remote *r, const struct options *o, const char *renderer)
{
    struct launcher_setup setup = {
        .template = o->launch, .renderer = renderer, .endpoint = r->door.endpoint, .workers = o->launch_workers, .key = &r->for_others};

    return o->launch && !r->launcher ? launcher_start(&r->launcher, &setup) : 0;
}

void remote_close(struct remote **remote)
{
    struct remote *r = *remote;

    if (!r)
        return;
    *remote = NULL;
    launcher_end(&r->launcher);
    curve_file_clear(&r->door.authorised);
    curve_list_clear(&r->door.launched);
    mishaps_clear(&r->mishaps);
    curve_wipe(&r->door.key);
    curve_wipe(&r->for_others);
    free(r);
}
