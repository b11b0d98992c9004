#include "base/cores.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICER = 5 };

int cores_of_quota(const char *text)
{
    char *end;
    const long long quota = strtoll(text, &end, 10);
    if (end == text || quota <= 0)
        return 0;
    const char *rest = end;
    const long long period = strtoll(rest, &end, 10);
    if (end == rest || period <= 0)
        return 0;
    const long long cores = quota / period + (quota % period != 0);
    return cores > INT_MAX ? INT_MAX : (int)cores;
}

static int quota_in(const char *path)
{
    char text[64] = "";
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    const size_t size = fread(text, 1, sizeof text - 1, f);
    text[size] = '\0';
    (void)fclose(f);
    return cores_of_quota(text);
}

/* The least quota of this process's control group and of those around it, as far as they are to be seen. */
static int quota(void)
{
    char line[PATH_MAX], path[PATH_MAX + 32];
    FILE *f = fopen("/proc/self/cgroup", "re");
    int least = 0;
    char *group = NULL;
    while (f != NULL && group == NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "0::", 3) == 0)
            group = line + 3;
    if (f != NULL)
        (void)fclose(f);
    if (group == NULL)
        return 0;
    group[strcspn(group, "\n")] = '\0';
    for (char *end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
        *end = '\0';
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
        const int cores = quota_in(path);
        if (cores > 0 && (least == 0 || cores < least))
            least = cores;
    }
    return least;
}

int cores_count(void)
{
    cpu_set_t set;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    int cores = online > 0 && online <= 1024 ? (int)online : 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        cores = CPU_COUNT(&set);
    const int most = quota();
    return most > 0 && most < cores ? most : cores;
}

void cores_give_way(void)
{
    const struct sched_param none = {0};
    /* Of a thread, not the process: on Linux both calls take its id, and 0 is who calls. */
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
    errno = 0;
    const int nice = getpriority(PRIO_PROCESS, 0);
    if (errno == 0)
        (void)setpriority(PRIO_PROCESS, 0, nice + NICER);
}
