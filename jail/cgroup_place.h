/* SPDX-License-Identifier: MIT */
/* Private to jail/: where in the hierarchy of version 2 a machine's group lies. */
#ifndef HV_JAIL_CGROUP_PLACE_H
#define HV_JAIL_CGROUP_PLACE_H

#include <stdbool.h>

struct error;

/* The folder at the top, where nobody delegated a part of the hierarchy. */
#define CGROUP_FOLDER "hv"
/* The unit that is there to hold machines' groups and nothing else. */
#define CGROUP_HOLDER "/hv.slice/hv-machines.service"

struct cgroup_place {
	int fd; /* of the folder that groups are made in */
	char *path; /* of it, in the hierarchy: "/hv" */
	char *folder; /* of it, in the file system: "/sys/fs/cgroup/hv" */
	bool ours; /* made by us, to be removed when empty */
};

#define CGROUP_PLACE_INIT \
	{                 \
		.fd = -1  \
	}

/* Finds it by /proc/self, and makes the folder at the top where that is to be it.
 * -EOPNOTSUPP with the reason where there is no version 2, or none to be seen. */
int cgroup_place_open(struct cgroup_place *ret_place, struct error *err);

/* The folder of a group in the file system, as this process sees it. NULL where it sees
 * none, or out of memory. */
char *cgroup_place_folder(const char *group);

/* The folder of the hierarchy in the file system; the caller frees it. NULL with the
 * reason in err. */
char *cgroup_place_top(struct error *err);

/* Turns on the controllers that limits need, as far as they are there. */
void cgroup_place_enable(const struct cgroup_place *place);

void cgroup_place_close(struct cgroup_place *place);
#define cleanup_cgroup_place __attribute__((cleanup(cgroup_place_close)))

#endif
