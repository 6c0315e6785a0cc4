#include "no_processes.h"

#include "common/mem.h"

#include "coordinator/private_folder.h"

#include <stdlib.h>

static struct spawner {
    spawner_on_exit on_exit;
    void *data;
    int running;
} * the_spawner;

struct spawner *spawner_new(uv_loop_t *loop, const char *program, int frames_fd, bool many, spawner_on_exit on_exit, void *data)
{
    (void)loop;
    (void)program;
    (void)frames_fd;
    (void)many;
    the_spawner = mem_zalloc(sizeof(*the_spawner));
    *the_spawner = (struct spawner){.on_exit = on_exit, .data = data};
    return the_spawner;
}

void spawner_adopt(struct spawner *spawner, struct nursery_process *process)
{
    (void)spawner;
    (void)process; // nobody has started one
}

int spawner_start(struct spawner *spawner, const struct birth_wish *wish, uint32_t *pid)
{
    spawner->running++;
    *pid = renderers_start(wish->slot);
    return 0;
}

uint32_t spawner_pid(struct spawner *spawner, uint32_t slot)
{
    (void)spawner;
    (void)slot;
    return 0; // spawner_start has told it
}

void spawner_settle(struct spawner *spawner)
{
    (void)spawner;
}

void spawner_kill(struct spawner *spawner, int signal)
{
    (void)spawner;
    renderers_kill(RENDERERS_ALL, signal);
}

void spawner_kill_one(struct spawner *spawner, uint32_t slot, int signal)
{
    (void)spawner;
    renderers_kill(slot, signal);
}

void no_processes_ended(const struct spawner_exit *exit)
{
    if (!the_spawner)
        return;
    the_spawner->running--;
    the_spawner->on_exit(the_spawner->data, exit);
}

int spawner_running(const struct spawner *spawner)
{
    return spawner->running;
}

void spawner_free(struct spawner **spawner)
{
    free(*spawner);
    *spawner = the_spawner = NULL;
}

char *spawner_find_renderer(void)
{
    return mem_dup("made up");
}

int private_folder_make(struct private_folder *folder)
{
    *folder = (struct private_folder){.lock_fd = -1};
    return 0;
}

void private_folder_remove(struct private_folder *folder, const char *file)
{
    (void)folder;
    (void)file;
}
