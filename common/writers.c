#include "writers.h"

#include <stddef.h>

const char *const writers_filters[] = {"ametadata", "deshake", "libvmaf",       "metadata",   "psnr",  "signature",
                                       "ssim",      "ssim360", "vidstabdetect", "vmafmotion", "xpsnr", NULL};

const struct writers_option writers_options[] = {{"curves", "plot"}, {"paletteuse", "debug_kdtree"}, {NULL, NULL}};
