/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/one_processor.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Calls fn for each of its threads that it has now, until that returns false. */
static bool each_thread(struct one_processor *p, bool (*fn)(struct one_processor *p, pid_t thread))
{
	cleanup_closedir DIR *dir = NULL;
	struct dirent *entry;
	bool goes_on = true;
	char path[32];

	(void)str_format(path, sizeof(path), "/proc/%d/task", (int)p->pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (goes_on && (entry = readdir(dir))) {
		pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);

		goes_on = thread <= 0 || fn(p, thread);
	}
	return goes_on;
}

static bool is_apart(const struct one_processor *p, pid_t thread)
{
	for (size_t i = 0; i < p->n_apart; i++)
		if (p->apart[i] == thread)
			return true;
	return false;
}

static bool note_apart(struct one_processor *p, pid_t thread)
{
	cpu_set_t now;
	pid_t *apart;

	if (sched_getaffinity(thread, sizeof(now), &now) < 0 || CPU_EQUAL(&now, &p->before))
		return true;
	apart = reallocarray(p->apart, p->n_apart + 1, sizeof(*apart));
	if (!apart)
		return false;
	p->apart = apart;
	p->apart[p->n_apart++] = thread;
	return true;
}

/* One that has ended since is no obstacle. */
static bool bind(struct one_processor *p, pid_t thread)
{
	return is_apart(p, thread) || sched_setaffinity(thread, sizeof(p->one), &p->one) == 0 ||
	       errno == ESRCH;
}

/* The kernel keeps what a thread was bound to: one that was bound to all that there was stays off
 * processors that its control group is given later. So it is bound to any, if that is the same. */
static bool unbind(struct one_processor *p, pid_t thread)
{
	cpu_set_t any, now;

	if (is_apart(p, thread))
		return true;
	memset(&any, 0xff, sizeof(any));
	if (sched_setaffinity(thread, sizeof(any), &any) < 0 ||
	    sched_getaffinity(thread, sizeof(now), &now) < 0 || !CPU_EQUAL(&now, &p->before))
		(void)sched_setaffinity(thread, sizeof(p->before), &p->before);
	return true;
}

static void put_right(void *arg)
{
	struct one_processor *p = arg;
	unsigned long long ticks;

	if (child_start_time(p->pid, &ticks, NULL) == 0 && ticks == p->start_ticks)
		(void)each_thread(p, unbind);
}

void one_processor_begin(struct one_processor *ret_p, pid_t pid)
{
	struct one_processor *p = ret_p;
	unsigned cpu = (unsigned)sched_getcpu();

	*p = (struct one_processor){.pid = pid, .guard = GUARD_INIT};
	CPU_ZERO(&p->one);
	CPU_SET(cpu, &p->one); /* one beyond what a set holds is in none */
	if (pid <= 0 || child_start_time(pid, &p->start_ticks, NULL) < 0 ||
	    sched_getaffinity(pid, sizeof(p->before), &p->before) < 0 ||
	    CPU_EQUAL(&p->one, &p->before) || !CPU_ISSET(cpu, &p->before) ||
	    !each_thread(p, note_apart) ||
	    guard_start(&p->guard, "hv-processors", put_right, p, NULL) < 0)
		return;
	if (!each_thread(p, bind))
		one_processor_end(p);
}

/* By ourselves, for the guard may have been killed; and once more by it, for a thread may have come
 * of one that was bound yet. */
void one_processor_end(struct one_processor *p)
{
	if (p->guard.leash.fd >= 0)
		put_right(p);
	guard_let_act(&p->guard);
	free(steal_ptr(&p->apart));
}
