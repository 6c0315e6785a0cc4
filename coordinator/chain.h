// A filter chain as the user writes it, taken apart at its commas. Pure. Syntax: "Filtergraph syntax" in the manual of ffmpeg-filters.
#ifndef RENDERFARM_CHAIN_H
#define RENDERFARM_CHAIN_H

#include <stddef.h>

// The filters of a plain chain, each as written (quotes and escapes kept), NULL-ended; chain_free. NULL, and none, for anything but a plain chain:
// labels, several chains, options of the graph.
char **chain_split(const char *text, size_t *count);
void chain_free(char ***filters);

#endif
