#include "job_key.h"

#include "named_files.h"

#include <sodium.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void add_text(crypto_generichash_state *hash, const char *text)
{
    crypto_generichash_update(hash, (const unsigned char *)(text ? text : "\xff"), (text ? strlen(text) : 1) + 1);
}

// Of what came later nothing is added where it is not made use of, so that keys of earlier records stay what they are. --every is a filter.
static void add_later(crypto_generichash_state *hash, const struct options *o, uint64_t pictures, uint64_t bytes)
{
    char numbers[128];

    if (o->sheet_columns > 0) {
        snprintf(numbers, sizeof(numbers), "sheet %d %d %d", o->sheet_columns, o->sheet_rows, o->poster);
        add_text(hash, numbers);
    }
    if (o->framerate.num != 0 || o->missing != PICTURES_STOP || o->start_number >= 0 || o->output_start_number >= 0) {
        snprintf(numbers, sizeof(numbers), "numbers %d/%d %d %" PRId64 " %" PRId64, o->framerate.num, o->framerate.den, (int)o->missing,
                 o->start_number, o->output_start_number);
        add_text(hash, numbers);
    }
    if (o->no_other_video)
        add_text(hash, "no other video");
    if (pictures > 0) {
        snprintf(numbers, sizeof(numbers), "pictures %" PRIu64 " %" PRIu64, pictures, bytes);
        add_text(hash, numbers);
    }
}

// A copy with its time is the same file.
static int add_file(void *hash, const char *key, const char *path)
{
    struct stat about;
    char facts[96];

    (void)key;
    if (stat(path, &about) < 0)
        return 0;
    snprintf(facts, sizeof(facts), "file %" PRId64 " %" PRId64, (int64_t)about.st_size,
             about.st_mtim.tv_sec * INT64_C(1000000000) + about.st_mtim.tv_nsec);
    add_text(hash, facts);
    return 0;
}

// An input that has become newer is told by its time, later by the output's. What options name may have been replaced by something older, or while
// the output was being made. Nothing is added where nothing is named, see above.
static void add_files(crypto_generichash_state *hash, const struct options *o)
{
    named_files_read_by(o, add_file, hash);
}

void job_key(const struct options *o, uint64_t pictures, uint64_t bytes, char key[JOB_KEY_TEXT])
{
    crypto_generichash_state hash;
    unsigned char digest[(JOB_KEY_TEXT - 1) / 2];
    char numbers[128];

    crypto_generichash_init(&hash, NULL, 0, sizeof(digest));
    add_text(&hash, "renderfarm batch 1");
    add_text(&hash, o->filter);
    add_text(&hash, o->codec);
    add_text(&hash, o->pixel_format);
    snprintf(numbers, sizeof(numbers), "%a %d %d %d %d %d %d", o->segment_s, o->one_segment, o->encode_stream, o->no_audio, o->no_subtitles,
             o->no_autorotate, (int)o->on_poison);
    add_text(&hash, numbers);
    for (size_t i = 0; i < o->encoder_option_count; i++) {
        add_text(&hash, o->encoder_options[i].key);
        add_text(&hash, o->encoder_options[i].value);
    }
    for (size_t i = 0; i < o->vouched_count; i++)
        add_text(&hash, o->vouched[i]);
    add_later(&hash, o, pictures, bytes);
    add_files(&hash, o);
    crypto_generichash_final(&hash, digest, sizeof(digest));
    sodium_bin2hex(key, JOB_KEY_TEXT, digest, sizeof(digest));
}
