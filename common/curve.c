#include "curve.h"

#include "clock.h"
#include "err.h"
#include "mem.h"

#include <sodium.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LIST_BYTES = 4 << 20 };

static const char coordinator_word[] = "renderfarm-coordinator", renderer_word[] = "renderfarm-renderer";

void curve_make(struct curve_key *key)
{
    *key = (struct curve_key){0};
    if (sodium_init() < 0)
        abort(); // no random numbers, no keys
    crypto_box_keypair(key->public, key->secret);
}

void curve_make_for(struct curve_key *key, const uint8_t coordinator_public[CURVE_BYTES])
{
    curve_make(key);
    key->renderer = true;
    memcpy(key->coordinator, coordinator_public, CURVE_BYTES);
}

void curve_hex(const uint8_t key[CURVE_BYTES], char hex[CURVE_HEX_BYTES])
{
    sodium_bin2hex(hex, CURVE_HEX_BYTES, key, CURVE_BYTES);
}

void curve_format(const struct curve_key *key, char text[CURVE_TEXT_BYTES])
{
    char secret[CURVE_HEX_BYTES], coordinator[CURVE_HEX_BYTES];

    curve_hex(key->secret, secret);
    curve_hex(key->coordinator, coordinator);
    snprintf(text, CURVE_TEXT_BYTES, "%s %s%s%s", key->renderer ? renderer_word : coordinator_word, secret, key->renderer ? " " : "",
             key->renderer ? coordinator : "");
    sodium_memzero(secret, sizeof(secret));
}

// *text moves behind the number and the blanks after it.
static bool take_hex(const char **text, uint8_t key[CURVE_BYTES])
{
    size_t length = strspn(*text, "0123456789abcdefABCDEF");

    if (length != CURVE_HEX_BYTES - 1 || sodium_hex2bin(key, CURVE_BYTES, *text, length, NULL, NULL, NULL) != 0)
        return false;
    *text += length;
    *text += strspn(*text, " \t\r\n");
    return true;
}

static bool take_word(const char **text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(*text, word, length) != 0 || ((*text)[length] != ' ' && (*text)[length] != '\t'))
        return false;
    *text += length;
    *text += strspn(*text, " \t");
    return true;
}

int curve_parse(struct curve_key *key, const char *text)
{
    bool right;

    *key = (struct curve_key){0};
    text += strspn(text, " \t\r\n");
    key->renderer = take_word(&text, renderer_word);
    right = (key->renderer || take_word(&text, coordinator_word)) && take_hex(&text, key->secret);
    right = right && (!key->renderer || take_hex(&text, key->coordinator)) && !*text;
    if (right && crypto_scalarmult_base(key->public, key->secret) == 0)
        return 0;
    curve_wipe(key);
    return -EINVAL;
}

void curve_wipe(struct curve_key *key)
{
    sodium_memzero(key, sizeof(*key));
}

static int read_text(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n;

    while (length + 1 < size && (n = read(fd, text + length, size - 1 - length)) != 0) {
        if (n < 0 && errno != EINTR)
            return -errno;
        length += n > 0 ? (size_t)n : 0;
        if (memchr(text, '\n', length))
            break; // whoever writes to a pipe may keep it open
    }
    text[length] = '\0';
    return 0;
}

int curve_read(struct curve_key *key, const char *path, char **why)
{
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), err;
    char text[CURVE_TEXT_BYTES * 2];
    struct stat about;

    *key = (struct curve_key){0};
    if (fd < 0)
        return err_why(why, -errno, "%s: cannot read the key: %s", name, strerror(errno));
    if (!standard && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & 077) != 0)
        err = err_why(why, -EACCES, "%s: others may read this key (mode %03o), so it proves nothing; make a new one, or chmod 600 it", path,
                      (unsigned)about.st_mode & 0777);
    else if ((err = read_text(fd, text, sizeof(text))) < 0)
        err = err_why(why, err, "%s: cannot read the key: %s", name, err_text(err));
    else if ((err = curve_parse(key, text)) < 0)
        err = err_why(why, err, "%s: this is no key of renderfarm-keygen's", name);
    sodium_memzero(text, sizeof(text));
    if (!standard)
        close(fd);
    return err;
}

int curve_write(const struct curve_key *key, const char *path)
{
    char text[CURVE_TEXT_BYTES + 1];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err = 0;
    size_t length;

    if (fd < 0)
        return -errno;
    curve_format(key, text);
    strcat(text, "\n");
    length = strlen(text);
    if (write(fd, text, length) != (ssize_t)length || fsync(fd) < 0)
        err = errno ? -errno : -EIO;
    sodium_memzero(text, sizeof(text));
    close(fd);
    if (err)
        unlink(path);
    return err;
}

void curve_list_add(struct curve_list *list, const uint8_t key[CURVE_BYTES])
{
    list->keys = mem_grow(list->keys, list->count + 1, sizeof(*list->keys));
    memcpy(list->keys[list->count++], key, CURVE_BYTES);
}

bool curve_list_has(const struct curve_list *list, const uint8_t key[CURVE_BYTES])
{
    bool has = false;

    for (size_t i = 0; i < list->count; i++)
        has |= sodium_memcmp(list->keys[i], key, CURVE_BYTES) == 0;
    return has;
}

static int cannot_read(const char *path, char **why)
{
    int err = -errno;

    return err_why(why, err, "%s: cannot read the authorised keys: %s", path, strerror(-err));
}

static int read_lines(struct curve_list *list, FILE *file, const char *path, char **why)
{
    unsigned number = 0;
    size_t size = 0;
    char *line = NULL;
    int err = 0;

    while (!err && getline(&line, &size, file) > 0) {
        const char *at = line + strspn(line, " \t\r\n");
        uint8_t key[CURVE_BYTES];

        number++;
        if (!*at || *at == '#')
            continue;
        if (take_hex(&at, key))
            curve_list_add(list, key);
        else
            err = err_why(why, -EINVAL, "%s: line %u begins with no public key of renderfarm-keygen's", path, number);
    }
    // Or what was left out would pass for keys that were taken off the list.
    if (!err && ferror(file))
        err = cannot_read(path, why);
    free(line);
    return err;
}

int curve_list_read(struct curve_list *list, const char *path, char **why)
{
    FILE *file = fopen(path, "re");
    struct stat about;
    int err;

    if (!file)
        return cannot_read(path, why);
    if (fstat(fileno(file), &about) == 0 && (about.st_mode & 022) != 0)
        err = err_why(why, -EACCES, "%s: others may write to this list (mode %03o); chmod 644 it", path, (unsigned)about.st_mode & 0777);
    else if (about.st_size > MOST_LIST_BYTES)
        err = err_why(why, -EFBIG, "%s: this is no list of authorised keys: it is too long", path);
    else
        err = read_lines(list, file, path, why);
    fclose(file);
    return err;
}

void curve_list_clear(struct curve_list *list)
{
    free(list->keys);
    *list = (struct curve_list){0};
}

static bool looks_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

// Before it is read: what is written meanwhile makes it look otherwise the next time.
static struct stat look_at(const char *path)
{
    struct stat now;

    return stat(path, &now) == 0 ? now : (struct stat){0};
}

int curve_file_open(struct curve_file *file, char *path, char **why)
{
    *file = (struct curve_file){.path = path, .seen = look_at(path)};
    return curve_list_read(&file->list, path, why);
}

int curve_file_refresh(struct curve_file *file, char **why)
{
    struct stat now = file->path ? look_at(file->path) : file->seen;
    struct curve_list list = {0};
    int err;

    if (looks_same(&now, &file->seen))
        return 0;
    file->seen = now;
    err = curve_list_read(&list, file->path, why);
    if (err < 0) {
        curve_list_clear(&list);
        return err;
    }
    curve_list_clear(&file->list);
    file->list = list;
    return 1;
}

void curve_file_clear(struct curve_file *file)
{
    curve_list_clear(&file->list);
    free(file->path);
    *file = (struct curve_file){0};
}

double curve_cost_ns(void)
{
    enum { TRIED_BYTES = 1 << 18, TRIES = 3 };

    uint8_t *bytes = mem_zalloc(TRIED_BYTES + crypto_box_MACBYTES), key[crypto_box_BEFORENMBYTES] = {0}, nonce[crypto_box_NONCEBYTES] = {0};
    uint64_t best_ns = UINT64_MAX;

    // The first one also pays for the memory.
    for (int i = 0; i < TRIES && sodium_init() >= 0; i++) {
        uint64_t since_ns = clock_thread_cpu_ns(), ns;

        crypto_box_easy_afternm(bytes, bytes, TRIED_BYTES, nonce, key);
        ns = clock_thread_cpu_ns() - since_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    free(bytes);
    return (double)best_ns / (double)TRIED_BYTES;
}

int curve_serve(struct zsock *zsock, const struct curve_key *key)
{
    static const char domain[] = "renderfarm";
    int one = 1, err;

    err = zsock_set(zsock, ZMQ_CURVE_SERVER, &one, sizeof(one));
    if (!err)
        err = zsock_set(zsock, ZMQ_CURVE_SECRETKEY, key->secret, CURVE_BYTES);
    if (!err)
        err = zsock_set(zsock, ZMQ_ZAP_DOMAIN, domain, strlen(domain));
    return err;
}

int curve_call(struct zsock *zsock, const struct curve_key *key)
{
    int err = zsock_set(zsock, ZMQ_CURVE_SERVERKEY, key->coordinator, CURVE_BYTES);

    if (!err)
        err = zsock_set(zsock, ZMQ_CURVE_PUBLICKEY, key->public, CURVE_BYTES);
    if (!err)
        err = zsock_set(zsock, ZMQ_CURVE_SECRETKEY, key->secret, CURVE_BYTES);
    return err;
}
