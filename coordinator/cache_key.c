#include "cache_key.h"

#include "named_files.h"

#include "common/fonts.h"
#include "common/mem.h"
#include "common/protocol.h"

#include <libavcodec/packet.h>

#include <sodium.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SIDE_FILE_BYTES = 64 << 20, // of larger ones size and time of change must do
    END_BYTES = 1 << 20,        // of a large input: the first and the last ones,
    SAMPLES = 64,               // and so many blocks between them
    SAMPLE_BYTES = 64 << 10,
    READ_BYTES = 64 << 10,
};

static const char format[] = "renderfarm cache key 2"; // the number rises with every change of what is hashed below

struct hash {
    crypto_generichash_state state;
};

static void add_raw(struct hash *hash, const void *data, size_t size)
{
    if (size)
        crypto_generichash_update(&hash->state, data, size);
}

static void add_number(struct hash *hash, int64_t number)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> 8 * i);
    add_raw(hash, bytes, sizeof(bytes));
}

// The length stands in front, so that no two different lists of fields are the same bytes.
static void add_bytes(struct hash *hash, const void *data, size_t size)
{
    add_number(hash, (int64_t)size);
    add_raw(hash, data, size);
}

static void add_text(struct hash *hash, const char *text)
{
    if (text)
        add_bytes(hash, text, strlen(text));
    else
        add_number(hash, -1);
}

static void add_key(struct hash *hash, const struct cache_key *key)
{
    add_raw(hash, key->bytes, sizeof(key->bytes));
}

static void begin(struct hash *hash, const char *what)
{
    // Picks the fastest code for this machine; free after the first time.
    if (sodium_init() < 0)
        abort(); // the system has no random numbers; libsodium ends most programs then itself
    crypto_generichash_init(&hash->state, NULL, 0, CACHE_KEY_BYTES);
    add_text(hash, format);
    add_text(hash, what);
}

static void end(struct hash *hash, struct cache_key *key)
{
    crypto_generichash_final(&hash->state, key->bytes, sizeof(key->bytes));
}

void cache_key_text(const struct cache_key *key, char text[CACHE_KEY_TEXT])
{
    sodium_bin2hex(text, CACHE_KEY_TEXT, key->bytes, sizeof(key->bytes));
}

// Files.

// Hashes the bytes [from, from + size). -EIO for a file that is shorter now.
static int add_part(struct hash *hash, int fd, int64_t from, int64_t size)
{
    uint8_t buffer[READ_BYTES];

    while (size > 0) {
        ssize_t got = pread(fd, buffer, size < READ_BYTES ? (size_t)size : READ_BYTES, from);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EIO;
        add_raw(hash, buffer, (size_t)got);
        from += got;
        size -= got;
    }
    return 0;
}

// Size and time of change.
static void add_facts(struct hash *hash, const struct stat *about)
{
    add_number(hash, about->st_size);
    add_number(hash, about->st_mtim.tv_sec);
    add_number(hash, about->st_mtim.tv_nsec);
}

static int open_ordinary(const char *path, struct stat *about)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err; // a pipe must not make us wait

    if (fd < 0)
        return -errno;
    err = fstat(fd, about) < 0 ? -errno : S_ISREG(about->st_mode) ? 0 : -EINVAL;
    if (err < 0)
        close(fd);
    return err < 0 ? err : fd;
}

// Without the time of change where the content is read: a fresh copy of the same file gives the same picture.
static int add_side_file(struct hash *hash, const char *path)
{
    struct stat about;
    int fd, err = 0;

    if (stat(path, &about) < 0 || !S_ISREG(about.st_mode))
        return 0;
    add_text(hash, "file");
    add_text(hash, path);
    fd = about.st_size <= SIDE_FILE_BYTES ? open_ordinary(path, &about) : -EFBIG;
    if (fd < 0) {
        add_facts(hash, &about); // also for one that we may not read: then no filter reads it either
        return 0;
    }
    add_number(hash, about.st_size);
    err = add_part(hash, fd, 0, about.st_size);
    close(fd);
    return err;
}

static int visit_side_file(void *hash, const char *key, const char *path)
{
    (void)key;
    return add_side_file(hash, path);
}

// A list of files may stay as it is while they change, and nothing tells which of them are read.
static int visit_filters_file(void *hash, const char *key, const char *path)
{
    (void)key;
    return named_files_in(path) ? -ENOTSUP : add_side_file(hash, path);
}

// Fonts for the filter ass: the names, sizes and times are enough.
static void add_side_folder(struct hash *hash, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);

    add_text(hash, "folder");
    add_text(hash, path);
    add_number(hash, count);
    for (int i = 0; i < count; i++) {
        char *name = mem_format("%s/%s", path, entries[i]->d_name);
        struct stat about = {0};

        add_text(hash, entries[i]->d_name);
        if (stat(name, &about) == 0 && S_ISREG(about.st_mode))
            add_facts(hash, &about);
        free(name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

// Wherever libavfilter looks for one. A few places too many do no harm.
static int add_plugin(struct hash *hash, const char *name)
{
    static const char *const system[] = {"/usr/local/lib/frei0r-1", "/usr/lib/frei0r-1", "/usr/local/lib64/frei0r-1", "/usr/lib64/frei0r-1"};
    const char *listed = getenv("FREI0R_PATH"), *home = getenv("HOME");
    char *places = mem_dup(listed ? listed : ""), *rest = places, *place;
    int err = 0;

    add_text(hash, listed);
    while (err >= 0 && (place = strsep(&rest, ":"))) {
        char *path = mem_format("%s/%s.so", place, name);

        err = add_side_file(hash, path);
        free(path);
    }
    free(places);
    for (size_t i = 0; err >= 0 && i <= sizeof(system) / sizeof(*system); i++) {
        char *path = i == 0 ? mem_format("%s/.frei0r-1/lib/%s.so", home ? home : "", name) : mem_format("%s/%s.so", system[i - 1], name);

        err = add_side_file(hash, path);
        free(path);
    }
    return err;
}

static bool opens_lists(const Wire__Option *option)
{
    return strcmp(option->key, "format_name") == 0 && named_files_by(option->value);
}

// The files that an option's value names.
static int add_side(struct hash *hash, const Wire__FilterFacts *filter, const Wire__Option *option)
{
    const char *value = option->value;
    struct stat about;

    if (!*value)
        return 0;
    // A pattern of many files, a device, a stream.
    if (strcmp(filter->name, "movie") == 0 && strcmp(option->key, "filename") == 0 && (stat(value, &about) < 0 || !S_ISREG(about.st_mode)))
        return -ENOTSUP;
    if (strcmp(filter->name, "movie") == 0 && opens_lists(option))
        return -ENOTSUP;
    if (strncmp(filter->name, "frei0r", 6) == 0 && strcmp(option->key, "filter_name") == 0)
        return add_plugin(hash, value);
    if (strcmp(option->key, "fontsdir") == 0)
        add_side_folder(hash, value);
    return named_files(option->key, value, visit_filters_file, hash);
}

static void add_fonts(struct hash *hash)
{
    uint8_t sum[FONTS_SUM_BYTES];

    fonts_sum_up(sum);
    add_bytes(hash, sum, sizeof(sum));
}

static bool chooses_fonts(const Wire__FilterFacts *filter)
{
    bool given = false;

    for (size_t i = 0; i < filter->n_options; i++)
        given |= strcmp(filter->options[i]->key, "fontfile") == 0 && *filter->options[i]->value;
    return strcmp(filter->name, "ass") == 0 || strcmp(filter->name, "subtitles") == 0 || (strcmp(filter->name, "drawtext") == 0 && !given);
}

static int add_filter(struct hash *hash, const Wire__FilterFacts *filter)
{
    int err = 0;

    add_text(hash, filter->name);
    if (chooses_fonts(filter))
        add_fonts(hash);
    add_number(hash, (int64_t)filter->n_options);
    for (size_t i = 0; i < filter->n_options && err >= 0; i++) {
        add_text(hash, filter->options[i]->key);
        add_text(hash, filter->options[i]->value);
        err = add_side(hash, filter, filter->options[i]);
    }
    return err;
}

// Jobs.

// cut: no decoder of a codec that may be cut looks at the bit rate, which is that of the whole file and changes when it gets longer.
static int add_job(struct hash *hash, const Wire__Job *job, bool cut)
{
    Wire__Job copy = *job;
    Wire__CodecParameters input;
    uint8_t *packed;
    int err = 0;

    copy.id = 0;
    copy.whole_filters = NULL;
    copy.arena = NULL; // as many slots as the machine has cores and memory for
    if (cut && job->input) {
        input = *job->input;
        input.bit_rate = 0;
        copy.input = &input;
    }
    packed = mem_zalloc(wire__job__get_packed_size(&copy));
    add_bytes(hash, packed, wire__job__pack(&copy, packed));
    free(packed);
    for (size_t i = 0; i < job->n_encoder_options && err >= 0; i++)
        err = named_files(job->encoder_options[i]->key, job->encoder_options[i]->value, visit_side_file, hash);
    return err;
}

static void add_stage(struct hash *hash, const struct plan_stage *stage)
{
    add_number(hash, stage->decode);
    add_number(hash, stage->encode);
    add_number(hash, stage->parallel);
    add_number(hash, stage->before);
    add_number(hash, stage->after);
    add_number(hash, stage->run_frames);
    add_text(hash, stage->filters);
    add_text(hash, stage->sink_format);
}

// How long a segment is in the end: the same packets give the same result however the rest of the video is cut, so a longer video still finds them.
static void add_cuts(struct hash *hash, const struct plan *plan)
{
    int64_t segment_s, taper_s;

    memcpy(&segment_s, &plan->segment_s, sizeof(segment_s));
    memcpy(&taper_s, &plan->taper_s, sizeof(taper_s));
    add_text(hash, "six left"); // the rule by which they get shorter, see taper.h
    add_number(hash, segment_s);
    add_number(hash, taper_s);
    for (size_t i = 0; i < plan->stage_count; i++) {
        add_number(hash, (int64_t)plan->stages[i].frames);
        add_number(hash, plan->stages[i].brief_frames);
    }
}

int cache_job_key_make(struct cache_job_key *key, const char *libraries, const Wire__Job *const *jobs, size_t job_count, const struct plan *plan,
                       Wire__FilterFacts *const *filters, size_t filter_count)
{
    struct hash hash;
    int err = 0;

    *key = (struct cache_job_key){0};
    begin(&hash, "job");
    add_text(&hash, RENDERFARM_VERSION);
    add_number(&hash, PROTOCOL_VERSION);
    add_text(&hash, libraries);
    add_number(&hash, (int64_t)job_count);
    for (size_t i = 0; i < job_count && err >= 0; i++) {
        err = add_job(&hash, jobs[i], plan->stages[0].parallel);
        // "pos" is a variable in the expressions of many filters.
        key->positions |= jobs[i]->filters && strcasestr(jobs[i]->filters, "pos") != NULL;
    }
    add_text(&hash, plan->chain);
    add_number(&hash, (int64_t)plan->stage_count);
    for (size_t i = 0; i < plan->stage_count; i++)
        add_stage(&hash, &plan->stages[i]);
    add_number(&hash, (int64_t)filter_count);
    for (size_t i = 0; i < filter_count && err >= 0; i++)
        err = add_filter(&hash, filters[i]);
    end(&hash, &key->results);
    if (err < 0)
        return err;
    key->positions |= plan->chain && strcasestr(plan->chain, "pos") != NULL;
    begin(&hash, "cuts");
    add_key(&hash, &key->results);
    add_cuts(&hash, plan);
    end(&hash, &key->cuts);
    return 0;
}

// Segments.

static void add_packet(struct hash *hash, const AVPacket *packet, bool position)
{
    add_number(hash, packet->pts);
    add_number(hash, packet->dts);
    add_number(hash, packet->duration);
    add_number(hash, packet->flags);
    if (position)
        add_number(hash, packet->pos);
    add_bytes(hash, packet->data, (size_t)packet->size);
    add_number(hash, packet->side_data_elems);
    for (int i = 0; i < packet->side_data_elems; i++) {
        add_number(hash, (int64_t)packet->side_data[i].type);
        add_bytes(hash, packet->side_data[i].data, packet->side_data[i].size);
    }
}

void cache_key_of_packets(struct cache_key *key, const struct cache_job_key *job, int64_t keep_from, int64_t keep_to, const uint8_t *extradata,
                          size_t extradata_size, const struct chunk_list *chunks)
{
    struct hash hash;
    int64_t count = 0;

    begin(&hash, "packets");
    add_key(&hash, &job->results);
    add_number(&hash, keep_from);
    add_number(&hash, keep_to);
    add_number(&hash, extradata != NULL); // none of its own is not an empty one
    add_bytes(&hash, extradata, extradata ? extradata_size : 0);
    for (const struct chunk *chunk = chunks->first; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->packet_count; i++, count++)
            add_packet(&hash, chunk->packets[i], job->positions);
    add_number(&hash, count);
    end(&hash, key);
}

// All of a small file; of a large one both ends, where containers keep their tables, and blocks all over it.
static int add_samples(struct hash *hash, int fd, int64_t size)
{
    int64_t gap = (size - 2 * END_BYTES) / SAMPLES;
    int err;

    if (size <= CACHE_FILE_WHOLE_BYTES)
        return add_part(hash, fd, 0, size);
    err = add_part(hash, fd, 0, END_BYTES);
    for (int64_t i = 0; i < SAMPLES && err >= 0; i++)
        err = add_part(hash, fd, END_BYTES + i * gap, SAMPLE_BYTES);
    return err < 0 ? err : add_part(hash, fd, size - END_BYTES, END_BYTES);
}

int cache_file_identify(struct cache_file_id *id, const char *path)
{
    struct stat about;
    struct hash hash;
    int fd = open_ordinary(path, &about), err;

    if (fd < 0)
        return fd;
    if (named_files_in(path)) {
        close(fd);
        return -ENOTSUP;
    }
    begin(&hash, "input");
    add_facts(&hash, &about);
    err = add_samples(&hash, fd, about.st_size);
    close(fd);
    end(&hash, &id->content);
    return err;
}

void cache_key_of_file(struct cache_key *key, const struct cache_job_key *job, const struct cache_file_id *id, uint32_t segment)
{
    struct hash hash;

    begin(&hash, "file");
    add_key(&hash, &job->cuts);
    add_key(&hash, &id->content);
    add_number(&hash, segment);
    end(&hash, key);
}
