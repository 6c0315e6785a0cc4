// The shared objects that this process runs with: FFmpeg's libraries, what they bring along (libx264, libass, libm...), and what LD_PRELOAD names,
// each by its build, because versions say little: the linker's build id, and where there is none size and time of the file. Left out are the program,
// the C library and the loader, and what has nothing to do with pictures and packets: networks, keys, desktops, sound cards. So two hosts of which
// one has a newer TLS library are alike.
#ifndef RENDERFARM_LOADED_H
#define RENDERFARM_LOADED_H

// " libx264.so.164=0123456789abcdef libx265.so.199=..." in the order in which they were loaded; free(). What is loaded later (plugins, drivers) is
// not in it, so it is to be asked for at the start. Well under a millisecond.
char *loaded_objects(void);

#endif
