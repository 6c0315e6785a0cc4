// A renderer works on bytes from anywhere with a million lines of codecs, so it gives up what it does not need before it looks at the first of them:
// starting programs, the network, other processes, and files, as far as the job allows. System calls are filtered with seccomp, files are held back
// by Landlock; where the kernel lacks one of them the other has to do. There is no way back. What is denied fails with EPERM or EACCES, as if the
// user had no right to it; nobody is killed. A memory core of a crash is not written, for it would hold the user's pictures.
//
// Not jailed: memory and CPU time (a coordinator watches those), and reading what the chain of filters may need, see needs.h.
#ifndef RENDERFARM_JAIL_H
#define RENDERFARM_JAIL_H

#include <stdbool.h>

enum jail_files {
    JAIL_FILES_SYSTEM, // read programs' own files (libraries, fonts' configuration, time zones, facts about the machine), write none
    JAIL_FILES_READ,   // read whatever the user may read, write none
    JAIL_FILES_ALL,    // as before
};

enum jail_network {
    JAIL_NETWORK_NONE,
    JAIL_NETWORK_CALL, // sockets of the Internet's kinds may be made and connected, for a coordinator on another host; none is listened at
    JAIL_NETWORK_ALL,  // as before
};

struct jail {
    enum jail_files files;
    enum jail_network network;
};

// What came of it, for a line in the log.
struct jail_report {
    bool system_calls, files;
    int landlock_abi; // 0: the kernel has none
};

// The beginning, while the process has one thread: what no thread of a renderer ever needs is gone, for all threads to come.
struct jail_report jail_begin(void);

// Files for the calling thread and those that it will start; those that already run keep theirs.
struct jail_report jail_close_files(enum jail_files files);

// The end, after jail_begin: files for the calling thread and those that it will start; system calls (sockets, all that writes to files) for every
// thread that runs.
struct jail_report jail_enter(const struct jail *jail);

#endif
