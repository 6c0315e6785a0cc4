// renderfarm-keygen: keys for coordinators and renderers on different hosts.
#include "common/curve.h"
#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void usage(FILE *out)
{
    fputs("Usage: renderfarm-keygen FILE\n"
          "       renderfarm-keygen --for=COORDINATOR FILE\n"
          "\n"
          "Makes the keys that renderers on other hosts and their coordinator know each other by.\n"
          "\n"
          "  renderfarm-keygen farm.key                   for renderfarm --listen=... --key=farm.key;\n"
          "                                               farm.key.authorised lists who may join\n"
          "  renderfarm-keygen --for=farm.key node.key    for renderfarm-renderer --key=node.key; it is\n"
          "                                               put on that list. Copy node.key to the hosts\n"
          "                                               that may join, by a way that nobody sees\n"
          "\n"
          "Whoever has a key's FILE can join, or ask others to: only its owner can read it. To shut a\n"
          "key out, take its line off the list. The list holds no secret.\n"
          "\n"
          "  -h, --help     this text\n"
          "  -V, --version  the version\n"
          "\n"
          "Exit status: 0 done, 1 failed, 2 wrong use.\n",
          out);
}

static int usage_error(const char *text)
{
    fprintf(stderr, "renderfarm-keygen: %s (try renderfarm-keygen --help)\n", text);
    return 2;
}

// option: what getopt_long made of the argument.
static int wrong_option(int option, const char *argument)
{
    fprintf(stderr, "renderfarm-keygen: %.*s: %s (try renderfarm-keygen --help)\n", (int)strcspn(argument, "="), argument,
            option == ':' ? "a value is needed" : "there is no such option, or it takes no value");
    return 2;
}

// One line at the end of the list, which is made if it is not there.
static int append(const char *path, const char *line)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644), err = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, line, strlen(line)) != (ssize_t)strlen(line) || fsync(fd) < 0)
        err = errno ? -errno : -EIO;
    close(fd);
    return err;
}

static int fail(const char *path, int err)
{
    if (err == -EEXIST)
        log_error("%s: is there already; a key is not written over", path);
    else
        log_error("%s: %s", path, err_text(err));
    return 1;
}

static int make_coordinator(const char *path)
{
    char *list = mem_format("%s.authorised", path);
    struct curve_key key;
    int err;

    curve_make(&key);
    err = curve_write(&key, path);
    curve_wipe(&key);
    if (err < 0)
        err = fail(path, err);
    else if ((err = append(list, "# Public keys of the renderers that may join, one a line, and what it is for.\n")) < 0)
        err = fail(list, err);
    free(list);
    return err;
}

static int make_renderer(const char *path, const char *coordinator)
{
    char *list = mem_format("%s.authorised", coordinator), *why = NULL, *line, hex[CURVE_HEX_BYTES], host[HOST_NAME_MAX + 1] = "";
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    struct curve_key theirs, key;
    int err = curve_read(&theirs, coordinator, &why);

    if (!err && theirs.renderer)
        err = err_why(&why, -EINVAL, "%s: this is a renderer's key, and a coordinator's is needed", coordinator);
    if (err < 0) {
        log_error("%s", why);
        free(why);
        free(list);
        return 2;
    }
    gethostname(host, sizeof(host) - 1);
    curve_make_for(&key, theirs.public);
    curve_hex(key.public, hex);
    line = mem_format("%s %s@%s\n", hex, name, host);
    for (char *at = line; at[1]; at++)
        if ((unsigned char)*at < ' ')
            *at = '?'; // one line, whatever the file is called
    err = curve_write(&key, path);
    curve_wipe(&theirs);
    curve_wipe(&key);
    if (err < 0) {
        err = fail(path, err);
    } else if ((err = append(list, line)) < 0) {
        unlink(path);
        err = fail(list, err);
    }
    free(line);
    free(list);
    return err;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"for", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
    const char *coordinator = NULL;
    int option;

    log_init("renderfarm-keygen", LOG_WARN);
    opterr = 0; // said by us
    while ((option = getopt_long(argc, argv, ":hV", longs, NULL)) != -1) {
        switch (option) {
        case 'f':
            coordinator = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            puts("renderfarm-keygen " RENDERFARM_VERSION);
            return 0;
        default:
            return wrong_option(option, argv[optind - 1]);
        }
    }
    if (optind + 1 != argc || !*argv[optind])
        return usage_error("one file is needed");
    return coordinator ? make_renderer(argv[optind], coordinator) : make_coordinator(argv[optind]);
}
