/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "vmm/backup/backup_verify.h"
#include "vmm/backup/vm_config.h"
#include "vmm/json.h"
#include "vmm/layers/jobs.h"
#include "vmm/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TPM_BYTES_MAX = 4 * 1024 * 1024 };

/* What stands in the manifest of this generation, but for sums and sizes. */
static int describe(struct backup *b, struct error *err)
{
	const struct spec_vm *vm = b->request->vm;
	struct backup_generation *g = &b->next;
	time_t now = time(NULL);
	struct tm tm;

	if (vm->n_disks > BACKUP_DISKS_MAX)
		return error_set(err, E2BIG, "it has more than %d disks", BACKUP_DISKS_MAX);
	g->number = (unsigned)b->folder.manifest.n;
	g->running = b->images.running;
	(void)gmtime_r(&now, &tm);
	(void)strftime(g->time, sizeof(g->time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	/* Sorted by name they are sorted by time. */
	(void)str_format(b->bitmap, sizeof(b->bitmap), PREFIX "%lld-%d", (long long)now,
			 (int)getpid());
	g->disks = calloc(vm->n_disks + 1, sizeof(*g->disks));
	g->config = vm_config_describe(vm);
	if (!g->disks || !g->config)
		return error_oom(err);
	for (; g->n_disks < vm->n_disks; g->n_disks++) {
		struct backup_disk *d = &g->disks[g->n_disks];

		d->virtual_bytes = b->images.disks[g->n_disks].virtual_bytes;
		d->name = strdup(vm->disks[g->n_disks].name);
		if (!d->name)
			return error_oom(err);
		(void)str_format(d->file.name, sizeof(d->file.name), "disk%zu.%u.qcow2", g->n_disks,
				 g->number);
	}
	for (size_t i = 0; i < vm->n_disks; i++)
		backup_bitmaps_choose(b, i);
	return 0;
}

/* Where QEMU writes the copy of an image to: node PREFIX "NAME". */
static int add_target(struct backup *b, const char *name, const char *file, uint64_t virtual_bytes,
		      const char *backing, struct error *err)
{
	char path[JOBS_PATH_SIZE], node[48], file_node[56];
	cleanup_close int fd = -1;
	int rc;

	rc = backup_make_image(&b->folder, file, virtual_bytes, backing, &fd, err);
	if (rc == 0)
		rc = jobs_add_fd(b->images.jobs, fd, PREFIX, path, err);
	if (rc < 0)
		return rc;
	(void)str_format(node, sizeof(node), PREFIX "%s", name);
	(void)str_format(file_node, sizeof(file_node), PREFIX "%s-file", name);
	/* Whatever it lies on is not QEMU's to read: all that is not copied is left out. */
	return jobs_call(b->images.jobs, "blockdev-add",
			 json_pack("{s:s s:s s:n s:{s:s s:s s:s}}", "driver", "qcow2", "node-name",
				   node, "backing", "file", "driver", "file", "node-name",
				   file_node, "filename", path),
			 NULL, err);
}

static int add_targets(struct backup *b, struct error *err)
{
	struct backup_generation *g = &b->next;
	char name[24];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->n_disks; i++) {
		(void)str_format(name, sizeof(name), "disk%zu", i);
		rc = add_target(b, name, g->disks[i].file.name, g->disks[i].virtual_bytes,
				g->disks[i].backing, err);
		rc = error_wrap_if(err, rc, "disk '%s'", g->disks[i].name);
		if (rc == 0)
			rc = interrupt_check(err);
	}
	if (rc == 0 && b->images.nvram.info) {
		(void)str_format(g->nvram.name, sizeof(g->nvram.name), "nvram.%u.qcow2", g->number);
		rc = add_target(b, "nvram", g->nvram.name, b->images.nvram.virtual_bytes, "", err);
		rc = error_wrap_if(err, rc, "NVRAM");
	}
	return rc;
}

static void add_action(json_t *actions, const char *type, json_t *data)
{
	(void)json_array_append_new(actions, json_pack("{s:s s:o}", "type", type, "data", data));
}

static void add_job(struct backup *b, json_t *actions, const char *name, const char *source,
		    const char *since)
{
	char id[48];
	json_t *job;

	(void)str_format(id, sizeof(id), PREFIX "%s", name);
	job = json_pack("{s:s s:s s:s s:s s:b s:I}", "job-id", id, "device", source, "target", id,
			"sync", since ? "bitmap" : "full", "auto-dismiss", 0, "speed",
			(json_int_t)b->request->limit_bytes);
	if (since && job) {
		(void)json_object_set_new(job, "bitmap", json_string(since));
		(void)json_object_set_new(job, "bitmap-mode", json_string("never"));
	}
	add_action(actions, "blockdev-backup", job);
	b->n_jobs++;
}

static json_t *build_transaction(struct backup *b)
{
	json_t *actions = json_array();
	char name[24];

	b->n_jobs = 0;
	for (size_t i = 0; i < b->next.n_disks; i++) {
		const struct image *image = &b->images.disks[i];

		(void)str_format(name, sizeof(name), "disk%zu", i);
		if (b->next.disks[i].bitmap[0])
			add_action(actions, "block-dirty-bitmap-add",
				   json_pack("{s:s s:s s:b}", "node", image->node, "name",
					     b->bitmap, "persistent", 1));
		add_job(b, actions, name, image->node, b->since[i]);
	}
	if (b->images.nvram.info)
		add_job(b, actions, "nvram", b->images.nvram.node, NULL);
	return json_pack("{s:o}", "actions", actions);
}

/* swtpm replaces the file by another one, so it is always whole. The folder is swtpm's own: what
 * lies there may be anything. */
static int copy_tpm(struct backup *b, int state_dirfd, struct error *err)
{
	struct backup_file *f = &b->next.tpm;
	cleanup_close int dirfd = -1;
	cleanup_free char *data = NULL;
	size_t len;
	int rc;

	if (!b->request->vm->tpm)
		return 0;
	dirfd = openat(state_dirfd, "tpm", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dirfd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "TPM state");
	rc = file_read_plain(dirfd, "tpm2-00.permall", TPM_BYTES_MAX, &data, &len, err);
	if (rc == -ENOENT)
		return 0;
	(void)str_format(f->name, sizeof(f->name), "tpm.%u.permall", b->next.number);
	if (rc == 0)
		rc = file_write_atomic(b->folder.dirfd, f->name, data, len, 0600, err);
	return error_wrap_if(err, rc, "TPM state");
}

static int copy_pins(struct backup *b, int state_dirfd, struct error *err)
{
	cleanup_free char *text = NULL;
	struct vm_pins pins = {0};
	int rc = vm_pins_load(state_dirfd, &pins, err);

	if (rc < 0)
		return rc;
	text = vm_pins_encode(&pins);
	vm_pins_free(&pins);
	b->next.pins = text ? json_loads(text, 0, NULL) : NULL;
	return b->next.pins ? 0 : error_oom(err);
}

/* The moment. */
static int begin(struct backup *b, struct error *err)
{
	const struct backup_request *r = b->request;
	cleanup_close int state_dirfd = -1;
	int rc;

	rc = paths_open_state(r->paths, PATHS_VM, r->vm->name, 0, &state_dirfd, err);
	/* Never started, and its images from elsewhere: there is no state. */
	if (rc == 0)
		rc = copy_pins(b, state_dirfd, err);
	else if (rc == -ENOENT)
		rc = (b->next.pins = json_object()) ? 0 : error_oom(err);
	if (rc < 0)
		return rc;
	if (b->images.running && r->freeze)
		b->next.frozen = r->freeze(r->arg);
	fault_point("frozen");
	rc = jobs_call(b->images.jobs, "transaction", build_transaction(b), NULL, err);
	fault_point("backup begun");
	if (rc == 0 && state_dirfd >= 0)
		rc = copy_tpm(b, state_dirfd, err);
	if (b->next.frozen)
		r->thaw(r->arg);
	return rc;
}

static void show_copy(uint64_t done, uint64_t total, void *arg)
{
	const struct backup_request *r = arg;

	if (r->show)
		r->show(BACKUP_COPY, done, total, r->arg);
}

static void show_sum(uint64_t done, uint64_t total, void *arg)
{
	const struct backup_request *r = arg;

	if (r->show)
		r->show(BACKUP_SUM, done, total, r->arg);
}

/* Files that are written, and looked at again: what a QEMU left in them that the guest has taken
 * over must not lead anybody elsewhere who reads them. */
static int seal_files(struct backup *b, struct error *err)
{
	struct backup_generation *g = &b->next;
	struct backup_file *files[BACKUP_DISKS_MAX + 2];
	uint64_t done = 0, total = 0;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < g->n_disks; i++)
		files[n++] = &g->disks[i].file;
	files[n++] = &g->nvram;
	files[n++] = &g->tpm;
	for (size_t i = 0; rc == 0 && i < g->n_disks; i++)
		rc = backup_check_image(&b->folder, g->disks[i].file.name, g->disks[i].backing,
					err);
	if (rc == 0 && g->nvram.name[0])
		rc = backup_check_image(&b->folder, g->nvram.name, "", err);
	for (size_t i = 0; i < n; i++)
		total += files[i]->name[0] ? backup_file_bytes(&b->folder, files[i]->name) : 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (files[i]->name[0])
			rc = backup_sum_file(&b->folder, files[i]->name, files[i], &done, total,
					     show_sum, (void *)b->request, err);
	b->report.bytes = done;
	return rc;
}

/* The generation counts from here on. */
static int record(struct backup *b, struct error *err)
{
	struct backup_manifest *m = &b->folder.manifest;
	const struct backup_generation *last;
	int rc;

	rc = backup_manifest_add(m, &b->next, err);
	if (rc < 0)
		return rc;
	rc = backup_manifest_save(b->folder.dirfd, m, err);
	if (rc < 0) {
		backup_generation_free(&m->generations[--m->n]);
		return rc;
	}
	b->report.generation = m->generations[m->n - 1].number;
	fault_point("backup recorded");
	if (machine_images_look(&b->images, NULL) < 0)
		return 0;
	last = m->n > 1 ? &m->generations[m->n - 2] : NULL;
	for (size_t i = 0; i < b->request->vm->n_disks; i++) {
		if (last && i < last->n_disks && last->disks[i].bitmap[0])
			backup_bitmaps_remove(b, i, last->disks[i].bitmap);
		backup_bitmaps_remove_old(b, i);
	}
	return 0;
}

static int check_folder(const struct backup *b, struct error *err)
{
	const struct backup_manifest *m = &b->folder.manifest;
	const struct spec_vm *vm = b->request->vm;

	if (m->vm && !str_eq(m->uuid, vm->uuid))
		return error_set(err, EEXIST, "'%s' holds a backup of another machine, '%s' (%s)",
				 b->folder.path, m->vm, m->uuid);
	if (m->n == BACKUP_GENERATIONS_MAX)
		return error_set(err, E2BIG, "'%s' has %d generations; begin a new folder",
				 b->folder.path, BACKUP_GENERATIONS_MAX);
	return 0;
}

static int name_manifest(struct backup *b, struct error *err)
{
	struct backup_manifest *m = &b->folder.manifest;

	if (m->vm)
		return 0;
	(void)str_format(m->uuid, sizeof(m->uuid), "%s", b->request->vm->uuid);
	m->vm = strdup(b->request->vm->name);
	return m->vm ? 0 : error_oom(err);
}

static int make(struct backup *b, struct error *err)
{
	const struct backup_request *r = b->request;
	int rc;

	rc = backup_folder_make(r->folder, &b->folder, err);
	if (rc == 0)
		rc = check_folder(b, err);
	if (rc == 0)
		rc = machine_images_open(r->paths, r->host, r->vm, PREFIX, &b->images, err);
	if (rc == 0)
		rc = describe(b, err);
	if (rc == 0)
		rc = add_targets(b, err);
	if (rc == 0)
		rc = begin(b, err);
	if (rc == 0)
		rc = jobs_wait(b->images.jobs, PREFIX, b->n_jobs, JOBS_CONCLUDED, show_copy,
			       (void *)r, err);
	fault_point("backup copied");
	/* QEMU does not say where; the guest's own disks may lie elsewhere. */
	if (rc < 0 && file_system_is_full(b->folder.dirfd))
		rc = error_wrap(err, rc, "the file system of '%s' is full", b->folder.path);
	if (b->images.jobs) {
		/* What failed at one job ends the others. */
		jobs_cancel(b->images.jobs, PREFIX);
		jobs_remove_nodes(b->images.jobs, PREFIX);
	}
	b->report.running = b->next.running;
	b->report.frozen = b->next.frozen;
	if (rc == 0)
		rc = seal_files(b, err);
	if (rc == 0)
		rc = name_manifest(b, err);
	return rc == 0 ? record(b, err) : rc;
}

int backup_make(const struct backup_request *request, struct backup_report *ret_report,
		struct error *err)
{
	struct backup b = {
		.request = request,
		.folder = BACKUP_FOLDER_INIT,
		.images = MACHINE_IMAGES_INIT,
	};
	int rc = make(&b, err);

	if (rc < 0) {
		/* The bitmap that it began serves nobody. */
		for (size_t i = 0; b.images.jobs && i < b.next.n_disks; i++)
			if (b.next.disks[i].bitmap[0])
				backup_bitmaps_remove(&b, i, b.bitmap);
		if (b.folder.dirfd >= 0)
			backup_folder_sweep(&b.folder);
		backup_report_free(&b.report);
	} else {
		*ret_report = b.report;
	}
	backup_generation_free(&b.next);
	machine_images_close(&b.images);
	backup_folder_close(&b.folder);
	return rc;
}

void backup_report_free(struct backup_report *report)
{
	strv_free(&report->notes);
}
