/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/layers/layers.h"
#include "vmm/snapshot/snapshot_place.h"
#include "vmm/snapshot/snapshot_store.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array of snapshot objects", false},
	{0},
};

enum { DEPTH_MAX = 64 };

struct listing {
	struct cli_table table;
	const struct snapshot_store *store;
	char indent[4 * DEPTH_MAX * 4]; /* of the branch; a stroke has up to four bytes */
};

static bool is_whole(const struct snapshot_record *r)
{
	return r->stage == SNAPSHOT_COMPLETE;
}

/* The complete one that it was made from; NULL: none, or it has gone. */
static const struct snapshot_record *parent_of(const struct snapshot_store *s,
					       const struct snapshot_record *r)
{
	const struct snapshot_record *parent = r->parent ? snapshot_store_find(s, r->parent) : NULL;

	return parent && is_whole(parent) && parent != r ? parent : NULL;
}

static void add_row(struct listing *l, const struct snapshot_record *r, const char *stroke)
{
	bool current = l->store->current && str_eq(l->store->current, r->tag);
	char size[32], date[32] = "-";
	time_t when = (time_t)r->date;
	struct tm tm;

	if (localtime_r(&when, &tm))
		(void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	str_format_size(size, sizeof(size), r->memory_bytes);
	cli_table_add(&l->table, "%s%s%s%s", l->indent, stroke, r->tag, current ? " *" : "");
	cli_table_add(&l->table, "%s", date);
	cli_table_add(&l->table, "%s", snapshot_guest_name(r->guest));
	cli_table_add(&l->table, "%s", r->memory_bytes ? size : "-");
	cli_table_add(&l->table, "%s", r->note ? r->note : "");
}

/* Those made from parent (NULL: the roots), each with its own below it. A ring of parents, which
 * only a hand can make, is not reached from any root. */
static void add_children(struct listing *l, const struct snapshot_record *parent, unsigned depth)
{
	const struct snapshot_store *s = l->store;
	const struct snapshot_record *last = NULL;
	size_t len = strlen(l->indent);

	for (size_t i = 0; i < s->n; i++)
		if (is_whole(&s->v[i]) && parent_of(s, &s->v[i]) == parent)
			last = &s->v[i];
	for (size_t i = 0; last && i < s->n; i++) {
		const struct snapshot_record *r = &s->v[i];

		if (!is_whole(r) || parent_of(s, r) != parent)
			continue;
		add_row(l, r, !parent ? "" : (r == last ? "└─ " : "├─ "));
		if (depth == DEPTH_MAX)
			continue;
		(void)str_format(l->indent + len, sizeof(l->indent) - len, "%s",
				 !parent ? "" : (r == last ? "   " : "│  "));
		add_children(l, r, depth + 1);
		l->indent[len] = '\0';
	}
}

static size_t count(const struct snapshot_store *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += is_whole(&s->v[i]);
	return n;
}

/* NULL: it can be loaded as it is, or that cannot be seen by who asks. The caller frees it. */
static char *hidden_in(const struct spec_vm *vm, const struct snapshot_record *r)
{
	char *layer = NULL;

	if (is_whole(r))
		(void)snapshot_place_find(vm, r, &layer, NULL);
	return layer;
}

static void print_hidden(const struct spec_vm *vm, const struct snapshot_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		cleanup_free char *layer = hidden_in(vm, &s->v[i]);

		if (layer)
			(void)printf("%s lies in layer %s, and can be loaded after hv snap commit "
				     "%s %s\n",
				     s->v[i].tag, layer, vm->name, layer);
	}
}

static void print(const struct spec_vm *vm, const struct snapshot_store *s)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l)
		return;
	l->store = s;
	cli_table_init(&l->table, 5);
	cli_table_add(&l->table, "TAG");
	cli_table_add(&l->table, "DATE");
	cli_table_add(&l->table, "GUEST");
	cli_table_add(&l->table, "MEMORY");
	cli_table_add(&l->table, "NOTE");
	add_children(l, NULL, 0);
	cli_table_print(&l->table, stdout);
	free(l);
	print_hidden(vm, s);
	if (s->loading)
		(void)printf("the load of %s was broken off, or is under way\n", s->loading);
}

/* Each stands below the one that it lies on. */
static void print_layers(json_t *layers)
{
	struct cli_table table;
	json_t *layer, *disk;
	size_t i, k;

	if (!json_array_size(layers))
		return;
	cli_table_init(&table, 2);
	cli_table_add(&table, "EXTERNAL");
	cli_table_add(&table, "IMAGES");
	json_array_foreach (layers, i, layer) {
		cleanup_strbuf struct strbuf images = {0};
		bool root = json_is_null(json_object_get(layer, "parent"));
		int depth = root ? 0 : (int)(i < DEPTH_MAX ? i : DEPTH_MAX) - 1;

		json_array_foreach (json_object_get(layer, "disks"), k, disk)
			strbuf_addf(&images, "%s%s", images.len ? ", " : "",
				    cli_text(disk, "path"));
		cli_table_add(&table, "%*s%s%s%s", 3 * depth, "", root ? "" : "└─ ",
			      cli_text(layer, "tag"),
			      json_is_true(json_object_get(layer, "current")) ? " *" : "");
		cli_table_add(&table, "%s", images.data ? images.data : "");
	}
	cli_table_print(&table, stdout);
}

static int add_layers_json(json_t *list, const char *vm, json_t *layers)
{
	json_t *layer;
	size_t i;

	json_array_foreach (layers, i, layer)
		if (json_object_set_new(layer, "kind", json_string("external")) < 0 ||
		    json_object_set_new(layer, "vm", json_string(vm)) < 0 ||
		    json_array_append(list, layer) < 0)
			return -ENOMEM;
	return 0;
}

static int add_json(json_t *list, const struct spec_vm *vm, const struct snapshot_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		cleanup_free char *layer = hidden_in(vm, &s->v[i]);
		json_t *entry = is_whole(&s->v[i]) ? snapshot_record_encode(&s->v[i]) : NULL;

		if (!is_whole(&s->v[i]))
			continue;
		if (!entry || json_object_set_new(entry, "vm", json_string(vm->name)) < 0 ||
		    json_object_set_new(entry, "kind", json_string("internal")) < 0 ||
		    json_object_set_new(
			    entry, "current",
			    json_boolean(s->current && str_eq(s->current, s->v[i].tag))) < 0 ||
		    json_object_set_new(entry, "layer", layer ? json_string(layer) : json_null()) <
			    0 ||
		    json_array_append_new(list, entry) < 0) {
			json_decref(entry);
			return -ENOMEM;
		}
		(void)json_object_del(entry, "shape");
		(void)json_object_del(entry, "date-ns");
		(void)json_object_del(entry, "stage");
		(void)json_object_del(entry, "version");
	}
	return 0;
}

static int list_one(struct cli *cli, const struct spec_vm *vm, json_t *list, bool titled)
{
	cleanup_json json_t *layers = layers_describe(vm);
	struct snapshot_store store;
	int rc = layers ? 0 : error_oom(&cli->err);

	if (rc == 0)
		rc = snapshot_store_read(&cli->paths, vm->name, &store, &cli->err);
	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", vm->name);
	if (list) {
		if (add_json(list, vm, &store) < 0 || add_layers_json(list, vm->name, layers) < 0)
			rc = error_oom(&cli->err);
	} else {
		if (titled && (count(&store) || json_array_size(layers)))
			(void)printf("%s:\n", vm->name);
		if (count(&store) || (!titled && !json_array_size(layers)))
			print(vm, &store);
		print_layers(layers);
	}
	snapshot_store_close(&store);
	return rc;
}

static int run(struct cli *cli)
{
	cleanup_json json_t *list = cli->values[OPT_JSON] ? json_array() : NULL;
	const struct spec_vm *vm;
	int rc = 0;

	if (cli->values[OPT_JSON] && !list)
		return error_oom(&cli->err);
	if (cli->n_names) {
		rc = cli_find_any_vm(cli, cli->names[0], &vm);
		if (rc == 0)
			rc = list_one(cli, vm, list, false);
	}
	for (size_t i = 0; rc == 0 && !cli->n_names && i < cli->lab->n_vms; i++)
		rc = list_one(cli, &cli->lab->vms[i], list, true);
	if (rc < 0)
		return rc;
	return list ? cli_print_json(cli, json_incref(list)) : 0;
}

const struct verb verb_snap_ls = {
	.name = "snap ls",
	.args = "[NAME]",
	.summary = "draw the tree of a machine's snapshots, the current one marked by *",
	.text = "Each stands below the one that the machine was at when it was made. Without NAME: of "
		"all\nmachines that have some. What hv snap save --external made of its disks "
		"follows as EXTERNAL, with\nthe images, each below the one that it lies on; in "
		"JSON its kind is \"external\". A snapshot that lies in\nsuch a layer, its "
		"\"layer\" in JSON, cannot be loaded before hv snap commit.",
	.options = options,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
