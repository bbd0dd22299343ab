/* SPDX-License-Identifier: MIT */
/* Names and nodes of layers. */
#include "vmm/layers/layers_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/record.h"
#include "vmm/json.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/volumes/volume_users.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { OVERLAYS_MAX = 9999, TAGS_MAX = 9999 };

char *layers_name(const char *path, const char *tag)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	size_t stem = dot && dot > slash + 1 ? (size_t)(dot - path) : strlen(path);

	return str_printf("%.*s@%s%s", (int)stem, path, tag, path + stem);
}

char *layers_overlay_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return str_printf("%.*s/.%s.overlay", (int)(slash - path), path, slash + 1);
}

/* Whether a disk that can be written to has an image of that tag; -errno. */
static int has_tag(const struct spec_vm *vm, const char *tag)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		cleanup_free char *name = layers_name(vm->disks[i].path, tag);

		if (!name)
			return -ENOMEM;
		if (!vm->disks[i].read_only &&
		    faccessat(AT_FDCWD, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return 1;
	}
	return 0;
}

int layers_free_tag(const struct spec_vm *vm, const char *word,
		    char ret_tag[static LAYERS_TAG_SIZE], struct error *err)
{
	int rc = 1;

	(void)str_format(ret_tag, LAYERS_TAG_SIZE, "%s", word);
	for (unsigned n = 2; (rc = has_tag(vm, ret_tag)) > 0 && n <= TAGS_MAX; n++)
		(void)str_format(ret_tag, LAYERS_TAG_SIZE, "%.50s.%u", word, n);
	if (rc > 0)
		return error_set(err, EEXIST, "there are too many layers '%s' of it", word);
	return rc < 0 ? error_oom(err) : 0;
}

/* "disk0.2" is 2, "disk0" and "disk0-1" are 0. */
static unsigned overlay_number(const char *node)
{
	const char *dot = strchr(node, '.');
	uint64_t n;

	return dot && str_parse_u64(dot + 1, OVERLAYS_MAX, &n) ? (unsigned)n : 0;
}

void layers_next_node(const struct image *active, size_t i, char ret[static IMAGES_NODE_SIZE])
{
	(void)str_format(ret, IMAGES_NODE_SIZE, "disk%zu.%u", i, overlay_number(active->node) + 1);
}

static bool add_node(const struct machine_images *im, char (*nodes)[IMAGES_NODE_SIZE], size_t *n,
		     const char *name)
{
	if (!machine_images_find_node(im, name))
		return true;
	if (*n == DISK_LAYERS_MAX)
		return false;
	(void)str_format(nodes[(*n)++], IMAGES_NODE_SIZE, "%s", name);
	return true;
}

int layers_find_nodes(const struct machine_images *im, size_t i, const struct disk_chain *chain,
		      char (*ret_nodes)[IMAGES_NODE_SIZE], struct error *err)
{
	char name[IMAGES_NODE_SIZE];
	bool fit = true;
	size_t n = 0;

	/* Later ones lie on earlier ones, and what was there at the start lies below. */
	for (unsigned k = overlay_number(im->disks[i].node); k > 0; k--) {
		(void)str_format(name, sizeof(name), "disk%zu.%u", i, k);
		fit = fit && add_node(im, ret_nodes, &n, name);
	}
	(void)str_format(name, sizeof(name), "disk%zu", i);
	fit = fit && add_node(im, ret_nodes, &n, name);
	for (unsigned k = 1; k < DISK_LAYERS_MAX; k++) {
		(void)str_format(name, sizeof(name), "disk%zu-%u", i, k);
		fit = fit && add_node(im, ret_nodes, &n, name);
	}
	if (!fit || n != chain->n || !str_eq(ret_nodes[0], im->disks[i].node))
		return error_set(err, EPROTO,
				 "disk '%s': QEMU has %zu layers of it, and its folder %zu",
				 im->vm->disks[i].name, n, chain->n);
	return 0;
}

int layers_settle(const struct paths *paths, const struct spec_vm *vm, struct error *err)
{
	struct machine_images im = MACHINE_IMAGES_INIT;
	cleanup_close int state_dirfd = -1;
	sigset_t before;
	int rc;

	/* Who cannot look has no right to names either. */
	if (paths_open_state(paths, PATHS_VM, vm->name, 0, &state_dirfd, NULL) < 0 ||
	    faccessat(state_dirfd, NAME_DISK_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	interrupt_hold(&before);
	rc = machine_images_open_running(paths, vm, LAYERS_PREFIX, &im, err);
	if (rc == 0)
		machine_images_close(&im);
	interrupt_release(&before);
	return error_wrap_if(err, rc, "what is left of a change of its disks");
}

bool layers_is_own(const char *layer, const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	size_t stem = dot && dot > slash + 1 ? (size_t)(dot - path) : strlen(path);
	size_t suffix = strlen(path + stem), len = strlen(layer);

	return len > stem + 1 + suffix && memcmp(layer, path, stem) == 0 && layer[stem] == '@' &&
	       !strchr(layer + stem, '/') && str_eq(layer + len - suffix, path + stem);
}

static json_t *find_tag(json_t *list, const char *tag)
{
	json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry)
		if (str_eq(json_get_string(entry, "tag") ?: "", tag))
			return entry;
	return NULL;
}

static int describe_layer(json_t *list, const struct spec_disk *disk, const char *path,
			  const char *tag, const char *parent, bool current)
{
	json_t *entry = find_tag(list, tag);

	if (!entry) {
		entry = json_pack("{s:s s:s? s:b s:[]}", "tag", tag, "parent", parent, "current", 0,
				  "disks");
		if (!entry || json_array_append_new(list, entry) < 0)
			return -ENOMEM;
	}
	if (current)
		(void)json_object_set_new(entry, "current", json_true());
	return json_array_append_new(json_object_get(entry, "disks"),
				     json_pack("{s:s s:s}", "name", disk->name, "path", path)) < 0
		       ? -ENOMEM
		       : 0;
}

char *layers_tag(const char *layer, const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	size_t stem = dot && dot > slash + 1 ? (size_t)(dot - path) : strlen(path);
	const char *tag = layer + stem + 1;

	return strndup(tag, strlen(tag) - strlen(path + stem));
}

void layers_follow(const char *disk, struct strv *layers)
{
	const char *path = disk;

	while (layers->n < DISK_LAYERS_MAX) {
		cleanup_disk_record struct disk_record record = {0};
		cleanup_free char *below = NULL;

		if (disk_record_read(path, &record, NULL) < 0 || !record.backing)
			return;
		below = disk_record_resolve(path, record.backing);
		if (!below || !layers_is_own(below, disk))
			return;
		strv_take(layers, steal_ptr(&below));
		if (layers->failed)
			return;
		path = layers->v[layers->n - 1];
	}
}

static int describe_disk(json_t *list, const struct spec_disk *disk)
{
	cleanup_free char *parent = NULL;
	cleanup_strv struct strv layers = {0};

	layers_follow(disk->path, &layers);
	for (size_t k = layers.n; k-- > 0;) {
		char *tag = layers_tag(layers.v[k], disk->path);

		if (!tag || describe_layer(list, disk, layers.v[k], tag, parent, k == 0) < 0) {
			free(tag);
			return -ENOMEM;
		}
		free(parent);
		parent = tag;
	}
	return 0;
}

json_t *layers_describe(const struct spec_vm *vm)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < vm->n_disks; i++)
		if (!vm->disks[i].read_only && describe_disk(list, &vm->disks[i]) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

int layers_is_needed(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		     const char *layer, bool *ret_needed, struct error *err)
{
	cleanup_free char *own = str_printf("vm '%s'", vm->name);
	cleanup_strv struct strv users = {0}, clones = {0};
	int rc = own ? volume_clones_find(paths, lab, layer, &clones, err) : error_oom(err);

	if (rc < 0)
		return rc;
	volume_users_find(lab, layer, &users);
	*ret_needed = users.n > 0;
	for (size_t i = 0; i < clones.n; i++)
		if (!str_eq(clones.v[i], own))
			*ret_needed = true;
	return 0;
}

int layers_find_own(const struct paths *paths, const struct lab *lab, const struct spec_vm *vm,
		    struct strv *ret_paths, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];
		struct disk_chain chain;
		bool needed = false;

		/* What cannot be followed, nobody can say whose it is. */
		if (disk->read_only || disk->format != SPEC_FORMAT_QCOW2 ||
		    disk_chain_open(disk->path, DISK_FORMAT_QCOW2, true, &chain, NULL, NULL) < 0)
			continue;
		for (size_t k = 1; rc == 0 && k < chain.n; k++) {
			if (!layers_is_own(chain.v[k].path, disk->path))
				break;
			rc = layers_is_needed(paths, lab, vm, chain.v[k].path, &needed, err);
			/* What lies below that one is needed as well. */
			if (rc < 0 || needed)
				break;
			strv_add(ret_paths, chain.v[k].path);
		}
		disk_chain_close(&chain);
	}
	return rc == 0 && ret_paths->failed ? error_oom(err) : rc;
}

static void remove_fds(struct machine_images *im, const char *path)
{
	const char *number = str_after(path, "/dev/fdset/");
	uint64_t set;

	if (number && str_parse_u64(number, INT64_MAX, &set))
		(void)jobs_call(im->jobs, "remove-fd",
				json_pack("{s:I}", "fdset-id", (json_int_t)set), NULL, NULL);
}

void layers_remove_node(struct machine_images *im, const char *node)
{
	char file[IMAGES_NODE_SIZE + 8];
	const char *path;

	(void)str_format(file, sizeof(file), "%s-file", node);
	path = json_get_string(machine_images_find_node(im, file), "file");
	if (jobs_call(im->jobs, "blockdev-del", json_pack("{s:s}", "node-name", node), NULL, NULL) <
		    0 ||
	    jobs_call(im->jobs, "blockdev-del", json_pack("{s:s}", "node-name", file), NULL, NULL) <
		    0)
		return;
	if (path)
		remove_fds(im, path);
}

void layers_sweep_nodes(struct machine_images *im, size_t i)
{
	char prefix[32];
	json_t *node;
	size_t k;

	(void)str_format(prefix, sizeof(prefix), "disk%zu", i);
	/* One that lies on another goes before it can go; each pass takes the topmost. */
	json_array_foreach (im->nodes, k, node) {
		const char *name = json_get_string(node, "node-name");
		const char *rest = name ? str_after(name, prefix) : NULL;

		if (rest && !strstr(rest, "-file") && (*rest == '.' || *rest == '-' || !*rest) &&
		    !str_eq(name, im->disks[i].node))
			layers_remove_node(im, name);
	}
}
