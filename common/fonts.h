// What the filters ass and subtitles choose their fonts of, by way of fontconfig, where a script names one or needs a letter, and drawtext where it
// is given no file: the configuration's files, the names, sizes and times of change of all that lies in the folders of fonts, and what the
// environment says about both, and about the language. fontconfig itself is not asked: to load it and let it read all that takes longer than a short
// job.
#ifndef RENDERFARM_FONTS_H
#define RENDERFARM_FONTS_H

#include <stdint.h>

enum { FONTS_SUM_BYTES = 32 };

// Equal sums, equal choices. Blocks on the disk: milliseconds for a thousand fonts. Any thread.
void fonts_sum_up(uint8_t sum[FONTS_SUM_BYTES]);
// The same of what two hosts can have in common: of the files their names and sizes, in whatever folders they lie there.
void fonts_sum_up_for_hosts(uint8_t sum[FONTS_SUM_BYTES]);

#endif
