/* SPDX-License-Identifier: MIT */
#include "vmm/machine_group.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "disk/chain.h"
#include "jail/cgroup.h"
#include "vmm/json.h"
#include "vmm/resources.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* "dc01-1f2e3d4c": the machine, and a hash (FNV-1a) of the run folder, by which two
 * hosts' worth of machines on one kernel keep apart. */
static char *name_of(const struct paths *paths, const char *vm)
{
	uint32_t hash = 2166136261U;

	for (const char *p = paths->run; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619U;
	return str_printf("%s-%08x", vm, hash);
}

static void add_device(dev_t *devices, size_t *n, dev_t device)
{
	for (size_t i = 0; i < *n; i++)
		if (devices[i] == device)
			return;
	devices[(*n)++] = device;
}

/* The block devices below its disks, each once. devices has room for one a disk. */
static void find_block_devices(struct resources *r, dev_t *devices, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < r->vm->n_disks; i++) {
		struct stat st;
		dev_t device;

		if (fstat(r->disks[i].v[0].fd, &st) < 0)
			continue;
		if (cgroup_block_device(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev, &device) == 0)
			add_device(devices, n, device);
		else
			strv_addf(&r->group_missing,
				  "io: disk '%s' lies on a file system without a block device of "
				  "its own",
				  r->vm->disks[i].name);
	}
}

/* /dev/null and the like, and what runs guests. The jail's own node of /dev/kvm is
 * made by the process that is in the group already. */
static size_t list_devices(const struct resources *r, dev_t devices[static 8])
{
	const dev_t common[] = {makedev(1, 3), makedev(1, 5), makedev(1, 7), makedev(1, 8),
				makedev(1, 9)};
	struct stat st;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		devices[n++] = common[i];
	if (r->kvm && stat("/dev/kvm", &st) == 0)
		devices[n++] = st.st_rdev;
	return n;
}

static bool has_limits(const struct spec_limits *l)
{
	return l->cpus_milli || l->memory_max_bytes || l->io_bytes || l->pids;
}

/* What is missing, as the configuration wants it told. */
static int judge(struct resources *r, struct error *err)
{
	const struct spec_vm *vm = r->vm;

	if (r->group_missing.failed)
		return error_oom(err);
	if (r->group_missing.n && vm->jail == SPEC_JAIL_REQUIRE)
		return error_set(err, ENOTSUP, "jail: require, but %s", r->group_missing.v[0]);
	for (size_t i = 0; has_limits(&vm->limits) && i < r->group_missing.n; i++)
		log_warning("vm '%s': limits: %s", vm->name, r->group_missing.v[i]);
	return 0;
}

int machine_group_make(struct resources *r, struct error *err)
{
	const struct spec_limits *l = &r->vm->limits;
	cleanup_free dev_t *blocks = calloc(r->vm->n_disks + 1, sizeof(*blocks));
	cleanup_free char *name = name_of(r->paths, r->vm->name);
	struct error why = ERROR_INIT;
	dev_t devices[8];
	struct cgroup_spec spec = {
		.name = name,
		.limits =
			{
				.cpus_milli = l->cpus_milli,
				.memory_bytes = l->memory_max_bytes,
				.pids = l->pids,
				.io_bytes = l->io_bytes,
				.io_devices = blocks,
			},
		.devices = devices,
		.n_devices = list_devices(r, devices),
	};
	int rc;

	if (!blocks || !name)
		return error_oom(err);
	strv_free(&r->group_missing);
	if (l->io_bytes)
		find_block_devices(r, blocks, &spec.limits.n_io_devices);
	if (cgroup_make(&spec, &r->group, &r->group_missing, &why) < 0)
		strv_addf(&r->group_missing, "%s", why.text);
	rc = judge(r, err);
	if (rc < 0)
		machine_group_remove(r);
	return rc;
}

/* By the path in its status, where that ends in the name that its group has. */
static int find(const struct paths *paths, const char *vm, json_t *status, struct cgroup *ret_group,
		struct error *err)
{
	json_t *started = json_object_get(status, "jail_at_start");
	const char *path = json_get_string(started, "cgroup");
	const char *slash = path ? strrchr(path, '/') : NULL;
	cleanup_free char *name = name_of(paths, vm);

	if (!slash || !name || !str_eq(slash + 1, name))
		return -ENOENT;
	return cgroup_find(path, ret_group, err);
}

void machine_group_adopt(struct resources *r, json_t *status)
{
	struct error why = ERROR_INIT;

	if (find(r->paths, r->vm->name, status, &r->group, &why) < 0)
		log_debug("vm '%s': goes on without a control group: %s", r->vm->name, why.text);
}

void machine_group_remove(struct resources *r)
{
	struct error err = ERROR_INIT;

	if (cgroup_remove(&r->group, &err) < 0)
		log_error("vm '%s': %s", r->vm->name, err.text);
	strv_free(&r->group_missing);
}

void machine_group_end(const struct paths *paths, const char *vm, json_t *status)
{
	struct cgroup group = CGROUP_INIT;

	if (find(paths, vm, status, &group, NULL) == 0)
		(void)cgroup_remove(&group, NULL);
}
