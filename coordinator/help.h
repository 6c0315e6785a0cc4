// What renderfarm --help says.
#ifndef RENDERFARM_HELP_H
#define RENDERFARM_HELP_H

// To standard output. cores: that this process may use.
void help_print(int cores);

#endif
