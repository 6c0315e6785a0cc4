// What a batch is made of: the files of a folder, or the lines of a list, as pairs of an input and an output. Reads folders and lists, so it blocks;
// before the loop runs.
//
// A folder is walked with all below it, in the order of names, and links are followed; what begins with a dot is left out, and the output folder, if
// it lies inside. Names are kept. A file is a video when its name has the extension of one, or when it fits --include.
//
// A list has a job in each line, "INPUT OUTPUT [OPTION]...", in words as a shell reads them: blanks between, 'as it is', "with \" and \\", and
// \ before a character that is meant as it is; nothing is expanded. A quoted name may contain line feeds. # at the beginning of a word begins a
// comment.
#ifndef RENDERFARM_BATCH_LIST_H
#define RENDERFARM_BATCH_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch_item {
    char *input, *output; // output is NULL where a problem keeps it from having one
    char **options;       // of this job alone
    size_t option_count;
    unsigned line;     // of the list, from 1; 0: of a folder
    char *problem;     // why it cannot be rendered; NULL: nothing is known that is wrong with it
    uint64_t bytes;    // of the input; 0 if it is not there
    int64_t input_ns;  // when it was changed; 0 if it is not there
    uint64_t pictures; // that it is made of; 0: it is one file
};

struct batch_list {
    struct batch_item *items;
    size_t count;
    size_t others; // files of the folder that are no videos by their names, or excluded
};

struct batch_filter {
    const char *extension; // of all outputs, without the dot; NULL: as the input's
    char *const *includes, *const *excludes;
    size_t include_count, exclude_count;
};

// 0, or a negative code and a sentence, for the caller to free.
int batch_list_folder(struct batch_list *list, const char *input, const char *output, const struct batch_filter *filter, char **why);
int batch_list_read(struct batch_list *list, const char *path, char **why); // "-": standard input
void batch_list_clear(struct batch_list *list);

// Splits a line's words; pure. *text moves behind the line (of which quoted line feeds are a part), *lines counts the line feeds passed. Words are
// appended to *words, each to be freed. False: a quote has no end.
bool batch_list_words(const char **text, unsigned *lines, char ***words, size_t *count);
// Gives a problem to each item whose output is that of an earlier one, or an input of another, however they are spelt. Looks at the disk.
void batch_list_check(struct batch_list *list);
// Whether a name or the path below the folder fits one of the globs.
bool batch_list_fits(const char *path, char *const *globs, size_t count);

#endif
