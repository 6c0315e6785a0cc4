// What --contact-sheet and --poster make of a chain of filters: a few frames are taken out of the video, and put side by side. Pure.
#ifndef RENDERFARM_SHEET_H
#define RENDERFARM_SHEET_H

#include "options.h"

// Of N frames the first one at or after each of (0.5 + i) / N of the length, with its time, in columns and rows; for a poster the one at a tenth of
// it, as it is. duration_s: of the video, above 0. free().
char *sheet_filters(const struct options *options, double duration_s);

#endif
