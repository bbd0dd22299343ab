/* SPDX-License-Identifier: MIT */
#include "vmm/volumes/volume_users.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "disk/chain.h"
#include "disk/record.h"
#include "vmm/fork/prepared.h"
#include "vmm/json.h"
#include "vmm/layers/layers.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum { NAMED_MAX = 8 };

bool volume_is_same(const char *a, const char *b)
{
	struct stat x, y;

	if (str_eq(a, b))
		return true;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

void volume_users_find(const struct lab *lab, const char *path, struct strv *ret_vms)
{
	for (size_t i = 0; i < lab->n_vms; i++) {
		const struct spec_vm *vm = &lab->vms[i];
		size_t j = 0;

		while (j < vm->n_disks && !volume_is_same(vm->disks[j].path, path))
			j++;
		if (j < vm->n_disks)
			strv_add(ret_vms, vm->name);
	}
}

/* Whether path stands in the records below image. */
static int lies_on(const char *image, const char *path, bool *ret_yes, struct error *err)
{
	cleanup_free char *at = strdup(image);

	*ret_yes = false;
	for (unsigned depth = 0; at && depth < DISK_LAYERS_MAX; depth++) {
		cleanup_disk_record struct disk_record record = {0};
		char *below;
		int rc = disk_record_read(at, &record, err);

		if (rc < 0 || !record.backing)
			return rc;
		below = disk_record_resolve(at, record.backing);
		free(at);
		at = below;
		if (at && volume_is_same(at, path)) {
			*ret_yes = true;
			return 0;
		}
	}
	return at ? 0 : error_oom(err);
}

static bool is_named(const struct strv *named, const char *text)
{
	for (size_t i = 0; i < named->n; i++)
		if (str_eq(named->v[i], text))
			return true;
	return false;
}

/* By the machines whose disk it is or on whose disks' way down it lies, else by its path. */
static void name_image(const struct lab *lab, const char *image, struct strv *ret_clones)
{
	bool found = false;

	for (size_t i = 0; i < lab->n_vms; i++)
		for (size_t j = 0; j < lab->vms[i].n_disks; j++) {
			const char *disk = lab->vms[i].disks[j].path;
			cleanup_free char *name = NULL;
			bool yes = false;

			if (!volume_is_same(disk, image) &&
			    (lies_on(disk, image, &yes, NULL) < 0 || !yes))
				continue;
			found = true;
			name = str_printf("vm '%s'", lab->vms[i].name);
			if (!name)
				ret_clones->failed = true;
			else if (!is_named(ret_clones, name))
				strv_add(ret_clones, name);
		}
	if (!found) {
		cleanup_free char *name = str_printf("'%s'", image);

		if (!name)
			ret_clones->failed = true;
		else if (!is_named(ret_clones, name))
			strv_add(ret_clones, name);
	}
}

/* A second name of path, and a layer for it that did not get its name yet (vmm/layers/layers.h),
 * are no others. */
static bool is_itself(const char *image, const char *path)
{
	cleanup_free char *layer = layers_overlay_name(path);

	return volume_is_same(image, path) || (layer && str_eq(image, layer));
}

/* Images in a folder, by their records. */
static int find_in(const struct lab *lab, const char *folder, const char *path,
		   struct strv *ret_clones, struct error *err)
{
	cleanup_free char *records = str_printf("%s/" DISK_RECORD_FOLDER, folder);
	cleanup_closedir DIR *dir = records ? opendir(records) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		cleanup_free char *image = NULL;
		bool yes;
		int rc;

		if (len <= 5 || !str_eq(entry->d_name + len - 5, ".json"))
			continue;
		image = str_printf("%s/%.*s", folder, (int)len - 5, entry->d_name);
		if (!image)
			return error_oom(err);
		/* A record may outlive its image. */
		if (access(image, F_OK) < 0 || is_itself(image, path))
			continue;
		rc = lies_on(image, path, &yes, err);
		if (rc < 0)
			return rc;
		if (yes)
			name_image(lab, image, ret_clones);
	}
	return records ? 0 : error_oom(err);
}

static int find_beside(const struct lab *lab, const char *path, struct strv *ret_clones,
		       struct error *err)
{
	cleanup_free char *folder = str_printf("%.*s", (int)(strrchr(path, '/') - path), path);

	return folder ? find_in(lab, folder, path, ret_clones, err) : error_oom(err);
}

/* Whether one of a state's layers is path, or lies on it. */
static int is_below(json_t *layers, const char *path, bool *ret_yes, struct error *err)
{
	json_t *layer;
	int rc = 0;
	size_t i;

	*ret_yes = false;
	json_array_foreach (layers, i, layer) {
		const char *at = json_string_value(layer);

		if (rc < 0 || *ret_yes || !at)
			continue;
		*ret_yes = volume_is_same(at, path);
		if (!*ret_yes)
			rc = lies_on(at, path, ret_yes, err);
	}
	return rc;
}

static int find_states(const struct paths *paths, const char *path, struct strv *ret_clones,
		       struct error *err)
{
	cleanup_json json_t *all = NULL;
	const char *state;
	json_t *layers;
	int rc = prepared_all_layers(paths, &all, err);

	json_object_foreach (all, state, layers) {
		bool yes = false;

		if (rc == 0)
			rc = is_below(layers, path, &yes, err);
		if (yes && *state == '.')
			strv_add(ret_clones, "a fork that is being made");
		else if (yes)
			strv_addf(ret_clones, "state '%s'", state);
	}
	return rc;
}

/* In the pools, and by the disks of machines, wherever they lie. */
int volume_clones_find(const struct paths *paths, const struct lab *lab, const char *path,
		       struct strv *ret_clones, struct error *err)
{
	int rc = find_beside(lab, path, ret_clones, err);

	for (size_t i = 0; rc == 0 && i < lab->n_pools; i++)
		rc = find_in(lab, lab->pools[i].path, path, ret_clones, err);
	for (size_t i = 0; rc == 0 && i < lab->n_vms; i++) {
		const struct spec_vm *vm = &lab->vms[i];
		cleanup_free char *name = str_printf("vm '%s'", vm->name);
		bool yes = false;

		if (!name)
			return error_oom(err);
		for (size_t j = 0; rc == 0 && !yes && j < vm->n_disks; j++)
			rc = is_itself(vm->disks[j].path, path)
				     ? 0
				     : lies_on(vm->disks[j].path, path, &yes, err);
		if (yes && !is_named(ret_clones, name))
			strv_add(ret_clones, name);
	}
	if (rc == 0)
		rc = find_states(paths, path, ret_clones, err);
	return rc == 0 && ret_clones->failed ? error_oom(err) : rc;
}

static int refuse(const char *path, const struct strv *clones, struct error *err)
{
	cleanup_strbuf struct strbuf named = {0};

	if (!clones->n)
		return 0;
	for (size_t i = 0; i < clones->n && i < NAMED_MAX; i++)
		strbuf_addf(&named, "%s%s", i ? ", " : "", clones->v[i]);
	if (clones->n > NAMED_MAX)
		strbuf_addf(&named, " and %zu more", clones->n - NAMED_MAX);
	return error_set(err, EBUSY, "'%s' is the base of %s", path,
			 named.data ? named.data : "others");
}

int volume_check_clones(const struct paths *paths, const struct lab *lab, const char *path,
			struct error *err)
{
	cleanup_strv struct strv clones = {0};
	int rc = volume_clones_find(paths, lab, path, &clones, err);

	return rc < 0 ? rc : refuse(path, &clones, err);
}

int volume_check_clones_beside(const struct lab *lab, const char *path, struct error *err)
{
	cleanup_strv struct strv clones = {0};
	int rc = find_beside(lab, path, &clones, err);

	return rc < 0 ? rc : refuse(path, &clones, err);
}
