// Segments get shorter towards the end of a video: whoever takes one is done before the others have taken all the rest, also where the length is not
// quite what was guessed, and who is stopped shortly before the end loses little that was in the making. Pure.
#ifndef RENDERFARM_TAPER_H
#define RENDERFARM_TAPER_H

// How long the segment is to be that begins where so much is left, when others are of that length. Each begins with a keyframe, which costs bytes: so
// down to the length `brief` they are shortened early, from there on only where the end is near, and never below `shortest`. All in one unit.
double taper_length(double length, double left, double brief, double shortest);

#endif
