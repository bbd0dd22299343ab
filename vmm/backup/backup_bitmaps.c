/* SPDX-License-Identifier: MIT */
/* Which disks are copied by what changed, and the bitmaps that tell, of vmm/backup/backup.h. */
#include "vmm/backup/backup_private.h"

#include "base/str.h"
#include "vmm/backup/backup_verify.h"
#include "vmm/json.h"
#include "vmm/layers/jobs.h"

#include <stdlib.h>

enum { BITMAPS_KEPT = 8 /* in an image: for as many folders in turn, and for what was cut off */ };

static void note(struct backup *b, size_t disk, const char *why)
{
	strv_addf(&b->report.notes, "disk '%s' is copied whole: %s", b->next.disks[disk].name, why);
}

static bool can_have_bitmap(const struct backup *b, size_t i)
{
	const struct spec_disk *disk = &b->request->vm->disks[i];
	json_t *image = json_object_get(b->images.disks[i].info, "image");
	json_t *data = json_object_get(json_object_get(image, "format-specific"), "data");
	const char *version = json_get_string(data, "compat");

	return disk->format == SPEC_FORMAT_QCOW2 && !disk->read_only && version &&
	       str_eq(version, "1.1");
}

static json_t *find_bitmap(const struct image *image, const char *name)
{
	json_t *bitmap;
	size_t i;

	json_array_foreach (json_object_get(image->info, "dirty-bitmaps"), i, bitmap) {
		const char *found = json_get_string(bitmap, "name");

		if (found && str_eq(found, name))
			return bitmap;
	}
	return NULL;
}

/* Sums would take as long as a copy; hv restore --verify looks at them. */
static bool is_there(const struct backup *b, size_t i, const struct backup_disk *top)
{
	const struct backup_disk *d = top;

	while (d && backup_file_bytes(&b->folder, d->file.name) == d->file.bytes)
		d = backup_disk_below(&b->folder.manifest, i, d);
	return !d;
}

/* Why a disk cannot be copied by what changed since the last generation; NULL: it can. */
static const char *why_whole(const struct backup *b, size_t i, const struct backup_disk **ret_last)
{
	const struct backup_manifest *m = &b->folder.manifest;
	const struct backup_generation *g = m->n ? &m->generations[m->n - 1] : NULL;
	const struct backup_disk *last = g && i < g->n_disks ? &g->disks[i] : NULL;
	json_t *bitmap;

	if (!g)
		return "there is no earlier generation";
	if (!can_have_bitmap(b, i))
		return "its image keeps no account of changes (qcow2 that can be written to does)";
	if (last && backup_chain_length(m, i, last) >= BACKUP_LAYERS_MAX)
		return "so many generations lie on each other already";
	if (!last || !str_eq(last->name, b->next.disks[i].name))
		return "it is not in the last generation";
	if (last->virtual_bytes != b->images.disks[i].virtual_bytes)
		return "its size is another one";
	if (!is_there(b, i, last))
		return "what it would lie on is missing in the folder, or not as long as it was";
	bitmap = last->bitmap[0] ? find_bitmap(&b->images.disks[i], last->bitmap) : NULL;
	if (!bitmap)
		return "its image has no account of what changed since the last generation";
	if (json_is_true(json_object_get(bitmap, "inconsistent")) ||
	    !json_is_true(json_object_get(bitmap, "recording")))
		return "the account of what changed was cut off when QEMU was killed";
	*ret_last = last;
	return NULL;
}

void backup_bitmaps_choose(struct backup *b, size_t i)
{
	const struct backup_disk *last = NULL;
	const char *why = why_whole(b, i, &last);
	struct backup_disk *disk = &b->next.disks[i];

	if (can_have_bitmap(b, i))
		(void)str_format(disk->bitmap, sizeof(disk->bitmap), "%s", b->bitmap);
	if (!b->request->incremental)
		return;
	if (why) {
		note(b, i, why);
		return;
	}
	b->since[i] = last->bitmap;
	(void)str_format(disk->backing, sizeof(disk->backing), "%s", last->file.name);
}

void backup_bitmaps_remove(struct backup *b, size_t i, const char *name)
{
	(void)jobs_call(b->images.jobs, "block-dirty-bitmap-remove",
			json_pack("{s:s s:s}", "node", b->images.disks[i].node, "name", name), NULL,
			NULL);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)b, *(const char *const *)a);
}

void backup_bitmaps_remove_old(struct backup *b, size_t i)
{
	json_t *list = json_object_get(b->images.disks[i].info, "dirty-bitmaps"), *bitmap;
	const char **names = calloc(json_array_size(list) + 1, sizeof(*names));
	size_t n = 0, k;

	json_array_foreach (list, k, bitmap) {
		const char *name = json_get_string(bitmap, "name");

		if (names && name && str_after(name, PREFIX))
			names[n++] = name;
	}
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (k = BITMAPS_KEPT; k < n; k++)
		backup_bitmaps_remove(b, i, names[k]);
	free(names);
}
