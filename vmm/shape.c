/* SPDX-License-Identifier: MIT */
#include "vmm/shape.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"

#include <errno.h>

#define SHAPE_FILE "shape.json"

enum { SHAPE_BYTES_MAX = 256 * 1024 };

static json_t *describe_disks(const struct shape_facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->vm->n_disks; i++)
		(void)json_array_append_new(
			list, json_pack("{s:s s:i s:b}", "bus", spec_bus_name(f->vm->disks[i].bus),
					"place", (int)f->hw->disks[i], "read-only",
					f->vm->disks[i].read_only));
	return list;
}

static json_t *describe_cdroms(const struct shape_facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->vm->n_cdroms; i++)
		(void)json_array_append_new(list, json_integer((int)f->hw->cdroms[i]));
	return list;
}

static json_t *describe_nics(const struct shape_facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->vm->n_nics; i++) {
		char mac[MAC_TEXT_SIZE];

		mac_format(mac, f->hw->nics[i].mac);
		(void)json_array_append_new(
			list, json_pack("{s:s s:i s:s}", "model",
					spec_nic_model_name(f->vm->nics[i].model), "slot",
					(int)f->hw->nics[i].slot, "mac", mac));
	}
	return list;
}

json_t *shape_describe(const struct shape_facts *f)
{
	const struct spec_vm *vm = f->vm;
	const char *lean = f->hw->sata ? "without SMBus" : "without SATA and SMBus";

	return json_pack(
		"{s:s s:s s:s* s:s s:s s:i s:I s:s s:b s:b s:b s:s s:b s:b s:b s:I s:o s:o s:o}",
		"uuid", vm->uuid, "machine", f->hw->machine, "chipset", f->hw->smbus ? NULL : lean,
		"accel", f->kvm ? "kvm" : "tcg", "cpu", f->hw->cpu, "cpus", (int)vm->cpus, "memory",
		(json_int_t)vm->memory_bytes, "firmware", spec_firmware_name(vm->firmware), "smm",
		f->smm, "tpm", vm->tpm, "hyperv", f->kvm && vm->hyperv, "display",
		spec_display_name(vm->display), "tablet", vm->tablet, "agent", vm->agent, "spice",
		vm->spice, "vsock", f->vsock ? (json_int_t)vm->vsock_cid : 0, "disks",
		describe_disks(f), "cdroms", describe_cdroms(f), "nics", describe_nics(f));
}

/* For people: a number of bytes as such, lists by how many they are. */
static void add_value(struct strbuf *into, const char *key, json_t *value)
{
	cleanup_free char *text = NULL;
	char size[32];

	if (!value) {
		strbuf_addf(into, "not there");
	} else if (json_is_integer(value) && str_eq(key, "memory")) {
		str_format_size(size, sizeof(size), (uint64_t)json_integer_value(value));
		strbuf_addf(into, "%s", size);
	} else if (json_is_string(value)) {
		strbuf_addf(into, "'%s'", json_string_value(value));
	} else {
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		strbuf_addf(into, "%s", text ? text : "?");
	}
}

static int differs(const char *key, json_t *was, json_t *is, struct error *err)
{
	cleanup_strbuf struct strbuf before = {0}, now = {0}, shown = {0};

	if (json_is_array(was) && json_is_array(is) && json_array_size(was) != json_array_size(is))
		return error_set(err, EINVAL, "it had %zu %s, and has %zu", json_array_size(was),
				 key, json_array_size(is));
	if (json_is_array(was) && json_is_array(is))
		return error_set(err, EINVAL, "its %s are others, or in another order, than before",
				 key);
	add_value(&before, key, was);
	add_value(&now, key, is);
	strbuf_addf(&shown, "its %s was %s, and is %s", key, before.data ? before.data : "?",
		    now.data ? now.data : "?");
	return error_set(err, EINVAL, "%s", shown.data ? shown.data : "its shape has changed");
}

int shape_compare(json_t *was, json_t *is, struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach (was, key, value)
		if (!json_equal(value, json_object_get(is, key)))
			return differs(key, value, json_object_get(is, key), err);
	json_object_foreach (is, key, value)
		if (!json_object_get(was, key))
			return differs(key, NULL, value, err);
	return 0;
}

int shape_save(int state_dirfd, json_t *shape, struct error *err)
{
	cleanup_free char *text = json_dumps(shape, JSON_INDENT(2)), *was = NULL;
	int rc;

	if (!text)
		return error_oom(err);
	/* From start to start it is mostly the same. */
	rc = file_read_plain(state_dirfd, SHAPE_FILE, SHAPE_BYTES_MAX, &was, NULL, NULL);
	if (rc == 0 && str_eq(was, text))
		return 0;
	/* What runs does not outlive the boot; what is saved of it has a copy. */
	return file_write_volatile(state_dirfd, SHAPE_FILE, text, strlen(text), 0644, err);
}

int shape_load(int state_dirfd, json_t **ret_shape, struct error *err)
{
	cleanup_free char *text = NULL;
	json_error_t fault;
	int rc = file_read_plain(state_dirfd, SHAPE_FILE, SHAPE_BYTES_MAX, &text, NULL, err);

	if (rc < 0)
		return rc;
	*ret_shape = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
	return *ret_shape ? 0
			  : error_set(err, EINVAL, "'" SHAPE_FILE "' is not JSON (line %d)",
				      fault.line);
}
