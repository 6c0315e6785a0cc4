// Packets that wait, first in, first out; the queue owns them. Any thread, one at a time.
#ifndef RENDERFARM_PACKET_QUEUE_H
#define RENDERFARM_PACKET_QUEUE_H

#include <libavcodec/packet.h>

#include <stdbool.h>
#include <stddef.h>

// All zero is an empty one. Those that wait are packets[first] to packets[count - 1].
struct packet_queue {
    AVPacket **packets;
    size_t first, count, room;
};

void packet_queue_put(struct packet_queue *queue, AVPacket **packet);
AVPacket *packet_queue_take(struct packet_queue *queue); // NULL: there is none
bool packet_queue_empty(const struct packet_queue *queue);
void packet_queue_move(struct packet_queue *to, struct packet_queue *from); // all of them
void packet_queue_clear(struct packet_queue *queue);

#endif
