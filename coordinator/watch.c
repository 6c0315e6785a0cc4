#include "watch.h"

#include "common/clock.h"
#include "common/credit.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    FRAMES_AT_A_TIME = 16, // that a renderer may have taken in and not told of, for the guess from the probe
    MOST_FOURFOLDS = 4,
};

void watch_init(struct watch *watch, double timeout_s)
{
    *watch = (struct watch){.timeout_ns = (uint64_t)(timeout_s * 1e9)};
}

void watch_on_sign(struct watch *watch, struct renderer *renderer, uint64_t now_ns)
{
    uint64_t silence_ns = now_ns - renderer->heard_ns;

    if (renderer->state == RENDERER_BUSY && !renderer->probing && silence_ns > watch->longest_ns)
        watch->longest_ns = silence_ns;
    renderer->heard_ns = now_ns;
}

void watch_on_probe(struct watch *watch, uint64_t took_ns)
{
    if (took_ns * FRAMES_AT_A_TIME > watch->longest_ns)
        watch->longest_ns = took_ns * FRAMES_AT_A_TIME;
}

// For input, for credit, or for a task.
static bool waits_for_us(const struct renderer *renderer)
{
    if (renderer->state == RENDERER_STARTING || renderer->cancelled)
        return false;
    return renderer->state != RENDERER_BUSY || roster_waits_for_credit(renderer) || roster_waits_for_input(renderer);
}

// What was given up before may just be slow.
static uint64_t patience_ns(const struct watch *watch, const struct renderer *renderer)
{
    uint32_t before = renderer->state == RENDERER_BUSY ? renderer->task.faults : 0;

    return ((watch->timeout_ns + watch->longest_ns) << 2 * (before < MOST_FOURFOLDS ? before : MOST_FOURFOLDS)) + CREDIT_LIFE_NS;
}

struct renderer *watch_find(struct watch *watch, struct roster *roster, uint64_t now_ns)
{
    uint64_t asleep_ns = 0;
    struct renderer *found = NULL;
    bool later_alive = false;

    if (watch->looked_ns && now_ns - watch->looked_ns > watch->timeout_ns / 2)
        asleep_ns = now_ns - watch->looked_ns;
    watch->looked_ns = now_ns;
    for (size_t i = 0; i < roster->count; i++) {
        struct renderer *renderer = &roster->renderers[i];

        renderer->heard_ns = clock_excuse(renderer->heard_ns, asleep_ns, now_ns);
        if (waits_for_us(renderer))
            renderer->heard_ns = now_ns;
        if (renderer->state != RENDERER_GONE && now_ns - renderer->heard_ns > patience_ns(watch, renderer) &&
            (!found || renderer->stage > found->stage))
            found = renderer;
    }
    // Frames that nobody takes hold up everybody before them.
    for (size_t i = 0; found && i < roster->count; i++) {
        const struct renderer *other = &roster->renderers[i];

        later_alive |= other->stage > found->stage && !waits_for_us(other);
    }
    return later_alive ? NULL : found;
}
