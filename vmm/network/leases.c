/* SPDX-License-Identifier: MIT */
#include "vmm/network/leases.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "vmm/names.h"

#include <errno.h>

enum { LEASE_BYTES_MAX = 16 * 1024 * 1024 };

int leases_load(const struct paths *paths, const char *network, struct net_lease **ret_leases,
		size_t *ret_n, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_close int dirfd = -1;
	size_t len = 0;
	int rc;

	rc = paths_open_state(paths, PATHS_NET, network, 0, &dirfd, err);
	if (rc == 0)
		rc = file_read_plain(dirfd, NAME_LEASES, LEASE_BYTES_MAX, &text, &len, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return net_leases_parse(text ? text : "", len, ret_leases, ret_n, err);
}
