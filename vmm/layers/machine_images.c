/* SPDX-License-Identifier: MIT */
#include "vmm/layers/machine_images.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/chain.h"
#include "vmm/host.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/layers/hold.h"
#include "vmm/layers/jobs.h"
#include "vmm/names.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static const char nvram_node[] = "vars";

json_t *machine_images_find_node(const struct machine_images *im, const char *node)
{
	json_t *entry;
	size_t i;

	json_array_foreach (im->nodes, i, entry) {
		const char *name = json_get_string(entry, "node-name");

		if (name && str_eq(name, node))
			return entry;
	}
	return NULL;
}

static void find_image(const struct machine_images *im, const char *node, struct image *ret)
{
	json_t *info = machine_images_find_node(im, node);
	json_int_t bytes =
		json_integer_value(json_object_get(json_object_get(info, "image"), "virtual-size"));

	*ret = (struct image){.info = info, .virtual_bytes = bytes > 0 ? (uint64_t)bytes : 0};
	if (info)
		(void)str_format(ret->node, sizeof(ret->node), "%s", node);
}

/* The node that the device of disk i has now; NULL: there is no such device. */
static const char *active_node(json_t *devices, size_t i)
{
	char id[32];
	json_t *device;
	size_t k;

	(void)str_format(id, sizeof(id), "/disk%zu-dev", i);
	json_array_foreach (devices, k, device) {
		const char *path = json_get_string(device, "qdev");
		const char *at = path ? strstr(path, id) : NULL;
		char end = at ? at[strlen(id)] : 'x';

		/* Without an id it is by its path that QEMU tells it. */
		if (end == '\0' || end == '/')
			return json_get_string(json_object_get(device, "inserted"), "node-name");
		if (path && str_eq(path, id + 1))
			return json_get_string(json_object_get(device, "inserted"), "node-name");
	}
	return NULL;
}

int machine_images_look(struct machine_images *im, struct error *err)
{
	cleanup_json json_t *devices = NULL;
	json_t *nodes = NULL;
	int rc;

	rc = jobs_call(im->jobs, "query-named-block-nodes", json_pack("{s:b}", "flat", 1), &nodes,
		       err);
	if (rc == 0 && im->running)
		rc = jobs_call(im->jobs, "query-block", NULL, &devices, err);
	if (rc < 0) {
		json_decref(nodes);
		return rc;
	}
	json_decref(im->nodes);
	im->nodes = nodes;
	for (size_t i = 0; i < im->vm->n_disks; i++) {
		char first[32];
		const char *node = active_node(devices, i);

		(void)str_format(first, sizeof(first), "disk%zu", i);
		find_image(im, im->running ? (node ? node : "") : first, &im->disks[i]);
		if (!im->disks[i].info)
			return error_set(err, ENODEV,
					 "disk '%s' is not one that it was started with",
					 im->vm->disks[i].name);
	}
	find_image(im, nvram_node, &im->nvram);
	return 0;
}

/* Whether QEMU is at what the journal says. */
static int is_at(const struct machine_images *im, json_t *nodes, bool *ret_at, struct error *err)
{
	const char *key;
	json_t *node;

	*ret_at = true;
	json_object_foreach (nodes, key, node) {
		uint64_t i;

		if (!str_parse_u64(key, UINT32_MAX, &i) || i >= im->vm->n_disks)
			return error_set(err, EINVAL,
					 "'" NAME_DISK_JOURNAL "' names disk %s, and it is "
					 "configured with %zu",
					 key, im->vm->n_disks);
		if (!json_is_string(node) || !str_eq(im->disks[i].node, json_string_value(node)))
			*ret_at = false;
	}
	return 0;
}

int machine_images_settle(struct machine_images *im, struct error *err)
{
	cleanup_close int state_dirfd = -1;
	struct disk_journal *j = NULL;
	bool counts;
	int rc = paths_open_state(im->paths, PATHS_VM, im->vm->name, 0, &state_dirfd, err);

	if (rc == 0)
		rc = disk_journal_read(state_dirfd, &j, err);
	if (rc < 0 || !j)
		return rc;
	rc = is_at(im, j->nodes, &counts, err);
	disk_journal_free(j);
	free(j);
	return rc < 0 ? rc : disk_journal_finish(state_dirfd, counts, err);
}

/* Who cannot look has nothing to do with it: names are the superuser's. */
static int settle(struct machine_images *im, struct error *err)
{
	cleanup_close int state_dirfd = -1, lock = -1;
	int rc = paths_open_state(im->paths, PATHS_VM, im->vm->name, 0, &state_dirfd, NULL);

	if (rc < 0 || geteuid() != 0 ||
	    faccessat(state_dirfd, NAME_DISK_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	rc = disk_journal_lock(state_dirfd, &lock, err);
	return rc < 0 ? rc : machine_images_settle(im, err);
}

int machine_images_lock(const struct paths *paths, const char *vm, int *ret_fd, struct error *err)
{
	cleanup_close int fd = -1;
	int rc = paths_open_run(paths, PATHS_VM, vm, 0, &fd, err);

	if (rc < 0)
		return rc;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? error_set(err, EBUSY, "another verb is at work on its disks")
			       : error_errno(err, errno, "lock its run folder");
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int open_running(struct machine_images *im, const char *prefix, struct error *err)
{
	const char *name = im->vm->name;
	int fd, rc;

	rc = machine_images_lock(im->paths, name, &im->run_dirfd, err);
	if (rc < 0)
		return rc;
	rc = rundir_connect(im->paths, PATHS_VM, name, NAME_QMP, &fd, err);
	if (rc == 0)
		rc = jobs_open(fd, &im->jobs, err);
	if (rc < 0)
		return rc;
	/* The lock is ours: whoever began these has gone. */
	jobs_cancel(im->jobs, prefix);
	jobs_remove_nodes(im->jobs, prefix);
	im->running = true;
	rc = machine_images_look(im, err);
	return rc < 0 ? rc : settle(im, err);
}

static int add_disk(struct machine_images *im, size_t i, struct error *err)
{
	static const struct lab nobody;
	const struct spec_disk *disk = &im->vm->disks[i];
	struct disk_info info;
	char node[32];
	int rc;

	(void)str_format(node, sizeof(node), "disk%zu", i);
	rc = disk_chain_open(disk->path, inspect_format(disk), disk->read_only, &im->chains[i],
			     &info, err);
	if (rc == 0 && (disk->read_only ? info.written : info.in_use)) {
		/* Clones that run, most often. */
		rc = volume_check_clones_beside(&nobody, disk->path, err);
		if (rc == 0)
			rc = error_set(err, EBUSY, "the image '%s' is in use by another process",
				       disk->path);
	}
	if (rc == 0)
		rc = storage_add(im->jobs, &im->chains[i], node, disk->read_only, err);
	return error_wrap_if(err, rc, "disk '%s'", disk->name);
}

/* Firmware's variables lie in the state folder. */
static int add_nvram(struct machine_images *im, struct error *err)
{
	cleanup_free char *path =
		str_printf("%s/vm/%s/" NAME_NVRAM, im->paths->state, im->vm->name);
	struct disk_chain chain;
	int rc;

	if (!path)
		return error_oom(err);
	rc = disk_chain_open(path, DISK_FORMAT_QCOW2, false, &chain, NULL, err);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0) {
		rc = storage_add(im->jobs, &chain, nvram_node, false, err);
		disk_chain_close(&chain);
	}
	return error_wrap_if(err, rc, "NVRAM");
}

static int open_stopped(struct machine_images *im, const struct host *host, struct error *err)
{
	int rc = machine_hold_files(im->paths, im->vm, &im->rundir, err);

	if (rc < 0)
		return rc;
	rc = storage_start(im->paths, host, im->vm->name, &im->storage, &im->jobs, err);
	for (size_t i = 0; rc == 0 && i < im->vm->n_disks; i++)
		rc = add_disk(im, i, err);
	if (rc == 0)
		rc = add_nvram(im, err);
	return rc == 0 ? machine_images_look(im, err) : rc;
}

static int open_images(const struct paths *paths, const struct host *host, const struct spec_vm *vm,
		       const char *prefix, struct machine_images *ret_images, struct error *err)
{
	struct machine_images im = MACHINE_IMAGES_INIT;
	enum rundir_state state;
	int rc;

	im.paths = paths;
	im.vm = vm;
	im.disks = calloc(vm->n_disks + 1, sizeof(*im.disks));
	im.chains = calloc(vm->n_disks + 1, sizeof(*im.chains));
	if (!im.disks || !im.chains) {
		machine_images_close(&im);
		return error_oom(err);
	}
	rundir_settle(paths, PATHS_VM, vm->name);
	rc = rundir_check_held(paths, PATHS_VM, vm->name, err);
	if (rc == 0)
		rc = rundir_look(paths, PATHS_VM, vm->name, &state, err);
	if (rc == 0 && state == RUNDIR_SERVED)
		rc = open_running(&im, prefix, err);
	else if (rc == 0 && host)
		rc = open_stopped(&im, host, err);
	if (rc < 0) {
		machine_images_close(&im);
		return rc;
	}
	*ret_images = im;
	return 0;
}

int machine_images_open(const struct paths *paths, const struct host *host,
			const struct spec_vm *vm, const char *prefix,
			struct machine_images *ret_images, struct error *err)
{
	return open_images(paths, host, vm, prefix, ret_images, err);
}

int machine_images_open_running(const struct paths *paths, const struct spec_vm *vm,
				const char *prefix, struct machine_images *ret_images,
				struct error *err)
{
	return open_images(paths, NULL, vm, prefix, ret_images, err);
}

void machine_images_close(struct machine_images *im)
{
	storage_end(&im->storage, im->jobs);
	jobs_close(im->jobs);
	im->jobs = NULL;
	for (size_t i = 0; im->chains && i < im->vm->n_disks; i++)
		disk_chain_close(&im->chains[i]);
	free(im->chains);
	free(im->disks);
	json_decref(im->nodes);
	im->chains = NULL;
	im->disks = NULL;
	im->nodes = NULL;
	if (im->rundir.lockfd >= 0)
		rundir_remove(&im->rundir, im->paths, PATHS_VM, im->vm->name);
	close_fd(&im->run_dirfd);
}
