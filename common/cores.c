#include "cores.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cores_of_quota(const char *text)
{
    long long quota, period;

    if (sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return 0;
    quota = quota / period + (quota % period != 0);
    return quota < INT_MAX ? (int)quota : 0;
}

static int in_affinity_mask(void)
{
    long most = sysconf(_SC_NPROCESSORS_CONF);
    size_t size;
    cpu_set_t *set;
    int count = 1;

    // The mask must be as long as the kernel's, which may be longer than this machine.
    for (int room = most > 1024 ? (int)most : 1024; room <= 1 << 20; room *= 2) {
        size = CPU_ALLOC_SIZE(room);
        set = CPU_ALLOC(room);
        if (!set)
            return 1;
        if (sched_getaffinity(0, size, set) == 0) {
            count = CPU_COUNT_S(size, set);
            CPU_FREE(set);
            break;
        }
        CPU_FREE(set);
    }
    return count > 0 ? count : 1;
}

static int read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t length;

    if (!file)
        return -1;
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
    return 0;
}

static int quota_of_group(const char *root, const char *group, int version)
{
    char path[PATH_MAX + 64], text[64], period[64];

    if (version == 2) {
        snprintf(path, sizeof(path), "%s%s/cpu.max", root, group);
        return read_text(path, text, sizeof(text)) < 0 ? 0 : cores_of_quota(text);
    }
    snprintf(path, sizeof(path), "%s%s/cpu.cfs_quota_us", root, group);
    if (read_text(path, text, 24) < 0)
        return 0;
    snprintf(path, sizeof(path), "%s%s/cpu.cfs_period_us", root, group);
    if (read_text(path, period, 24) < 0)
        return 0;
    strncat(text, " ", sizeof(text) - strlen(text) - 1);
    strncat(text, period, sizeof(text) - strlen(text) - 1);
    return cores_of_quota(text);
}

// A group's limit holds for all groups below it, so every parent counts.
static void walk_up(const char *root, char *group, int version, int *least)
{
    for (;;) {
        int cores = quota_of_group(root, strcmp(group, "/") == 0 ? "" : group, version);
        char *slash = strrchr(group, '/');

        if (cores > 0 && cores < *least)
            *least = cores;
        if (!slash || strcmp(group, "/") == 0 || !*group)
            return;
        *slash = '\0';
        if (!*group)
            strcpy(group, "/");
    }
}

int cores_usable(void)
{
    int least = in_affinity_mask();
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX];

    // Lines are "0::/group" for version 2 and "N:cpu,cpuacct:/group" for version 1.
    while (file && fgets(line, sizeof(line), file)) {
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        group[strcspn(group, "\n")] = '\0';
        if (!*controllers)
            walk_up("/sys/fs/cgroup", group, 2, &least);
        else if (strcmp(controllers, "cpu") == 0 || strncmp(controllers, "cpu,", 4) == 0 || strstr(controllers, ",cpu,"))
            walk_up("/sys/fs/cgroup/cpu", group, 1, &least);
    }
    if (file)
        fclose(file);
    return least > 0 ? least : 1;
}
