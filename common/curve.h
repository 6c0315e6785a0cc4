// Keys: who may talk to whom over the network. A coordinator has a key pair, and a list of the renderers' public keys that it lets in; a renderer has
// a pair of its own and knows its coordinator's public key. So each side proves who it is before it is heard, and all that they say is encrypted
// (ZeroMQ's CURVE: Curve25519, XSalsa20, Poly1305).
//
// A key is one line of text, in a file that only its owner can read or in the environment: "renderfarm-coordinator SECRET" or "renderfarm-renderer
// SECRET COORDINATOR", in hexadecimal. It is never written to a log. Any thread.
#ifndef RENDERFARM_CURVE_H
#define RENDERFARM_CURVE_H

#include "zsock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { CURVE_BYTES = 32, CURVE_HEX_BYTES = 2 * CURVE_BYTES + 1, CURVE_TEXT_BYTES = 160 };

struct curve_key {
    bool renderer; // a renderer's, else a coordinator's
    uint8_t secret[CURVE_BYTES], public[CURVE_BYTES];
    uint8_t coordinator[CURVE_BYTES]; // the public key of the coordinator that a renderer's key is for
};

void curve_make(struct curve_key *key);                                                    // a coordinator's
void curve_make_for(struct curve_key *key, const uint8_t coordinator_public[CURVE_BYTES]); // a renderer's
void curve_format(const struct curve_key *key, char text[CURVE_TEXT_BYTES]);               // without a line feed
int curve_parse(struct curve_key *key, const char *text);                                  // -EINVAL: it is no key
void curve_wipe(struct curve_key *key);

// "-" is standard input. On failure a negative code and a sentence (err.h): also for a file that others may read.
int curve_read(struct curve_key *key, const char *path, char **why);
// A new file, 0600. -EEXIST if there is one.
int curve_write(const struct curve_key *key, const char *path);

// Public keys that are let in.
struct curve_list {
    uint8_t (*keys)[CURVE_BYTES];
    size_t count;
};

void curve_hex(const uint8_t key[CURVE_BYTES], char hex[CURVE_HEX_BYTES]);
void curve_list_add(struct curve_list *list, const uint8_t key[CURVE_BYTES]);
bool curve_list_has(const struct curve_list *list, const uint8_t key[CURVE_BYTES]);
// Lines of "PUBLIC [whatever]"; "#" begins a comment. A list that others than its owner may write is refused.
int curve_list_read(struct curve_list *list, const char *path, char **why);
void curve_list_clear(struct curve_list *list);

// A list in a file that may change.
struct curve_file {
    char *path;
    struct curve_list list;
    struct stat seen; // as it was read; zeros: it was not there
};

// Takes path. Reads it; on failure as curve_list_read, and curve_file_clear is due all the same.
int curve_file_open(struct curve_file *file, char *path, char **why);
// Reads it again if it looks otherwise than when it was read. Returns 1 if so, 0 if not; on failure a negative code and a sentence, once for each
// change, and the list is what it was.
int curve_file_refresh(struct curve_file *file, char **why);
void curve_file_clear(struct curve_file *file);

// CPU time that it takes to encrypt a byte, ns, by trying it: this takes a millisecond or two.
double curve_cost_ns(void);

// Sockets, before they are bound or connected.
int curve_serve(struct zsock *zsock, const struct curve_key *key); // a coordinator's: asks the door's handler about each key
int curve_call(struct zsock *zsock, const struct curve_key *key);  // a renderer's

#endif
