// Loaded before the C library: the process is killed as soon as its output, out.mp4, has got that name.
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int after(int err, const char *name)
{
    const char *slash = strrchr(name, '/');

    if (err == 0 && strcmp(slash ? slash + 1 : name, "out.mp4") == 0)
        raise(SIGKILL);
    return err;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    int (*next)(int, const char *, int, const char *, int);

    *(void **)&next = dlsym(RTLD_NEXT, "linkat");
    return after(next(from_folder, from, to_folder, to, flags), to);
}

// Where the file system has no files without names.
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    int (*next)(int, const char *, int, const char *, unsigned);

    *(void **)&next = dlsym(RTLD_NEXT, "renameat2");
    return after(next(from_folder, from, to_folder, to, flags), to);
}
