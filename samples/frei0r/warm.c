// A frei0r plugin that works: more red, less blue, by its parameter from 0 to 1. A frame depends on nothing but the frame that goes in, so that
// --parallel-safe=warm is true of it.
#include "plugin.h"

void f0r_get_plugin_info(f0r_plugin_info_t *info)
{
    *info = (f0r_plugin_info_t){
        .name = "warm",
        .author = "renderfarm",
        .plugin_type = F0R_PLUGIN_TYPE_FILTER,
        .color_model = F0R_COLOR_MODEL_RGBA8888,
        .frei0r_version = FREI0R_MAJOR_VERSION,
        .major_version = 1,
        .num_params = 1,
        .explanation = "More red, less blue",
    };
}

void f0r_get_param_info(f0r_param_info_t *info, int index)
{
    (void)index;
    *info = (f0r_param_info_t){.name = "amount", .type = F0R_PARAM_DOUBLE, .explanation = "0 to 1"};
}

void f0r_update(f0r_instance_t instance, double time, const uint32_t *in, uint32_t *out)
{
    const struct instance *self = instance;
    uint32_t step = (uint32_t)(self->number * 64);

    (void)time;
    for (size_t i = 0; i < self->pixels; i++) {
        uint32_t red = in[i] & 0xff, blue = in[i] >> 16 & 0xff;

        red = red + step > 255 ? 255 : red + step;
        blue = blue < step ? 0 : blue - step;
        out[i] = (in[i] & 0xff00ff00) | blue << 16 | red;
    }
}
