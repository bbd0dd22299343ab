/* SPDX-License-Identifier: MIT */
#include "vmm/backup/vm_config.h"

#include "base/mac.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <inttypes.h>

/* Nothing where it is not said. */
static void set_text(json_t *into, const char *key, const char *value)
{
	if (value)
		(void)json_object_set_new(into, key, json_string(value));
}

static void set_size(json_t *into, const char *key, uint64_t bytes)
{
	char text[32];

	(void)str_format(text, sizeof(text), "%" PRIu64, bytes);
	if (bytes)
		set_text(into, key, text);
}

static json_t *describe_disks(const struct spec_vm *vm)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *d = &vm->disks[i];
		json_t *disk = json_pack("{s:s s:s s:b}", "bus", spec_bus_name(d->bus), "format",
					 spec_format_name(d->format), "read_only", d->read_only);

		set_text(disk, d->pool ? "volume" : "path", d->pool ? d->name : d->path);
		set_size(disk, "size", d->size_bytes);
		(void)json_array_append_new(list, disk);
	}
	return list;
}

static json_t *describe_nics(const struct spec_vm *vm)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vm->n_nics; i++) {
		const struct spec_nic *n = &vm->nics[i];
		char mac[MAC_TEXT_SIZE], address[INET_ADDRSTRLEN];
		json_t *nic = json_pack("{s:s s:s}", "network", n->network->name, "model",
					spec_nic_model_name(n->model));

		mac_format(mac, n->mac);
		(void)inet_ntop(AF_INET, &n->address, address, sizeof(address));
		set_text(nic, "mac", mac);
		set_text(nic, "address", n->has_address ? address : NULL);
		(void)json_array_append_new(list, nic);
	}
	return list;
}

static json_t *describe_credentials(const struct spec_vm *vm)
{
	json_t *map = json_object();

	for (size_t i = 0; i < vm->n_credentials; i++) {
		const struct spec_credential *c = &vm->credentials[i];
		json_t *one = json_object();

		set_text(one, "file", c->file);
		set_text(one, "encrypted", c->encrypted);
		if (c->source == SPEC_CREDENTIAL_UNIT)
			set_text(one, "from", "unit");
		/* A secret stays where it is. */
		if (json_object_size(one))
			(void)json_object_set_new(map, c->name, one);
		else
			json_decref(one);
	}
	return map;
}

static json_t *describe_limits(const struct spec_limits *l)
{
	json_t *map = json_object();
	char cpus[32];

	str_format_milli(cpus, sizeof(cpus), l->cpus_milli);
	set_text(map, "cpus", l->cpus_milli ? cpus : NULL);
	set_size(map, "memory_max", l->memory_max_bytes);
	set_size(map, "io", l->io_bytes);
	if (l->pids)
		(void)json_object_set_new(map, "pids", json_integer(l->pids));
	return map;
}

static json_t *describe_strings(char **v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(v[i]));
	return list;
}

/* What is only there where it is said. */
static void add_parts(json_t *config, const struct spec_vm *vm)
{
	json_t *cdroms = json_array();

	set_text(config, "cpu", vm->cpu);
	set_text(config, "machine", vm->machine);
	set_text(config, "kernel", vm->kernel);
	set_text(config, "initrd", vm->initrd);
	set_text(config, "cmdline", vm->cmdline);
	for (size_t i = 0; i < vm->n_cdroms; i++)
		(void)json_array_append_new(cdroms, json_string(vm->cdroms[i].path));
	(void)json_object_set_new(config, "cdroms", cdroms);
	(void)json_object_set_new(config, "disks", describe_disks(vm));
	(void)json_object_set_new(config, "nics", describe_nics(vm));
	if (vm->n_credentials)
		(void)json_object_set_new(config, "credentials", describe_credentials(vm));
	if (vm->n_oem_strings)
		(void)json_object_set_new(config, "oem-strings",
					  describe_strings(vm->oem_strings, vm->n_oem_strings));
	if (vm->vsock == SPEC_VSOCK_CID)
		(void)json_object_set_new(config, "vsock", json_integer(vm->vsock_cid));
	else
		set_text(config, "vsock", vm->vsock == SPEC_VSOCK_AUTO ? "auto" : "no");
}

json_t *vm_config_describe(const struct spec_vm *vm)
{
	json_t *config = json_pack(
		"{s:s s:s s:b s:s s:s s:i s:s s:b s:b s:b s:b s:s s:s s:i s:o}", "uuid", vm->uuid,
		"firmware", spec_firmware_name(vm->firmware), "tpm", vm->tpm, "clock",
		spec_clock_name(vm->clock), "accel", spec_accel_name(vm->accel), "cpus",
		(int)vm->cpus, "display", spec_display_name(vm->display), "tablet", vm->tablet,
		"hyperv", vm->hyperv, "agent", vm->agent, "autostart", vm->autostart, "restart",
		spec_restart_name(vm->restart), "jail", spec_jail_name(vm->jail), "stop_timeout",
		(int)vm->stop_timeout_s, "limits", describe_limits(&vm->limits));

	if (!config)
		return NULL;
	set_size(config, "memory", vm->memory_bytes);
	add_parts(config, vm);
	return config;
}
