// What a file says of its video before a packet of it is read, and what that lets one expect: whether it may be cut, how its packets are looked at.
// Pure but for what the library has found when it opened the file. For the files of source.c alone.
#ifndef RENDERFARM_SOURCE_FACTS_H
#define RENDERFARM_SOURCE_FACTS_H

#include "bitstream.h"
#include "source.h"

#include <libavformat/avformat.h>

#include <stdint.h>

// start_us: that is taken off all timestamps. Fills what source_facts_clear will free; of numbered pictures it says what is so for the first one.
void source_facts_fill(struct source_facts *facts, AVFormatContext *input, AVStream *video, int64_t start_us);

enum bitstream_codec source_facts_codec(const AVCodecParameters *par);
// How far packets may be out of the order shown.
unsigned source_facts_reorder(const AVCodecParameters *par);

#endif
