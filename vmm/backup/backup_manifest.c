/* SPDX-License-Identifier: MIT */
#include "vmm/backup/backup_manifest.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"

#include <errno.h>
#include <stdlib.h>

enum { VERSION = 1, MANIFEST_BYTES_MAX = 64 * 1024 * 1024, UUID_LEN = 36 };

static void free_disks(struct backup_disk *disks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(disks[i].name);
	free(disks);
}

void backup_generation_free(struct backup_generation *g)
{
	free_disks(g->disks, g->n_disks);
	json_decref(g->config);
	json_decref(g->pins);
	*g = (struct backup_generation){.number = 0};
}

void backup_manifest_free(struct backup_manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		backup_generation_free(&m->generations[i]);
	free(m->generations);
	free(m->vm);
	*m = (struct backup_manifest){.n = 0};
}

int backup_manifest_add(struct backup_manifest *m, struct backup_generation *g, struct error *err)
{
	struct backup_generation *grown;

	if (m->n == BACKUP_GENERATIONS_MAX)
		return error_set(err, E2BIG, "it has %d generations; begin a new folder",
				 BACKUP_GENERATIONS_MAX);
	grown = reallocarray(m->generations, m->n + 1, sizeof(*grown));
	if (!grown)
		return error_oom(err);
	m->generations = grown;
	m->generations[m->n++] = *g;
	*g = (struct backup_generation){.number = 0};
	return 0;
}

const struct backup_disk *backup_find_disk(const struct backup_manifest *m, size_t disk,
					   const char *file)
{
	for (size_t i = 0; i < m->n; i++)
		if (disk < m->generations[i].n_disks &&
		    str_eq(m->generations[i].disks[disk].file.name, file))
			return &m->generations[i].disks[disk];
	return NULL;
}

size_t backup_chain_length(const struct backup_manifest *m, size_t disk,
			   const struct backup_disk *top)
{
	size_t n = 1;

	/* What it lies on is always of an earlier generation, so there is an end. */
	while (top->backing[0] && (top = backup_find_disk(m, disk, top->backing)))
		n++;
	return n;
}

/* The rest of s behind digits, at least one; NULL where there is none. */
static const char *skip_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && n < 6 ? s + n : NULL;
}

bool backup_is_file_name(const char *name)
{
	const char *rest = str_after(name, "disk"), *end = "qcow2";

	if (rest) {
		rest = skip_number(rest);
	} else if ((rest = str_after(name, "tpm"))) {
		end = "permall";
	} else {
		rest = str_after(name, "nvram");
	}
	if (!rest || *rest != '.')
		return false;
	rest = skip_number(rest + 1);
	return rest && *rest == '.' && str_eq(rest + 1, end);
}

static json_t *encode_file(const struct backup_file *f)
{
	return f->name[0] ? json_pack("{s:s s:I s:s}", "file", f->name, "bytes",
				      (json_int_t)f->bytes, "sha256", f->sha256)
			  : json_null();
}

static json_t *encode_generation(const struct backup_generation *g)
{
	json_t *disks = json_array();

	for (size_t i = 0; i < g->n_disks; i++) {
		const struct backup_disk *d = &g->disks[i];
		json_t *disk = encode_file(&d->file);

		(void)json_object_set_new(disk, "name", json_string(d->name));
		(void)json_object_set_new(disk, "virtual_bytes",
					  json_integer((json_int_t)d->virtual_bytes));
		(void)json_object_set_new(disk, "backing",
					  d->backing[0] ? json_string(d->backing) : json_null());
		(void)json_object_set_new(disk, "bitmap",
					  d->bitmap[0] ? json_string(d->bitmap) : json_null());
		(void)json_array_append_new(disks, disk);
	}
	return json_pack("{s:i s:s s:b s:b s:o s:o s:o s:O s:O}", "generation", (int)g->number,
			 "time", g->time, "running", g->running, "frozen", g->frozen, "disks",
			 disks, "nvram", encode_file(&g->nvram), "tpm", encode_file(&g->tpm),
			 "config", g->config, "state", g->pins);
}

char *backup_manifest_encode(const struct backup_manifest *m)
{
	cleanup_json json_t *all = NULL;
	json_t *list = json_array();

	for (size_t i = 0; i < m->n; i++)
		(void)json_array_append_new(list, encode_generation(&m->generations[i]));
	if (json_array_size(list) != m->n) {
		json_decref(list);
		return NULL;
	}
	all = json_pack("{s:i s:s s:s s:o}", "hv-backup", VERSION, "vm", m->vm, "uuid", m->uuid,
			"generations", list);
	return all ? json_dumps(all, JSON_INDENT(2)) : NULL;
}

static int nonsense(struct error *err, const char *what)
{
	return error_set(err, EINVAL, BACKUP_MANIFEST ": %s is missing or not as it should be",
			 what);
}

static bool is_sha256(const char *s)
{
	return s && strlen(s) == SHA256_TEXT_BYTES - 1 &&
	       strspn(s, "0123456789abcdef") == SHA256_TEXT_BYTES - 1;
}

static bool decode_u64(json_t *object, const char *key, uint64_t *ret)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

/* A name in a member that may be null. */
static bool decode_name(json_t *object, const char *key, char ret[static BACKUP_NAME_SIZE])
{
	json_t *value = json_object_get(object, key);

	ret[0] = '\0';
	if (json_is_null(value))
		return true;
	return json_is_string(value) &&
	       strlen(json_string_value(value)) == json_string_length(value) &&
	       str_format(ret, BACKUP_NAME_SIZE, "%s", json_string_value(value));
}

static int decode_file(json_t *object, struct backup_file *ret, struct error *err)
{
	struct backup_file f = {.bytes = 0};
	const char *sum = json_get_string(object, "sha256");

	if (!decode_name(object, "file", f.name) || !backup_is_file_name(f.name))
		return nonsense(err, "file");
	if (!decode_u64(object, "bytes", &f.bytes))
		return nonsense(err, "bytes");
	if (!is_sha256(sum))
		return nonsense(err, "sha256");
	(void)str_format(f.sha256, sizeof(f.sha256), "%s", sum);
	*ret = f;
	return 0;
}

static int decode_disk(const struct backup_manifest *m, json_t *object, size_t index,
		       struct backup_disk *d, struct error *err)
{
	const char *name = json_get_string(object, "name");
	int rc = decode_file(object, &d->file, err);

	if (rc < 0)
		return rc;
	if (!name || !decode_u64(object, "virtual_bytes", &d->virtual_bytes))
		return nonsense(err, "name or virtual_bytes");
	/* So what an image lies on can neither be itself nor anywhere else. */
	if (!decode_name(object, "backing", d->backing) ||
	    (d->backing[0] && !backup_find_disk(m, index, d->backing)))
		return nonsense(err, "backing");
	if (backup_chain_length(m, index, d) > BACKUP_LAYERS_MAX)
		return error_set(err, EINVAL,
				 BACKUP_MANIFEST ": more than %d images lie on each other",
				 BACKUP_LAYERS_MAX);
	if (backup_find_disk(m, index, d->file.name))
		return error_set(err, EINVAL, BACKUP_MANIFEST ": '%s' is there twice",
				 d->file.name);
	if (!decode_name(object, "bitmap", d->bitmap))
		return nonsense(err, "bitmap");
	d->name = strdup(name);
	return d->name ? 0 : error_oom(err);
}

static int decode_generation(const struct backup_manifest *m, json_t *object,
			     struct backup_generation *g, struct error *err)
{
	json_t *disks = json_object_get(object, "disks"), *nvram, *tpm;
	const char *time = json_get_string(object, "time");
	int rc = 0;

	if (json_integer_value(json_object_get(object, "generation")) != (json_int_t)m->n)
		return nonsense(err, "generation");
	g->number = (unsigned)m->n;
	if (!time || !str_format(g->time, sizeof(g->time), "%s", time))
		return nonsense(err, "time");
	g->running = json_is_true(json_object_get(object, "running"));
	g->frozen = json_is_true(json_object_get(object, "frozen"));
	if (!json_is_array(disks) || json_array_size(disks) > BACKUP_DISKS_MAX)
		return nonsense(err, "disks");
	g->disks = calloc(json_array_size(disks) + 1, sizeof(*g->disks));
	if (!g->disks)
		return error_oom(err);
	for (; rc == 0 && g->n_disks < json_array_size(disks); g->n_disks++)
		rc = decode_disk(m, json_array_get(disks, g->n_disks), g->n_disks,
				 &g->disks[g->n_disks], err);
	nvram = json_object_get(object, "nvram");
	tpm = json_object_get(object, "tpm");
	if (rc == 0 && !json_is_null(nvram))
		rc = decode_file(nvram, &g->nvram, err);
	if (rc == 0 && !json_is_null(tpm))
		rc = decode_file(tpm, &g->tpm, err);
	if (rc < 0)
		return rc;
	g->config = json_incref(json_object_get(object, "config"));
	g->pins = json_incref(json_object_get(object, "state"));
	return json_is_object(g->config) && json_is_object(g->pins)
		       ? 0
		       : nonsense(err, "config or state");
}

static int decode(json_t *all, struct backup_manifest *m, struct error *err)
{
	json_t *list = json_object_get(all, "generations"), *item;
	const char *vm = json_get_string(all, "vm"), *uuid = json_get_string(all, "uuid");
	size_t i;

	if (json_integer_value(json_object_get(all, "hv-backup")) != VERSION)
		return error_set(err, EINVAL,
				 BACKUP_MANIFEST ": not a backup of hvup's, or of a later version");
	if (!vm || !str_is_name(vm))
		return nonsense(err, "vm");
	if (!uuid || strlen(uuid) != UUID_LEN)
		return nonsense(err, "uuid");
	(void)str_format(m->uuid, sizeof(m->uuid), "%s", uuid);
	m->vm = strdup(vm);
	if (!m->vm)
		return error_oom(err);
	if (!json_is_array(list) || json_array_size(list) > BACKUP_GENERATIONS_MAX)
		return nonsense(err, "generations");
	json_array_foreach (list, i, item) {
		struct backup_generation g = {.number = 0};
		int rc = decode_generation(m, item, &g, err);

		if (rc == 0)
			rc = backup_manifest_add(m, &g, err);
		if (rc < 0) {
			backup_generation_free(&g);
			return error_wrap(err, rc, "generation %zu", i);
		}
	}
	return 0;
}

int backup_manifest_decode(const char *text, struct backup_manifest *ret_m, struct error *err)
{
	struct backup_manifest m = {.n = 0};
	cleanup_json json_t *all = NULL;
	json_error_t fault;
	int rc;

	all = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
	if (!all)
		return error_set(err, EINVAL, BACKUP_MANIFEST ":%d: %s", fault.line, fault.text);
	rc = decode(all, &m, err);
	if (rc < 0) {
		backup_manifest_free(&m);
		return rc;
	}
	*ret_m = m;
	return 0;
}

int backup_manifest_load(int dirfd, struct backup_manifest *ret_m, struct error *err)
{
	cleanup_free char *text = NULL;
	int rc = file_read_plain(dirfd, BACKUP_MANIFEST, MANIFEST_BYTES_MAX, &text, NULL, err);

	return rc < 0 ? rc : backup_manifest_decode(text, ret_m, err);
}

int backup_manifest_save(int dirfd, const struct backup_manifest *m, struct error *err)
{
	cleanup_free char *text = backup_manifest_encode(m);

	if (!text)
		return error_oom(err);
	return file_write_atomic(dirfd, BACKUP_MANIFEST, text, strlen(text), 0600, err);
}
