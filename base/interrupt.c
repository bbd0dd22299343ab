/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <time.h>

static const int asking[] = {SIGINT, SIGTERM, SIGHUP};

/* A signal is for the process, and so is that it came. */
static volatile sig_atomic_t noted;

static void fill(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_SIZE(asking); i++)
		sigaddset(set, asking[i]);
}

void interrupt_hold(sigset_t *ret_before)
{
	sigset_t set;

	fill(&set);
	(void)sigprocmask(SIG_BLOCK, &set, ret_before);
}

bool interrupt_asked(void)
{
	sigset_t waiting;

	if (noted)
		return true;
	if (sigpending(&waiting) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(asking); i++)
		if (sigismember(&waiting, asking[i]) == 1)
			return true;
	return false;
}

void interrupt_note(void)
{
	noted = 1;
}

int interrupt_check(struct error *err)
{
	return interrupt_asked() ? error_set(err, ECANCELED, "interrupted") : 0;
}

void interrupt_release(const sigset_t *before)
{
	const struct timespec at_once = {0};
	sigset_t set;

	fill(&set);
	while (sigtimedwait(&set, NULL, &at_once) > 0)
		;
	noted = 0;
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}
