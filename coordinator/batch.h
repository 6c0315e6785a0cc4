// Many files as one job: a farm for each, and one set of renderers for all. Files are begun in their order; while the last segments of one are being
// rendered, the first of the next are. A file that fails does not stop the others. Only one of these at a time, on the main thread.
#ifndef RENDERFARM_BATCH_H
#define RENDERFARM_BATCH_H

#include "options.h"

// Whether the command line asks for it: --batch, or a folder as input and none that could be a file as output. Looks at the disk.
bool batch_is_asked_for(const struct options *options);

// Blocks until all is done. argv as options_parse left it. Returns the exit status: 0 all is there, 1 something failed, 2 wrong use, 3 done but for
// what --on-poison tells of, 128+n ended by signal n.
int batch_run(const struct options *options, char **argv);

#endif
