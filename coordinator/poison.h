// Segments that end every renderer that works on them, and what is done in their place. Outlives the pass in which they are found. Pure. Not
// thread-safe.
#ifndef RENDERFARM_POISON_H
#define RENDERFARM_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// --on-poison, and for a segment the way it goes.
enum poison_way {
    POISON_STOP, // the job ends; no segment goes this way
    POISON_COPY, // its frames go on without the filters
    POISON_SKIP, // its frames are left out
};

struct poison {
    struct poison_entry {
        uint32_t stage, segment;
        enum poison_way way;
        char *text; // "segment 3 (6.00 s to 8.00 s)", for the closing report
    } * entries;
    size_t count;
};

// NULL: nothing is wrong with it.
const struct poison_entry *poison_find(const struct poison *poison, uint32_t stage, uint32_t segment);
// What is to be done with a segment that has failed: what the user wishes, or, where that has failed too, to leave it out. can_copy: the stage can
// do without its filters. Remembers and returns it; POISON_STOP is not remembered.
enum poison_way poison_add(struct poison *poison, uint32_t stage, uint32_t segment, enum poison_way wish, int can_copy, const char *text);
// Whether there is any in a stage before that one.
bool poison_before(const struct poison *poison, uint32_t stage);
void poison_clear(struct poison *poison);

#endif
