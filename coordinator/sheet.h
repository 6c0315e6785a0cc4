// What --contact-sheet and --poster make of a chain of filters: a few frames are taken out of the video, and put side by side. Pure.
#ifndef RENDERFARM_SHEET_H
#define RENDERFARM_SHEET_H

#include "options.h"

// A chain and the filters behind it; free(). The chain may be empty, and may end with a label, which nothing could follow: as the only output of the
// graph it needs none.
char *sheet_append(const char *chain, const char *filters);

// Of N frames the first one at or after each of (0.5 + i) / N of the length, with its time, in columns and rows; for a poster the one at a tenth of
// it, as it is. Never none: where the first place would be behind the last frame, it is that one. duration_s: of the video, 0 when it is not known,
// with which a poster is the first frame and there can be no sheet; frame_s: of a frame, 0 when it is not known. free().
char *sheet_filters(const struct options *options, double duration_s, double frame_s);

#endif
