/* SPDX-License-Identifier: MIT */
#include "vmm/vm_status.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/fork/template.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"
#include "vmm/network/leases.h"
#include "vmm/resources.h"
#include "vmm/rundir.h"
#include "vmm/snapshot/saved.h"

#include <arpa/inet.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

static json_t *describe_nics(const struct spec_vm *vm, const struct resources *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vm->n_nics; i++) {
		const struct spec_nic *nic = &vm->nics[i];
		char mac[MAC_TEXT_SIZE], address[INET_ADDRSTRLEN];
		const char *tap = r && r->tap_names ? r->tap_names[i] : NULL;

		mac_format(mac, r && r->hw.nics ? r->hw.nics[i].mac : nic->mac);
		(void)inet_ntop(AF_INET, &nic->address, address, sizeof(address));
		(void)json_array_append_new(
			list, json_pack("{s:s s:s s:s? s:s s:s?}", "network", nic->network->name,
					"mac", mac, "tap", tap && *tap ? tap : NULL, "model",
					spec_nic_model_name(nic->model), "address",
					nic->has_address ? address : NULL));
	}
	return list;
}

static json_t *describe_disks(const struct spec_vm *vm)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];

		(void)json_array_append_new(list, json_pack("{s:s s:s s:I s:s s:s}", "name",
							    disk->name, "path", disk->path, "size",
							    (json_int_t)disk->size_bytes, "bus",
							    spec_bus_name(disk->bus), "format",
							    spec_format_name(disk->format)));
	}
	return list;
}

static json_t *describe_cdroms(const struct spec_vm *vm)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vm->n_cdroms; i++)
		(void)json_array_append_new(list, json_string(vm->cdroms[i].path));
	return list;
}

/* What holds whether or not it runs; r may be NULL. */
static json_t *describe(const struct spec_vm *vm, enum vm_state state, const struct resources *r)
{
	return json_pack("{s:s s:s s:s s:n s:n s:n s:n s:s? s:s? s:i s:I s:s s:b s:o s:o s:o s:b "
			 "s:n s:n s:n s:n s:n s:n s:n s:n s:n s:b}",
			 "name", vm->name, "state", vm_state_name(state), "uuid", vm->uuid, "pid",
			 "reason", "started", "accel", "machine", r ? r->hw.machine : vm->machine,
			 "cpu", r ? r->hw.cpu : vm->cpu, "cpus", (int)vm->cpus, "memory",
			 (json_int_t)vm->memory_bytes, "firmware", spec_firmware_name(vm->firmware),
			 "tpm", vm->tpm, "nics", describe_nics(vm, r), "disks", describe_disks(vm),
			 "cdroms", describe_cdroms(vm), "agent", 0, "qemu", "swtpm", "supervisor",
			 "keeper", "jail_at_start", "vsock", "error", "saved", "spare", "template",
			 0);
}

json_t *vm_status_running(const struct vm_status_facts *f)
{
	const struct resources *r = f->resources;
	struct child self = {.pid = getpid(), .pidfd = 0};
	json_t *status = describe(r->vm, f->state, r);

	if (!status)
		return NULL;
	if (r->qemu.pidfd >= 0)
		(void)json_object_set_new(status, "pid", json_integer(r->qemu.pid));
	if (f->reason)
		(void)json_object_set_new(status, "reason", json_string(f->reason));
	if (r->qemu.pidfd >= 0 && f->state != VM_STATE_SPARE)
		(void)json_object_set_new(status, "started", json_integer((json_int_t)f->started));
	(void)json_object_set_new(status, "accel", json_string(r->kvm ? "kvm" : "tcg"));
	(void)json_object_set_new(status, "agent", json_boolean(f->agent_open));
	(void)json_object_set_new(status, "qemu", adopt_describe(&r->qemu));
	(void)json_object_set_new(status, "swtpm", adopt_describe(&r->swtpm));
	(void)json_object_set_new(status, "supervisor", adopt_describe(f->supervisor));
	(void)json_object_set_new(status, "keeper", adopt_describe(&self));
	if (r->has_vsock)
		(void)json_object_set_new(status, "vsock",
					  json_integer((json_int_t)r->vm->vsock_cid));
	if (r->jail_started)
		(void)json_object_set(status, "jail_at_start", r->jail_started);
	return status;
}

/* The addresses that a network has leased to a MAC. */
static json_t *addresses_of(const struct paths *paths, const char *network, const uint8_t mac[6],
			    uint64_t started)
{
	cleanup_free struct net_lease *leases = NULL;
	json_t *addresses = json_array();
	uint64_t now = (uint64_t)time(NULL);
	size_t n;

	if (leases_load(paths, network, &leases, &n, NULL) < 0)
		return addresses;
	for (size_t i = 0; i < n; i++) {
		char address[INET_ADDRSTRLEN];

		if (memcmp(leases[i].mac, mac, 6) != 0)
			continue;
		/* Taken by a guest that has ended since, or run out. */
		if (leases[i].expires &&
		    (leases[i].expires <= now || leases[i].expires < started + NET_LEASE_SECONDS))
			continue;
		(void)inet_ntop(AF_INET, &leases[i].address, address, sizeof(address));
		(void)json_array_append_new(addresses, json_string(address));
	}
	return addresses;
}

/* Of a machine that runs: a lease outlives the guest that took it. */
static void add_addresses(const struct paths *paths, json_t *status)
{
	uint64_t started = (uint64_t)json_integer_value(json_object_get(status, "started"));
	bool runs = json_is_integer(json_object_get(status, "pid"));
	json_t *nic;
	size_t i;

	json_array_foreach (json_object_get(status, "nics"), i, nic) {
		const char *network = json_get_string(nic, "network");
		const char *mac_text = json_get_string(nic, "mac");
		uint8_t mac[6];

		(void)json_object_set_new(nic, "addresses",
					  runs && network && mac_text &&
							  json_parse_mac(mac_text, mac)
						  ? addresses_of(paths, network, mac, started)
						  : json_array());
	}
}

/* How it ended last, for a VM that does not run. */
static json_t *describe_stopped(const struct paths *paths, const struct spec_vm *vm)
{
	struct vm_pins pins = {0};
	cleanup_close int dirfd = -1;
	struct resources r = {0};
	cleanup_json json_t *saved = NULL;
	json_t *status;

	if (paths_open_state(paths, PATHS_VM, vm->name, 0, &dirfd, NULL) == 0) {
		(void)vm_pins_load(dirfd, &pins, NULL);
		(void)saved_read(dirfd, &saved, NULL);
	}
	if (!vm->uuid[0] || hardware_assign(vm, false, &pins, &r.hw, NULL) < 0)
		r.hw = (struct hardware){0};
	status = describe(vm, pins.crashed ? VM_STATE_CRASHED : VM_STATE_STOPPED, &r);
	if (status && pins.last_error)
		(void)json_object_set_new(status, "error", json_string(pins.last_error));
	if (status && template_is(paths, vm->name))
		(void)json_object_set_new(status, "template", json_true());
	if (status && saved)
		(void)json_object_set_new(status, "saved",
					  json_pack("{s:O s:O}", "date",
						    json_object_get(saved, "date"), "memory",
						    json_object_get(saved, "memory")));
	/* What a start would choose is no fact yet. */
	if (status && !pins.machine && !vm->machine)
		(void)json_object_set_new(status, "machine", json_null());
	if (status && !pins.cpu && !vm->cpu)
		(void)json_object_set_new(status, "cpu", json_null());
	hardware_free(&r.hw);
	vm_pins_free(&pins);
	return status;
}

int vm_status_read(const struct paths *paths, const struct spec_vm *vm, json_t **ret_status,
		   struct error *err)
{
	cleanup_json json_t *status = NULL;
	bool served;
	int rc;

	rc = rundir_read_status(paths, PATHS_VM, vm->name, &status, &served, err);
	if (rc < 0)
		return rc;
	if (status && !served) {
		if (adopt_lives(json_object_get(status, "qemu"))) {
			(void)json_object_set_new(status, "supervisor", json_null());
			(void)json_object_set_new(status, "keeper", json_null());
		} else {
			json_decref(status);
			status = NULL;
		}
	}
	if (!status)
		status = describe_stopped(paths, vm);
	if (!status)
		return error_oom(err);
	add_addresses(paths, status);
	*ret_status = json_incref(status);
	return 0;
}
