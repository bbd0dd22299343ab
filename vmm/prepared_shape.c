/* SPDX-License-Identifier: MIT */
/* What machine a prepared state is of, of vmm/prepared.h. */
#include "vmm/prepared.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/pins.h"
#include "vmm/qemu_args.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { VERSION = 1 };

/* Numbers of descriptors that stand for all: which there are is what counts. */
enum { FD = 3, CID = 3 };

struct anonymous {
	struct spec_vm vm;
	struct hardware hw;
	int *fds;
};

static void anonymous_free(struct anonymous *a)
{
	free(a->vm.disks);
	free(a->hw.nics);
	free(a->fds);
}

/* The machine without what may be another in each fork: names, addresses, what the kernel was told
 * at the start, formats of images. */
static int make_anonymous(const struct spec_vm *vm, const struct hardware *hw,
			  struct anonymous *ret_a)
{
	size_t n = vm->n_disks + vm->n_cdroms + vm->n_nics;
	struct anonymous a = {
		.vm = *vm,
		.hw = *hw,
		.fds = calloc(n + 1, sizeof(*a.fds)),
	};

	a.vm.disks = calloc(vm->n_disks + 1, sizeof(*a.vm.disks));
	a.hw.nics = calloc(vm->n_nics + 1, sizeof(*a.hw.nics));
	if (!a.fds || !a.vm.disks || !a.hw.nics) {
		anonymous_free(&a);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		a.fds[i] = FD;
	a.vm.name = (char *)"-";
	(void)str_format(a.vm.uuid, sizeof(a.vm.uuid), "-");
	a.vm.cmdline = NULL;
	a.vm.vsock_cid = vm->vsock_cid ? CID : 0;
	for (size_t i = 0; i < vm->n_disks; i++) {
		a.vm.disks[i] = vm->disks[i];
		a.vm.disks[i].format = SPEC_FORMAT_QCOW2;
	}
	for (size_t i = 0; i < vm->n_nics; i++)
		a.hw.nics[i].slot = hw->nics[i].slot;
	*ret_a = a;
	return 0;
}

json_t *prepared_shape(const struct spec_vm *vm, const struct hardware *hw, bool kvm, bool smm)
{
	bool flash =
		vm->firmware == SPEC_FIRMWARE_UEFI || vm->firmware == SPEC_FIRMWARE_SECURE_BOOT;
	cleanup_json json_t *lines = json_array();
	cleanup_strv struct strv argv = {0};
	struct anonymous a;
	bool failed;

	if (!lines || make_anonymous(vm, hw, &a) < 0)
		return NULL;
	qemu_args_build(
		&(struct qemu_inputs){
			.vm = &a.vm,
			.hw = &a.hw,
			.kvm = kvm,
			.hyperv = kvm && vm->hyperv,
			.smm = smm,
			.fds =
				{
					.monitor = FD,
					.serial = FD,
					.serial_log = FD,
					.agent = vm->agent ? FD : -1,
					.tpm = vm->tpm ? FD : -1,
					.code = flash ? FD : -1,
					.vars = flash ? FD : -1,
					.vsock = vm->vsock_cid ? FD : -1,
					.disks = a.fds,
					.cdroms = a.fds + vm->n_disks,
					.taps = a.fds + vm->n_disks + vm->n_cdroms,
				},
		},
		"qemu", &argv);
	failed = argv.failed;
	for (size_t i = 0; !failed && i < argv.n; i++)
		failed = json_array_append_new(lines, json_string(argv.v[i])) < 0;
	anonymous_free(&a);
	return failed ? NULL : json_incref(lines);
}

static json_t *places(const unsigned *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_integer((json_int_t)v[i]));
	return list;
}

json_t *prepared_describe(const struct spec_vm *vm, const struct hardware *hw, bool kvm, bool smm,
			  const char *qemu_version, const char *note)
{
	json_t *nics = json_array(), *macs = json_array();

	for (size_t i = 0; i < vm->n_nics; i++) {
		char mac[MAC_TEXT_SIZE];

		mac_format(mac, hw->nics[i].mac);
		(void)json_array_append_new(nics, json_integer((json_int_t)hw->nics[i].slot));
		(void)json_array_append_new(macs, json_string(mac));
	}
	return json_pack("{s:i s:s s:I s:s s:s? s:s s:s s:I s:o s:o s:{s:o s:o s:o}}", "version",
			 VERSION, "of", vm->name, "made", (json_int_t)time(NULL), "qemu",
			 qemu_version, "note", note, "machine", hw->machine, "cpu", hw->cpu,
			 "memory", (json_int_t)vm->memory_bytes, "shape",
			 prepared_shape(vm, hw, kvm, smm), "macs", macs, "places", "disks",
			 places(hw->disks, vm->n_disks), "cdroms", places(hw->cdroms, vm->n_cdroms),
			 "nics", nics);
}

int prepared_pin(const struct prepared *p, const struct spec_vm *vm, struct vm_pins *pins,
		 struct error *err)
{
	const char *machine = json_get_string(p->state, "machine"),
		   *cpu = json_get_string(p->state, "cpu");
	json_t *of = json_object_get(p->state, "places");

	if (!machine || !cpu || !json_is_object(of) ||
	    json_integer_value(json_object_get(p->state, "version")) != VERSION)
		return error_set(err, EINVAL,
				 "state '%s': its " PREPARED_STATE " is not as expected", p->name);
	if (!pins->machine && !(pins->machine = strdup(machine)))
		return error_oom(err);
	if (!pins->cpu && !(pins->cpu = strdup(cpu)))
		return error_oom(err);
	return hardware_pin_places(vm, json_object_get(of, "disks"), json_object_get(of, "cdroms"),
				   json_object_get(of, "nics"), pins, err);
}

int prepared_macs(const struct prepared *p, const struct spec_vm *vm,
		  uint8_t (**ret_macs)[MAC_BYTES], struct error *err)
{
	json_t *list = json_object_get(p->state, "macs");
	uint8_t(*macs)[MAC_BYTES] = calloc(vm->n_nics + 1, sizeof(*macs));

	if (!macs)
		return error_oom(err);
	for (size_t i = 0; i < vm->n_nics; i++)
		if (!json_is_string(json_array_get(list, i)) ||
		    !json_parse_mac(json_string_value(json_array_get(list, i)), macs[i])) {
			free(macs);
			return error_set(err, EINVAL,
					 "state '%s': its " PREPARED_STATE " is not as expected",
					 p->name);
		}
	*ret_macs = macs;
	return 0;
}

/* The first line that only one of them has, for people; whole lines would fill a screen. */
static int tell_difference(const struct prepared *p, json_t *want, json_t *have, struct error *err)
{
	size_t i = 0;

	while (i < json_array_size(want) && i < json_array_size(have) &&
	       json_equal(json_array_get(want, i), json_array_get(have, i)))
		i++;
	return error_set(
		err, EINVAL,
		"state '%s' is of a machine of another shape: that has '%.200s' where this "
		"one has '%.200s'; a fork has the devices, memory and processors of vm "
		"'%s', of which it is",
		p->name, json_string_value(json_array_get(want, i)) ?: "nothing more",
		json_string_value(json_array_get(have, i)) ?: "nothing more",
		json_get_string(p->state, "of") ?: "?");
}

int prepared_check(const struct prepared *p, const struct spec_vm *vm, const struct hardware *hw,
		   bool kvm, bool smm, struct error *err)
{
	json_t *want = json_object_get(p->state, "shape");
	cleanup_json json_t *have = prepared_shape(vm, hw, kvm, smm);

	if (!have)
		return error_oom(err);
	return json_equal(want, have) ? 0 : tell_difference(p, want, have, err);
}
