/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#ifdef HV_FAULTS
#include "base/log.h"
#include "base/str.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void fault_off(void)
{
	(void)unsetenv("HV_FAULT");
}

void fault_point(const char *what)
{
	static uint64_t passed;
	const char *wanted = getenv("HV_FAULT");
	uint64_t number;

	if (!wanted || !str_parse_u64(wanted, 10000, &number) || ++passed != number)
		return;
	log_info("fault point %s: %s", wanted, what);
	if (getenv("HV_FAULT_STOPS")) {
		(void)kill(getpid(), SIGSTOP);
		return;
	}
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}
#endif
