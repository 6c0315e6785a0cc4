#include "avx.h"

#include "loaded.h"
#include "mem.h"

#include <libavfilter/avfilter.h>
#include <libswscale/swscale.h>

#include <stdlib.h>

const char *avx_all_libraries(void)
{
    static char *text;
    unsigned filter = avfilter_version(), scale = swscale_version();

    if (!text) {
        char *objects = loaded_objects();

        text = mem_format("%s avfilter %u.%u.%u swscale %u.%u.%u%s", avx_libraries(), AV_VERSION_MAJOR(filter), AV_VERSION_MINOR(filter),
                          AV_VERSION_MICRO(filter), AV_VERSION_MAJOR(scale), AV_VERSION_MINOR(scale), AV_VERSION_MICRO(scale), objects);
        free(objects);
    }
    return text;
}
