// How many cores this process may really use: the least of its affinity mask and the CPU quotas of its control groups. Any thread.
#ifndef RENDERFARM_CORES_H
#define RENDERFARM_CORES_H

int cores_usable(void); // at least 1

// The cores that one group grants, from the text of its cpu.max ("max 100000", "150000 100000"; kernel, cgroup-v2.rst) or of "QUOTA PERIOD" taken
// from version 1's files; rounded up; 0 for no limit or a text that makes no sense. Pure.
int cores_of_quota(const char *text);

#endif
