// Whether what was rendered in pieces is what a single run makes. While the job runs, the fingerprints of all frames that went to encoders are
// kept (16 bytes a frame); afterwards they are compared, one by one, with those of a second pass that filters the whole video in one piece and
// encodes nothing. Pure. Not thread-safe.
#ifndef RENDERFARM_VERIFY_H
#define RENDERFARM_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verify;

struct verify *verify_new(void);
void verify_free(struct verify **verify);

bool verify_fits(size_t size); // whether so many bytes can be fingerprints
// A segment's fingerprints, in the order of its frames. Segments come in any order, each once. -EPROTO when it came before or does not fit.
int verify_on_segment(struct verify *v, uint32_t segment, const uint8_t *fingerprints, size_t size);
// Cuts besides those between the segments: of stages before the last.
void verify_on_hidden_seams(struct verify *v, uint64_t seams);

// The second pass: the next frame's fingerprint.
void verify_on_frame(struct verify *v, const uint8_t *fingerprint, size_t size);

struct verify_result {
    uint64_t seams, same_seams; // a seam is the same when all frames on both of its sides are, up to the next seams
    uint64_t frames, other_frames;
    uint64_t first_other;   // number of the first frame that differs, from 0; frames if none
    uint64_t second_frames; // that the second pass gave
    bool same;              // all of it
};

struct verify_result verify_result(const struct verify *v);

#endif
