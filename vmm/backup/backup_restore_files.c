/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup_restore_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "disk/chain.h"
#include "tpm/swtpm.h"
#include "vmm/backup/backup_verify.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/layers/jobs.h"
#include "vmm/names.h"
#include "vmm/pins.h"
#include "vmm/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

#define PREFIX "hv-restore-"

enum { SMALL_FILE_BYTES_MAX = 256 * 1024 * 1024 };

static void show_write(uint64_t done, uint64_t total, void *arg)
{
	const struct restore_request *r = arg;

	if (r->show)
		r->show(RESTORE_WRITE, done, total, r->arg);
}

/* The name of a new file beside path. */
static char *name_new_file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return str_printf("%.*s/.%s.restore", (int)(slash - path), path, slash + 1);
}

static int make_new_file(struct restore *r, const char *path, int *ret_fd, const char **ret_new,
			 struct error *err)
{
	char *name = name_new_file(path);
	int fd;

	if (!name)
		return error_oom(err);
	/* Of one that was killed: the machine is held, so nobody writes to it. */
	(void)unlink(name);
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		int rc = error_errno(err, errno, "create '%s'", name);

		free(name);
		return rc;
	}
	strv_take(&r->new_files, name);
	*ret_fd = fd;
	*ret_new = r->new_files.v[r->new_files.n - 1];
	return r->new_files.failed ? error_oom(err) : 0;
}

static int open_chain(struct restore *r, size_t i, struct disk_chain *ret_chain, struct error *err)
{
	_Static_assert((int)BACKUP_LAYERS_MAX <= (int)DISK_LAYERS_MAX, "a layer each");
	const struct backup_disk *d = &r->from->disks[i];
	struct disk_chain chain = {.n = 0};

	for (; d; d = backup_disk_below(&r->folder.manifest, i, d)) {
		struct disk_layer *layer = &chain.v[chain.n++];

		*layer = (struct disk_layer){
			.fd = openat(r->folder.dirfd, d->file.name,
				     O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
			.format = DISK_FORMAT_QCOW2,
			.path = strdup(d->file.name),
		};
		if (layer->fd < 0 || !layer->path) {
			int rc = error_errno(err, errno, "'%s'", d->file.name);

			disk_chain_close(&chain);
			return rc;
		}
	}
	*ret_chain = chain;
	return 0;
}

static int add_target(struct restore *r, const char *node, int fd, enum disk_format format,
		      struct error *err)
{
	char path[JOBS_PATH_SIZE];
	json_t *image;
	int rc = jobs_add_fd(r->jobs, fd, PREFIX, path, err);

	if (rc < 0)
		return rc;
	image = json_pack("{s:s s:s s:s s:{s:s s:s s:s}}", "driver",
			  format == DISK_FORMAT_QCOW2 ? "qcow2" : "raw", "node-name", node,
			  "discard", "unmap", "file", "driver", "file", "filename", path, "discard",
			  "unmap");
	return jobs_call(r->jobs, "blockdev-add", image, NULL, err);
}

static int begin_disk(struct restore *r, size_t i, int *ret_fd, struct error *err)
{
	const struct spec_disk *disk = &r->vm->disks[i];
	enum disk_format format = inspect_format(disk);
	cleanup_free char *copy = strdup(disk->path);
	char source[24], target[40];
	struct disk_chain chain;
	const char *name;
	int rc;

	if (!copy)
		return error_oom(err);
	rc = disk->pool ? file_mkdir_all(dirname(copy), 0711, err) : 0;
	if (rc == 0)
		rc = make_new_file(r, disk->path, ret_fd, &name, err);
	if (rc == 0)
		rc = disk_format_file(name, *ret_fd, format, r->from->disks[i].virtual_bytes, err);
	if (rc < 0)
		return rc;
	disk_steps_rename(r->steps, name, disk->path);
	disk_steps_record(r->steps, disk->path, NULL, DISK_FORMAT_QCOW2);
	(void)str_format(source, sizeof(source), "disk%zu", i);
	(void)str_format(target, sizeof(target), PREFIX "disk%zu", i);
	rc = open_chain(r, i, &chain, err);
	if (rc < 0)
		return rc;
	rc = storage_add(r->jobs, &chain, source, true, err);
	disk_chain_close(&chain);
	if (rc == 0)
		rc = add_target(r, target, *ret_fd, format, err);
	/* A mirror leaves holes where there are zeroes, which a backup does not. */
	if (rc == 0)
		rc = jobs_call(r->jobs, "blockdev-mirror",
			       json_pack("{s:s s:s s:s s:s s:b}", "job-id", target, "device",
					 source, "target", target, "sync", "full", "auto-dismiss",
					 0),
			       NULL, err);
	return rc;
}

int restore_write_disks(struct restore *r, struct error *err)
{
	int *fds = calloc(r->vm->n_disks + 1, sizeof(*fds));
	size_t n = 0;
	int rc = 0;

	if (!fds)
		return error_oom(err);
	for (; rc == 0 && n < r->vm->n_disks; n++) {
		fds[n] = -1;
		rc = error_wrap_if(err, begin_disk(r, n, &fds[n], err), "disk '%s'",
				   r->vm->disks[n].name);
	}
	if (rc == 0)
		rc = jobs_wait(r->jobs, PREFIX, n, JOBS_READY, show_write, (void *)r->request, err);
	if (rc == 0)
		rc = jobs_complete(r->jobs, PREFIX, err);
	if (rc == 0)
		rc = jobs_wait(r->jobs, PREFIX, n, JOBS_CONCLUDED, NULL, NULL, err);
	fault_point("restore written");
	jobs_cancel(r->jobs, PREFIX);
	jobs_remove_nodes(r->jobs, PREFIX);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0 && fsync(fds[i]) < 0)
			rc = error_errno(err, errno, "fsync '%s'", r->vm->disks[i].path);
		close_fd(&fds[i]);
	}
	free(fds);
	return rc;
}

/* A small file of the backup for the state folder. */
static int copy_file(struct restore *r, const struct backup_file *f, const char *to, uid_t uid,
		     struct error *err)
{
	cleanup_free char *data = NULL, *path = NULL;
	cleanup_close int fd = -1;
	const char *name;
	size_t len;
	int rc;

	path = str_printf("%s/vm/%s/%s", r->request->paths->state, r->vm->name, to);
	if (!path)
		return error_oom(err);
	rc = file_read_plain(r->folder.dirfd, f->name, SMALL_FILE_BYTES_MAX, &data, &len, err);
	if (rc == 0)
		rc = make_new_file(r, path, &fd, &name, err);
	if (rc == 0)
		rc = file_write_all(fd, data, len, err);
	if (rc == 0 && (fchown(fd, uid, uid) < 0 || fsync(fd) < 0))
		rc = error_errno(err, errno, "write '%s'", name);
	if (rc == 0)
		disk_steps_rename(r->steps, name, path);
	return error_wrap_if(err, rc, "'%s'", f->name);
}

int restore_write_nvram(struct restore *r, struct error *err)
{
	return r->from->nvram.name[0] ? copy_file(r, &r->from->nvram, NAME_NVRAM, 0, err) : 0;
}

int restore_write_tpm(struct restore *r, struct error *err)
{
	cleanup_free char *owner = str_printf("tpm/%s", r->vm->name);
	cleanup_close int dirfd = -1;
	uid_t uid;
	int rc;

	if (!r->from->tpm.name[0] || !r->vm->tpm)
		return 0;
	rc = owner ? uids_claim(r->request->paths, owner, &uid, err) : error_oom(err);
	if (rc == 0)
		rc = tpm_state_open(r->state_dirfd, false, uid, uid, &dirfd, err);
	return rc < 0 ? rc : copy_file(r, &r->from->tpm, "tpm/tpm2-00.permall", uid, err);
}

int restore_write_pins(struct restore *r, struct error *err)
{
	cleanup_free char *text = json_dumps(r->from->pins, JSON_COMPACT), *made = NULL,
			  *path = NULL;
	bool same = str_eq(r->vm->uuid, r->folder.manifest.uuid);
	cleanup_close int fd = -1;
	struct vm_pins pins = {0};
	const char *name;
	int rc;

	if (!json_object_size(r->from->pins))
		return 0;
	rc = text ? vm_pins_decode(text, &pins, err) : error_oom(err);
	if (rc < 0)
		return error_wrap(err, rc, BACKUP_MANIFEST ": state");
	for (size_t i = 0; i < pins.n_devices; i++)
		pins.devices[i].has_mac = pins.devices[i].has_mac && same;
	made = vm_pins_encode(&pins);
	vm_pins_free(&pins);
	path = str_printf("%s/vm/%s/state.json", r->request->paths->state, r->vm->name);
	if (!made || !path)
		return error_oom(err);
	rc = make_new_file(r, path, &fd, &name, err);
	if (rc == 0)
		rc = file_write_all(fd, made, strlen(made), err);
	if (rc == 0 && fsync(fd) < 0)
		rc = error_errno(err, errno, "write '%s'", name);
	if (rc == 0)
		disk_steps_rename(r->steps, name, path);
	return rc;
}
