// Files that the values of options name, wherever in the value: "lut.cube" as a whole, "lambda-file=/x/lam.txt:crf=20" in a list of an encoder's own
// options, "path=/x/model.json|name=b" in a filter's. What is a word in the syntax and the name of an ordinary file counts as named, whatever it is
// meant as: one file too many does no harm. Looks at the disk.
#ifndef RENDERFARM_NAMED_FILES_H
#define RENDERFARM_NAMED_FILES_H

#include "options.h"

#include <stdbool.h>

// key: what stands before the "=" in front of the name, or that of the option. A negative code ends it.
typedef int (*named_files_visit)(void *data, const char *key, const char *path);

// Values of options, and whole filter chains as the user writes them. Quotes and \ are taken off, one in the other. A file that is named several
// times, or in several ways, may come several times. Returns 0, or what visit said.
int named_files(const char *key, const char *value, named_files_visit visit, void *data);

// Those that a job reads besides its input: all that its filters and its encoder name, but for what it writes itself (figures for each frame,
// mostly).
int named_files_read_by(const struct options *options, named_files_visit visit, void *data);
// Whether filters may choose of the system's fonts by themselves (drawtext where it is given no file), see common/fonts.h. Pure.
bool named_files_chooses_fonts(const char *chain);

// Whether a file names other files that are read in its place: a playlist (ffconcat, HLS), a manifest (DASH, IMF), a script, the first of several
// parts. Found out as libavformat does it when it opens the file.
bool named_files_in(const char *path);
// The same of a demuxer, by its name.
bool named_files_by(const char *demuxer);

#endif
