#include "side_files.h"

#include "err.h"
#include "fonts.h"
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SUM_BYTES = 32,
    MOST_BYTES = 64 << 20, // of larger ones the first bytes and the size must do
    READ_BYTES = 1 << 16,
};

static int add_content(crypto_generichash_state *hash, int fd)
{
    static _Thread_local unsigned char buffer[READ_BYTES];

    for (size_t sum = 0; sum < MOST_BYTES;) {
        ssize_t got = read(fd, buffer, sizeof(buffer));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : 0;
        crypto_generichash_update(hash, buffer, (size_t)got);
        sum += (size_t)got;
    }
    return 0;
}

// 0, or a negative code for what is no ordinary file, or cannot be read.
static int sum_up(const char *path, unsigned char sum[SUM_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;
    crypto_generichash_state hash;
    struct stat about;
    int64_t size;

    if (fd < 0)
        return -errno;
    err = fstat(fd, &about) < 0 ? -errno : S_ISREG(about.st_mode) ? 0 : -EINVAL;
    if (!err) {
        size = about.st_size;
        crypto_generichash_init(&hash, NULL, 0, SUM_BYTES);
        crypto_generichash_update(&hash, (const unsigned char *)&size, sizeof(size));
        err = add_content(&hash, fd);
        crypto_generichash_final(&hash, sum, SUM_BYTES);
    }
    close(fd);
    return err;
}

void side_files_add(Wire__Job *job, const char *path)
{
    unsigned char sum[SUM_BYTES];
    Wire__NamedFile *file;

    for (size_t i = 0; i < job->n_named_files; i++)
        if (strcmp(job->named_files[i]->path, path) == 0)
            return;
    if (sum_up(path, sum) < 0)
        return;
    file = mem_zalloc(sizeof(*file));
    wire__named_file__init(file);
    file->path = mem_dup(path);
    file->sum = (ProtobufCBinaryData){.len = sizeof(sum), .data = mem_copy(sum, sizeof(sum))};
    job->named_files = mem_grow(job->named_files, job->n_named_files + 1, sizeof(*job->named_files));
    job->named_files[job->n_named_files++] = file;
}

void side_files_add_fonts(Wire__Job *job)
{
    uint8_t sum[FONTS_SUM_BYTES];

    fonts_sum_up_for_hosts(sum);
    job->has_fonts = 1;
    job->fonts = (ProtobufCBinaryData){.len = sizeof(sum), .data = mem_copy(sum, sizeof(sum))};
}

void side_files_clear(Wire__Job *job)
{
    for (size_t i = 0; i < job->n_named_files; i++)
        wire__named_file__free_unpacked(job->named_files[i], NULL);
    free(job->named_files);
    job->named_files = NULL;
    job->n_named_files = 0;
    free(job->fonts.data);
    job->fonts = (ProtobufCBinaryData){0};
    job->has_fonts = 0;
}

int side_files_check(const Wire__Job *job, char **why)
{
    unsigned char sum[SUM_BYTES];

    for (size_t i = 0; i < job->n_named_files; i++) {
        const Wire__NamedFile *file = job->named_files[i];

        if (sum_up(file->path, sum) == 0 && (file->sum.len != sizeof(sum) || memcmp(file->sum.data, sum, sizeof(sum)) != 0))
            return err_why(why, -EINVAL, "%s is another file on this host than where renderfarm runs", file->path);
    }
    if (!job->has_fonts)
        return 0;
    fonts_sum_up_for_hosts(sum);
    if (job->fonts.len != sizeof(sum) || memcmp(job->fonts.data, sum, sizeof(sum)) != 0)
        return err_why(why, -EINVAL, "this host has other fonts than that where renderfarm runs, and its filters may choose of them");
    return 0;
}
