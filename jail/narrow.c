/* SPDX-License-Identifier: MIT */
#include "jail/narrow.h"

#include "base/error.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>

static bool is_kept(const int *caps, size_t n, int cap)
{
	for (size_t i = 0; i < n; i++)
		if (caps[i] == cap)
			return true;
	return false;
}

int jail_narrow(const int *caps, size_t n, struct error *err)
{
	static const capng_type_t sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
					 CAPNG_BOUNDING_SET | CAPNG_AMBIENT;
	int rc;

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() < 0)
		return error_set(err, EPERM, "capabilities cannot be read");
	/* Who may not bound itself has little to lose. */
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0;
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!is_kept(caps, n, cap))
			(void)capng_update(CAPNG_DROP, sets, (unsigned)cap);
	rc = capng_apply(CAPNG_SELECT_ALL);
	/* The library remembers us by our pid, and a child would inherit that. */
	capng_setpid(0);
	return rc < 0 ? error_set(err, EPERM, "capabilities cannot be dropped") : 0;
}
