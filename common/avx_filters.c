#include "avx.h"

#include <libavfilter/avfilter.h>
#include <libswscale/swscale.h>

#include <stdio.h>

const char *avx_all_libraries(void)
{
    static char text[4096 + 64];
    unsigned filter = avfilter_version(), scale = swscale_version();

    if (!text[0])
        snprintf(text, sizeof(text), "%s avfilter %u.%u.%u swscale %u.%u.%u", avx_libraries(), AV_VERSION_MAJOR(filter), AV_VERSION_MINOR(filter),
                 AV_VERSION_MICRO(filter), AV_VERSION_MAJOR(scale), AV_VERSION_MINOR(scale), AV_VERSION_MICRO(scale));
    return text;
}
