// What every frei0r plugin of this folder has in common: a filter with one number as parameter. See frei0r.h and https://frei0r.dyne.org.
#ifndef RENDERFARM_SAMPLES_PLUGIN_H
#define RENDERFARM_SAMPLES_PLUGIN_H

#include <frei0r.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct instance {
    size_t pixels;
    double number;
};

int f0r_init(void)
{
    return 1;
}

void f0r_deinit(void)
{
}

f0r_instance_t f0r_construct(unsigned int width, unsigned int height)
{
    struct instance *instance = calloc(1, sizeof(*instance));

    if (instance)
        instance->pixels = (size_t)width * height;
    return instance;
}

void f0r_destruct(f0r_instance_t instance)
{
    free(instance);
}

void f0r_set_param_value(f0r_instance_t instance, f0r_param_t value, int index)
{
    if (index == 0)
        ((struct instance *)instance)->number = *(const double *)value;
}

void f0r_get_param_value(f0r_instance_t instance, f0r_param_t value, int index)
{
    if (index == 0)
        *(double *)value = ((struct instance *)instance)->number;
}

#endif
