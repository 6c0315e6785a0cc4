#include "pictures.h"

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"

#include <libavutil/error.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    IHDR_AT = 16,    // its data: behind the signature, the chunk's length and type
    KIND_BYTES = 10, // width, height, depth, colour type: what has to stay the same
    MOST_TOLD = 5,
    MOST_BYTES = 1 << 30,
};

struct picture {
    int64_t number; // of those that have one
    char *name;     // without folder; NULL: as the pattern writes it
};

// Which files packets are made of: from this one on an entry of the list each, or all of the same entry. So there are no more of these than pictures
// that are missing or damaged, however long a gap is.
struct stretch {
    int64_t packet;
    size_t entry;
    bool repeats;
};

struct pictures {
    struct pictures_setup setup;
    char *path; // as the user wrote it
    struct sequence_pattern pattern;
    bool numbered;
    struct picture *list;
    size_t count, next;
    int64_t number; // that is due, of those that have one
    uint8_t kind[KIND_BYTES];
    bool kind_known;
    AVPacket *last;
    uint64_t mended;
    char *first;
    int64_t packets;           // that were given out
    struct stretch *stretches; // rising; the first is that of packet 0
    size_t stretch_count;
};

// ---- One file ----

static uint32_t big_endian(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

const char *pictures_look(const uint8_t *data, size_t size)
{
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    bool has_data = false;

    if (size == 0)
        return "it is empty";
    if (size < sizeof(signature) || memcmp(data, signature, sizeof(signature)) != 0)
        return "it is no PNG";
    for (size_t at = sizeof(signature); at < size;) {
        uint32_t length;

        if (size - at < 12)
            return "it is cut off";
        length = big_endian(data + at);
        if (length > INT32_MAX)
            return "it is damaged";
        if (length > size - at - 12)
            return "it is cut off";
        if (at == sizeof(signature) && (memcmp(data + at + 4, "IHDR", 4) != 0 || length != 13))
            return "it is damaged";
        if (libdeflate_crc32(0, data + at + 4, length + 4) != big_endian(data + at + 8 + length))
            return "it is damaged: a checksum is wrong";
        has_data |= memcmp(data + at + 4, "IDAT", 4) == 0;
        if (memcmp(data + at + 4, "IEND", 4) == 0)
            return has_data ? NULL : "it is damaged";
        at += 12 + length;
    }
    return "it is cut off";
}

static int read_file(const char *path, AVPacket **packet)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = fd < 0 ? -errno : 0;
    struct stat about;
    size_t at = 0;

    *packet = NULL;
    if (!err && fstat(fd, &about) < 0)
        err = -errno;
    if (!err && !S_ISREG(about.st_mode))
        err = S_ISDIR(about.st_mode) ? -EISDIR : -EINVAL;
    if (!err && about.st_size > MOST_BYTES)
        err = -EFBIG;
    if (!err && (!(*packet = av_packet_alloc()) || av_new_packet(*packet, (int)about.st_size) < 0))
        err = -ENOMEM;
    while (!err && at < (size_t)about.st_size) {
        ssize_t got = read(fd, (*packet)->data + at, (size_t)about.st_size - at);

        if (got < 0 && errno != EINTR)
            err = -errno;
        if (got == 0)
            break;
        at += got > 0 ? (size_t)got : 0;
    }
    if (!err)
        av_shrink_packet(*packet, (int)at);
    else
        av_packet_free(packet);
    if (fd >= 0)
        close(fd);
    return err;
}

static void describe(char text[80], const uint8_t *kind)
{
    static const char *const colours[] = {"grey", "?", "RGB", "palette", "grey with alpha", "?", "RGB with alpha", "?"};

    snprintf(text, 80, "%u x %u, %d bit %s", big_endian(kind), big_endian(kind + 4), kind[8], colours[kind[9] & 7]);
}

// Reads one picture, or says what is wrong with it in *problem (free()); fails only for lack of memory.
static int read_picture(struct pictures *p, const char *path, AVPacket **packet, char **problem)
{
    int err = read_file(path, packet);
    const char *look;

    if (err == -ENOMEM)
        return err;
    if (err < 0) {
        *problem = mem_format("%s cannot be read: %s", path, err == -EINVAL ? "it is no ordinary file" : err_text(err));
        return 0;
    }
    look = pictures_look((*packet)->data, (size_t)(*packet)->size);
    if (look) {
        *problem = mem_format("%s: %s", path, look);
    } else if (!p->kind_known) {
        memcpy(p->kind, (*packet)->data + IHDR_AT, KIND_BYTES);
        p->kind_known = true;
    } else if (memcmp(p->kind, (*packet)->data + IHDR_AT, KIND_BYTES) != 0) {
        char first[80], this[80];

        describe(first, p->kind);
        describe(this, (*packet)->data + IHDR_AT);
        *problem = mem_format("%s is of another kind than the first (%s instead of %s)", path, this, first);
    }
    if (*problem)
        av_packet_free(packet);
    return 0;
}

// ---- Which files ----

static bool ends_in_png(const char *name)
{
    size_t length = strlen(name);

    return length >= 4 && strcasecmp(name + length - 4, ".png") == 0;
}

bool pictures_is_input(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct stat about;

    if (stat(path, &about) == 0)
        return S_ISDIR(about.st_mode);
    return sequence_is_output(path) || (ends_in_png(path) && strpbrk(name, "*?["));
}

static int by_counting(const void *a, const void *b)
{
    return strverscmp(((const struct picture *)a)->name, ((const struct picture *)b)->name);
}

// The names that fit, in the folder.
static int list_names(struct pictures *p, const char *folder, const char *glob)
{
    DIR *entries = opendir(*folder ? folder : ".");
    const struct dirent *entry;
    int err;

    if (!entries)
        return -errno;
    while ((errno = 0, entry = readdir(entries))) {
        if (entry->d_name[0] == '.' || (glob ? fnmatch(glob, entry->d_name, FNM_PERIOD) != 0 : !ends_in_png(entry->d_name)))
            continue;
        p->list = mem_grow(p->list, p->count + 1, sizeof(*p->list));
        p->list[p->count++] = (struct picture){.name = mem_dup(entry->d_name)};
    }
    err = -errno;
    closedir(entries);
    if (p->count > 0)
        qsort(p->list, p->count, sizeof(*p->list), by_counting);
    return err;
}

// Where the last number of a name begins and ends; false: it has none.
static bool last_number(const char *name, size_t *from, size_t *to)
{
    size_t end = strlen(name);

    while (end > 0 && !isdigit((unsigned char)name[end - 1]))
        end--;
    *to = end;
    while (end > 0 && isdigit((unsigned char)name[end - 1]))
        end--;
    *from = end;
    return *to > *from && *to - *from <= 18;
}

// Names that differ in one number only are counted by it.
static void find_numbers(struct pictures *p)
{
    size_t from, to, first_from, first_to;

    if (p->count < 2 || !last_number(p->list[0].name, &first_from, &first_to))
        return;
    for (size_t i = 0; i < p->count; i++) {
        struct picture *picture = &p->list[i];

        if (!last_number(picture->name, &from, &to) || from != first_from || strncmp(picture->name, p->list[0].name, from) != 0 ||
            strcmp(picture->name + to, p->list[0].name + first_to) != 0)
            return;
        picture->number = strtoll(picture->name + from, NULL, 10);
        if (i > 0 && picture->number <= p->list[i - 1].number)
            return;
    }
    p->numbered = true;
}

static int list_pattern(struct pictures *p, char **why)
{
    int64_t *numbers = NULL;
    int err = sequence_parse(&p->pattern, p->path, why);

    if (err < 0)
        return err;
    err = sequence_list(&p->pattern, p->setup.start_number > 0 ? p->setup.start_number : 0, &numbers, &p->count);
    if (err < 0)
        return err_why(why, err, "%s: the folder %s cannot be read: %s", p->path, *p->pattern.folder ? p->pattern.folder : ".", err_text(err));
    p->list = mem_zalloc((p->count + 1) * sizeof(*p->list));
    for (size_t i = 0; i < p->count; i++)
        p->list[i].number = numbers[i];
    p->numbered = true;
    free(numbers);
    return 0;
}

static int list_folder(struct pictures *p, bool is_folder, char **why)
{
    const char *slash = strrchr(p->path, '/'), *name = slash ? slash + 1 : p->path;
    char *folder = is_folder ? mem_format("%s/", p->path) : mem_format("%.*s", (int)(name - p->path), p->path);
    int err = list_names(p, folder, is_folder ? NULL : name);

    p->pattern.folder = folder;
    if (err < 0)
        return err_why(why, err, "%s: the folder %s cannot be read: %s", p->path, *folder ? folder : ".", err_text(err));
    find_numbers(p);
    // Those before the number that was asked for.
    if (p->numbered && p->setup.start_number >= 0) {
        size_t skip = 0;

        while (skip < p->count && p->list[skip].number < p->setup.start_number)
            free(p->list[skip++].name);
        p->count -= skip;
        memmove(p->list, p->list + skip, p->count * sizeof(*p->list));
    } else if (p->setup.start_number >= 0 && p->count > 0) {
        return err_why(why, -EINVAL, "%s: --start-number needs names that differ in one number only", p->path);
    }
    return 0;
}

static char *path_of(const struct pictures *p, size_t index)
{
    const struct picture *picture = &p->list[index];

    return picture->name ? mem_format("%s%s", p->pattern.folder, picture->name) : sequence_path(&p->pattern, picture->number);
}

static const char way_on[] = "--missing=hold repeats the one before it, --missing=skip leaves it out";

// The first picture tells what the others have to be. One that cannot be read tells nothing, so where it may be left out it is the next one.
static int find_first(struct pictures *p, char **why)
{
    char *problem = NULL;
    int err = 0;

    for (size_t i = 0; i < p->count && !err && !p->first; i++) {
        char *path = path_of(p, i), *this = NULL;
        AVPacket *packet = NULL;

        err = read_picture(p, path, &packet, &this);
        av_packet_free(&packet);
        if (!err && !this) {
            p->first = path;
            continue;
        }
        free(path);
        if (this && problem)
            free(this);
        else if (this)
            problem = this;
        if (p->setup.missing == PICTURES_STOP)
            break;
    }
    if (err < 0)
        err_why(why, err, "%s: no memory for a picture", p->path);
    else if (!p->first && p->setup.missing == PICTURES_STOP)
        err = err_why(why, AVERROR_INVALIDDATA, "%s; %s", problem, way_on);
    else if (!p->first)
        err = err_why(why, AVERROR_INVALIDDATA, "%s: none of them is a picture that can be read; %s", p->path, problem);
    free(problem);
    return err;
}

int pictures_open(struct pictures **result, const char *path, const struct pictures_setup *setup, char **why)
{
    struct pictures *p = mem_zalloc(sizeof(*p));
    struct stat about;
    bool is_folder = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
    int err;

    p->setup = *setup;
    p->path = mem_dup(path);
    err = is_folder || !sequence_is_output(path) ? list_folder(p, is_folder, why) : list_pattern(p, why);
    if (!err && p->count == 0 && is_folder && setup->start_number < 0)
        err =
            err_why(why, -ENOENT, "%s is a directory without pictures (.png); to render the videos in it, give a directory as the output too", path);
    else if (!err && p->count == 0)
        err = setup->start_number > 0 ? err_why(why, -ENOENT, "%s: there is no picture from number %" PRId64 " on", path, setup->start_number)
                                      : err_why(why, -ENOENT, "%s: there are no such pictures (.png)", path);
    if (!err)
        err = find_first(p, why);
    if (err < 0) {
        pictures_close(&p);
        return err;
    }
    p->stretches = mem_zalloc(sizeof(*p->stretches));
    p->stretch_count = 1;
    p->number = setup->start_number >= 0 && p->numbered ? setup->start_number : p->list[0].number;
    *result = p;
    return 0;
}

const char *pictures_first(const struct pictures *p)
{
    return p->first;
}

int64_t pictures_count(const struct pictures *p)
{
    int64_t first = p->setup.start_number >= 0 ? p->setup.start_number : p->list[0].number;

    return p->numbered && p->setup.missing == PICTURES_HOLD ? p->list[p->count - 1].number - first + 1 : (int64_t)p->count;
}

// ---- Reading ----

// Something is missing: problem (freed here). 0: what stands in for it is in *packet, or nothing is (it is left out).
static int mend(struct pictures *p, char *problem, AVPacket **packet, char **why)
{
    bool hold = p->setup.missing == PICTURES_HOLD;
    int err = 0;

    if (p->setup.missing == PICTURES_STOP) {
        err = err_why(why, AVERROR_INVALIDDATA, "%s; %s", problem, way_on);
    } else {
        if (p->mended++ < MOST_TOLD)
            log_warn("%s; %s", problem, hold && p->last ? "the one before it stands in for it" : "it is left out");
        if (hold && p->last && !(*packet = av_packet_clone(p->last)))
            err = -ENOMEM;
    }
    free(problem);
    return err;
}

static size_t entry_of(const struct stretch *stretch, int64_t packet)
{
    return stretch->entry + (stretch->repeats ? 0 : (size_t)(packet - stretch->packet));
}

// The next packet is made of the entry that was read last, which has been made use of before or has not.
static void note_packet(struct pictures *p, bool repeats)
{
    const struct stretch *last = &p->stretches[p->stretch_count - 1];
    size_t entry = repeats ? entry_of(last, p->packets - 1) : p->next - 1;

    if (repeats != last->repeats || entry != entry_of(last, p->packets)) {
        p->stretches = mem_grow(p->stretches, p->stretch_count + 1, sizeof(*p->stretches));
        p->stretches[p->stretch_count++] = (struct stretch){p->packets, entry, repeats};
    }
    p->packets++;
}

char *pictures_path(const struct pictures *p, int64_t packet)
{
    size_t low = 0, high = p->stretch_count, entry;

    // The last of those that begin at the packet or before it. Packet 0 may have two; the later one is right.
    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (p->stretches[middle].packet <= packet)
            low = middle;
        else
            high = middle;
    }
    entry = packet < 0 ? p->count : entry_of(&p->stretches[low], packet);
    return entry < p->count ? path_of(p, entry) : NULL;
}

int pictures_next(struct pictures *p, AVPacket **packet, char **why)
{
    bool repeated = false;

    *packet = NULL;
    while (!*packet) {
        char *problem = NULL, *path = NULL;
        int err = 0;

        if (p->next == p->count)
            return AVERROR_EOF;
        if (p->numbered && p->list[p->next].number > p->number) {
            path = p->list[p->next].name ? mem_format("%s: picture number %" PRId64, *p->pattern.folder ? p->pattern.folder : ".", p->number) : sequence_path(&p->pattern, p->number);
            problem = mem_format("%s is missing", path);
            // A gap is told once.
            if (p->setup.missing == PICTURES_SKIP || !p->last) {
                free(problem);
                problem = mem_format("%s is missing%s", path, p->list[p->next].number - p->number > 1 ? ", and others behind it" : "");
                p->number = p->list[p->next].number;
            } else {
                p->number++;
            }
        } else {
            path = path_of(p, p->next++);
            p->number++;
            err = read_picture(p, path, packet, &problem);
        }
        free(path);
        if (!err && problem) {
            err = mend(p, problem, packet, why);
            repeated = *packet != NULL;
        }
        if (err == -ENOMEM)
            return err_why(why, err, "%s: no memory for a picture", p->path);
        if (err < 0)
            return err;
    }
    note_packet(p, repeated);
    if (p->setup.missing == PICTURES_HOLD) {
        av_packet_free(&p->last);
        p->last = av_packet_clone(*packet);
    }
    return 0;
}

uint64_t pictures_mended(const struct pictures *p)
{
    return p->mended;
}

void pictures_close(struct pictures **pictures)
{
    struct pictures *p = *pictures;

    if (!p)
        return;
    *pictures = NULL;
    for (size_t i = 0; i < p->count; i++)
        free(p->list[i].name);
    free(p->list);
    sequence_clear(&p->pattern);
    av_packet_free(&p->last);
    free(p->path);
    free(p->first);
    free(p->stretches);
    free(p);
}
