/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Each document becomes a tree of nodes; the sections of all documents are
 * joined into four maps. Networks and pools are decoded first, since VMs point
 * to them. A profile is decoded once by itself, to tell its faults where they
 * are, and then, quietly, under each VM that takes it: table defaults, then the
 * profile, then the VM's own keys, each over the one before. A VM that is like
 * others takes their layers over first (lab/like.c).
 */
#include "lab/config.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "lab/check.h"
#include "lab/decode.h"
#include "lab/derive.h"
#include "lab/faults.h"
#include "lab/like.h"
#include "lab/order.h"
#include "lab/source.h"
#include "lab/sum.h"

#include <errno.h>
#include <stdlib.h>

enum { DOCUMENTS_MAX = 4096 };

enum part { PART_NETWORKS, PART_POOLS, PART_IMAGES, PART_PROFILES, PART_VMS, PART_COUNT };

static const char *const part_names[PART_COUNT] = {
	[PART_NETWORKS] = "networks", [PART_POOLS] = "pools", [PART_IMAGES] = "images",
	[PART_PROFILES] = "profiles", [PART_VMS] = "vms",
};

struct lab_config {
	struct lab_source *sources; /* goes to the lab */
	struct lab_node *documents[DOCUMENTS_MAX];
	size_t n;
	struct lab_faults faults;
};

struct lab_config *lab_config_new(void)
{
	return calloc(1, sizeof(struct lab_config));
}

void lab_config_free(struct lab_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		lab_node_free(c->documents[i]);
	lab_sources_free(c->sources);
	lab_faults_free(&c->faults);
	free(c);
}

int lab_config_add(struct lab_config *c, const char *file, const char *text, size_t len,
		   struct error *err)
{
	const char *kept = lab_sources_add(&c->sources, file);
	struct lab_node *node = NULL;

	if (!kept)
		return error_oom(err);
	if (c->n == DOCUMENTS_MAX) {
		lab_fault_add(&c->faults, &(struct spec_where){kept, 1, 1},
			      "more than %d files of configuration", DOCUMENTS_MAX);
		return 0;
	}
	if (lab_node_parse(kept, text, len, &c->faults, &node) < 0)
		return error_oom(err);
	if (node)
		c->documents[c->n++] = node;
	return 0;
}

static bool make_room(struct lab_node *map, size_t more)
{
	struct lab_node **keys = reallocarray(map->keys, map->n + more + 1, sizeof(void *));
	struct lab_node **items = reallocarray(map->items, map->n + more + 1, sizeof(void *));

	map->keys = keys ? keys : map->keys;
	map->items = items ? items : map->items;
	return keys && items;
}

static const struct lab_node *find_key(const struct lab_node *map, const char *name)
{
	for (size_t i = 0; i < map->n; i++)
		if (str_eq(map->keys[i]->text, name))
			return map->keys[i];
	return NULL;
}

/* One part of the configuration, joined from all documents. keys and items are
 * borrowed from there. */
static void join_part(struct lab_decoder *d, const struct lab_config *c, enum part part,
		      struct lab_node *joined)
{
	*joined = (struct lab_node){.kind = LAB_NODE_MAP};
	for (size_t i = 0; i < c->n; i++) {
		const struct lab_node *map = lab_node_get(c->documents[i], part_names[part]);

		if (!map || lab_node_is_null(map))
			continue;
		if (map->kind != LAB_NODE_MAP) {
			lab_decoder_fault(d, map, "%s: has to be a map of names, not %s",
					  part_names[part], lab_node_describe(map));
			continue;
		}
		if (!make_room(joined, map->n)) {
			d->failed = true;
			return;
		}
		for (size_t j = 0; j < map->n; j++) {
			const struct lab_node *key = map->keys[j], *first;

			if (!str_is_name(key->text))
				lab_decoder_fault(
					d, key,
					"'%s' is not a name: 1 to 63 letters, digits and _ . "
					"-, the first a letter or digit",
					key->text);
			first = find_key(joined, key->text);
			if (first) {
				lab_decoder_fault(d, key,
						  "'%s' is in %s twice; the first is in %s:%u",
						  key->text, part_names[part], first->where.file,
						  first->where.line);
				continue;
			}
			joined->keys[joined->n] = map->keys[j];
			joined->items[joined->n++] = map->items[j];
		}
	}
}

static void check_parts(struct lab_decoder *d, const struct lab_node *document)
{
	if (document->kind != LAB_NODE_MAP) {
		lab_decoder_fault(d, document,
				  "the configuration is a map of networks, pools, images, profiles "
				  "and vms, not %s",
				  lab_node_describe(document));
		return;
	}
	for (size_t i = 0; i < document->n; i++) {
		bool known = false;

		for (size_t j = 0; j < PART_COUNT; j++)
			known = known || str_eq(document->keys[i]->text, part_names[j]);
		if (!known)
			lab_decoder_fault(d, document->keys[i],
					  "unknown key '%s'; there are networks, pools, images, "
					  "profiles and vms",
					  document->keys[i]->text);
	}
}

static char *copy_name(struct lab_decoder *d, const struct lab_node *key)
{
	char *name = strdup(key->text);

	d->failed = d->failed || !name;
	return name;
}

static void decode_networks(struct lab_decoder *d, const struct lab_node *part, struct lab *lab)
{
	lab->networks = calloc(part->n + 1, sizeof(*lab->networks));
	d->failed = d->failed || !lab->networks;
	for (size_t i = 0; lab->networks && i < part->n; i++) {
		struct spec_network *net = &lab->networks[lab->n_networks++];

		net->name = copy_name(d, part->keys[i]);
		net->where = part->keys[i]->where;
		lab_decode_defaults(d, LAB_SECTION_NETWORK, net);
		lab_decode_map(d, LAB_SECTION_NETWORK, part->items[i], false, net);
		lab_decode_required(d, LAB_SECTION_NETWORK, part->items[i]);
		if (net->name)
			lab_derive_network(net);
	}
}

static void decode_pools(struct lab_decoder *d, const struct lab_node *part, struct lab *lab)
{
	lab->pools = calloc(part->n + 1, sizeof(*lab->pools));
	d->failed = d->failed || !lab->pools;
	for (size_t i = 0; lab->pools && i < part->n; i++) {
		struct spec_pool *pool = &lab->pools[lab->n_pools++];

		pool->name = copy_name(d, part->keys[i]);
		pool->where = part->keys[i]->where;
		lab_decode_map(d, LAB_SECTION_POOL, part->items[i], false, pool);
		lab_decode_required(d, LAB_SECTION_POOL, part->items[i]);
	}
}

static void decode_images(struct lab_decoder *d, const struct lab_node *part, struct lab *lab)
{
	lab->images = calloc(part->n + 1, sizeof(*lab->images));
	d->failed = d->failed || !lab->images;
	for (size_t i = 0; lab->images && i < part->n; i++) {
		struct spec_image *image = &lab->images[lab->n_images++];
		const struct lab_node *value = part->items[i];

		image->name = copy_name(d, part->keys[i]);
		image->where = part->keys[i]->where;
		lab_decode_defaults(d, LAB_SECTION_IMAGE, image);
		lab_decode_map(d, LAB_SECTION_IMAGE, value, false, image);
		lab_decode_required(d, LAB_SECTION_IMAGE, value);
		if (value->kind == LAB_NODE_MAP &&
		    !lab_node_get(value, "url") == !lab_node_get(value, "path"))
			lab_decoder_fault(d, value, "an image has url: or path:, and not both");
	}
}

static void vm_clear(struct spec_vm *vm)
{
	lab_disks_free(vm);
	lab_cdroms_free(vm);
	lab_nics_free(vm);
	lab_after_free(vm);
	lab_credentials_free(vm);
	lab_oem_strings_free(vm);
	lab_vnc_free(vm);
	free(vm->name);
	free(vm->profile);
	free(vm->like);
	free(vm->cpu);
	free(vm->machine);
	free(vm->template_state);
	free(vm->kernel);
	free(vm->initrd);
	free(vm->cmdline);
	*vm = (struct spec_vm){0};
}

/* Faults of a profile are told here, once, used or not. */
static void check_profiles(struct lab_decoder *d, const struct lab_node *part)
{
	for (size_t i = 0; i < part->n; i++) {
		struct spec_vm scratch = {0};

		lab_decode_map(d, LAB_SECTION_VM, part->items[i], true, &scratch);
		vm_clear(&scratch);
	}
}

/* A VM's profile and its own keys. Whether it says something of a tablet. */
static bool decode_layer(struct lab_decoder *d, const struct lab_node *value, bool taking_over,
			 struct spec_vm *vm)
{
	const struct lab_node *profile = lab_node_get(value, "profile"), *common = NULL;

	if (profile && profile->kind == LAB_NODE_SCALAR)
		common = lab_node_get(d->profiles, profile->text);
	d->taking_over = taking_over;
	d->quiet = true;
	if (common)
		lab_decode_map(d, LAB_SECTION_VM, common, true, vm);
	d->quiet = taking_over;
	lab_decode_map(d, LAB_SECTION_VM, value, false, vm);
	d->quiet = d->taking_over = false;
	return lab_node_get(value, "tablet") || lab_node_get(common, "tablet");
}

static void decode_vm(struct lab_decoder *d, size_t index, struct spec_vm *vm)
{
	struct lab_like like;
	bool tablet = false;
	size_t n_like;

	vm->name = copy_name(d, d->vms->keys[index]);
	vm->where = d->vms->keys[index]->where;
	lab_decode_defaults(d, LAB_SECTION_VM, vm);
	lab_like_find(d, index, &like);
	n_like = like.n;
	while (like.n)
		tablet |= decode_layer(d, like.v[--like.n], true, vm);
	lab_like_detach(vm);
	tablet |= decode_layer(d, d->vms->items[index], false, vm);
	if (!tablet)
		vm->tablet = vm->display != SPEC_DISPLAY_NONE;
	if (lab_derive_vm(vm) < 0)
		d->failed = true;
	like.n = n_like;
	if (vm->spares)
		lab_sum_vm(d, &like, index, vm);
}

static void decode_vms(struct lab_decoder *d, struct lab *lab)
{
	lab->vms = calloc(d->vms->n + 1, sizeof(*lab->vms));
	d->failed = d->failed || !lab->vms;
	for (size_t i = 0; lab->vms && i < d->vms->n; i++)
		decode_vm(d, i, &lab->vms[lab->n_vms++]);
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	for (size_t i = 0; i < lab->n_vms; i++)
		vm_clear(&lab->vms[i]);
	for (size_t i = 0; i < lab->n_pools; i++) {
		free(lab->pools[i].name);
		free(lab->pools[i].path);
	}
	for (size_t i = 0; i < lab->n_networks; i++) {
		free(lab->networks[i].name);
		free(lab->networks[i].domain);
	}
	for (size_t i = 0; i < lab->n_images; i++) {
		free(lab->images[i].name);
		free(lab->images[i].url);
		free(lab->images[i].path);
	}
	free(lab->vms);
	free(lab->images);
	free(lab->pools);
	free(lab->networks);
	lab_sources_free(lab->sources);
	free(lab);
}

static void decode_all(struct lab_decoder *d, const struct lab_config *c, struct lab *lab)
{
	struct lab_node parts[PART_COUNT];

	for (size_t i = 0; i < c->n; i++)
		check_parts(d, c->documents[i]);
	for (enum part p = 0; p < PART_COUNT; p++)
		join_part(d, c, p, &parts[p]);
	d->profiles = &parts[PART_PROFILES];
	d->vms = &parts[PART_VMS];
	decode_networks(d, &parts[PART_NETWORKS], lab);
	decode_pools(d, &parts[PART_POOLS], lab);
	decode_images(d, &parts[PART_IMAGES], lab);
	check_profiles(d, &parts[PART_PROFILES]);
	decode_vms(d, lab);
	d->profiles = d->vms = NULL;
	for (enum part p = 0; p < PART_COUNT; p++) {
		free(parts[p].keys);
		free(parts[p].items);
	}
}

int lab_config_resolve(struct lab_config *c, struct lab **ret_lab, struct lab_faults *ret_faults,
		       struct error *err)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct lab_decoder d = {.faults = &c->faults, .lab = lab};

	if (!lab)
		return error_oom(err);
	decode_all(&d, c, lab);
	if (!d.failed && lab_order(lab, &c->faults) < 0)
		d.failed = true;
	if (!d.failed)
		lab_check(lab, &c->faults);
	/* A fault that could not be kept is a fault all the same. */
	if (d.failed || c->faults.failed) {
		lab_free(lab);
		return error_oom(err);
	}
	if (c->faults.n) {
		size_t n = c->faults.n;

		lab_faults_sort(&c->faults);
		*ret_faults = c->faults;
		c->faults = (struct lab_faults){0};
		lab_free(lab);
		return error_set(err, EINVAL, "%zu fault%s in the configuration", n,
				 n == 1 ? "" : "s");
	}
	lab->sources = steal_ptr(&c->sources);
	*ret_lab = lab;
	return 0;
}
