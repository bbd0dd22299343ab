/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/snapshot_record.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { RECORD_VERSION = 1, NANOSECONDS_MAX = 999999999 };

static const char *const stage_names[] = {
	[SNAPSHOT_PENDING] = "pending",
	[SNAPSHOT_COMPLETE] = "complete",
	[SNAPSHOT_LEAVING] = "leaving",
};
static_assert(ARRAY_SIZE(stage_names) == SNAPSHOT_STAGE_COUNT, "a name each");

static const char *const guest_names[] = {
	[SNAPSHOT_GUEST_RUNNING] = "running",
	[SNAPSHOT_GUEST_PAUSED] = "paused",
	[SNAPSHOT_GUEST_STOPPED] = "stopped",
};
static_assert(ARRAY_SIZE(guest_names) == SNAPSHOT_GUEST_COUNT, "a name each");

const char *snapshot_stage_name(enum snapshot_stage stage)
{
	return stage_names[stage];
}

const char *snapshot_guest_name(enum snapshot_guest guest)
{
	return guest_names[guest];
}

int snapshot_tag_check(const char *tag, struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, tag, strnlen(tag, SNAPSHOT_TAG_MAX), false);
	if (!str_is_name(tag))
		return error_set(err, EINVAL,
				 "'%s%s' is no name for a snapshot: 1 to %d letters, digits, '.', "
				 "'_' and '-', the first a letter or digit",
				 shown.data ? shown.data : "",
				 strlen(tag) > SNAPSHOT_TAG_MAX ? "…" : "", SNAPSHOT_TAG_MAX);
	if (!tag[strspn(tag, "0123456789")])
		return error_set(err, EINVAL,
				 "'%s' is no name for a snapshot: QEMU takes digits alone for a "
				 "number (put a letter in front)",
				 tag);
	return 0;
}

void snapshot_record_free(struct snapshot_record *r)
{
	for (size_t i = 0; i < r->n_disks; i++) {
		free(r->disks[i].node);
		free(r->disks[i].name);
		free(r->disks[i].path);
	}
	free(r->disks);
	free(r->tag);
	free(r->parent);
	free(r->note);
	json_decref(r->shape);
	*r = (struct snapshot_record){0};
}

int snapshot_record_add(struct snapshot_record *r, const char *node, const char *name,
			const char *path, uint64_t bytes, struct error *err)
{
	struct snapshot_disk *grown = reallocarray(r->disks, r->n_disks + 1, sizeof(*grown)), *d;

	if (!grown)
		return error_oom(err);
	r->disks = grown;
	d = &grown[r->n_disks++];
	*d = (struct snapshot_disk){
		.node = strdup(node),
		.name = strdup(name),
		.path = path ? strdup(path) : NULL,
		.bytes = bytes,
	};
	return d->node && d->name && (d->path || !path) ? 0 : error_oom(err);
}

json_t *snapshot_record_encode(const struct snapshot_record *r)
{
	json_t *disks = json_array();

	for (size_t i = 0; i < r->n_disks; i++) {
		const struct snapshot_disk *d = &r->disks[i];

		if (json_array_append_new(disks, json_pack("{s:s s:s s:s? s:I}", "node", d->node,
							   "name", d->name, "path", d->path, "size",
							   (json_int_t)d->bytes)) < 0) {
			json_decref(disks);
			return NULL;
		}
	}
	return json_pack("{s:i s:s s:s? s:s? s:s s:s s:I s:I s:I s:b s:o s:O?}", "version",
			 RECORD_VERSION, "tag", r->tag, "parent", r->parent, "note", r->note,
			 "stage", stage_names[r->stage], "guest", guest_names[r->guest], "date",
			 (json_int_t)r->date, "date-ns", (json_int_t)r->date_ns, "memory",
			 (json_int_t)r->memory_bytes, "tpm", r->tpm, "disks", disks, "shape",
			 r->shape);
}

/* Which of n names it is; n: none of them. */
static size_t find_name(const char *const *names, size_t n, const char *name)
{
	size_t i = 0;

	while (i < n && !str_eq(names[i], name))
		i++;
	return i;
}

static int decode_disks(json_t *disks, struct snapshot_record *r, struct error *err)
{
	json_t *disk;
	size_t i;

	if (!json_is_array(disks) || json_array_size(disks) > SNAPSHOT_DISKS_MAX)
		return error_set(err, EINVAL, "its disks are not as expected");
	json_array_foreach (disks, i, disk) {
		const char *node, *name, *path = json_get_string(disk, "path");
		json_int_t bytes;
		int rc;

		if (json_unpack(disk, "{s:s s:s s:I}", "node", &node, "name", &name, "size",
				&bytes) < 0 ||
		    bytes < 0)
			return error_set(err, EINVAL, "disk %zu is not as expected", i + 1);
		rc = snapshot_record_add(r, node, name, path, (uint64_t)bytes, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int decode(json_t *root, const char *tag, struct snapshot_record *r, struct error *err)
{
	const char *own, *stage, *guest;
	const char *parent = json_get_string(root, "parent"), *note = json_get_string(root, "note");
	json_t *disks, *shape = json_object_get(root, "shape");
	json_int_t date_ns = json_integer_value(json_object_get(root, "date-ns"));
	json_int_t version, date, memory;
	int tpm;

	if (json_unpack(root, "{s:I s:s s:s s:s s:I s:I s:b s:o}", "version", &version, "tag", &own,
			"stage", &stage, "guest", &guest, "date", &date, "memory", &memory, "tpm",
			&tpm, "disks", &disks) < 0 ||
	    date < 0 || memory < 0 || date_ns < 0 || date_ns > NANOSECONDS_MAX)
		return error_set(err, EINVAL, "not as expected");
	if (version != RECORD_VERSION)
		return error_set(err, EINVAL,
				 "made by another version of hvup (format %" JSON_INTEGER_FORMAT
				 ")",
				 version);
	if (!str_eq(own, tag))
		return error_set(err, EINVAL, "it is that of another snapshot");
	r->stage = (enum snapshot_stage)find_name(stage_names, SNAPSHOT_STAGE_COUNT, stage);
	r->guest = (enum snapshot_guest)find_name(guest_names, SNAPSHOT_GUEST_COUNT, guest);
	if (r->stage == SNAPSHOT_STAGE_COUNT || r->guest == SNAPSHOT_GUEST_COUNT)
		return error_set(err, EINVAL, "not as expected");
	r->date = (uint64_t)date;
	r->date_ns = (uint32_t)date_ns;
	r->memory_bytes = (uint64_t)memory;
	r->tpm = tpm;
	if (!(r->tag = strdup(own)) || (parent && !(r->parent = strdup(parent))) ||
	    (note && !(r->note = strdup(note))))
		return error_oom(err);
	if (json_is_object(shape))
		r->shape = json_incref(shape);
	return decode_disks(disks, r, err);
}

int snapshot_record_decode(const char *text, const char *tag, struct snapshot_record *ret_record,
			   struct error *err)
{
	cleanup_json json_t *root = NULL;
	struct snapshot_record r = {0};
	json_error_t fault;
	int rc;

	root = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
	if (!root)
		return error_set(err, EINVAL, "line %d: it is not JSON", fault.line);
	rc = decode(root, tag, &r, err);
	if (rc < 0)
		snapshot_record_free(&r);
	else
		*ret_record = r;
	return rc;
}
