/* SPDX-License-Identifier: MIT */
#include "vmm/backup_restore.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/chain.h"
#include "tpm/swtpm.h"
#include "vmm/backup_files.h"
#include "vmm/disk_journal.h"
#include "vmm/hold.h"
#include "vmm/inspect.h"
#include "vmm/jobs.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/pins.h"
#include "vmm/snapshot_store.h"
#include "vmm/storage.h"
#include "vmm/uids.h"
#include "vmm/volume_users.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "hv-restore-"

enum { SMALL_FILE_BYTES_MAX = 256 * 1024 * 1024 };

/* One that is on its way. */
struct restore {
	const struct restore_request *request;
	struct backup_folder folder;
	const struct backup_generation *from;
	const struct spec_vm *vm;
	struct rundir rundir;
	struct storage storage;
	struct jobs *jobs;
	int state_dirfd;
	struct strv new_files; /* that have no name of their own yet */
	json_t *steps;
	uint64_t checked_bytes;
};

static void show_sum(uint64_t done, uint64_t total, void *arg)
{
	const struct restore_request *r = arg;

	if (r->show)
		r->show(RESTORE_SUM, done, total, r->arg);
}

static void show_write(uint64_t done, uint64_t total, void *arg)
{
	const struct restore_request *r = arg;

	if (r->show)
		r->show(RESTORE_WRITE, done, total, r->arg);
}

static int verify_file(struct restore *r, const struct backup_file *f, uint64_t total_bytes,
		       struct error *err)
{
	struct backup_file found;
	int rc;

	if (!f->name[0])
		return 0;
	if (backup_file_bytes(&r->folder, f->name) != f->bytes)
		return error_set(
			err, EBADMSG,
			"'%s/%s' is missing or not as long as it was: the backup is damaged",
			r->folder.path, f->name);
	rc = backup_sum_file(&r->folder, f->name, &found, &r->checked_bytes, total_bytes, show_sum,
			     (void *)r->request, err);
	if (rc == 0 && !str_eq(found.sha256, f->sha256))
		rc = error_set(err, EBADMSG,
			       "'%s/%s' has another checksum than it had: the backup is damaged",
			       r->folder.path, f->name);
	return rc;
}

static int verify_disk(struct restore *r, const struct backup_disk *d, uint64_t total_bytes,
		       struct error *err)
{
	int rc = verify_file(r, &d->file, total_bytes, err);

	/* Sums are no proof against whoever can write the manifest as well. */
	return rc < 0 ? rc : backup_check_image(&r->folder, d->file.name, d->backing, err);
}

/* What a disk of a generation is made of: it and all below it. */
static const struct backup_disk *below(const struct restore *r, size_t disk,
				       const struct backup_disk *d)
{
	return d->backing[0] ? backup_find_disk(&r->folder.manifest, disk, d->backing) : NULL;
}

static int verify_generation(struct restore *r, const struct backup_generation *g, bool all_below,
			     uint64_t total_bytes, struct error *err)
{
	int rc = verify_file(r, &g->nvram, total_bytes, err);

	if (rc == 0 && g->nvram.name[0])
		rc = backup_check_image(&r->folder, g->nvram.name, "", err);
	if (rc == 0)
		rc = verify_file(r, &g->tpm, total_bytes, err);
	for (size_t i = 0; rc == 0 && i < g->n_disks; i++) {
		const struct backup_disk *d = &g->disks[i];

		while (rc == 0 && d) {
			rc = verify_disk(r, d, total_bytes, err);
			d = all_below ? below(r, i, d) : NULL;
		}
	}
	return rc;
}

static uint64_t bytes_of(const struct restore *r, const struct backup_generation *g, bool all_below)
{
	uint64_t bytes = g->nvram.bytes + g->tpm.bytes;

	for (size_t i = 0; i < g->n_disks; i++)
		for (const struct backup_disk *d = &g->disks[i]; d;
		     d = all_below ? below(r, i, d) : NULL)
			bytes += d->file.bytes;
	return bytes;
}

static int verify_all(struct restore *r, struct error *err)
{
	const struct backup_manifest *m = &r->folder.manifest;
	uint64_t total = 0;
	int rc = 0;

	for (size_t i = 0; i < m->n; i++)
		total += bytes_of(r, &m->generations[i], false);
	for (size_t i = 0; rc == 0 && i < m->n; i++)
		rc = error_wrap_if(err, verify_generation(r, &m->generations[i], false, total, err),
				   "generation %zu", i);
	return rc;
}

/* Bad input is found before anything is read or written. */
static int choose(struct restore *r, struct error *err)
{
	const struct restore_request *q = r->request;
	const struct backup_manifest *m = &r->folder.manifest;
	const char *name = q->name ? q->name : m->vm;

	if (q->generation >= (int64_t)m->n)
		return error_set(err, ENOENT, "'%s' has generations 0 to %zu", r->folder.path,
				 m->n - 1);
	r->from = &m->generations[q->generation < 0 ? (int64_t)m->n - 1 : q->generation];
	if (q->verify)
		return 0;
	r->vm = lab_find_vm(q->lab, name);
	if (!r->vm)
		return error_set(err, ENOENT,
				 "there is no vm '%s' in '%s' (the manifest's config is what it "
				 "was there)",
				 name, q->paths->config);
	if (r->vm->n_disks != r->from->n_disks)
		return error_set(err, EINVAL, "vm '%s' has %zu disks, and the backup %zu", name,
				 r->vm->n_disks, r->from->n_disks);
	for (size_t i = 0; i < r->vm->n_disks; i++) {
		const struct spec_disk *disk = &r->vm->disks[i];
		struct stat st;
		int rc;

		if (stat(disk->path, &st) == 0 && !S_ISREG(st.st_mode))
			return error_set(err, EINVAL,
					 "disk '%s': '%s' is not a file that can be replaced "
					 "(qemu-img convert writes to devices)",
					 disk->name, disk->path);
		if (disk->size_bytes && disk->size_bytes < r->from->disks[i].virtual_bytes)
			return error_set(err, EINVAL,
					 "disk '%s': its size: is less than the backup's",
					 disk->name);
		rc = volume_check_clones(q->paths, q->lab, disk->path, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Nothing may run, and nothing may start. */
static int hold_machine(struct restore *r, struct error *err)
{
	const struct paths *paths = r->request->paths;
	const char *name = r->vm->name;
	int rc;

	if (geteuid() != 0)
		return error_set(err, EPERM, "restoring needs root");
	rc = machine_hold_files(paths, r->vm, &r->rundir, err);
	if (rc == 0)
		rc = paths_open_state(paths, PATHS_VM, name, 1, &r->state_dirfd, err);
	for (size_t i = 0; rc == 0 && i < r->vm->n_disks; i++) {
		const struct spec_disk *disk = &r->vm->disks[i];
		struct disk_info info = {.in_use = false};
		int found = disk_chain_examine(disk->path, inspect_format(disk), &info, NULL);

		/* One that is missing or damaged is what a restore is for. */
		if (found == 0 && info.in_use)
			rc = error_set(err, EBUSY, "disk '%s': '%s' is in use by another process",
				       disk->name, disk->path);
	}
	return rc;
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

	for (; d; d = below(r, i, d)) {
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

static int write_disks(struct restore *r, struct error *err)
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

static int write_tpm(struct restore *r, struct error *err)
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

/* The hardware that its guest has seen. Another machine gets its own MACs. */
static int write_pins(struct restore *r, struct error *err)
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

/* From the journal on all of it happens, whoever does it. */
static int put_in_place(struct restore *r, struct error *err)
{
	const struct disk_journal journal = {.steps = r->steps};
	cleanup_close int lock = -1;
	int rc;

	rc = disk_journal_lock(r->state_dirfd, &lock, err);
	if (rc == 0)
		rc = interrupt_check(err);
	fault_point("restore complete");
	if (rc == 0)
		rc = disk_journal_write(r->state_dirfd, &journal, err);
	if (rc < 0)
		return rc;
	strv_free(&r->new_files);
	fault_point("restore is to be named");
	return disk_journal_finish(r->state_dirfd, true, err);
}

/* They are in the disks that are replaced, and a backup has none. */
static int check_snapshots(struct restore *r, struct error *err)
{
	cleanup_strbuf struct strbuf tags = {0};
	struct snapshot_store store;
	int rc = snapshot_store_read(r->request->paths, r->vm->name, &store, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < store.n; i++)
		if (store.v[i].stage == SNAPSHOT_COMPLETE)
			strbuf_addf(&tags, "%s%s", tags.len ? ", " : "", store.v[i].tag);
	snapshot_store_close(&store);
	if (!tags.len || r->request->drop_snapshots)
		return 0;
	return error_set(err, EEXIST,
			 "it has snapshots, which go with the disks that are replaced: %s (--force "
			 "gives them up)",
			 tags.data ? tags.data : "");
}

static int drop_snapshots(struct restore *r, struct error *err)
{
	struct snapshot_store store;
	int rc = snapshot_store_read(r->request->paths, r->vm->name, &store, err);
	bool any = rc == 0 && (store.n || store.loading);

	if (rc == 0)
		snapshot_store_close(&store);
	if (any)
		rc = snapshot_store_lock(r->request->paths, r->vm->name, &store, err);
	if (rc < 0 || !any)
		return rc;
	while (rc == 0 && store.n)
		rc = snapshot_store_remove(&store, store.v[0].tag, err);
	/* A load that was broken off is over as well. */
	if (rc == 0 && store.loading)
		rc = snapshot_store_set_loading(&store, NULL, err);
	snapshot_store_close(&store);
	return error_wrap_if(err, rc,
			     "its disks are brought back, what was known of its snapshots");
}

static int write_machine(struct restore *r, struct error *err)
{
	const struct restore_request *q = r->request;
	int rc;

	r->steps = json_array();
	rc = r->steps ? storage_start(q->paths, q->host, r->vm->name, &r->storage, &r->jobs, err)
		      : error_oom(err);
	if (rc == 0)
		rc = write_disks(r, err);
	if (rc == 0 && r->from->nvram.name[0])
		rc = copy_file(r, &r->from->nvram, NAME_NVRAM, 0, err);
	if (rc == 0)
		rc = write_tpm(r, err);
	if (rc == 0)
		rc = write_pins(r, err);
	/* It has let go of the images before they get their names. */
	storage_end(&r->storage, r->jobs);
	jobs_close(steal_ptr(&r->jobs));
	if (rc == 0)
		rc = put_in_place(r, err);
	return rc == 0 ? drop_snapshots(r, err) : rc;
}

static int restore(struct restore *r, struct error *err)
{
	int rc = backup_folder_open(r->request->folder, &r->folder, err);

	if (rc == 0)
		rc = choose(r, err);
	if (rc == 0 && r->vm)
		rc = hold_machine(r, err);
	if (rc == 0 && r->vm)
		rc = error_wrap_if(err, check_snapshots(r, err), "vm '%s'", r->vm->name);
	if (rc == 0)
		rc = r->vm ? verify_generation(r, r->from, true, bytes_of(r, r->from, true), err)
			   : verify_all(r, err);
	if (rc == 0 && r->vm)
		rc = error_wrap_if(err, write_machine(r, err), "vm '%s'", r->vm->name);
	return rc;
}

int backup_restore(const struct restore_request *request, struct restore_report *ret_report,
		   struct error *err)
{
	struct restore r = {
		.request = request,
		.folder = BACKUP_FOLDER_INIT,
		.rundir = RUNDIR_INIT,
		.storage = STORAGE_INIT,
		.state_dirfd = -1,
	};
	int rc = restore(&r, err);

	if (rc == 0) {
		*ret_report = (struct restore_report){
			.generation = r.vm ? r.from->number : (unsigned)r.folder.manifest.n,
			.bytes = r.checked_bytes,
		};
		(void)str_format(ret_report->vm, sizeof(ret_report->vm), "%s",
				 r.vm ? r.vm->name : r.folder.manifest.vm);
		(void)str_format(ret_report->time, sizeof(ret_report->time), "%s", r.from->time);
	}
	storage_end(&r.storage, r.jobs);
	jobs_close(r.jobs);
	for (size_t i = 0; i < r.new_files.n; i++)
		(void)unlink(r.new_files.v[i]);
	strv_free(&r.new_files);
	json_decref(r.steps);
	close_fd(&r.state_dirfd);
	if (r.rundir.lockfd >= 0)
		rundir_remove(&r.rundir, request->paths, PATHS_VM, r.vm->name);
	backup_folder_close(&r.folder);
	return rc;
}
