/* SPDX-License-Identifier: MIT */
#include "vmm/fork/clone.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/str.h"
#include "disk/chain.h"
#include "firmware/nvram.h"
#include "vmm/fork/template.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/machine_hold.h"
#include "vmm/machines.h"
#include "vmm/names.h"
#include "vmm/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* An overlay is always qcow2. */
static enum spec_format format_of(const struct clone *c, const struct spec_disk *disk)
{
	return c->linked && !disk->read_only ? SPEC_FORMAT_QCOW2 : disk->format;
}

/* Beside its source, so that both can be moved together. */
static char *path_of(const struct clone *c, size_t i)
{
	const struct spec_disk *disk = &c->source->disks[i];

	if (disk->read_only)
		return strdup(disk->path);
	return str_printf("%.*s/%s-%zu.%s", (int)(strrchr(disk->path, '/') - disk->path),
			  disk->path, c->name, i, spec_format_name(format_of(c, disk)));
}

static int check_disk(const struct spec_disk *disk, const char *path, bool forks, struct error *err)
{
	struct disk_info info;
	struct stat st;
	int rc;

	if (forks)
		return disk->read_only || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0
			       ? 0
			       : error_errno(err, EEXIST, "'%s'", path);
	rc = disk_chain_examine(disk->path, inspect_format(disk), &info, err);

	if (rc == -ENOENT)
		return error_set(err, ENOENT, "'%s' is not there yet; the first start makes it",
				 disk->path);
	if (rc < 0 || disk->read_only)
		return rc;
	if (info.written)
		return error_set(err, EBUSY, "'%s' is in use by another process", disk->path);
	if (stat(disk->path, &st) == 0 && S_ISBLK(st.st_mode))
		return error_set(err, ENOTSUP,
				 "'%s' is a block device, and a clone of it has no place",
				 disk->path);
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_errno(err, EEXIST, "'%s'", path);
	return 0;
}

static json_t *describe_disk(const struct clone *c, size_t i, const char *path)
{
	const struct spec_disk *disk = &c->source->disks[i];
	json_t *j = json_pack("{s:s s:s s:s}", "path", path, "bus", spec_bus_name(disk->bus),
			      "format", spec_format_name(format_of(c, disk)));

	if (j && disk->read_only)
		(void)json_object_set_new(j, "read_only", json_true());
	return j;
}

int clone_describe(const struct clone *c, json_t **ret_vm, struct error *err)
{
	/* A clone of a clone is like the first source: none hangs on another's file. */
	cleanup_json json_t *made = machine_read(c->paths, c->source->name);
	cleanup_json json_t *vm =
		made ? json_deep_copy(made) : json_pack("{s:s}", "like", c->source->name);
	json_t *disks = json_array();

	if (!vm || json_object_set_new(vm, "disks", disks) < 0)
		return error_oom(err);
	for (size_t i = 0; i < c->source->n_disks; i++) {
		cleanup_free char *path = path_of(c, i);
		int rc = path ? check_disk(&c->source->disks[i], path, c->forks, err)
			      : error_oom(err);

		if (rc < 0)
			return error_wrap(err, rc, "disk '%s'", c->source->disks[i].name);
		if (json_array_append_new(disks, describe_disk(c, i, path)) < 0)
			return error_oom(err);
	}
	*ret_vm = json_incref(vm);
	return 0;
}

static int make_disks(const struct clone *c, struct error *err)
{
	for (size_t i = 0; i < c->source->n_disks; i++) {
		const struct spec_disk *disk = &c->source->disks[i];
		cleanup_free char *path = path_of(c, i);
		int rc;

		if (!path)
			return error_oom(err);
		if (disk->read_only)
			continue;
		rc = c->linked ? disk_overlay(path, disk->path, inspect_format(disk), 0, err)
			       : disk_copy(disk->path, inspect_format(disk), path, c->watch, err);
		if (rc < 0)
			return rc;
		fault_point("disk cloned");
	}
	return 0;
}

/* The key of disk's pin under its name in the new machine. */
static int rename_disk_pin(const struct clone *c, struct vm_pin *pin, struct error *err)
{
	const char *name = strstr(pin->key, "/disk/");

	for (size_t i = 0; name && i < c->source->n_disks; i++) {
		cleanup_free char *path = NULL;
		char *key;

		if (!str_eq(name + strlen("/disk/"), c->source->disks[i].name))
			continue;
		path = path_of(c, i);
		key = path ? str_printf("%.*s/disk/%s", (int)(name - pin->key), pin->key, path)
			   : NULL;
		if (!key)
			return error_oom(err);
		free(pin->key);
		pin->key = key;
		return 0;
	}
	return 0;
}

/* The same hardware with other addresses, in a machine that nothing has happened to yet. */
static int copy_pins(const struct clone *c, int from_dirfd, int dirfd, struct error *err)
{
	struct vm_pins pins = {0};
	int rc = vm_pins_load(from_dirfd, &pins, err);

	if (rc < 0)
		return rc;
	pins.tpm_used = pins.crashed = false;
	free(pins.last_error);
	pins.last_error = NULL;
	for (size_t i = 0; rc == 0 && i < pins.n_devices; i++) {
		pins.devices[i].has_mac = false;
		rc = rename_disk_pin(c, &pins.devices[i], err);
	}
	/* One that never ran has none. */
	if (rc == 0 && (pins.machine || pins.n_devices))
		rc = vm_pins_save(dirfd, &pins, err);
	vm_pins_free(&pins);
	return rc;
}

static int copy_nvram(const struct clone *c, int from_dirfd, struct error *err)
{
	cleanup_close int fd = openat(from_dirfd, NAME_NVRAM, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free char *from =
		str_printf("%s/vm/%s/" NAME_NVRAM, c->paths->state, c->source->name);
	cleanup_free char *to = str_printf("%s/vm/%s/" NAME_NVRAM, c->paths->state, c->name);
	struct disk_info info;
	int rc;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open the NVRAM");
	if (!from || !to)
		return error_oom(err);
	rc = error_wrap_if(err, disk_examine(fd, DISK_FORMAT_QCOW2, NULL, &info, err), "NVRAM");
	return rc < 0 ? rc : firmware_nvram_copy(from, to, err);
}

static int make_state(const struct clone *c, struct error *err)
{
	cleanup_close int from_dirfd = -1, dirfd = -1;
	int rc = paths_open_state(c->paths, PATHS_VM, c->source->name, 0, &from_dirfd, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = paths_open_state(c->paths, PATHS_VM, c->name, 1, &dirfd, err);
	if (rc == 0)
		rc = copy_pins(c, from_dirfd, dirfd, err);
	fault_point("pins copied");
	if (rc == 0)
		rc = copy_nvram(c, from_dirfd, err);
	fault_point("nvram copied");
	return rc;
}

static int make(const struct clone *c, json_t *vm, struct error *err)
{
	struct machine_making making = MACHINE_MAKING_INIT;
	int rc = machine_begin(c->paths, c->name, vm, &making, err);

	if (rc == 0)
		rc = make_state(c, err);
	if (rc == 0)
		rc = make_disks(c, err);
	if (rc == 0)
		rc = machine_finish(&making, err);
	machine_abandon(&making);
	return rc;
}

/* A template's images do not change while its lock is held, and it does not start; any other
 * source is held down. */
int clone_make(const struct clone *c, json_t *vm, struct error *err)
{
	bool template = template_is(c->paths, c->source->name);
	struct rundir run = RUNDIR_INIT;
	cleanup_close int lockfd = -1;
	int rc;

	if (template) {
		rc = template_lock(c->paths, c->source->name, &lockfd, err);
		if (rc == 0 && !template_is(c->paths, c->source->name))
			rc = error_set(err, EAGAIN, "vm '%s' is no template any more",
				       c->source->name);
	} else {
		rc = machine_hold_settled(c->paths, c->source, &run, err);
	}
	if (rc == 0)
		rc = make(c, vm, err);
	rundir_remove(&run, c->paths, PATHS_VM, c->source->name);
	return rc;
}
