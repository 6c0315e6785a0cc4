// A frei0r plugin that crashes, to see what becomes of a render: the first frame at or after as many seconds as its parameter says ends the process,
// and so does every frame of the tenth of a second behind it. All others go through as they are.
#include "plugin.h"

#include <stdio.h>
#include <string.h>

void f0r_get_plugin_info(f0r_plugin_info_t *info)
{
    *info = (f0r_plugin_info_t){
        .name = "crash",
        .author = "renderfarm",
        .plugin_type = F0R_PLUGIN_TYPE_FILTER,
        .color_model = F0R_COLOR_MODEL_RGBA8888,
        .frei0r_version = FREI0R_MAJOR_VERSION,
        .major_version = 1,
        .num_params = 1,
        .explanation = "Crashes at a time",
    };
}

void f0r_get_param_info(f0r_param_info_t *info, int index)
{
    (void)index;
    *info = (f0r_param_info_t){.name = "at", .type = F0R_PARAM_DOUBLE, .explanation = "seconds"};
}

static void crash_at(const struct instance *self, double time_s)
{
    if (time_s >= self->number && time_s < self->number + 0.1) {
        fprintf(stderr, "crash: %.3f s is where this plugin crashes\n", time_s);
        abort();
    }
}

// frei0r.h says seconds, and so does libavfilter 12; older ones hand over milliseconds. A plugin cannot tell, so this one crashes at both: a thousand
// times later as well, or a thousand times earlier, where there is hardly a frame.
void f0r_update(f0r_instance_t instance, double time, const uint32_t *in, uint32_t *out)
{
    const struct instance *self = instance;

    crash_at(self, time);
    crash_at(self, time / 1000);
    memcpy(out, in, self->pixels * sizeof(*in));
}
