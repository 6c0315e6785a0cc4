#include "hops.h"

#include <uv.h>

enum {
    HELD = 8,  // frames that a process may be busy with
    LEAD = 16, // of a producer in order
};

// What one of those who take the frames has to be given before it can begin to let go of them.
static uint64_t taken(const struct plan_stage *to)
{
    return (to->parallel ? to->run_frames + 2 * to->before + to->after : 0) + HELD;
}

// A whole run for each of the consumers, because it is held until it is done. Producers of runs have room for one each, and one run more is ready
// when the first of the consumers ends. A producer in order goes on in the middle of a run as soon as there is room, and needs no such lead: all
// memory that is used once costs time to get.
uint64_t hops_wanted(const struct plan_stage *from, const struct plan_stage *to, uint64_t workers)
{
    uint64_t lead = from->parallel ? taken(to) + workers * from->run_frames : LEAD + 2 * to->before + to->after + HELD;

    return lead + (to->parallel ? workers * to->run_frames : 0) + HELD;
}

// Less, and it would get stuck.
static uint64_t needed(const struct plan_stage *from, const struct plan_stage *to)
{
    return taken(to) + (from->parallel ? from->run_frames : 0) + HELD;
}

// Half of what the machine has, or the control group that this process is in, without what others have of it; bytes.
static uint64_t budget(uint64_t others)
{
    uint64_t all = uv_get_total_memory(), allowed = uv_get_constrained_memory(), half = (allowed > 0 && allowed < all ? allowed : all) / 2;

    return half > others ? half - others : 0;
}

uint32_t hops_deal(struct stage *stages, size_t stage_count, size_t frame_bytes, unsigned workers, uint64_t others)
{
    uint64_t affordable = frame_bytes > 0 ? budget(others) / frame_bytes / (stage_count - 1) : 0, count = 0;

    for (size_t i = 0; i + 1 < stage_count; i++) {
        const struct plan_stage *from = stages[i].plan, *to = stages[i + 1].plan;
        uint64_t slots = hops_wanted(from, to, workers), least = needed(from, to);

        slots = slots > affordable ? affordable : slots;
        slots = slots < least ? least : slots;
        stages[i].slots.first = (uint32_t)count;
        stages[i].slots.count = (uint32_t)slots;
        stages[i].reserve = (uint32_t)taken(to) + HELD;
        count += slots;
    }
    return count > UINT32_MAX / 2 ? 0 : (uint32_t)count;
}

struct arena *hops_map(int fd, uint64_t offset, struct stage *stages, size_t stage_count, size_t frame_bytes, uint32_t slot_count)
{
    struct arena *arena = arena_map(fd, offset, frame_bytes, slot_count, true);

    for (size_t i = 0; arena && i < stage_count; i++) {
        stages[i].slots.slot_bytes = frame_bytes;
        stages[i].slots.slot_count = slot_count;
        stages[i].slots.has_offset = offset > 0;
        stages[i].slots.offset = offset;
        stages[i].job.arena = &stages[i].slots;
        stage_set_arena(&stages[i], arena);
    }
    return arena;
}
