/* SPDX-License-Identifier: MIT */
/*
 * Numbered moments at which a test lets the process be killed: with HV_FAULT=3 in
 * the environment it dies by SIGKILL at the third point that it passes; with
 * HV_FAULT_STOPS as well it only stops there, for somebody to kill another one at that
 * moment. Only in builds with -Dfaults=true; elsewhere a point is nothing at all.
 */
#ifndef HV_BASE_FAULT_H
#define HV_BASE_FAULT_H

#ifdef HV_FAULTS
/* what: told on standard error when it happens there. */
void fault_point(const char *what);
/* For a child that clears up behind one that was killed: it passes none. */
void fault_off(void);
#else
static inline void fault_point(const char *what)
{
	(void)what;
}

static inline void fault_off(void)
{
}
#endif

#endif
