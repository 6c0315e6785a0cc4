// What the frames that leave a filter depend on, which decides how far a video may be cut in front of it. Pure: the facts about a filter come from a
// renderer that has parsed the chain, the knowledge from classes_table.h.
#ifndef RENDERFARM_CLASSES_H
#define RENDERFARM_CLASSES_H

#include "common/protocol.pb-c.h"

#include <stdbool.h>

enum class_kind {
    CLASS_FRAME,    // an output frame from its own input frame
    CLASS_COUNTED,  // also from the number of the frame in the stream
    CLASS_WINDOW,   // also from a bounded number of neighbours
    CLASS_STATEFUL, // from everything before it
};

struct class_result {
    enum class_kind kind;
    bool meta_later;        // it attaches metadata whose class is worse than FRAME, which matters to filters behind it that read metadata
    bool reads_meta;        // what it does depends on metadata that filters before it attached
    const char *looks_at;   // besides its frames: a clause about what only is what it is for ffmpeg in a single process with everything; or NULL
    bool commands;          // it tells other filters of the graph what to do, and they have to be there
    bool writes;            // a file with something of every frame, in order
    bool overwrites;        // it goes on writing into frames that it has given: who keeps them sees that
    bool endless;           // more comes of it, for ever, when its input has ended
    bool ends;              // it may end the video, and has to tell those before it
    bool in_slices;         // its pictures depend on the number of slices that they are filtered in, as far as is known
    bool repeatable;        // two runs of ffmpeg give the same; if not, nothing can be exact
    bool steady;            // one frame out for each frame in, with that frame's time
    bool forward;           // CLASS_WINDOW that is not steady: from a frame's time on, and up to that of the next one, what it gives depends on both
                            // and on their neighbours alone, its times too
    bool fewer;             // forward: it may give less than a frame for each one that comes
    bool bounded;           // CLASS_WINDOW: the number of neighbours is known
    unsigned before, after; // then: how many
    const char *why;        // a clause for people about a kind other than FRAME: "carries state from frame to frame"; static
};

struct class_result classes_of(const Wire__FilterFacts *filter);
// Of a filter that the user vouches for: CLASS_FRAME, unless it joins or splits streams; then what is known of it.
struct class_result classes_of_vouched(const Wire__FilterFacts *filter);
// Whether the name is the filter's, or that of the plugin that it runs (frei0r).
bool classes_is_called(const Wire__FilterFacts *filter, const char *name);

#endif
