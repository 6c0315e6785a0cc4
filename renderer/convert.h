// Converts sound and text subtitles of one input for a coordinator, which makes no codec call itself: `--convert INPUT
// STREAM:ENCODER[,STREAM:ENCODER...] [START_US]` writes frames of Converted messages (see protocol.proto) to standard output, packets in about file
// order. START_US is taken off all times instead of the file's own start time. One thread; the pipe holds it back when its reader is slow.
#ifndef RENDERFARM_CONVERT_H
#define RENDERFARM_CONVERT_H

int convert_main(int argc, char **argv); // the process's exit status

#endif
