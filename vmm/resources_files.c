/* SPDX-License-Identifier: MIT */
#include "vmm/resources_files.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "disk/cache.h"
#include "disk/chain.h"
#include "vmm/inspect.h"
#include "vmm/names.h"
#include "vmm/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void resources_files_init(struct resources *r)
{
	r->monitor_fd = r->serial_fd = r->agent_fd = r->serial_log_fd = -1;
	r->tpm_fd = r->swtpm_fd = r->vsock_fd = r->incoming_fd = -1;
	r->code_fd = r->vars_fd = r->kernel_fd = r->initrd_fd = -1;
}

/* n descriptors, all -1. */
static int make_fds(size_t n, int **ret_fds, struct error *err)
{
	int *fds = calloc(n + 1, sizeof(*fds));

	if (!fds)
		return error_oom(err);
	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
	*ret_fds = fds;
	return 0;
}

static int open_file(const char *key, const char *path, int *ret_fd, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, errno, "%s: '%s'", key, path);
	*ret_fd = fd;
	return 0;
}

/* What was looked at by its path before may be another file by now: QEMU gets
 * no descriptor that was not looked at itself. */
static int open_code(const char *path, enum disk_format format, int *ret_fd, struct error *err)
{
	cleanup_close int fd = -1;
	struct disk_info info;
	int rc;

	rc = disk_open(path, true, &fd, err);
	if (rc == 0)
		rc = error_wrap_if(err, disk_examine(fd, format, NULL, &info, err), "'%s'", path);
	if (rc == 0)
		*ret_fd = steal_fd(&fd);
	return rc;
}

static int open_disk(const struct spec_disk *disk, struct disk_chain *ret_chain, struct error *err)
{
	static const enum disk_cache caches[] = {
		[SPEC_CACHE_AUTO] = DISK_CACHE_AUTO,
		[SPEC_CACHE_NONE] = DISK_CACHE_NONE,
		[SPEC_CACHE_WRITEBACK] = DISK_CACHE_WRITEBACK,
	};
	int rc = disk_chain_open(disk->path, inspect_format(disk), disk->read_only, ret_chain, NULL,
				 err);

	_Static_assert(sizeof(caches) / sizeof(caches[0]) == SPEC_CACHE_COUNT, "a word each");
	/* What lies below is only read, and by many: there the page cache is of use. */
	if (rc == 0)
		rc = disk_cache_choose(ret_chain->v[0].fd, caches[disk->cache], &ret_chain->direct,
				       err);
	return rc;
}

static int open_images(struct resources *r, struct error *err)
{
	const struct spec_vm *vm = r->vm;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++)
		rc = error_wrap_if(err, open_disk(&vm->disks[i], &r->disks[i], err), "disk '%s'",
				   vm->disks[i].name);
	for (size_t i = 0; rc == 0 && i < vm->n_cdroms; i++)
		rc = error_wrap_if(err, disk_open(vm->cdroms[i].path, true, &r->cdrom_fds[i], err),
				   "cdroms");
	return rc;
}

/* The guest's firmware writes to it, and a QEMU that the guest has taken over
 * may leave any header in it for the next start. */
static int open_nvram(struct resources *r, struct error *err)
{
	struct disk_info info;

	r->vars_fd = openat(r->state_dirfd, NAME_NVRAM, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (r->vars_fd < 0)
		return error_errno(err, errno, "open the NVRAM");
	return error_wrap_if(err, disk_examine(r->vars_fd, DISK_FORMAT_QCOW2, NULL, &info, err),
			     "NVRAM '%s' (moved away, it is made anew)", NAME_NVRAM);
}

static int open_firmware(struct resources *r, struct error *err)
{
	int rc = 0;

	if (r->firmware.code) {
		rc = error_wrap_if(
			err,
			open_code(r->firmware.code,
				  r->firmware.code_qcow2 ? DISK_FORMAT_QCOW2 : DISK_FORMAT_RAW,
				  &r->code_fd, err),
			"firmware");
		if (rc == 0)
			rc = open_nvram(r, err);
		if (rc < 0)
			return rc;
	}
	if (r->vm->kernel)
		rc = open_file("kernel", r->vm->kernel, &r->kernel_fd, err);
	if (rc == 0 && r->vm->initrd)
		rc = open_file("initrd", r->vm->initrd, &r->initrd_fd, err);
	return rc;
}

/* Each start has a log of its own; the one before it is kept. */
static int open_console_log(struct resources *r, struct error *err)
{
	if (renameat(r->state_dirfd, NAME_CONSOLE_LOG, r->state_dirfd, NAME_CONSOLE_LOG ".1") < 0 &&
	    errno != ENOENT)
		return error_errno(err, errno, "move the console log aside");
	r->serial_log_fd = openat(r->state_dirfd, NAME_CONSOLE_LOG,
				  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->serial_log_fd < 0)
		return error_errno(err, errno, "create the console log");
	return 0;
}

static int listen_sockets(struct resources *r, struct error *err)
{
	int rc;

	rc = fd_listen_unix(r->run_dirfd, NAME_MONITOR, 0600, &r->monitor_fd, err);
	if (rc == 0)
		rc = fd_listen_unix(r->run_dirfd, NAME_SERIAL, 0600, &r->serial_fd, err);
	if (rc == 0 && r->vm->agent)
		rc = fd_listen_unix(r->run_dirfd, NAME_AGENT, 0600, &r->agent_fd, err);
	return rc;
}

int resources_files_connect_tpm(struct resources *r, struct error *err)
{
	return r->vm->tpm ? fd_socketpair(&r->tpm_fd, &r->swtpm_fd, err) : 0;
}

/* Bytes that do not fit are fed when QEMU has read (vmm/keeper/keeper_feed.c). What a fork
 * takes in, all but its memory, is to fit: neither of the two waits for the other then. */
int resources_files_feed(struct resources *r, struct error *err)
{
	int rc;

	if (r->source_fd < 0)
		return 0;
	rc = fd_socketpair(&r->incoming_fd, &r->feed_fd, err);
	if (rc < 0)
		return rc;
	/* Less will do where the caller may not have so much. */
	fd_give_room(r->feed_fd, PREPARED_ROOM_BYTES);
	return fd_set_nonblock(r->feed_fd, err);
}

static int open_vsock(struct resources *r, struct error *err)
{
	const struct spec_vm *vm = r->vm;

	if (!vm->vsock_cid)
		return 0;
	r->vsock_fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
	r->has_vsock = r->vsock_fd >= 0;
	if (r->has_vsock)
		return 0;
	if (vm->vsock != SPEC_VSOCK_AUTO)
		return error_errno(err, errno, "vsock: '/dev/vhost-vsock'");
	log_warning("vm '%s': this host has no vhost-vsock (%s): the guest goes without", vm->name,
		    strerror(errno));
	return 0;
}

int resources_files_open(struct resources *r, struct error *err)
{
	int rc;

	r->disks = calloc(r->vm->n_disks + 1, sizeof(*r->disks));
	if (!r->disks)
		return error_oom(err);
	rc = make_fds(r->vm->n_cdroms, &r->cdrom_fds, err);
	if (rc == 0)
		rc = make_fds(r->vm->n_nics, &r->tap_fds, err);
	if (rc < 0)
		return rc;
	r->tap_names = calloc(r->vm->n_nics + 1, sizeof(*r->tap_names));
	if (!r->tap_names)
		return error_oom(err);
	rc = open_images(r, err);
	if (rc == 0)
		rc = open_firmware(r, err);
	if (rc == 0)
		rc = listen_sockets(r, err);
	if (rc == 0)
		rc = open_console_log(r, err);
	if (rc == 0)
		rc = resources_files_connect_tpm(r, err);
	if (rc == 0)
		rc = open_vsock(r, err);
	if (rc == 0)
		rc = tables_read(r->vm, &r->tables, err);
	return rc;
}

void resources_files_close(struct resources *r)
{
	for (size_t i = 0; r->disks && i < r->vm->n_disks; i++)
		disk_chain_close(&r->disks[i]);
	for (size_t i = 0; r->cdrom_fds && i < r->vm->n_cdroms; i++)
		close_fd(&r->cdrom_fds[i]);
	for (size_t i = 0; r->tap_fds && i < r->vm->n_nics; i++)
		close_fd(&r->tap_fds[i]);
	close_fd(&r->monitor_fd);
	close_fd(&r->serial_fd);
	close_fd(&r->agent_fd);
	close_fd(&r->serial_log_fd);
	close_fd(&r->tpm_fd);
	close_fd(&r->vsock_fd);
	close_fd(&r->incoming_fd);
	tables_free(&r->tables);
	close_fd(&r->code_fd);
	close_fd(&r->vars_fd);
	close_fd(&r->kernel_fd);
	close_fd(&r->initrd_fd);
}

void resources_files_free(struct resources *r)
{
	resources_files_close(r);
	close_fd(&r->swtpm_fd);
	free(r->disks);
	free(r->cdrom_fds);
	free(r->tap_fds);
	free(r->tap_names);
	r->disks = NULL;
	r->cdrom_fds = r->tap_fds = NULL;
	r->tap_names = NULL;
}
