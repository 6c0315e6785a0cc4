#include "packet_queue.h"

#include "common/mem.h"

#include <stdlib.h>
#include <string.h>

void packet_queue_put(struct packet_queue *queue, AVPacket **packet)
{
    if (queue->first && queue->first == queue->count)
        queue->first = queue->count = 0;
    if (queue->count == queue->room && queue->first > queue->room / 2) {
        memmove(queue->packets, queue->packets + queue->first, (queue->count - queue->first) * sizeof(*queue->packets));
        queue->count -= queue->first;
        queue->first = 0;
    }
    if (queue->count == queue->room) {
        queue->room = queue->room ? 2 * queue->room : 64;
        queue->packets = mem_grow(queue->packets, queue->room, sizeof(*queue->packets));
    }
    queue->packets[queue->count++] = *packet;
    *packet = NULL;
}

AVPacket *packet_queue_take(struct packet_queue *queue)
{
    return queue->first < queue->count ? queue->packets[queue->first++] : NULL;
}

bool packet_queue_empty(const struct packet_queue *queue)
{
    return queue->first == queue->count;
}

void packet_queue_move(struct packet_queue *to, struct packet_queue *from)
{
    AVPacket *packet;

    while ((packet = packet_queue_take(from)))
        packet_queue_put(to, &packet);
}

void packet_queue_clear(struct packet_queue *queue)
{
    AVPacket *packet;

    while ((packet = packet_queue_take(queue)))
        av_packet_free(&packet);
    free(queue->packets);
    memset(queue, 0, sizeof(*queue));
}
