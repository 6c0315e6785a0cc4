// What renderers that are made up say of a video that is: 16 by 16 pixels of gray. Frames are `step` ticks apart, and come at `rate` a second.
#ifndef RENDERFARM_SIMULATE_GRAY_VIDEO_H
#define RENDERFARM_SIMULATE_GRAY_VIDEO_H

#include "common/protocol.pb-c.h"

#include <libavcodec/packet.h>

#include <stdint.h>

// A raw frame that is in that slot of the arena, as stages send it. As with small allocations, the program ends where there is no memory.
AVPacket *gray_video_frame(uint32_t slot, int64_t pts, int step, int rate);

// Fills in what a probe finds out, but for the filters.
void gray_video_probed(Wire__Probed *probed, int step, int rate);
void gray_video_probed_clear(Wire__Probed *probed); // frees just that

#endif
