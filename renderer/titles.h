// What a file of subtitles shows, as far as it decides whether pictures with them depend on those before.
#ifndef RENDERFARM_TITLES_H
#define RENDERFARM_TITLES_H

#include <stdbool.h>

// Whether titles are on the screen together that did not come and go together: libass leaves each where it was put when it came, which nobody knows
// who has not seen it come. number: of the file's stream of subtitles, -1 for the one that libavformat finds best. True where that cannot be told.
bool titles_overlap(const char *url, int number);

#endif
