// A raw frame's description from a peer, loaded out of shared memory: nothing beyond the slot is touched, and the slot is free again afterwards.
#include "fuzz.h"

#include "common/arena.h"
#include "common/frames.h"

#include <libavcodec/packet.h>
#include <libavutil/imgutils.h>

#include <unistd.h>

enum { SLOTS = 3, SLOT_BYTES = 1 << 20 };

static struct arena *arena(void)
{
    static struct arena *a;
    int fd;

    if (a)
        return a;
    fd = arena_create();
    a = arena_map(fd, 0, SLOT_BYTES, SLOTS, true);
    if (!a)
        abort();
    close(fd);
    return a;
}

static void load(const Wire__Frame *description, enum frames_way way)
{
    AVFrame *frame = av_frame_alloc(), *second = av_frame_alloc();
    uint32_t slot;

    if (!frame || !second || arena_try(arena(), 0, SLOTS, 0, &slot) < 0 || slot != 0)
        abort();
    if (description->slot > 0 && description->slot < SLOTS)
        arena_hold(arena(), description->slot);
    if (frames_load(arena(), description, way, frame) >= 0) {
        const struct frames_link link = {.time_base = {1, 25}, .frame_rate = {25, 1}};
        AVPacket *packet = NULL;

        // All of its pixels are there to be read, and can be stored again.
        if (frames_store(arena(), SLOTS - 1, frame, &link, &packet) < 0 && frames_bytes(frame->format, frame->width, frame->height) <= SLOT_BYTES &&
            packet)
            abort();
        av_packet_free(&packet);
        if (av_frame_ref(second, frame) < 0)
            av_frame_unref(second);
    }
    av_frame_free(&frame);
    av_frame_free(&second);
    if ((way == FRAMES_LOOK || description->has_pixels) && description->slot < SLOTS)
        arena_release(arena(), description->slot);
    if (description->slot != 0)
        arena_release(arena(), slot);
    if (arena_free_count(arena(), 0, SLOTS) != SLOTS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AVPacket packet = {.data = (uint8_t *)(uintptr_t)data, .size = (int)size};
    Wire__Frame *description = frames_describe(&packet);

    if (!description)
        return 0;
    load(description, FRAMES_BORROW);
    load(description, FRAMES_COPY);
    load(description, FRAMES_LOOK);
    wire__frame__free_unpacked(description, NULL);
    return 0;
}
