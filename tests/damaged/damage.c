// Damages a clip: flipped bytes, a missing end, ranges that are zero, doubled, missing, or another clip's. The same seed and index do the same to the
// same clips. usage: damage SEED INDEX FOLDER CLIP...
// Writes FOLDER/in.EXTENSION of one of the clips, and says on standard output what it did.
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 4 << 20 };

struct bytes {
    uint8_t *at;
    size_t size;
};

static uint64_t state;

// SplitMix64: every seed is as good as any other.
static uint64_t draw(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static size_t below(size_t limit)
{
    return limit ? (size_t)(draw() % limit) : 0;
}

// Mostly short, now and then long.
static size_t length_below(size_t limit)
{
    size_t most = (size_t)1 << below(20);

    return 1 + below(most < limit ? most : limit);
}

static struct bytes read_clip(const char *path)
{
    struct bytes clip = {malloc(MOST_BYTES), 0};
    FILE *file = fopen(path, "rb");

    if (!file || !clip.at) {
        fprintf(stderr, "damage: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    clip.size = fread(clip.at, 1, MOST_BYTES, file);
    fclose(file);
    return clip;
}

// Half of the damage goes to the first kilobytes, where the headers are, or to the last, where MP4 has its tables.
static size_t somewhere(size_t size)
{
    size_t near = size < 4096 ? size : 4096;

    switch (below(4)) {
    case 0:
        return below(near);
    case 1:
        return size - 1 - below(near);
    default:
        return below(size);
    }
}

static void flip(struct bytes *clip)
{
    size_t count = (size_t)1 << below(8);

    printf(", %zu flips", count);
    for (size_t i = 0; i < count; i++) {
        size_t at = somewhere(clip->size);

        switch (below(4)) {
        case 0:
            clip->at[at] = (uint8_t)draw();
            break;
        case 1:
            clip->at[at] = below(2) ? 0xff : 0x7f;
            break;
        default:
            clip->at[at] ^= (uint8_t)(1u << below(8));
        }
    }
}

static void cut_end(struct bytes *clip)
{
    clip->size = 1 + below(clip->size);
    printf(", cut at %zu", clip->size);
}

static void zero(struct bytes *clip)
{
    size_t at = somewhere(clip->size), length = length_below(clip->size - at);

    if (length > clip->size - at)
        length = clip->size - at;
    memset(clip->at + at, 0, length);
    printf(", %zu zeros at %zu", length, at);
}

static void take_out(struct bytes *clip)
{
    size_t at = somewhere(clip->size), length = length_below(clip->size - at);

    if (length >= clip->size - at)
        length = clip->size - at - (at == 0);
    memmove(clip->at + at, clip->at + at + length, clip->size - at - length);
    clip->size -= length;
    printf(", %zu missing at %zu", length, at);
}

static void put_in(struct bytes *clip, size_t at, const uint8_t *from, size_t length)
{
    uint8_t *piece = malloc(length ? length : 1);

    if (!piece)
        exit(2);
    if (length > MOST_BYTES - clip->size)
        length = MOST_BYTES - clip->size;
    memcpy(piece, from, length);
    memmove(clip->at + at + length, clip->at + at, clip->size - at);
    memcpy(clip->at + at, piece, length);
    clip->size += length;
    free(piece);
}

static void repeat(struct bytes *clip)
{
    size_t from = somewhere(clip->size), length = length_below(clip->size - from), at = somewhere(clip->size);

    if (length > clip->size - from)
        length = clip->size - from;
    put_in(clip, at, clip->at + from, length);
    printf(", %zu of %zu once more at %zu", length, from, at);
}

static void splice(struct bytes *clip, const char *other_path)
{
    struct bytes other = read_clip(other_path);
    size_t from, length, at = somewhere(clip->size);

    if (other.size > 0) {
        from = below(other.size);
        length = length_below(other.size - from);
        if (length > other.size - from)
            length = other.size - from;
        put_in(clip, at, other.at + from, length);
        printf(", %zu of %s at %zu", length, other_path, at);
    }
    free(other.at);
}

static void write_clip(const char *folder, const char *like, const struct bytes *clip)
{
    const char *dot = strrchr(like, '.');
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s/in%s", folder, dot && !strchr(dot, '/') ? dot : "");
    file = fopen(path, "wb");
    if (!file || fwrite(clip->at, 1, clip->size, file) != clip->size || fclose(file) != 0) {
        fprintf(stderr, "damage: %s: %s\n", path, strerror(errno));
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct bytes clip;
    const char *path;

    if (argc < 5) {
        fprintf(stderr, "usage: damage SEED INDEX FOLDER CLIP...\n");
        return 2;
    }
    state = strtoull(argv[1], NULL, 10) * 0xd1342543de82ef95 + strtoull(argv[2], NULL, 10);
    draw();
    path = argv[4 + below((size_t)argc - 4)];
    clip = read_clip(path);
    fputs(path, stdout);
    for (size_t i = 1 + below(3); i > 0 && clip.size > 1; i--) {
        switch (below(8)) {
        case 0:
            cut_end(&clip);
            break;
        case 1:
            zero(&clip);
            break;
        case 2:
            take_out(&clip);
            break;
        case 3:
            repeat(&clip);
            break;
        case 4:
            splice(&clip, argv[4 + below((size_t)argc - 4)]);
            break;
        default:
            flip(&clip);
        }
    }
    puts("");
    write_clip(argv[3], path, &clip);
    free(clip.at);
    return 0;
}
