// Filters that write files: figures for each frame, motion that a second run wants. A renderer that has one needs to be let, and what is written is
// none of the files that a job depends on. Of libavfilter from 5.1 to 9; tables, for who looks for the names in a text.
#ifndef RENDERFARM_WRITERS_H
#define RENDERFARM_WRITERS_H

// Those that write, or do when any of several options says so. Ends with NULL.
extern const char *const writers_filters[];

struct writers_option {
    const char *filter, *option;
};

// Those that else read files at most, and write the one that this option names. Ends with NULL twice.
extern const struct writers_option writers_options[];

#endif
