// The folder of a running program for its sockets: nobody else may look into it, and it is gone afterwards. It is locked (flock(2)) as long as the
// program runs, so that the next start knows what one that was killed has left, and takes it away. Calls may block for as long as a folder takes to
// make.
#ifndef RENDERFARM_PRIVATE_FOLDER_H
#define RENDERFARM_PRIVATE_FOLDER_H

struct private_folder {
    char path[64]; // "" when there is none
    int lock_fd;
};

// Makes it in TMPDIR, or in /tmp where that is so long that a socket in it would have no valid address (108 bytes), after removing what killed
// programs of the same user left there. A negative errno on failure; path tells then what could not be made.
int private_folder_make(struct private_folder *folder);
// Removes it with the one file that it holds, and unlocks.
void private_folder_remove(struct private_folder *folder, const char *file);

#endif
