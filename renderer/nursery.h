// Renderers that are born of a process which has loaded the libraries for all of them. FFmpeg brings some 170 of them along; to load and link those
// takes as much CPU time as some seconds of video need of it, and only once so. It may do so before anybody knows what renderers will be needed.
#ifndef RENDERFARM_NURSERY_H
#define RENDERFARM_NURSERY_H

#include "common/birth.h"

// Standard input is the socket of common/birth.h. Returns in each renderer, with what was wished for, and with its standard streams as a renderer
// that was started by itself has them; slot_text, the value of its argument --slot, says the slot's number too, as far as there is room. In the
// nursery it returns never: that ends when the coordinator closes its end. Before there is any other thread.
void nursery_run(struct birth_wish *wish, char *slot_text);

#endif
