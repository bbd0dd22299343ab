/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup_verify.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>

static int verify_file(struct backup_verify *v, const struct backup_file *f, struct error *err)
{
	struct backup_file found;
	int rc;

	if (!f->name[0])
		return 0;
	if (backup_file_bytes(v->folder, f->name) != f->bytes)
		return error_set(
			err, EBADMSG,
			"'%s/%s' is missing or not as long as it was: the backup is damaged",
			v->folder->path, f->name);
	rc = backup_sum_file(v->folder, f->name, &found, &v->checked_bytes, v->total_bytes, v->show,
			     v->arg, err);
	if (rc == 0 && !str_eq(found.sha256, f->sha256))
		rc = error_set(err, EBADMSG,
			       "'%s/%s' has another checksum than it had: the backup is damaged",
			       v->folder->path, f->name);
	return rc;
}

static int verify_disk(struct backup_verify *v, const struct backup_disk *d, struct error *err)
{
	int rc = verify_file(v, &d->file, err);

	/* Sums are no proof against whoever can write the manifest as well. */
	return rc < 0 ? rc : backup_check_image(v->folder, d->file.name, d->backing, err);
}

const struct backup_disk *backup_disk_below(const struct backup_manifest *m, size_t disk,
					    const struct backup_disk *d)
{
	return d->backing[0] ? backup_find_disk(m, disk, d->backing) : NULL;
}

static int verify_generation(struct backup_verify *v, const struct backup_generation *g,
			     bool all_below, struct error *err)
{
	int rc = verify_file(v, &g->nvram, err);

	if (rc == 0 && g->nvram.name[0])
		rc = backup_check_image(v->folder, g->nvram.name, "", err);
	if (rc == 0)
		rc = verify_file(v, &g->tpm, err);
	for (size_t i = 0; rc == 0 && i < g->n_disks; i++) {
		const struct backup_disk *d = &g->disks[i];

		while (rc == 0 && d) {
			rc = verify_disk(v, d, err);
			d = all_below ? backup_disk_below(&v->folder->manifest, i, d) : NULL;
		}
	}
	return rc;
}

static uint64_t bytes_of(const struct backup_manifest *m, const struct backup_generation *g,
			 bool all_below)
{
	uint64_t bytes = g->nvram.bytes + g->tpm.bytes;

	for (size_t i = 0; i < g->n_disks; i++)
		for (const struct backup_disk *d = &g->disks[i]; d;
		     d = all_below ? backup_disk_below(m, i, d) : NULL)
			bytes += d->file.bytes;
	return bytes;
}

int backup_verify_generation(struct backup_verify *v, const struct backup_generation *g,
			     struct error *err)
{
	v->total_bytes = bytes_of(&v->folder->manifest, g, true);
	return verify_generation(v, g, true, err);
}

int backup_verify_all(struct backup_verify *v, struct error *err)
{
	const struct backup_manifest *m = &v->folder->manifest;
	int rc = 0;

	v->total_bytes = 0;
	for (size_t i = 0; i < m->n; i++)
		v->total_bytes += bytes_of(m, &m->generations[i], false);
	for (size_t i = 0; rc == 0 && i < m->n; i++)
		rc = error_wrap_if(err, verify_generation(v, &m->generations[i], false, err),
				   "generation %zu", i);
	return rc;
}
