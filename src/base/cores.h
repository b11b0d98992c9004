/* The processors: how many this process may use at once (those of its affinity, as far as its control group's quota
 * goes), and who goes first. */
#ifndef GRADD_BASE_CORES_H
#define GRADD_BASE_CORES_H

int cores_count(void); /* 1 and up */

/* The quota that a cgroup's file tells, "200000 100000" or "max 100000" (cgroup v2, cpu.max), rounded up to whole
 * processors; 0: none. */
int cores_of_quota(const char *text);

/* From now on the calling thread, and those that it starts, let others go first: it is one that computes for long
 * (SCHED_BATCH), and nicer by 5. Where the system does not allow that, it stays as it is. */
void cores_give_way(void);

#endif
