/* SPDX-License-Identifier: MIT */
/* Which layers are put together, and whether they may be, of vmm/layers/layers.h. */
#include "vmm/layers/layers_fold.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <stdlib.h>

/* The layer of the tag, or the next below; 0: none. */
static int find_base(const struct fold *f, struct folded *d, struct error *err)
{
	cleanup_free char *name = NULL;

	d->base = 0;
	if (!f->request->tag) {
		d->base = d->chain.n > 1;
		return 0;
	}
	name = layers_name(d->disk->path, f->request->tag);
	if (!name)
		return error_oom(err);
	for (size_t k = 1; k < d->chain.n; k++)
		if (volume_is_same(d->chain.v[k].path, name))
			d->base = k;
	return 0;
}

/* What is written to, and what goes, must be nobody else's. */
static int check_users(const struct fold *f, const struct folded *d, struct error *err)
{
	cleanup_free char *own = str_printf("vm '%s'", f->request->vm->name);
	int rc = own ? 0 : error_oom(err);

	for (size_t k = 1; rc == 0 && k <= d->base; k++) {
		const struct disk_layer *layer = &d->chain.v[k];
		const char *slash = strrchr(layer->path, '/');
		cleanup_strv struct strv clones = {0}, users = {0};

		/* Clones lie on images that are not theirs. */
		volume_users_find(f->request->lab, layer->path, &users);
		if (users.n)
			return error_set(err, EBUSY, "'%s' is a disk of vm '%s'", layer->path,
					 users.v[0]);
		if (strncmp(layer->path, d->disk->path, (size_t)(slash - layer->path) + 1) != 0 ||
		    strchr(d->disk->path + (slash - layer->path) + 1, '/'))
			return error_set(
				err, EXDEV,
				"'%s' lies in another folder (hv snap rebase makes the disk "
				"stand alone)",
				layer->path);
		if (layer->format != DISK_FORMAT_QCOW2)
			return error_set(
				err, ENOTSUP,
				"'%s' is raw, and the disk is configured as qcow2 (hv snap "
				"rebase makes it stand alone)",
				layer->path);
		rc = volume_clones_find(f->request->paths, f->request->lab, layer->path, &clones,
					err);
		for (size_t i = 0; rc == 0 && i < clones.n; i++)
			if (!str_eq(clones.v[i], own))
				rc = error_set(err, EBUSY, "'%s' is the base of %s, too",
					       layer->path, clones.v[i]);
	}
	return rc;
}

int fold_find_runs(struct fold *f, bool *ret_runs, struct error *err)
{
	cleanup_json json_t *status = NULL;
	int rc = jobs_call(f->images.jobs, "query-status", NULL, &status, err);

	if (rc == 0)
		*ret_runs = json_is_true(json_object_get(status, "running"));
	return rc;
}

json_t *fold_find_file(const struct fold *f, const struct folded *d)
{
	char file[IMAGES_NODE_SIZE + 8];

	(void)str_format(file, sizeof(file), "%s-file", d->nodes[d->base]);
	return machine_images_find_node(&f->images, file);
}

/* QEMU before 9.1 closes a descriptor, which has its locks, only while its guest runs. */
static int check_runs(struct fold *f, const struct folded *d, struct error *err)
{
	bool runs = true;
	int rc = 0;

	if (f->images.running && json_is_true(json_object_get(fold_find_file(f, d), "ro")))
		rc = fold_find_runs(f, &runs, err);
	if (rc == 0 && !runs)
		rc = error_set(err, EBUSY,
			       "QEMU holds '%s' open for reading for as long as the guest stands "
			       "(hv resume %s, and then again)",
			       d->chain.v[d->base].path, f->request->vm->name);
	return rc;
}

static int add_disk(struct fold *f, size_t i, bool commits, struct error *err)
{
	struct folded *d = &f->disks[f->n];
	int rc;

	d->index = i;
	d->disk = &f->request->vm->disks[i];
	if (d->disk->format != SPEC_FORMAT_QCOW2 || d->disk->read_only)
		return 0;
	rc = disk_chain_open(d->disk->path, DISK_FORMAT_QCOW2, true, &d->chain, NULL, err);
	if (rc < 0)
		return rc;
	f->n++;
	if (commits)
		rc = find_base(f, d, err);
	if (rc == 0 && commits)
		rc = check_users(f, d, err);
	if (rc == 0 && (commits ? d->base == 0 : d->chain.n == 1)) {
		disk_chain_close(&d->chain);
		f->n--;
		return 0;
	}
	if (rc == 0)
		rc = commits ? layers_check_commit(f->request->vm->name, &d->chain, d->base, err)
			     : layers_check_rebase(f->request->vm->name, &d->chain, err);
	if (rc == 0)
		rc = layers_find_nodes(&f->images, i, &d->chain, d->nodes, err);
	return rc == 0 && commits ? check_runs(f, d, err) : rc;
}

int fold_choose(struct fold *f, bool commits, struct error *err)
{
	const struct spec_vm *vm = f->request->vm;
	int rc = 0;

	f->disks = calloc(vm->n_disks + 1, sizeof(*f->disks));
	if (!f->disks)
		return error_oom(err);
	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++)
		rc = error_wrap_if(err, add_disk(f, i, commits, err), "disk '%s'",
				   vm->disks[i].name);
	if (rc == 0 && !f->n)
		rc = f->request->tag
			     ? error_set(err, ENOENT, "no disk of it lies on a layer '%s'",
					 f->request->tag)
			     : error_set(err, ENOENT, "no disk of it lies on another image");
	return rc;
}
