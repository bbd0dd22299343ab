/* SPDX-License-Identifier: MIT */
#include "vmm/fork/template.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "disk/chain.h"
#include "disk/frozen.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/machine_hold.h"
#include "vmm/names.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 256 * 1024 };

bool template_is(const struct paths *paths, const char *vm)
{
	cleanup_close int dirfd = -1;

	return paths_open_state(paths, PATHS_VM, vm, 0, &dirfd, NULL) == 0 &&
	       faccessat(dirfd, NAME_TEMPLATE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int template_check(const struct paths *paths, const char *vm, struct error *err)
{
	return template_is(paths, vm)
		       ? error_set(err, EPERM,
				   "it is a template, which only serves to be cloned (hv clone %s "
				   "NAME; hv template --undo %s makes it a machine again)",
				   vm, vm)
		       : 0;
}

int template_lock(const struct paths *paths, const char *vm, int *ret_lockfd, struct error *err)
{
	cleanup_close int dirfd = -1;
	int rc = paths_open_state(paths, PATHS_VM, vm, 1, &dirfd, err);

	return rc < 0 ? rc : file_lock_wait(dirfd, NAME_TEMPLATE_LOCK, ret_lockfd, err);
}

/* The mode that an image had before it was frozen; 0600 where nobody wrote it down. */
static mode_t mode_of(json_t *template, const char *path)
{
	json_t *mode = json_object_get(json_object_get(template, "modes"), path);

	return json_is_integer(mode) ? (mode_t)json_integer_value(mode) : 0600;
}

static json_t *read_file(int dirfd)
{
	cleanup_free char *text = NULL;

	if (file_read_plain(dirfd, NAME_TEMPLATE, FILE_BYTES_MAX, &text, NULL, NULL) < 0)
		return NULL;
	return json_loads(text, 0, NULL);
}

static int write_file(int dirfd, json_t *modes, struct error *err)
{
	json_t *template = json_pack("{s:O}", "modes", modes);
	cleanup_free char *text = template ? json_dumps(template, JSON_COMPACT) : NULL;

	json_decref(template);
	return text ? file_write_atomic(dirfd, NAME_TEMPLATE, text, strlen(text), 0644, err)
		    : error_oom(err);
}

static int thaw_all(const struct spec_vm *vm, json_t *template, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			rc = disk_thaw(vm->disks[i].path, mode_of(template, vm->disks[i].path),
				       err);
	return rc;
}

static int look_at_images(const struct spec_vm *vm, json_t **ret_modes, struct error *err)
{
	cleanup_json json_t *modes = json_object();

	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];
		struct disk_info info;
		struct stat st;
		int rc;

		if (disk->read_only)
			continue;
		rc = disk_chain_examine(disk->path, inspect_format(disk), &info, err);
		if (rc == 0 && info.written)
			rc = error_set(err, EBUSY, "'%s' is in use by another process", disk->path);
		if (rc == 0 && stat(disk->path, &st) < 0)
			rc = error_errno(err, errno, "look at '%s'", disk->path);
		if (rc < 0)
			return error_wrap(err, rc, "disk '%s'", disk->name);
		if (json_object_set_new(modes, disk->path, json_integer(st.st_mode & 07777)) < 0)
			return error_oom(err);
	}
	*ret_modes = json_incref(modes);
	return 0;
}

/* The file first: what is frozen is known to be, whatever happens then. */
static int freeze(int dirfd, const struct spec_vm *vm, struct error *err)
{
	cleanup_json json_t *modes = NULL, *template = NULL;
	int rc = look_at_images(vm, &modes, err);

	if (rc == 0)
		rc = write_file(dirfd, modes, err);
	fault_point("template written");
	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++) {
		mode_t unused;

		if (!vm->disks[i].read_only)
			rc = disk_freeze(vm->disks[i].path, &unused, err);
		fault_point("image frozen");
	}
	if (rc == 0 || !modes)
		return rc;
	template = json_pack("{s:O}", "modes", modes);
	(void)thaw_all(vm, template, NULL);
	(void)unlinkat(dirfd, NAME_TEMPLATE, 0);
	return rc;
}

int template_make(const struct paths *paths, const struct spec_vm *vm, struct error *err)
{
	cleanup_close int dirfd = -1, lockfd = -1;
	struct rundir run = RUNDIR_INIT;
	cleanup_json json_t *was = NULL;
	int rc = machine_hold_settled(paths, vm, &run, err);

	if (rc < 0)
		return rc;
	rc = template_lock(paths, vm->name, &lockfd, err);
	if (rc == 0)
		rc = paths_open_state(paths, PATHS_VM, vm->name, 1, &dirfd, err);
	if (rc == 0) {
		was = read_file(dirfd);
		/* One that was begun keeps the modes that were found first. */
		if (was && thaw_all(vm, was, NULL) < 0)
			log_debug("vm '%s': not all of its images could be thawed", vm->name);
		rc = freeze(dirfd, vm, err);
	}
	rundir_remove(&run, paths, PATHS_VM, vm->name);
	return error_wrap_if(err, rc, "vm '%s'", vm->name);
}

static int undo(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		struct error *err)
{
	cleanup_close int dirfd = -1, lockfd = -1;
	cleanup_json json_t *template = NULL;
	int rc;

	if (!template_is(paths, vm->name))
		return error_set(err, EINVAL, "it is no template");
	rc = template_lock(paths, vm->name, &lockfd, err);
	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			rc = volume_check_clones(paths, lab, vm->disks[i].path, err);
	if (rc == 0)
		rc = paths_open_state(paths, PATHS_VM, vm->name, 0, &dirfd, err);
	if (rc < 0)
		return rc;
	template = read_file(dirfd);
	rc = thaw_all(vm, template, err);
	if (rc == 0 && unlinkat(dirfd, NAME_TEMPLATE, 0) < 0)
		rc = error_errno(err, errno, "remove '%s'", NAME_TEMPLATE);
	return rc;
}

int template_undo(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		  struct error *err)
{
	return error_wrap_if(err, undo(paths, lab, vm, err), "vm '%s'", vm->name);
}

int template_check_writable(const struct paths *paths, const struct lab *lab,
			    const struct spec_vm *vm, struct error *err)
{
	static const struct lab nobody;
	int rc = template_check(paths, vm->name, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			rc = volume_check_clones_beside(lab ? lab : &nobody, vm->disks[i].path,
							err);
	return error_wrap_if(err, rc, "others would see what is written to its disks");
}
