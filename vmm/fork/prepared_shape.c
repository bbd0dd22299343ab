/* SPDX-License-Identifier: MIT */
/* What machine a prepared state is of, of vmm/fork/prepared.h. */
#include "vmm/fork/prepared.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/pins.h"
#include "vmm/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { VERSION = 1 };

static int not_as_expected(const struct prepared *p, struct error *err)
{
	return error_set(err, EINVAL, "state '%s': its " PREPARED_STATE " is not as expected",
			 p->name);
}

json_t *prepared_describe(const struct shape_facts *facts, const char *qemu_version,
			  const char *note, json_t *layers)
{
	return json_pack("{s:i s:s s:I s:s s:s? s:I s:b s:O? s:o}", "version", VERSION, "of",
			 facts->vm->name, "made", (json_int_t)time(NULL), "qemu", qemu_version,
			 "note", note, "memory", (json_int_t)facts->vm->memory_bytes, "kernel",
			 facts->vm->kernel != NULL, "layers", layers, "shape",
			 shape_describe(facts));
}

/* The same member of each object in a list, as a list. */
static json_t *pick(json_t *shape, const char *list, const char *key)
{
	json_t *values = json_array(), *one;
	size_t i;

	json_array_foreach (json_object_get(shape, list), i, one)
		(void)json_array_append(values, json_object_get(one, key));
	return values;
}

int prepared_pin(const struct prepared *p, const struct spec_vm *vm, struct vm_pins *pins,
		 struct error *err)
{
	json_t *shape = json_object_get(p->state, "shape");
	cleanup_json json_t *disks = pick(shape, "disks", "place"),
			    *nics = pick(shape, "nics", "slot");
	const char *machine = json_get_string(shape, "machine"),
		   *cpu = json_get_string(shape, "cpu");

	if (!machine || !cpu || json_integer_value(json_object_get(p->state, "version")) != VERSION)
		return not_as_expected(p, err);
	if (!pins->machine)
		pins->lean = json_get_string(shape, "chipset") != NULL;
	if (!pins->machine && !(pins->machine = strdup(machine)))
		return error_oom(err);
	if (!pins->cpu && !(pins->cpu = strdup(cpu)))
		return error_oom(err);
	return hardware_pin_places(vm, disks, json_object_get(shape, "cdroms"), nics, pins, err);
}

int prepared_macs(const struct prepared *p, const struct spec_vm *vm,
		  uint8_t (**ret_macs)[MAC_BYTES], struct error *err)
{
	cleanup_json json_t *list = pick(json_object_get(p->state, "shape"), "nics", "mac");
	uint8_t(*macs)[MAC_BYTES] = calloc(vm->n_nics + 1, sizeof(*macs));

	if (!macs)
		return error_oom(err);
	for (size_t i = 0; i < vm->n_nics; i++) {
		const char *mac = json_string_value(json_array_get(list, i));

		if (!mac || !json_parse_mac(mac, macs[i])) {
			free(macs);
			return not_as_expected(p, err);
		}
	}
	*ret_macs = macs;
	return 0;
}

/* Takes away what may be another in each fork: names and addresses. */
static void make_anonymous(json_t *shape)
{
	json_t *nic;
	size_t i;

	(void)json_object_del(shape, "uuid");
	(void)json_object_set_new(
		shape, "vsock",
		json_boolean(json_integer_value(json_object_get(shape, "vsock")) != 0));
	json_array_foreach (json_object_get(shape, "nics"), i, nic)
		(void)json_object_del(nic, "mac");
}

int prepared_check(const struct prepared *p, const struct shape_facts *facts, struct error *err)
{
	cleanup_json json_t *was = json_deep_copy(json_object_get(p->state, "shape"));
	cleanup_json json_t *is = shape_describe(facts);
	int rc;

	if (!was || !is)
		return error_oom(err);
	make_anonymous(was);
	make_anonymous(is);
	rc = shape_compare(was, is, err);
	if (rc == 0 && json_is_true(json_object_get(p->state, "kernel")) != !!facts->vm->kernel)
		rc = error_set(err, EINVAL, "only one of both has a kernel:");
	if (*p->name == '.')
		return error_wrap_if(err, rc,
				     "it is to go on from vm '%s', and is of another shape",
				     json_get_string(p->state, "of") ?: "?");
	return error_wrap_if(err, rc,
			     "state '%s' is of a machine like vm '%s' and of another shape",
			     p->name, json_get_string(p->state, "of") ?: "?");
}
