/* SPDX-License-Identifier: MIT */
#include "vmm/keeper/unprivileged.h"

#include "base/cleanup.h"
#include "jail/spawn.h"
#include "vmm/uids.h"

#include <jansson.h>
#include <time.h>
#include <unistd.h>

/* Clients, and what they send. */
enum { FILES_MAX = 1024 };

int unprivileged_spawn(const struct paths *paths, const struct unprivileged *what,
		       struct child *ret_child, int *net_ns, struct error *err)
{
	struct jailed jailed = JAILED_INIT;
	uid_t uid;
	int rc = uids_claim(paths, what->user, &uid, err);

	if (rc < 0)
		return rc;
	/* Both would open files, which it cannot do later. */
	tzset();
	json_object_seed(0);
	rc = jail_spawn(
		&(struct jail_spec){
			.program = what->name,
			.owner = what->owner,
			.uid = uid,
			.gid = uid,
			.fds = what->fds,
			.n_fds = what->n_fds,
			.stderr_fd = STDERR_FILENO,
			.cgroup_fd = -1,
			.host_pids = true,
			.files_max = FILES_MAX,
			.profile = &jail_profile_supervisor,
			.run = what->main,
			.run_arg = what->arg,
		},
		&jailed, err);
	if (rc < 0)
		return rc;
	*ret_child = jailed.process;
	close_fd(net_ns);
	*net_ns = jailed.net_ns;
	return 0;
}
