// Numbered pictures as an input: which files there are, in which order, and their bytes, one whole PNG at a time. Looks at the files' structure
// (signature, lengths and checksums of chunks; PNG specification, sections 5 and 11.2.1) and at what kind of picture they hold, not at the pixels.
// Blocks; inside the demux lane.
#ifndef RENDERFARM_PICTURES_H
#define RENDERFARM_PICTURES_H

#include "sequence.h"

#include <libavcodec/packet.h>
#include <libavutil/rational.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What to do about a number that is missing, a file that is damaged, and one that is not of the first one's size and type.
enum pictures_missing {
    PICTURES_STOP, // nothing: the job ends
    PICTURES_HOLD, // the picture before it stands in for it
    PICTURES_SKIP, // it is left out, and those behind it follow
};

struct pictures_setup {
    AVRational framerate; // 0/1: 25, as ffmpeg has it
    int64_t start_number; // of the first; negative: the lowest that is there
    enum pictures_missing missing;
};

// Whether an input of this name is numbered pictures: "frames/%06d.png", a glob that ends in .png and is no file's name, or a folder. Looks at the
// disk.
bool pictures_is_input(const char *path);

struct pictures;

// Names of a folder or a glob are taken in the order in which people count (2 before 10); where they differ in one number only, a gap in it is one.
// On failure *why is one sentence.
int pictures_open(struct pictures **pictures, const char *path, const struct pictures_setup *setup, char **why);
const char *
pictures_first(const struct pictures *pictures);         // the path of the first file that holds a picture; it says what kind the others have to be
int64_t pictures_count(const struct pictures *pictures); // frames that they make, unless more have to be left out
// The next one, as a packet without times; AVERROR_EOF at the end.
int pictures_next(struct pictures *pictures, AVPacket **packet, char **why);
// The path of the file that a packet was made of, counted from 0; free(). NULL: of none. The only function that may be called while another one runs
// in the lane, and only for PICTURES_STOP, where nothing is ever mended.
char *pictures_path(const struct pictures *pictures, int64_t packet);
uint64_t pictures_mended(const struct pictures *pictures); // how often --missing was made use of
void pictures_close(struct pictures **pictures);

// What is wrong with a PNG's structure, a clause; NULL: nothing that shows. Pure; static storage.
const char *pictures_look(const uint8_t *data, size_t size);

#endif
