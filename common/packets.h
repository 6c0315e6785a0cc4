// FFmpeg's structures to and from the wire messages of protocol.proto. Each wire_* message that is filled here is freed with its generated
// free_unpacked function. A peer is not trusted: everything read from the wire is checked and refused with AVERROR_INVALIDDATA. Any thread.
#ifndef RENDERFARM_PACKETS_H
#define RENDERFARM_PACKETS_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "common/protocol.pb-c.h"

// A packet of the video whose duration nobody knows may have in its place, negative, how many ticks of the codec's own clock it lasts by its parser.
enum { PACKETS_MAX_TICKS = 64 };

void packets_parameters_to_wire(Wire__CodecParameters **out, const AVCodecParameters *par);
int packets_parameters_from_wire(AVCodecParameters *par, const Wire__CodecParameters *in);

Wire__Rational *packets_rational_to_wire(AVRational r);
AVRational packets_rational_from_wire(const Wire__Rational *r); // NULL gives 0/1

// All but the payload, which travels as a message part.
Wire__Packet *packets_packet_to_wire(const AVPacket *packet);
// The same of many, only to be packed: side data stays the packets'. One block of memory, freed with free().
Wire__Packet **packets_borrow(AVPacket *const *packets, size_t count);
// Copies size bytes of payload into a padded, reference-counted buffer.
int packets_packet_from_wire(AVPacket **packet, const Wire__Packet *in, const void *payload, size_t size);

// Side data of a stream: appends to the array *list of *count messages.
void packets_side_data_append(Wire__SideData ***list, size_t *count, int type, const void *data, size_t size);
// Looks for a type; NULL where there is none.
const Wire__SideData *packets_side_data_find(Wire__SideData *const *list, size_t count, int type);

#endif
