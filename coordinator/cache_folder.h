// The folder in which finished segments are kept, one file each, named after its key: which are there, which go when there are too many. Knows names,
// sizes and times, nothing of what the files hold. Several programs may use one folder at a time: an entry appears whole, by a rename, and whoever
// has it open may go on reading when another program removes it. Only regular files with names of ours are ever removed, and no link is followed.
//
// Calls block on the disk; one thread at a time for each folder, so they belong into a lane.
#ifndef RENDERFARM_CACHE_FOLDER_H
#define RENDERFARM_CACHE_FOLDER_H

#include "cache_key.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// A file of the job's own folder that is no entry, see finished.h.
#define CACHE_FOLDER_FINISHED "finished"

struct cache_folder;

struct cache_folder_counts {
    uint64_t stored, found, missed; // entries, by this program
    uint64_t stored_bytes;
    uint64_t dropped; // unusable ones
    uint64_t evicted; // for lack of room
};

// The folder itself is made when the first entry comes, with the file CACHEDIR.TAG that tells backups to leave it out (see bford.info/cachedir); one
// that exists already gets no tag. Removes what killed programs left half-written there, and entries beyond the limit, those first that were not
// looked up for the longest time. limit_bytes: of all entries, 0 for none. own: this job's folder, which cache_folder_remove takes away; it must not
// be a link. Returns 0, -ENOTDIR for a file, -EACCES or -EROFS where nothing can be written, -ENOENT when not even the folder around it is there.
int cache_folder_open(struct cache_folder **folder, const char *path, uint64_t limit_bytes, bool own);
void cache_folder_close(struct cache_folder **folder); // NULL is fine; the entries stay

// A file to read the entry from, at its beginning; the caller closes it. NULL when there is none. It counts as used now.
FILE *cache_folder_lookup(struct cache_folder *folder, const struct cache_key *key);
// The same for somebody who only looks what is there: it counts for nothing.
FILE *cache_folder_peek(struct cache_folder *folder, const struct cache_key *key);
// The entry is unusable.
void cache_folder_drop(struct cache_folder *folder, const struct cache_key *key);

// An entry in the making: a locked file that has no name of an entry yet. Any number at a time.
struct cache_store;

int cache_folder_begin(struct cache_folder *folder, const struct cache_key *key, struct cache_store **store);
FILE *cache_store_file(struct cache_store *store); // to write to; the store's
// The entry is whole: it is put to disk and gets its name, in place of an older one. *store is NULL afterwards, and on failure nothing is left.
int cache_folder_commit(struct cache_folder *folder, struct cache_store **store);
void cache_folder_abort(struct cache_folder *folder, struct cache_store **store); // NULL is fine

// Takes the job's own folder away. Another program's unfinished files stay, as does whatever is not ours; then the folder does too: -ENOTEMPTY.
// Does nothing to a folder that is not the job's own. No entry may be in the making. The folder can be used on: it is made again.
int cache_folder_remove(struct cache_folder *folder);
// The same where there is no entry in it, and never was room for one maybe.
int cache_folder_remove_empty(struct cache_folder *folder);

uint64_t cache_folder_entries(const struct cache_folder *folder); // that are there now
const struct cache_folder_counts *cache_folder_counts(const struct cache_folder *folder);

#endif
