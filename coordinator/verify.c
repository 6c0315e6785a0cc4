#include "verify.h"

#include "common/fingerprint.h"
#include "common/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    uint8_t *fingerprints;
    uint64_t frames;
    bool here, differs;
};

struct verify {
    struct piece *pieces; // by segment
    size_t count, room;
    uint64_t hidden_seams;
    // Where the second pass is.
    size_t piece;
    uint64_t in_piece;
    uint64_t second_frames, other_frames, first_other;
};

struct verify *verify_new(void)
{
    struct verify *v = mem_zalloc(sizeof(*v));

    v->first_other = UINT64_MAX;
    return v;
}

void verify_free(struct verify **verify)
{
    if (!*verify)
        return;
    for (size_t i = 0; i < (*verify)->count; i++)
        free((*verify)->pieces[i].fingerprints);
    free((*verify)->pieces);
    free(*verify);
    *verify = NULL;
}

static void make_room(struct verify *v, size_t count)
{
    if (count > v->room) {
        v->room = count * 2;
        v->pieces = mem_grow(v->pieces, v->room, sizeof(*v->pieces));
    }
    for (; v->count < count; v->count++)
        v->pieces[v->count] = (struct piece){0};
}

bool verify_fits(size_t size)
{
    return size % FINGERPRINT_BYTES == 0;
}

int verify_on_segment(struct verify *v, uint32_t segment, const uint8_t *fingerprints, size_t size)
{
    struct piece *piece;

    if (!verify_fits(size) || segment == UINT32_MAX)
        return -EPROTO;
    make_room(v, (size_t)segment + 1);
    piece = &v->pieces[segment];
    if (piece->here)
        return -EPROTO;
    *piece = (struct piece){.here = true, .frames = size / FINGERPRINT_BYTES, .fingerprints = size ? mem_copy(fingerprints, size) : NULL};
    return 0;
}

void verify_on_hidden_seams(struct verify *v, uint64_t seams)
{
    v->hidden_seams += seams;
}

void verify_on_frame(struct verify *v, const uint8_t *fingerprint, size_t size)
{
    const uint8_t *wanted = NULL;

    while (v->piece < v->count && v->in_piece == v->pieces[v->piece].frames) {
        v->piece++;
        v->in_piece = 0;
    }
    if (v->piece < v->count)
        wanted = v->pieces[v->piece].fingerprints + v->in_piece++ * FINGERPRINT_BYTES;
    if (!wanted || size != FINGERPRINT_BYTES || memcmp(wanted, fingerprint, FINGERPRINT_BYTES) != 0) {
        v->other_frames++;
        if (v->first_other == UINT64_MAX)
            v->first_other = v->second_frames;
        if (wanted)
            v->pieces[v->piece].differs = true;
    }
    v->second_frames++;
}

// Pieces that the second pass has not reached the end of lack frames.
static bool piece_differs(const struct verify *v, size_t i)
{
    return v->pieces[i].differs || i > v->piece || (i == v->piece && v->in_piece < v->pieces[i].frames);
}

struct verify_result verify_result(const struct verify *v)
{
    struct verify_result result = {.second_frames = v->second_frames, .other_frames = v->other_frames, .first_other = v->first_other};
    size_t last = SIZE_MAX; // the piece with frames before this one

    for (size_t i = 0; i < v->count; i++) {
        result.frames += v->pieces[i].frames;
        if (v->pieces[i].frames == 0)
            continue;
        if (last != SIZE_MAX) {
            result.seams++;
            result.same_seams += !piece_differs(v, last) && !piece_differs(v, i);
        }
        last = i;
    }
    result.same = v->other_frames == 0 && result.frames == v->second_frames;
    if (result.first_other > result.frames)
        result.first_other = result.frames < v->second_frames ? result.frames : v->second_frames;
    result.seams += v->hidden_seams;
    if (result.same)
        result.same_seams += v->hidden_seams;
    return result;
}
