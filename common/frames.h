// Raw frames to and from descriptors (Frame of protocol.proto, as the payload of an AVPacket) with the pixels in an arena's slot. One copy on the
// way: into the slot; the receiver's frame lies in the slot itself. Pixels, all properties, side data and metadata arrive; what is not data (opaque,
// private and hardware references) does not. Any thread.
#ifndef RENDERFARM_FRAMES_H
#define RENDERFARM_FRAMES_H

#include "arena.h"
#include "chunk.h"
#include "common/protocol.pb-c.h"

#include <libavcodec/packet.h>
#include <libavutil/frame.h>

// What a frame of this kind takes; 0 for what has no size.
size_t frames_bytes(int format, int width, int height);

// How many frames of so many bytes are handed on in one message, over a hop of so many slots: half of it, at most, so that neither end waits for the
// other. Each message wakes three threads in two processes, which for small frames is as dear as copying their pixels; for large ones it is nothing.
size_t frames_in_chunk(size_t frame_bytes, size_t slot_count);

// What is said of the link that the frame comes from.
struct frames_link {
    AVRational time_base, frame_rate;
    int bits_per_raw_sample;
    bool untouched;
};

// Copies the frame into the slot, and describes it in a new packet with the frame's time; the packet's pos is the slot. A frame that
// was made of damaged data is marked by AV_PKT_FLAG_CORRUPT. -EMSGSIZE: the slot is too small.
int frames_store(struct arena *arena, uint32_t slot, const AVFrame *frame, const struct frames_link *link, AVPacket **packet);

// A peer is not trusted: NULL for a descriptor that makes no sense. Freed with wire__frame__free_unpacked.
Wire__Frame *frames_describe(const AVPacket *packet);
enum frames_way {
    FRAMES_BORROW, // the frame lies in the slot, which is released when the last reference to it goes
    FRAMES_COPY,   // the frame has memory of its own, and the slot is released at once
    FRAMES_LOOK,   // the frame lies in the slot, which stays the sender's to release
};
// A copy of the packet with the frame's pixels in its descriptor, for a receiver that has no such memory. NULL: it makes no sense, or there is no
// memory.
AVPacket *frames_with_pixels(struct arena *arena, const AVPacket *packet);
// A message to such a receiver: of the chunk's frames those from number `from` on, one at least, that are not too many to be long on the way; what is
// behind them on the same connection waits for all of it. Its sequence is the caller's to set; it is the last when they are the last chunk's last.
struct chunk *frames_message(struct arena *arena, const struct chunk *chunk, size_t from);
// Fills an empty frame, read-only but for a copy. What is to be released is so on failure too. One that carries its pixels gets memory of its own in
// any way; arena may be NULL then.
int frames_load(struct arena *arena, const Wire__Frame *in, enum frames_way way, AVFrame *frame);

#endif
