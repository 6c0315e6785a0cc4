// Segments get shorter towards the end of a video: whoever takes one is done before the others have taken all the rest, also where the length is not
// quite what was guessed, and who is stopped shortly before the end loses little that was in the making. Pure.
#ifndef RENDERFARM_TAPER_H
#define RENDERFARM_TAPER_H

// Each segment begins with a keyframe: down to this length they are shortened early, from there on only where the end is near.
#define TAPER_BRIEF_S 1.5

// How long the segment is to be that begins where so much is left, when others are of that length. All in one unit, and brief is TAPER_BRIEF_S in it.
double taper_length(double length, double left, double brief);

#endif
