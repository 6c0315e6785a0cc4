// Which container an output's name asks for, and which encoder its video gets. Nothing is opened or written. Any thread.
#ifndef RENDERFARM_CONTAINER_H
#define RENDERFARM_CONTAINER_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

// By the ending of the output's name. Returns 0, or -EINVAL and one sentence (*why, free()) when it is none that is written as one file.
int container_choose(const AVOutputFormat **format, const char *output, char **why);

// codec: what the user asked for, the name of an encoder or of a codec; NULL: what the container prefers. Returns as container_choose does, also when
// the container has no place for it.
int container_choose_encoder(const AVCodec **encoder, const AVOutputFormat *format, const char *output, const char *codec, char **why);

#endif
