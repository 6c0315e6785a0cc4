#include "err.h"

#include <libavutil/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_text(int err)
{
    static _Thread_local char text[AV_ERROR_MAX_STRING_SIZE + 64];

    if (err == -ECANCELED)
        return "cancelled";
    // av_strerror knows AVERROR tags and falls back to strerror for -errno; libuv's codes are -errno on every Unix.
    if (av_strerror(err, text, sizeof(text)) < 0)
        snprintf(text, sizeof(text), "error %d", err);
    return text;
}

int err_why(char **why, int err, const char *format, ...)
{
    va_list args;

    if (!why || *why)
        return err;
    va_start(args, format);
    if (vasprintf(why, format, args) < 0)
        *why = NULL;
    va_end(args);
    return err;
}
