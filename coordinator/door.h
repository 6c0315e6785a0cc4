// The way in for renderers on other hosts: a TCP socket where nobody is heard who has not proved a key that is on the list. Whoever else knocks (with
// another key, in plain text, with garbage, or ten thousand times a second) costs a counter: handshakes run on a ZeroMQ thread of their own, have
// five seconds, and beyond a number of strangers at a time new connections are dropped by the kernel until they are fewer. Knows keys and
// connections; what is said inside is the hub's business. Loop thread only.
#ifndef RENDERFARM_DOOR_H
#define RENDERFARM_DOOR_H

#include "common/curve.h"

#include <uv.h>

#include <stdint.h>

enum { DOOR_ENDPOINT_BYTES = 128 };

struct door_counts {
    uint64_t connections, admitted; // since the start
    uint64_t unknown_keys;          // proved a key that is not on the list; the rest did not get as far as that
    uint64_t shut;                  // how often there were too many at a time
};

struct door_setup {
    char endpoint[DOOR_ENDPOINT_BYTES]; // tcp://ADDRESS:PORT; the port is filled in when it is 0
    struct curve_key key;
    struct curve_file authorised; // read again when it changes
    struct curve_list launched;   // let in too
    struct door_counts counts;
    const char *cpu; // that all who work here must have, see remote.h; NULL: any
};

struct door;

// "tcp://ADDRESS:PORT"; ADDRESS is *, an IPv4 address, an IPv6 address in brackets, or a name. False: it is not.
bool door_endpoint_is_valid(const char *endpoint);

// setup lives as long as the door. Messages are those of a ROUTER. One line is logged on failure.
int door_open(struct door **door, uv_loop_t *loop, struct door_setup *setup, zsock_on_message on_message, void *data);
struct zsock *door_socket(struct door *door);
// Whether a message came through the door with a key that is on the list. ZeroMQ sees to that; it would let in every key if it had nobody to ask.
bool door_admitted(zmq_msg_t *part);
void door_tick(struct door *door, uint64_t now_ns); // a few times a second: strangers have had their time
void door_close(struct door **door, int linger_ms);

#endif
